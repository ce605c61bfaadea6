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
from engrain.memory.evidence import fills, of_kind, says_of
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
_UNASKED, _OF_ANOTHER_KIND, _ASKED_OTHERWISE = 3.0, 2.0, 4.0
"""How much likelier a part must be that no question of the fact's grammar asks for, a noun phrase whose head names another kind of thing than is
asked for, and a part that grammar asks for with another kind of question. Where the last two were left out altogether, 42 % of the 80 questions of
`told-fifth` were answered rightly by `text`, and 5 of 40 that nothing answers, of `told-sixth` 22 % and 3; so it is 49 % and 6, and 28 % and 3."""
_STEEPNESS, _MIDDLE = 0.37, -8.1
"""Of the logistic curve from log-probability to share of right answers (Platt, 1999), fitted to 152 answers of `told-fifth`,
`told-sixth` and `told-seventh`, whose askers were strangers: 67 % were right. Of 184 answers of `told`, our own, 85 % were, where it says 75."""


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
    candidates = _candidates(question, fact)
    if not candidates:
        return None
    answers, asked = list(candidates), reading([f"{fact.asked.rstrip('.')}."], question)
    weights = [one - candidates[answer] for answer, one in zip(answers, base.weigh(READ, asked, answers), strict=True)]
    best = max(range(len(weights)), key=weights.__getitem__)
    if weights[best] < _LEAST:
        return None
    confidence = 1 / (1 + math.exp(-_STEEPNESS * (weights[best] - _MIDDLE)))
    return Part(voice.part(answers[best], fact.speaker), confidence, READ + asked)


def _candidates(question: str, fact: Fact) -> dict[str, float]:
    """The parts that may answer a question, in the asker's words, and how much likelier each must be than one that grammar asks for so."""
    if not asks_for_part(question, fact):
        return {}
    phrases = phrases_in(fact.asked)
    asked_for = dict.fromkeys(cue.answer for cue in cues(fact.asked))
    fitting = dict.fromkeys(phrase.text for phrase in phrases if _of_kind(question, phrase))
    found = {}
    for part in list(dict.fromkeys([*asked_for, *fitting, *(phrase.text for phrase in phrases)]))[:_MOST]:
        told = voice.part(part, fact.speaker)
        if _names_again(question, part) or not of_kind(question, told, [fact]) or not says_of(question, told, [fact]):
            continue
        less = 0.0 if part in asked_for else _UNASKED if part in fitting else _UNASKED + _OF_ANOTHER_KIND
        less += 0.0 if fills(question, told, fact) else _ASKED_OTHERWISE
        if less <= _UNASKED or not _plainly_another(question, part):
            found[part] = less
    return found


def _plainly_another(question: str, part: str) -> bool:
    """Whether a part is a time or somebody, and something else is asked for."""
    kind = answer_type(question)
    if kind not in (AnswerType.TIME, AnswerType.AMOUNT) and is_time(part):
        return True
    return kind is not AnswerType.PERSON and is_somebody(part) and not part[:1].isupper()


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
