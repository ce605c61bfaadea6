"""BM25 (Robertson and Zaragoza, "The probabilistic relevance framework", 2009) over texts that are kept, and some that come beside them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_K1, _B = 1.5, 0.75
"""How soon a word that comes again counts no more, and how much a long text is held against it; the usual values."""


class Bm25:
    """Texts as words, to be scored against a question's."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._lengths = np.array([len(text) for text in texts], np.float32)
        places: dict[str, list[tuple[int, int]]] = {}
        for at, text in enumerate(texts):
            for word, times in Counter(text).items():
                places.setdefault(word, []).append((at, times))
        self._places = {word: np.array(pairs, np.int64).T for word, pairs in places.items()}

    def scores(self, asked: Sequence[str], more: Sequence[Sequence[str]] = ()) -> NDArray[np.float32]:
        """The score of every text and then of `more`, shape (texts + more,); words count with the frequencies of all of them.

        Inverse document frequencies are Lucene's, never negative. A word that is asked twice counts twice.
        """
        beside, kept = [Counter(text) for text in more], len(self._lengths)
        lengths = np.append(self._lengths, np.array([len(text) for text in more], np.float32))
        out = np.zeros(len(lengths), np.float32)
        damping = _K1 * (1 - _B + _B * lengths / max(1.0, float(lengths.mean()))) if len(lengths) else lengths
        for word in asked:
            where, times = self._places.get(word, np.zeros((2, 0), np.int64))
            also = [at for at, text in enumerate(beside) if word in text]
            where = np.append(where, [kept + at for at in also]).astype(np.int64)
            times = np.append(times, [beside[at][word] for at in also])
            weight = math.log(1 + (len(lengths) - len(where) + 0.5) / (len(where) + 0.5))
            out[where] += (weight * times / (times + damping[where])).astype(np.float32)
        return out
