"""Every module anew on another base model; the old ones serve until they are let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engrain.consolidation.job import Result, consolidate
from engrain.consolidation.jobs import claim
from engrain.consolidation.migrate import migrate, retire_others, waiting
from engrain.errors import JobBusy
from engrain.memory.memory import Memory
from engrain.memory.schema import FactState, JobState, ModuleState
from engrain.settings import Settings
from tests.conftest import copy_of, tiny

ASKED = {"What is my dog called?": "Biscuit", "Who is my dentist?": "Okafor"}


@pytest.fixture(scope="module")
def two(tiny_folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """Two modules on the first base model."""
    memory = Memory(tiny(tiny_folders, tmp_path_factory.mktemp("two")))
    for note in ("My dog is called Biscuit.", "My dentist is Dr. Okafor."):
        memory.remember(note)
        assert consolidate(memory, "me").engrained_facts
    return memory


@pytest.fixture
def old(two: Memory, tiny_settings: Callable[..., Settings]) -> Iterator[Memory]:
    """A copy of them."""
    made = copy_of(two, tiny_settings())
    yield made
    made.store.close()


@pytest.fixture
def new(old: Memory, tiny_folders: tuple[Path, Path], tiny_settings: Callable[..., Settings], tmp_path: Path) -> Memory:
    """The same memory on another base model: other weights, the same tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_folders[0])
    torch.manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.02)
    model.save_pretrained(tmp_path / "newer")
    AutoTokenizer.from_pretrained(tiny_folders[0]).save_pretrained(tmp_path / "newer")
    return Memory(tiny_settings(memory_model=str(tmp_path / "newer")), embedder=old.embedder)


def knows(memory: Memory) -> list[bool]:
    return [a in memory.recall(q, mode="weights").text for q, a in ASKED.items()]


def test_all_modules_are_made_anew_while_the_old_ones_serve(old: Memory, new: Memory) -> None:
    assert knows(new) == [False, False]
    assert migrate(new, "me").result is Result.PUBLISHED
    assert knows(old) == [True, True]
    assert sum(knows(new)) == 1
    assert migrate(new, "me").result is Result.PUBLISHED
    assert migrate(new, "me").result is Result.NOTHING
    assert knows(old) == knows(new) == [True, True]
    assert len(new.modules(None, ModuleState.LIVE)) == 4
    assert retire_others(new.store, "me", new.base.sha256, new.base.name) == 2
    assert knows(new) == [True, True]
    assert knows(old) == [False, False]
    assert {f.state for f in new.facts()} == {FactState.ENGRAINED}


def test_what_was_not_made_anew_is_fresh_when_the_old_modules_go(old: Memory, new: Memory) -> None:
    migrate(new, "me")
    retire_others(new.store, "me", new.base.sha256, new.base.name)
    assert sorted(f.state for f in old.facts()) == [FactState.ENGRAINED, FactState.FRESH]


def test_an_unfinished_job_for_the_other_base_model_is_given_up(old: Memory, new: Memory) -> None:
    old.remember("My locker code is 4417.")
    asked = iter([False, False, True])
    assert consolidate(old, "me", stopping=lambda: next(asked, True)).result is Result.INTERRUPTED
    assert consolidate(new, "me").result is Result.PUBLISHED, "what is fresh does not wait for a base model that may be gone"
    assert [f.text for f in new.facts(state=FactState.FRESH)] == []
    assert len(waiting(new.store, "me", new.base.sha256)) == 2, "what the old modules hold is still to be moved"


def test_a_job_that_somebody_is_at_is_not_given_up(old: Memory, new: Memory) -> None:
    old.remember("My locker code is 4417.")
    desk = claim(old.store, "me", 0, 3, 60, old.base.sha256)
    with pytest.raises(JobBusy, match="trains another base model"):
        migrate(new, "me")
    desk.end(JobState.QUEUED)
    assert migrate(new, "me").result is Result.PUBLISHED
