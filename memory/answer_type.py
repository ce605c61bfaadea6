"""What kind of answer a question asks for (question classification, Li and Roth 2002), and whether an answer is of that kind.

*When is the boiler serviced?* is not answered by a name, however sure a small model is of it.
"""

from __future__ import annotations

import re
from enum import StrEnum


class AnswerType(StrEnum):
    """The kinds that words alone can tell apart."""

    TIME = "time"
    AMOUNT = "amount"
    COLOUR = "colour"
    PLACE = "place"
    PERSON = "person"
    WAY = "way"  # how, why
    THING = "thing"  # anything else


_TIMES = (
    r"january|february|march|april|may|june|july|august|september|october|november|december|(?:mon|tues|wednes|thurs|fri|satur|sun)day|spring|summer|"
    r"autumn|fall|winter|morning|afternoon|evening|night|noon|midnight|year|month|week|weekend|day|today|tomorrow|yesterday|every|ago|last|next|"
    r"christmas|easter|birthday|o'clock|daily|weekly|monthly|once|twice|always|never|before|after|breakfast|lunch|dinner|dawn|dusk|hour|minute|weekday|century|decade"
)
_NUMBERS = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|"
    r"thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|year|month|week|day|hour|minute|second|all|half|dozen|first|second|third|several|many|few|couple|none|free|nothing"
)
COLOURS = (
    r"red|green|blue|yellow|white|black|brown|grey|gray|pink|purple|orange|violet|beige|gold|golden|silver|turquoise|cream|crimson|navy|teal|tabby|"
    r"dark|light|blond|blonde|ginger|sage|mustard|maroon|lilac|indigo|olive|coral|copper|bronze|ivory"
)
_PLACES = (
    r"place|city|town|country|village|street|road|lake|building|room|house|address|region|area|floor|island|state|neighbou?rhood|location|"
    r"shop|station|airport|park|beach"
)
_ASKS = (
    (AnswerType.COLOUR, re.compile(r"\b(?:what|which) colou?rs?\b")),
    (AnswerType.TIME, re.compile(r"\bwhen\b|\b(?:what|which) (?:days?|dates?|time|year|month|season|week|weekday)\b|\bhow often\b")),
    (AnswerType.AMOUNT, re.compile(r"\bhow (?:many|much|old|tall|long|big|far|heavy|high|fast|large|wide|deep)\b|\b(?:what|which) number\b")),
    (AnswerType.PLACE, re.compile(rf"\bwhere\b|\b(?:what|which) (?:{_PLACES})\b")),
    (AnswerType.PERSON, re.compile(r"\bwho(?:m|se)?\b")),
    (AnswerType.THING, re.compile(r"\b(?:what|which)\b")),
    (AnswerType.WAY, re.compile(r"\b(?:how|why)\b")),
)
_HOLDS = {
    AnswerType.TIME: re.compile(rf"\d|\b(?:{_TIMES})s?\b"),
    AnswerType.AMOUNT: re.compile(rf"\d|\b(?:{_NUMBERS})s?\b"),
    AnswerType.COLOUR: re.compile(rf"\b(?:{COLOURS})(?:ish)?\b"),
}
_MOMENT = rf"(?:the )?(?:[\d:.,]+(?:st|nd|rd|th)?|of|{_TIMES}| )+"
_NOBODY = re.compile(rf"(?:in|at|on|near|under) .*|{_MOMENT}")
"""A place or a time, and nobody's name."""
_LONE_NAME = re.compile(r"[A-Z][a-z]+")
"""*April* may be somebody."""
_NOWHERE = re.compile(_MOMENT)
_YEAR = re.compile(r"(?:in )?(?:19|20)\d\d")
_NUMBERED = re.compile(r"\b(?:number|code|pin|digits?|combination|password|passcode|key|year|date|age|time|sum|amount|total|score|size|model)s?\b")
"""What a number like a year may be."""


def answer_type(question: str) -> AnswerType:
    """By the first words that tell; THING where none does.

    >>> answer_type("In which town does Ines live?")
    <AnswerType.PLACE: 'place'>
    """
    asked = question.lower()
    found = [(match.start(), order, kind) for order, (kind, pattern) in enumerate(_ASKS) if (match := pattern.search(asked))]
    return min(found)[2] if found else AnswerType.THING


def fits(question: str, answer: str) -> bool:
    """Whether an answer may be of the kind that is asked for; only what words alone rule out does not.

    >>> fits("When is the boiler serviced?", "Duncan Fife"), fits("When is the boiler serviced?", "in May")
    (False, True)
    """
    kind, said = answer_type(question), answer.lower().strip(" .")
    if kind is AnswerType.PERSON:
        return bool(_LONE_NAME.fullmatch(answer.strip(" ."))) or not _NOBODY.fullmatch(said)
    if kind is AnswerType.PLACE:
        return not _NOWHERE.fullmatch(said)
    if kind in (AnswerType.THING, AnswerType.WAY) and _YEAR.fullmatch(said):
        return bool(_NUMBERED.search(question.lower()))
    return kind not in _HOLDS or bool(_HOLDS[kind].search(said))
