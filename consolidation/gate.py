"""The gate: a module is published only if it recalls, does no harm and can say no."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from engrain.consolidation.harm import perplexity, right_choices, unharmed
from engrain.memory.bank import lora
from engrain.memory.bank.bank import Voice, ask
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids
from engrain.memory.consult import consult
from engrain.memory.embed import Embedder
from engrain.memory.nearness import Nearness
from engrain.memory.schema import Fact, Probe, ProbeKind
from engrain.memory.vectors import Vectors, fill_embeddings, vectors_of

_NEIGHBOURS = 12
"""How many questions about the owner's other facts are asked, the nearest to the module's own."""
_ENOUGH = 8
"""So many phrasings must be held out for a threshold to be calibrated."""
_BLOCK = 512
"""Questions that are compared with all others at a time."""
_FARTHER = 0.1
"""What people's own words lie farther from the probes than the phrasings that are held out, which are grammar's."""


@dataclass(frozen=True)
class Thresholds:
    """What a module must reach; all but `perplexity` are the least."""

    trained: float = 0.90
    """Share of trained probes answered exactly."""
    held_out: float = 0.40
    """Share of phrasings never trained that are answered exactly."""
    reversed: float = 0.40
    """Share of questions for a fact's subject, trained or not, that are answered exactly."""
    unknown: float = 0.50
    """Share of unknown questions, never trained, that get no answer: not routed, declined, unsure, or vouched for by no fact."""
    neighbouring: float = 0.50
    """Share of questions about the owner's other facts, the nearest, that get no answer here: led to their own module, or refused."""
    others: float = 0.90
    """Share of the owner's other modules' questions that still lead to their own module beside this one, of those that did before."""
    ability: float = 0.90
    """Right choices in common knowledge with the module, as a share of the base model's."""
    perplexity: float = 1.03
    """Perplexity on fixed text with the module, as a multiple of the base model's, at most."""


@dataclass(frozen=True)
class Verdict:
    """What the gate measured, as in `Thresholds`, and what it says; None where there was nothing to measure it on."""

    trained: float
    held_out: float | None
    unknown: float | None
    perplexity: float
    reasons: tuple[str, ...]
    """Why the module is rejected; empty when it passes."""
    reversed: float | None = None
    neighbouring: float | None = None
    others: float | None = None
    ability: float | None = None
    threshold: float = 0.0
    """The nearness from which questions are led to the module: what tells its own from unknown ones best, and a little less."""

    @property
    def passed(self) -> bool:
        return not self.reasons

    def as_dict(self) -> dict[str, Any]:
        """For the job and the manifest."""
        return {**asdict(self), "reasons": list(self.reasons)}


def judge(
    base: BaseModel, embedder: Embedder, adapter: lora.Adapter, probes: Sequence[Probe], facts: Sequence[Fact],
    elsewhere: Sequence[tuple[str, Probe]], threshold: float, bounds: Thresholds,
) -> Verdict:  # fmt: skip
    """Measure a module on its probes, beside the owner's other modules, and on fixed text.

    `elsewhere` are the probes of the owner's live modules with the module's id; what is asked word for word of this one, too, is no
    more the others' than its. Questions that should get no answer go the way recall would take, with the record of `facts` behind
    the module.
    """
    known = [p for p in probes if p.fact_id is not None]
    strange = [p.question for p in probes if p.fact_id is None and p.held_out]
    others = [(module, p) for module, p in elsewhere if p.fact_id not in {f.id for f in facts}]
    index = Nearness(known, {f.id or 0: f for f in facts}, embedder)
    fill_embeddings([p for _, p in others], embedder)
    ours, theirs = index.asked, vectors_of([p for _, p in others])
    with base.lock:
        before = unharmed(base)
        with base.wearing(adapter):
            after = perplexity(base), right_choices(base)
        exact = list(zip(known, _exact(base, adapter, known), strict=True))
    threshold = _calibrated(index, strange, threshold)
    routed = [q for q in strange if known and index.of(q).max() >= threshold]
    here = {p.question.lower() for p in known}
    beside = _Beside([module for module, _ in others], theirs, ours, [p.question.lower() not in here for _, p in others])
    near = beside.nearest(_NEIGHBOURS)
    misled = [others[i][1].question for i in near if beside.here[i] >= beside.home[i]]
    told = [c.known for c in consult(Voice(base, adapter), [*routed, *misled], facts, index.near, rewords=True)]
    scores = {
        "trained": _share(e for p, e in exact if not p.held_out) or 0.0,
        "held_out": _share(e for p, e in exact if p.held_out),
        "reversed": _share(e for p, e in exact if p.kind is ProbeKind.REVERSED),
        "unknown": 1 - sum(told[: len(routed)]) / len(strange) if strange else None,
        "neighbouring": 1 - sum(told[len(routed) :]) / len(near) if near else None,
        "others": beside.undisturbed(),
        "ability": after[1] / before[1] if before[1] else 1.0,
        "perplexity": after[0] / before[0],
    }
    return Verdict(**scores, reasons=tuple(_reasons(bounds, scores)), threshold=threshold)  # type: ignore[arg-type]


