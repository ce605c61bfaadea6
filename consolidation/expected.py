"""What the base model expects to be asked of a fact: grammar that took a sentence apart wrongly asks what nobody would.

*What are reasoning tasks learned? A key mechanism* is no continuation of the sentence it was made of, nor is *the sleeper prepare* another
word for *the sleeper train*, and the model, small as it is, finds them unlikely. Generated questions are commonly ranked by a model's
likelihood (Alberti et al., arXiv 1906.05416, by the answer's alone).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engrain.memory.bank.base import BaseModel

UNLIKELY = -2.75
"""Nats a token below which a question with its answer is taken for nonsense. Of 120 of grammar's questions about passages and papers, judged by hand,
a quarter was below: 39 % were wrong, of the others 27 %. Of a hundred about conversations a tenth was, 12 % and 9 %, which may be chance."""
FARTHER = 12.0
"""Nats by which a question in other words may be less likely than in its own: of 110, those that were farther off were hardly ever sound."""


def expected(base: BaseModel, said: str, asked: Sequence[tuple[str, str]], least: int = 0) -> list[int]:
    """The places of those questions with answers that are not too unlikely behind what was said, in their order; the likeliest `least` anyway."""
    if len(asked) <= least:
        return list(range(len(asked)))
    means = np.array([total / tokens for total, tokens in _weighed(base, said, asked)])
    likeliest = set(np.argsort(-means, kind="stable")[:least].tolist())
    return [place for place, mean in enumerate(means) if mean >= UNLIKELY or place in likeliest]


def as_expected(base: BaseModel, said: str, reworded: Sequence[tuple[str, str, str]]) -> list[int]:
    """The places of those (question, other words, answer) in which the other words are not much less likely than the question."""
    every = list(dict.fromkeys((question, answer) for one in reworded for question, answer in ((one[0], one[2]), (one[1], one[2]))))
    sums = {asked: total for asked, (total, _) in zip(every, _weighed(base, said, every), strict=True)}
    return [place for place, (question, other, answer) in enumerate(reworded) if sums[other, answer] >= sums[question, answer] - FARTHER]


def _weighed(base: BaseModel, said: str, asked: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
    """(the sum of log-probabilities, the tokens) of each question with its answer behind what was said."""
    if not asked:
        return []
    ends = [f"{question}\nAnswer: {answer}" for question, answer in asked]
    sums = base.weigh("", f"Note: {said}\n\nQuestion:", ends)
    return [(total, base.count(f" {end}\n")) for total, end in zip(sums, ends, strict=True)]
