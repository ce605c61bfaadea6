"""The tables. Every row has an owner, and every query names one. Times are aware, in UTC."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy import Enum as EnumType
from sqlmodel import Field, SQLModel


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def day_of(moment: datetime) -> date:
    """The day that a moment was on where this machine is: what *today* meant."""
    return moment.astimezone().date()


def _stored(kind: type[enum.Enum]) -> Any:
    """A column that holds the enum's values as text, on every database."""
    return EnumType(kind, values_callable=lambda e: [member.value for member in e], native_enum=False, length=16)


class Trust(enum.StrEnum):
    """Who vouches for a text."""

    USER = "user"  # a person said it; distilled
    ASSISTANT = "assistant"  # a model said it; never distilled
    TOOL = "tool"  # a tool returned it; never distilled
    WEB = "web"  # fetched from outside; never distilled


class FactState(enum.StrEnum):
    """Where a fact can be read."""

    FRESH = "fresh"  # in SQL only
    ENGRAINED = "engrained"  # in a live module too
    ERASED = "erased"  # nowhere; the row is its tombstone


class ProbeKind(enum.StrEnum):
    """How a probe came to be."""

    CUE = "cue"  # by grammar from the statement
    PARAPHRASE = "paraphrase"  # another form of a cue
    QUESTION = "question"  # written by a model
    REVERSED = "reversed"  # asks for the subject, from what is said of it
    UNKNOWN = "unknown"  # about something never said


class ModuleState(enum.StrEnum):
    """Whether a module serves."""

    LIVE = "live"  # routed to
    REJECTED = "rejected"  # did not pass the gate; kept with its scores
    RETIRED = "retired"  # stopped serving; its files are deleted


class JobState(enum.StrEnum):
    """What became of a job."""

    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # a worker holds its lease
    DONE = "done"  # a module was published
    REJECTED = "rejected"  # the gate refused the module; the facts stayed fresh
    FAILED = "failed"  # it crashed too often or cannot be done


class Stage(enum.StrEnum):
    """The stages of a consolidation, in order."""

    PLAN = "plan"
    DISTIL = "distil"
    TRAIN = "train"
    GATE = "gate"
    PUBLISH = "publish"


class Session(SQLModel, table=True):
    """A conversation."""

    __tablename__ = "session"
    owner: str = Field(primary_key=True, max_length=200)
    id: str = Field(primary_key=True, max_length=200)
    title: str = ""
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now, index=True)
    summary: str = ""
    """The running summary of the messages that no longer fit a context."""
    summarised_through: int = 0
    """Id of the last message the summary covers."""


class Message(SQLModel, table=True):
    """One turn of a session, in the order of ids."""

    __tablename__ = "message"
    __table_args__ = (Index("ix_message_session", "owner", "session_id", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    owner: str = Field(max_length=200)
    session_id: str = Field(max_length=200)
    role: str
    speaker: str
    """`user`, `assistant`, `tool`, or a person's name."""
    listener: str | None = None
    """Whom `you` means, where two named people talk."""
    content: str
    trust: Trust = Field(sa_type=_stored(Trust))
    said_at: datetime = Field(default_factory=now)
    episode_id: int | None = Field(default=None, index=True)
    """The episode that closed over it; None while its span is open."""
    extra: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Tool calls, or the call a tool message answers."""


class Episode(SQLModel, table=True):
    """A closed span of messages of one session."""

    __tablename__ = "episode"
    id: int | None = Field(default=None, primary_key=True)
    owner: str = Field(max_length=200, index=True)
    session_id: str = Field(max_length=200)
    occurred_on: date
    created_at: datetime = Field(default_factory=now)


class Fact(SQLModel, table=True):
    """One dated, attributed statement and the span of the message it came from."""

    __tablename__ = "fact"
    __table_args__ = (Index("ix_fact_owner_state", "owner", "state"),)
    id: int | None = Field(default=None, primary_key=True)
    owner: str = Field(max_length=200)
    episode_id: int = Field(index=True)
    message_id: int = Field(index=True)
    span_start: int
    span_end: int
    speaker: str
    text: str
    """In the memory's voice: `Your dentist is Dr. Okafor.`"""
    asked: str
    """In its asker's words: `My dentist is Dr. Okafor.`"""
    said_on: date
    trust: Trust = Field(sa_type=_stored(Trust))
    state: FactState = Field(default=FactState.FRESH, sa_type=_stored(FactState))
    superseded_by: int | None = None
    rejections: int = 0
    """Rejected modules it has been in."""
    embedding: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    """Vector of `asked` (see `vectors.py`); None until it is first needed."""


class Probe(SQLModel, table=True):
    """A question with the answer a module is to give."""

    __tablename__ = "probe"
    id: int | None = Field(default=None, primary_key=True)
    owner: str = Field(max_length=200, index=True)
    job_id: int = Field(index=True)
    fact_id: int | None = Field(default=None, index=True)
    """None for an unknown probe."""
    kind: ProbeKind = Field(sa_type=_stored(ProbeKind))
    question: str
    answer: str
    held_out: bool = False
    """Never trained: the gate's and the router's."""
    embedding: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))


