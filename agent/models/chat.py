"""What the agent needs of a chat model, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from engrain.tools.protocol import Tool


@dataclass(frozen=True)
class ToolCall:
    """A model's wish to call a tool."""

    id: str
    name: str
    arguments: str
    """JSON."""


@dataclass(frozen=True)
class ChatMessage:
    """A message as a chat model sees it."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    """What an assistant message asked for."""
    tool_call_id: str = ""
    """Which call a tool message answers."""


@dataclass(frozen=True)
class TextDelta:
    """A piece of the reply's text."""

    text: str


Delta = TextDelta | ToolCall


@runtime_checkable
class ChatModel(Protocol):
    """A model that talks."""

    @property
    def name(self) -> str:
        """What it is called, for people."""
        ...

    @property
    def calls_tools(self) -> bool:
        """Whether it can decide to call tools; where not, the framework recalls for it."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a text; never waits for a download."""
        ...

    def stream(self, messages: Sequence[ChatMessage], tools: Sequence[Tool], max_tokens: int) -> Iterator[Delta]:
        """The reply, piece by piece. Raises ChatError."""
        ...
