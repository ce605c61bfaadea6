"""Facts and their probes: what was worth remembering, where it came from, and how it is asked for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from sqlmodel import Session as DbSession
from sqlmodel import col, func, select

from engrain.errors import NotFoundError
from engrain.memory.repeats import mark_repetitions
from engrain.memory.schema import Episode, Fact, FactState, Message, Module, ModuleFact, ModuleState, Probe, Tombstone, day_of
from engrain.memory.statements import Statement, statements
from engrain.memory.supersede import supersede
from engrain.memory.voice import asked, told, words

_LIVE = (Fact.state != FactState.ERASED, col(Fact.superseded_by).is_(None))
"""What is told: neither erased nor corrected."""


def add_facts(db: DbSession, episode: Episode, messages: Iterable[Message]) -> list[Fact]:
    """Write down what the messages of an episode state, and return what is new; what was said before or was erased is left out."""
    assert episode.id is not None
    known, buried = _said_already(db, episode.owner), _buried(db, episode.owner)
    added = []
    for message in messages:  # one by one: what is said again behind a correction takes it back
        new = []
        for statement in statements(message.content, message.speaker, day_of(message.said_at), message.listener):
            key = " ".join(words(statement.text))
            if key not in known and digest(episode.owner, statement.text) not in buried:
                known.add(key)
                new.append(fact_of(statement, message, episode.id))
        if _written(db, new):
            known = _said_already(db, episode.owner)
        added += new
    return [fact for fact in added if fact.superseded_by is None]


def add_whole(db: DbSession, episode: Episode, message: Message) -> list[Fact]:
    """Write down a message as one fact, whatever its grammar; nothing where it is told already or was erased."""
    assert episode.id is not None
    content, on = message.content, day_of(message.said_at)
    whole = Statement(told(content, message.speaker), asked(content, message.speaker), message.speaker, on, 0, len(content))
    if " ".join(words(whole.text)) in _said_already(db, episode.owner) or digest(episode.owner, whole.text) in _buried(db, episode.owner):
        return []
    fact = fact_of(whole, message, episode.id)
    _written(db, [fact])
    return [fact] if fact.superseded_by is None else []


def _said_already(db: DbSession, owner: str) -> set[str]:
    """The words of what is told."""
    return {" ".join(words(text)) for text in db.exec(select(Fact.text).where(Fact.owner == owner, *_LIVE))}


def _buried(db: DbSession, owner: str) -> set[str]:
    return set(db.exec(select(Tombstone.digest).where(Tombstone.owner == owner)))


def _written(db: DbSession, facts: Sequence[Fact]) -> bool:
    """Add new facts, what they repeat and what they correct marked; returns whether they correct something."""
    db.add_all(facts)
    db.flush()
    mark_repetitions(db, facts)
    return supersede(db, [fact for fact in facts if fact.superseded_by is None])


def fact_of(statement: Statement, message: Message, episode_id: int) -> Fact:
    """A statement as a row, with the span it came from."""
    assert message.id is not None
    return Fact(
        owner=message.owner,
        episode_id=episode_id,
        message_id=message.id,
        span_start=statement.start,
        span_end=statement.end,
        speaker=statement.speaker,
        text=statement.text,
        asked=statement.asked,
        said_on=statement.said_on,
        trust=message.trust,
    )


def digest(owner: str, text: str) -> str:
    """The keyed hash under which an erased statement is remembered as erased."""
    return hmac.new(owner.encode(), " ".join(words(text)).encode(), hashlib.sha256).hexdigest()


def live_facts(db: DbSession, owner: str, state: FactState | None = None) -> list[Fact]:
    """An owner's facts that are not erased, the oldest first; only those in `state` where it is given."""
    query = select(Fact).where(Fact.owner == owner, *_LIVE)
    if state is not None:
        query = query.where(Fact.state == state)
    return list(db.exec(query.order_by(col(Fact.id))))


def live_facts_said(db: DbSession, owner: str) -> list[tuple[Fact, str]]:
    """The same, each with the id of the session it was said in."""
    said_in = col(Message.session_id)
    query = select(Fact, said_in).join(Message, col(Message.id) == col(Fact.message_id), isouter=True)
    query = query.where(Fact.owner == owner, *_LIVE).order_by(col(Fact.id))
    return [(fact, session or "") for fact, session in db.exec(query)]


FactsMark = tuple[tuple[str | int, ...], ...]


def facts_mark(db: DbSession, owner: str) -> FactsMark:
    """Another one whenever a fact of the owner came, went, or changed its state."""
    newer, of = col(Fact.superseded_by), col(Fact.id)
    query = select(Fact.state, func.count(), func.sum(of), func.count(newer), func.sum(newer)).where(Fact.owner == owner)  # type: ignore[call-overload]
    return tuple(sorted((str(state), *(int(n or 0) for n in numbers)) for state, *numbers in db.exec(query.group_by(Fact.state))))