class Module(SQLModel, table=True):
    """A trained adapter."""

    __tablename__ = "module"
    __table_args__ = (Index("ix_module_owner_state", "owner", "state"),)
    id: str = Field(primary_key=True, max_length=64)
    """Begins the sha256 of its manifest, and names its folder."""
    owner: str = Field(max_length=200)
    job_id: int
    base: str
    base_sha256: str
    manifest_sha256: str
    state: ModuleState = Field(sa_type=_stored(ModuleState))
    level: int = 0
    reason: str = ""
    """Why it was rejected or retired."""
    scores: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    bytes: int = 0
    created_at: datetime = Field(default_factory=now)


class ModuleFact(SQLModel, table=True):
    """Which facts are in which module."""

    __tablename__ = "module_fact"
    module_id: str = Field(primary_key=True, max_length=64)
    fact_id: int = Field(primary_key=True, index=True)
    owner: str = Field(max_length=200, index=True)


class Job(SQLModel, table=True):
    """A consolidation and how far it is."""

    __tablename__ = "job"
    __table_args__ = (
        Index(
            "ux_job_one_active_per_owner",
            "owner",
            unique=True,
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    owner: str = Field(max_length=200)
    state: JobState = Field(default=JobState.QUEUED, sa_type=_stored(JobState))
    stage: Stage = Field(default=Stage.PLAN, sa_type=_stored(Stage))
    """The stage that is to be done next, or being done."""
    progress: float = 0.0
    """Of the stage, 0 to 1."""
    note: str = ""
    """What it is doing, for a person."""
    attempt: int = 0
    worker: str = ""
    """host:pid of whoever holds the lease."""
    lease_until: datetime | None = None
    error: str = ""
    seed: int = 0
    fact_ids: list[int] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    replaces: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]"))
    """Modules that the new one takes the place of, where this is a compaction."""
    level: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Of the module it makes."""
    base_sha256: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """The base model it trains on; empty until it is claimed."""
    result: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """What the finished stages measured."""
    module_id: str | None = None
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class Tombstone(SQLModel, table=True):
    """A keyed hash of an erased statement: what keeps it from being learnt again."""

    __tablename__ = "tombstone"
    __table_args__ = (UniqueConstraint("owner", "digest"),)
    id: int | None = Field(default=None, primary_key=True)
    owner: str = Field(max_length=200, index=True)
    digest: str = Field(max_length=64)
    created_at: datetime = Field(default_factory=now)


class Revision(SQLModel, table=True):
    """Counts the changes to what an owner's questions can be led to; see `modules.changed`."""

    __tablename__ = "revision"
    owner: str = Field(primary_key=True, max_length=200)
    number: int = 0
