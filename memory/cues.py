"""Cue probes: questions made from a statement by grammar, without a model.

The declarative sentence is taken apart (`clauses`: subject, verb, object, prepositional phrases) and each part of what
somebody does (`deeds`) or is (`states`) is asked for, the overgenerating transformations of Heilman & Smith, "Good
Question!" (NAACL 2010); a ranking of the results is left to the round trip in `distil`. Verb forms come from lemminflect.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache

from engrain.memory.anaphora import resolved
from engrain.memory.answer_type import AnswerType, answer_type
from engrain.memory.clauses import (
    COPULA,
    MODAL,
    NAMED_KIN,
    PREPOSITIONS,
    Clause,
    clause_of,
    first_sentence,
    is_participle,
    joined,
    lower_first,
    main_clause,
)
from engrain.memory.cue import NUMERAL, PERSON_NOUN, SPOTS, TITLED, Cue, ask, is_name, is_somebody
from engrain.memory.deeds import deeds, object_of
from engrain.memory.gaps import gaps
from engrain.memory.phrases import phrases_in
from engrain.memory.simplify import simpler
from engrain.memory.statements import content_words
from engrain.memory.states import states
from engrain.memory.syntax import clauses_in
from engrain.memory.talk import plainly
from engrain.memory.voice import inflect, lemma

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
_ASIDE = re.compile(r"^(?P<first>.+?), (?:and )?(?P<thing>(?:the|its) (?:[a-z]+ ){0,2}?[a-z]+) (?P<be>is|are) (?P<value>.+)$")
_TAKES = re.compile(
    rf"^It (?P<verb>takes|took) (?:(?P<whom>me|us|him|her|them|[A-ZÀ-Þ]\w+) )?"
    rf"(?P<time>(?:about |some )?(?:an?|half an|{NUMERAL}) (?:minute|hour|day|week|month)s?(?: and a half)?)"
    r" to (?P<deed>.+)$"
)
"""*It takes me fifty minutes to get to the office.*"""
_HAVING_DONE = re.compile(r"^.+? (?P<have>having|getting|had|got) (?P<thing>(?:the|my|our) .+?) (?:re)?(?P<done>[a-z]+) by (?P<by>.+)$")
"""*We're having the roof redone by Kessler & Sons.*"""
_POINTS = re.compile(r"\b(?:it|he|she|him|It|He|She)\b(?! takes?\b)|\bof them\b|\b[Tt]his [a-z]")
_THEY = re.compile(r"\b[Tt]hey\b")
_NOBODY = {"", "it", "he", "she", "they", "him", "her", "them", "me", "us", "this", "that", "these", "those", "here", "there"}
"""Of what a question cannot speak, and what answers none: nobody knows later what is meant."""
_TORN = re.compile(
    r"^(?:(?:it|them|him|me|us) .+|well|when|where|while|such|as|so|then)$"
    r"|\b(?:such|such as|well as|compared|according|referred|including)\W*$|,(?: (?:in|at|on|for|with|from|to|by) [^,]*)?$",
    re.IGNORECASE,
)
"""What only a misread sentence leaves of it: *made it / easier*, *as well / as Hull*, *such / as*."""
_GOES_ON = re.compile(r":(?!\d| [A-ZÀ-Þ])")
"""Behind it stands what the question is about; *7:40* and *Alien: Covenant* are whole."""
_CUT_OFF = re.compile(r"^(?!(?:when|if|until|well)\b).+ known$")
"""Behind it stood as what: *a remarkable ability known*."""
_NOWHERE = re.compile(r"^(?:at the \w+ level|in \w+ cases?|(?:in|at|on) this .+)$")
"""No place, or nobody knows later which."""
_WHAT = re.compile(r"(?:What|Who) (?:is|are|was|were|do|does|did|has|have|had)\b(?!.*\btime\b)")
_WHEN = {"at", "in", "on", "within", "during", "after", "before", "since", "until", "by", "when", "while", "shortly", "soon"}
"""What begins with these, and is no name, tells when or where, not what."""
_DOES = re.compile(r"(?:What|Who) (?!is|are|was|were)")
_BESIDE = PREPOSITIONS - {"every"} | {"despite", "according"}
"""What one of them begins does nothing and nothing is done to it: *to legal* is not what one gets over."""
_DONE = re.compile(r"(?:What|Who) (?!.*\b(?:doing|done)\b)(?:.*\b)?(?:is|are|was|were|be|been|do|does|did)\b")
"""A participle answers none of them: something is *blocked*, but *blocked* is nothing."""
_TO_BE = re.compile(r" to\?$")
"""*be accurate* is not what something turned out to."""
_POINTING = {"this", "such"}
"""Nobody knows later which."""
_VAGUE = {"all", "this", "that", "these", "those", "everything", "something", "which", "what", "who", "whoever", "one", "others"}
"""Of these nothing can be asked later."""
_NO_THING = re.compile(r"(?:how|why|whether|what|which|near|even (?:before|after|in|with)) |§|\d+(?:\.\d+)+$", re.IGNORECASE)
"""*how small models learn* is no subject, nor are *near the end the king* and *§3.2*."""
_NOT_ONE = re.compile(r"\b(?:which|whom)\b|(?:\b(?:and|or|of|in|to)|:)$")
"""*both of which*, *life expectancy in Sweden and*"""
_LONGEST = 14
"""A subject with more words is most often several that were not told apart."""
_LONGEST_QUESTION = 20
"""Nobody asks for something with more words than this beside it."""
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


