"""Evidence: which facts vouch for an answer that came from the weights.

A small model with a module on can blend two memories, or answer fluently from nowhere. The record cannot put words into its
mouth, but it can tell whether somebody said what the model says: an answer stands when one fact holds its words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from engrain.memory import voice
from engrain.memory.akin import akin, noun_named
from engrain.memory.answer_type import NAMED, AnswerType, answer_type, fits, ruled_out
from engrain.memory.cues import cues
from engrain.memory.denial import denied
from engrain.memory.schema import Fact
from engrain.memory.spelling import among, stem
from engrain.memory.statements import content_words
from engrain.memory.strangers import is_relative, strangers

_SLACK = 6
"""An answer may hold one word in this many that its fact does not."""
_RECITED = 0.7
"""Least share of a fact's words that make a recital of it."""
_PART = 3
"""So many words are a part, however short the fact."""
_WHICH = re.compile(r"(?:\w+ )?(?:what|which) (?P<what>\w+) ", re.IGNORECASE)
"""*Which class …?* is answered by what is one in so many words."""
_APART = (
    {"rent", "deposit", "mortgage", "salary", "wage", "fee", "fine", "pension", "tip", "loan", "tuition", "subscription", "insurance", "bonus"},
    {"phone", "telephone", "mobile", "pin", "code", "password", "combination", "locker", "plate", "account", "passport"},
    {"dog", "puppy", "cat", "kitten", "rabbit", "hamster", "guinea", "tortoise", "turtle", "parrot", "budgie", "horse", "pony", "goldfish"},
    {"car", "van", "bike", "bicycle", "motorbike", "scooter", "boat", "canoe", "caravan", "tractor"},
)
"""What is said of one of them is not said of another: of what is paid, of numbers, of animals, of what one drives."""
_ALIKE = {
    "puppy": "dog", "kitten": "cat", "bicycle": "bike", "canoe": "boat", "combination": "code", "pin": "code", "password": "code",
    "telephone": "phone", "mobile": "phone", "turtle": "tortoise", "pony": "horse",
}  # fmt: skip
"""Other words for one of them."""
_SOMEBODY = re.compile(rf"(?:{voice.KIN}|{voice.ANIMALS})s?")
_PROPER = re.compile(r"(?:sur|first |last |maiden |middle )name\b")
"""Names that are written with a capital, whosever."""
_DASHED = re.compile(r"\b(?!\d{4}-\d\d-\d\d\b)\d+(?:-\d+)+\b")
"""A number in groups, as telephones have; no date."""
_EMPTY = {
    "name", "named", "called", "you're", "i'm", "yes", "been", "currently", "into", "onto", "from", "under", "over", "near", "by", "about", "around",
    "until", "since", "after", "before", "between", "through", "without", "within",
}  # fmt: skip


class Stated(Protocol):
    """Something that somebody said, and how it is asked for."""

    @property
    def text(self) -> str: ...

    @property
    def asked(self) -> str: ...


@dataclass(frozen=True)
class Evidence:
    """A fact behind a recollection."""

    fact_id: int | None
    """None where it was said in a span that is still open."""
    text: str
    speaker: str
    said_on: date
    session_id: str
    episode_id: int
    message_id: int


def evidence_of(fact: Fact, session_id: str) -> Evidence:
    """A fact as evidence."""
    return Evidence(fact.id, fact.text, fact.speaker, fact.said_on, session_id, fact.episode_id, fact.message_id)


def holds(question: str, answer: str, text: str) -> bool:
    """Whether a text says every word of an answer, and the answer says something that the question did not."""
    said = [stem(w) for w in voice.words(answer)]
    asked = {stem(w) for w in voice.words(question)}
    words = [stem(w) for w in voice.words(text)]
    return any(word not in asked for word in said) and all(word in words for word in said)


