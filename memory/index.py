"""What the router looks questions up in: the probes of one owner's live modules, as vectors and as words.

A probe and the fact behind it are one vector, their mean, so that one product compares a question with both. Words find what
vectors blur: names, numbers and whatever else few facts hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sqlmodel import col, select

from engrain.memory.schema import Fact, FactState, Message, Module, ModuleFact, Probe
from engrain.memory.statements import content_words
from engrain.memory.store import Store
from engrain.memory.vectors import Vectors, vectors_in

if TYPE_CHECKING:
    from engrain.memory.embed import Embedder

EXACT = 100_000
"""So many probes are compared one by one; beyond that faiss, where it is installed, brings the nearest."""
_CANDIDATES = 1024
"""How many it brings."""
_TRAINED = 20_000
"""How many it learns their shape from."""
_COMMON = 0.2
"""A word that more than this share of the facts hold finds nothing."""

_ASKING = {"who", "whom", "whose", "what", "which", "when", "where", "why", "how", "tell", "know", "remember"}
_AT_ONCE = 400
"""Modules that are read in one query."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """What the index knows of one module."""

    module: str
    threshold: float
    probes: Integers
    """Ids of its probes."""
    facts: Integers
    """The id of each probe's fact."""
    vectors: Vectors
    """Mean of each probe's and its fact's unit vectors, shape (probes, width)."""
    days: Integers
    """The proleptic ordinal of the day each probe's fact was said on."""
    words: dict[int, frozenset[str]]
    """The words that carry meaning, by fact."""
    around: frozenset[str] = frozenset()
    """Those of the messages that the facts were said in."""

    def without(self, facts: Set[int]) -> Block:
        """The same without some facts."""
        if not facts & self.words.keys():
            return self
        kept = np.array([int(f) not in facts for f in self.facts], bool)
        words = {fact: said for fact, said in self.words.items() if fact not in facts}
        return Block(
            self.module, self.threshold, self.probes[kept], self.facts[kept], self.vectors[kept], self.days[kept], words, self.around
        )  # fmt: skip


@dataclass(frozen=True)
class Hits:
    """Probes that may answer a question."""

    rows: Integers
    near: Vectors
    """Nearness of each: the mean of the question's cosine similarities with the probe and with its fact."""
    words: Vectors
    """How much of what is rare in the question the fact behind each holds, 0 to 1."""


