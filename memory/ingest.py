"""Real conversations from files: every line is checked before anything is written, and a bad file leaves nothing behind.

Two forms of JSON lines are read. A *conversation record* holds sessions of turns between named people; a *chat log* holds
OpenAI-style messages, a message or a whole conversation (`{"messages": [...]}`) a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session as DbSession
from sqlmodel import func, select

from engrain.errors import IngestError, InputError
from engrain.memory.cues import cues
from engrain.memory.dates import parse_date
from engrain.memory.forget import ERASED
from engrain.memory.log import Said, add_message, check_session_id, close_session, messages_of
from engrain.memory.schema import Fact, Message, Session, Trust, day_of, now
from engrain.memory.statements import statements
from engrain.memory.store import Store

_ROLES = {"user", "assistant", "tool", "system", "developer"}


@dataclass(frozen=True)
class Conversation:
    """A session as a file tells it."""

    session_id: str
    messages: tuple[Said, ...]


@dataclass(frozen=True)
class Ingested:
    """What came of a file."""

    sessions: int
    messages: int
    facts: int
    skipped: int
    """Sessions that were there already, with the same messages."""


def read_file(path: Path, conversation: str | None = None, sessions: Sequence[str] | None = None) -> list[Conversation]:
    """Read and check a file; raises IngestError with every bad line, InputError where a choice names nothing.

    `conversation` keeps the record with this id; `sessions` those session ids of it.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read ({error}); name a UTF-8 file of JSON lines") from error
    found: list[Conversation] = []
    loose: list[Said] = []
    problems: list[str] = []
    seen: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if isinstance(record, dict) and "sessions" in record:
                seen.append(str(record.get("id")))
                parsed = _conversation(record)
                found += parsed if conversation in (None, str(record.get("id"))) else []
            elif isinstance(record, dict) and "messages" in record:
                seen.append(str(record.get("id", f"{path.stem}-{number}")))
                chat = _chat(record, f"{path.stem}-{number}")
                found += [chat] if conversation in (None, chat.session_id) else []
            else:
                loose.append(_message(record, None))
        except json.JSONDecodeError as error:
            problems.append(f"line {number}: no JSON ({error.msg} at column {error.colno})")
        except (ValueError, RecursionError) as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise IngestError(str(path), problems)
    if loose and conversation in (None, path.stem):
        found.append(Conversation(path.stem, tuple(loose)))
    return _choose(path, found, conversation, sessions, seen)


def _choose(path: Path, found: list[Conversation], conversation: str | None, sessions: Sequence[str] | None, seen: list[str]) -> list[Conversation]:
    if conversation is not None and not found:
        raise InputError(f"{str(path)!r} has no conversation {conversation!r}; it has {', '.join(map(repr, seen)) or 'none'}")
    if sessions is not None:
        known = {c.session_id.rsplit("/", 1)[-1] for c in found}
        unknown = [s for s in sessions if s not in known]
        if unknown:
            raise InputError(f"{str(path)!r} has no session {unknown[0]!r}; it has {', '.join(sorted(known))}")
        found = [c for c in found if c.session_id.rsplit("/", 1)[-1] in set(sessions)]
    if not found:
        raise InputError(f"{str(path)!r} holds no conversation; see the README for the forms that are read")
    return found


def store_conversations(store: Store, owner: str, conversations: Iterable[Conversation]) -> Ingested:
    """Write each in a transaction of its own and close its session; one that is there already with the same messages is skipped.

    What takes long, the grammar, is done before, so that others can write meanwhile. Where one cannot be written none is.
    """
    messages = facts = 0
    conversations = list(conversations)
    with store.read() as db:
        new = [c for c in _by_name(conversations) if not _is_there(db, owner, c)]
    for conversation in new:
        for said in (said for said in conversation.messages if said.trust is Trust.USER):
            for statement in statements(said.content, said.speaker, day_of(said.said_at or now()), said.listener):
                cues(statement.asked)  # kept at hand for the comparisons with what was said before
        with store.write() as db:
            if _is_there(db, owner, conversation):
                continue  # somebody else was quicker
            for said in conversation.messages:
                add_message(db, owner, conversation.session_id, said)
            episode = close_session(db, owner, conversation.session_id)
            facts += _fact_count(db, episode.id) if episode else 0
            messages += len(conversation.messages)
    return Ingested(len(new), messages, facts, len(conversations) - len(new))


def _by_name(conversations: Iterable[Conversation]) -> list[Conversation]:
    """One for each name; raises InputError for a name that is none, or that two have."""
    found: dict[str, Conversation] = {}
    for conversation in conversations:
        check_session_id(conversation.session_id)
        if found.setdefault(conversation.session_id, conversation) != conversation:
            raise InputError(f"session {conversation.session_id!r} is there twice, with other messages; give one of the file's records another id")
    return list(found.values())


