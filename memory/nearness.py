"""How near a question is to what modules were asked when they were made: to their probes, and to the facts behind these.

Two views of one thing: a probe's wording may be far from a question whose fact is near, and the other way round. Their mean
found the right fact of a hundred for 92 % of the questions in `evals/tasks/told`, the probe alone for 86 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engrain.memory.schema import Fact, Probe
from engrain.memory.search import fill_embeddings, vectors_of
from engrain.memory.voice import words

if TYPE_CHECKING:
    from engrain.memory.embed import Embedder, Vectors


@dataclass(frozen=True)
class Wording:
    """A trained question near the one that is asked."""

    question: str
    fact_id: int
    nearness: float
    """−1 to 1."""


class Nearness:
    """Probes of facts, to be compared with questions; gives rows without a vector theirs."""

    def __init__(self, probes: Sequence[Probe], facts: Mapping[int, Fact], embedder: Embedder) -> None:
        behind = [facts[p.fact_id or 0] for p in probes]
        kept = {fact.id or 0: fact for fact in behind}
        fill_embeddings(list(probes), embedder)
        fill_embeddings(list(kept.values()), embedder)
        place = {fact_id: at for at, fact_id in enumerate(kept)}
        self.probes, self.embedder = tuple(probes), embedder
        self._fact_of = np.array([place[f.id or 0] for f in behind], np.int64)
        self._asked = vectors_of(probes) if probes else embedder([])
        self._said = vectors_of(list(kept.values())) if kept else embedder([])
        self._tells_all = np.array([words(p.answer) == words(f.text) for p, f in zip(probes, behind, strict=True)], bool)
        self._held_out = np.array([p.held_out for p in probes], bool)

    def of(self, question: str) -> Vectors:
        """Mean of the cosine similarities of a question with each probe and with its fact, shape (probes,)."""
        vector = self.embedder.one(question)
        near: Vectors = (self._asked @ vector + (self._said @ vector)[self._fact_of]) / 2
        return near

    def wordings(self, question: str, among: Sequence[int] | None = None, k: int = 2) -> list[Wording]:
        """The k nearest trained questions, the nearest first, of all or of the probes at these places.

        What asks for all of a fact (*Tell me about ...*) is none for a question that asks for something.
        """
        usable = ~self._held_out
        if question.strip().endswith("?"):
            usable &= ~self._tells_all
        places = [at for at in (range(len(self.probes)) if among is None else among) if usable[at]]
        near = self.of(question)
        best = sorted(places, key=lambda at: -near[at])[:k]
        return [Wording(self.probes[at].question, self.probes[at].fact_id or 0, float(near[at])) for at in best]