def cues(asked: str) -> list[Cue]:
    """The questions that a statement, in its asker's words, answers; none where its grammar is not understood.

    >>> [c.question for c in cues("I still owe Katya for the tickets.") if c.answer == "Katya"]
    ['Who do I owe?', 'Who do I owe for the tickets?']
    """
    return list(_kept(asked))


@lru_cache(maxsize=2048)
def _kept(asked: str) -> tuple[Cue, ...]:
    """A fact's grammar is asked for at every answer that it vouches for."""
    unique: dict[str, Cue] = {}
    for cue in _all(asked):
        if cue.answer.lower() not in _NOBODY and len(cue.question.split()) >= 3 and not _points(cue.question, asked) and _is_whole(cue):
            unique.setdefault(cue.question, cue)
    return tuple(unique.values())


def _points(question: str, asked: str) -> bool:
    """Whether a question speaks of what it does not name; *they* with whom a statement begins may be anybody."""
    return bool(_POINTS.search(question) or (_THEY.search(question) and not _THEY.match(asked)))


def _is_whole(cue: Cue) -> bool:
    """Whether neither question nor answer is a piece of something that belongs together, and the one is of the other's kind."""
    begins = cue.answer.split()[0]
    if begins.lower() in _POINTING or (_WHAT.match(cue.question) and begins in _WHEN):
        return False
    if (_DOES.match(cue.question) and begins.lower() in _BESIDE) or (_DONE.match(cue.question) and is_participle(begins)):
        return False
    if _TO_BE.search(cue.question) and begins == "be":
        return False
    if begins.lower() == "using" or len(cue.question.split()) > _LONGEST_QUESTION:
        return False
    said = (cue.question.rstrip("?"), cue.answer)
    if _GOES_ON.search(cue.question) or cue.answer.endswith(":") or _CUT_OFF.search(cue.answer):
        return False
    if cue.question.startswith("Where ") and _NOWHERE.search(cue.answer):
        return False
    return not any(_TORN.search(one) or one.count("(") != one.count(")") or one.count('"') % 2 for one in said)


def _all(asked: str) -> Iterator[Cue]:
    """Of the first sentence and what it says in passing; of every clause of every sentence."""
    asked = plainly(asked)
    sentence = first_sentence(asked)
    clauses = [clause for clause in resolved(clauses_in(asked)) if _is_something(clause.subject)]
    told = {clause.subject.lower() for clause in clauses}
    found = [cue for clause in clauses for cue in _of_clause(clause)]
    found += _cues(sentence, told)
    found += [cue for one in simpler(sentence) for cue in _cues(one)]
    yield from found
    asked_for = {(_plain(cue.answer), kind) for cue in found for kind in (answer_type(cue.question), AnswerType.THING)}
    phrases = phrases_in(asked)
    for cue in (cue for clause in clauses for cue in gaps(clause, phrases)):
        if (_plain(cue.answer), answer_type(cue.question)) not in asked_for:
            yield cue


def _is_something(subject: str) -> bool:
    """Whether a subject is one that can be spoken of later: no pronoun, no clause, and nothing that the parser has cut or joined."""
    return subject.lower() not in _VAGUE and not _NO_THING.match(subject) and not _NOT_ONE.search(subject) and len(subject.split()) <= _LONGEST


def _plain(answer: str) -> str:
    return " ".join(content_words(answer))


def forget_cues() -> None:
    """Let go of every statement that is kept at hand."""
    _kept.cache_clear()
    phrases_in.cache_clear()


def _cues(sentence: str, told: Collection[str] = ()) -> list[Cue]:
    """The questions of a sentence, but for those of a subject of which its clauses tell already."""
    found = [*_naming(sentence), *_elsewhere(sentence)]
    parsed = clause_of(sentence)
    if parsed is not None and _is_something(parsed.subject):
        subject = parsed.subject.lower()
        found += _of_clause(parsed) if not any(one.startswith(subject) or subject.startswith(one) for one in told) else ()
        aside = _ASIDE.match(sentence)
        if aside:
            of = "" if parsed.pronoun else f" of {parsed.asked_subject}"
            found.append(ask("What", aside["be"], re.sub("^its", "the", aside["thing"]) + of, "", aside["value"]))
    return found


def _of_clause(parsed: Clause) -> Iterator[Cue]:
    """The questions of a clause, from either end."""
    kin = NAMED_KIN.match(parsed.subject)
    for clause in (parsed, *([replace(parsed, subject=kin["name"])] if kin else [])):  # "my sister Ines" is asked for by either
        yield from states(clause) if clause.verb in COPULA else deeds(clause)
    yield from _reversed(parsed)


