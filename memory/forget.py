"""Forgetting: the content is erased and what was trained on it stops serving, in one transaction."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlmodel import Session as DbSession
from sqlmodel import col, delete, select

from engrain.errors import InputError, NotFoundError
from engrain.memory.cues import forget_cues
from engrain.memory.facts import digest, freshen, require_fact
from engrain.memory.log import close_session, messages_of, require_session
from engrain.memory.modules import changed, sweep
from engrain.memory.repeats import repetitions
from engrain.memory.schema import (
    Episode,
    Fact,
    FactState,
    Job,
    JobState,
    Message,
    Module,
    ModuleFact,
    ModuleState,
    Probe,
    Session,
    Tombstone,
    day_of,
    now,
)  # fmt: skip
from engrain.memory.statements import content_words
from engrain.memory.store import Store
from engrain.memory.supersede import revive

ERASED = "[forgotten]"
_SHORT = 3
"""Letters of a text, at most, that is not looked for elsewhere."""


@dataclass(frozen=True)
class Selector:
    """What to forget: exactly one of these."""

    fact: int | None = None
    episode: int | None = None
    session: str | None = None
    subject: str | None = None
    """A name or a thing: whatever was said by or about it."""
    said: tuple[date, date] | None = None
    """The first and the last day: everything that was said then."""
    everything: bool = False

    def check(self) -> None:
        """Raises InputError unless exactly one is given."""
        values = (self.fact, self.episode, self.session, self.subject, self.said)
        given = sum(value is not None for value in values) + self.everything
        if given != 1:
            raise InputError(f"{given} things were named to forget; name exactly one of fact, episode, session, subject, said, everything")
        if self.said and self.said[0] > self.said[1]:
            raise InputError(f"{self.said[0]} comes after {self.said[1]}; name the first day and then the last")


@dataclass(frozen=True)
class Erasure:
    """What was erased."""

    facts: tuple[int, ...]
    messages: int
    probes: int
    modules: tuple[str, ...]
    """Modules that stopped serving; their files are deleted."""
    jobs: tuple[int, ...]
    """Unfinished jobs that were given up because they held one of the facts."""
    to_rebuild: int
    """Facts that were in the same modules: fresh again, served from SQL until the next consolidation."""


def forget(store: Store, owner: str, selector: Selector, modules: Path, jobs: Path) -> Erasure:
    """Erase what the selector names; raises NotFoundError, with nothing erased, where it names nothing."""
    selector.check()
    with store.write() as db:
        facts, messages, whole = _selected(db, owner, selector)
        ids = [f.id for f in facts if f.id is not None]
        module_rows = _holding(db, owner, ids)
        rebuilt = _release(db, owner, module_rows, ids)
        stopped = _give_up_jobs(db, owner, ids)
        worked_on = [job.id for job in db.exec(select(Job).where(Job.owner == owner)) if job.id and set(job.fact_ids) & set(ids)]
        probes = _erase_probes(db, owner, ids, module_rows)
        touched = _erase_messages(db, owner, facts, messages, whole)
        touched += [m for m in messages if m.content == ERASED and m not in touched]  # what the subject said itself
        _erase_facts(db, owner, facts)
        revive(db, owner, ids)
        changed(db, owner)
        _erase_summaries(db, owner, touched)
        module_ids = tuple(m.id for m in module_rows)
    for module_id in module_ids:
        shutil.rmtree(modules / module_id, ignore_errors=True)
    with store.read() as db:
        sweep(db, modules)  # what a compaction replaced, or a killed worker put in its place, may still lie there
    store.scrub()
    forget_cues()
    for job_id in worked_on:  # those that failed too: what a teacher wrote about a fact may lie there
        shutil.rmtree(jobs / str(job_id), ignore_errors=True)
    return Erasure(tuple(ids), len(touched), probes, module_ids, tuple(stopped), rebuilt)


def _selected(db: DbSession, owner: str, selector: Selector) -> tuple[list[Fact], list[Message], bool]:
    """(facts, messages, whether the messages go whole)."""
    if selector.fact is not None:
        fact = require_fact(db, owner, selector.fact)
        _close_all(db, owner)
        facts = [fact, *repetitions(db, fact)]
        messages = [m for m in (db.get(Message, f.message_id) for f in facts) if m is not None]
        return facts, messages, False
    if selector.subject is not None:
        return _about(db, owner, selector.subject)
    if selector.session is not None:
        require_session(db, owner, selector.session)
        close_session(db, owner, selector.session)
        messages = messages_of(db, owner, selector.session)
    elif selector.episode is not None:
        episode = db.get(Episode, selector.episode)
        if episode is None or episode.owner != owner:
            raise NotFoundError(f"{owner!r} has no episode {selector.episode}; `engrain facts` shows which there are")
        _close_all(db, owner)
        messages = list(db.exec(select(Message).where(Message.owner == owner, Message.episode_id == selector.episode)))
    else:
        _close_all(db, owner)
        messages = list(db.exec(select(Message).where(Message.owner == owner)))
    if selector.said is not None:
        first, last = selector.said
        messages = [m for m in messages if first <= day_of(m.said_at) <= last]
        if not messages:
            raise NotFoundError(f"{owner!r} said nothing from {first} to {last}; `engrain facts` shows when what was said")
    wanted = {m.id for m in messages}
    return [f for f in _all_facts(db, owner) if f.message_id in wanted], messages, True


def _about(db: DbSession, owner: str, subject: str) -> tuple[list[Fact], list[Message], bool]:
    """What is said of a subject: the facts and their spans; what it said itself."""
    _close_all(db, owner)
    name = subject.strip().casefold()
    spoken = list(db.exec(select(Message).where(Message.owner == owner)))
    own = {m.id for m in spoken if name and m.speaker.casefold() == name}
    facts = [f for f in _all_facts(db, owner) if f.message_id in own or mentions(f.text, subject)]
    facts += [other for fact in facts for other in repetitions(db, fact)]
    if not facts and not own:
        raise NotFoundError(f"{owner!r} has nothing said by or about {subject!r}; `engrain facts` shows what there is")
    told = {f.message_id for f in facts}
    for message in spoken:
        if message.id in own:
            message.content, message.extra, message.speaker = ERASED, {}, ERASED
        if (message.listener or "").casefold() == name:
            message.listener = None
    return list({f.id: f for f in facts}.values()), [m for m in spoken if m.id in told | own], False


def _close_all(db: DbSession, owner: str) -> None:
    """End the open spans, so that what they state is erased as facts are."""
    for session_id in set(db.exec(select(Message.session_id).where(Message.owner == owner, col(Message.episode_id).is_(None)))):
        close_session(db, owner, session_id)


def _all_facts(db: DbSession, owner: str) -> list[Fact]:
    return list(db.exec(select(Fact).where(Fact.owner == owner, Fact.state != FactState.ERASED)))


def _holding(db: DbSession, owner: str, fact_ids: Sequence[int]) -> list[Module]:
    """Live and rejected modules that were trained on one of the facts."""
    query = select(Module).where(
        Module.owner == owner,
        Module.state != ModuleState.RETIRED,
        col(Module.id).in_(select(ModuleFact.module_id).where(col(ModuleFact.fact_id).in_(fact_ids))),
    )
    return list(db.exec(query))


def _release(db: DbSession, owner: str, modules: Sequence[Module], fact_ids: Sequence[int]) -> int:
    """Retire the modules and make their other facts fresh again, those that no other module holds; returns how many."""
    for module in modules:
        module.state = ModuleState.RETIRED
        module.reason = "held something that was forgotten"
    db.flush()
    return sum(fact.id not in fact_ids for fact in freshen(db, owner))


def _give_up_jobs(db: DbSession, owner: str, fact_ids: Sequence[int]) -> list[int]:
    """End unfinished jobs that hold one of the facts; their worker notices at its next stage and cannot publish."""
    active = db.exec(select(Job).where(Job.owner == owner, col(Job.state).in_((JobState.QUEUED, JobState.RUNNING)))).all()
    ended = []
    for job in active:
        if set(job.fact_ids) & set(fact_ids):
            job.state, job.error, job.lease_until, job.updated_at = JobState.FAILED, "one of its facts was forgotten", None, now()
            assert job.id is not None
            ended.append(job.id)
    return ended


def _erase_probes(db: DbSession, owner: str, fact_ids: Sequence[int], modules: Sequence[Module]) -> int:
    """Delete the facts' probes, and the unknown probes of modules that are gone."""
    jobs = [m.job_id for m in modules]
    mine = db.exec(delete(Probe).where(col(Probe.owner) == owner, col(Probe.fact_id).in_(fact_ids)))
    db.exec(delete(Probe).where(col(Probe.owner) == owner, col(Probe.job_id).in_(jobs), col(Probe.fact_id).is_(None)))
    return int(mine.rowcount)