def supporting(question: str, answer: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that hold what the answer says, the closest first; none for an answer that adds nothing to the question."""
    said = [stem(w) for w in content_words(answer) if w not in _EMPTY]
    asked = {stem(w) for w in content_words(question)}
    if not any(word not in asked for word in said):
        return []
    scored, again = [], _again(answer)
    for fact in facts:
        if not again <= _again(fact.text) or _cuts(answer, fact.text):  # *the flour in your flour*
            continue
        words = [stem(w) for w in content_words(fact.text)]
        missing = sum(not among(word, words) for word in said)
        if missing <= len(said) // _SLACK:
            scored.append((missing - len(said) / max(1, len(words)), fact))
    return [fact for _, fact in sorted(scored, key=lambda pair: pair[0])]


def _cuts(answer: str, text: str) -> bool:
    """Whether an answer says a group of a number, and not all of it."""
    numbers = _DASHED.findall(text)
    alone = set(re.findall(r"\d+", " ".join(part for part in re.split(r"[^\d-]+", answer) if part not in numbers)))
    return any(alone & set(number.split("-")) for number in numbers)


def _again(text: str) -> set[str]:
    """The words that are said more than once and carry meaning."""
    words = voice.words(text)
    return {stem(word) for word in content_words(text) if words.count(word) > 1}


def vouching(question: str, answer: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that hold what the answer says, the closest first, as far as it is the part that was asked for, of whom was asked about."""
    return [fact for fact in says_of(question, answer, facts) if fills(question, answer, fact)]


def says_of(question: str, answer: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that hold what the answer says, the closest first, of whom was asked about, whatever part it is."""
    return [
        fact for fact in supporting(question, answer, facts) if not _about_another(question, fact, facts) and not denied(question, answer, fact.asked)
    ]


def _about_another(question: str, fact: Fact, facts: Sequence[Fact]) -> bool:
    """Whether a fact says nothing of what a question names: neither by name, nor of somebody by what another fact calls them."""
    if any(_differ(kinds, question, fact.text) for kinds in _APART):
        return True
    missing = [name for name in strangers(question, [fact]) if not is_relative(name)]
    kin = {word for word in voice.words(fact.text) if re.fullmatch(voice.KIN, word)}
    return any(
        name.islower() or not any(kin & set(voice.words(other.text)) and not strangers(f"Is it {name}?", [other]) for other in facts)
        for name in missing
    )


def _differ(kinds: set[str], question: str, text: str) -> bool:
    """Whether both speak of some of these, and of none together."""
    asked, told = ({_ALIKE.get(word, word) for word in kinds & _stems(said)} for said in (question, text))
    return bool(asked and told) and not asked & told


def recites(said: str, fact: Stated) -> bool:
    """Whether somebody says all of a fact, or nearly: also what was not asked for."""
    words, held = voice.words(said), content_words(fact.text)
    return len(words) > _PART and sum(word in words for word in held) >= _RECITED * len(held)


def of_kind(question: str, answer: str, facts: Sequence[Fact]) -> bool:
    """Whether an answer is of the kind that a question asks for, as far as words tell, or as one of the facts has it.

    *At six* may be a time because somebody said *We eat at six.*
    """
    if _asks_for_name(question.lower()) and not any(_names_anew(question, answer, fact) for fact in facts):
        return False
    if fits(question, answer):
        return True
    kind, said = answer_type(question), content_words(answer)
    if kind is AnswerType.WAY or (kind is AnswerType.THING and not NAMED.search(question)) or ruled_out(question, answer):
        return False
    same = [cue.question for fact in facts for cue in cues(fact.asked) if content_words(cue.answer) == said]
    return any(answer_type(other) is kind and akin(question, other) for other in same)


def _asks_for_name(question: str) -> bool:
    """Whether a question asks what somebody or a pet is called."""
    return bool(_PROPER.search(question) or (NAMED.search(question) and _SOMEBODY.fullmatch(noun_named(question))))


def _names_anew(question: str, answer: str, fact: Fact) -> bool:
    """Whether an answer says a name, written as one in the fact, that the question did not say; who writes no capitals is believed."""
    asked, said = {stem(w) for w in voice.words(question)}, _stems(answer)
    names = {stem(w.lower()) for w in re.findall(r"\b[A-ZÀ-Þ\d][\w'-]*", fact.text)}
    return fact.text.islower() or bool((said & names) - asked)


def fills(question: str, answer: str, fact: Stated) -> bool:
    """Whether the part of a fact that an answer is, as its grammar has it, may be what a question asks for.

    Of *My friend Goran opened a record shop*, *my friend* is who Goran is, and not what business he has.
    """
    said = _stems(answer)
    if (named := _WHICH.match(question)) and stem(named["what"].lower()) in said:
        return True
    parts = [(_stems(cue.answer), cue) for cue in cues(fact.asked)]
    held = [cue for words, cue in parts if words == said] or [cue for words, cue in parts if said < words]
    if not held and answer_type(question) not in (AnswerType.THING, AnswerType.WAY):
        held = [cue for words, cue in parts if words and words < said]
    told = answer_type(question) in (AnswerType.TIME, AnswerType.AMOUNT, AnswerType.COLOUR)  # these words themselves show
    return not held or any(akin(question, cue.question) or (told and answer_type(cue.question) is AnswerType.THING) for cue in held)


def _stems(text: str) -> set[str]:
    return {stem(word) for word in content_words(text)}
