"""A cue: a question made from a statement, and the words that what grammar asks for is told by."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engrain.memory.answer_type import COLOURS
from engrain.memory.voice import KIN, TITLES, inflect

PERSON_NOUN = re.compile(rf"\b(?:{KIN}|\w+-in-law)$", re.IGNORECASE)
"""What ends in a word for a person."""
TITLED = re.compile(rf"\b(?:{TITLES})\b")
ACRONYM = re.compile(r"[A-ZÀ-Þ]{3}|\d")
"""No person's name: *NATO*, *GPT-4*."""
IN_COLOUR = re.compile(rf"^(?:[a-z]+ )?(?:{COLOURS})$")
CALLED_SO = re.compile(r"^(?P<what>(?:an?|the|my|our|his|her) .+?) (?:called|named) (?P<name>[A-ZÀ-Þ].*)$")
"""Somebody or something described, and what they are called."""
MEASURED = re.compile(r"^(?:the )?(?P<kind>size|number|room|platform|gate|seat) (?P<value>\d\S*|[A-ZÀ-Þ]\d\S*)$")
COUNT = r"two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d+"
"""More than one of something, as a pattern."""
NUMERAL = rf"one|{COUNT}|\w+teen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-\w+)?"
_SPELT = rf"(?:{NUMERAL}|hundred|thousand|million)"
AMOUNT = re.compile(
    rf"^(?:[£$€]\s?)?(?:\d[\d,.]*|{_SPELT}(?: (?:and )?{_SPELT})*)"
    r"\s?(?:euros?|pounds?|quid|dollars?|francs?|cents?|[£$€])?(?: (?:an?|per|each|every) \w+)?$",
    re.IGNORECASE,
)
"""Of money; a bare number may be one."""
DURATION = re.compile(
    rf"^(?:an?|{NUMERAL}|several|a few|a couple of|half an|the whole) (?:minute|hour|day|night|weekend|week|fortnight|month|year|decade)s?$"
)
"""How long something takes."""
SPOTS = {"in", "at", "on", "near", "under", "behind", "above", "below", "beside", "between", "inside", "outside", "over"}
"""Prepositions of places."""


@dataclass(frozen=True)
class Cue:
    """A question and the words of the statement that answer it."""

    question: str
    answer: str
    """In the asker's voice, copied from the statement."""
    indirect: str = ""
    """The question as a subordinate clause: `when my piano lesson is`; empty where it has no such form."""
    reversed: bool = False
    """Whether it asks for what the statement is about, from what it says of it: *Who lives in Porto?*"""


def ask(wh: str, auxiliary: str, subject: str, rest: str, answer: str) -> Cue:
    """`wh auxiliary subject rest?` with its subordinate form; *do* vanishes there and leaves its tense on the verb."""
    verb, _, after = rest.partition(" ")
    if auxiliary == "did":
        indirect = f"{subject} {inflect(verb, 'VBD')} {after}"
    elif auxiliary == "does":
        indirect = f"{subject} {inflect(verb, 'VBZ')} {after}"
    elif auxiliary == "do":
        indirect = f"{subject} {rest}"
    else:
        indirect = f"{subject} {auxiliary} {rest}"
    return Cue(f"{wh} {auxiliary} {subject} {rest}".strip() + "?", answer, f"{wh.lower()} {indirect}".strip())


def is_name(subject: str) -> bool:
    """Whether a subject is somebody's name alone: *Nimbus*, *Uncle Anselm*."""
    return bool(re.fullmatch(r"(?!(?:My|Our|The|This|That)$)(?:(?:Uncle|Aunt|Auntie|Grandma|Grandpa|Cousin) )?[A-ZÀ-Þ][a-z]+", subject))


def is_somebody(phrase: str) -> bool:
    """Whether a phrase is about a person, as far as words tell: *Tom Hale*, *a man in Whitby*, *my old landlord*."""
    head = re.split(r" (?:in|from|at|of|with|on|who|called)\b", phrase)[0]
    named = (
        all(word[:1].isupper() and not ACRONYM.search(word) for word in head.split())
        and len(head.split()) <= 2
        and not re.match(r"(?:My|Our|The|An?|This|That|His|Her|Its|Their) ", phrase)
    )
    called = re.search(rf"\b(?:{KIN}|\w+-in-law),? [A-ZÀ-Þ]", head)
    return bool(PERSON_NOUN.search(head) or called or named)
