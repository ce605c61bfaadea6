"""The router: which module could know this? None is a valid answer.

A question is compared with the probes of every live module, the phrasings that were never trained included, and with the
facts behind them; a module is as near as its nearest probe.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engrain.memory.facts import keep_embeddings, live_facts, routed_probes
from engrain.memory.modules import modules_of
from engrain.memory.nearness import Near, Nearness
from engrain.memory.schema import Module, ModuleState
from engrain.memory.store import Store

if TYPE_CHECKING:
    from engrain.memory.embed import Embedder


@dataclass(frozen=True)
class Route:
    """Where a question was sent, and why."""

    module: Module | None
    """None where no module came near enough."""
    score: float
    """Nearness of the question to the nearest probe; see `nearness`."""
    margin: float
    """How much nearer than the best other module (the score itself where there is none)."""
    probe: str
    """The nearest probe's question; empty where there is no module."""
    fact_id: int | None
    """The fact of the nearest probe."""
    threshold: float
    near: Near = field(default_factory=Near)
    """What the question is near to in the module."""


@dataclass(frozen=True)
class _Index:
    live: tuple[str, ...]
    modules: tuple[Module, ...]
    module_of: tuple[int, ...]
    near: Nearness


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
        nearness = index.near.of(question)
        nearest = int(nearness.argmax())
        score, chosen = float(nearness[nearest]), index.module_of[nearest]
        others = [float(s) for s, m in zip(nearness, index.module_of, strict=True) if m != chosen]
        module = index.modules[chosen] if score >= self.threshold else None
        probe = index.near.probes[nearest]
        near = self._near(index, question, chosen)
        return Route(module, score, score - max(others, default=0.0), probe.question, probe.fact_id, self.threshold, near)

    def near(self, question: str, owner: str, module: Module) -> Near:
        """What a question is near to in this module of the owner."""
        index = self._index(owner)
        return Near() if index is None or module.id not in index.live else self._near(index, question, index.live.index(module.id))

    def nearest(self, question: str, owner: str, k: int) -> list[tuple[Module, float]]:
        """The owner's k nearest modules and the nearness of each one's nearest probe, best first, near enough or not."""
        index = self._index(owner)
        if index is None:
            return []
        nearness = index.near.of(question)
        best: dict[int, float] = {}
        for probe in nearness.argsort()[::-1]:
            best.setdefault(index.module_of[int(probe)], float(nearness[probe]))
        return [(index.modules[m], score) for m, score in list(best.items())[:k]]

    def _near(self, index: _Index, question: str, module: int) -> Near:
        return index.near.near(question, [at for at, m in enumerate(index.module_of) if m == module])

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
            return index if index.near.probes else None

    def _build(self, owner: str, modules: list[Module]) -> _Index:
        place = {m.id: i for i, m in enumerate(modules)}
        with self.store.read() as db:
            facts = {fact.id or 0: fact for fact in live_facts(db, owner)}
            rows = [(m, probe) for m, probe in routed_probes(db, owner, self.base_sha256) if m in place and probe.fact_id in facts]
        missing = [probe for _, probe in rows if probe.embedding is None]
        near = Nearness([probe for _, probe in rows], facts, self.embedder)
        if missing:
            with self.store.write() as db:
                keep_embeddings(db, missing)
        return _Index(live=tuple(place), modules=tuple(modules), module_of=tuple(place[m] for m, _ in rows), near=near)
