"""Vectors as the database keeps them: which encoder made one stands before it, because those of two encoders cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engrain.memory.schema import Fact, Probe

if TYPE_CHECKING:
    from engrain.memory.embed import Embedder

Vectors = NDArray[np.float32]
"""One or several, float32, of unit length."""
MARK = 4
"""So many bytes before a stored vector are its encoder's mark."""


def fill_embeddings(rows: Sequence[Fact] | Sequence[Probe], embedder: Embedder) -> None:
    """Give rows without a vector of this encoder one: of the asked statement, or of the question."""
    missing = [row for row in rows if not embedder.made(row.embedding)]
    texts = [row.asked if isinstance(row, Fact) else row.question for row in missing]
    for row, vector in zip(missing, embedder(texts), strict=True):
        row.embedding = embedder.stored(vector)


def vectors_of(rows: Sequence[Fact] | Sequence[Probe]) -> Vectors:
    """Their vectors, shape (rows, width); of no rows (0, 0)."""
    if not rows:
        return np.zeros((0, 0), np.float32)
    return vectors_in([row.embedding or b"" for row in rows])


def vectors_in(stored: Sequence[bytes]) -> Vectors:
    """Stored vectors of one encoder, at least one, shape (vectors, width)."""
    return np.frombuffer(b"".join(one[MARK:] for one in stored), np.float32).reshape(len(stored), -1)
