"""What somebody or something is, asked for: called, who, where, when, how much, in what state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from engrain.memory.clauses import PREPOSITIONS, Clause, first_phrase, is_participle, is_time, joined, main_clause, phrases_of, time_clause
from engrain.memory.cue import AMOUNT, CALLED_SO, COUNT, IN_COLOUR, MEASURED, NUMERAL, PERSON_NOUN, SPOTS, TITLED, Cue, ask, is_name
from engrain.memory.deeds import around

_VALUE = re.compile(r"^(?P<value>\d[\d.,]*(?: (?:over|to|by|out of|and) \d[\d.,]*)?(?: [a-z]+)?) (?:at|in|on|during) .+$")
"""*130 over 85 at the last check*: what was measured, and when."""
_UNTIL = re.compile(r"^(?P<state>.+?) (?:until|till) (?P<time>.+)$")
_CALLED = re.compile(r"(?:called|named|code-named|nicknamed) (?P<name>.+)$")
_GENERIC = {"girl", "boy", "man", "woman", "guy", "person", "lady", "friend", "kid", "child", "baby", "twin", "teenager"}
"""What somebody is, and does not live on."""
_FEELING = {
    "afraid", "proud", "fond", "scared", "tired", "sick", "jealous", "terrified", "allergic", "married", "engaged", "addicted", "obsessed", "worried",
    "excited", "crazy", "passionate", "good", "bad", "interested", "intolerant", "famous", "keen", "responsible",
}  # fmt: skip
"""What somebody is *of*, *to*, *about* or *in* something."""
_NAME_OF = "'s name"


def states(clause: Clause) -> Iterator[Cue]:
    """The questions of a clause whose verb is a form of *be*."""
    then, clause = time_clause(clause.rest), replace(clause, rest=main_clause(clause.rest))
    if not clause.rest:
        return
    for time in clause.times:
        yield ask("When", clause.verb, clause.asked_subject, joined(clause.rest), time)
    if then.startswith("when ") and clause.pronoun and re.fullmatch(COUNT, joined(clause.rest)):
        yield Cue(f"How old {clause.verb} {clause.asked_subject} {then}?", joined(clause.rest))
        return
    if then and not then.startswith("since"):
        yield ask("When", clause.verb, clause.asked_subject, joined(clause.rest), then)
    be, subject, complement = clause.verb, clause.asked_subject, joined(clause.rest)
    if found := _at_once(clause, complement):
        yield from found
        return
    named = re.match(r"(?:an?|the|my|our) .*?\b(?:called|named) (?P<name>[A-ZÀ-Þ].*)$", complement)
    if named:
        yield from _by_name(clause, named["name"])
    if clause.pronoun or is_name(clause.subject):
        yield from _predicate(clause)
        return
    head, phrase = first_phrase(clause.rest)
    if clause.rest[0].lower().endswith("ing") or is_participle(clause.rest[0]) or (clause.rest[0].lower() in _FEELING and len(clause.rest) > 2):
        yield from _predicate(clause)
    elif head and is_time(phrase):
        yield ask("When", be, subject, head, phrase)
    elif not head and is_time(complement) and not _is_somewhere(clause.rest):
        yield ask("When", be, subject, "", complement)
    elif clause.rest[0].lower() in SPOTS:
        yield ask("Where", be, subject, "", " ".join(phrases_of(clause.rest)[1][0]) if is_time(complement) else complement)
    elif clause.rest[0].lower() in {"with", "from", "by", "for", "about"} and len(clause.rest) > 1:
        inner = joined(clause.rest[1:])
        yield ask("Who" if clause.rest[0] in {"with", "by"} and inner[:1].isupper() else "What", be, subject, clause.rest[0].lower(), inner)
    elif _is_person(clause.subject, complement):
        if head and phrase.split(" ", 1)[0] in SPOTS and not subject.endswith("'s name"):
            complement = head
            yield ask("Where", be, subject, "", phrase)
        yield ask("Who", be, subject.removesuffix(_NAME_OF), "", complement)
        if not subject.endswith("'s name"):
            yield ask("What", be, f"the name of {subject}", "", complement)
    elif PERSON_NOUN.search(subject) and clause.rest[0].lower() in {"a", "an"}:
        so_called = CALLED_SO.match(complement)
        job = so_called["what"] if so_called else complement
        if job.split()[-1] in _GENERIC:
            return
        yield ask("What", "did" if be in {"was", "were"} else "does", subject, "do for a living", job)
        yield ask("What", be, f"{subject}'s job", "", job)
    else:
        measured = MEASURED.match(complement)
        if measured:
            yield ask(f"What {measured['kind']}", be, subject, "", complement)
        yield ask("What", be, subject, "", complement)
        if subject.endswith("'s name"):
            yield ask("Who", be, subject.removesuffix(_NAME_OF), "", complement)
            yield ask("What", be, subject.removesuffix(_NAME_OF), "called", complement)


def _at_once(clause: Clause, complement: str) -> list[Cue]:
    """The questions of a state that says nothing else: until when, how much, what it is called; none of any other."""
    be, subject = clause.verb, clause.asked_subject
    if (until := _UNTIL.match(complement)) and is_time(f"at {until['time']}"):
        return [ask("Until when", be, subject, until["state"], until["time"])]
    if (value := _VALUE.match(complement)) and not is_time(complement):
        return [ask("What", be, subject, "", value["value"])]
    if called := _CALLED.match(complement):
        return _by_name(clause, re.split(r" by (?=(?:the|my|our|his|her|its|their) )", called["name"])[0])
    if re.fullmatch(NUMERAL, complement) and (clause.pronoun or is_name(clause.subject) or PERSON_NOUN.search(clause.subject)):
        return [ask("How old", be, subject, "", complement)]
    if AMOUNT.match(complement) and not clause.pronoun:
        return [ask(wh, be, subject, "", complement) for wh in (("What",) if complement.isdigit() else ("How much", "What"))]
    return []


def _by_name(clause: Clause, name: str) -> list[Cue]:
    return [ask("What", clause.verb, clause.asked_subject, "called", name), ask("What", "is", f"the name of {clause.asked_subject}", "", name)]


def _is_somewhere(rest: tuple[str, ...]) -> bool:
    """*at the clinic on Fridays*, which says more than a time."""
    obj, phrases = phrases_of(rest)
    return not obj and len(phrases) > 1 and phrases[0][0] in SPOTS and not is_time(" ".join(phrases[0]))


def _has_complement(rest: tuple[str, ...]) -> bool:
    """*allergic to cashews*: a word that is no article, a preposition and what belongs to it."""
    return len(rest) >= 3 and rest[1].lower() in PREPOSITIONS and rest[0].lower() not in {"a", "an", "the"}


def _predicate(clause: Clause) -> Iterator[Cue]:
    """*I am allergic to cashews* → what am I allergic to? *I am learning Danish* → what am I learning?"""
    be, subject = clause.verb, clause.asked_subject
    rest = clause.rest
    if rest[0].lower().endswith("ing"):
        yield from around(be, subject, rest[0], rest[1:], f"What {be} {subject} doing?")
    elif len(rest) > 1 and is_participle(rest[0]) and IN_COLOUR.match(joined(rest[1:])):
        for wh, after in (("What", rest[0]), ("What colour", rest[0]), ("What colour", "")):
            yield ask(wh, be, subject, after, joined(rest[1:]))
    elif (len(rest) > 1 and is_participle(rest[0])) or _has_complement(rest):
        yield from around(be, subject, rest[0], rest[1:])
    elif rest[0].lower() in {"a", "an"}:
        yield ask("What", be, subject, "", joined(rest))
        does = "did" if be in {"was", "were"} else "do" if clause.pronoun else "does"
        if rest[-1] not in _GENERIC:
            yield ask("What", does, subject, "do for a living", joined(rest))
    elif is_time(joined(rest)):
        yield ask("When", be, subject, "", joined(rest))
    elif rest[0].lower() in {"in", "at", "from"}:
        yield ask("Where", be, subject, "from" if rest[0].lower() == "from" else "", joined(rest))


def _is_person(subject: str, complement: str) -> bool:
    subject = subject.removesuffix("'s name")
    capital = complement[:1].isupper() and len(complement.split(",")[0].split()) <= 3
    return bool(TITLED.match(complement)) or bool(capital and PERSON_NOUN.search(subject))