def _is_there(db: DbSession, owner: str, conversation: Conversation) -> bool:
    """Whether it was written before; raises InputError where another one has its name."""
    if db.get(Session, (owner, conversation.session_id)) is None:
        return False
    _same(db, owner, conversation)
    return True


def _same(db: DbSession, owner: str, conversation: Conversation) -> None:
    """Raises InputError where the session that is there is another one; what was forgotten of it may have been anything."""
    stored = messages_of(db, owner, conversation.session_id)
    if len(stored) != len(conversation.messages) or not all(map(_is, stored, conversation.messages)):
        raise InputError(
            f"session {conversation.session_id!r} is there with {len(stored)} messages, and they are not the {len(conversation.messages)} of the "
            f"file; forget it first (engrain forget --session) or give the file's record another id"
        )


def _is(message: Message, said: Said) -> bool:
    """Whether a message says this, as far as it is not forgotten."""
    left = ".*".join(map(re.escape, message.content.split(ERASED)))
    return message.role == said.role and re.fullmatch(left, said.content, re.DOTALL) is not None


def _fact_count(db: DbSession, episode_id: int | None) -> int:
    return int(db.exec(select(func.count()).where(Fact.episode_id == episode_id)).one())


def _conversation(record: dict[str, Any]) -> list[Conversation]:
    name = _text(record, "id")
    speakers = record.get("speakers") or []
    if not isinstance(speakers, list):
        raise ValueError(f"speakers must be a list, not {speakers!r}")
    out = []
    for index, session in enumerate(_list(record, "sessions")):
        where = f"sessions[{index}]"
        session_id = _text(session, "id", where)
        at = _date(session.get("date"), where)
        turns = _list(session, "turns", where)
        said = []
        for number, turn in enumerate(turns):
            speaker = _text(turn, "speaker", f"{where}.turns[{number}]")
            others = [s for s in speakers if s != speaker]
            listener = others[0] if len(others) == 1 else None
            moment = at + timedelta(seconds=number)
            said.append(Said("user", _text(turn, "text", f"{where}.turns[{number}]"), speaker, listener, moment))
        out.append(Conversation(f"{name}/{session_id}", tuple(said)))
    return out


def _chat(record: dict[str, Any], fallback: str) -> Conversation:
    at = _date(record["date"], "date") if "date" in record else None
    said = tuple(_message(m, at) for m in _list(record, "messages"))
    return Conversation(str(record.get("id", fallback)), said)


def _message(record: Any, at: datetime | None) -> Said:
    if not isinstance(record, dict):
        raise ValueError(f"a message must be an object, not {type(record).__name__}")
    role = record.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise ValueError(f"role {role!r} is unknown; use one of {', '.join(sorted(_ROLES))}")
    moment = _date(record["date"], "date") if "date" in record else at
    name = record.get("name")
    speaker = name if role == "user" and isinstance(name, str) else ""
    content = _content(record)
    return Said("system" if role == "developer" else role, content, speaker, None, moment or now())


def _content(record: dict[str, Any]) -> str:
    content = record.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict) and part.get("type") == "text")
    if content is None and record.get("tool_calls"):
        return ""
    if not isinstance(content, str):
        raise ValueError(f"content must be text or a list of parts, not {type(content).__name__}")
    return _whole(content)


def _whole(text: str) -> str:
    """The text; raises ValueError for half a character, which no database takes."""
    text.encode()
    return text


def _text(record: Any, key: str, where: str = "") -> str:
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where + '.' if where else ''}{key} must be a text, not {value!r}")
    return _whole(value)


def _list(record: Any, key: str, where: str = "") -> list[Any]:
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, list) or not value:
        raise ValueError(f"{where + '.' if where else ''}{key} must be a list with something in it, not {value!r}")
    return value


def _date(value: Any, where: str) -> datetime:
    if not isinstance(value, str):
        raise ValueError(f"{where}.date must be a text, not {value!r}")
    return parse_date(value)


def session_range(text: str | None) -> list[str] | None:
    """`D1-D4` or `D1,D3` as a list of session ids; None for None. Raises InputError for anything else."""
    if text is None:
        return None
    out: list[str] = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\D*)(\d+)\s*-\s*(\D*)(\d+)\s*", part)
        if ends and ends[1] == ends[3] and int(ends[2]) <= int(ends[4]):
            out += [f"{ends[1]}{n}" for n in range(int(ends[2]), int(ends[4]) + 1)]
        elif part.strip() and not ends:
            out.append(part.strip())
        else:
            raise InputError(f"sessions {text!r} are no range; write D1-D4 or D1,D3")
    return out
