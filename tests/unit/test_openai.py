"""The OpenAI-compatible client against a real HTTP server that also misbehaves."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from engrain.agent import tokens
from engrain.agent.models.chat import ChatMessage, TextDelta, ToolCall
from engrain.agent.models.openai import OpenAIChat
from engrain.endpoint import Endpoint
from engrain.errors import ChatError, ChatProtocolError, ChatRefused, ChatTimeout, SettingsError
from engrain.tools.protocol import tool
from tests.endpoint import Server, sse, status, text


def ask(chat: OpenAIChat, **more: Any) -> list[object]:
    return list(chat.stream([ChatMessage("user", "Hi")], more.get("tools", []), 16))


def test_text_is_streamed(server: Server) -> None:
    server.scripts = [sse(text("Hel"), text("lo"))]
    assert ask(server.chat()) == [TextDelta("Hel"), TextDelta("lo")]
    assert server.bodies[0]["messages"] == [{"role": "user", "content": "Hi"}]
    assert server.bodies[0]["stream"] is True
    assert "temperature" not in server.bodies[0]
    server.scripts = [sse(text("Hello"))]
    ask(server.chat(temperature=0.0))
    assert server.bodies[1]["temperature"] == 0.0
    assert server.headers[0]["Authorization"] == "Bearer key"


def test_tool_calls_are_put_together(server: Server) -> None:
    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    parts = [
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "add", "arguments": '{"a": 1,'}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": ' "b": 2}'}}]}, "finish_reason": "tool_calls"}]},
    ]
    server.scripts = [sse(*parts)]
    (call,) = ask(server.chat(), tools=[add])
    assert call == ToolCall("c1", "add", '{"a": 1, "b": 2}')
    assert add.call(call.arguments) == "3"
    assert server.bodies[0]["tools"][0]["function"]["name"] == "add"


def test_passing_errors_are_tried_again(server: Server) -> None:
    server.scripts = [status(429, retry_after="0"), status(500), status(503), sse(text("ok"))]
    assert ask(server.chat()) == [TextDelta("ok")]
    assert len(server.bodies) == 4


def test_retry_after_is_heeded(server: Server) -> None:
    server.scripts = [status(429, Retry_After="0.3"), sse(text("ok"))]
    started = time.perf_counter()
    ask(server.chat())
    assert time.perf_counter() - started >= 0.3


def test_a_lasting_error_says_what_to_do(server: Server) -> None:
    server.scripts = [status(401, "bad key")]
    with pytest.raises(ChatRefused, match=r"bad key.*check the key") as caught:
        ask(server.chat())
    assert caught.value.status == 401
    server.scripts = [status(500)] * 3
    with pytest.raises(ChatRefused, match="after 3 tries"):
        ask(server.chat(retries=2))


def test_silence_ends_in_a_time_out(server: Server) -> None:
    server.scripts = [lambda _: time.sleep(1.0)]
    with pytest.raises(ChatTimeout, match=r"sent nothing for 0\.2 s"):
        ask(server.chat(timeout=0.2))


def test_a_cut_stream_is_no_reply(server: Server) -> None:
    server.scripts = [sse(text("Hal"), done=False)]
    got: list[object] = []
    with pytest.raises(ChatProtocolError, match="broke off"):
        got.extend(server.chat().stream([ChatMessage("user", "Hi")], [], 16))
    assert len(server.bodies) == 1  # text had come: not tried again, or it would come twice


@pytest.mark.parametrize("event", ["{no json", {"object": "thing"}, {"error": {"message": "overloaded"}}, {"choices": [{"delta": "Hi"}]}, [1]])
def test_nonsense_is_named(server: Server, event: object) -> None:
    server.scripts = [sse(event)]
    with pytest.raises(ChatProtocolError):
        ask(server.chat())


def test_what_endpoints_add_or_leave_out_does_no_harm(server: Server) -> None:
    call = {"index": None, "id": "c1", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
    server.scripts = [sse({"error": None, "choices": [{"delta": {"tool_calls": [call]}}]})]
    (made,) = server.chat().stream([ChatMessage("user", "Hi")], [], 16)
    assert made == ToolCall("c1", "weather", '{"city": "Oslo"}')


@pytest.mark.parametrize(("url", "key"), [("localhost:8000/v1", ""), ("http://[::1", ""), ("http://localhost/v1", "schlüssel")])
def test_a_url_or_a_key_that_is_none_is_named_at_once(url: str, key: str) -> None:
    with pytest.raises(SettingsError, match=r"no endpoint's URL|no key has"):
        OpenAIChat(Endpoint("m", url, key))


def test_nobody_there(server: Server) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(ChatError, match="cannot be reached after 2 tries"):
        ask(server.chat(retries=1))


def test_counting_never_waits_for_a_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    fetched = threading.Event()
    monkeypatch.setattr(tokens, "_fetch", fetched.set)
    monkeypatch.setitem(tokens._state, "fetching", False)
    started = time.perf_counter()
    assert tokens.count_remote("twelve bytes") == 4
    assert time.perf_counter() - started < 1.0
    assert fetched.wait(5)
    assert tokens._sources()  # tiktoken still names its file where we look for it
