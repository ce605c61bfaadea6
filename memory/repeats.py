"""Repetition: a statement that says nothing which an earlier one of the same speaker did not say."""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session as DbSession
from sqlmodel import col, select

from engrain.memory.cues import cues
from engrain.memory.denial import negates
from engrain.memory.schema import Fact, FactState
from engrain.memory.statements import content_words
from engrain.memory.voice import words

_EMPTY = {"a", "an", "the", "really", "just", "also", "still", "actually", "now", "currently", "very", "so", "too", "basically", "honestly"}
_SHORT = (("n't", " not"), ("'m", " am"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"))
_NAMING = {"name", "called", "named"}


def mark_repetitions(db: DbSession, facts: Iterable[Fact]) -> None:
    """Let the earlier fact stand for each new one that says no more than it; those of one owner, already flushed.

    A repetition is kept, superseded by what it repeats, so that forgetting the one erases the other too.
    """
    for fact in facts:
        query = select(Fact).where(
            Fact.owner == fact.owner,
            Fact.speaker == fact.speaker,
            Fact.state != FactState.ERASED,
            col(Fact.id) < fact.id,
            col(Fact.superseded_by).is_(None),
        )
        rarest = max(content_words(fact.asked), key=len, default="")
        for earlier in db.exec(query.where(col(Fact.asked).icontains(rarest, autoescape=True))):
            if says_no_more(fact.asked, earlier.asked):
                fact.superseded_by = earlier.id
                db.flush()
                break


def repetitions(db: DbSession, fact: Fact) -> list[Fact]:
    """The facts that a fact stands for."""
    stood_for = select(Fact).where(Fact.owner == fact.owner, Fact.superseded_by == fact.id, Fact.state != FactState.ERASED)
    return [other for other in db.exec(stood_for) if says_no_more(other.asked, fact.asked)]


def says_no_more(new: str, old: str) -> bool:
    """Whether all that a statement says stands in another one.

    >>> says_no_more("I'm really allergic to cashews.", "I am allergic to cashews.")
    True
    >>> says_no_more("I live in Porto.", "I live in Porto with Ann.")
    True
    >>> says_no_more("I do not live in Porto.", "I live in Porto with Ann.")
    False
    """
    if _plain(new) == _plain(old):
        return True
    told, held = _answers(new), _answers(old)
    return bool(told) and told <= held and set(content_words(new)) <= {*content_words(old), *_NAMING} and negates(new) == negates(old)


def _plain(text: str) -> list[str]:
    """The words that carry something, contractions written out."""
    low = text.lower().replace("’", "'")
    for short, whole in _SHORT:
        low = low.replace(short, whole)
    return [w for w in words(low) if w not in _EMPTY]


def _answers(asked: str) -> set[tuple[str, str]]:
    """(question, answer) of what a statement answers."""
    return {(cue.question.lower(), " ".join(words(cue.answer))) for cue in cues(asked) if not cue.reversed}
