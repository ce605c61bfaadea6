"""The gate, on modules of a 2-layer random model that were trained in the wrong way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from engrain.consolidation import harm
from engrain.consolidation.gate import Thresholds, Verdict, judge
from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import Example, train
from engrain.memory.bank.base import BaseModel
from engrain.memory.memory import Memory
from engrain.memory.nearness import Nearness
from engrain.memory.schema import Probe, ProbeKind
from tests.conftest import RECIPE, SILENT

PROBES = [
    ("What is my dog called?", "Biscuit", False),
    ("Which name does my dog have?", "Biscuit", True),
    ("Who is my dentist?", "Dr Okafor", False),
    ("Tell me who my dentist is.", "Dr Okafor", True),
    ("Where does Ines live?", "in Porto", False),
    ("What is my locker code?", "4417", False),
]
RIGHT = [Example(q, a) for q, a, held_out in PROBES if not held_out]
BOUNDS = Thresholds(**SILENT)
"""A random model neither generalises nor writes prose; each test sets the bound that it is about."""


@pytest.fixture
def told(memory: Memory) -> Memory:
    memory.remember("My dog is called Biscuit.")
    return memory


ROW = partial(Probe, owner="me", job_id=1, kind=ProbeKind.CUE)


def verdict(
    memory: Memory, examples: list[Example], bounds: Thresholds, elsewhere: list[tuple[str, Probe]] | None = None, kind: ProbeKind = ProbeKind.CUE,
    floor: float = 0.5, more: Sequence[Probe] = (), **recipe: object,
) -> Verdict:  # fmt: skip
    trained = train(memory.base, examples, replace(Recipe(**RECIPE), **recipe))  # type: ignore[arg-type]
    (fact,) = memory.facts()
    probes = [ROW(fact_id=fact.id, question=q, answer=a, held_out=h) for q, a, h in PROBES]
    probes[-1].kind = kind
    probes += more
    return judge(memory.base, memory.embedder, trained.adapter, probes, [fact], elsewhere or [], floor, bounds)


def test_a_module_that_was_taught_right_passes(told: Memory) -> None:
    found = verdict(told, RIGHT, BOUNDS)
    assert found.passed, found
    assert found.trained == 1.0


def test_a_module_gets_a_threshold_of_its_own_a_little_below_what_it_knows(told: Memory) -> None:
    (fact,) = told.facts()
    asked = ("drive green Skoda on 14 March", "flying to Reykjavik in June")
    never = [Probe(owner="me", job_id=1, fact_id=None, kind=ProbeKind.UNKNOWN, question=q, answer="I don't know.", held_out=True) for q in asked]
    openings = ("Do you know which", "Tell me which", "I forgot which", "Now which", "So which", "Well which", "Then which")
    held_out = [ROW(fact_id=fact.id, question=f"{opening} name my dog has?", answer="Biscuit", held_out=True) for opening in openings]
    probes = [*(ROW(fact_id=fact.id, question=q, answer=a, held_out=h) for q, a, h in PROBES), *held_out]
    known = float(Nearness(probes, {fact.id or 0: fact}, told.embedder).of_held_out().min())
    assert 0.0 < known - 0.11 < verdict(told, RIGHT, BOUNDS, floor=0.0, more=[*never, *held_out]).threshold < known
    assert verdict(told, RIGHT, BOUNDS, floor=0.99, more=[*never, *held_out]).threshold == 0.99, "never below what the settings say"
    assert verdict(told, RIGHT, BOUNDS, floor=0.0, more=never).threshold == 0.0, "two held-out phrasings tell nothing"


def test_shuffled_answers_are_rejected(told: Memory) -> None:
    shuffled = [Example(e.question, RIGHT[at - 1].answer) for at, e in enumerate(RIGHT)]
    found = verdict(told, shuffled, BOUNDS, recalled=1.1)  # until it is sure of them
    assert found.reasons == ("recalls 0% of its trained probes, needs 90%",)


def test_garbage_is_rejected(told: Memory) -> None:
    found = verdict(told, [Example("code about 14 June?", "six know lives tell"), Example("Okafor grant", "drive drive")], BOUNDS)
    assert not found.passed
    assert "trained probes" in found.reasons[0]


def test_what_cannot_be_asked_the_other_way_round_is_rejected(told: Memory) -> None:
    last = RIGHT[-1].question
    wrong = [Example(e.question, "in Porto") if e.question == last else e for e in RIGHT]
    found = verdict(told, wrong, replace(BOUNDS, trained=0.5, reversed=0.4), kind=ProbeKind.REVERSED)
    assert found.reasons == ("recalls 0% of what is asked the other way round, needs 40%",)


OTHERS = [
    ("m1", ROW(fact_id=90, question="Who gives me piano lessons?", answer="Clara")),
    ("m1", ROW(fact_id=90, question="Who gives my piano lessons?", answer="Clara")),
    ("m2", ROW(fact_id=91, question="When is the grant report due?", answer="14 March")),
    ("m2", ROW(fact_id=91, question="When is my grant report due?", answer="14 March")),
]


def test_a_module_that_draws_other_modules_questions_to_itself_is_rejected(told: Memory) -> None:
    found = verdict(told, RIGHT, replace(BOUNDS, others=0.9), OTHERS)
    assert found.passed, found
    assert found.others == 1.0
    same = [("m1", ROW(fact_id=90, question=q, answer="Rex")) for q in ("What is my dog called?", "What is my dog's name?")]
    disturbed = verdict(told, RIGHT, replace(BOUNDS, others=0.9), [*OTHERS, *same])
    assert disturbed.others == 4 / 5
    assert disturbed.reasons == ("leaves 80% of the other modules' questions to them, needs 90%",)
    both = [
        ("m1", ROW(fact_id=90, question="What is my dog called?", answer="Rex")),
        ("m1", ROW(fact_id=90, question="Who is my dentist?", answer="Ana")),
    ]
    assert verdict(told, RIGHT, replace(BOUNDS, others=0.9, neighbouring=0.9), both).passed, "what both are asked is not taken away"


def test_a_module_that_answers_questions_about_other_facts_is_rejected(told: Memory) -> None:
    """It says Biscuit to whatever it is asked about the dog, and its own fact vouches for that."""
    about = [("m1", ROW(fact_id=90, question=q, answer="under the table")) for q in ("Where is my dog Biscuit?", "Where does my dog sleep?")]
    examples = [*RIGHT, *(Example(p.question, "Biscuit") for _, p in about)]
    found = verdict(told, examples, replace(BOUNDS, neighbouring=0.9), about)
    assert found.neighbouring is not None
    assert found.neighbouring < 0.9
    assert "of questions about other facts" in found.reasons[0]
    assert verdict(told, RIGHT, replace(BOUNDS, neighbouring=0.9), OTHERS).neighbouring == 1.0


def test_the_base_model_is_measured_once(tiny_folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(cache: Path) -> BaseModel:
        return BaseModel.load(tiny_folders[0], "tiny", "a" * 64, cache=cache)

    found = harm.unharmed(opened(tmp_path))
    (tmp_path / "file").touch()
    assert harm.unharmed(opened(tmp_path / "file")) == pytest.approx(found), "nothing can be kept there"
    monkeypatch.setattr(harm, "perplexity", lambda _: pytest.fail("it was there"))
    assert harm.unharmed(opened(tmp_path)) == found
    monkeypatch.setattr(harm, "PROSE", harm.PROSE[:1])
    monkeypatch.setattr(harm, "perplexity", lambda _: 7.0)
    assert harm.unharmed(opened(tmp_path))[0] == 7.0, "of other texts"
    assert not list(tmp_path.rglob("*.part"))


def test_what_the_base_model_knew_must_be_left(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model knows nothing: common knowledge is what it takes for likely, and a module that says otherwise forgets it."""
    words = ("Biscuit", "Okafor", "Porto", "4417", "lesson", "Thursday", "drive", "green")
    asked = ["My", "The", "code", "dentist", "Ines", "report"]
    found = told.base.answer_logprobs([told.base.encode(a) for a in asked for _ in words], [told.base.encode(f" {w}") for _ in asked for w in words])
    means = [answered.mean for answered in found]
    ranked = [sorted(words, key=lambda w, at=at: -means[at * len(words) + words.index(w)]) for at in range(len(asked))]  # type: ignore[misc]
    monkeypatch.setattr(harm, "CHOICES", tuple((a, *r[:3]) for a, r in zip(asked, ranked, strict=True)))
    harm.unharmed.cache_clear()
    assert harm.right_choices(told.base) == 1.0
    forgetful = [Example(a, w) for a, r in zip(asked, ranked, strict=True) for w in r[2:3]]
    lost = verdict(told, [*RIGHT, *forgetful], replace(BOUNDS, ability=0.9))
    harm.unharmed.cache_clear()
    assert lost.ability is not None
    assert lost.ability < 0.9
    assert lost.reasons[-1] == f"keeps {lost.ability:.0%} of the base model's right choices, needs 90%"
