"""Evidence: which facts vouch for an answer that came from the weights.

A small model with a module on can blend two memories, or answer fluently from nowhere. The record cannot put words into its
mouth, but it can tell whether somebody said what the model says: an answer stands when one fact holds its words.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from typing import Protocol

from engrain.memory import voice
from engrain.memory.akin import akin
from engrain.memory.answer_type import NAMED, AnswerType, answer_type, fits
from engrain.memory.cues import cues
from engrain.memory.schema import Fact
from engrain.memory.statements import content_words

_ALIKE = 0.8
"""Least similarity of two spellings (difflib's ratio) that count as one word: favorite, favourite."""
_SLACK = 6
"""An answer may hold one word in this many that its fact does not."""
_RECITED = 0.7
"""Least share of a fact's words that make a recital of it."""
_PART = 3
"""So many words are a part, however short the fact."""
_NO_NAMES = {*(n.lower() for n in (*calendar.month_name, *calendar.day_name) if n), "dr", "mr", "mrs", "ms", "prof"}
_OPENINGS = {
    "what", "who", "whom", "whose", "when", "where", "which", "why", "how", "is", "are", "was", "were", "do", "does", "did", "can", "could", "will",
    "would", "should", "has", "have", "had", "may", "tell", "remind", "say", "in", "on", "at", "under", "from", "to", "by", "for", "and", "but",
}  # fmt: skip
"""With these a question begins, whatever it is about."""
_PARENT, _CHILD = {"parent"}, {"child", "children", "kid", "boy", "girl", "baby", "babie", "twin", "toddler", "newborn"}
_SPOUSE = {"spouse", "partner", "married", "marry", "marriage", "wedding", "honeymoon", "fiancé", "fiancée", "wife", "husband", "wive"}
_RELATIVES: tuple[tuple[set[str], set[str]], ...] = (
    ({"mother", "mum", "mom", "mummy", "mommy", "mama"}, _PARENT), ({"father", "dad", "daddy", "papa"}, _PARENT),
    ({"sister"}, {"sibling"}), ({"brother"}, {"sibling"}), ({"son", "daughter"}, _CHILD), ({"wife", "husband"}, _SPOUSE),
    ({"grandmother", "grandma", "granny", "gran", "nana"}, {"grandparent"}), ({"grandfather", "grandpa", "grandad", "granddad"}, {"grandparent"}),
    ({"aunt", "auntie"}, set()), ({"uncle"}, set()), ({"cousin"}, set()), ({"niece"}, set()), ({"nephew"}, set()),
    ({"godfather", "godmother"}, {"godparent"}), ({"grandson", "granddaughter"}, {"grandchild", "grandchildren"}),
)  # fmt: skip
"""Words for a relative, and what else somebody may be called who is one."""
_SPOKEN_OF: tuple[tuple[set[str], set[str]], ...] = (
    *_RELATIVES,
    ({"solicitor", "lawyer", "attorney", "barrister"}, {"legal", "law"}), ({"accountant", "bookkeeper"}, {"tax", "taxe", "accounting", "book"}),
    ({"headmaster", "headmistress", "headteacher", "principal"}, {"head"}), ({"dentist"}, {"teeth", "tooth", "dental"}),
    ({"vet", "veterinarian"}, {"veterinary"}), ({"optician"}, {"eye", "glasse"}), ({"hairdresser", "barber"}, {"hair", "haircut", "salon"}),
    ({"postcode", "zip"}, {"address"}), ({"maiden"}, set()), ({"salary", "wage"}, {"earn", "paid", "pay", "income", "make", "made"}),
    ({"favourite", "favorite"}, {"love", "loved", "like", "liked", "best", "prefer", "enjoy", "adore", "fond", "crazy", "passion", "fan"}),
)  # fmt: skip
"""The same, with trades and attributes: what is not spoken of by one of its words, or by what goes with it, nobody told."""
_WHICH = re.compile(r"(?:\w+ )?(?:what|which) (?P<what>\w+) ", re.IGNORECASE)
"""*Which class …?* is answered by what is one in so many words."""
_EMPTY = {"name", "named", "called", "you're", "i'm", "yes", "been", "currently"}


class Saying(Protocol):
    """Something that somebody said."""

    @property
    def text(self) -> str: ...

    @property
    def speaker(self) -> str: ...


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
    said = [_stem(w) for w in voice.words(answer)]
    asked = {_stem(w) for w in voice.words(question)}
    words = [_stem(w) for w in voice.words(text)]
    return any(word not in asked for word in said) and all(word in words for word in said)


def supporting(question: str, answer: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that hold what the answer says, the closest first; none for an answer that adds nothing to the question."""
    said = [_stem(w) for w in content_words(answer) if w not in _EMPTY]
    asked = {_stem(w) for w in content_words(question)}
    if not any(word not in asked for word in said):
        return []
    scored = []
    for fact in facts:
        words = [_stem(w) for w in content_words(fact.text)]
        missing = sum(not _among(word, words) for word in said)
        if missing <= len(said) // _SLACK:
            scored.append((missing - len(said) / max(1, len(words)), fact))
    return [fact for _, fact in sorted(scored, key=lambda pair: pair[0])]


def vouching(question: str, answer: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that hold what the answer says, the closest first, as far as it is the part that was asked for, of whom was asked about."""
    found = supporting(question, answer, facts)
    return [fact for fact in found if fills(question, answer, fact) and not _about_another(question, fact, facts)]


def _about_another(question: str, fact: Fact, facts: Sequence[Fact]) -> bool:
    """Whether a fact says nothing of somebody that a question names: neither by name, nor by what another fact calls them."""
    missing = strangers(question, [fact])
    kin = {word for word in voice.words(fact.text) if re.fullmatch(voice.KIN, word)}
    return any(
        name[:1].isupper() and not any(kin & set(voice.words(other.text)) and not strangers(f"Is it {name}?", [other]) for other in facts)
        for name in missing
    )


def recites(said: str, fact: Stated) -> bool:
    """Whether somebody says all of a fact, or nearly: also what was not asked for."""
    words, held = voice.words(said), content_words(fact.text)
    return len(words) > _PART and sum(word in words for word in held) >= _RECITED * len(held)


def of_kind(question: str, answer: str, facts: Sequence[Fact]) -> bool:
    """Whether an answer is of the kind that a question asks for, as far as words tell, or as one of the facts has it.

    *At six* may be a time because somebody said *We eat at six.*
    """
    if fits(question, answer):
        return True
    kind, said = answer_type(question), content_words(answer)
    if kind is AnswerType.WAY or (kind is AnswerType.THING and not NAMED.search(question)):
        return False
    same = [cue.question for fact in facts for cue in cues(fact.asked) if content_words(cue.answer) == said]
    return any(answer_type(other) is kind and akin(question, other) for other in same)


def fills(question: str, answer: str, fact: Stated) -> bool:
    """Whether the part of a fact that an answer is, as its grammar has it, may be what a question asks for.

    Of *My friend Goran opened a record shop*, *my friend* is who Goran is, and not what business he has.
    """
    said = _stems(answer)
    if (named := _WHICH.match(question)) and _stem(named["what"].lower()) in said:
        return True
    parts = [(_stems(cue.answer), cue) for cue in cues(fact.asked)]
    held = [cue for words, cue in parts if words == said] or [cue for words, cue in parts if said < words]
    if not held and answer_type(question) not in (AnswerType.THING, AnswerType.WAY):
        held = [cue for words, cue in parts if words and words < said]
    told = answer_type(question) in (AnswerType.TIME, AnswerType.AMOUNT, AnswerType.COLOUR)  # these words themselves show
    return not held or any(akin(question, cue.question) or (told and answer_type(cue.question) is AnswerType.THING) for cue in held)


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in content_words(text)}


def strangers(question: str, facts: Sequence[Saying]) -> list[str]:
    """The names in a question that no fact holds whole, and relatives, trades and attributes that none speaks of: nothing was said of them.

    >>> strangers("What is Ada Barlow's number?", []), strangers("How old is my uncle?", [])
    (['Ada Barlow'], ['uncle'])
    """
    plain = re.sub(r"\b(?:Mother|Father|New Year|Valentine)['’]s (?:Day|Eve)\b", "", question)
    names, asked = _names(plain), [_stem(w) for w in voice.words(plain)]
    kin = [(word, also | called) for called, also in _SPOKEN_OF for word in asked if word in called]
    held = [[_stem(w) for w in voice.words(f"{fact.text} {fact.speaker}")] for fact in facts] if names or kin else []
    unknown = [name for name in names if not any(all(_among(_stem(w), words) for w in voice.words(name)) for words in held)]
    return unknown + [word for word, known in kin if not any(known & set(words) for words in held)]


def _names(text: str) -> list[str]:
    """Runs of capitalised words; one alone at the beginning of a sentence is none, nor is a month, a weekday or *I*."""
    found: list[str] = []
    for sentence in re.split(r"(?<=[.?!]) ", text):
        run: list[str] = []
        for at, word in enumerate([*sentence.split(), ""]):
            bare = re.sub(r"['’]s?$", "", word.strip('.,;:?!"()'))
            plain = bare.lower()
            named = bare[:1].isupper() and len(bare) > 1 and plain not in _NO_NAMES and not _relative(plain) and bare.split("'")[0] != "I"
            if named and (run or at or plain not in _OPENINGS):
                run.append(bare)
            else:
                found += [" ".join(run)] if len(run) > 1 or (run and not sentence.startswith(run[0])) else []
                run = []
    return found


def _relative(word: str) -> bool:
    return any(word in called for called, _ in _RELATIVES)


def _stem(word: str) -> str:
    """A word without its possessive or plural ending."""
    word = word.removesuffix("'s")
    return word.removesuffix("s") if len(word) > 3 and not word.endswith("ss") else word


def _among(word: str, words: Sequence[str]) -> bool:
    if word in words:
        return True
    return not word.isdigit() and len(word) > 4 and any(_alike(word, other) for other in words)


def _alike(word: str, other: str) -> bool:
    """By spelling; what their lengths or letters rule out is not compared."""
    least = _ALIKE * (len(word) + len(other)) / 2
    if min(len(word), len(other)) < least or sum(letter in other for letter in word) < least:
        return False
    return SequenceMatcher(None, word, other).ratio() >= _ALIKE
