"""Cue probes: questions made from a statement by grammar, without a model.

The declarative sentence is taken apart (subject, verb, object, prepositional phrases) and each part is asked for, the
overgenerating transformations of Heilman & Smith, "Good Question!" (NAACL 2010); a ranking of the results is left to
the round trip in `distil`. Verb forms come from lemminflect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from engrain.memory.answer_type import CALENDAR, COLOURS
from engrain.memory.simplify import simpler
from engrain.memory.voice import COMPANY, KIN, TITLES, capital, inflect, is_adverb, lemma

_COPULA = {"is", "are", "was", "were", "am"}
_MODAL = {"can", "could", "will", "would", "should", "must", "may", "might", "has", "have", "had", "can't", "cannot", "won't", "couldn't"}
_PREPOSITIONS = {
    "in", "on", "at", "to", "for", "with", "from", "about", "of", "as", "by", "near", "into", "after", "before", "since",
    "until", "during", "under", "over", "through", "around", "between", "every", "against", "behind", "towards",
}  # fmt: skip
_TIME_WORD = (
    rf"{CALENDAR}|noon|midnight|morning|afternoon|evening|night|week|weekend|month|year|summer|winter|spring|"
    r"autumn|days?|o'clock|am|pm|christmas|easter|\d{1,2}:\d\d|(?:19|20)\d\d"
)
_TIME = re.compile(rf"\b(?:{_TIME_WORD})s?\b", re.IGNORECASE)
_UNITS = r"(?:minute|hour|day|night|weekend|week|month|year|spring|summer|autumn|winter)s?"
_BARE_TIME = re.compile(
    rf"(?:^|(?P<before>.+?) )(?P<time>(?:(?:last|next|this|every|each)(?: other| second| first)? (?:{_TIME_WORD})s?"
    r"(?: (?:morning|afternoon|evening|night))?"
    rf"|(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d+|some|a few|a couple of) {_UNITS} (?:ago|from now)"
    r"|yesterday|today|tonight|tomorrow)(?: (?:at|in|on) .+)?)$",
    re.IGNORECASE,
)
"""A time that no preposition begins, at the end of a phrase."""
_ACTIVITY = re.compile(r"^(?P<object>(?:my|our|his|her|the|an?) .+?) (?P<doing>[a-z]{2,}ing)$")
"""*my left wrist skiing*: what was being done stands behind the object."""
_PERSON_NOUN = re.compile(rf"\b(?:{KIN})$", re.IGNORECASE)
_TITLED = re.compile(rf"\b(?:{TITLES})\b")
_NAMED_KIN = re.compile(r"^(?P<owner>My|Our|[A-ZÀ-Þ]\w+'s) (?P<noun>(?:[a-z]+ ){0,2}[a-z]+),? (?P<name>[A-ZÀ-Þ]\w+(?: [A-ZÀ-Þ]\w+)?),?$")
_CALLED = re.compile(
    r"\b(?:(?:have|had|got|adopted|bought|own|is|has) )?(?:an?|my|our|the) (?P<noun>(?:[a-z]+ ){0,2}[a-z]+)"
    r"(?:,)? (?:called|named|whose name is) (?P<name>[A-ZÀ-Þ][\w']*(?: [A-ZÀ-Þ][\w']*)*)"
)
_NAMED_IT = re.compile(
    r"\b(?:adopted|bought|got|have|built|started|opened|has) (?:an?|the|my|our) (?P<noun>(?:[a-z]+ ){0,2}?[a-z]+)\b"
    r".*? and (?:named|called) (?:him|her|it|them) "
    r"(?P<name>[A-ZÀ-Þ][\w']*(?: [A-ZÀ-Þ][\w']*)*)"
)
_MEETING = {"meet", "marry", "hire", "phone", "hug"}
_POINTING = {"it", "them", "this", "that", "these", "those", "there", "him", "her"}
_IN_COLOUR = re.compile(rf"^(?:[a-z]+ )?(?:{COLOURS})$")
_GIVING = {"give", "lend", "sell", "send", "show", "teach", "pay", "write", "owe", "offer", "lease"}
"""What is done *to* somebody."""
_CALLED_SO = re.compile(r"^(?P<what>(?:an?|the|my|our|his|her) .+?) (?:called|named) (?P<name>[A-ZÀ-Þ].*)$")
_MEASURED = re.compile(r"^(?P<kind>size|number|room|platform|gate|seat) (?P<value>\d\S*|[A-ZÀ-Þ]\d\S*)$")
_ASIDE = re.compile(r"^(?P<first>.+?), (?:and )?(?P<thing>(?:the|its) (?:[a-z]+ ){0,2}?[a-z]+) (?P<be>is|are) (?P<value>.+)$")
_COLOURED = re.compile(
    rf"^(?P<thing>(?:my|our|the|his|her|their) .+?) (?P<colour>(?:(?:pale|bright|deep|mid|soft|[a-z]+ish) )?(?:(?:{COLOURS}) )*(?:{COLOURS}))$"
)
_PAINTING = {"paint", "repaint", "dye", "spray", "colour", "color"}
_COUNT = r"two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d+"
_COUNTED = re.compile(rf"^(?P<many>{_COUNT}) (?P<things>(?:[a-z-]+ ){{0,2}}?[a-z]+s)$")
_SIZED = re.compile(r"^an? size (?P<size>\d\S*) (?P<thing>[a-z]+)$")
_AGED = re.compile(rf"^when (?:I|we|he|she|they) (?:was|were) (?P<age>{_COUNT}|\w+teen|\w+ty(?:-\w+)?)(?: years old)?$")
_DURATION = re.compile(
    rf"^(?:an?|{_COUNT}|several|a few|a couple of|half an|the whole) (?:minute|hour|day|night|weekend|week|fortnight|month|year|decade)s?$"
)
_WANTING = {
    "want", "ask", "tell", "remind", "need", "expect", "allow", "advise", "teach", "help", "invite", "order", "encourage", "force", "urge", "get",
}  # fmt: skip
_LETTING = {"let", "make", "help"}
_COMING = {"come", "fly", "drive", "travel", "move", "sail", "walk", "return", "originate", "hail"}
_LOCATED = {
    "live", "sleep", "sit", "stand", "lie", "hang", "keep", "park", "hide", "put", "store", "plant", "open", "lose", "leave", "find", "meet", "buy",
}  # fmt: skip
"""What is done *on* something is done there."""
_WAYS = {"ferry", "train", "bus", "plane", "flight", "boat", "road", "way", "ship", "trip", "drive", "path", "entrance", "key", "door"}
"""*The ferry to Corsica* is one thing."""
_HERE = re.compile(r"(?<=\w) (?:there|here|too|again|together|as well)$")
_FEELING = {
    "afraid", "proud", "fond", "scared", "tired", "sick", "jealous", "terrified", "allergic", "married", "engaged", "addicted", "obsessed", "worried",
    "excited", "crazy", "passionate", "good", "bad", "interested", "intolerant", "famous", "keen", "responsible",
}  # fmt: skip
"""What somebody is *of*, *to*, *about* or *in* something."""
_STATES = {"live", "work"}
"""What somebody does in one place at a time."""
_OF_SOMEBODY = re.compile(r"(?:My|Our|The|[A-ZÀ-Þ]\w+'s)\b")
_ATTRIBUTE = re.compile(
    r"\b(?:favou?rite|name|code|number|password|address|birthday|size|colou?r|job|goal|plan|deadline|price|rent|salary|age|height|weight)\b",
    re.IGNORECASE,
)
_SEVERAL = {
    "sister", "brother", "son", "daughter", "cousin", "aunt", "uncle", "niece", "nephew", "friend", "neighbour", "neighbor", "colleague", "roommate",
    "flatmate", "grandmother", "grandfather", "grandma", "grandpa",
}  # fmt: skip
"""Of whom people may have more than one."""
_NAME_OF = "'s name"
_RECIPIENT = {"me", "us", "him", "her", "them", "mum", "dad", "mom", "grandma", "grandpa"}
_DETERMINERS = {
    "a", "an", "the", "my", "our", "his", "her", "their", "some", "any", "every", "this", "that", "these", "those",
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
}  # fmt: skip
_AMOUNT = re.compile(r"^(?:[£$€]\s?)?\d[\d,.]*\s?(?:euros?|pounds?|dollars?|francs?|cents?|[£$€])?(?: (?:an?|per) \w+)?$", re.IGNORECASE)
_SPLIT = re.compile(r"\d{1,3}(?:,\d{3})+|(?:Dr|Mr|Mrs|Ms|Prof|St)\.|[\w'’.:-]*[\w'’]|[,;–&-]")
_PLACES = {"in", "at", "near"}
_SPOTS = {"in", "at", "on", "near", "under", "behind", "above", "below", "beside", "between", "inside", "outside", "over"}
_PARTICLES = {"up", "out", "off", "down", "back", "away", "over"}
_FRONTED = re.compile(
    r"(?P<front>(?:(?:In|On|At|During|After|Before|By|For)(?! (?:I|we|he|she|they|it)\b) (?:[\w'’]+ ){0,3}?[\w'’]+"
    r"|(?:Last|Next|This|Every) (?:week|month|year|spring|summer|autumn|fall|winter|morning|evening|night|weekend|\w+day)))"
    r",? (?P<rest>(?:I|we|my|our|the|he|she|they)\b.+)$"
)
_NO_SUBJECT = {"now", "really", "here", "here's", "there", "there's", "then", "gonna", "totally", "since", "when", "if", "once", "it's", "lately"}


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


def cues(asked: str) -> list[Cue]:
    """The questions that a statement, in its asker's words, answers; none where its grammar is not understood.

    >>> [c.question for c in cues("My piano lesson is every Thursday at six.")]
    ['When is my piano lesson?']
    """
    sentence = _first_sentence(asked)
    unique: dict[str, Cue] = {}
    for one in (sentence, *simpler(sentence)):
        for cue in _cues(one):
            if cue.answer and len(cue.question.split()) >= 3:
                unique.setdefault(cue.question, cue)
    return list(unique.values())


def _cues(sentence: str) -> list[Cue]:
    found = [*_naming(sentence)]
    parsed = _parse(sentence)
    if parsed is not None:
        kin = _NAMED_KIN.match(parsed.subject)
        for clause in (parsed, *([replace(parsed, subject=kin["name"])] if kin else [])):  # "my sister Ines" is asked for by either
            for part in (clause, *_further(clause)):
                found += _copular(part) if part.verb in _COPULA else _verbal(part)
        found += _reversed(parsed)
        aside = _ASIDE.match(sentence)
        if aside:
            of = "" if parsed.pronoun else f" of {parsed.asked_subject}"
            found.append(_ask("What", aside["be"], re.sub("^its", "the", aside["thing"]) + of, "", aside["value"]))
    return found


def _further(clause: _Clause) -> Iterator[_Clause]:
    """What else is said of the same subject: *... is called Ada and charges 15 pounds.*"""
    for at, token in enumerate(clause.rest[:-2]):
        if at and token.lower() == "and" and _finite(clause.rest[at + 1]) and not clause.rest[at + 1].lower().endswith("ing"):
            if clause.pronoun and clause.rest[at + 1].lower() in {"is", "are", "was", "were", "has"}:
                return
            yield replace(clause, verb=clause.rest[at + 1].lower(), rest=clause.rest[at + 2 :])
            return


def settled(asked: str) -> tuple[str, dict[str, str]]:
    """(the words a statement begins with, the answer to each question that can have only one at a time); nothing where it has none.

    A newer statement that answers one of them otherwise takes the older one's place. What may well be true side by side is
    left out: two brothers, two allergies, two things that were done.

    >>> settled("My locker code is 4417.")
    ('My locker code', {'What is my locker code?': '4417'})
    >>> settled("I'm allergic to cashews.")
    ('', {})
    """
    sentence = _first_sentence(asked)
    parsed = _parse(sentence)
    if parsed is None:
        return "", {}
    base = lemma(parsed.verb)
    if base in _STATES and parsed.verb in {base, inflect(base, "VBZ")}:
        found = [cue for cue in _verbal(parsed) if not cue.question.startswith("Who")]  # one lives and works with several
    elif parsed.verb in {"is", "are"} and not parsed.pronoun and _OF_SOMEBODY.match(parsed.subject):
        value = _text(parsed.rest)
        told = any(c.isdigit() for c in value) or bool(re.search(r"(?<![.] )\b[A-ZÀ-Þ]", value)) or bool(_ATTRIBUTE.search(parsed.subject))
        several = _PERSON_NOUN.search(parsed.subject) and parsed.subject.split()[-1].lower() in _SEVERAL
        found = list(_copular(parsed)) if told and not several else []
    else:
        found = []
    return (parsed.subject, {cue.question: cue.answer for cue in found}) if found else ("", {})


def topics(asked: str) -> list[str]:
    """The phrases under which a statement would be looked up, most telling first."""
    sentence = asked.rstrip(".!? ")
    parsed = _parse(sentence)
    found: list[str] = []
    if parsed is not None and not parsed.pronoun:
        found.append(_lower_first(parsed.subject))
    if parsed is not None and parsed.verb not in _COPULA:
        found += [obj for obj in (_object(parsed),) if obj and len(obj.split()) <= 5 and not _is_participle(obj.split()[0])]
    found += re.findall(r"(?<=[a-z,] )[A-ZÀ-Þ][\w']+(?: [A-ZÀ-Þ][\w']+)*", sentence)
    seen: set[str] = set()
    return [t for t in found if len(t) > 2 and not (t.lower() in seen or seen.add(t.lower()))]  # type: ignore[func-returns-value]


def _first_sentence(asked: str) -> str:
    """The first sentence, what stands before its subject moved behind: *In May I'm flying to Rome* is *I'm flying to Rome in May*."""
    sentence = re.split(r"(?<!Dr)(?<!Mr)(?<!Mrs)(?<!Ms)[.!?] (?=[A-ZÀ-Þ])", asked)[0].rstrip(".!? ")
    fronted = _FRONTED.match(sentence)
    return f"{capital(fronted['rest'])} {fronted['front'][0].lower()}{fronted['front'][1:]}" if fronted else sentence


@dataclass(frozen=True)
class _Clause:
    subject: str
    verb: str
    rest: tuple[str, ...]
    pronoun: bool

    @property
    def asked_subject(self) -> str:
        """The subject inside a question, without an apposed name: `my sister Ines` is asked for as `my sister`."""
        kin = _NAMED_KIN.match(self.subject)
        return _lower_first(f"{kin['owner']} {kin['noun']}" if kin else self.subject)


def _lower_first(text: str) -> str:
    first = text.split(" ", 1)[0]
    if first in {"My", "Our", "The", "A", "An", "We", "His", "Her", "Their", "This", "That"}:
        return text[0].lower() + text[1:]
    return text


def _parse(sentence: str) -> _Clause | None:
    text = sentence.replace("’", "'")
    for short, full in (("I'm ", "I am "), ("We're ", "We are "), ("I've ", "I have "), ("We've ", "We have ")):
        if text.startswith(short):
            text = full + text[len(short) :]
    tokens = _SPLIT.findall(text)
    if len(tokens) < 3 or tokens[0].lower() in _NO_SUBJECT:
        return None
    pronoun = tokens[0] in {"I", "We"} or _with_me(tokens) > 0
    at = _verb_position(tokens, pronoun)
    if at is None:
        return None
    subject = tokens[: at - 1] if is_adverb(tokens[at - 1]) and at > 1 else tokens[:at]
    rest = tokens[at + 1 :]
    while rest and is_adverb(rest[0]):
        rest = rest[1:]
    if not rest or {",", "–", "&"} & set(subject[:-1]) or {"who", "which"} & set(subject):
        return None
    return _Clause(_text(subject).rstrip(","), tokens[at].lower(), tuple(rest), pronoun)


def _verb_position(tokens: list[str], pronoun: bool) -> int | None:
    if together := _with_me(tokens):
        at = together
        while at < len(tokens) - 1 and is_adverb(tokens[at]):
            at += 1
        return at if lemma(tokens[at]) or tokens[at].lower() in _MODAL | _COPULA else None
    named = tokens[0][:1].isupper() and not tokens[0].endswith("'s") and tokens[0].lower() not in _DETERMINERS
    if pronoun or (named and _finite(tokens[1])):
        at = 1
        while at < len(tokens) - 1 and is_adverb(tokens[at]):
            at += 1
        return at if lemma(tokens[at]) or tokens[at].lower() in _MODAL else None
    for at, token in enumerate(tokens[1:9], 1):
        if token.lower() in _COPULA | _MODAL:
            return at
    start = 2 if tokens[0] in {"My", "Our", "The", "A", "An"} or tokens[0].endswith("'s") else 1
    for at in range(start, min(5, len(tokens) - 1)):  # *The twins learn Spanish*
        before = tokens[at - 1]
        plural = before.islower() and before.endswith("s") and not before.endswith(("ss", "'s")) and before not in {"us", "this", "his", "its"}
        if plural and tokens[at].islower() and lemma(tokens[at]) == tokens[at] and tokens[at] not in _PREPOSITIONS:
            return at
    for at in range(start, min(9, len(tokens))):
        if _finite(tokens[at]):
            return at
    return None


def _with_me(tokens: list[str]) -> int:
    """Where the verb is looked for after *my brother and I*; 0 where there is no such subject."""
    and_i = next((at for at in range(2, min(8, len(tokens) - 2)) if tokens[at] == "I" and tokens[at - 1] == "and"), 0)
    return and_i + 1 if and_i and COMPANY.fullmatch(_text(tokens[: and_i - 1])) else 0


def _is_participle(word: str) -> bool:
    """Whether a word is a past participle: *painted*, *taught*, *stolen*."""
    base = lemma(word) if word.islower() else None
    return base is not None and base != word and word == inflect(base, "VBN")


def _finite(word: str) -> bool:
    low = word.lower()
    base = lemma(low)
    if low in _COPULA | _MODAL:
        return True
    return base is not None and low != base and not low.endswith("ing") and word.islower()


def _naming(sentence: str) -> Iterator[Cue]:
    """Names given in passing: *a cat called Misha*, *my sister Ines*, *adopted a beagle and named him Biscuit*."""
    for match in (_CALLED.search(sentence), _NAMED_IT.search(sentence)):
        if match:
            owned = re.match(r"(?:have|had|got|adopted|bought|built|started|opened|own|has|my|our)\b", match[0])
            owner = "my" if re.match(r"(?:I|My|We|Our)\b", sentence) else f"{sentence.split()[0].removesuffix(chr(39) + 's')}'s"
            thing = f"{owner if owned else 'the'} {match['noun']}"
            yield _ask("What", "is", thing, "called", match["name"])
            yield _ask("What", "is", f"the name of {thing}", "", match["name"])
    parsed = _parse(sentence)
    kin = _NAMED_KIN.match(parsed.subject) if parsed else None
    if kin:
        asked = _lower_first(f"{kin['owner']} {kin['noun']}")
        yield _ask("What", "is", f"{asked}'s name", "", kin["name"])
        yield _ask("Who", "is", kin["name"], "", asked)


def _ask(wh: str, auxiliary: str, subject: str, rest: str, answer: str) -> Cue:
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


def _copular(clause: _Clause) -> Iterator[Cue]:
    then, clause = _time_clause(clause.rest), replace(clause, rest=_first_clause(clause.rest))
    if not clause.rest:
        return
    if then.startswith("when ") and clause.pronoun and re.fullmatch(_COUNT, _text(clause.rest)):
        yield Cue(f"How old {clause.verb} {clause.asked_subject} {then}?", _text(clause.rest))
        return
    if then and not then.startswith("since"):
        yield _ask("When", clause.verb, clause.asked_subject, _text(clause.rest), then)
    be, subject, complement = clause.verb, clause.asked_subject, _text(clause.rest)
    called = re.match(r"(?:called|named|code-named|nicknamed) (?P<name>.+)$", complement)
    if called:
        yield _ask("What", be, subject, "called", called["name"])
        yield _ask("What", "is", f"the name of {subject}", "", called["name"])
        return
    named = re.match(r"(?:an?|the|my|our) .*?\b(?:called|named) (?P<name>[A-ZÀ-Þ].*)$", complement)
    if named:
        yield _ask("What", be, subject, "called", named["name"])
        yield _ask("What", "is", f"the name of {subject}", "", named["name"])
    if _AMOUNT.match(complement) and not clause.pronoun:
        if not complement.isdigit():
            yield _ask("How much", be, subject, "", complement)
        yield _ask("What", be, subject, "", complement)
        return
    if clause.pronoun or _is_name(clause.subject):
        yield from _predicate(clause)
        return
    head, phrase = _first_phrase(clause.rest)
    if clause.rest[0].lower().endswith("ing") or _is_participle(clause.rest[0]) or (clause.rest[0].lower() in _FEELING and len(clause.rest) > 2):
        yield from _predicate(clause)
    elif head and _is_time(phrase):
        yield _ask("When", be, subject, head, phrase)
    elif not head and _is_time(complement):
        yield _ask("When", be, subject, "", complement)
    elif clause.rest[0].lower() in _SPOTS:
        yield _ask("Where", be, subject, "", complement)
    elif clause.rest[0].lower() in {"with", "from", "by", "for", "about"} and len(clause.rest) > 1:
        inner = _text(clause.rest[1:])
        yield _ask("Who" if clause.rest[0] in {"with", "by"} and inner[:1].isupper() else "What", be, subject, clause.rest[0].lower(), inner)
    elif _is_person(clause.subject, complement):
        if head and phrase.split(" ", 1)[0] in _SPOTS and not subject.endswith("'s name"):
            complement = head
            yield _ask("Where", be, subject, "", phrase)
        yield _ask("Who", be, subject.removesuffix(_NAME_OF), "", complement)
        if not subject.endswith("'s name"):
            yield _ask("What", be, f"the name of {subject}", "", complement)
    elif _PERSON_NOUN.search(subject) and clause.rest[0].lower() in {"a", "an"}:
        so_called = _CALLED_SO.match(complement)
        job = so_called["what"] if so_called else complement
        yield _ask("What", "did" if be in {"was", "were"} else "does", subject, "do for a living", job)
        yield _ask("What", be, f"{subject}'s job", "", job)
    else:
        measured = _MEASURED.match(complement)
        if measured:
            yield _ask(f"What {measured['kind']}", be, subject, "", complement)
        yield _ask("What", be, subject, "", complement)
        if subject.endswith("'s name"):
            yield _ask("Who", be, subject.removesuffix(_NAME_OF), "", complement)
            yield _ask("What", be, subject.removesuffix(_NAME_OF), "called", complement)


def _reversed(clause: _Clause) -> Iterator[Cue]:
    """*My dentist is Dr. Okafor* → who is Dr. Okafor? *My sister lives in Porto* → who lives in Porto?"""
    rest = _text(_first_clause(clause.rest))
    if clause.pronoun or not rest:
        return
    person = bool(_PERSON_NOUN.search(clause.asked_subject) or _TITLED.search(clause.subject)) or _is_name(clause.subject)
    if clause.verb in _COPULA:
        if clause.rest[0].lower() in _SPOTS and clause.subject.split(" ", 1)[0].lower() in {"a", "an", "some", "two", "three"}:
            yield Cue(f"What {clause.verb} {rest}?", _lower_first(clause.subject), reversed=True)
        if _TITLED.match(rest) or (rest[:1].isupper() and _PERSON_NOUN.search(clause.asked_subject)):
            yield Cue(f"Who is {rest}?", clause.asked_subject, reversed=True)
    elif lemma(clause.verb) not in (None, clause.verb) and clause.verb not in _MODAL:
        yield Cue(f"{'Who' if person else 'What'} {clause.verb} {rest}?", _lower_first(clause.subject), reversed=True)


def _has_complement(rest: tuple[str, ...]) -> bool:
    """*allergic to cashews*: a word that is no article, a preposition and what belongs to it."""
    return len(rest) >= 3 and rest[1].lower() in _PREPOSITIONS and rest[0].lower() not in {"a", "an", "the"}


def _predicate(clause: _Clause) -> Iterator[Cue]:
    """*I am allergic to cashews* → what am I allergic to? *I am learning Danish* → what am I learning?"""
    be, subject = clause.verb, clause.asked_subject
    rest = clause.rest
    if rest[0].lower().endswith("ing"):
        yield from _around(be, subject, rest[0], rest[1:], f"What {be} {subject} doing?")
    elif len(rest) > 1 and _is_participle(rest[0]) and _IN_COLOUR.match(_text(rest[1:])):
        for wh, after in (("What", rest[0]), ("What colour", rest[0]), ("What colour", "")):
            yield _ask(wh, be, subject, after, _text(rest[1:]))
    elif (len(rest) > 1 and _is_participle(rest[0])) or _has_complement(rest):
        yield from _around(be, subject, rest[0], rest[1:], None)
    elif rest[0].lower() in {"a", "an"}:
        yield _ask("What", be, subject, "", _text(rest))
        yield _ask("What", "do" if clause.pronoun else "does", subject, "do for a living", _text(rest))
    elif _is_time(_text(rest)):
        yield _ask("When", be, subject, "", _text(rest))
    elif rest[0].lower() in {"in", "at", "from"}:
        yield _ask("Where", be, subject, "from" if rest[0].lower() == "from" else "", _text(rest))


def _verbal(clause: _Clause) -> Iterator[Cue]:
    subject, verb = clause.asked_subject, clause.verb
    if (
        verb in _MODAL - {"has", "have", "had"}
        and len(clause.rest) > 1
        and lemma(clause.rest[0])
        and clause.rest[0].lower() not in {"a", "an", "the"}
    ):
        yield from _around(verb, subject, clause.rest[0], clause.rest[1:], None)
        return
    base = lemma(verb)
    if verb in {"have", "has", "had"} and len(clause.rest) > 2 and clause.rest[0].lower() == "been" and clause.rest[1].lower().endswith("ing"):
        yield from _around(verb, subject, f"been {clause.rest[1]}", clause.rest[2:], None)
        return
    if verb in {"have", "has", "had"} and len(clause.rest) > 1 and (_is_participle(clause.rest[0]) or clause.rest[0].lower() == "had"):
        yield from _around(verb, subject, clause.rest[0], clause.rest[1:], None)
        return
    if base is None or (base == "have" and clause.rest[0].lower().endswith(("ed", "en")) and not clause.rest[0].istitle()):
        return
    third = not (clause.pronoun or subject.startswith(("my parents", "we ")))
    if verb == inflect(base, "VBD") or (verb.endswith("ed") and verb != base):
        auxiliary = "did"
    else:
        auxiliary = "does" if third and verb != base else "do"
    yield from _around(auxiliary, subject, base, clause.rest, None)


def _around(auxiliary: str, subject: str, verb: str, rest: tuple[str, ...], whole: str | None) -> Iterator[Cue]:
    """Ask for the object and for each prepositional phrase of `subject verb rest`."""
    then, rest = _time_clause(rest), _first_clause(rest)
    first = verb.split(" ", 1)[0]
    if rest and (rest[0].lower() in _PARTICLES or rest[0].lower() == "of"):  # *moved out*, *afraid of*
        verb, rest = f"{verb} {rest[0].lower()}", rest[1:]
    elif len(rest) > 1 and rest[0].lower() == "to" and lemma(rest[1]) == rest[1]:  # *want to repaint*
        verb, rest = f"{verb} to {rest[1]}", rest[2:]
        if not rest or rest[0].lower() in _PREPOSITIONS:
            yield _ask("What", auxiliary, subject, f"{verb.rsplit(' ', 1)[0]} do", verb.rsplit(" ", 1)[1])
    elif rest and lemma(first) == "get" and _is_participle(rest[0]):  # *get paid*
        verb, rest = f"{verb} {rest[0]}", rest[1:]
    elif made := _made_to(first, rest):  # *wants me to take*, *lets us borrow*
        verb, rest = f"{verb} {_text(rest[:made])}", rest[made:]
        yield _ask("What", auxiliary, subject, f"{verb.rsplit(' ', 1)[0]} do", _text((verb.rsplit(" ", 1)[1], *rest)))
    obj, phrases = _phrases(rest)
    coloured = _COLOURED.match(obj) if lemma(first) in _PAINTING else None
    if coloured:
        obj = coloured["thing"]
        yield _ask("What colour", auxiliary, subject, f"{verb} {obj}", coloured["colour"])
        yield _ask("What colour", "is", obj, "", coloured["colour"])
    if counted := _COUNTED.match(obj):
        yield _ask(f"How many {counted['things']}", auxiliary, subject, verb, counted["many"])
    if sized := _SIZED.match(obj):
        yield _ask(f"What size {sized['thing']}", auxiliary, subject, verb, sized["size"])
    recipient, given = _recipient(obj)
    if _AMOUNT.match(given) and not given.isdigit():
        thing = " ".join(f"{p} {i}" for p, i in phrases[:1] if p in {"for", "on", "to"})
        yield _ask("How much", auxiliary, subject, " ".join(filter(None, (verb, recipient, thing))), given)
    if recipient:
        yield _ask("What", auxiliary, subject, f"{verb} {recipient}", given)
    elif obj and obj.lower() not in {"here", "there"} and not obj.lower().startswith(("that ", "if ", "how ", "like ")):
        so_called = _CALLED_SO.match(obj)
        somebody = lemma(first) in _MEETING and (obj[:1].isupper() or bool(_PERSON_NOUN.search(obj)))
        yield _ask("Who" if somebody else "What", auxiliary, subject, verb, so_called["name"] if so_called else obj)
    middle = f"{verb} {obj}".strip()
    if then:
        yield _ask("Since when" if then.startswith("since") else "When", auxiliary, subject, middle, then.removeprefix("since "))
        aged = _AGED.match(then)
        if aged and auxiliary == "did":
            yield Cue(f"How old was {subject} when {subject} {inflect(first, 'VBD')} {middle.partition(' ')[2]}".strip() + "?", aged["age"])
    way = _from_to(phrases)
    if way:
        yield _ask("Where", auxiliary, subject, middle, f"from {way[0]} to {way[1]}")
        yield _ask("Where", auxiliary, subject, f"{middle} from", way[0])
        yield _ask("Where", auxiliary, subject, f"{middle} to", way[1])
    for index, (preposition, inner) in enumerate(phrases):
        phrase = f"{preposition} {inner}".strip()
        if way and inner in way and preposition in {"from", "to"}:
            continue
        before = " ".join([middle, *(f"{p} {i}".strip() for p, i in phrases[:index] if p)])
        if inner.lower() in _POINTING:  # *in it*: nobody knows later in what
            continue
        if preposition == "for" and _DURATION.match(inner):
            yield _ask("How long", auxiliary, subject, before, phrase)
        elif _is_time(phrase):
            yield _ask("When", auxiliary, subject, before, phrase)
        elif preposition == "from" and inner[:1].isupper() and lemma(first) in _COMING:
            yield _ask("Where", auxiliary, subject, f"{before} from", inner)
        elif preposition == "in" and inner[:1].isdigit():
            yield _ask("What", auxiliary, subject, f"{before} in", inner)
        elif preposition == "in" and _IN_COLOUR.match(inner):
            yield _ask("What colour", auxiliary, subject, f"{before} in", inner)
        elif preposition == "to" and lemma(first) in _GIVING:
            yield _ask("Who", auxiliary, subject, f"{before} to", inner)
        elif (
            preposition in {"in", "at", "near", "into", "behind", "under"}
            or (preposition == "to" and inner[:1].isupper())
            or (preposition == "on" and lemma(first) in _LOCATED)
        ):
            before_it = phrases[index - 1] if index else ("", "")
            if before_it[0] not in _PLACES and not _is_source(*before_it):  # "in a hut near Bergen" is one place
                yield _ask("Where", auxiliary, subject, middle, " ".join([phrase, *_places(phrases[index + 1 :])]))
        elif preposition != "every":
            if _is_source(preposition, inner):
                inner = " ".join([inner, *_places(phrases[index + 1 :])])
            so_called = _CALLED_SO.match(inner)
            inner = so_called["name"] if so_called else inner
            named = bool(_PERSON_NOUN.search(so_called["what"])) if so_called else inner[:1].isupper() and len(inner.split()) <= 2
            wh = "Who" if preposition in {"with", "from", "by"} and named else "What"
            yield _ask(wh, auxiliary, subject, f"{before} {preposition}", inner)
            base = lemma(first)
            if preposition == "by" and not index and not obj and auxiliary in _COPULA and base and _is_participle(first):
                active = inflect(base, "VBZ" if auxiliary in {"is", "are"} else "VBD")
                yield Cue(f"{'Who' if re.search('[A-ZÀ-Þ]', inner) else 'What'} {active} {subject}?", inner)
    if whole and not obj and not phrases:
        yield Cue(whole, f"{verb} {_text(rest)}")


def _made_to(first: str, rest: tuple[str, ...]) -> int:
    """How many words *me to take* or *us borrow* has, where somebody is wanted, asked or allowed to do something; 0 where nobody is."""
    if len(rest) < 3 or not (rest[0].lower() in _RECIPIENT or rest[0][:1].isupper()):
        return 0
    if lemma(first) in _WANTING and rest[1].lower() == "to" and lemma(rest[2]) == rest[2]:
        return 3
    return 2 if lemma(first) in _LETTING and lemma(rest[1]) == rest[1] and rest[1].lower() not in _DETERMINERS else 0


def _from_to(phrases: list[tuple[str, str]]) -> tuple[str, str] | None:
    """(*Vienna*, *Budapest*) of *from Vienna to Budapest*."""
    for (one, start), (other, end) in pairwise(phrases):
        if (one, other) == ("from", "to") and start[:1].isupper() and end[:1].isupper():
            return start, end
    return None


def _recipient(obj: str) -> tuple[str, str]:
    """(*me*, *60 pounds*) of *me 60 pounds*; ("", object) where nobody is given anything."""
    first, _, rest = obj.partition(" ")
    following = rest.split(" ", 1)[0].lower()
    person = first.lower() in _RECIPIENT or (first[:1].isupper() and bool(rest) and (rest[:1].islower() or rest[:1].isdigit()))
    if person and first.lower() != "i" and (following in _DETERMINERS or following[:1].isdigit()):
        return first, rest
    return "", obj


def _is_source(preposition: str, inner: str) -> bool:
    """Whether something comes *from a shelter*, whose place belongs to it; *from Tom* has none."""
    return preposition == "from" and inner[:1].islower()


def _places(phrases: list[tuple[str, str]]) -> Iterator[str]:
    """The phrases of place with which a list of phrases begins."""
    for preposition, inner in phrases:
        if preposition not in _PLACES or _is_time(f"{preposition} {inner}"):
            return
        yield f"{preposition} {inner}"


def _first_clause(rest: tuple[str, ...]) -> tuple[str, ...]:
    """Up to a comma, dash or a conjunction that opens another clause."""
    for at, token in enumerate(rest):
        if (at and (token in {",", ";", "–", "-"} or token.lower() in {"because", "which", "who", "who's", "while", "but"})) or _opens_time(rest, at):
            return rest[:at]
        if at and token.lower() == "and" and at + 1 < len(rest) and (_finite(rest[at + 1]) or rest[at + 1].lower() in {"i", "it", "he", "she"}):
            return rest[:at]
    return rest


def _opens_time(rest: tuple[str, ...], at: int) -> bool:
    """*when I was eleven*, *before we moved*: a clause that tells a time."""
    low, after = rest[at].lower(), rest[at + 1].lower() if at + 2 < len(rest) else ""
    return (low == "when" and bool(after)) or (low in {"since", "until", "after", "before"} and after in {"i", "we", "he", "she", "they", "it"})


def _time_clause(rest: tuple[str, ...]) -> str:
    return next((_text(rest[at:]) for at in range(len(rest)) if _opens_time(rest, at)), "")


def _phrases(rest: tuple[str, ...]) -> tuple[str, list[tuple[str, str]]]:
    """(object, [(preposition, its object)]); *of* and a preposition right after another stay inside."""
    groups: list[list[str]] = [[]]
    for at, token in enumerate(rest):
        low = token.lower()
        time_continues = len(groups) > 1 and _is_time(_text(groups[-1])) and low in {"at", "in", "on", "of", "before", "after"}
        if (
            low in _PREPOSITIONS
            and low != "of"
            and at + 1 < len(rest)
            and not time_continues
            and (at == 0 or rest[at - 1].lower() not in _PREPOSITIONS)
            and not (at and low == "to" and rest[at - 1].lower() in _WAYS)
        ):
            groups.append([])
        groups[-1].append(token)
    obj, phrases = _text(groups[0]), list[tuple[str, str]]()
    obj, when = _timed(_HERE.sub("", obj))
    doing = _ACTIVITY.match(obj)
    if doing and when:
        obj = doing["object"]
    if when:
        phrases.append(("", when))
    for group in groups[1:]:
        inner, when = _timed(_text(group[1:]))
        phrases += [(group[0].lower(), inner)] if inner else []
        phrases += [("", when)] if when else []
    return obj, phrases


def _timed(phrase: str) -> tuple[str, str]:
    """(what stands before a time that no preposition begins, that time): *Lisbon next spring* is in Lisbon and next spring."""
    found = _BARE_TIME.match(phrase)
    before = (found["before"] or "") if found else phrase
    if found is None or before.rsplit(" ", 1)[-1].lower() in _PREPOSITIONS | _DETERMINERS:  # "on the last Monday", "the 25th of every month"
        return phrase, ""
    return before, found["time"]


def _object(clause: _Clause) -> str:
    found = _phrases(_first_clause(clause.rest))[0]
    coloured = _COLOURED.match(found) if lemma(clause.verb) in _PAINTING else None
    return coloured["thing"] if coloured else found


def _first_phrase(rest: tuple[str, ...]) -> tuple[str, str]:
    """(what stands before, the rest from the first preposition on); ("", all) where no phrase follows a head."""
    for at, token in enumerate(rest):
        if token.lower() in _PREPOSITIONS - {"of"} and at < len(rest) - 1:
            return _text(rest[:at]), _text(rest[at:])
    return "", _text(rest)


def _is_time(phrase: str) -> bool:
    return bool(_TIME.search(phrase)) or bool(
        re.search(r"\bat (?:\w+ )?(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b", phrase)
    )


def _is_person(subject: str, complement: str) -> bool:
    subject = subject.removesuffix("'s name")
    capital = complement[:1].isupper() and len(complement.split(",")[0].split()) <= 3
    return bool(_TITLED.match(complement)) or bool(capital and _PERSON_NOUN.search(subject))


def _is_name(subject: str) -> bool:
    return bool(re.fullmatch(r"[A-ZÀ-Þ][a-z]+", subject)) and subject not in {"My", "Our", "The", "This", "That"}


def _text(tokens: tuple[str, ...] | list[str]) -> str:
    return re.sub(r" ([,;])", r"\1", " ".join(tokens)).strip(" ,;–-")
