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


CALENDAR = r"january|february|march|april|may|june|july|august|september|october|november|december|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
"""Months and days, as a pattern."""
_TIMES = (
    rf"{CALENDAR}|spring|summer|"
    r"autumn|fall|winter|morning|afternoon|evening|night|noon|midnight|year|month|week|weekend|day|today|tomorrow|yesterday|every|ago|last|next|"
    r"christmas|easter|birthday|o'clock|moment|daily|weekly|monthly|once|twice|always|never|before|after|breakfast|lunch|dinner|dawn|dusk|hour|minute|weekday|century|decade"
)
_COUNTS = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|"
    r"thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|all|half|dozen|several|many|few|couple|none|free|nothing"
)
_NUMBERS = rf"{_COUNTS}|year|month|week|day|hour|minute|second(?!-hand)|first|third"
COLOURS = (
    r"red|green|blue|yellow|white|black|brown|grey|gray|pink|purple|orange|violet|beige|gold|golden|silver|turquoise|cream|crimson|navy|teal|tabby|"
    r"dark|light|blond|blonde|ginger|sage|mustard|maroon|lilac|indigo|olive|coral|copper|bronze|ivory"
)
PLACES = (
    r"place|city|town|country|village|street|road|lake|building|room|house|address|region|area|floor|island|state|neighbou?rhood|location|"
    r"shop|station|airport|park|beach"
)
WHAT = r"\b(?:what|which)\b"
_ASKS = (
    (AnswerType.COLOUR, re.compile(rf"{WHAT} colou?rs?\b")),
    (
        AnswerType.TIME,
        re.compile(
            rf"\bwhen\b|\bhow (?:often|frequently)\b|{WHAT} (?:day|date|time|year|month|season|week|weekday)s?\b"
            rf"|{WHAT} (?:evening|morning|\w+day)s? (?:is|are|was|do|does|did|will)\b"
        ),
    ),
    (
        AnswerType.AMOUNT,
        re.compile(
            r"\bhow (?:many|much|old|tall|long|big|far|heavy|high|fast|large|wide|deep)\b"
            rf"|{WHAT} (?:number|size|dos(?:e|age))\b|\bwhat(?:['’]s| (?:is|was|are|were|do|does|did))(?! the name)(?: [\w’'-]+){{0,6}}? "
            r"(?:number|postcode|pin|costs?|price|fee|rent|salary|wages?|budget|earn|charge|weigh)\b"
        ),
    ),
    (AnswerType.PLACE, re.compile(rf"\bwhere\b|{WHAT} (?:{PLACES})\b")),
    (AnswerType.PERSON, re.compile(r"\bwho(?:m|se)?\b")),
    (AnswerType.THING, re.compile(WHAT)),
    (AnswerType.WAY, re.compile(r"\b(?:how|why)\b")),
)
_HOLDS = {
    AnswerType.TIME: re.compile(rf"\d|\b(?:{_TIMES})s?\b"),
    AnswerType.AMOUNT: re.compile(rf"\d|\b(?:{_NUMBERS})s?\b"),
    AnswerType.COLOUR: re.compile(rf"\b(?:{COLOURS})(?:ish)?\b"),
}
_MOMENT = rf"(?:(?:in|on|at|the|of|an?|one|two|three|four|five|six|seven|eight|nine|ten|few|couple|[\d:.,]+(?:st|nd|rd|th)?|{_TIMES})s?,?(?: |$))+"
_NOBODY = re.compile(rf"(?:in|at|on|near|under) .*|{_MOMENT}")
"""A place or a time, and nobody's name."""
_COUNTED = re.compile(rf"{WHAT} (?:room|floor|house|building)\b")
_NUMBER = re.compile(r"\d{1,4}[a-z]?")
"""*Which room?* may be told by a number."""
_RANK = re.compile(r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last")
_LONE_NAME = re.compile(r"[A-ZÀ-Þ][a-z]+")
"""*April* may be somebody."""
_WHEN = re.compile(_MOMENT)
_HOW_MUCH = re.compile(r"\bhow much\b(?! time)")
_SUM = re.compile(rf"(?<!number )(?<!no\. )\b\d|[£€$]|\b(?:{_COUNTS}|lot|bit|little|everything)s?\b")
"""*How much?* is answered by a sum, and by no span of time and no house number."""
_YEAR = re.compile(r"(?:in )?(?:19|20)\d\d")
MONEY = re.compile(r"[£€$]|\b(?:pound|quid|euro|dollar|cent)s?\b")
"""A sum."""
_TRADE = re.compile(r"\bdo(?:es)? for a living\b|\b(?:job|profession|occupation|trade|line of work)\?|\bwork as\?")
"""What asks for a trade, which is no amount."""
_HOUR = re.compile(r"\b(?:what|which) (?:time|hour)\b(?! of)")
_CLOCK = re.compile(
    rf"\d|\b(?:{_NUMBERS}|noon|midnight|midday|dawn|dusk|sunrise|sunset|morning|afternoon|evening|night|before|after|lunch|lunchtime|breakfast|dinner|o'clock)s?\b"
)
"""*What time?* is answered by an hour, and not by a day."""
_DAY = re.compile(rf"\b(?:{CALENDAR}|week|weekend|year|month)s?\b")
_PHONE = re.compile(r"\b(?:phone|telephone|mobile)\b.*\bnumber\b|\bnumber\b.*\b(?:dial|call|ring)\b")
_CODE = re.compile(r"\b[a-z][\w'’-]*\d[\w-]*")
"""A password, a flight, a plate."""
_WEIGHED = re.compile(r"\b(?:kilo|kg|gram|pound|stone|mile|kilomet\w+|met(?:re|er)|litre|liter|inch|euro|dollar|quid|degree|percent)\w*\b|[£€$%]")
"""Of these nobody's age is told."""
_DATED = re.compile(rf"\b(?:(?:{CALENDAR})s?|ago|last|next|every|yesterday|today|tomorrow)\b")
"""Of these a moment has one; without, it may be a number."""
_TIMELY = re.compile(
    r"\b(?:when|dates?|days?|\w+days?|times?|deadline|due|schedule|timetable|months?|years?|seasons?|weeks?|evenings?|mornings?|afternoons?|nights?|"
    r"anniversary|appointments?|slots?|shifts?|hours?|expir\w+|term|period|often|frequen\w+)\b"
)
"""What asks for a time, though not with *when*."""
_BY_THE_WAY = re.compile(
    r"(?<=[a-z] )when\b.*|\b(?:each|every|this|last|next|(?:on|in|at|during|since)(?: the)?) (?:\w+day |weekend )?(?:\w+day|morning|afternoon|"
    r"evening|night|day|weekend|week|month|year|spring|summer|autumn|winter)s?\b"
)
"""*when I skied, each morning*: a time that is told and not asked for."""
_PROPER = re.compile(rf"{WHAT} (?:school|college|university|airline|hospital|airport|country|city|town|village)s? (?!of\b)")
"""What has a name of its own, or is told by one."""
NAMED = re.compile(r"\bcalled\b|\b(?:sur)?name\b|\bnamed\b|\bnames\b")
_NAMELESS = re.compile(r"(?:an?|my|your|our|his|her|their) [a-z' -]+")
"""Somebody or something described: *your brother* is nobody's name."""
_SENTENCE = re.compile(r"(?:you|i|we|they|he|she|it) ")
NUMBERED = re.compile(r"\b(?:number|code|pin|digits?|combination|password|passcode|key|year|date|age|time|sum|amount|total|score|size|model)s?\b")
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
    kind, asked, stated, said = answer_type(question), question.lower(), answer.strip(" ."), answer.lower().strip(" .")
    if _HOUR.search(asked):
        return bool(_CLOCK.search(_DAY.sub("", said)))
    if ruled_out(question, answer):
        return False
    if NAMED.search(asked) and _NAMELESS.fullmatch(stated[:1].lower() + stated[1:]):
        return False
    if kind is AnswerType.PERSON and _SENTENCE.match(said):
        return any(word[0].isupper() and word not in question for word in stated.split()[1:])
    if kind is AnswerType.PERSON:
        return not _RANK.fullmatch(said) and (bool(_LONE_NAME.fullmatch(stated)) or not _NOBODY.fullmatch(said))
    if kind is AnswerType.PLACE:
        return not _WHEN.fullmatch(said) or bool(_COUNTED.search(asked) and _NUMBER.fullmatch(said))
    if kind in (AnswerType.THING, AnswerType.WAY) and _YEAR.fullmatch(said):
        return bool(NUMBERED.search(asked))
    if kind is AnswerType.TIME and MONEY.search(said):
        return False
    if kind is AnswerType.THING and _TRADE.search(asked) and (MONEY.search(said) or any(char.isdigit() for char in said)):
        return False
    if kind is AnswerType.THING and _moment(said):
        return timely(question) or bool(_LONE_NAME.fullmatch(stated))
    if _PROPER.search(asked) and len(stated.split()) > 1:
        return any(word[0].isupper() or word[0].isdigit() for word in stated.split()[1:])
    if kind is AnswerType.AMOUNT and "how many" in asked and MONEY.search(said):
        return bool(MONEY.search(asked))
    if kind is AnswerType.AMOUNT and _moment(said):
        return bool(re.search(r"\bhow (?:long|far)\b", asked) or ("how old" in asked and re.search(r"\d{4}", said)))
    return kind not in _HOLDS or bool(_HOLDS[kind].search(said))


def ruled_out(question: str, answer: str) -> bool:
    """Whether an answer is of another kind whatever a fact has: no sum is a telephone number, no house number a price, no weight an age,
    no code a count."""
    asked, said = question.lower(), answer.lower().strip(" .")
    if _PHONE.search(asked) and MONEY.search(said):
        return True
    if "how many" in asked and _CODE.search(said) and not _counts(said):
        return True
    return bool("how old" in asked and _WEIGHED.search(said)) or bool(_HOW_MUCH.search(asked) and not _SUM.search(said))


def _counts(said: str) -> bool:
    """Whether there is a number that is no piece of a code: none in *mango-tren-77*."""
    return bool(_HOLDS[AnswerType.AMOUNT].search(_CODE.sub("", said)))


def timely(question: str) -> bool:
    """Whether a question speaks of time; *What broke when I skied?* does not."""
    return bool(_TIMELY.search(_BY_THE_WAY.sub("", question.lower())))


def _moment(said: str) -> bool:
    return bool(_DATED.search(said) and _WHEN.fullmatch(said))
