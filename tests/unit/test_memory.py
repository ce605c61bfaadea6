"""Remember, recall by text, forget."""

from __future__ import annotations

import pytest

from engrain.errors import InputError, NotFoundError
from engrain.memory import log
from engrain.memory.forget import ERASED, Selector
from engrain.memory.memory import Memory
from engrain.memory.schema import FactState


def test_what_was_remembered_is_found_at_once(told: Memory) -> None:
    found = told.search.find("Who is my dentist?", "me")
    assert found[0].fact.text == "Your dentist is Dr. Okafor."
    assert found[0].session_id == "notes"


def test_what_stands_in_an_open_span_is_found_too(memory: Memory) -> None:
    with memory.store.write() as db:
        log.add_message(db, "me", "s", log.Said("user", "My bike is red."))
        log.add_message(db, "me", "s", log.Said("assistant", "My bike is blue."))
    found = memory.search.find("What colour is my bike?", "me")
    assert [f.fact.text for f in found] == ["Your bike is red."]
    assert found[0].fact.id is None


def test_what_models_and_tools_say_never_becomes_a_fact(memory: Memory) -> None:
    with memory.store.write() as db:
        for role in ("assistant", "tool", "system"):
            log.add_message(db, "me", "s", log.Said(role, "My bike is blue."))
    memory.close("s")
    assert memory.facts() == []


def test_the_same_thing_said_twice_is_one_fact(told: Memory) -> None:
    before = len(told.facts())
    assert told.remember("my dentist is Dr. Okafor") == []
    assert len(told.facts()) == before


def test_owners_are_apart(told: Memory) -> None:
    assert told.search.find("Who is my dentist?", "eve") == []
    assert told.recall("Who is my dentist?", "eve").known is False
    with pytest.raises(NotFoundError):
        told.forget(Selector(fact=told.facts()[0].id), "eve")


def test_forgetting_a_fact_erases_it_everywhere(told: Memory) -> None:
    with told.store.write() as db:
        log.add_message(db, "me", "chat", log.Said("assistant", "Right: my dentist is Dr. Okafor, you said."))
    fact = next(f for f in told.facts() if "Okafor" in f.text)
    done = told.forget(Selector(fact=fact.id))
    assert done.facts == (fact.id,)
    assert "Okafor" not in " ".join(f.text for f in told.facts())
    with told.store.read() as db:
        contents = [m.content for s in log.sessions_of(db, "me") for m in log.messages_of(db, "me", s.id)]
    assert not [c for c in contents if "Okafor" in c]
    assert any(ERASED in c for c in contents)
    assert told.remember("My dentist is Dr. Okafor.") == []  # its tombstone keeps it from being learnt again


def test_forgetting_a_session_leaves_the_others(told: Memory) -> None:
    told.remember("My bike is red.", session="other")
    told.forget(Selector(session="notes"))
    assert [f.text for f in told.facts()] == ["Your bike is red."]


def test_forgetting_needs_exactly_one_thing_that_exists(told: Memory) -> None:
    with pytest.raises(InputError, match="0 things"):
        told.forget(Selector())
    with pytest.raises(InputError, match="2 things"):
        told.forget(Selector(fact=1, everything=True))
    with pytest.raises(NotFoundError, match="no fact 999"):
        told.forget(Selector(fact=999))
    assert len(told.facts(state=FactState.FRESH)) == 4


def test_an_empty_question_or_note_is_refused(memory: Memory) -> None:
    with pytest.raises(InputError, match="empty question"):
        memory.recall("  ")
    with pytest.raises(InputError, match="empty note"):
        memory.remember("")
    with pytest.raises(InputError, match="mode 'dreams'"):
        memory.recall("x", mode="dreams")  # type: ignore[arg-type]


def test_a_note_of_several_statements_is_not_kept_as_one_more_when_it_is_said_again(memory: Memory) -> None:
    assert len(memory.remember("I live in Porto. My locker code is 4417.")) == 2
    assert memory.remember("I live in Porto. My locker code is 4417.") == []
    assert len(memory.facts()) == 2


def test_what_was_forgotten_is_not_learnt_from_a_note_around_it(memory: Memory) -> None:
    (code,) = memory.remember("My locker code is 4417.")
    memory.forget(Selector(fact=code.id))
    assert memory.remember("By the way, my locker code is 4417.") == []
    assert memory.facts() == []


def test_a_note_without_a_statement_is_kept_as_it_is_once(memory: Memory) -> None:
    (note,) = memory.remember("Milk, eggs and butter")
    assert memory.remember("milk, eggs and butter!") == []
    assert [f.text for f in memory.facts()] == [note.text]
    memory.forget(Selector(fact=note.id))
    assert memory.remember("Milk, eggs and butter") == []


def test_what_is_no_text_is_not_remembered(memory: Memory) -> None:
    with pytest.raises(InputError, match="is no text"):
        memory.remember("My code is \udcff 12")
