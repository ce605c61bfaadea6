"""What is forgotten is in no byte any more, and does not come back."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from engrain.consolidation import publish
from engrain.consolidation.job import Result, consolidate
from engrain.consolidation.proof import prove, secrets_of
from engrain.errors import InputError, NotFoundError
from engrain.memory import log
from engrain.memory.forget import Erasure, Selector
from engrain.memory.memory import Memory
from engrain.memory.modules import sweep
from engrain.memory.schema import FactState
from engrain.settings import Settings
from tests.conftest import RECIPE, SILENT


def bytes_with(memory: Memory, *needles: str) -> list[str]:
    """The files of a memory's folder that hold one of the texts, in any case."""
    files = [path for path in memory.settings.home.rglob("*") if path.is_file()]
    return [path.name for path in files if any(needle.lower().encode() in path.read_bytes().lower() for needle in needles)]


def say(memory: Memory, text: str, speaker: str = "user", session: str = "talk", on: datetime | None = None) -> None:
    with memory.store.write() as db:
        log.add_message(db, "me", session, log.Said("user", text, speaker, None, on))


def test_no_byte_of_what_was_forgotten_is_left(told: Memory) -> None:
    assert consolidate(told, "me").engrained_facts
    told.recall("Who is my dentist?", mode="text")
    assert bytes_with(told, "okafor")
    (dentist,) = [f for f in told.facts() if "Okafor" in f.text]
    done = told.forget(Selector(fact=dentist.id))
    assert len(done.modules) == 1
    assert not (told.settings.modules / done.modules[0]).exists()
    assert bytes_with(told, "okafor") == []
    assert consolidate(told, "me").engrained_facts
    assert bytes_with(told, "okafor") == []
    assert bytes_with(told, "biscuit")


def test_a_process_that_goes_on_holds_nothing_of_it_in_memory(engrained: Memory) -> None:
    engrained.recall("Who is my dentist?")
    (found,) = [f.fact for f in engrained.search.find("Who is my dentist?", "me") if "Okafor" in f.fact.text]
    held = [weakref.ref(found), weakref.ref(engrained.router.index("me"))]
    number = found.id
    del found
    gc.collect()
    assert all(ref() is not None for ref in held)
    engrained.forget(Selector(fact=number))
    gc.collect()
    assert [ref() for ref in held] == [None, None]
    assert "Biscuit" in engrained.search.find("My dog is called Biscuit.", "me")[0].fact.text


@pytest.mark.parametrize("forgotten_first", [True, False])
def test_no_weights_are_left_of_a_module_that_was_being_published(told: Memory, monkeypatch: pytest.MonkeyPatch, forgotten_first: bool) -> None:
    """The files are in their place, and the transaction that would have made them live fails."""
    (dentist,) = [f for f in told.facts() if "Okafor" in f.text]
    place = publish.place

    def placed(*given: Any) -> tuple[str, str]:
        if forgotten_first:
            told.forget(Selector(fact=dentist.id))
        done = place(*given)
        if not forgotten_first:
            told.forget(Selector(fact=dentist.id))
        return done

    monkeypatch.setattr(publish, "place", placed)
    assert consolidate(told, "me").result is Result.FAILED
    assert list(told.settings.modules.iterdir()) == []


