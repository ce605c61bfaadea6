"""Correction: a newer fact takes the place of an older one that answers the same question otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlmodel import Session as DbSession
from sqlmodel import col, select

from engrain.memory.cues import settled
from engrain.memory.modules import changed
from engrain.memory.schema import Fact, FactState
from engrain.memory.voice import words

_CLOCK = re.compile(
    r"\d:\d\d|\bo'clock|\d ?[ap]m\b|\bat (?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b|noon|midnight", re.IGNORECASE
)


def supersede(db: DbSession, facts: Iterable[Fact]) -> None:
    """Mark what the new facts correct, or what of them is older than what is there; those of one owner, already flushed.

    An older fact that is superseded is neither searched nor told nor trained any more; it is live again when the newer one is
    forgotten.
    """
    for fact in facts:
        subject, answers = settled(fact.asked)
        if not answers:
            continue
        query = select(Fact).where(
            Fact.owner == fact.owner,
            Fact.speaker == fact.speaker,
            Fact.state != FactState.ERASED,
            Fact.id != fact.id,
            col(Fact.superseded_by).is_(None),
            col(Fact.asked).icontains(subject, autoescape=True),  # it may stand behind a time or a place
        )
        for other in db.exec(query):
            if _contradict(answers, settled(other.asked)[1]):
                newer, older = (fact, other) if fact.said_on >= other.said_on else (other, fact)
                older.superseded_by = newer.id
                if older.state is FactState.ENGRAINED:
                    changed(db, fact.owner)
        db.flush()


def revive(db: DbSession, owner: str, fact_ids: Iterable[int]) -> None:
    """Let the facts be live again that these, which are being forgotten, had superseded."""
    for fact in db.exec(select(Fact).where(Fact.owner == owner, col(Fact.superseded_by).in_(list(fact_ids)))):
        fact.superseded_by = None


def _contradict(new: dict[str, str], old: dict[str, str]) -> bool:
    """Whether both answer a question, otherwise and in the same kind: a day and an hour go together."""
    both = [(new[question], old[question]) for question in new.keys() & old.keys()]
    return any(words(a) != words(b) and bool(_CLOCK.search(a)) == bool(_CLOCK.search(b)) for a, b in both)
