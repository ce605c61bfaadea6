"""What was said: sessions, their messages, and the episodes that close over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session as DbSession
from sqlmodel import col, func, select

from engrain.errors import InputError, NotFoundError
from engrain.memory.facts import add_facts
from engrain.memory.schema import Episode, Message, Session, Trust, day_of, now
from engrain.memory.voice import USER


@dataclass(frozen=True)
class Said:
    """A message before it is stored."""

    role: str
    content: str
    speaker: str = ""
    """Empty: the role."""
    listener: str | None = None
    said_at: datetime | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def trust(self) -> Trust:
        """People vouch for what they say; models and tools do not."""
        return {"user": Trust.USER, "tool": Trust.TOOL}.get(self.role, Trust.ASSISTANT)


def check_session_id(session_id: str) -> None:
    """Raises InputError for one that is empty or too long."""
    if not session_id.strip() or len(session_id) > 200:
        raise InputError(f"session id {session_id!r} must have 1 to 200 characters")


def open_session(db: DbSession, owner: str, session_id: str, title: str = "", at: datetime | None = None) -> Session:
    """The session with this id, made where there is none; raises InputError as `check_session_id` does."""
    check_session_id(session_id)
    found = db.get(Session, (owner, session_id))
    if found is None:
        moment = at or now()
        found = Session(owner=owner, id=session_id, title=title, created_at=moment, updated_at=moment)
        db.add(found)
        db.flush()
    return found


def add_message(db: DbSession, owner: str, session_id: str, said: Said) -> Message:
    """Write one message at the end of a session."""
    session = open_session(db, owner, session_id, at=said.said_at)
    message = Message(
        owner=owner,
        session_id=session_id,
        role=said.role,
        speaker=said.speaker or (USER if said.role == "user" else said.role),
        listener=said.listener,
        content=said.content,
        trust=said.trust,
        said_at=said.said_at or now(),
        extra=said.extra,
    )
    session.updated_at = max(session.updated_at, message.said_at)
    db.add(message)
    db.flush()
    return message


def messages_of(db: DbSession, owner: str, session_id: str, after: int = 0) -> list[Message]:
    """A session's messages in order, those with a larger id than `after`."""
    query = select(Message).where(Message.owner == owner, Message.session_id == session_id, col(Message.id) > after)
    return list(db.exec(query.order_by(col(Message.id))))


def sessions_of(db: DbSession, owner: str) -> list[Session]:
    """An owner's sessions, the newest last."""
    return list(db.exec(select(Session).where(Session.owner == owner).order_by(col(Session.updated_at))))


def require_session(db: DbSession, owner: str, session_id: str) -> Session:
    """The session; raises NotFoundError."""
    found = db.get(Session, (owner, session_id))
    if found is None:
        raise NotFoundError(f"{owner!r} has no session {session_id!r}; `engrain status` lists them")
    return found


def open_messages(db: DbSession, owner: str, session_id: str | None = None) -> list[Message]:
    """Messages whose span is still open: no episode has closed over them."""
    query = select(Message).where(Message.owner == owner, col(Message.episode_id).is_(None))
    if session_id is not None:
        query = query.where(Message.session_id == session_id)
    return list(db.exec(query.order_by(col(Message.id))))


def close_session(db: DbSession, owner: str, session_id: str) -> Episode | None:
    """Close the open span of a session into an episode and write down its facts; None where nothing is open."""
    messages = open_messages(db, owner, session_id)
    if not messages:
        return None
    episode = Episode(owner=owner, session_id=session_id, occurred_on=day_of(messages[0].said_at))
    db.add(episode)
    db.flush()
    assert episode.id is not None
    for message in messages:
        message.episode_id = episode.id
    add_facts(db, episode, [m for m in messages if m.trust is Trust.USER])
    return episode


def close_idle(db: DbSession, owner: str, idle: timedelta | None) -> Sequence[Episode]:
    """Close every session of the owner without a message for `idle` (None: every session)."""
    query = select(Message.session_id, func.max(Message.id)).where(Message.owner == owner, col(Message.episode_id).is_(None))
    closed = []
    for session_id, _ in db.exec(query.group_by(Message.session_id)).all():
        session = require_session(db, owner, session_id)
        if idle is None or session.updated_at <= now() - idle:
            episode = close_session(db, owner, session_id)
            if episode is not None:
                closed.append(episode)
    return closed
