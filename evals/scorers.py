"""Scorers: how near an answer is to the ones expected."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalized(text: str) -> list[str]:
    """Words without case, punctuation and articles, as SQuAD's evaluation compares them (arXiv 1606.05250)."""
    plain = "".join(" " if c in string.punctuation else c for c in text.lower())
    return _ARTICLES.sub(" ", plain).split()


def token_f1(answer: str, expected: Sequence[str]) -> float:
    """The best token-F1 of the answer against the expected ones, 0 to 1."""
    return max((_f1(normalized(answer), normalized(e)) for e in expected), default=0.0)


def contains(answer: str, expected: str) -> bool:
    """Whether the expected words stand in the answer, next to each other and in order."""
    said, wanted = normalized(answer), normalized(expected)
    return bool(wanted) and any(said[i : i + len(wanted)] == wanted for i in range(len(said) - len(wanted) + 1))


def overlap(first: str, second: str) -> float:
    """Shared words of two texts, as a share of all their words (Jaccard), 0 to 1."""
    a, b = set(normalized(first)), set(normalized(second))
    return len(a & b) / len(a | b) if a | b else 0.0


def declined(answer: str) -> bool:
    """Whether the answer is that it is not known."""
    return not answer.strip() or answer.lower().replace("’", "'").startswith(("i don't know", "i do not know"))


def _f1(said: list[str], wanted: list[str]) -> float:
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else 0.0
