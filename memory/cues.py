"""Cue probes: questions made from a statement by grammar, without a model.

The declarative sentence is taken apart (subject, verb, object, prepositional phrases) and each part is asked for, the
overgenerating transformations of Heilman & Smith, "Good Question!" (NAACL 2010); a ranking of the results is left to
the round trip in `distil`. Verb forms come from lemminflect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from engrain.memory.answer_type import COLOURS
from engrain.memory.clauses import (
    COPULA,
    DETERMINERS,
    MODAL,
    NAMED_KIN,
    PREPOSITIONS,
    Clause,
    clause_of,
    finite,
    first_phrase,
    first_sentence,
    is_participle,
    is_time,
    joined,
    lower_first,
    main_clause,
    phrases_of,
    time_clause,
)
from engrain.memory.simplify import simpler
from engrain.memory.voice import KIN, TITLES, inflect, lemma

_PERSON_NOUN = re.compile(rf"\b(?:{KIN})$", re.IGNORECASE)
_TITLED = re.compile(rf"\b(?:{TITLES})\b")
_CALLED = re.compile(
    r"\b(?:(?:have|had|got|adopted|bought|own|is|has) )?(?:an?|my|our|the) "
    r"(?P<noun>(?:(?!is\b|was\b|are\b)[a-z]+ ){0,2}(?!is\b|was\b|are\b)[a-z]+)"
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
_NUMERAL = rf"one|{_COUNT}|\w+teen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-\w+)?"
_TAKES = re.compile(
    rf"^It (?P<verb>takes|took) (?:(?P<whom>me|us|him|her|them|[A-ZÀ-Þ]\w+) )?"
    rf"(?P<time>(?:about |some )?(?:an?|half an|{_NUMERAL}) (?:minute|hour|day|week|month)s?(?: and a half)?)"
    r" to (?P<deed>.+)$"
)
"""*It takes me fifty minutes to get to the office.*"""
_HAVING_DONE = re.compile(r"^.+? (?P<have>having|getting|had|got) (?P<thing>(?:the|my|our) .+?) (?:re)?(?P<done>[a-z]+) by (?P<by>.+)$")
"""*We're having the roof redone by Kessler & Sons.*"""
_VALUE = re.compile(r"^(?P<value>\d[\d.,]*(?: (?:over|to|by|out of|and) \d[\d.,]*)?(?: [a-z]+)?) (?:at|in|on|during) .+$")
"""*130 over 85 at the last check*: what was measured, and when."""
_UNTIL = re.compile(r"^(?P<state>.+?) (?:until|till) (?P<time>.+)$")
_NUMBERED = re.compile(r"^(?:the )?(?P<kind>number|size) (?P<value>\d\S*)$")
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
_GENERIC = {"girl", "boy", "man", "woman", "guy", "person", "lady", "friend", "kid", "child", "baby", "twin", "teenager"}
"""What somebody is, and does not live on."""
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
_FEELING = {
    "afraid", "proud", "fond", "scared", "tired", "sick", "jealous", "terrified", "allergic", "married", "engaged", "addicted", "obsessed", "worried",
    "excited", "crazy", "passionate", "good", "bad", "interested", "intolerant", "famous", "keen", "responsible",
}  # fmt: skip
"""What somebody is *of*, *to*, *about* or *in* something."""
_TAUGHT = {
    "course",
    "class",
    "classes",
    "lesson",
    "lessons",
    "degree",
    "exam",
    "exams",
    "diploma",
    "certificate",
    "workshop",
    "PhD",
    "master's",
    "lectures",
}
"""What is *in* a subject, not in a place."""
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
_AMOUNT = re.compile(r"^(?:[£$€]\s?)?\d[\d,.]*\s?(?:euros?|pounds?|dollars?|francs?|cents?|[£$€])?(?: (?:an?|per) \w+)?$", re.IGNORECASE)
_PLACES = {"in", "at", "near"}
_SPOTS = {"in", "at", "on", "near", "under", "behind", "above", "below", "beside", "between", "inside", "outside", "over"}
_PARTICLES = {"up", "out", "off", "down", "back", "away", "over"}


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
    return list(_kept(asked))


@lru_cache(maxsize=2048)
def _kept(asked: str) -> tuple[Cue, ...]:
    """A fact's grammar is asked for at every answer that it vouches for."""
    sentence = first_sentence(asked)
    unique: dict[str, Cue] = {}
    for one in (sentence, *simpler(sentence)):
        for cue in _cues(one):
            if cue.answer and len(cue.question.split()) >= 3:
                unique.setdefault(cue.question, cue)
    return tuple(unique.values())


