"""Facts by text: full-text (BM25) and embedding, fused."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engrain.memory.bm25 import Bm25
from engrain.memory.facts import FactsMark, facts_mark, keep_embeddings, live_facts_said
from engrain.memory.log import open_messages
from engrain.memory.schema import Fact, FactState, Trust, day_of
from engrain.memory.statements import content_words, statements
from engrain.memory.store import Store
from engrain.memory.vectors import Vectors, fill_embeddings, vectors_of

if TYPE_CHECKING:
    from engrain.memory.embed import Embedder

_LEXICAL = 0.15
"""Weight of the full-text score beside the cosine similarity, where a fact holds all that a question says; see the router's."""
_OWNERS = 64
"""So many owners' facts are kept at hand."""


@dataclass(frozen=True)
class Found:
    """A fact that a search brought up."""

    fact: Fact
    """Its id is None where it stands in a message whose span is still open."""
    session_id: str
    score: float
    """Cosine similarity plus `_LEXICAL` × BM25, relative to that of the question itself."""
    similarity: float
    """Cosine similarity, −1 to 1."""

    @property
    def fresh(self) -> bool:
        return self.fact.state is FactState.FRESH


@dataclass(frozen=True)
class _Kept:
    """The facts of an owner that are written down, ready to be searched."""

    mark: FactsMark
    """What the store held when they were read."""
    facts: list[tuple[Fact, str]]
    """With the id of the session each was said in."""
    vectors: Vectors
    words: Bm25


class Search:
    """Searches the facts of an owner, those of still open spans included."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self.store, self.embedder = store, embedder
        self._owners: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, query: str, owner: str, k: int = 5, least: float = 0.3) -> list[Found]:
        """The k best facts with a cosine similarity of at least `least`, best first."""
        kept, fresh = self._kept(owner), self._open(owner)
        facts = kept.facts + fresh
        if not facts:
            return []
        asked = self.embedder.one(query)
        similarity = np.concatenate([kept.vectors @ asked, self._vectors([fact for fact, _ in fresh]) @ asked])
        words = content_words(query)
        lexical = kept.words.scores(words, [*(content_words(fact.asked) for fact, _ in fresh), words])
        held = lexical[:-1] / max(float(lexical[-1]), 1e-6)
        score = similarity + _LEXICAL * held.clip(max=1.0)
        likest = held >= max(1e-6, 0.999 * float(held.max()))
        best = [int(i) for i in np.argsort(-score, kind="stable") if similarity[i] >= least or likest[i]][:k]
        return [Found(*facts[i], float(score[i]), float(similarity[i])) for i in best]

    def drop(self, owner: str) -> None:
        """Hold nothing of the owner in memory; the next search reads it again."""
        with self._lock:
            self._owners.pop(owner, None)

    def _kept(self, owner: str) -> _Kept:
        """In step with the store: read again where a fact came, went or changed."""
        with self.store.read() as db:
            mark = facts_mark(db, owner)
            kept = self._owners.get(owner)
            told = live_facts_said(db, owner) if kept is None or kept.mark != mark else []
        if kept is None or kept.mark != mark:
            vectors = self._vectors([fact for fact, _ in told])
            kept = _Kept(mark, told, vectors, Bm25([content_words(fact.asked) for fact, _ in told]))
        with self._lock:
            self._owners[owner] = kept
            self._owners.move_to_end(owner)
            while len(self._owners) > _OWNERS:
                self._owners.popitem(last=False)
        return kept

    def _open(self, owner: str) -> list[tuple[Fact, str]]:
        """What messages state whose span is still open."""
        with self.store.read() as db:
            pending = [message for message in open_messages(db, owner) if message.trust is Trust.USER]
        return [
            (Fact(owner=owner, episode_id=0, message_id=m.id or 0, span_start=s.start, span_end=s.end, speaker=s.speaker,
                  text=s.text, asked=s.asked, said_on=s.said_on, trust=m.trust), m.session_id)
            for m in pending for s in statements(m.content, m.speaker, day_of(m.said_at), m.listener)
        ]  # fmt: skip

    def _vectors(self, facts: Sequence[Fact]) -> Vectors:
        """Their vectors, shape (facts, width); those that are made here are kept."""
        missing = [fact for fact in facts if not self.embedder.made(fact.embedding)]
        fill_embeddings(missing, self.embedder)
        stored = [fact for fact in missing if fact.id is not None]
        if stored:
            with self.store.write() as db:
                keep_embeddings(db, stored)
        return vectors_of(facts) if facts else self.embedder([])
