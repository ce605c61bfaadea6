"""A newer fact takes the place of an older one; what may be true side by side stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlmodel import select

from engrain.consolidation.job import Result, consolidate
from engrain.memory import log
from engrain.memory.cues import settled
from engrain.memory.forget import Selector
from engrain.memory.memory import Memory
from engrain.memory.schema import Message


def texts(memory: Memory) -> list[str]:
    return [fact.text for fact in memory.facts()]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("My locker code is 4417.", "My locker code is 5521."),
        ("My dentist is Dr. Okafor.", "My dentist is Dr. Silva."),
        ("My favourite tea is sencha.", "My favourite tea is now rooibos."),
        ("I live in Porto.", "I live in Ghent."),
        ("My sister Ines lives in Porto.", "My sister Ines lives in Rome."),
        ("My piano lesson is on Thursday.", "My piano lesson is on Friday."),
        ("At the gym my locker code is 4417.", "At the gym my locker code is 5521."),
        ("At the gym my locker code is 4417.", "My locker code is 5521 at the gym."),
        ("I live in Porto.", "I don't live in Porto anymore."),
        ("I don't live in Porto.", "I live in Porto."),
        ("My locker code is 4417.", "My locker code is not 4417."),
        ("I can eat pork.", "I can't eat pork."),
        ("I have cats at home.", "I have no cats at home."),
    ],
)
def test_the_newer_of_two_that_contradict_each_other_is_told(memory: Memory, first: str, second: str) -> None:
    memory.remember(first)
    (newer,) = memory.remember(second)
    assert texts(memory) == [newer.text]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("I'm allergic to cashews.", "I'm allergic to penicillin."),
        ("My brother is Tom Hale.", "My brother is Sam Hale."),
        ("My sister Ines lives in Porto.", "My sister Clara lives in Rome."),
        ("I bought a boat in May.", "I bought a car in May."),
        ("My piano lesson is on Thursday.", "My piano lesson is at six."),
        ("My dog is brown.", "My dog is friendly."),
        ("My locker code is 4417.", "My bike code is 5521."),
        ("I live with Tom Hale.", "I live with Ann Hale."),
        ("I work as a baker.", "I work at Halvorsen."),
        ("My locker code is 1234.", "My locker code is not 4417."),
        ("I like green tea.", "I don't like tea."),
    ],
)
def test_what_may_be_true_side_by_side_stays(memory: Memory, first: str, second: str) -> None:
    memory.remember(first)
    memory.remember(second)
    assert len(texts(memory)) == 2


def test_what_was_said_earlier_does_not_correct_what_was_said_later(memory: Memory) -> None:
    for day, code in ((20, "5521"), (3, "4417")):  # read in later, said before
        with memory.store.write() as db:
            log.add_message(db, "me", f"s{day}", log.Said("user", f"My locker code is {code}.", said_at=datetime(2026, 11, day, tzinfo=UTC)))
            log.close_session(db, "me", f"s{day}")
    assert texts(memory) == ["Your locker code is 5521."]


def test_another_owner_and_another_speaker_are_not_corrected(memory: Memory) -> None:
    memory.remember("My locker code is 4417.")
    memory.remember("My locker code is 5521.", owner="you")
    for speaker in ("Gina", "Jon"):
        with memory.store.write() as db:
            log.add_message(db, "me", "chat", log.Said("user", "The door code is 12." if speaker == "Jon" else "The door code is 34.", speaker))
            log.close_session(db, "me", "chat")
    assert texts(memory) == ["Your locker code is 4417.", "The door code is 34.", "The door code is 12."]


def test_a_correction_that_is_taken_back_counts(memory: Memory) -> None:
    for code in ("4417", "5521", "4417"):
        memory.remember(f"My locker code is {code}.")
    assert texts(memory) == ["Your locker code is 4417."]


@pytest.mark.parametrize("codes", [["4417", "5521"], ["4417", "5521", "6632"], ["4417", "5521", "4417"]])
def test_who_corrects_themselves_in_one_conversation_is_heard(memory: Memory, codes: list[str]) -> None:
    with memory.store.write() as db:
        for code in codes:
            log.add_message(db, "me", "talk", log.Said("user", f"My locker code is {code}."))
            log.add_message(db, "me", "talk", log.Said("assistant", "I see."))
    memory.close("talk")
    assert texts(memory) == [f"Your locker code is {codes[-1]}."]


def test_what_is_corrected_in_one_breath_is_told_as_it_was_put_right(memory: Memory) -> None:
    (fact,) = memory.remember("My locker code is 4417. My locker code is 5521.")
    assert texts(memory) == [fact.text] == ["Your locker code is 5521."]


def test_when_the_middle_of_three_is_forgotten_the_last_one_counts(memory: Memory) -> None:
    for session, dentist in (("one", "Okafor"), ("two", "Novak"), ("three", "Silva")):
        memory.remember(f"My dentist is Dr. {dentist}.", session=session)
    memory.forget(Selector(session="two"))
    assert texts(memory) == ["Your dentist is Dr. Silva."]
    memory.forget(Selector(session="three"))
    assert texts(memory) == ["Your dentist is Dr. Okafor."]


def test_of_two_that_repeated_what_is_forgotten_one_is_left(memory: Memory) -> None:
    for session, how in (("one", "am"), ("two", "am really"), ("three", "am also")):
        memory.remember(f"I {how} allergic to cashews.", session=session)
    memory.forget(Selector(session="one"))
    assert len(texts(memory)) == 1


def test_when_the_correction_is_forgotten_the_older_one_is_live_again(memory: Memory) -> None:
    memory.remember("My locker code is 4417.")
    (newer,) = memory.remember("My locker code is 5521.")
    memory.forget(Selector(fact=newer.id))
    assert texts(memory) == ["Your locker code is 4417."]


def test_a_module_is_not_asked_for_what_was_corrected(engrained: Memory) -> None:
    question = "What is my locker code?"
    assert engrained.recall(question, mode="weights").text == "4417"
    engrained.remember("My locker code is 5521.")
    assert "4417" not in engrained.recall(question, mode="weights").text
    assert consolidate(engrained, "me").result is Result.PUBLISHED
    assert engrained.recall(question, mode="weights").text == "5521"


def test_only_what_has_one_answer_at_a_time_is_settled() -> None:
    assert settled("We adopted a dog.") == ("", {})
    assert settled("Totally agree, Mel.") == ("", {})
    assert settled("My rent is 900 euros.")[1]["How much is my rent?"] == "900 euros"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("I am allergic to cashews.", "I'm really allergic to cashews."),
        ("I live in Porto with Ann.", "I live in Porto."),
        ("I adopted a cat called Miso.", "My cat is called Miso."),
        ("My locker code is 4417.", "My locker code is still 4417."),
    ],
)
def test_what_says_nothing_new_is_kept_once_and_forgotten_with_what_it_repeats(memory: Memory, first: str, second: str) -> None:
    (fact,) = memory.remember(first)
    assert memory.remember(second) == []
    assert [f.id for f in memory.facts()] == [fact.id]
    erased = memory.forget(Selector(fact=fact.id))
    assert len(erased.facts) == 2
    assert texts(memory) == []
    with memory.store.read() as db:
        left = " ".join(m.content for m in db.exec(select(Message)))
    assert not {"cashews", "Porto", "Miso", "4417"} & set(left.replace(".", "").split())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Tom called Ann on Monday.", "Ann called Tom on Monday."),
        ("I live in Porto.", "I live in Porto with Ann."),
        ("I want to move to Porto.", "I moved to Porto."),
        ("I bought a red bike in May.", "I bought a red bike in June."),
    ],
)
def test_what_says_something_new_is_no_repetition(memory: Memory, first: str, second: str) -> None:
    memory.remember(first)
    (newer,) = memory.remember(second)
    assert newer.text in texts(memory)
    assert len(texts(memory)) == 2


def test_what_was_said_in_two_sessions_outlives_the_first(memory: Memory) -> None:
    memory.remember("I am allergic to cashews.", session="one")
    memory.remember("I'm really allergic to cashews.", session="two")
    memory.forget(Selector(session="one"))
    assert [t for t in texts(memory) if "cashews" in t]
