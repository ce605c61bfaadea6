"""Facts by text: full-text (BM25) and embedding, fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engrain.memory.facts import keep_embeddings, live_facts
from engrain.memory.log import open_messages
from engrain.memory.schema import Fact, FactState, Trust
from engrain.memory.statements import content_words, statements
from engrain.memory.store import Store
from engrain.memory.vectors import Vectors, fill_embeddings, vectors_of

if TYPE_CHECKING:
    from engrain.memory.embed import Embedder

_LEXICAL = 0.25
"""Weight of the full-text score beside the cosine similarity."""


@dataclass(frozen=True)
class Found:
    """A fact that a search brought up."""

    fact: Fact
    """Its id is None where it stands in a message whose span is still open."""
    session_id: str
    score: float
    """Cosine similarity plus `_LEXICAL` × BM25 relative to the best match; 0 to 1.25."""
    similarity: float
    """Cosine similarity, −1 to 1."""

    @property
    def fresh(self) -> bool:
        return self.fact.state is FactState.FRESH


class Search:
    """Searches the facts of an owner, those of still open spans included."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self.store, self.embedder = store, embedder

    def find(self, query: str, owner: str, k: int = 5, least: float = 0.3) -> list[Found]:
        """The k best facts with a cosine similarity of at least `least`, best first."""
        facts = self._facts(owner)
        if not facts:
            return []
        similarity = self._vectors([fact for fact, _ in facts]) @ self.embedder.one(query)
        lexical = _bm25(query, [fact.asked for fact, _ in facts])
        score = similarity + _LEXICAL * lexical
        best = [int(i) for i in np.argsort(-score, kind="stable") if similarity[i] >= least or lexical[i] >= 0.999][:k]
        return [Found(*facts[i], float(score[i]), float(similarity[i])) for i in best]

    def _facts(self, owner: str) -> list[tuple[Fact, str]]:
        """(fact, session id) of every live fact, and of what open messages state."""
        from sqlmodel import col, select

        from engrain.memory.schema import Message

        with self.store.read() as db:
            facts = live_facts(db, owner)
            sessions = dict(db.exec(select(col(Message.id), col(Message.session_id)).where(Message.owner == owner)).all())
            pending = open_messages(db, owner)
        out = [(fact, sessions.get(fact.message_id, "")) for fact in facts]
        for message in pending:
            if message.trust is Trust.USER:
                for s in statements(message.content, message.speaker, message.said_at.date(), message.listener):
                    assert message.id is not None
                    out.append((Fact(owner=owner, episode_id=0, message_id=message.id, span_start=s.start, span_end=s.end, speaker=s.speaker,
                                     text=s.text, asked=s.asked, said_on=s.said_on, trust=message.trust), message.session_id))  # fmt: skip
        return out

    def _vectors(self, facts: Sequence[Fact]) -> Vectors:
        missing = [fact for fact in facts if not self.embedder.made(fact.embedding)]
        fill_embeddings(missing, self.embedder)
        stored = [fact for fact in missing if fact.id is not None]
        if stored:
            with self.store.write() as db:
                keep_embeddings(db, stored)
        return vectors_of(facts)


def _bm25(query: str, texts: Sequence[str]) -> Vectors:
    """BM25 of every text, relative to the best; zeros where no word matches."""
    import bm25s

    words = [content_words(text) or ["?"] for text in texts]
    asked = [w for w in content_words(query) if any(w in text for text in words)]
    if not asked:
        return np.zeros(len(texts), np.float32)
    index = bm25s.BM25()
    index.index(words, show_progress=False)
    scores = np.asarray(index.get_scores(asked), np.float32)
    return scores / max(float(scores.max()), 1e-6)
