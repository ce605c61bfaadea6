"""Scorers: how near an answer is to the ones expected. A score is a value, what it was read from, and why."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Score:
    """What an answer is worth."""

    value: float
    """0 to 1."""
    extracted: str
    """What was compared."""
    explanation: str


_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalized(text: str) -> list[str]:
    """Words without case, punctuation and articles, as SQuAD's evaluation compares them (arXiv 1606.05250)."""
    plain = "".join(c for c in text.lower() if c not in string.punctuation)
    return _ARTICLES.sub(" ", plain).split() or plain.split()  # a blood group, a mark: *A*


def token_f1(answer: str, expected: Sequence[str]) -> float:
    """The best token-F1 of the answer against the expected ones, 0 to 1."""
    return max((_f1(normalized(answer), normalized(e)) for e in expected), default=0.0)


def contains(answer: str, expected: str) -> bool:
    """Whether the expected words stand in the answer, next to each other and in order."""
    said, wanted = normalized(answer), normalized(expected)
    return bool(wanted) and any(said[i : i + len(wanted)] == wanted for i in range(len(said) - len(wanted) + 1))


def rouge_l(answer: str, expected: Sequence[str]) -> float:
    """The best ROUGE-L F-measure (Lin 2004) against the expected answers, 0 to 1, with stemming."""
    scorer = _rouge()
    return max((float(scorer.score(e, answer)["rougeL"].fmeasure) for e in expected), default=0.0)


def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)


SCORERS: dict[str, Callable[[str, Sequence[str]], float]] = {
    "exact": lambda answer, expected: float(any(normalized(answer) == normalized(e) for e in expected)),
    "contains": lambda answer, expected: float(any(contains(answer, e) for e in expected)),
    "choice": lambda answer, expected: float(answer.strip() in {e.strip() for e in expected}),
    "token_f1": token_f1,
    "rouge_l": rouge_l,
}
"""By name. A scorer takes an answer and the expected ones, of which at least one is there."""


def score(name: str, answer: str, expected: Sequence[str]) -> Score:
    """An answer's score; where nothing is expected, whether it says that it is not known."""
    if not expected:
        no = declined(answer)
        return Score(float(no), answer, "declines, and nothing is known" if no else "answers what is not known")
    if declined(answer):
        return Score(0.0, answer, "declines, though it is known")
    value = SCORERS[name](answer, expected)
    return Score(value, " ".join(normalized(answer)), f"{name} {value:.2f} against {expected[0]!r}" + (" and others" if len(expected) > 1 else ""))


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
