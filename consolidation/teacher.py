"""The teacher distiller: a stronger model behind an OpenAI-compatible endpoint writes the questions.

A stronger question writer is worth more than most of what training can change (arXiv 2603.01097). What it says is checked
before it is believed: the JSON against a schema, every answer against its fact. Each fact is one request, and each reply is
kept in a file as it comes, so that a consolidation that was stopped pays for no fact twice.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engrain.consolidation.distil import Draft, SelfDistiller, Source, in_voice
from engrain.errors import TeacherError
from engrain.memory.evidence import holds
from engrain.memory.schema import ProbeKind
from engrain.memory.voice import USER

_RETRIED = {408, 409, 429, 500, 502, 503, 504}
_LEAST = 3
"""Usable pairs below which a reply is asked for again."""
_TASK = """You write questions that train a memory. You get one note. Write {wanted} different questions that it answers, as {asker} would ask
them later without the note in view: who, what, when, where, from another side, in everyday words and by key words alone. Every question
must name what it is about. Every answer is a few words taken from the note. Ask for nothing that the note does not say."""


class Pair(BaseModel):
    """A question and its answer."""

    model_config = ConfigDict(extra="forbid")
    question: str = Field(min_length=3, max_length=300)
    answer: str = Field(min_length=1, max_length=200)


class Reply(BaseModel):
    """What a teacher must return for a note."""

    model_config = ConfigDict(extra="forbid")
    pairs: list[Pair] = Field(max_length=40)


@dataclass(frozen=True)
class Teacher:
    """Which model teaches, and how patiently and how dearly it may be asked."""

    model: str
    url: str
    """Base URL, up to and with `/v1`."""
    key: str = ""
    timeout: float = 60.0
    """Seconds for a whole reply."""
    retries: int = 4
    """Further tries for a fact after a failure that may pass, or a reply that cannot be used."""
    backoff: float = 0.5
    """Seconds before the first further try; doubled each time, and never less than Retry-After says."""
    patience: float = 30.0
    """Longest wait before a further try, in seconds."""
    tokens: int = 200_000
    """Most tokens, prompts and replies, that one module may cost."""
    questions: int = 10
    """Questions asked for per fact."""


class TeacherDistiller:
    """Questions of a teacher; unknown ones, and what is held out, as the self distiller does it."""

    def __init__(self, teacher: Teacher, own: SelfDistiller, kept: Path) -> None:
        self.teacher, self.own, self.kept = teacher, own, kept

    def probes(self, sources: Sequence[Source], advance: Callable[[str, float], None] = lambda *_: None) -> list[Draft]:
        """See `Distiller`. Raises TeacherError where the endpoint fails for good, or costs more than it may."""
        replies = _Kept(self.kept)
        drafts: list[Draft] = []
        headers = {"Authorization": f"Bearer {self.teacher.key}"} if self.teacher.key else {}
        with httpx.Client(base_url=self.teacher.url.rstrip("/") + "/", headers=headers, timeout=self.teacher.timeout) as client:
            for number, source in enumerate(sources):
                advance(f"asking {self.teacher.model}", number / len(sources))
                drafts += self._taught(client, source, replies)
        drafts = self.own.hold_out(list({d.question.lower(): d for d in drafts}.values()))
        return drafts + self.own.unknowns(sources, drafts)

    def _taught(self, client: httpx.Client, source: Source, replies: _Kept) -> list[Draft]:
        """The usable pairs of one fact, from the file or from the endpoint; tried again while there are too few."""
        body = _body(self.teacher, source)
        key = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        best = usable(source, replies.pairs(key))
        why = ""
        for attempt in range(self.teacher.retries + 1):
            if len(best) >= _LEAST:
                break
            if replies.tokens >= self.teacher.tokens:
                raise TeacherError(
                    f"the teacher {self.teacher.model!r} has cost {replies.tokens} tokens, at most {self.teacher.tokens} are allowed; "
                    f"raise ENGRAIN_TEACHER_TOKENS, what it wrote so far is kept"
                )
            wait = self.teacher.backoff * 2**attempt
            try:
                pairs, spent = _asked(client, body)
                replies.add(key, pairs, spent)
                best = max(best, usable(source, pairs), key=len)
                why = f"{len(best)} of {len(pairs)} pairs can be used, {_LEAST} are needed"
            except _Unusable as error:
                replies.add(key, [], error.tokens)
                why = str(error)
            except _Passing as error:
                wait, why = max(wait, error.retry_after), str(error)
            if len(best) < _LEAST and attempt < self.teacher.retries:
                time.sleep(min(self.teacher.patience, wait))
        if not best:
            raise TeacherError(
                f"the teacher {self.teacher.model!r} at {self.teacher.url!r} gave nothing usable for fact {source.fact_id} in "
                f"{self.teacher.retries + 1} tries: {why}; try later, name another ENGRAIN_TEACHER_MODEL or set ENGRAIN_DISTILLER=self"
            )
        return [Draft(source.fact_id, ProbeKind.QUESTION, pair.question, pair.answer) for pair in best]


def usable(source: Source, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs whose question is in the asker's voice and whose answer is in the fact, but not in the question."""
    return [pair for pair in pairs if in_voice(source, pair.question) and holds(pair.question, pair.answer, source.asked)]