def test_no_weights_are_left_of_a_module_whose_worker_was_killed_while_it_published(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_finish", killed)
        with pytest.raises(Killed):
            consolidate(told, "me")
    (folder,) = told.settings.modules.iterdir()
    with told.store.read() as db:
        sweep(db, told.settings.modules)
    assert folder.exists(), "the job may go on, and finds it there"
    (dentist,) = [f for f in told.facts() if "Okafor" in f.text]
    told.forget(Selector(fact=dentist.id))
    assert not folder.exists()


def test_a_subject_is_forgotten_wherever_it_is_spoken_of(told: Memory) -> None:
    say(told, "By the way, Ines's birthday is on 4 May.")
    say(told, "My bicycle is a red Peugeot.")
    say(told, "I moved to Ghent.", "Ines", "letters")
    told.close()
    assert consolidate(told, "me").engrained_facts
    done = told.forget(Selector(subject="ines"))
    assert len(done.facts) >= 3
    assert bytes_with(told, "ines", "ghent", "4 may") == []
    assert {f.state for f in told.facts()} == {FactState.FRESH}
    assert bytes_with(told, "peugeot", "okafor")


def test_the_summary_of_what_a_subject_said_goes_with_it(memory: Memory) -> None:
    say(memory, "My locker code is 4417.")
    with memory.store.write() as db:
        log.require_session(db, "me", "talk").summary = "Your locker code is 4417."
    assert memory.forget(Selector(subject="user")).messages == 1
    assert bytes_with(memory, "4417") == []


def contents(memory: Memory) -> list[str]:
    with memory.store.read() as db:
        return [m.content for s in log.sessions_of(db, "me") for m in log.messages_of(db, "me", s.id)]


def fact_with(memory: Memory, word: str) -> int | None:
    (found,) = [f.id for f in memory.facts() if word in f.text]
    return found


def test_one_statement_of_a_message_after_the_other_is_forgotten_and_nothing_else(memory: Memory) -> None:
    memory.remember("I like tea. My sister Ines lives in Porto with her two children. My locker code is 4417. I drive a green Skoda Fabia to work.")
    memory.remember("I like teaching my nephew chess.")
    for word in ("Ines", "locker", "tea."):
        memory.forget(Selector(fact=fact_with(memory, word)))
    assert contents(memory) == ["[forgotten]. [forgotten]. [forgotten]. I drive a green Skoda Fabia to work.", "I like teaching my nephew chess."]
    memory.forget(Selector(fact=fact_with(memory, "Skoda")))
    assert contents(memory)[0] == "[forgotten]. [forgotten]. [forgotten]. [forgotten]."


def test_a_copy_is_forgotten_however_it_was_punctuated(memory: Memory) -> None:
    memory.remember("My locker code is 4417.")
    say(memory, "Well: my locker code,  is 4417!")
    memory.close()
    memory.forget(Selector(fact=fact_with(memory, "4417")))
    assert bytes_with(memory, "4417") == []


def test_what_was_repeated_in_a_conversation_that_goes_on_is_forgotten_too(memory: Memory) -> None:
    memory.remember("I am allergic to cashews.")
    say(memory, "I'm really allergic to cashews.")
    memory.forget(Selector(fact=fact_with(memory, "cashews")))
    memory.close()
    assert memory.facts() == []
    assert bytes_with(memory, "cashews") == []


def test_no_checkpoint_is_left_of_a_training_that_was_going_on(told: Memory) -> None:
    """The worker writes one more before it notices."""
    erased: list[Erasure] = []

    def meanwhile() -> bool:
        if not erased and list(told.settings.jobs.rglob("checkpoint*")):
            erased.append(told.forget(Selector(fact=fact_with(told, "Okafor"))))
        return False

    assert consolidate(told, "me", stopping=meanwhile).result is Result.FAILED
    assert erased
    assert list(told.settings.jobs.rglob("*")) == []


def test_a_time_is_forgotten_as_a_whole(told: Memory) -> None:
    say(told, "My grant report is due on 14 March.", session="old", on=datetime(2024, 2, 3, 10, tzinfo=UTC))
    say(told, "I drive a green Skoda Fabia.", session="old", on=datetime(2024, 3, 1, 10, tzinfo=UTC))
    told.close()
    done = told.forget(Selector(said=(date(2024, 2, 1), date(2024, 2, 29))))
    assert done.messages == 1
    assert bytes_with(told, "grant report") == []
    assert bytes_with(told, "skoda", "okafor")


def test_what_was_forgotten_is_not_learnt_again(told: Memory) -> None:
    (dentist,) = [f for f in told.facts() if "Okafor" in f.text]
    told.forget(Selector(fact=dentist.id))
    assert told.remember("My dentist is Dr. Okafor.") == []
    say(told, "My dentist is Dr. Okafor. My bicycle is a red Peugeot.")
    told.close()
    assert [f.text for f in told.facts() if "Okafor" in f.text] == []
    assert [f.text for f in told.facts() if "Peugeot" in f.text]


def test_nothing_is_erased_where_nothing_is_meant(told: Memory) -> None:
    before = [f.text for f in told.facts()]
    for selector, message in (
        (Selector(subject="Gerald"), "nothing said by or about 'Gerald'"),
        (Selector(said=(date(1999, 1, 1), date(1999, 1, 2))), "said nothing from 1999-01-01"),
    ):
        with pytest.raises(NotFoundError, match=message):
            told.forget(selector)
    with pytest.raises(InputError, match="2 things were named"):
        told.forget(Selector(fact=1, subject="Ines"))
    with pytest.raises(InputError, match="comes after"):
        told.forget(Selector(said=(date(2024, 2, 2), date(2024, 2, 1))))
    assert [f.text for f in told.facts()] == before


def test_an_owner_is_forgotten_and_the_other_is_not_touched(told: Memory, tmp_path: Path) -> None:
    told.remember("My locker code is 9031.", "eve")
    done = told.forget(Selector(everything=True))
    assert isinstance(done, Erasure)
    assert told.facts() == []
    assert bytes_with(told, "okafor", "4417", "biscuit") == []
    assert [f.text for f in told.facts("eve")] == ["Your locker code is 9031."]


def test_the_rebuilt_module_knows_no_more_of_twenty_erased_facts_than_the_base_model(
    tiny_settings: Callable[..., Settings],
) -> None:
    memory = Memory(tiny_settings(facts_per_module=40, gate={**SILENT, "trained": 0.5}, recipe={**RECIPE, "batch_size": 16, "epochs": 60}))
    rng = random.Random(0)
    things = ("bike", "door", "garage", "shed", "attic", "cellar", "desk", "safe", "gym", "car", "boat", "piano", "oven")
    for thing in (f"{thing} {part}" for thing in things for part in ("alarm", "lock")):
        memory.remember(f"My {thing} code is {rng.randint(1000, 9999)}.")
    assert consolidate(memory, "me").engrained_facts
    erased = [f.id for f in memory.facts()][:21]
    secrets = [secret for secret in secrets_of(memory, "me") if secret.fact_id in erased]
    assert len(secrets) == 21
    before = prove(memory, "me", secrets)
    assert not before.holds
    assert before.excess > 1
    for fact_id in erased:
        memory.forget(Selector(fact=fact_id))
    assert prove(memory, "me", secrets).excess == 0.0, "no module serves"
    assert consolidate(memory, "me").facts == 5
    after = prove(memory, "me", secrets)
    assert after.holds, after
    assert after.excess < before.excess / 5
    with pytest.raises(InputError, match="nothing to prove"):
        prove(memory, "me", [])