def forget_cues() -> None:
    """Let go of every statement that is kept at hand."""
    _kept.cache_clear()


def _cues(sentence: str) -> list[Cue]:
    found = [*_naming(sentence), *_elsewhere(sentence)]
    parsed = clause_of(sentence)
    if parsed is not None:
        kin = NAMED_KIN.match(parsed.subject)
        for clause in (parsed, *([replace(parsed, subject=kin["name"])] if kin else [])):  # "my sister Ines" is asked for by either
            for part in (clause, *_further(clause)):
                found += _copular(part) if part.verb in COPULA else _verbal(part)
        found += _reversed(parsed)
        aside = _ASIDE.match(sentence)
        if aside:
            of = "" if parsed.pronoun else f" of {parsed.asked_subject}"
            found.append(_ask("What", aside["be"], re.sub("^its", "the", aside["thing"]) + of, "", aside["value"]))
    return found


def _elsewhere(sentence: str) -> Iterator[Cue]:
    """How long something takes, and who does what one has done."""
    if takes := _TAKES.match(sentence):
        auxiliary, whom = "does" if takes["verb"] == "takes" else "did", f" {takes['whom']}" if takes["whom"] else ""
        yield Cue(f"How long {auxiliary} it take{whom} to {takes['deed']}?", takes["time"], f"how long it {takes['verb']}{whom} to {takes['deed']}")
    having = _HAVING_DONE.match(sentence)
    if having and is_participle(having["done"]):
        deed = "is doing" if having["have"] in {"having", "getting"} else "did"
        yield Cue(f"Who {deed} {having['thing']}?", having["by"], f"who {deed} {having['thing']}")


def _further(clause: Clause) -> Iterator[Clause]:
    """What else is said of the same subject: *... is called Ada and charges 15 pounds.*"""
    for at, token in enumerate(clause.rest[:-2]):
        if at and token.lower() == "and" and finite(clause.rest[at + 1]) and not clause.rest[at + 1].lower().endswith("ing"):
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
    sentence = first_sentence(asked)
    parsed = clause_of(sentence)
    if parsed is None:
        return "", {}
    base = lemma(parsed.verb)
    if base in _STATES and parsed.verb in {base, inflect(base, "VBZ")}:
        found = [cue for cue in _verbal(parsed) if not cue.question.startswith("Who")]  # one lives and works with several
    elif parsed.verb in {"is", "are"} and not parsed.pronoun and _OF_SOMEBODY.match(parsed.subject):
        value = joined(parsed.rest)
        told = any(c.isdigit() for c in value) or bool(re.search(r"(?<![.] )\b[A-ZÀ-Þ]", value)) or bool(_ATTRIBUTE.search(parsed.subject))
        several = _PERSON_NOUN.search(parsed.subject) and parsed.subject.split()[-1].lower() in _SEVERAL
        found = list(_copular(parsed)) if told and not several else []
    else:
        found = []
    return (parsed.subject, {cue.question: cue.answer for cue in found}) if found else ("", {})


def topics(asked: str) -> list[str]:
    """The phrases under which a statement would be looked up, most telling first."""
    sentence = asked.rstrip(".!? ")
    parsed = clause_of(sentence)
    found: list[str] = []
    if parsed is not None and not parsed.pronoun:
        found.append(lower_first(parsed.subject))
    if parsed is not None and parsed.verb not in COPULA:
        found += [obj for obj in (_object(parsed),) if obj and len(obj.split()) <= 5 and not is_participle(obj.split()[0])]
    found += re.findall(r"(?<=[a-z,] )[A-ZÀ-Þ][\w']+(?: [A-ZÀ-Þ][\w']+)*", sentence)
    seen: set[str] = set()
    return [t for t in found if len(t) > 2 and not (t.lower() in seen or seen.add(t.lower()))]  # type: ignore[func-returns-value]


def _naming(sentence: str) -> Iterator[Cue]:
    """Names given in passing: *a cat called Misha*, *my sister Ines*, *adopted a beagle and named him Biscuit*."""
    for match in (_CALLED.search(sentence), _NAMED_IT.search(sentence)):
        if match:
            owned = re.match(r"(?:have|had|got|adopted|bought|built|started|opened|own|has|my|our)\b", match[0])
            owner = "my" if re.match(r"(?:I|My|We|Our)\b", sentence) else f"{sentence.split()[0].removesuffix(chr(39) + 's')}'s"
            thing = f"{owner if owned else 'the'} {match['noun']}"
            yield _ask("What", "is", thing, "called", match["name"])
            yield _ask("What", "is", f"the name of {thing}", "", match["name"])
    parsed = clause_of(sentence)
    kin = NAMED_KIN.match(parsed.subject) if parsed else None
    if kin:
        asked = lower_first(f"{kin['owner']} {kin['noun']}")
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


