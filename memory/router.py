"""The router: which module could know this? None is a valid answer.

A question is compared with the probes of every live module, the phrasings that were never trained included, and with the
facts behind them, by vectors, by their rare words, and by the time it names; a module is as near as its nearest probe. Among
modules the words count too that were said around their facts.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engrain.memory.dates import period
from engrain.memory.facts import corrected_facts, forgotten, probed
from engrain.memory.index import Block, Hits, ProbeIndex, read_blocks
from engrain.memory.modules import live_ids, revision
from engrain.memory.nearness import Near, Nearness
from engrain.memory.schema import Module, ModuleState, Probe, day_of, now
from engrain.memory.store import Store

if TYPE_CHECKING:
    from engrain.memory.embed import Embedder
    from engrain.memory.vectors import Vectors

_WORDS = 0.15
"""What all rare words of a question in a fact add to its nearness."""
_AROUND = 0.3
"""What is added to a module's rank where all of the question's words were said around its facts."""
_TIME = 0.05
"""What is added where the question names a time in which the fact was said."""
_OWNERS = 64
"""So many owners' indexes are kept at hand."""
_REMEMBERED = 256
"""So many modules' probes are kept at hand."""


@dataclass(frozen=True)
class Route:
    """Where a question was sent, and why."""

    module: Module | None
    """None where no module came near enough."""
    score: float
    """Of the best probe: its nearness, and what words and time add."""
    margin: float
    """How much better its rank is than that of the best other module (the rank itself where there is none)."""
    probe: str
    """The best probe's question; empty where there is no module."""
    fact_id: int | None
    """The fact of the best probe."""
    threshold: float
    """The module's own, calibrated when it was published."""
    words: float = 0.0
    """How much of what is rare in the question the fact holds, 0 to 1."""


@dataclass(frozen=True)
class _Candidate:
    """A module that may know, by its best probe."""

    block: Block
    rank: float
    """The score, and what was said around the module's facts."""
    score: float
    probe: int
    words: float


@dataclass(frozen=True)
class _Known:
    """An owner's index, the revision it was made at, and the probes of modules that were asked lately."""

    revision: int
    erased: int
    """How much had been forgotten then."""
    index: ProbeIndex
    near: OrderedDict[str, Nearness] = field(default_factory=OrderedDict)


class Router:
    """Routes the questions of every owner, each over their own modules only."""

    def __init__(self, store: Store, embedder: Embedder, base_sha256: str, threshold: float) -> None:
        self.store, self.embedder = store, embedder
        self.base_sha256, self.threshold = base_sha256, threshold
        self._owners: OrderedDict[str, _Known] = OrderedDict()
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def route(self, question: str, owner: str) -> Route:
        """The best module of the owner, or none below its threshold."""
        known = self._known(owner)
        best = self._best(known.index, question, 2)
        if not best:
            return Route(None, 0.0, 0.0, "", None, self.threshold)
        first, second = best[0], best[1].rank if len(best) > 1 else 0.0
        threshold = max(self.threshold, first.block.threshold)
        with self.store.read() as db:
            module, probe = db.get(Module, first.block.module), db.get(Probe, first.probe)
        serves = module is not None and module.state is ModuleState.LIVE and probe is not None
        return Route(
            module if serves and first.score >= threshold else None, first.score, first.rank - second,
            probe.question if probe else "", probe.fact_id if probe else None, threshold, first.words,
        )  # fmt: skip

    def near(self, question: str, owner: str, module: Module) -> Near:
        """What a question is near to in this module of the owner."""
        return self._near(self._known(owner), owner, module.id).near(question)

    def nearest(self, question: str, owner: str, k: int) -> list[tuple[Module, float]]:
        """The owner's k best modules and their scores, best first, near enough or not."""
        best = self._best(self._known(owner).index, question, k)
        with self.store.read() as db:
            found = [(db.get(Module, one.block.module), one.score) for one in best]
        return [(module, score) for module, score in found if module is not None]

    def index(self, owner: str) -> ProbeIndex:
        """What the owner's questions are looked up in, as the store has it now."""
        return self._known(owner).index

    def drop(self, owner: str) -> None:
        """Hold nothing of the owner in memory; the next question reads it again."""
        with self._lock:
            self._owners.pop(owner, None)

    def _best(self, index: ProbeIndex, question: str, k: int) -> list[_Candidate]:
        """The k modules whose probes fit the question best, the best first."""
        if not len(index):
            return []
        hits = index.find(question, self.embedder.one(question))
        scores = fused(hits, index.said_in(hits.rows, period(question, day_of(now()))))
        modules, best, rows = index.best_of_modules(hits.rows, scores)
        words = hits.words[np.searchsorted(hits.rows, rows)]
        ranks = best + np.float32(_AROUND) * index.around(question)[modules]
        return [
            _Candidate(index.blocks[modules[i]], float(ranks[i]), float(best[i]), int(index.probes[rows[i]]), float(words[i]))
            for i in np.argsort(-ranks, kind="stable")[:k]
        ]

    def _near(self, known: _Known, owner: str, module: str) -> Nearness:
        """The probes of one module and the facts behind them, as `consult` needs them."""
        with self._lock:
            if module in known.near:
                known.near.move_to_end(module)
                return known.near[module]
        with self.store.read() as db:
            probes, facts = probed(db, owner, module)
        near = Nearness(probes, facts, self.embedder)
        with self._lock:
            known.near[module] = near
            while len(known.near) > _REMEMBERED:
                known.near.popitem(last=False)
        return near

    def _known(self, owner: str) -> _Known:
        """In step with the store: whoever publishes, retires or corrects counts the owner's revision up in the same transaction."""
        with self.store.read() as db:
            at = revision(db, owner)
        with self._lock:
            turn = self._turns.setdefault(owner, threading.Lock())
        with turn:  # other owners do not wait while a large memory is read
            known = self._owners.get(owner)
            if known is None or known.revision != at:
                known = self._read(owner, known)
            with self._lock:
                self._owners[owner] = known
                self._owners.move_to_end(owner)
                while len(self._owners) > _OWNERS:
                    self._turns.pop(self._owners.popitem(last=False)[0], None)
            return known

    def _read(self, owner: str, before: _Known | None) -> _Known:
        """The index as the store has it now; blocks that were read before are kept."""
        with self.store.read() as db:
            at, erased, live = revision(db, owner), forgotten(db, owner), live_ids(db, owner, self.base_sha256)
            corrected = corrected_facts(db, owner)
            # what was forgotten may have stood in a message beside facts of a module that still serves
            kept = {block.module: block for block in before.index.read} if before and before.erased == erased else {}
            missing = [module for module in live if module not in kept]
        kept |= {block.module: block for block in read_blocks(self.store, self.embedder, owner, missing)}
        return _Known(at, erased, ProbeIndex([kept[module] for module in live if module in kept], corrected))


def fused(hits: Hits, in_time: NDArray[np.bool_]) -> Vectors:
    """What the router compares: nearness, and what rare words and a named time add."""
    scores: Vectors = hits.near + np.float32(_WORDS) * hits.words + np.float32(_TIME) * in_time
    return scores
