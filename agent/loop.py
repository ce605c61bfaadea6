"""One turn of conversation."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from engrain.agent.context import SYSTEM, Context, assemble
from engrain.agent.models.chat import ChatModel, TextDelta, ToolCall
from engrain.errors import EngrainError, InputError, ToolError
from engrain.memory import log
from engrain.memory.memory import Memory
from engrain.memory.recall import Recollection
from engrain.memory.schema import Session
from engrain.tools.memory import describe, memory_tools
from engrain.tools.protocol import Tool

MAX_ROUNDS = 6
"""Tool-calling rounds of one turn; then the model must speak."""


@dataclass(frozen=True)
class Recalled:
    """The framework looked into the memory."""

    recollection: Recollection


@dataclass(frozen=True)
class ToolUsed:
    """A tool was called."""

    call: ToolCall
    result: str
    failed: bool


@dataclass(frozen=True)
class Reply:
    """The end of a turn."""

    text: str
    session: str
    recollections: tuple[Recollection, ...]
    tools: tuple[ToolUsed, ...]
    context_tokens: int


Event = Recalled | ToolUsed | TextDelta | Reply


class Agent:
    """Talks, with a memory."""

    def __init__(self, chat: ChatModel, memory: Memory, tools: Sequence[Tool] = (), *, owner: str | None = None, system: str = SYSTEM) -> None:
        self.chat, self.memory, self.system = chat, memory, system
        self.owner = owner or memory.settings.owner
        self.settings = memory.settings
        own = memory_tools(memory, self.owner) if chat.calls_tools and self.settings.recall in ("tool", "both") else []
        self.tools = {t.name: t for t in [*own, *tools]} if chat.calls_tools else {}

    def run(self, text: str, session: str) -> Reply:
        """One turn: the user's text in, the reply out."""
        for event in self.stream(text, session):
            if isinstance(event, Reply):
                return event
        raise EngrainError("the turn ended without a reply")

    def stream(self, text: str, session: str) -> Iterator[Event]:
        """One turn, piece by piece, with a `Reply` at the end; the user's message is kept whatever happens after it."""
        if not text.strip():
            raise InputError("an empty message cannot be answered; say something")
        self._write(session, log.Said("user", text))
        recollections = yield from self._recall(text)
        used: list[ToolUsed] = []
        for round_ in range(MAX_ROUNDS + 1):
            context = self._context(session, recollections)
            said, calls = yield from self._query(context, offered=round_ < MAX_ROUNDS)
            if not calls:
                break
            self._write(session, log.Said("assistant", said, extra={"tool_calls": [vars(c) for c in calls]}))
            used += yield from self._use(session, calls)
        self._write(session, log.Said("assistant", said))
        yield Reply(said, session, tuple(recollections), tuple(used), context.tokens)

    def _recall(self, text: str) -> Generator[Recalled, None, list[Recollection]]:
        """Ask the memory before the model speaks, unless that is left to the model."""
        left_to_model = self.settings.recall == "tool" and self.chat.calls_tools
        if self.settings.recall == "off" or left_to_model:
            return []
        recollection = self.memory.recall(text, self.owner)
        yield Recalled(recollection)
        return [recollection] if recollection.known else []

    def _context(self, session: str, recollections: Sequence[Recollection]) -> Context:
        """System, recollections, summary and recent messages inside the budget; a longer summary is kept."""
        with self.memory.store.read() as db:
            row = log.require_session(db, self.owner, session)
            history = log.messages_of(db, self.owner, session, after=row.summarised_through)
        budget = self.settings.context_tokens - self.settings.reply_tokens - sum(self.chat.count(str(t.schema())) for t in self.tools.values())
        texts = [describe(r) for r in recollections]
        context = assemble(history, self.chat.count, budget, system=self.system, recollections=texts, summary=row.summary)
        if context.dropped:
            with self.memory.store.write() as db:
                kept = db.get(Session, (self.owner, session))
                if kept is not None and kept.summarised_through < context.dropped[-1]:
                    kept.summary, kept.summarised_through = context.summary, context.dropped[-1]
        return context

    def _query(self, context: Context, offered: bool) -> Generator[TextDelta, None, tuple[str, list[ToolCall]]]:
        """The model's text and its tool calls."""
        said, calls = "", []
        for delta in self.chat.stream(context.messages, list(self.tools.values()) if offered else [], self.settings.reply_tokens):
            if isinstance(delta, TextDelta):
                said += delta.text
                yield delta
            else:
                calls.append(delta)
        return said.strip(), calls if offered else []

    def _use(self, session: str, calls: Sequence[ToolCall]) -> Generator[ToolUsed, None, list[ToolUsed]]:
        """Call the tools; a failing tool is told to the model, which may try otherwise."""
        done = []
        for call in calls:
            tool = self.tools.get(call.name)
            try:
                if tool is None:
                    raise ToolError(f"there is no tool {call.name!r}; there are {', '.join(self.tools) or 'none'}")
                result, failed = tool.call(call.arguments), False
            except Exception as error:  # noqa: BLE001 - whatever a tool raises is the model's to deal with
                result, failed = f"{type(error).__name__}: {error}", True
            result = self._cut(result, len(calls))
            self._write(session, log.Said("tool", result, extra={"tool_call_id": call.id}))
            done.append(ToolUsed(call, result, failed))
            yield done[-1]
        return done

    def _cut(self, result: str, calls: int) -> str:
        """As much of a tool's result as leaves half of the context to the conversation, and the other results their part."""
        most, has = self.settings.context_tokens // (2 + 2 * calls), self.chat.count(result)
        return result if has <= most else f"{result[: len(result) * most // has]} … (cut off here; it has {has} tokens)"

    def _write(self, session: str, said: log.Said) -> None:
        with self.memory.store.write() as db:
            log.add_message(db, self.owner, session, said)
