"""A chat model that says what it is told: for tests of everything above it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engrain.agent.models.chat import ChatMessage, Delta, TextDelta, ToolCall
from engrain.errors import ChatError
from engrain.tools.protocol import Tool

Line = str | ToolCall | Sequence[ToolCall] | ChatError


class ScriptedChat:
    """Gives its lines in order: a text, tool calls, or an error to raise.

    `requests` keeps what it was asked, so that a test can look at the prompt itself.
    """

    def __init__(self, lines: Sequence[Line], calls_tools: bool = True, name: str = "scripted") -> None:
        self.name = name
        self.calls_tools = calls_tools
        self.requests: list[tuple[ChatMessage, ...]] = []
        self._lines = iter(lines)

    def count(self, text: str) -> int:
        """One token a word."""
        return len(text.split())

    def stream(self, messages: Sequence[ChatMessage], tools: Sequence[Tool], max_tokens: int) -> Iterator[Delta]:
        """The next line, word by word."""
        self.requests.append(tuple(messages))
        line = next(self._lines, None)
        if line is None:
            raise ChatError("the script has no line left; give the scripted model as many as it is asked for")
        if isinstance(line, ChatError):
            raise line
        if isinstance(line, str):
            yield from (TextDelta(piece) for piece in line.replace(" ", " \0").split("\0"))
        elif isinstance(line, ToolCall):
            yield line
        else:
            yield from line
