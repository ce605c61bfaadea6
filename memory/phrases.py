"""Noun phrases, by the parser: what belongs to them, and what kind of thing they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engrain.memory.answer_type import AnswerType
from engrain.memory.cue import ACRONYM
from engrain.memory.parser import parsed

_KINDS = {
    "PERSON": AnswerType.PERSON, "GPE": AnswerType.PLACE, "LOC": AnswerType.PLACE, "FAC": AnswerType.PLACE, "DATE": AnswerType.TIME,
    "TIME": AnswerType.TIME, "MONEY": AnswerType.AMOUNT, "QUANTITY": AnswerType.AMOUNT, "CARDINAL": AnswerType.AMOUNT, "ORDINAL": AnswerType.AMOUNT,
    "PERCENT": AnswerType.AMOUNT,
}  # fmt: skip
"""Of named entities (OntoNotes)."""
_ONLY = {"only", "just", "even"}
"""Nothing asks for them."""
_ABOUT = {"about", "around", "nearly", "almost", "roughly", "some"}
"""Before a number nothing asks for them."""


@dataclass(frozen=True)
class Phrase:
    """A noun phrase, and the kind of thing that its head names (named entity recognition); THING where none is told."""

    text: str
    kind: AnswerType


@lru_cache(maxsize=2048)
def phrases_in(text: str) -> tuple[Phrase, ...]:
    """The noun phrases of a text, with what belongs to them and without, and its names; in their order.

    >>> [phrase.text for phrase in phrases_in("I'm walking Hadrian's Wall with my old flatmate Gwen.")]
    ["Hadrian's Wall", 'my old flatmate', 'my old flatmate Gwen', 'Gwen']
    """
    found: dict[str, Phrase] = {}
    for word in parsed(text.replace("’", "'")):
        kind = _KINDS.get(word.ent_type_, AnswerType.THING)
        if kind is AnswerType.PERSON and ACRONYM.search(word.text):
            kind = AnswerType.THING
        for words in _phrases_of(word):
            phrase = joined_words(words)
            if phrase:  # *!* of *American Dad!* may be taken for a noun
                found.setdefault(phrase, Phrase(phrase, kind))
    return tuple(found.values())


def _phrases_of(word: Any) -> Iterator[list[Any]]:
    """The phrases that a noun is the head of, and the name that it is the last word of."""
    if word.pos_ in {"NOUN", "PROPN", "NUM"} and word.dep_ not in {"compound", "nummod", "poss", "appos"}:
        whole = phrase_of(word)
        behind = [child for child in word.children if child.i > word.i and child.dep_ in {"prep", "acl", "npadvmod", "cc", "conj", "advcl"}]
        more = {one.i for child in behind for one in child.subtree}
        yield whole
        yield [one for one in whole if one.i not in more]
    if word.pos_ == "PROPN" and word.dep_ not in {"compound", "poss"} and not any(one.dep_ == "poss" for one in word.children):
        yield [*(one for one in word.lefts if one.dep_ == "compound" and one.pos_ == "PROPN"), word]


def without_relative(head: Any) -> list[Any]:
    """The words of what belongs to a head, without relative clauses, full and reduced."""
    relative = [one for one in head.subtree if one.i != head.i and (one.dep_ == "relcl" or is_done_by(one))]
    dropped = {word.i for clause in relative for word in clause.subtree}
    dropped |= {word.i for clause in relative if is_done_by(clause) for word in clause.head.subtree if word.i > clause.i}
    dropped |= {word.i for word in head.subtree if word.lower_ in _ABOUT and word.head.pos_ == "NUM"}
    dropped |= {word.i for word in head.subtree if word.lower_ in _ONLY and word.dep_ == "advmod"}
    for aside in (one for one in head.subtree if one != head and is_aside(one)):
        end = end_of(aside)
        dropped |= set(range(aside.left_edge.i - 1, end + 1)) if end < len(head.doc) and head.doc[end].text == "," else set()
    return [word for word in head.subtree if word.i not in dropped]


def phrase_of(noun: Any) -> list[Any]:
    """A noun phrase: without relative clauses, without what stands in it between commas, without the sentence's end."""
    aside = {word.i for child in noun.children if is_aside(child) for word in child.subtree} | {
        word.i for word in noun.subtree if word.text in {".", "!", "?"}
    }
    return [word for word in without_relative(noun) if word.i not in aside and (word.text != "," or is_in_list(word))]


def is_done_by(child: Any) -> bool:
    """Whether a reduced relative clause tells who did it: *a jumper knitted by Rosa in Galway*."""
    return bool(child.dep_ == "acl" and child.tag_ == "VBN" and any(one.dep_ == "agent" for one in child.children))


def is_aside(child: Any) -> bool:
    """Whether something is put in between commas: *our twins, Jonah and Bea,*."""
    return bool(child.dep_ == "appos" and child.left_edge.i > 0 and child.doc[child.left_edge.i - 1].text == ",")


def end_of(aside: Any) -> int:
    """Where what is put in between commas ends: at the next one, whatever the parser takes for a part of it."""
    return next((word.i for word in aside.subtree if word.i > aside.i and word.text == "," and not is_in_list(word)), int(aside.right_edge.i) + 1)


def is_in_list(comma: Any) -> bool:
    """Whether a comma stands between the things of a list: *Leeds, Hull and York*; not before *and my sister ...*."""
    if comma.text != "," or comma.head.pos_ not in {"NOUN", "PROPN", "NUM"}:
        return False
    if not any(one.dep_ == "conj" and one.i > comma.i for one in comma.head.children):
        return False
    joint, begins = comma.nbor(1), comma.doc[min(comma.i + 2, len(comma.doc) - 1)]
    return not (joint.dep_ == "cc" and begins.pos_ in {"DET", "PRON"})


def words_of(some: Sequence[Any]) -> tuple[str, ...]:
    """Words as they are written: *cast-iron*, *Hadrian's*, *Leeds,* in a list."""
    out: list[str] = []
    for at, word in enumerate(some):
        if at and _sticks(some[at - 1], word):
            out[-1] += word.text
        else:
            out.append(word.text)
    return tuple(out)


def _sticks(before: Any, word: Any) -> bool:
    """Whether nothing stands between two words, and no comma but that of a list."""
    return before.i == word.i - 1 and not before.whitespace_ and (is_in_list(word) or not {word.text, before.text} & {",", ";"})


def joined_words(some: Iterable[Any]) -> str:
    return " ".join(words_of(list(some)))
