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
from engrain.memory.clauses import is_time
from engrain.memory.cue import is_somebody
from engrain.memory.cues import cues
from engrain.memory.evidence import of_kind, vouching
from engrain.memory.phrases import Phrase, phrases_in
from engrain.memory.schema import Fact

if TYPE_CHECKING:
    from engrain.memory.bank.base import BaseModel

_ASKS = re.compile(r"\b(?:what|which|who|whom|whose|when|where|how)\b", re.IGNORECASE)
_NAME = re.compile(r"(?<=[a-z’'] )[A-ZÀ-Þ][\w-]+|\b[A-ZÀ-Þ][\w-]+(?=['’]s)")
_MOST = 16
"""So many parts of a fact are weighed."""
_LEAST = -9.5
"""Least log-probability of a part that stands."""
_UNASKED = 3.0
"""How much likelier a noun phrase must be that no question of the fact's grammar asks for."""
_STEEPNESS, _MIDDLE = 0.49, -10.3
"""Of the logistic curve from log-probability to share of right answers (Platt, 1999), fitted to 269 answers of `told-fresh`,
`told-unseen`, `told-blind` and `told-second`."""


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
    asked_for = {cue.answer for cue in cues(fact.asked)}
    weights = [one - (0 if answer in asked_for else _UNASKED) for one, answer in zip(sums, answers, strict=True)]
    best = max(range(len(weights)), key=weights.__getitem__)
    if weights[best] < _LEAST:
        return None
    confidence = 1 / (1 + math.exp(-_STEEPNESS * (weights[best] - _MIDDLE)))
    return Part(voice.part(answers[best], fact.speaker), confidence, READ + asked)


def _candidates(question: str, fact: Fact) -> list[str]:
    """The parts that may answer a question, in the asker's words: what grammar asks for, and noun phrases of the kind that is asked for."""
    if not asks_for_part(question, fact):
        return []
    parts = [*(cue.answer for cue in cues(fact.asked)), *(phrase.text for phrase in phrases_in(fact.asked) if _of_kind(question, phrase))]
    said = {part: voice.part(part, fact.speaker) for part in list(dict.fromkeys(parts))[:_MOST] if not _names_again(question, part)}
    return [part for part, told in said.items() if of_kind(question, told, [fact]) and vouching(question, told, [fact])]


def _of_kind(question: str, phrase: Phrase) -> bool:
    """Whether a noun phrase may be what a question asks for, by what its head names."""
    asked, kind = answer_type(question), phrase.kind
    if is_time(phrase.text) and kind is AnswerType.THING:
        kind = AnswerType.TIME
    if is_somebody(phrase.text) and kind is AnswerType.THING and not phrase.text[:1].isupper():
        kind = AnswerType.PERSON
    if asked in (AnswerType.PERSON, AnswerType.TIME):
        return kind is asked
    if asked is AnswerType.AMOUNT:
        return kind in (AnswerType.AMOUNT, AnswerType.TIME)
    if asked is AnswerType.PLACE:
        return kind in (AnswerType.PLACE, AnswerType.THING)
    return kind in (AnswerType.THING, AnswerType.PERSON)


def _names_again(question: str, part: str) -> bool:
    """Whether a part names whom the question names already: *my cousin Leo* is no job of Leo's; but it is who Leo is."""
    names = set(_NAME.findall(question)) & set(_NAME.findall(part))
    return bool(names) and answer_type(question) is not AnswerType.PERSON
