"""The router: which module could know this? None is a valid answer.

A question is compared with the probes of every live module, the phrasings that were never trained included; a module is as
near as its nearest probe.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engrain.memory.facts import keep_embeddings, routed_probes
from engrain.memory.modules import modules_of
from engrain.memory.schema import Module, ModuleState
from engrain.memory.search import fill_embeddings, vectors_of
from engrain.memory.store import Store

if TYPE_CHECKING:
    from engrain.memory.embed import Embedder, Vectors


@dataclass(frozen=True)
class Route:
    """Where a question was sent, and why."""

    module: Module | None
    """None where no module came near enough."""
    score: float
    """Cosine similarity of the question with the nearest probe."""
    margin: float
    """How much nearer than the best other module (the score itself where there is none)."""
    probe: str
    """The nearest probe's question; empty where there is no module."""
    fact_id: int | None
    """The fact of the nearest probe."""
    threshold: float


@dataclass(frozen=True)
class _Index:
    live: tuple[str, ...]
    modules: tuple[Module, ...]
    module_of: tuple[int, ...]
    questions: tuple[str, ...]
    facts: tuple[int, ...]
    vectors: Vectors


class Router:
    """Routes the questions of every owner, each over their own modules only."""

    def __init__(self, store: Store, embedder: Embedder, base_sha256: str, threshold: float) -> None:
        self.store, self.embedder = store, embedder
        self.base_sha256, self.threshold = base_sha256, threshold
        self._indexes: dict[str, _Index] = {}
        self._lock = threading.Lock()

    def route(self, question: str, owner: str) -> Route:
        """The nearest module of the owner, or none below the threshold."""
        index = self._index(owner)
        if index is None:
            return Route(None, 0.0, 0.0, "", None, self.threshold)
        similarity = index.vectors @ self.embedder.one(question)
        nearest = int(similarity.argmax())
        score = float(similarity[nearest])
        others = [float(s) for s, m in zip(similarity, index.module_of, strict=True) if m != index.module_of[nearest]]
        module = index.modules[index.module_of[nearest]] if score >= self.threshold else None
        return Route(module, score, score - max(others, default=0.0), index.questions[nearest], index.facts[nearest], self.threshold)

    def nearest(self, question: str, owner: str, k: int) -> list[tuple[Module, float]]:
        """The owner's k nearest modules and the similarity of each one's nearest probe, best first, near enough or not."""
        index = self._index(owner)
        if index is None:
            return []
        similarity = index.vectors @ self.embedder.one(question)
        best: dict[int, float] = {}
        for probe in similarity.argsort()[::-1]:
            best.setdefault(index.module_of[int(probe)], float(similarity[probe]))
        return [(index.modules[m], score) for m, score in list(best.items())[:k]]

    def _index(self, owner: str) -> _Index | None:
        """Kept in step with the store: made anew whenever the owner's live modules are others than before."""
        with self.store.read() as db:
            modules = [m for m in modules_of(db, owner, ModuleState.LIVE) if m.base_sha256 == self.base_sha256]
        live = tuple(m.id for m in modules)
        with self._lock:
            index = self._indexes.get(owner)
            if index is None or index.live != live:
                index = self._build(owner, modules)
                self._indexes[owner] = index
            return index if len(index.questions) else None

    def _build(self, owner: str, modules: list[Module]) -> _Index:
        with self.store.read() as db:
            rows = routed_probes(db, owner, self.base_sha256)
        missing = [probe for _, probe in rows if probe.embedding is None]
        if missing:
            fill_embeddings(missing, self.embedder)
            with self.store.write() as db:
                keep_embeddings(db, missing)
        place = {m.id: i for i, m in enumerate(modules)}
        rows = [(module_id, probe) for module_id, probe in rows if module_id in place]
        return _Index(
            live=tuple(place),
            modules=tuple(modules),
            module_of=tuple(place[module_id] for module_id, _ in rows),
            questions=tuple(probe.question for _, probe in rows),
            facts=tuple(probe.fact_id or 0 for _, probe in rows),
            vectors=vectors_of([probe for _, probe in rows]) if rows else self.embedder([]),
        )
