"""Words that are one word: by their endings, or by their spelling."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

_ALIKE = 0.8
"""Least similarity of two spellings (difflib's ratio) that count as one word: favorite, favourite."""


def stem(word: str) -> str:
    """A word without its possessive or plural ending."""
    word = word.removesuffix("'s")
    return word.removesuffix("s") if len(word) > 3 and not word.endswith("ss") else word


def among(word: str, words: Sequence[str]) -> bool:
    """Whether a word is among others, or spelt nearly like one of them."""
    if word in words:
        return True
    return not word.isdigit() and len(word) > 4 and any(_alike(word, other) for other in words)


def _alike(word: str, other: str) -> bool:
    """By spelling; what their lengths or letters rule out is not compared."""
    least = _ALIKE * (len(word) + len(other)) / 2
    if min(len(word), len(other)) < least or sum(letter in other for letter in word) < least:
        return False
    return SequenceMatcher(None, word, other).ratio() >= _ALIKE