def _exact(base: BaseModel, adapter: lora.Adapter, probes: Sequence[Probe]) -> list[bool]:
    """Whether each probe is answered word for word."""
    longest = max((len(answer_ids(base, p.answer)) for p in probes), default=0)
    return [said.text == p.answer.strip() for p, said in zip(probes, ask(base, adapter, [p.question for p in probes], longest), strict=True)]


def _calibrated(index: Nearness, strange: Sequence[str], floor: float) -> float:
    """The threshold that tells phrasings never trained from unknown questions best (Youden's index); not below the floor.

    It loses one in twenty of the former at most: an unknown question that is let through meets the record next.
    """
    home = index.of_held_out()
    if len(home) < _ENOUGH or not strange:
        return floor
    away = np.array([index.of(question).max() for question in strange])
    candidates = np.unique(np.concatenate([home, away, [floor]]))
    gained = [(home >= t).mean() - (away >= t).mean() for t in candidates]
    best = float(candidates[int(np.argmax(gained))])
    kept = min(best, float(np.quantile(home, 0.05))) - _FARTHER
    return max(floor, math.floor(kept * 1e4) / 1e4)  # rounded down: who set it still meets it


class _Beside:
    """The questions of an owner's other modules, beside a new one."""

    def __init__(self, modules: Sequence[str], theirs: Vectors, ours: Vectors, alone: Sequence[bool]) -> None:
        """Of the module of each question, the questions' vectors, those of the new module's, and whether only the others are asked it."""
        self.alone = np.array(alone, bool)
        self.empty = not len(theirs) or not len(ours)
        self.home = np.full(len(theirs), -1.0)
        """How near the nearest further question of its own module is to each."""
        self.away = self.home.copy()
        """That of the nearest other module there was."""
        self.here = self.home.copy()
        """That of the new one."""
        owner = np.array(modules)
        for at in range(0, 0 if self.empty else len(theirs), _BLOCK):
            rows = slice(at, at + _BLOCK)
            similarity = theirs[rows] @ theirs.T
            similarity[np.arange(len(similarity)), np.arange(at, at + len(similarity))] = -1.0  # not itself
            same = owner[rows, None] == owner[None]
            self.home[rows] = np.where(same, similarity, -1.0).max(1)
            self.away[rows] = np.where(same, -1.0, similarity).max(1)
            self.here[rows] = (theirs[rows] @ ours.T).max(1)

    def nearest(self, most: int) -> list[int]:
        """The places of the questions that are nearest to the new module's."""
        return [] if self.empty else [int(i) for i in np.argsort(-self.here, kind="stable") if self.alone[i]][:most]

    def undisturbed(self) -> float | None:
        """Of the questions that were led to their own module by its further ones, the share that still is; None where none was."""
        led_home = (self.home > self.away) & self.alone
        return float((self.home > self.here)[led_home].mean()) if led_home.any() and not self.empty else None


def _share(values: Any) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


_WORDS = {
    "trained": "recalls {:.0%} of its trained probes",
    "held_out": "recalls {:.0%} of phrasings never trained",
    "reversed": "recalls {:.0%} of what is asked the other way round",
    "unknown": "refuses {:.0%} of unknown questions",
    "neighbouring": "refuses {:.0%} of questions about other facts",
    "others": "leaves {:.0%} of the other modules' questions to them",
    "ability": "keeps {:.0%} of the base model's right choices",
}


def _reasons(bounds: Thresholds, scores: dict[str, float | None]) -> list[str]:
    reasons = []
    for name in (f.name for f in fields(bounds)):
        value, bound = scores[name], getattr(bounds, name)
        if name == "perplexity":
            if value is None or not value <= bound:
                reasons.append(f"perplexity on fixed text is {value:.2f} times the base model's, at most {bound:.2f} is allowed")
        elif value is not None and value < bound:
            reasons.append(f"{_WORDS[name].format(value)}, needs {bound:.0%}")
    return reasons