def _erase_messages(db: DbSession, owner: str, facts: Sequence[Fact], messages: Sequence[Message], whole: bool) -> list[Message]:
    """Blank the messages, or the facts' spans in them and every copy elsewhere, word for word; returns those touched."""
    if whole:
        for message in messages:
            message.content, message.extra = ERASED, {}
        return list(messages)
    said = [m.content[f.span_start : f.span_end] for f in facts for m in messages if m.id == f.message_id]
    needles = [needle for text in {*said, *(f.text for f in facts), *(f.asked for f in facts)} if (needle := _word_for_word(text))]
    ids, touched = {f.id for f in facts}, []
    stay: dict[int, list[Fact]] = {}
    for fact in _all_facts(db, owner):
        if fact.id not in ids:
            stay.setdefault(fact.message_id, []).append(fact)
    for message in db.exec(select(Message).where(Message.owner == owner)):
        before = message.content, message.extra
        spans = [(f.span_start, f.span_end) for f in facts if f.message_id == message.id]
        spans += [match.span() for needle in needles for match in needle.finditer(message.content)]
        if message.content != ERASED:
            _blank(message, spans, stay.get(message.id or 0, []))
        if any(needle.search(str(message.extra)) for needle in needles):
            message.extra = {}
        if (message.content, message.extra) != before:
            touched.append(message)
    return touched