class ProbeIndex:
    """The blocks of one owner, joined; never changed, made anew when a block comes or goes, or facts of theirs are `corrected`."""

    def __init__(self, read: Sequence[Block], corrected: Set[int] = frozenset()) -> None:
        self.read = tuple(read)
        """The blocks as they were read."""
        blocks = [block for block in (one.without(corrected) for one in read) if len(block.probes)]
        self.blocks = tuple(blocks)
        """Those that can be found."""
        sizes = [len(block.probes) for block in blocks]
        self.module_of: Integers = np.repeat(np.arange(len(blocks)), sizes)
        """The place of each probe's module in `blocks`; never falls."""
        self.vectors: Vectors = np.concatenate([b.vectors for b in blocks]) if blocks else np.zeros((0, 1), np.float32)
        self.probes: Integers = np.concatenate([b.probes for b in blocks]) if blocks else np.zeros(0, np.int64)
        self._days: Integers = np.concatenate([b.days for b in blocks]) if blocks else np.zeros(0, np.int64)
        held = [(fact, words) for block in blocks for fact, words in block.words.items()]
        place = {fact: at for at, (fact, _) in enumerate(held)}
        self._fact_of: Integers = np.array([place[int(f)] for block in blocks for f in block.facts], np.int64)
        self._facts = len(held)
        self._holding = _postings(words for _, words in held)
        self._around = _postings(block.around for block in blocks)
        self._nearest = _faiss(self.vectors) if len(self.vectors) > EXACT else None

    def __len__(self) -> int:
        return len(self.probes)

    def find(self, question: str, vector: Vectors) -> Hits:
        """The probes that a question may mean: all of them, or in a large index the nearest and those that hold its rare words."""
        words = self._words(question)
        if self._nearest is None:
            return Hits(np.arange(len(self)), _times(self.vectors, vector), words[self._fact_of])
        _, close = self._nearest.search(vector[None], _CANDIDATES)
        best = float(words.max(initial=0.0))
        spoken = np.flatnonzero((words >= min(0.5, best))[self._fact_of])[: 4 * _CANDIDATES] if best else np.zeros(0, np.int64)
        rows = np.union1d(close[0][close[0] >= 0], spoken)
        return Hits(rows, _times(self.vectors[rows], vector), words[self._fact_of[rows]])

    def said_in(self, rows: Integers, period: tuple[date, date] | None) -> NDArray[np.bool_]:
        """Whether the facts behind these probes were said in a period; none where there is no period."""
        if period is None:
            return np.zeros(len(rows), bool)
        days = self._days[rows]
        return np.asarray((days >= period[0].toordinal()) & (days <= period[1].toordinal()), bool)

    def best_of_modules(self, rows: Integers, scores: Vectors) -> tuple[Integers, Vectors, Integers]:
        """(place of each module with a row, its best score, the row with that score), for rows in their order."""
        modules = self.module_of[rows]
        starts = np.flatnonzero(np.diff(modules, prepend=-1))
        best: Vectors = np.maximum.reduceat(scores, starts)
        inside = np.repeat(best, np.diff(np.append(starts, len(rows))))
        first = np.flatnonzero(scores == inside)
        _, at = np.unique(modules[first], return_index=True)
        return modules[starts], best, rows[first[at]]

    def around(self, question: str) -> Vectors:
        """For each block, the share of the question's words that were said around its facts, the rarer ones counting more."""
        return _shares(question, self._around, len(self.blocks))

    def _words(self, question: str) -> Vectors:
        """The same for each fact and what it says itself, without words that too many facts hold."""
        return _shares(question, self._holding, self._facts, max(1, _COMMON * self._facts))


def read_blocks(store: Store, embedder: Embedder, owner: str, modules: Sequence[str]) -> list[Block]:
    """What the index needs of some modules; facts and probes without a vector get theirs, and keep it."""
    return [block for at in range(0, len(modules), _AT_ONCE) for block in _read(store, embedder, owner, modules[at : at + _AT_ONCE])]


def _read(store: Store, embedder: Embedder, owner: str, modules: Sequence[str]) -> list[Block]:
    with store.read() as db:
        inside = select(col(ModuleFact.fact_id)).where(ModuleFact.owner == owner, col(ModuleFact.module_id).in_(modules))
        told: Any = select(  # type: ignore[call-overload]
            col(Fact.id), col(Fact.asked), col(Fact.embedding), col(Fact.said_on), col(Fact.message_id)
        )
        facts = db.exec(told.where(Fact.owner == owner, col(Fact.id).in_(inside), Fact.state != FactState.ERASED)).all()
        asked: Any = (
            select(  # type: ignore[call-overload]
                col(Probe.id), col(Probe.question), col(Probe.embedding), col(Probe.fact_id), col(Module.id)
            )
            .join(Module, col(Module.job_id) == col(Probe.job_id))
            .where(Probe.owner == owner, Module.owner == owner, col(Module.id).in_(modules), col(Probe.fact_id).in_(inside))
            .order_by(col(Module.id), col(Probe.id))
        )
        told_of = {f[0] for f in facts}
        probes = [row for row in db.exec(asked).all() if row[3] in told_of]
        rows_of = db.exec(select(Module).where(Module.owner == owner, col(Module.id).in_(modules)))
        spoken = select(col(Fact.message_id)).where(Fact.owner == owner, col(Fact.id).in_(inside))
        messages = dict(db.exec(select(col(Message.id), col(Message.content)).where(Message.owner == owner, col(Message.id).in_(spoken))).all())
        calibrated = {m.id: float(m.scores.get("threshold") or 0.0) for m in rows_of}
    said = dict(zip((f[0] for f in facts), _vectors(store, embedder, Fact, facts), strict=True))
    days, words = {f[0]: f[3].toordinal() for f in facts}, {f[0]: frozenset(content_words(f[1])) for f in facts}
    around = {f[0]: content_words(messages.get(f[4], "")) for f in facts}
    vectors = _vectors(store, embedder, Probe, probes)
    out = []
    for module, rows in groupby(enumerate(probes), key=lambda pair: pair[1][4]):
        places, mine = zip(*rows, strict=True)
        held = [row[3] for row in mine]
        both = (vectors[list(places)] + np.stack([said[fact] for fact in held])) * np.float32(0.5)
        out.append(
            Block(
                module, calibrated[module], np.array([row[0] for row in mine], np.int64), np.array(held, np.int64), both,
                np.array([days[fact] for fact in held], np.int64), {fact: words[fact] for fact in held},
                frozenset(word for fact in set(held) for word in around[fact]),
            )
        )  # fmt: skip
    return out


