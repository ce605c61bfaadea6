"""What somebody does, asked for: what and whom, how many, when, where, how long, with whom and for how much."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from engrain.memory.answer_type import COLOURS
from engrain.memory.clauses import (
    COPULA,
    DETERMINERS,
    MODAL,
    PREPOSITIONS,
    Clause,
    is_participle,
    is_time,
    joined,
    main_clause,
    phrases_of,
    time_clause,
)
from engrain.memory.cue import AMOUNT, CALLED_SO, COUNT, DURATION, IN_COLOUR, MEASURED, NUMERAL, PERSON_NOUN, SPOTS, Cue, ask, is_somebody
from engrain.memory.voice import inflect, is_past, lemma

_MEETING = {"meet", "marry", "hire", "phone", "hug", "owe", "call", "visit", "invite", "thank", "ask"}
_POINTING = {"it", "them", "this", "that", "these", "those", "there", "him", "her"}
_GIVING = {"give", "lend", "sell", "send", "show", "teach", "pay", "write", "owe", "offer", "lease"}
"""What is done *to* somebody."""
_COLOURED = re.compile(
    rf"^(?P<thing>(?:my|our|the|his|her|their) .+?) (?P<colour>(?:(?:pale|bright|deep|mid|soft|[a-z]+ish) )?(?:(?:{COLOURS}) )*(?:{COLOURS}))$"
)
_PAINTING = {"paint", "repaint", "dye", "spray", "colour", "color"}
_ORDINAL = re.compile(r"^(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|runner-up|\d+(?:st|nd|rd|th))$")
_RANKED = {"finish", "come", "place", "end", "rank"}
_CONTEST = re.compile(r"\b(?:tournament|race|competition|contest|quiz|match|marathon|championships?|league|election|exam|final)$")
_BY_PLACE = re.compile(
    r"^(?:the |a )?(?:(?:Lake|River|Loch)\b.*"
    r"|(?:.* )?(?:lake|river|sea|seaside|beach|coast|station|canal|harbour|window|door|fire|entrance|road|bridge|pond))$"
)
"""What one is *by*, and it did nothing."""
_LODGING = re.compile(
    r"^an? (?P<noun>(?:[a-z]+ )?(?:cabin|house|flat|cottage|room|hut|apartment|garden|allotment|office|studio|villa|caravan|boat|place))$"
)
_OFTEN = re.compile(rf"^(?:(?P<obj>.+?) )?(?P<often>(?:once|twice|(?:{COUNT}|several|many|a few|a couple of) times)(?: (?:an?|per|every) [a-z]+)?)$")
"""*Latin twice*, *swimming three times a week*."""
_HURTING = {
    "sprain", "break", "twist", "cut", "burn", "injure", "hurt", "tear", "pull", "strain", "fracture", "bruise", "dislocate", "scrape",
    "lose", "ruin",
}  # fmt: skip
_WHILE = re.compile(r"^(?P<obj>(?:my|our|his|her|their|the|an?) .+?) (?P<doing>[a-z]{2,}ing(?: .+)?)$")
"""*my wrist lifting a sack*: what was being done stands behind what got hurt."""
_OF_MONEY = re.compile(r"^(?:an?|the) (?P<thing>(?:[a-z-]+ ){0,2}?[a-z-]+) of (?P<amount>.+)$")
"""*a deposit of 1,800 pounds*"""
_COUNTED = re.compile(rf"^(?P<many>{COUNT}) (?P<things>(?:[a-z-]+ ){{0,2}}?[a-z]+s)$")
_SIZED = re.compile(r"^an? size (?P<size>\d\S*) (?P<thing>[a-z]+)$")
_AGED = re.compile(rf"^when (?:I|we|he|she|they) (?:was|were) (?P<age>{NUMERAL})(?: years old)?$")
_WANTING = {
    "want", "ask", "tell", "remind", "need", "expect", "allow", "advise", "teach", "help", "invite", "order", "encourage", "force", "urge", "get",
}  # fmt: skip
_LETTING = {"let", "make", "help"}
_CHANGING = {"switch", "change", "move", "shift", "swap"}
_COMING = {"come", "fly", "drive", "travel", "move", "sail", "walk", "return", "originate", "hail"}
_LOCATED = {
    "live", "sleep", "sit", "stand", "lie", "hang", "keep", "park", "hide", "put", "store", "plant", "open", "lose", "leave", "find", "meet", "buy",
}  # fmt: skip
"""What is done *on* something is done there."""
_TAUGHT = {
    "course", "class", "classes", "lesson", "lessons", "degree", "exam", "exams", "diploma", "certificate", "workshop", "PhD", "master's", "lectures",
}  # fmt: skip
"""What is *in* a subject, not in a place."""
_RECIPIENT = {"me", "us", "him", "her", "them", "mum", "dad", "mom", "grandma", "grandpa"}
_PLACES = {"in", "at", "near"}
_LONG = 8
"""With more words than this beside it nobody asks for something."""
_PARTICLES = {"up", "out", "off", "down", "back", "away", "over"}


def deeds(clause: Clause) -> Iterator[Cue]:
    """The questions of a clause that tells a deed."""
    deed = turned(clause)
    if deed is not None:
        yield from around(*deed, times=clause.times)


def turned(clause: Clause) -> tuple[str, str, str, tuple[str, ...]] | None:
    """(auxiliary, subject, verb, the rest) as a question has them: *did*, *I*, *lend*, *my drill to Tom*; None where no question can be made."""
    subject, verb, rest = clause.asked_subject, clause.verb, clause.rest
    if not rest:
        return None
    modal = verb in MODAL - {"has", "have", "had"} or verb.endswith("n't")
    if modal and len(rest) > 1 and lemma(rest[0]) and rest[0].lower() not in {"a", "an", "the"}:
        return verb, subject, rest[0], rest[1:]
    base = lemma(verb)
    if verb in {"have", "has", "had"} and len(rest) > 2 and rest[0].lower() == "been" and _has_done(rest[1]):
        return verb, subject, f"been {rest[1]}", rest[2:]
    if verb in {"have", "has", "had"} and len(rest) > 1 and (_has_done(rest[0]) or rest[0].lower() == "had"):
        return verb, subject, rest[0], rest[1:]
    if base is None or (base == "have" and rest[0].lower().endswith(("ed", "en")) and not rest[0].istitle()):
        return None
    if is_past(verb, base) or (verb.endswith("ed") and verb != base):
        return "did", subject, base, rest
    third = not (clause.pronoun or subject.startswith(("my parents", "we ")))
    return "does" if third and verb != base else "do", subject, base, rest


def _has_done(word: str) -> bool:
    """*been living*, *been taken on*, *read*, *put*: what stands behind *have*."""
    base = lemma(word) if word.islower() else None
    return base is not None and (word.endswith("ing") or word == inflect(base, "VBN"))


@dataclass(frozen=True)
class _Deed:
    """What a subject does, taken apart: *did* I *lend* *my drill* (*to* *Tom*)."""

    auxiliary: str
    subject: str
    verb: str
    obj: str
    phrases: list[tuple[str, str]]

    @property
    def base(self) -> str | None:
        """The verb's base form, without what belongs to it: *get* of *get paid*."""
        return lemma(self.verb.split(" ", 1)[0])

    @property
    def middle(self) -> str:
        """Verb and object."""
        return f"{self.verb} {self.obj}".strip()

    def ask(self, wh: str, rest: str, answer: str) -> Cue:
        """What or whom or when it is done."""
        return ask(wh, self.auxiliary, self.subject, rest, answer)


