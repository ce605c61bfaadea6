"""Correction: a newer fact takes the place of an older one that answers the same question otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from sqlalchemy import false
from sqlmodel import Session as DbSession
from sqlmodel import col, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from engrain.memory.cues import settled
from engrain.memory.denial import affirmed, opposed
from engrain.memory.modules import changed
from engrain.memory.repeats import mark_repetitions
from engrain.memory.schema import Fact, FactState
from engrain.memory.voice import words

_CLOCK = re.compile(
    r"\d:\d\d|\bo'clock|\d ?[ap]m\b|\bat (?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b|noon|midnight", re.IGNORECASE
)


def supersede(db: DbSession, facts: Iterable[Fact]) -> bool:
    """Mark what the new facts correct, or what of them is older than what is there; those of one owner, already flushed.

    Of two that were said on one day the one that was written down later counts. An older fact that is superseded is neither searched
    nor told nor trained any more; it is live again when the newer one is forgotten. Returns whether there was one.
    """
    found = False
    for fact in facts:
        if fact.superseded_by is not None:
            continue
        subject, answers = settled(fact.asked)
        for other in db.exec(_rivals(fact, subject)).all():
            same = answers and subject.lower() in other.asked.lower()  # it may stand behind a time or a place
            if opposed(fact.asked, other.asked) or (same and _contradict(answers, settled(other.asked)[1])):
                older, newer = sorted((fact, other), key=_said)
                older.superseded_by, found = newer.id, True
                if older.state is FactState.ENGRAINED:
                    changed(db, fact.owner)
                if older is fact:
                    break
        db.flush()
    return found


def _said(fact: Fact) -> tuple[date, int]:
    """What orders facts in time."""
    return fact.said_on, fact.id or 0


def revive(db: DbSession, owner: str, fact_ids: Iterable[int]) -> None:
    """Let the facts be live again that these, which are being forgotten, had superseded, unless something else supersedes them."""
    by = {fact_id: fact.superseded_by for fact_id in fact_ids if (fact := db.get(Fact, fact_id)) is not None}
    revived = []
    for fact in db.exec(select(Fact).where(Fact.owner == owner, Fact.state != FactState.ERASED, col(Fact.superseded_by).in_(by))).all():
        newer = fact.superseded_by
        while newer in by:
            newer = by[newer]
        fact.superseded_by = newer
        if newer is None:
            revived.append(fact)
    db.flush()
    revived.sort(key=_said)
    mark_repetitions(db, revived)
    supersede(db, revived)


def _rivals(fact: Fact, subject: str) -> SelectOfScalar[Fact]:
    """The live facts of the same speaker that speak of the same subject, or hold the longest word that this one denies, or not."""
    longest = max(affirmed(fact.asked), key=len, default="")
    spoken_of = [col(Fact.asked).icontains(text, autoescape=True) for text in (subject, longest) if text]
    rivals = select(Fact).where(Fact.owner == fact.owner, Fact.speaker == fact.speaker, Fact.state != FactState.ERASED, Fact.id != fact.id)
    return rivals.where(col(Fact.superseded_by).is_(None), or_(false(), *spoken_of)).order_by(col(Fact.id))


def _contradict(new: dict[str, str], old: dict[str, str]) -> bool:
    """Whether both answer a question, otherwise and in the same kind: a day and an hour go together."""
    both = [(new[question], old[question]) for question in new.keys() & old.keys()]
    return any(words(a) != words(b) and bool(_CLOCK.search(a)) == bool(_CLOCK.search(b)) for a, b in both)
