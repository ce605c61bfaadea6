"""What the base model expects to be asked of a fact: grammar that took a sentence apart wrongly asks what nobody would.

*What do we learn reasoning tasks during? A key mechanism* is no continuation of the sentence it was made of, and the model, small as it is,
finds it unlikely. The likelihood of a question and an answer behind their text is what generated questions are commonly ranked by
(Alberti et al., arXiv 1906.05416, by the answer's alone).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engrain.memory.bank.base import BaseModel

UNLIKELY = -2.75
"""Nats a token below which a question with its answer is taken for nonsense. Of 120 of grammar's questions about passages and papers, judged by hand,
a quarter was below: 39 % were wrong, of the others 27 %. Of a hundred about conversations a tenth was, 12 % and 9 %."""


def expected(base: BaseModel, said: str, asked: Sequence[tuple[str, str]], least: int = 0) -> list[int]:
    """The places of those questions with answers that are not too unlikely behind what was said, in their order; the likeliest `least` anyway."""
    if not asked:
        return []
    ends = [f"{question}\nAnswer: {answer}" for question, answer in asked]
    sums = base.weigh("", f"Note: {said}\n\nQuestion:", ends)
    means = np.array([total / base.count(f" {end}\n") for total, end in zip(sums, ends, strict=True)])
    likeliest = set(np.argsort(-means, kind="stable")[:least].tolist())
    return [place for place, mean in enumerate(means) if mean >= UNLIKELY or place in likeliest]
