"""What the chat model gets to see: system, recollections, a running summary, recent messages; inside a token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engrain.agent.models.chat import ChatMessage, ToolCall
from engrain.errors import InputError
from engrain.memory.schema import Message, Trust, day_of
from engrain.memory.statements import statements

SYSTEM = "You are a helpful assistant with a long-term memory. Answer briefly."
_PER_MESSAGE = 8
"""Tokens a chat template adds to a message, at most."""
_SUMMARY_SHARE = 0.2
"""Share of the budget that the running summary may take."""


@dataclass(frozen=True)
class Context:
    """The assembled context of one turn."""

    messages: tuple[ChatMessage, ...]
    tokens: int
    """By the chat model's own count, template included."""
    dropped: tuple[int, ...]
    """Ids of the messages that no longer fit; the summary speaks for them."""
    summary: str


def assemble(
    history: Sequence[Message],
    count: Callable[[str], int],
    budget: int,
    *,
    system: str = SYSTEM,
    recollections: Sequence[str] = (),
    summary: str = "",
) -> Context:
    """Fill the budget from the newest message backwards; what falls out is added to the running summary.

    The newest message always stays. Raises InputError when even it does not fit.
    """
    cost = [count(m.content) + count(str(m.extra.get("tool_calls", ""))) + _PER_MESSAGE for m in history]
    room = budget - count(system) - _PER_MESSAGE
    while recollections and history and count(_notes(recollections)) + cost[-1] > room:
        recollections = recollections[:-1]  # the newest message goes before what is remembered
    notes = _notes(recollections)
    room -= count(notes)
    if history and cost[-1] > room:
        raise InputError(f"the message has {cost[-1]} tokens, {max(0, room)} of {budget} are free; shorten it or raise ENGRAIN_CONTEXT_TOKENS")
    start = _fitting(history, cost, room)
    if start:
        allowance = int(budget * _SUMMARY_SHARE)
        start = _fitting(history, cost, room - allowance) if cost and cost[-1] + allowance <= room else start
        left = room - sum(cost[start:])
        summary = _shortened(_extended(summary, history[:start]), count, min(allowance, left))
    else:
        summary = _shortened(summary, count, min(int(budget * _SUMMARY_SHARE), room - sum(cost)))
    text = system if not summary else f"{system}\n\nEarlier in this conversation: {summary}"
    shown = _paired([_as_chat(m) for m in history[start:]])
    if history and history[-1].role == "tool" and (not shown or shown[-1].role != "tool"):
        raise InputError(f"what the tools returned does not fit beside their calls into {room} tokens; raise ENGRAIN_CONTEXT_TOKENS")
    messages = (ChatMessage("system", text), *_noted(shown, notes))
    tokens = count(text) + count(notes) + _PER_MESSAGE + sum(cost[start:])
    return Context(messages, tokens, tuple(m.id for m in history[:start] if m.id is not None), summary)


def _notes(recollections: Sequence[str]) -> str:
    return f"Use this note from your memory: {' '.join(recollections)}\n\n" if recollections else ""


def _noted(messages: list[ChatMessage], notes: str) -> list[ChatMessage]:
    """Recollections go right before the user's newest words: a small model overlooks them in the system message."""
    for at in range(len(messages) - 1, -1, -1):
        if messages[at].role == "user":
            return [*messages[:at], replace(messages[at], content=notes + messages[at].content), *messages[at + 1 :]]
    return messages


def _fitting(history: Sequence[Message], cost: Sequence[int], room: int) -> int:
    """Index of the first message that fits; a reply to a tool call never loses its call."""
    start, used = len(history), 0
    while start and used + cost[start - 1] <= room:
        start -= 1
        used += cost[start]
    start = min(start, max(0, len(history) - 1))
    while start < len(history) - 1 and history[start].role == "tool":
        start += 1
    return start


def _extended(summary: str, dropped: Sequence[Message]) -> str:
    """The summary with what people stated in the messages that fell out, verbatim: nothing is invented."""
    known = summary
    for message in dropped:
        if message.trust is Trust.USER:
            for s in statements(message.content, message.speaker, day_of(message.said_at), message.listener):
                if s.text not in known:
                    known = f"{known} {s.text}".strip()
    return known


def _shortened(summary: str, count: Callable[[str], int], room: int) -> str:
    """The newest sentences of a summary that fit."""
    sentences = summary.split(". ")
    while sentences and count("Earlier in this conversation: " + ". ".join(sentences)) + 4 > room:
        sentences = sentences[1:]
    return ". ".join(sentences)


def _paired(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Without calls that nothing came of, and results whose call is not there: endpoints refuse a conversation that has either."""
    came = {m.tool_call_id for m in messages if m.role == "tool"}
    called: set[str] = set()
    out = []
    for message in messages:
        if message.role == "tool" and message.tool_call_id not in called:
            continue
        calls = tuple(call for call in message.tool_calls if call.id in came)
        called |= {call.id for call in calls}
        if calls or message.content or not message.tool_calls:
            out.append(replace(message, tool_calls=calls))
    return out


def _as_chat(message: Message) -> ChatMessage:
    calls = tuple(ToolCall(**call) for call in message.extra.get("tool_calls", ()))
    return ChatMessage(message.role, message.content, calls, message.extra.get("tool_call_id", ""))