def _copular(clause: Clause) -> Iterator[Cue]:
    then, clause = time_clause(clause.rest), replace(clause, rest=main_clause(clause.rest))
    if not clause.rest:
        return
    if then.startswith("when ") and clause.pronoun and re.fullmatch(_COUNT, joined(clause.rest)):
        yield Cue(f"How old {clause.verb} {clause.asked_subject} {then}?", joined(clause.rest))
        return
    if then and not then.startswith("since"):
        yield _ask("When", clause.verb, clause.asked_subject, joined(clause.rest), then)
    be, subject, complement = clause.verb, clause.asked_subject, joined(clause.rest)
    if (until := _UNTIL.match(complement)) and is_time(f"at {until['time']}"):
        yield _ask("Until when", be, subject, until["state"], until["time"])
        return
    if (value := _VALUE.match(complement)) and not is_time(complement):
        yield _ask("What", be, subject, "", value["value"])
        return
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
    head, phrase = first_phrase(clause.rest)
    if clause.rest[0].lower().endswith("ing") or is_participle(clause.rest[0]) or (clause.rest[0].lower() in _FEELING and len(clause.rest) > 2):
        yield from _predicate(clause)
    elif head and is_time(phrase):
        yield _ask("When", be, subject, head, phrase)
    elif not head and is_time(complement):
        yield _ask("When", be, subject, "", complement)
    elif clause.rest[0].lower() in _SPOTS:
        yield _ask("Where", be, subject, "", complement)
    elif clause.rest[0].lower() in {"with", "from", "by", "for", "about"} and len(clause.rest) > 1:
        inner = joined(clause.rest[1:])
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
        if job.split()[-1] in _GENERIC:
            return
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


def _reversed(clause: Clause) -> Iterator[Cue]:
    """*My dentist is Dr. Okafor* → who is Dr. Okafor? *My sister lives in Porto* → who lives in Porto?"""
    rest = joined(main_clause(clause.rest))
    if clause.pronoun or not rest:
        return
    person = bool(
        re.search(r"ist$", clause.asked_subject) or _PERSON_NOUN.search(clause.asked_subject) or _TITLED.search(clause.subject)
    ) or _is_name(clause.subject)
    if clause.verb in COPULA:
        if clause.rest[0].lower() in _SPOTS and clause.subject.split(" ", 1)[0].lower() in {"a", "an", "some", "two", "three"}:
            yield Cue(f"What {clause.verb} {rest}?", lower_first(clause.subject), reversed=True)
        if _TITLED.match(rest) or (rest[:1].isupper() and _PERSON_NOUN.search(clause.asked_subject)):
            yield Cue(f"Who is {rest}?", clause.asked_subject, reversed=True)
    elif lemma(clause.verb) not in (None, clause.verb) and clause.verb not in MODAL:
        yield Cue(f"{'Who' if person else 'What'} {clause.verb} {rest}?", lower_first(clause.subject), reversed=True)


def _has_complement(rest: tuple[str, ...]) -> bool:
    """*allergic to cashews*: a word that is no article, a preposition and what belongs to it."""
    return len(rest) >= 3 and rest[1].lower() in PREPOSITIONS and rest[0].lower() not in {"a", "an", "the"}


def _predicate(clause: Clause) -> Iterator[Cue]:
    """*I am allergic to cashews* → what am I allergic to? *I am learning Danish* → what am I learning?"""
    be, subject = clause.verb, clause.asked_subject
    rest = clause.rest
    if rest[0].lower().endswith("ing"):
        yield from _around(be, subject, rest[0], rest[1:], f"What {be} {subject} doing?")
    elif len(rest) > 1 and is_participle(rest[0]) and _IN_COLOUR.match(joined(rest[1:])):
        for wh, after in (("What", rest[0]), ("What colour", rest[0]), ("What colour", "")):
            yield _ask(wh, be, subject, after, joined(rest[1:]))
    elif (len(rest) > 1 and is_participle(rest[0])) or _has_complement(rest):
        yield from _around(be, subject, rest[0], rest[1:], None)
    elif rest[0].lower() in {"a", "an"}:
        yield _ask("What", be, subject, "", joined(rest))
        does = "did" if be in {"was", "were"} else "do" if clause.pronoun else "does"
        if rest[-1] not in _GENERIC:
            yield _ask("What", does, subject, "do for a living", joined(rest))
    elif is_time(joined(rest)):
        yield _ask("When", be, subject, "", joined(rest))
    elif rest[0].lower() in {"in", "at", "from"}:
        yield _ask("Where", be, subject, "from" if rest[0].lower() == "from" else "", joined(rest))


