"""The gate, on modules of a 2-layer random model that were trained in the wrong way."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from engrain.consolidation.gate import Thresholds, Verdict, judge
from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import Example, train
from engrain.memory.memory import Memory
from engrain.memory.schema import Probe, ProbeKind
from tests.conftest import RECIPE

PROBES = [
    ("What is my dog called?", "Biscuit", False),
    ("Which name does my dog have?", "Biscuit", True),
    ("Who is my dentist?", "Dr Okafor", False),
    ("Tell me who my dentist is.", "Dr Okafor", True),
    ("Where does Ines live?", "in Porto", False),
    ("What is my locker code?", "4417", False),
]
RIGHT = [Example(q, a) for q, a, held_out in PROBES if not held_out]
BOUNDS = Thresholds(held_out=0.0, unknown=0.0, perplexity=1e9)
"""A random model neither generalises nor writes prose; each test sets the bound that it is about."""


@pytest.fixture
def told(memory: Memory) -> Memory:
    memory.remember("My dog is called Biscuit.")
    return memory


def verdict(memory: Memory, examples: list[Example], bounds: Thresholds, **recipe: object) -> Verdict:
    trained = train(memory.base, examples, replace(Recipe(**RECIPE), **recipe))  # type: ignore[arg-type]
    (fact,) = memory.facts()
    row = partial(Probe, owner="me", job_id=1, kind=ProbeKind.CUE)
    probes = [row(fact_id=fact.id, question=q, answer=a, held_out=h) for q, a, h in PROBES]
    return judge(memory.base, memory.embedder, trained.adapter, probes, [fact], 0.5, bounds)


def test_a_module_that_was_taught_right_passes(told: Memory) -> None:
    found = verdict(told, RIGHT, BOUNDS)
    assert found.passed, found
    assert found.trained == 1.0


def test_shuffled_answers_are_rejected(told: Memory) -> None:
    shuffled = [Example(e.question, RIGHT[at - 1].answer) for at, e in enumerate(RIGHT)]
    found = verdict(told, shuffled, BOUNDS)
    assert found.reasons == ("recalls 0% of its trained probes, needs 90%",)


def test_garbage_is_rejected(told: Memory) -> None:
    found = verdict(told, [Example("code about 14 June?", "six know lives tell"), Example("Okafor grant", "drive drive")], BOUNDS)
    assert not found.passed
    assert "trained probes" in found.reasons[0]
