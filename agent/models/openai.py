"""Any OpenAI-compatible chat endpoint, over httpx."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from engrain.agent.models.chat import ChatMessage, Delta, TextDelta, ToolCall
from engrain.agent.tokens import count_remote
from engrain.endpoint import RETRIED, Endpoint, retry_after
from engrain.errors import ChatError, ChatProtocolError, ChatRefused, ChatTimeout
from engrain.tools.protocol import Tool


class OpenAIChat:
    """A chat model behind `POST {url}/chat/completions` with `stream: true`."""

    def __init__(self, endpoint: Endpoint, transport: httpx.BaseTransport | None = None) -> None:
        self.endpoint = endpoint
        self._client = endpoint.client(transport)

    @property
    def name(self) -> str:
        """The model's name at the endpoint."""
        return self.endpoint.model

    @property
    def calls_tools(self) -> bool:
        """As the endpoint is declared."""
        return self.endpoint.tools

    def count(self, text: str) -> int:
        """Tokens by tiktoken where its vocabulary is on disk, else a safe estimate."""
        return count_remote(text)

    def stream(self, messages: Sequence[ChatMessage], tools: Sequence[Tool], max_tokens: int) -> Iterator[Delta]:
        """The reply; raises ChatTimeout, ChatRefused, ChatProtocolError, or ChatError where nobody listens."""
        body: dict[str, Any] = {"model": self.endpoint.model, "stream": True, "max_tokens": max_tokens, "messages": [_wire(m) for m in messages]}
        if self.endpoint.temperature is not None:
            body["temperature"] = self.endpoint.temperature
        if tools and self.endpoint.tools:
            body["tools"] = [t.schema() for t in tools]
        for attempt in range(self.endpoint.retries + 1):
            started = False
            try:
                for delta in self._once(body):
                    started = True
                    yield delta
                return
            except (ChatError, httpx.RequestError) as error:
                wait = self._wait(error, attempt)
                if started or wait is None or attempt == self.endpoint.retries:
                    raise self._told(error, attempt + 1) from error
                time.sleep(wait)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _once(self, body: dict[str, Any]) -> Iterator[Delta]:
        with self._client.stream("POST", "chat/completions", json=body) as response:
            if response.status_code != 200:
                raise _Refused(response.status_code, _reason(response), retry_after(response))
            yield from _read(response)

    def _wait(self, error: Exception, attempt: int) -> float | None:
        """Seconds until the next try; None where trying again is of no use."""
        if isinstance(error, _Refused):
            return self.endpoint.wait(attempt, error.retry_after) if error.status in RETRIED else None
        passing = isinstance(error, httpx.ConnectError | httpx.RemoteProtocolError)
        return self.endpoint.wait(attempt) if passing else None

    def _told(self, error: Exception, tries: int) -> ChatError:
        where = f"{self.endpoint.url!r} (model {self.endpoint.model!r})"
        if isinstance(error, _Refused):
            hint = "check the key" if error.status in {401, 403} else "check the URL and the model's name" if error.status == 404 else "try later"
            return ChatRefused(f"{where} answered {error.status} after {tries} tries: {error.reason}; {hint}", error.status)
        if isinstance(error, httpx.TimeoutException):
            return ChatTimeout(f"{where} sent nothing for {self.endpoint.timeout:g} s; raise ENGRAIN_CHAT_TIMEOUT or try later")
        if isinstance(error, httpx.ConnectError):
            return ChatError(f"{where} cannot be reached after {tries} tries ({error}); start the server or set ENGRAIN_CHAT_URL")
        if isinstance(error, httpx.RequestError):
            return ChatProtocolError(f"{where} broke the connection in the middle of a reply ({error}); try again")
        return type(error)(f"{where}: {error}") if isinstance(error, ChatProtocolError) else ChatError(str(error))


class _Refused(ChatError):
    def __init__(self, status: int, reason: str, retry_after: float) -> None:
        self.status, self.reason, self.retry_after = status, reason, retry_after
        super().__init__(f"{status}: {reason}")


def _wire(message: ChatMessage) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [{"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in message.tool_calls]
    if message.tool_call_id:
        out["tool_call_id"] = message.tool_call_id
    return out


def _read(response: httpx.Response) -> Iterator[Delta]:
    """Server-sent events to deltas; a tool call is given once it is whole."""
    calls: dict[int, dict[str, str]] = {}
    finished = False
    for line in response.iter_lines():
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            finished = True
            break
        choice = _choice(data)
        if choice is None:
            continue
        try:
            delta = choice.get("delta") or {}
            text = delta.get("content")
            for part in delta.get("tool_calls") or ():
                _collect(calls, part)
        except (ValueError, TypeError, AttributeError) as error:
            raise _nonsense(data) from error
        if text:
            yield TextDelta(str(text))
        finished = finished or bool(choice.get("finish_reason"))
    if not finished:
        raise ChatProtocolError("the reply broke off before its end; try again")
    yield from (ToolCall(c["id"] or f"call_{i}", c["name"], c["arguments"] or "{}") for i, c in sorted(calls.items()))


def _choice(data: str) -> dict[str, Any] | None:
    try:
        event = json.loads(data)
        if event.get("error"):
            raise ChatProtocolError(f"the endpoint reported {event['error']!r} in the middle of a reply")
        choices = event["choices"]
        return dict(choices[0]) if choices else None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise _nonsense(data) from error


def _nonsense(data: str) -> ChatProtocolError:
    return ChatProtocolError(f"the endpoint sent {data[:80]!r}, which is no chat completion chunk; is it OpenAI-compatible?")


def _collect(calls: dict[int, dict[str, str]], part: dict[str, Any]) -> None:
    at = part.get("index")
    call = calls.setdefault(len(calls) if at is None else int(at), {"id": "", "name": "", "arguments": ""})
    call["id"] = part.get("id") or call["id"]
    function = part.get("function") or {}
    call["name"] += function.get("name") or ""
    arguments = function.get("arguments") or ""
    call["arguments"] += arguments if isinstance(arguments, str) else json.dumps(arguments)


def _reason(response: httpx.Response) -> str:
    body = response.read()
    try:
        error = json.loads(body).get("error", {})
        return str(error.get("message") if isinstance(error, dict) else error)[:300]
    except (ValueError, AttributeError):
        return body[:200].decode(errors="replace").strip() or response.reason_phrase