def _verbal(clause: Clause) -> Iterator[Cue]:
    subject, verb = clause.asked_subject, clause.verb
    if verb in MODAL - {"has", "have", "had"} and len(clause.rest) > 1 and lemma(clause.rest[0]) and clause.rest[0].lower() not in {"a", "an", "the"}:
        yield from _around(verb, subject, clause.rest[0], clause.rest[1:], None)
        return
    base = lemma(verb)
    if verb in {"have", "has", "had"} and len(clause.rest) > 2 and clause.rest[0].lower() == "been" and clause.rest[1].lower().endswith("ing"):
        yield from _around(verb, subject, f"been {clause.rest[1]}", clause.rest[2:], None)
        return
    if verb in {"have", "has", "had"} and len(clause.rest) > 1 and (is_participle(clause.rest[0]) or clause.rest[0].lower() == "had"):
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
        return _ask(wh, self.auxiliary, self.subject, rest, answer)


def _around(auxiliary: str, subject: str, verb: str, rest: tuple[str, ...], whole: str | None) -> Iterator[Cue]:
    """Ask for the object, for the time and for each prepositional phrase of `subject verb rest`."""
    then, rest = time_clause(rest), main_clause(rest)
    verb, rest, done = _whole_verb(verb, rest)
    if done:
        yield _ask("What", auxiliary, subject, f"{verb.rsplit(' ', 1)[0]} do", done)
    deed = _Deed(auxiliary, subject, verb, *phrases_of(rest))
    coloured = _COLOURED.match(deed.obj) if deed.base in _PAINTING else None
    if coloured:
        deed = replace(deed, obj=coloured["thing"])
        yield deed.ask("What colour", deed.middle, coloured["colour"])
        yield _ask("What colour", "is", deed.obj, "", coloured["colour"])
    yield from _of_object(deed)
    if then:
        yield deed.ask("Since when" if then.startswith("since") else "When", deed.middle, then.removeprefix("since "))
        aged = _AGED.match(then)
        if aged and auxiliary == "did":
            first, _, after = deed.middle.partition(" ")
            yield Cue(f"How old was {subject} when {subject} {inflect(first, 'VBD')} {after}".strip() + "?", aged["age"])
    way = _from_to(deed.phrases)
    if way:
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
    if rest and (rest[0].lower() in _PARTICLES or rest[0].lower() == "of"):  # *moved out*, *afraid of*
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
    if numbered := _NUMBERED.match(deed.obj):
        yield deed.ask(f"What {numbered['kind']}", deed.verb, numbered["value"])
    if deed.base == "turn" and re.fullmatch(_NUMERAL, deed.obj):
        yield Cue(f"How old {'am' if deed.subject == 'I' else 'is'} {deed.subject}?", deed.obj)
    if deed.base in _RANKED and _ORDINAL.match(deed.obj):
        after = " ".join(f"{p} {i}" for p, i in deed.phrases[:1] if p)
        yield Cue(f"Which place did {deed.subject} take {after}".strip() + "?", deed.obj)
        yield Cue(f"How did {deed.subject} do {after}".strip() + "?", deed.obj)
        return
    recipient, given = _recipient(deed.obj)
    if _AMOUNT.match(given) and not given.isdigit():
        thing = " ".join(f"{p} {i}" for p, i in deed.phrases[:1] if p in {"for", "on", "to"})
        yield deed.ask("How much", " ".join(filter(None, (deed.verb, recipient, thing))), given)
    if recipient:
        yield deed.ask("What", f"{deed.verb} {recipient}", given)
        if recipient[:1].isupper() and deed.base in _GIVING:
            yield deed.ask("Who", f"{deed.verb} {given} to", recipient)
    elif deed.obj and deed.obj.lower() not in {"here", "there"} and not deed.obj.lower().startswith(("that ", "if ", "how ", "like ")):
        so_called = _CALLED_SO.match(deed.obj)
        somebody = deed.base in _MEETING and (deed.obj[:1].isupper() or bool(_PERSON_NOUN.search(deed.obj)))
        yield deed.ask("Who" if somebody else "What", deed.verb, so_called["name"] if so_called else deed.obj)