def _body(teacher: Teacher, source: Source) -> dict[str, Any]:
    asker = "the person who wrote it (I, my)" if source.speaker == USER else "a third person, by name (never I, my, you)"
    messages = [
        {"role": "system", "content": _TASK.format(wanted=teacher.questions, asker=asker)},
        {"role": "user", "content": f"Note: {source.asked}"},
    ]
    schema = {"name": "pairs", "strict": True, "schema": Reply.model_json_schema()}
    return {
        "model": teacher.model,
        "messages": messages,
        "max_tokens": 60 * teacher.questions,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


def _asked(client: httpx.Client, body: dict[str, Any]) -> tuple[list[Pair], int]:
    """(checked pairs, tokens they cost); raises _Passing, _Unusable or TeacherError."""
    try:
        response = client.post("chat/completions", json=body)
    except httpx.TransportError as error:
        raise _Passing(f"{type(error).__name__}: {error}") from error
    if response.status_code in _RETRIED:
        raise _Passing(f"status {response.status_code}", _retry_after(response))
    if response.status_code != 200:
        hint = "check ENGRAIN_TEACHER_KEY" if response.status_code in {401, 403} else "check ENGRAIN_TEACHER_URL and ENGRAIN_TEACHER_MODEL"
        raise TeacherError(f"the teacher {body['model']!r} answered {response.status_code}: {response.text[:200]!r}; {hint}")
    spent = (len(json.dumps(body)) + len(response.text)) // 4
    try:
        envelope = response.json()
        spent = int(envelope.get("usage", {}).get("total_tokens", spent))
        return Reply.model_validate_json(envelope["choices"][0]["message"]["content"]).pairs, spent
    except ValidationError as error:
        raise _Unusable(f"the reply does not fit the schema ({error.errors()[0]['msg']})", spent) from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _Unusable(f"the reply is no chat completion ({type(error).__name__}: {error})", spent) from error


def _retry_after(response: httpx.Response) -> float:
    try:
        return float(response.headers.get("retry-after", 0))
    except ValueError:
        return 0.0


class _Passing(Exception):
    """A failure that may be gone at the next try."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class _Unusable(Exception):
    """A reply that was paid for and cannot be used."""

    def __init__(self, message: str, tokens: int) -> None:
        self.tokens = tokens
        super().__init__(message)


class _Kept:
    """The replies of a job, a line each; a last line torn by a crash is cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, list[Pair]] = {}
        self.tokens = 0
        """What all replies cost."""
        whole = b""
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            if not line.endswith(b"\n"):
                break
            record = json.loads(line)
            self._note(record["key"], [Pair(**p) for p in record["pairs"]], record["tokens"])
            whole += line
        if path.exists() and path.stat().st_size != len(whole):
            os.truncate(path, len(whole))

    def pairs(self, key: str) -> list[Pair]:
        """What the teacher wrote for a request."""
        return self._found.get(key, [])

    def add(self, key: str, pairs: list[Pair], tokens: int) -> None:
        """Keep a reply; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "pairs": [p.model_dump() for p in pairs], "tokens": tokens}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._note(key, pairs, tokens)

    def _note(self, key: str, pairs: list[Pair], tokens: int) -> None:
        self._found[key] = max(self._found.get(key, []), pairs, key=len)
        self.tokens += tokens