def around(auxiliary: str, subject: str, verb: str, rest: tuple[str, ...], whole: str | None = None, times: tuple[str, ...] = ()) -> Iterator[Cue]:
    """Ask for the object, for the time and for each prepositional phrase of `subject verb rest`; `times` are told apart already."""
    then, rest = time_clause(rest), main_clause(rest)
    verb, rest, done = _whole_verb(verb, rest)
    if done:
        yield ask("What", auxiliary, subject, f"{verb.rsplit(' ', 1)[0]} do", done)
    obj, phrases = phrases_of(rest)
    deed = _Deed(auxiliary, subject, verb, obj, [*phrases, *(("", time) for time in times)])
    if often := _OFTEN.match(deed.obj):
        deed = replace(deed, obj=often["obj"] or "")
        yield deed.ask("How often", deed.middle, often["often"])
    elif deed.phrases and (often := _OFTEN.match(deed.phrases[-1][1])) and often["obj"]:  # *been to Japan twice*
        *others, (preposition, _) = deed.phrases
        deed = replace(deed, phrases=[*others, (preposition, often["obj"])])
        yield deed.ask("How often", " ".join([deed.middle, *(f"{p} {i}".strip() for p, i in deed.phrases)]), often["often"])
    hurt = _WHILE.match(deed.obj) if deed.base in _HURTING else None
    if hurt:
        deed = replace(deed, obj=hurt["obj"])
        yield deed.ask("How", deed.middle, hurt["doing"])
    coloured = _COLOURED.match(deed.obj) if deed.base in _PAINTING else None
    if coloured:
        deed = replace(deed, obj=coloured["thing"])
        yield deed.ask("What colour", deed.middle, coloured["colour"])
        yield ask("What colour", "is", deed.obj, "", coloured["colour"])
    yield from _of_object(deed)
    if then:
        yield deed.ask("Since when" if then.startswith("since") else "When", deed.middle, then.removeprefix("since "))
        aged = _AGED.match(then)
        if aged and auxiliary == "did":
            first, _, after = deed.middle.partition(" ")
            yield Cue(f"How old was {subject} when {subject} {inflect(first, 'VBD')} {after}".strip() + "?", aged["age"])
    way = _from_to(deed.phrases)
    if way and all(map(is_time, way)):
        if deed.base in _CHANGING:
            yield deed.ask("What", f"{deed.middle} from", way[0])
            yield deed.ask("What", f"{deed.middle} to", way[1])
        else:
            yield deed.ask("When", deed.middle, f"from {way[0]} to {way[1]}")
    elif way:
        yield deed.ask("Where", deed.middle, f"from {way[0]} to {way[1]}")
        yield deed.ask("Where", f"{deed.middle} from", way[0])
        yield deed.ask("Where", f"{deed.middle} to", way[1])
    for index, (preposition, inner) in enumerate(deed.phrases):
        if inner.lower() not in _POINTING and not (way and inner in way and preposition in {"from", "to"}):  # *in it*: nobody knows later in what
            yield from _of_phrase(deed, index)
    if whole and not deed.obj and not deed.phrases:
        yield Cue(whole, f"{verb} {joined(rest)}")