def _elsewhere(sentence: str) -> Iterator[Cue]:
    """How long something takes, and who does what one has done."""
    if takes := _TAKES.match(sentence):
        auxiliary, whom = "does" if takes["verb"] == "takes" else "did", f" {takes['whom']}" if takes["whom"] else ""
        yield Cue(f"How long {auxiliary} it take{whom} to {takes['deed']}?", takes["time"], f"how long it {takes['verb']}{whom} to {takes['deed']}")
    having = _HAVING_DONE.match(sentence)
    if having and is_participle(having["done"]):
        deed = "is doing" if having["have"] in {"having", "getting"} else "did"
        yield Cue(f"Who {deed} {having['thing']}?", having["by"], f"who {deed} {having['thing']}")


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
        found = [cue for cue in deeds(parsed) if not cue.question.startswith("Who")]  # one lives and works with several
    elif parsed.verb in {"is", "are"} and not parsed.pronoun and _OF_SOMEBODY.match(parsed.subject):
        value = joined(parsed.rest)
        if parsed.rest[:1] == ("not",):  # what it is not
            return "", {}
        told = any(c.isdigit() for c in value) or bool(re.search(r"(?<![.] )\b[A-ZÀ-Þ]", value)) or bool(_ATTRIBUTE.search(parsed.subject))
        several = PERSON_NOUN.search(parsed.subject) and parsed.subject.split()[-1].lower() in _SEVERAL
        found = list(states(parsed)) if told and not several else []
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
        found += [obj for obj in (object_of(parsed),) if obj and len(obj.split()) <= 5 and not is_participle(obj.split()[0])]
    found += re.findall(r"(?<=[a-z,] )(?!I\b)[A-ZÀ-Þ][\w']+(?: (?!I\b)[A-ZÀ-Þ][\w']+)*", sentence)
    found = [topic.removesuffix("'s") for topic in found if not topic.startswith("I'")]
    seen: set[str] = set()
    return [t for t in found if len(t) > 2 and not (t.lower() in seen or seen.add(t.lower()))]  # type: ignore[func-returns-value]


def _naming(sentence: str) -> Iterator[Cue]:
    """Names given in passing: *a cat called Misha*, *my sister Ines*, *adopted a beagle and named him Biscuit*."""
    for match in (_CALLED.search(sentence), _NAMED_IT.search(sentence)):
        if match:
            owned = re.match(r"(?:have|had|got|adopted|bought|built|started|opened|own|has|my|our)\b", match[0])
            owner = "my" if re.match(r"(?:I|My|We|Our)\b", sentence) else f"{sentence.split()[0].removesuffix(chr(39) + 's')}'s"
            thing = f"{owner if owned else 'the'} {match['noun']}"
            yield ask("What", "is", thing, "called", match["name"])
            yield ask("What", "is", f"the name of {thing}", "", match["name"])
    parsed = clause_of(sentence)
    kin = NAMED_KIN.match(parsed.subject) if parsed else None
    if kin:
        asked = lower_first(f"{kin['owner']} {kin['noun']}")
        yield ask("What", "is", f"{asked}'s name", "", kin["name"])
        yield ask("Who", "is", kin["name"], "", asked)


def _reversed(clause: Clause) -> Iterator[Cue]:
    """*My dentist is Dr. Okafor* → who is Dr. Okafor? *My sister lives in Porto* → who lives in Porto?"""
    rest = joined(main_clause(clause.rest))
    if clause.pronoun or not rest:
        return
    whose = re.match(r"(?P<owner>.+?['’]s) (?P<thing>[a-z].*)$", clause.asked_subject)
    if whose and len(whose["thing"].split()) <= 3:
        yield Cue(f"Whose {whose['thing']} {clause.verb} {rest}?", whose["owner"], reversed=True)
    person = (
        is_somebody(clause.subject)
        or bool(re.search(r"ist$", clause.asked_subject) or PERSON_NOUN.search(clause.asked_subject) or TITLED.search(clause.subject))
        or is_name(clause.subject)
    )
    if clause.verb in COPULA:
        if clause.rest[0].lower() in SPOTS and clause.subject.split(" ", 1)[0].lower() in {"a", "an", "some", "two", "three"}:
            yield Cue(f"What {clause.verb} {rest}?", lower_first(clause.subject), reversed=True)
        if re.match(r"(?:my|our) [a-z]", rest) and person:
            yield Cue(f"Who {clause.verb} {rest}?", clause.subject, reversed=True)
        if TITLED.match(rest) or (rest[:1].isupper() and PERSON_NOUN.search(clause.asked_subject)):
            yield Cue(f"Who is {rest}?", clause.asked_subject, reversed=True)
    elif lemma(clause.verb) not in (None, clause.verb) or clause.verb in MODAL:
        who = re.split(r" (?:in|from|at|of|on|across) ", clause.subject)[0] if person else clause.subject  # *Gwen from across the road*
        yield Cue(f"{'Who' if person else 'What'} {clause.verb} {rest}?", lower_first(who), reversed=True)