def facts_of(db: DbSession, owner: str, module_id: str) -> list[Fact]:
    """The live facts in a module, the oldest first."""
    query = (
        select(Fact)
        .join(ModuleFact, col(ModuleFact.fact_id) == col(Fact.id))
        .where(ModuleFact.module_id == module_id, ModuleFact.owner == owner, Fact.owner == owner)
        .where(*_LIVE)
    )
    return list(db.exec(query.order_by(col(Fact.id))))


def still_live(db: DbSession, owner: str, fact_ids: Sequence[int]) -> list[int]:
    """Those of the facts that are neither erased nor corrected by now, in their order."""
    live = set(db.exec(select(Fact.id).where(Fact.owner == owner, col(Fact.id).in_(fact_ids), *_LIVE)))
    return [fact_id for fact_id in fact_ids if fact_id in live]


def freshen(db: DbSession, owner: str) -> list[Fact]:
    """Let the engrained facts be fresh again that no live module holds any more; returns them."""
    inside = select(ModuleFact.fact_id).join(Module, col(Module.id) == col(ModuleFact.module_id))
    inside = inside.where(Module.owner == owner, ModuleFact.owner == owner, Module.state == ModuleState.LIVE)
    lost = db.exec(select(Fact).where(Fact.owner == owner, Fact.state == FactState.ENGRAINED, col(Fact.id).not_in(inside))).all()
    for fact in lost:
        fact.state = FactState.FRESH
    return list(lost)


def try_again(db: DbSession, owner: str) -> int:
    """Forget that fresh facts were refused, however often; returns of how many."""
    refused = [fact for fact in live_facts(db, owner, FactState.FRESH) if fact.rejections]
    for fact in refused:
        fact.rejections = 0
    return len(refused)


def require_fact(db: DbSession, owner: str, fact_id: int) -> Fact:
    """The fact; raises NotFoundError, for another owner's fact too."""
    fact = db.get(Fact, fact_id)
    if fact is None or fact.owner != owner or fact.state is FactState.ERASED:
        raise NotFoundError(f"{owner!r} has no fact {fact_id}; `engrain facts` lists them")
    return fact


def forgotten(db: DbSession, owner: str) -> int:
    """How many statements of an owner were erased."""
    return db.exec(select(func.count()).select_from(Tombstone).where(Tombstone.owner == owner)).one()


def probes_of(db: DbSession, owner: str, job_id: int) -> list[Probe]:
    """The probes a job distilled."""
    return list(db.exec(select(Probe).where(Probe.owner == owner, Probe.job_id == job_id).order_by(col(Probe.id))))


def routed_probes(db: DbSession, owner: str, base_sha256: str) -> list[tuple[str, Probe]]:
    """(module id, probe) of every fact's probe in the owner's live modules for this base; not of facts that a newer one corrects."""
    query = (
        select(Module.id, Probe)
        .join(ModuleFact, col(ModuleFact.module_id) == col(Module.id))
        .join(Probe, (col(Probe.fact_id) == col(ModuleFact.fact_id)) & (col(Probe.job_id) == col(Module.job_id)))
        .join(Fact, col(Fact.id) == col(Probe.fact_id))
        .where(Module.owner == owner, Probe.owner == owner, Module.state == ModuleState.LIVE, Module.base_sha256 == base_sha256)
        .where(col(Fact.superseded_by).is_(None))
        .order_by(col(Probe.id))
    )
    return [(module_id, probe) for module_id, probe in db.exec(query).all()]


def probed(db: DbSession, owner: str, module_id: str) -> tuple[list[Probe], dict[int, Fact]]:
    """The probes of one module's live facts, and these facts by id."""
    query = (
        select(Probe, Fact)
        .join(Fact, col(Fact.id) == col(Probe.fact_id))
        .join(Module, col(Module.job_id) == col(Probe.job_id))
        .where(Module.id == module_id, Module.owner == owner, Probe.owner == owner, Fact.owner == owner)
        .where(*_LIVE)
        .order_by(col(Probe.id))
    )
    rows = db.exec(query).all()
    return [probe for probe, _ in rows], {fact.id or 0: fact for _, fact in rows}


def corrected_facts(db: DbSession, owner: str) -> set[int]:
    """The ids of engrained facts that a newer one corrects."""
    query = select(Fact.id).where(Fact.owner == owner, Fact.state == FactState.ENGRAINED, col(Fact.superseded_by).is_not(None))
    return {fact_id for fact_id in db.exec(query) if fact_id is not None}


def keep_embeddings(db: DbSession, rows: Sequence[Fact] | Sequence[Probe]) -> None:
    """Store the vectors just made for rows that were read elsewhere; rows erased meanwhile stay erased."""
    for row in rows:
        stored = db.get(type(row), row.id)
        if stored is not None and not (isinstance(stored, Fact) and stored.state is FactState.ERASED):
            stored.embedding = row.embedding
