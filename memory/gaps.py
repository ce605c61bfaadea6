"""Gaps: each noun phrase of a clause asked for by leaving it out: *I still owe Katya for the tickets* is *Who do I owe for the tickets?*

Grammar by hand knows some parts of what is said; here every phrase is one. The question word goes by the phrase's kind (named entity
recognition), by the word before it and by its own words; a preposition stays behind: *What did my test get moved to?*
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from engrain.memory.answer_type import MONEY, AnswerType
from engrain.memory.clauses import COPULA, DETERMINERS, PREPOSITIONS, Clause, is_time, joined, main_clause
from engrain.memory.cue import AMOUNT, COUNT, DURATION, NUMERAL, PERSON_NOUN, SPOTS, TITLED, Cue, ask
from engrain.memory.deeds import turned
from engrain.memory.phrases import Phrase
from engrain.memory.voice import KIN

Words = tuple[str, ...]

_WHERE = SPOTS - {"on", "over", "between"} | {"beneath", "opposite"}
_NOT_WHO = {"to", "into", "onto", "through", "as"}
"""What stands behind one of them is a place, or a trade."""
_TAIL = re.compile(r" (?:on|at|for|since|until|by|from|with|to|in) ")
_WHEN = {"", "in", "on", "at", "by", "during"}
_TOLD = {"until", "till", "since"}
"""What these begin, `deeds` asks for."""
_CLOCK = re.compile(
    rf"(?:a )?(?:half|quarter|{NUMERAL}) (?:past|to) (?:{NUMERAL})|\d{{1,2}}[:.]\d\d(?: ?[ap]m)?|(?:{NUMERAL}|\d+) (?:o'clock|am|pm)|noon|midnight"
)
_COUNTED = re.compile(rf"(?P<many>{NUMERAL}|{COUNT}|an? (?:dozen|hundred|couple of)) (?P<things>(?:[a-z-]+ )?[a-z]+s)(?: of .+)?")
_MEASURED = {
    "How heavy": re.compile(r"\b(?:kilos?|kg|grams?|stone|tonnes?|ounces)$"), "How far": re.compile(r"\b(?:miles|kilomet\w+|km)$"),
    "How big": re.compile(r"\b(?:met(?:re|er)s|foot|feet|inch(?:es)?|cm|lit(?:re|er)s|acres)$"),
}  # fmt: skip
"""What is so many of these is told with them: *eighteen kilos*."""
_SEVERAL = re.compile(rf"(?P<many>{NUMERAL}|{COUNT}) (?P<whom>of .+|[a-z]+s)", re.IGNORECASE)
_OF_A_KIND = re.compile(r"an? (?P<kind>[\w'-]+(?: [\w'-]+)?) (?P<head>[a-z]+)")
_PLAIN = {
    "new", "old", "good", "bad", "big", "small", "little", "nice", "great", "lovely", "huge", "bit", "lot", "few", "couple", "sort", "much",
    "each", "way",
}  # fmt: skip
"""What tells no kind."""
_NAMING = {"called", "named", "nicknamed"}
_BINDING = {"of", "and", "or", "every", "each"}
"""What stands behind one of them is a part of something."""
_MOMENT = 5
"""A time has no more words than this."""


def gaps(clause: Clause, phrases: Sequence[Phrase]) -> Iterator[Cue]:
    """The questions that leave out one of the phrases each.

    >>> from engrain.memory.phrases import phrases_in
    >>> from engrain.memory.syntax import clauses_in
    >>> said = "I still owe Katya for the concert tickets."
    >>> [(cue.question, cue.answer) for cue in gaps(clauses_in(said)[0], phrases_in(said))]
    [('Who do I owe for the concert tickets?', 'Katya'), ('What do I owe Katya for?', 'the concert tickets')]
    """
    if not main_clause(clause.rest):
        return
    if several := _SEVERAL.fullmatch(clause.subject):  # *Nine of us are in the team*
        yield Cue(f"How many {several['whom']} {clause.verb} {joined(main_clause(clause.rest))}?", several["many"].lower())
    turned_round = (clause.verb, clause.asked_subject, "", clause.rest) if clause.verb in COPULA else turned(clause)
    if turned_round is None:
        return
    auxiliary, subject, verb, rest = *turned_round[:3], main_clause(turned_round[3])
    clock = [Phrase(time[0], AnswerType.TIME) for time in _CLOCK.finditer(joined(rest))]
    found = {span: phrase for phrase in [*phrases, *clock] if (span := _span(phrase.text, rest))}
    times = " ".join(clause.times)
    for (at, to), phrase in found.items():
        if _is_part(at, to, rest, found):
            continue
        for wh, before, answer in _asked(phrase, rest[:at]):
            told = joined([word for word in (verb, *before, *rest[to:], times) if word])
            if told or auxiliary in COPULA:
                yield ask(wh, auxiliary, subject, told, answer)


def _span(text: str, rest: Words) -> tuple[int, int] | None:
    """Where a phrase begins and ends among words."""
    words = tuple(text.split())
    return next(((i, i + len(words)) for i in range(len(rest) - len(words) + 1) if rest[i : i + len(words)] == words), None)


def _is_part(at: int, to: int, rest: Words, others: Collection[tuple[int, int]]) -> bool:
    """Whether words make no sense without those beside them: *Fiesta* of *the old Fiesta*, *the end* of *the end of May*, *my friend* of *my
    friend Ros*."""
    before, after = rest[at - 1] if at else "", rest[to] if to < len(rest) else ""
    if before in _BINDING or after == "and" or (after == "of" and not re.match(rf"(?:{NUMERAL}|\d+)\b", rest[at])):
        return True
    if any((last == at and rest[at][:1].isupper()) or (first == to and after[:1].isupper()) for first, last in others):
        return True
    around = [(first, last) for first, last in others if first <= at and to <= last and (first, last) != (at, to)]
    inside = [word for first, last in around for word in ([before] if at > first else []) + ([after] if to < last else [])]
    return any(word.lower() not in PREPOSITIONS for word in inside)


def _asked(phrase: Phrase, before: Words) -> Iterator[tuple[str, Words, str]]:
    """(question word, what stands before the gap, answer) for each way to ask for a phrase."""
    text, preposition = phrase.text, before[-1].lower() if before and before[-1].lower() in PREPOSITIONS else ""
    without = before[:-1] if preposition else before
    if preposition in _TOLD or (is_time(text.rsplit(" ", 1)[-1]) and len(text.split()) > _MOMENT):
        return
    if MONEY.search(text):
        if AMOUNT.match(re.sub(r"^an? (?=hundred|thousand)", "", text)):
            yield "How much", before, text
    elif DURATION.match(text):
        if preposition == "for":
            yield "How long", without, text
    elif _CLOCK.fullmatch(text) or (preposition == "at" and re.fullmatch(NUMERAL, text)):
        yield "What time", without if preposition in _WHEN else before, text
    elif preposition in _WHEN and _is_when(phrase, preposition):
        yield "When", without, text
    elif counted := _COUNTED.fullmatch(text):
        measures = [wh for wh, unit in _MEASURED.items() if unit.search(text)]
        for wh in (f"How many {counted['things']}", *(measures if not preposition else ())):
            yield wh, before, text if measures else counted["many"]
    elif preposition in _WHERE and not is_time(f"{preposition} {text}"):
        yield "Where", without, f"{preposition} {text}"
    elif preposition == "to" and phrase.kind is AnswerType.PLACE:
        yield "Where", before, text
    elif preposition not in _NOT_WHO and _is_person(phrase) and not _NAMING.intersection(before[-1:]):
        yield "Who", before, text
    else:
        yield "What", before, text
        kind = _OF_A_KIND.fullmatch(text)
        if kind and not (_PLAIN | PREPOSITIONS).intersection(text.split()[1:]):
            yield f"What kind of {kind['head']}", before, kind["kind"]


def _is_when(phrase: Phrase, preposition: str) -> bool:
    """*on the nineteenth*, *next Thursday*; not *eighty-seven*, *the back of a taxi last summer*."""
    said = f"{preposition} {phrase.text}".strip()
    if AMOUNT.match(phrase.text) or (not preposition and (_TAIL.search(said) or not is_time(said.rsplit(" ", 1)[-1]))):
        return False
    return len(said.split()) <= _MOMENT and (phrase.kind is AnswerType.TIME or is_time(said))


def _is_person(phrase: Phrase) -> bool:
    """By words for persons, or as a name that is taken for one's."""
    first, head = phrase.text.split()[0], _TAIL.split(phrase.text)[0]
    if PERSON_NOUN.search(head) or TITLED.match(head) or re.search(rf"\b(?:{KIN}|\w+-in-law) [A-ZÀ-Þ]", head):
        return True
    return phrase.kind is AnswerType.PERSON and first[:1].isupper() and first.lower() not in DETERMINERS
