"""Whom *he*, *she*, *it* and *their* mean in a sentence that goes on about what was said just before.

The nearest candidate of the sentence before: its subject or, where that is the speaker, its object (the first two ranks of Hobbs,
"Resolving Pronoun References", 1978), as far as number and words for persons agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engrain.memory.clauses import clause_of, first_sentence, lower_first
from engrain.memory.cue import CALLED_SO, PERSON_NOUN, is_name
from engrain.memory.deeds import object_of
from engrain.memory.voice import capital

_SENTENCES = re.compile(
    r"(?<!Dr)(?<!Mr)(?<!Mrs)(?<!Ms)[.!?] (?=[A-ZÀ-Þ])"
    r"|,? (?:and|but) (?=(?:he|she|it|they)(?:['’]\w+)? |(?:his|her|its|their) (?:[a-z]+ ){1,2}?(?:is|was|are|were)\b)"
)
_AGAIN = re.compile(r"(?P<pronoun>He|She|It|They|His|Her|Its|Their)(?P<short>['’](?:s|re|ve))? (?P<rest>.+)$")
_FULL = {"s": "is", "re": "are", "ve": "have"}
_OWNERS = {"His", "Her", "Its", "Their"}
_PEOPLE = {"He", "She", "His", "Her"}


def gone_on(asked: str) -> Iterator[str]:
    """The further sentences of a statement, each with whom it is about in the place of its pronoun; those that cannot be told are left out.

    >>> list(gone_on("My sister Ines lives in Porto. She works as a nurse. Her flat is on the third floor."))
    ['My sister Ines works as a nurse', "Ines's flat is on the third floor"]
    """
    before = meant(first_sentence(asked))
    for sentence in _SENTENCES.split(asked)[1:]:
        again = _AGAIN.match(capital(sentence.rstrip(".!? ")))
        if again is None:
            before = meant(first_sentence(sentence))
        elif before and _agrees(again["pronoun"], before):
            yield _said_of(before, again)


def meant(sentence: str) -> str:
    """What a sentence is about: its subject, or what the speaker does something to; empty where its grammar is not understood.

    >>> meant("We have a dog called Max"), meant("My boss collects stamps")
    ('Max', 'My boss')
    """
    clause = clause_of(sentence)
    if clause is None:
        return ""
    if not clause.pronoun:
        return clause.subject
    found = object_of(clause)
    called = CALLED_SO.match(found)
    owned = f"{'Our' if clause.subject == 'We' else 'My'} "
    return called["name"] if called else re.sub(r"^an? ", owned, found)


def _agrees(pronoun: str, before: str) -> bool:
    """Whether a pronoun may mean a phrase, as far as words tell; *my dog* may be *he* or *it*."""
    several = bool(re.search(r"\band\b", before) or re.search(r"\b[a-z]+(?<!s)s$", before))
    if pronoun in {"They", "Their"} or several:
        return several and pronoun in {"They", "Their"}
    somebody = bool(PERSON_NOUN.search(before)) or is_name(before.rsplit(" ", 1)[-1])
    return somebody or before.startswith(("My ", "Our ")) if pronoun in _PEOPLE else not PERSON_NOUN.search(before)


def _said_of(before: str, again: re.Match[str]) -> str:
    if again["pronoun"] in _OWNERS:
        name = before.rsplit(" ", 1)[-1] if is_name(before.rsplit(" ", 1)[-1]) else before
        return f"{capital(name)}'s {again['rest']}"
    be = ""
    if short := again["short"]:
        be = "has " if short[1:] == "s" and again["rest"].startswith(("got ", "been ")) else f"{_FULL[short[1:]]} "
    return f"{capital(lower_first(before))} {be}{again['rest']}"