def _vectors(store: Store, embedder: Embedder, kind: type[Fact] | type[Probe], rows: Sequence[Any]) -> Vectors:
    """The vectors of rows (id, text, stored vector, …), shape (rows, width)."""
    missing = [row for row in rows if not embedder.made(row[2])]
    made = dict(zip((row[0] for row in missing), embedder([row[1] for row in missing]), strict=True)) if missing else {}
    if made:
        with store.write() as db:
            for key, vector in made.items():
                row: Any = db.get(kind, key)
                if row is not None and not (isinstance(row, Fact) and row.state is FactState.ERASED):
                    row.embedding = embedder.stored(vector)
    return vectors_in([embedder.stored(made[row[0]]) if row[0] in made else row[2] for row in rows]) if rows else embedder([])


def _times(vectors: Vectors, vector: Vectors) -> Vectors:
    """The product, by torch, whose threads are awake: numpy's own would wait for theirs, several times as long as it takes."""
    product: Vectors = torch.mv(torch.from_numpy(vectors), torch.from_numpy(vector)).numpy()
    return product


def _shares(question: str, holding: dict[str, Integers], many: int, most: float = math.inf) -> Vectors:
    """Of each of `many` texts, how much of a question it holds, 0 to 1: words by inverse document frequency (Robertson and Spärck
    Jones), those that more than `most` hold not at all."""
    weights = {}
    for word in content_words(question):
        held = len(holding.get(word, ()))
        if word not in _ASKING and held <= most:
            weights[word] = math.log(1 + (many - held + 0.5) / (held + 0.5))
    found, total = np.zeros(many, np.float32), sum(weights.values())
    for word, weight in weights.items():
        if word in holding:
            found[holding[word]] += weight / total
    return found


def _postings(facts: Iterable[frozenset[str]]) -> dict[str, Integers]:
    """The places of the texts that hold a word."""
    places: dict[str, list[int]] = {}
    for at, words in enumerate(facts):
        for word in words:
            places.setdefault(word, []).append(at)
    return {word: np.array(at, np.int64) for word, at in places.items()}


def _faiss(vectors: Vectors) -> Any:
    """Vectors as four bits for every four numbers, all of them looked at in registers (André et al., arXiv 1812.09162); None where
    faiss (Johnson et al., arXiv 1702.08734) is not installed or the vectors' width is no multiple of four."""
    width = vectors.shape[1]
    if find_spec("faiss") is None or width % 4:
        return None
    import faiss  # type: ignore[import-not-found, unused-ignore]

    index = faiss.index_factory(width, f"PQ{width // 4}x4fs", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, len(vectors) // _TRAINED)])
    index.add(vectors)
    return index
