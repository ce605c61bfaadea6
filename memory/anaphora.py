"""Whom *he*, *she*, *it* and *their* mean in a clause that goes on about what was said just before.

The nearest candidate of the clauses before: a subject or, where that is the speaker, an object (the first two ranks of Hobbs,
"Resolving Pronoun References", 1978), as far as number and words for persons agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from engrain.memory.clauses import COPULA, MODAL, Clause, is_participle, lower_first, main_clause, phrases_of
from engrain.memory.cue import AMOUNT, CALLED_SO, PERSON_NOUN, TITLED
from engrain.memory.deeds import recipient_of
from engrain.memory.voice import capital, is_name, lemma

_SUBJECTS = {"He", "She", "It", "They"}
_OWNERS = {"His", "Her", "Its", "Their"}
_OBJECTS = {"it", "them", "him"}
_PEOPLE = {"He", "She", "His", "Her", "him"}
_NOTHING = {"me", "us", "it", "him", "her", "them", "you", "that", "this", "there", "here"}
_HIS, _HERS = {"He", "His", "him"}, {"She", "Her"}
_MEN = re.compile(
    r"\b(?:brother|father|dad|son|husband|boyfriend|uncle|nephew|grandfather|grandpa|grandad|granddad|landlord|guy|man|boy|fiancé|Mr)\b"
)
_WOMEN = re.compile(
    r"\b(?:sister|mother|mum|mom|daughter|wife|girlfriend|aunt|auntie|niece|grandmother|grandma|gran|granny|nan|landlady|woman|girl|lady|fiancée|Mrs|Ms|Miss)\b"
)
"""Who is no *she*, and who no *he*."""
_PETS = re.compile(
    r"\b(?:dog|puppy|cat|kitten|parrot|budgie|horse|pony|rabbit|hamster|tortoise|hen|goat|donkey|beagle|greyhound|terrier|spaniel|labrador)$"
)
_CHANGING = {"swap", "trade", "exchange", "replace"}
_PLURAL = {"They", "Their", "them"}


def resolved(clauses: Sequence[Clause]) -> Iterator[Clause]:
    """The clauses of a statement, each with what it is about in the place of its pronouns; those that cannot be told stay.

    >>> from engrain.memory.syntax import clauses_in
    >>> [clause.subject for clause in resolved(clauses_in("My sister Ines lives in Porto. She works there. Her flat is small."))]
    ['My sister Ines', 'My sister Ines', "Ines's flat"]
    """
    before: list[str] = []
    for clause in clauses:
        told = _resolved(clause, before)
        yield told
        before = [meant for meant in _meant(told) if meant not in _SUBJECTS] + before


def _resolved(clause: Clause, before: Sequence[str]) -> Clause:
    first, _, thing = clause.subject.partition(" ")
    if clause.subject in _SUBJECTS and (whom := _agreeing(clause.subject, before)):
        clause = replace(clause, subject=capital(whom) if whom.lower().startswith(("my ", "our ", "the ")) else whom)
    elif first in _OWNERS and thing and (whom := _agreeing(first, [one for one in before if one.split()[0].capitalize() not in _OWNERS])):
        clause = replace(clause, subject=f"{capital(_briefly(whom))}'s {thing}")
    others = [one for one in before if one != clause.subject]
    rest = [_agreeing(word, others) if word in _OBJECTS else "" for word in clause.rest]
    words = [part for word, whom in zip(clause.rest, rest, strict=True) for part in (lower_first(whom).split() if whom else [word])]
    return replace(clause, rest=tuple(words))


def _meant(clause: Clause) -> list[str]:
    """What a clause is about: its subject, what is done something to, and what else is named; of the speaker nothing is asked."""
    rest = main_clause(clause.rest)
    if clause.verb in COPULA | MODAL or clause.verb.endswith("n't"):
        deed = bool(rest) and lemma(rest[0]) is not None and (clause.verb not in COPULA or rest[0].endswith("ing") or is_participle(rest[0]))
        if clause.verb in COPULA and not deed:
            return _beside(clause, rest)
        rest = rest[1:] if deed else rest if clause.verb in {"have", "has", "had"} else ()
    obj, phrases = phrases_of(rest)
    obj = recipient_of(re.sub(r"^(?:up|out|off|down|back|away|over) ", "", obj))[1]
    called = CALLED_SO.match(obj)
    owned = f"{'Our' if clause.subject == 'We' else 'My'} " if clause.pronoun else "The "
    thing = called["name"] if called else re.sub(r"^an? ", owned, obj)
    found = [thing, *_further(phrases)]
    if rest and lemma(rest[0] if clause.verb in MODAL else clause.verb) in _CHANGING:  # *swapped the Fiesta for a Skoda*
        found = found[::-1]
    return _tellable(["" if clause.pronoun else clause.subject, *found])


def _beside(clause: Clause, rest: tuple[str, ...]) -> list[str]:
    """What is named beside a state: *Farida* of *My new team lead is Farida*, *the book* of *I'm halfway through a book about Shackleton*."""
    state, phrases = phrases_of(rest)
    name = state if state[:1].isupper() and len(state.split()) <= 2 else ""
    return _tellable(["" if clause.pronoun else clause.subject, name, *(_further(phrases) if clause.pronoun else ())])


def _further(phrases: Sequence[tuple[str, str]]) -> list[str]:
    return [re.sub(r"^an? ", "The ", inner) for _, inner in phrases if re.match(r"(?:an?|the|my|our) [a-zA-Z]|[A-ZÀ-Þ][\w-]+$", inner)]


def _tellable(found: Sequence[str]) -> list[str]:
    return [one for one in found if one and len(one.split()) < 7 and one.lower() not in _NOTHING and not AMOUNT.match(one)]


def _agreeing(pronoun: str, before: Sequence[str]) -> str:
    """The first candidate that a pronoun may mean; empty where none is."""
    return next((one for one in before if _agrees(pronoun, one)), "")


def _agrees(pronoun: str, candidate: str) -> bool:
    """Whether a pronoun may mean a phrase, as far as words tell; *my dog* may be *he* or *it*.

    Rather nobody than the wrong one: what is not told costs a question, what is told of another is false.
    """
    if (pronoun in _HERS and _MEN.search(candidate)) or (pronoun in _HIS and _WOMEN.search(candidate)):
        return False
    head = re.split(r" (?:to|of|in|from|about|for|at|on|with) ", candidate)[0]
    last = head.rsplit(" ", 1)[-1]
    several = " and " in candidate or (last.endswith("s") and not last.endswith("ss") and not is_name(last))
    if pronoun in _PLURAL or several:
        return several and pronoun in _PLURAL
    named = last[:1].isupper() and not re.match(r"(?:the|an?|this) ", head, re.IGNORECASE)
    somebody = bool(PERSON_NOUN.search(head) or TITLED.match(candidate)) or named
    if pronoun in _PEOPLE:
        return somebody or bool(_PETS.search(candidate))
    return not somebody and not re.search(r"\d", candidate)


def _briefly(candidate: str) -> str:
    """*Ines* of *My sister Ines*."""
    last = candidate.rsplit(" ", 1)[-1]
    return last if last[:1].isupper() and candidate.startswith(("My ", "Our ", "my ", "our ")) else candidate
