"""A turn of conversation, with a scripted chat model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engrain.agent.context import assemble
from engrain.agent.loop import MAX_ROUNDS, Agent, Recalled, Reply
from engrain.agent.models.chat import TextDelta, ToolCall
from engrain.agent.models.local import LocalChat
from engrain.agent.models.scripted import ScriptedChat
from engrain.errors import ChatError, InputError, ToolError
from engrain.memory import log
from engrain.memory.memory import Memory
from engrain.memory.schema import Message, Trust
from engrain.settings import Settings
from engrain.tools.memory import memory_tools
from engrain.tools.protocol import tool


def count(text: str) -> int:
    return len(text.split())


def history(*texts: str) -> list[Message]:
    return [
        Message(id=i, owner="me", session_id="s", role="user", speaker="user", content=t, trust=Trust.USER, extra={}) for i, t in enumerate(texts, 1)
    ]


@tool
def weather(city: str, days: int = 1) -> str:
    """The weather of a city.

    Args:
        city: Its name.
    """
    if city == "Atlantis":
        raise LookupError("it sank")
    return f"sun in {city} for {days} days"


def test_a_turn_is_written_down_and_streamed(memory: Memory) -> None:
    agent = Agent(ScriptedChat(["Hello there friend"]), memory)
    events = list(agent.stream("Hi", "s"))
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "Hello there friend"
    assert isinstance(events[-1], Reply)
    with memory.store.read() as db:
        assert [(m.role, m.content) for m in log.messages_of(db, "me", "s")] == [("user", "Hi"), ("assistant", "Hello there friend")]


def test_the_users_message_is_kept_when_the_model_fails(memory: Memory) -> None:
    agent = Agent(ScriptedChat([ChatError("down")]), memory)
    with pytest.raises(ChatError):
        agent.run("My bike is red.", "s")
    with memory.store.read() as db:
        assert [m.content for m in log.messages_of(db, "me", "s")] == ["My bike is red."]


def test_what_was_remembered_reaches_the_model(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told.base, "weigh", lambda _, __, answers: [-1.0] * len(answers))  # a random model finds nothing likely
    monkeypatch.setattr("engrain.memory.recall._PART", -1.0)
    chat = ScriptedChat(["Okafor."], calls_tools=False)
    events = list(Agent(chat, told).stream("Who is my dentist?", "new"))
    (recalled,) = [e for e in events if isinstance(e, Recalled)]
    assert recalled.recollection.evidence[0].text == "Your dentist is Dr. Okafor."
    assert "Dr. Okafor" in chat.requests[0][-1].content


def test_tools_are_called_and_their_results_told(memory: Memory) -> None:
    chat = ScriptedChat([ToolCall("1", "weather", '{"city": "Oslo", "days": "2"}'), "Sunny."])
    reply = Agent(chat, memory, [weather]).run("Weather in Oslo?", "s")
    assert reply.text == "Sunny."
    assert [(u.result, u.failed) for u in reply.tools] == [("sun in Oslo for 2 days", False)]
    assert chat.requests[1][-1].role == "tool"
    assert chat.requests[1][-1].tool_call_id == "1"
    assert chat.requests[1][-2].tool_calls[0].name == "weather"


def test_a_failing_tool_is_told_to_the_model(memory: Memory) -> None:
    lines = [ToolCall("1", "weather", '{"city": "Atlantis"}'), ToolCall("2", "nosuch", "{}"), ToolCall("3", "weather", "{"), "I could not."]
    reply = Agent(ScriptedChat(lines), memory, [weather]).run("Weather?", "s")
    assert all(u.failed for u in reply.tools)
    assert "it sank" in reply.tools[0].result
    assert "no tool 'nosuch'" in reply.tools[1].result
    assert reply.text == "I could not."


def test_a_model_that_never_stops_calling_is_made_to_speak(memory: Memory) -> None:
    calls = [ToolCall(str(i), "weather", '{"city": "Oslo"}') for i in range(MAX_ROUNDS + 1)]
    reply = Agent(ScriptedChat(calls), memory, [weather]).run("Weather?", "s")
    assert len(reply.tools) == MAX_ROUNDS


def test_the_model_remembers_recalls_and_forgets_by_tool(told: Memory, tiny_settings: Callable[..., Settings]) -> None:
    memory = Memory(tiny_settings(recall="tool"), base=told.base, embedder=told.embedder)
    lines = [
        ToolCall("1", "remember", '{"note": "My bike is red."}'),
        ToolCall("2", "forget", '{"about": "dentist Okafor"}'),
        ToolCall("3", "recall", '{"question": "Who is my dentist?"}'),
        "Done.",
    ]
    reply = Agent(ScriptedChat(lines), memory).run("Do it", "s")
    assert [u.failed for u in reply.tools] == [False] * 3
    assert reply.tools[0].result == "Remembered: Your bike is red."
    assert reply.tools[1].result == "Erased 1 facts."
    assert "Okafor" not in reply.tools[2].result
    assert reply.recollections == ()  # left to the model


def test_what_is_forgotten_by_tool_was_said_just_now_or_corrected_before(memory: Memory) -> None:
    forget = {t.name: t for t in memory_tools(memory, "me")}["forget"]
    with memory.store.write() as db:
        log.add_message(db, "me", "chat", log.Said("user", "My locker code is 4417."))
    assert forget.call('{"about": "locker code"}') == "Erased 1 facts."
    for code in (1234, 5521):
        memory.remember(f"My bike code is {code}.")
    assert forget.call('{"about": "bike code"}') == "Erased 2 facts."
    assert memory.facts() == []
    assert forget.call('{"about": "bike code"}') == "Nothing of that was remembered."


def test_a_conversation_never_has_a_call_without_its_result_nor_a_result_without_its_call() -> None:
    calls = [{"id": name, "name": "weather", "arguments": "{}"} for name in ("a", "b")]
    log_ = history("Weather?", "", "sun", "rain", "And now?")
    for message, role, extra in zip(
        log_[1:4], ("assistant", "tool", "tool"), ({"tool_calls": calls}, {"tool_call_id": "a"}, {"tool_call_id": "x"}), strict=True
    ):
        message.role, message.extra = role, extra
    shown = assemble(log_, count, 200).messages
    assert [(m.role, m.content, [c.id for c in m.tool_calls]) for m in shown[1:]] == [
        ("user", "Weather?", []), ("assistant", "", ["a"]), ("tool", "sun", []), ("user", "And now?", []),
    ]  # fmt: skip


def test_large_results_leave_room_for_the_question(memory: Memory, tiny_settings: Callable[..., Settings]) -> None:
    @tool
    def archive(box: str) -> str:
        """What is in a box.

        Args:
            box: Its name.
        """
        return f"{box}: " + "paper " * 5000

    small = Memory(tiny_settings(context_tokens=600, recall="off"), base=memory.base, embedder=memory.embedder)
    chat = ScriptedChat([[ToolCall(name, "archive", f'{{"box": "{name}"}}') for name in ("a", "b")], "Paper."])
    reply = Agent(chat, small, [archive]).run("What is in the boxes?", "s")
    assert reply.text == "Paper."
    shown = chat.requests[-1]
    assert [m.role for m in shown[-4:]] == ["user", "assistant", "tool", "tool"]
    assert all(
        m.content.startswith(f"{name}: paper") and "cut off here; it has 5001 tokens" in m.content for name, m in zip("ab", shown[-2:], strict=True)
    )


def test_results_without_room_for_their_calls_are_refused() -> None:
    messages = history("What is in the boxes?", "", "paper " * 80)
    messages[1].role, messages[1].extra = "assistant", {"tool_calls": [{"id": "a", "name": "archive", "arguments": "box " * 40}]}
    messages[2].role, messages[2].extra = "tool", {"tool_call_id": "a"}
    with pytest.raises(InputError, match="does not fit beside their calls"):
        assemble(messages, count, 120, system="Be brief.")


def test_a_tool_needs_types_and_a_docstring() -> None:
    def untyped(x) -> str:  # type: ignore[no-untyped-def]
        """Something."""
        return ""

    def silent(x: int) -> str:
        return ""

    for function in (untyped, silent):
        with pytest.raises(ToolError, match=function.__name__):
            tool(function)
    assert weather.schema()["function"]["parameters"]["properties"]["city"]["description"] == "Its name."
    with pytest.raises(ToolError, match="country"):
        weather.call({"city": "Oslo", "country": "Norway"})


def test_the_context_stays_inside_its_budget_and_the_summary_speaks_for_the_rest() -> None:
    old = ["My bike is red and stands in the shed behind the house.", "I went to Oslo."]
    messages = history(*old, *("What would you say to that, then?" for _ in range(10)), "What now?")
    context = assemble(messages, count, 100, system="Be brief.")
    assert context.tokens <= 100
    assert context.messages[0].role == "system"
    assert context.messages[-1].content == "What now?"
    assert context.dropped
    assert context.dropped == tuple(range(1, len(context.dropped) + 1))
    assert "Your bike is red" in context.messages[0].content or "You went to Oslo" in context.messages[0].content


def test_recollections_stand_beside_the_newest_question_and_count() -> None:
    said = history("Hello.", "Which bike is mine?")
    context = assemble(said, count, 100, system="Be brief.", recollections=["Your bike is red."])
    assert [("Your bike is red." in m.content) for m in context.messages] == [False, False, True]
    assert context.messages[-1].content.endswith("Which bike is mine?")
    assert context.tokens > assemble(said, count, 100, system="Be brief.").tokens


def test_a_long_recollection_gives_way_to_the_message() -> None:
    said = history("Hello.", "Which bike is mine?")
    context = assemble(said, count, 60, system="Be brief.", recollections=["Your bike is red.", "word " * 200])
    assert context.messages[-1].content.endswith("Which bike is mine?")
    assert "Your bike is red." in context.messages[-1].content
    assert "word" not in context.messages[-1].content
    assert context.tokens <= 60


def test_a_message_larger_than_the_budget_is_refused() -> None:
    with pytest.raises(InputError, match="shorten it"):
        assemble(history("word " * 200), count, 100)


def test_a_long_session_keeps_its_summary(memory: Memory, tiny_settings: Callable[..., Settings]) -> None:
    small = Memory(tiny_settings(context_tokens=256, recall="off"), base=memory.base, embedder=memory.embedder)
    chat = ScriptedChat(["ok " * 30] * 12)
    agent = Agent(chat, small)
    agent.run("My bike is red.", "s")
    for i in range(11):
        agent.run("What else is there to talk about " + "then " * 20 + f"{i}?", "s")
    with small.store.read() as db:
        session = log.require_session(db, "me", "s")
    assert "bike is red" in session.summary
    assert "bike is red" in chat.requests[-1][0].content


def test_an_empty_message_is_refused(memory: Memory) -> None:
    with pytest.raises(InputError, match="empty message"):
        Agent(ScriptedChat(["x"]), memory).run(" ", "s")


def test_the_local_model_streams_what_it_generates(memory: Memory) -> None:
    chat = LocalChat(memory.base)
    reply = Agent(chat, memory).run("Hello", "s")
    assert reply.context_tokens > 0
    again = Agent(LocalChat(memory.base), memory).run("Hello", "s2")
    assert reply.text == again.text  # greedy
    assert chat.count("my dog") == memory.base.count("my dog")