def _whole_verb(verb: str, rest: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
    """(the verb with what belongs to it, the rest, what answers *What do I want to do?*; empty where that cannot be asked)."""
    twice = len(rest) > 1 and {rest[0].lower(), rest[1].lower()} <= PREPOSITIONS  # *taken on as*
    if rest and (rest[0].lower() in _PARTICLES or rest[0].lower() == "of" or twice):  # *moved out*, *afraid of*
        return f"{verb} {rest[0].lower()}", rest[1:], ""
    if len(rest) > 1 and rest[0].lower() == "to" and lemma(rest[1]) == rest[1]:  # *want to repaint*
        return f"{verb} to {rest[1]}", rest[2:], rest[1] if len(rest) == 2 or rest[2].lower() in PREPOSITIONS else ""
    first = verb.split(" ", 1)[0]
    if rest and lemma(first) == "get" and is_participle(rest[0]):  # *get paid*
        return f"{verb} {rest[0]}", rest[1:], ""
    if made := _made_to(first, rest):  # *wants me to take*, *lets us borrow*
        return f"{verb} {joined(rest[:made])}", rest[made:], joined(rest[made - 1 :])
    return verb, rest, ""


def _of_object(deed: _Deed) -> Iterator[Cue]:
    """What is done to what, how many of it, for whom and for how much."""
    if counted := _COUNTED.match(deed.obj):
        yield deed.ask(f"How many {counted['things']}", deed.verb, counted["many"])
    if sized := _SIZED.match(deed.obj):
        yield deed.ask(f"What size {sized['thing']}", deed.verb, sized["size"])
    if numbered := MEASURED.match(deed.obj):
        yield deed.ask(f"What {numbered['kind']}", deed.verb, numbered["value"])
    if deed.base in {"take", "last"} and DURATION.match(deed.obj):
        yield deed.ask("How long", deed.verb, deed.obj)
    if deed.base == "turn" and re.fullmatch(NUMERAL, deed.obj):
        yield Cue(f"How old {'am' if deed.subject == 'I' else 'is'} {deed.subject}?", deed.obj)
    if deed.base in _RANKED and _ORDINAL.match(deed.obj):
        after = " ".join(f"{p} {i}" for p, i in deed.phrases[:1] if p)
        yield Cue(f"Which place did {deed.subject} take {after}".strip() + "?", deed.obj)
        yield Cue(f"How did {deed.subject} do {after}".strip() + "?", deed.obj)
        return
    recipient, given = recipient_of(deed.obj)
    if (sum_of := _OF_MONEY.match(given)) and AMOUNT.match(sum_of["amount"]):
        be = {"did": "was", "do": "is", "does": "is"}.get(deed.auxiliary, "is")
        yield Cue(f"How much {be} the {sum_of['thing']}?", sum_of["amount"], f"how much the {sum_of['thing']} {be}")
    if AMOUNT.match(given) and not given.isdigit() and deed.base != "turn":
        thing = " ".join(f"{p} {i}" for p, i in deed.phrases[:1] if p in {"for", "on", "to"})
        yield deed.ask("How much", " ".join(filter(None, (deed.verb, recipient, thing))), given)
    if recipient:
        yield from _beside(deed, "What", f"{deed.verb} {recipient}", given)
        if recipient[:1].isupper() and deed.base in _GIVING:
            yield deed.ask("Who", f"{deed.verb} {given} to", recipient)
    elif deed.obj.startswith("like "):
        yield deed.ask("What", f"{deed.verb} like", deed.obj.removeprefix("like "))
    elif deed.obj and deed.obj.lower() not in {"here", "there"} and not deed.obj.lower().startswith(("that ", "if ", "how ")):
        so_called = CALLED_SO.match(deed.obj)
        somebody = deed.base in _MEETING and (deed.obj[:1].isupper() or bool(PERSON_NOUN.search(deed.obj)))
        yield from _beside(deed, "Who" if somebody else "What", deed.verb, so_called["name"] if so_called else deed.obj)


def _beside(deed: _Deed, wh: str, rest: str, answer: str) -> Iterator[Cue]:
    """The question without what else is said, and with it: *What do we have? What do we have for breakfast on Sundays?*"""
    yield deed.ask(wh, rest, answer)
    along = " ".join(f"{preposition} {inner}".strip() for preposition, inner in deed.phrases)
    if along and len(along.split()) <= _LONG and not any(inner.lower() in _POINTING for _, inner in deed.phrases):
        yield deed.ask(wh, f"{rest} {along}", answer)


def _of_phrase(deed: _Deed, index: int) -> Iterator[Cue]:
    """When, where, how long, to whom, with what: one prepositional phrase."""
    phrases, (preposition, inner) = deed.phrases, deed.phrases[index]
    phrase = f"{preposition} {inner}".strip()
    before = " ".join([deed.middle, *(f"{p} {i}".strip() for p, i in phrases[:index] if p)])
    if preposition == "for" and DURATION.match(inner):
        yield deed.ask("How long", before, phrase)
    elif preposition == "since":
        yield deed.ask("Since when", before, inner)
    elif preposition in {"until", "till"} and is_time(inner):
        yield deed.ask("Until when", before, inner)
    elif is_time(phrase):
        yield deed.ask("How often" if _OFTEN.fullmatch(phrase) else "When", before, phrase)
    elif preposition == "by" and _BY_PLACE.match(inner):
        yield deed.ask("Where", deed.middle, phrase)
        yield from _lodging(deed, phrase)
    elif preposition == "from" and inner[:1].isupper() and deed.base in _COMING:
        yield deed.ask("Where", f"{before} from", inner)
    elif preposition == "in" and (inner[:1].isdigit() or _CONTEST.search(inner) or deed.obj.rsplit(" ", 1)[-1] in _TAUGHT):
        yield deed.ask("What", f"{before} in", inner)
    elif preposition == "in" and IN_COLOUR.match(inner):
        yield deed.ask("What colour", f"{before} in", inner)
    elif preposition == "to" and deed.base in _GIVING | {"belong"}:
        yield deed.ask("Who", f"{before} to", inner)
    elif (
        preposition in SPOTS - {"on", "over", "between"} | {"into", "onto", "beneath", "opposite"}
        or (preposition == "to" and inner[:1].isupper())
        or (preposition == "on" and deed.base in _LOCATED)
    ):
        before_it = phrases[index - 1] if index else ("", "")
        if before_it[0] not in _PLACES and not _is_source(*before_it):  # "in a hut near Bergen" is one place
            place = " ".join([phrase, *_places(phrases[index + 1 :])])
            yield deed.ask("Where", deed.middle, place)
            yield from _lodging(deed, place)
    elif preposition != "every":
        if _is_source(preposition, inner):
            inner = " ".join([inner, *_places(phrases[index + 1 :])])
        so_called = CALLED_SO.match(inner)
        inner = so_called["name"] if so_called else inner
        named = bool(PERSON_NOUN.search(so_called["what"])) if so_called else is_somebody(inner)
        yield deed.ask("Who" if preposition in {"with", "from", "by"} and named else "What", f"{before} {preposition}", inner)
        if preposition == "by" and not index and not deed.obj and deed.auxiliary in COPULA and deed.base and is_participle(deed.verb):
            active = inflect(deed.base, "VBZ" if deed.auxiliary in {"is", "are"} else "VBD")
            yield Cue(f"{'Who' if re.search('[A-ZÀ-Þ]', inner) else 'What'} {active} {deed.subject}?", inner)


def _lodging(deed: _Deed, place: str) -> Iterator[Cue]:
    """*We've booked a cabin by Lake Siljan* → where is our cabin?"""
    lodging = _LODGING.match(deed.obj)
    if lodging and deed.subject in {"I", "we"} and deed.verb in {"have", "book", "booked", "rent", "rented", "bought", "own", "buy", "got"}:
        yield ask("Where", "is", f"{'my' if deed.subject == 'I' else 'our'} {lodging['noun']}", "", place)


def _made_to(first: str, rest: tuple[str, ...]) -> int:
    """How many words *me to take* or *us borrow* has, where somebody is wanted, asked or allowed to do something; 0 where nobody is."""
    if len(rest) < 3 or not (rest[0].lower() in _RECIPIENT or rest[0][:1].isupper()):
        return 0
    if lemma(first) in _WANTING and rest[1].lower() == "to" and lemma(rest[2]) == rest[2]:
        return 3
    if lemma(first) in _WANTING and [word.lower() for word in rest[1:3]] == ["not", "to"] and len(rest) > 3 and lemma(rest[3]) == rest[3]:
        return 4
    return 2 if lemma(first) in _LETTING and lemma(rest[1]) == rest[1] and rest[1].lower() not in DETERMINERS else 0


def _from_to(phrases: list[tuple[str, str]]) -> tuple[str, str] | None:
    """(*Vienna*, *Budapest*) of *from Vienna to Budapest*."""
    for (one, start), (other, end) in pairwise(phrases):
        if (one, other) == ("from", "to") and start[:1].isupper() and end[:1].isupper():
            return start, end
    return None


def recipient_of(obj: str) -> tuple[str, str]:
    """(*me*, *60 pounds*) of *me 60 pounds*; ("", object) where nobody is given anything."""
    first, _, rest = obj.partition(" ")
    following = rest.split(" ", 1)[0].lower()
    person = first.lower() in _RECIPIENT or (first[:1].isupper() and bool(rest) and (rest[:1].islower() or rest[:1].isdigit()))
    if person and first.lower() != "i" and (following in DETERMINERS or following[:1].isdigit() or AMOUNT.match(rest)):
        return first, rest
    return "", obj


def _is_source(preposition: str, inner: str) -> bool:
    """Whether something comes *from a shelter*, whose place belongs to it; *from Tom* has none."""
    return preposition == "from" and inner[:1].islower()


def _places(phrases: list[tuple[str, str]]) -> Iterator[str]:
    """The phrases of place with which a list of phrases begins."""
    for preposition, inner in phrases:
        if preposition not in _PLACES or is_time(f"{preposition} {inner}"):
            return
        yield f"{preposition} {inner}"


def object_of(clause: Clause) -> str:
    """What is done something to; of what is painted, without the colour."""
    found = phrases_of(main_clause(clause.rest))[0]
    coloured = _COLOURED.match(found) if lemma(clause.verb) in _PAINTING else None
    return coloured["thing"] if coloured else found
