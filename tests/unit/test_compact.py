"""Small modules become one, trained from what is still true; what serves meanwhile is not touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from engrain.consolidation import job as stages
from engrain.consolidation.compact import compact, due, shape
from engrain.consolidation.job import Result, consolidate
from engrain.consolidation.plan import tokens_of
from engrain.memory.forget import Selector
from engrain.memory.memory import Memory
from engrain.memory.schema import FactState, Job, ModuleState
from engrain.settings import Settings
from tests.conftest import GATE, copy_of, tiny

NOTES = ("My dog is called Biscuit.", "My locker code is 4417.", "My dentist is Dr. Okafor.")
ASKED = {"What is my dog called?": "Biscuit", "What is my locker code?": "4417", "Who is my dentist?": "Okafor"}


@pytest.fixture(scope="module")
def three(tiny_folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """A memory with three modules of one fact each."""
    memory = Memory(tiny(tiny_folders, tmp_path_factory.mktemp("three")))
    for note in NOTES:
        memory.remember(note)
        assert consolidate(memory, "me").engrained_facts
    return memory


@pytest.fixture
def layered(three: Memory, tiny_settings: Callable[..., Settings]) -> Memory:
    """A copy of it, where two modules may stand on a level."""
    return copy_of(three, tiny_settings(fan_in=2))


def known(memory: Memory) -> dict[str, bool]:
    return {q: a in memory.recall(q, mode="weights").text for q, a in ASKED.items()}


def test_modules_of_one_level_become_one_that_knows_what_they_knew(layered: Memory) -> None:
    before = {m.id for m in layered.modules(None, ModuleState.LIVE)}
    assert all(known(layered).values())
    done = compact(layered, "me")
    assert done.result is Result.PUBLISHED
    (one,) = layered.modules(None, ModuleState.LIVE)
    assert (one.level, one.id in before) == (1, False)
    assert all(known(layered).values())
    assert layered.recall("Who is my dentist?", mode="weights").modules == (one.id,)
    assert compact(layered, "me").result is Result.NOTHING
    assert [f.name for f in layered.settings.modules.iterdir()] == [one.id]
    found = shape(layered.store, "me")
    assert (found.modules, found.read_fan_in, found.rewrites) == ({1: 1}, 1, 2.0)
    assert found.write_amplification
    assert found.write_amplification > 1
    with layered.store.read() as db:
        trainings = [job.result["training"] for job in db.exec(select(Job)) if "training" in job.result]
    epochs = sum(t["tokens_per_epoch"] * t["epochs"] for t in trainings)
    assert found.write_amplification < round(epochs / sum(map(tokens_of, layered.facts())), 1), "what rested was not written"


def test_what_was_corrected_is_left_out(layered: Memory) -> None:
    layered.remember("My locker code is 5521.")
    found = due(layered.store, "me", layered.base.sha256, layered.settings)
    assert found
    assert (len(found.modules), len(found.facts), found.dropped) == (3, 2, 1)
    assert compact(layered, "me").facts == 2
    newer = next(f for f in layered.facts() if "5521" in f.text)
    layered.forget(Selector(fact=newer.id))
    assert [f.text for f in layered.facts(state=FactState.FRESH)] == ["Your locker code is 4417."], "it is live again, and in no module"


def test_forgetting_removes_what_a_compaction_left_on_the_disk(layered: Memory) -> None:
    before = layered.modules(None, ModuleState.LIVE)
    assert compact(layered, "me").engrained_facts
    for module in before:  # as if it had been killed before it could tidy up
        (layered.settings.modules / module.id).mkdir()
    layered.forget(Selector(fact=layered.facts()[0].id))
    assert list(layered.settings.modules.iterdir()) == []


def test_few_or_full_modules_stay_as_they_are(layered: Memory) -> None:
    layered.settings = layered.settings.model_copy(update={"fan_in": 3})
    assert due(layered.store, "me", layered.base.sha256, layered.settings) is None
    layered.settings = layered.settings.model_copy(update={"fan_in": 2})
    layered.settings = layered.settings.model_copy(update={"module_tokens": 8})
    assert due(layered.store, "me", layered.base.sha256, layered.settings) is None


def test_a_refused_compaction_changes_nothing_and_is_not_tried_again(layered: Memory) -> None:
    before = {m.id for m in layered.modules(None, ModuleState.LIVE)}
    layered.settings = layered.settings.model_copy(update={"gate": {**GATE, "trained": 1.01}})
    assert compact(layered, "me").result is Result.REJECTED
    assert {m.id for m in layered.modules(None, ModuleState.LIVE)} == before
    assert all(known(layered).values())
    assert [f.rejections for f in layered.facts()] == [0, 0, 0]
    assert compact(layered, "me").result is Result.NOTHING


def test_forgetting_behind_a_refused_compaction_leaves_the_facts_of_other_modules_where_they_are(layered: Memory) -> None:
    with_refused = layered.settings
    layered.settings = layered.settings.model_copy(update={"gate": {**GATE, "trained": 1.01}})
    assert compact(layered, "me").result is Result.REJECTED
    layered.settings = with_refused
    dentist = next(f for f in layered.facts() if "Okafor" in f.text)
    assert layered.forget(Selector(fact=dentist.id)).to_rebuild == 0
    assert [f.text for f in layered.facts(state=FactState.FRESH)] == []
    layered.remember("My bicycle is a red Peugeot.")
    assert consolidate(layered, "me").facts == 1
    found = due(layered.store, "me", layered.base.sha256, layered.settings)
    assert found
    assert (len(set(found.facts)), len(found.facts), found.dropped) == (3, 3, 0)


@pytest.mark.parametrize("stage", ["train", "judge", "publish"])
def test_a_death_in_the_middle_changes_nothing_that_is_served(layered: Memory, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    before = {m.id for m in layered.modules(None, ModuleState.LIVE)}

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stages, stage, die)
        with pytest.raises(KeyboardInterrupt):
            compact(layered, "me")
    assert {m.id for m in layered.modules(None, ModuleState.LIVE)} == before
    assert all(known(layered).values())
    layered.store.engine.dispose()
    with layered.store.write() as db:
        from engrain.consolidation.jobs import active_job

        running = active_job(layered.store, "me")
        assert running
        running.lease_until = None  # its worker is dead
        db.merge(running)
    assert compact(layered, "me").result is Result.PUBLISHED
    assert len(layered.modules(None, ModuleState.LIVE)) == 1