def _word_for_word(text: str) -> re.Pattern[str] | None:
    """What finds a text's words, whatever stands between them; None where they are too few to be meant."""
    words = re.findall(r"\w+", text)
    if len("".join(words)) <= _SHORT:
        return None
    return re.compile(r"(?<!\w)" + r"\W+".join(map(re.escape, words)) + r"(?!\w)", re.IGNORECASE)


def _blank(message: Message, spans: Sequence[tuple[int, int]], stay: Sequence[Fact]) -> None:
    """Take spans out of a message, and move those of the facts that stay in it."""
    gone: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        end = start + len(message.content[start:end].rstrip(" .!,;"))
        if gone and start <= gone[-1][1]:
            gone[-1] = gone[-1][0], max(gone[-1][1], end)
        elif start < end:
            gone.append((start, end))
    for fact in stay:
        fact.span_start, fact.span_end = _moved(fact.span_start, gone, 0), _moved(fact.span_end, gone, len(ERASED))
    for start, end in reversed(gone):
        message.content = message.content[:start] + ERASED + message.content[end:]


def _moved(at: int, gone: Sequence[tuple[int, int]], inside: int) -> int:
    """Where a place in a text is, once spans of it are taken out; one in a span is so far `inside` what stands there then."""
    shift = 0
    for start, end in gone:
        if start < at < end:
            return start + shift + inside
        if end <= at:
            shift += len(ERASED) - (end - start)
    return at + shift


def _erase_facts(db: DbSession, owner: str, facts: Sequence[Fact]) -> None:
    for fact in facts:
        key = digest(owner, fact.text)
        if not db.exec(select(Tombstone).where(Tombstone.owner == owner, Tombstone.digest == key)).first():
            db.add(Tombstone(owner=owner, digest=key))
            db.flush()
        fact.state, fact.text, fact.asked, fact.speaker, fact.embedding = FactState.ERASED, "", "", "", None
        fact.span_start = fact.span_end = 0


def _erase_summaries(db: DbSession, owner: str, messages: Sequence[Message]) -> None:
    """A summary may tell what was forgotten: it is made anew from what is left."""
    for session_id in {m.session_id for m in messages}:
        session = db.get(Session, (owner, session_id))
        if session is not None:
            session.summary, session.summarised_through = "", 0


def matching(db: DbSession, owner: str, text: str) -> list[Fact]:
    """Facts whose words contain all words of a text, those that newer ones correct too."""
    return [f for f in _all_facts(db, owner) if mentions(f.text, text)]


def mentions(said: str, text: str) -> bool:
    """Whether a statement holds all words of a text; *Ines's* is a word *Ines*."""
    wanted = {word.removesuffix("'s") for word in content_words(text)}
    return bool(wanted) and wanted <= {word.removesuffix("'s") for word in content_words(said)}
