"""An OpenAI-compatible endpoint for tests: a real HTTP server that says, and misbehaves, as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from engrain.agent.models.openai import OpenAIChat
from engrain.endpoint import Endpoint


class Server:
    """Answers each request with the next of its scripts."""

    def __init__(self) -> None:
        self.scripts: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                outer.headers.append(dict(self.headers))
                outer.scripts.pop(0)(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    def endpoint(self, **more: Any) -> Endpoint:
        return Endpoint("m", self.url, "key", **{"timeout": 1.0, "backoff": 0.01, **more})

    def chat(self, **more: Any) -> OpenAIChat:
        return OpenAIChat(self.endpoint(**more))


def sse(*events: object, done: bool = True) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.end_headers()
        for event in [*events, *(["[DONE]"] if done else [])]:
            handler.wfile.write(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())

    return answer


def status(code: int, message: str = "no", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(json.dumps({"error": {"message": message}}).encode())

    return answer


def text(piece: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": piece}}]}


def completion(content: str, tokens: int | None = 100) -> Callable[[BaseHTTPRequestHandler], None]:
    """A whole reply, not streamed."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        usage = {} if tokens is None else {"usage": {"total_tokens": tokens}}
        raw(json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}], **usage}))(handler)

    return answer


def raw(body: str, declared: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    """Any body with status 200; with more bytes `declared` than sent, the connection breaks in the middle."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(declared or len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())
        handler.close_connection = True

    return answer
