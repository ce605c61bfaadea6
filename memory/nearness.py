"""How near a question is to what modules were asked when they were made: to their probes, and to the facts behind these.

Two views of one thing: a probe's wording may be far from a question whose fact is near, and the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engrain.memory.akin import akin
from engrain.memory.answer_type import answer_type
from engrain.memory.schema import Fact, Probe
from engrain.memory.vectors import Vectors, fill_embeddings, vectors_of
from engrain.memory.voice import words

if TYPE_CHECKING:
    from engrain.memory.embed import Embedder

_WHOLE = 0.1
"""How much nearer a probe that asks for all of a fact must be than one that asks for a part, for all of it to be meant."""


@dataclass(frozen=True)
class Wording:
    """A trained question near the one that is asked."""

    question: str
    fact_id: int
    nearness: float
    """−1 to 1."""


class Probed(NamedTuple):
    """A probe beside the question that is asked."""

    question: str
    answer: str
    nearness: float


@dataclass(frozen=True)
class Near:
    """What a question is near to in a module."""

    wording: Wording | None = None
    """The nearest trained question."""
    facts: Mapping[int, float] = field(default_factory=dict)
    """The nearness of each fact: that of its nearest probe."""
    probes: Mapping[int, Sequence[Probed]] = field(default_factory=dict)
    """The probes of each fact, the nearest first."""

    def of(self, facts: Sequence[Fact]) -> float:
        """The nearness of the nearest of these facts; −1 where none of them is known here."""
        return max((self.facts.get(fact.id or 0, -1.0) for fact in facts), default=-1.0)

    def part(self, question: str, said: str, fact: Fact) -> str | None:
        """The part of a recited fact that a question asks for: the answer of the fact's nearest probe, rather one that asks for the same
        kind of thing, that was said beside other words.

        None where all of it is asked for, where no part was said, or where nearness is not known.
        """
        held, kind = words(said), answer_type(question)
        found = self.probes.get(fact.id or 0, ())
        parts = [one for one in found if len(words(one.answer)) < len(held) and set(words(one.answer)) <= set(held)]
        whole = max((one.nearness for one in found if words(one.answer) == words(fact.text)), default=-1.0)
        if not parts or parts[0].nearness <= whole - _WHOLE:
            return None
        apt = [one for one in parts if akin(question, one.question)]
        return next((one for one in apt if answer_type(one.question) is kind), (apt or parts)[0]).answer


class Nearness:
    """Probes of facts, to be compared with questions; gives rows without a vector theirs."""

    def __init__(self, probes: Sequence[Probe], facts: Mapping[int, Fact], embedder: Embedder) -> None:
        behind = [facts[p.fact_id or 0] for p in probes]
        kept = {fact.id or 0: fact for fact in behind}
        fill_embeddings(list(probes), embedder)
        fill_embeddings(list(kept.values()), embedder)
        place = {fact_id: at for at, fact_id in enumerate(kept)}
        self.probes, self.embedder = tuple(probes), embedder
        fact_of = np.array([place[f.id or 0] for f in behind], np.int64)
        self.asked = vectors_of(probes) if probes else embedder([])
        """Vectors of the probes' questions, shape (probes, width)."""
        said = vectors_of(list(kept.values())) if kept else embedder([])
        self._both: Vectors = (self.asked + said[fact_of]) * np.float32(0.5)
        self._tells_all = np.array([words(p.answer) == words(f.text) for p, f in zip(probes, behind, strict=True)], bool)
        self._held_out = np.array([p.held_out for p in probes], bool)

    def of(self, question: str) -> Vectors:
        """Mean of the cosine similarities of a question with each probe and with its fact, shape (probes,)."""
        near: Vectors = self._both @ self.embedder.one(question)
        return near

    def of_held_out(self) -> Vectors:
        """How near each probe that was never trained is to the nearest other one, shape (held out,)."""
        near: Vectors = self.asked[self._held_out] @ self._both.T
        near[np.arange(len(near)), np.flatnonzero(self._held_out)] = -1.0
        best: Vectors = near.max(1, initial=-1.0)
        return best

    def near(self, question: str) -> Near:
        """What a question is near to.

        What asks for all of a fact (*Tell me about ...*) is no wording for a question that asks for something, nor is what asks for something
        of another kind.
        """
        usable = ~self._held_out
        if question.strip().endswith("?"):
            usable &= ~self._tells_all
        near, probes = self.of(question), dict[int, list[Probed]]()
        order = np.argsort(-near, kind="stable").tolist()
        for at in order:
            one = self.probes[at]
            probes.setdefault(one.fact_id or 0, []).append(Probed(one.question, one.answer, float(near[at])))
        facts = {fact_id: some[0].nearness for fact_id, some in probes.items()}
        best = next((at for at in order if usable[at] and akin(question, self.probes[at].question)), None)
        if best is None:
            return Near(None, facts, probes)
        return Near(Wording(self.probes[best].question, self.probes[best].fact_id or 0, float(near[best])), facts, probes)
