"""Which part of a fact a question asks for.

What somebody said has parts, by its grammar: who, what, when, where. Of those that may answer a question the base model, with the fact
in view, tells which is meant: it need only choose, which a small model does better than to write (candidate answers ranked by a
language model; cf. Brown et al., arXiv 2005.14165, 2.4).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engrain.memory import voice
from engrain.memory.answer_type import AnswerType, answer_type
from engrain.memory.bank.prompt import READ, reading
from engrain.memory.cues import cues
from engrain.memory.evidence import of_kind, vouching
from engrain.memory.schema import Fact
from engrain.memory.syntax import phrases_in

if TYPE_CHECKING:
    from engrain.memory.bank.base import BaseModel

_ASKS = re.compile(r"\b(?:what|which|who|whom|whose|when|where|how)\b", re.IGNORECASE)
_NAME = re.compile(r"(?<=[a-z’'] )[A-ZÀ-Þ][\w-]+|\b[A-ZÀ-Þ][\w-]+(?=['’]s)")
_MOST = 16
"""So many parts of a fact are weighed."""
_LEAST = -9.0
"""Least log-probability of a part that stands."""
_STEEPNESS, _MIDDLE = 0.38, -11.2
"""Of the logistic curve from log-probability to share of right answers (Platt, 1999), fitted to 129 answers of `told-fresh`, `told-unseen` and
`told-more`."""


@dataclass(frozen=True)
class Part:
    """A part of a fact, as the memory tells it."""

    text: str
    confidence: float
    """Share of such answers that were right, 0 to 1."""
    prompt: str
    """The exact text the base model saw."""


def asks_for_part(question: str, fact: Fact) -> bool:
    """Whether a question asks for something, and the fact's grammar is understood: there is a part to be told, or nothing."""
    return bool(question.strip().endswith("?") and _ASKS.search(question) and cues(fact.asked))


def part_of(base: BaseModel, question: str, fact: Fact) -> Part | None:
    """The part of a fact that a question asks for; None where none may be meant, or the base model finds the likeliest one unlikely."""
    answers = _candidates(question, fact)
    if not answers:
        return None
    asked = reading([f"{fact.asked.rstrip('.')}."], question)
    sums = base.weigh(READ, asked, answers)
    best = max(range(len(sums)), key=sums.__getitem__)
    if sums[best] < _LEAST:
        return None
    confidence = 1 / (1 + math.exp(-_STEEPNESS * (sums[best] - _MIDDLE)))
    return Part(voice.part(answers[best], fact.speaker), confidence, READ + asked)


def _candidates(question: str, fact: Fact) -> list[str]:
    """The parts that may answer a question, in the asker's words."""
    parts = [*(cue.answer for cue in cues(fact.asked)), *phrases_in(fact.asked)] if asks_for_part(question, fact) else []
    said = {part: voice.part(part, fact.speaker) for part in list(dict.fromkeys(parts))[:_MOST] if not _names_again(question, part)}
    return [part for part, told in said.items() if of_kind(question, told, [fact]) and vouching(question, told, [fact])]


def _names_again(question: str, part: str) -> bool:
    """Whether a part names whom the question names already: *my cousin Leo* is no job of Leo's; but it is who Leo is."""
    names = set(_NAME.findall(question)) & set(_NAME.findall(part))
    return bool(names) and answer_type(question) is not AnswerType.PERSON