def _of_phrase(deed: _Deed, index: int) -> Iterator[Cue]:
    """When, where, how long, to whom, with what: one prepositional phrase."""
    phrases, (preposition, inner) = deed.phrases, deed.phrases[index]
    phrase = f"{preposition} {inner}".strip()
    before = " ".join([deed.middle, *(f"{p} {i}".strip() for p, i in phrases[:index] if p)])
    if preposition == "for" and _DURATION.match(inner):
        yield deed.ask("How long", before, phrase)
    elif preposition == "since":
        yield deed.ask("Since when", before, inner)
    elif preposition in {"until", "till"} and is_time(inner):
        yield deed.ask("Until when", before, inner)
    elif is_time(phrase):
        yield deed.ask("When", before, phrase)
    elif preposition == "by" and _BY_PLACE.match(inner):
        yield deed.ask("Where", deed.middle, phrase)
        yield from _lodging(deed, phrase)
    elif preposition == "from" and inner[:1].isupper() and deed.base in _COMING:
        yield deed.ask("Where", f"{before} from", inner)
    elif preposition == "in" and (inner[:1].isdigit() or _CONTEST.search(inner) or deed.obj.rsplit(" ", 1)[-1] in _TAUGHT):
        yield deed.ask("What", f"{before} in", inner)
    elif preposition == "in" and _IN_COLOUR.match(inner):
        yield deed.ask("What colour", f"{before} in", inner)
    elif preposition == "to" and deed.base in _GIVING:
        yield deed.ask("Who", f"{before} to", inner)
    elif (
        preposition in {"in", "at", "near", "into", "behind", "under"}
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
        so_called = _CALLED_SO.match(inner)
        inner = so_called["name"] if so_called else inner
        named = bool(_PERSON_NOUN.search(so_called["what"])) if so_called else inner[:1].isupper() and len(inner.split()) <= 2
        yield deed.ask("Who" if preposition in {"with", "from", "by"} and named else "What", f"{before} {preposition}", inner)
        if preposition == "by" and not index and not deed.obj and deed.auxiliary in COPULA and deed.base and is_participle(deed.verb):
            active = inflect(deed.base, "VBZ" if deed.auxiliary in {"is", "are"} else "VBD")
            yield Cue(f"{'Who' if re.search('[A-ZÀ-Þ]', inner) else 'What'} {active} {deed.subject}?", inner)


def _lodging(deed: _Deed, place: str) -> Iterator[Cue]:
    """*We've booked a cabin by Lake Siljan* → where is our cabin?"""
    lodging = _LODGING.match(deed.obj)
    if lodging and deed.subject in {"I", "we"} and deed.verb in {"have", "book", "booked", "rent", "rented", "bought", "own", "buy", "got"}:
        yield _ask("Where", "is", f"{'my' if deed.subject == 'I' else 'our'} {lodging['noun']}", "", place)


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


def _recipient(obj: str) -> tuple[str, str]:
    """(*me*, *60 pounds*) of *me 60 pounds*; ("", object) where nobody is given anything."""
    first, _, rest = obj.partition(" ")
    following = rest.split(" ", 1)[0].lower()
    person = first.lower() in _RECIPIENT or (first[:1].isupper() and bool(rest) and (rest[:1].islower() or rest[:1].isdigit()))
    if person and first.lower() != "i" and (following in DETERMINERS or following[:1].isdigit()):
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


def _object(clause: Clause) -> str:
    found = phrases_of(main_clause(clause.rest))[0]
    coloured = _COLOURED.match(found) if lemma(clause.verb) in _PAINTING else None
    return coloured["thing"] if coloured else found


def _is_person(subject: str, complement: str) -> bool:
    subject = subject.removesuffix("'s name")
    capital = complement[:1].isupper() and len(complement.split(",")[0].split()) <= 3
    return bool(_TITLED.match(complement)) or bool(capital and _PERSON_NOUN.search(subject))


def _is_name(subject: str) -> bool:
    return bool(re.fullmatch(r"(?:(?:Uncle|Aunt|Auntie|Grandma|Grandpa|Cousin) )?[A-ZÀ-Þ][a-z]+", subject)) and subject not in {
        "My",
        "Our",
        "The",
        "This",
        "That",
    }
