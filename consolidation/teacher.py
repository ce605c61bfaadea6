"""The teacher distiller: a stronger model behind an OpenAI-compatible endpoint writes the questions.

A stronger question writer is worth about twice the gain of the model's own questions (arXiv 2603.01097, on models of 8B). What it says is checked
before it is believed: the JSON against a schema, every answer against its fact. Each fact is one request, and each reply is
kept in a file as it comes, so that a consolidation that was stopped pays for no fact twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engrain.consolidation.distil import Draft, SelfDistiller, Source, in_voice, unambiguous
from engrain.endpoint import RETRIED, Endpoint, retry_after
from engrain.errors import TeacherError, TeacherSpent
from engrain.lines import append, mend, read_lines
from engrain.memory import voice
from engrain.memory.evidence import holds
from engrain.memory.schema import ProbeKind

_LEAST = 3
"""Usable pairs below which a reply is asked for again."""
_GIVEN_UP = 3
"""So many facts in a row from the first without a usable pair are a teacher that cannot do it."""
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


class TeacherDistiller:
    """Questions of a teacher; unknown ones, and what is held out, as the self distiller does it."""

    def __init__(self, endpoint: Endpoint, own: SelfDistiller, kept: Path, tokens: int = 200_000, questions: int = 10) -> None:
        self.endpoint, self.own, self.kept = endpoint, own, kept
        self.tokens = tokens
        """Most tokens, prompts and replies, that one module may cost; looked at before each request."""
        self.questions = questions
        """Questions asked for per fact."""

    def probes(self, sources: Sequence[Source], advance: Callable[[str, float], None] = lambda *_: None) -> list[Draft]:
        """See `Distiller`; the questions of a fact that the teacher finds none for are the self distiller's.

        Raises TeacherError where the endpoint fails for good, TeacherSpent where it finds none for any of the first facts, or costs more
        than it may.
        """
        replies = _Kept(self.kept)
        drafts: list[Draft] = []
        with self.endpoint.client() as client:
            for number, source in enumerate(sources):
                advance(f"asking {self.endpoint.model}", number / len(sources))
                pairs, why = self._taught(client, source, replies)
                drafts += [Draft(source.fact_id, ProbeKind.QUESTION, p.question, voice.part(p.answer, source.speaker)) for p in pairs]
                if not drafts and number + 1 == min(_GIVEN_UP, len(sources)):
                    raise TeacherSpent(
                        f"the teacher {self.endpoint.model!r} at {self.endpoint.url!r} gave nothing usable for fact {source.fact_id} in "
                        f"{self.endpoint.retries + 1} tries: {why}; try later, name another ENGRAIN_TEACHER_MODEL or set ENGRAIN_DISTILLER=self"
                    )
        drafts = unambiguous(drafts)
        asked = {draft.fact_id for draft in drafts}
        rest = [source for source in sources if source.fact_id not in asked]  # or every question of theirs is another fact's as well
        if rest:
            return self.own.hold_out(drafts) + self.own.probes(rest, advance)
        drafts = self.own.hold_out(drafts)
        return drafts + self.own.unknowns(sources, drafts)

    def _taught(self, client: httpx.Client, source: Source, replies: _Kept) -> tuple[list[Pair], str]:
        """(usable pairs of one fact, why there are not more), from the file or from the endpoint; tried again while there are too few.

        Raises TeacherError where the endpoint does not answer, TeacherSpent where the teacher has cost what it may.
        """
        body = self._body(source)
        key = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        best = max((usable(source, pairs) for pairs in replies.of(key)), key=len, default=[])
        why, silent = f"{len(best)} pairs can be used, {_LEAST} are needed", False
        for attempt in range(len(replies.of(key)) if best else 0, self.endpoint.retries + 1):
            if len(best) >= _LEAST:
                break
            silent = False
            if replies.tokens >= self.tokens:
                raise TeacherSpent(
                    f"the teacher {self.endpoint.model!r} has cost {replies.tokens} tokens, at most {self.tokens} are allowed; "
                    f"raise ENGRAIN_TEACHER_TOKENS, what it wrote so far is kept"
                )
            wait = self.endpoint.wait(attempt)
            try:
                pairs, spent = _asked(client, body)
                replies.add(key, pairs, spent)
                best = max(best, usable(source, pairs), key=len)
                why = f"{len(best)} of {len(pairs)} pairs can be used, {_LEAST} are needed"
            except _Unusable as error:
                replies.add(key, [], error.tokens)
                why = str(error)
            except _Passing as error:
                wait, why, silent = self.endpoint.wait(attempt, error.retry_after), str(error), True
            if len(best) < _LEAST and attempt < self.endpoint.retries:
                time.sleep(wait)
        if silent and not best:
            raise TeacherError(
                f"the teacher {self.endpoint.model!r} at {self.endpoint.url!r} did not answer for fact {source.fact_id} in "
                f"{self.endpoint.retries + 1} tries: {why}; try later, name another ENGRAIN_TEACHER_MODEL or set ENGRAIN_DISTILLER=self"
            )
        return best, why

    def _body(self, source: Source) -> dict[str, Any]:
        """The request for one fact."""
        asker = "the person who wrote it (I, my)" if source.speaker == voice.USER else "a third person, by name (never I, my, you)"
        messages = [
            {"role": "system", "content": _TASK.format(wanted=self.questions, asker=asker)},
            {"role": "user", "content": f"Note: {source.asked}"},
        ]
        schema = {"name": "pairs", "strict": True, "schema": Reply.model_json_schema()}
        form = {"type": "json_schema", "json_schema": schema}
        return {"model": self.endpoint.model, "messages": messages, "max_tokens": 60 * self.questions, "response_format": form}


def usable(source: Source, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs in the asker's voice whose answer is in the fact and says what the question does not; one for each question."""
    fit = [pair for pair in pairs if in_voice(source, pair.question) and holds(pair.question, pair.answer, source.asked)]
    return list({pair.question.lower(): pair for pair in fit}.values())


def _asked(client: httpx.Client, body: dict[str, Any]) -> tuple[list[Pair], int]:
    """(checked pairs, tokens they cost); raises _Passing, _Unusable or TeacherError."""
    try:
        response = client.post("chat/completions", json=body)
        if response.status_code == 400 and "max_completion_tokens" in response.text:  # some models know the limit by this name alone
            body = {**body, "max_completion_tokens": body["max_tokens"]}
            del body["max_tokens"]
            response = client.post("chat/completions", json=body)
    except httpx.RequestError as error:
        raise _Passing(f"{type(error).__name__}: {error}") from error
    if response.status_code in RETRIED:
        raise _Passing(f"status {response.status_code}", retry_after(response))
    if response.status_code != 200:
        hint = "check ENGRAIN_TEACHER_KEY" if response.status_code in {401, 403} else "check ENGRAIN_TEACHER_URL and ENGRAIN_TEACHER_MODEL"
        raise TeacherError(f"the teacher {body['model']!r} answered {response.status_code}: {response.text[:200]!r}; {hint}")
    spent = (len(json.dumps(body)) + len(response.text)) // 4
    try:
        envelope = response.json()
        spent = int((envelope.get("usage") or {}).get("total_tokens") or spent)
        return Reply.model_validate_json(envelope["choices"][0]["message"]["content"]).pairs, spent
    except ValidationError as error:
        raise _Unusable(f"the reply does not fit the schema ({error.errors()[0]['msg']})", spent) from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _Unusable(f"the reply is no chat completion ({type(error).__name__}: {error})", spent) from error


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
    """The replies of a job, by request, in a file that survives a kill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, list[list[Pair]]] = {}
        self.tokens = 0
        """What all replies cost."""
        mend(path)
        for record in read_lines(path):
            self._note(record["key"], [Pair(**p) for p in record["pairs"]], record["tokens"])

    def of(self, key: str) -> list[list[Pair]]:
        """What the teacher has written for a request, a list for each try that was paid for."""
        return self._found.get(key, [])

    def add(self, key: str, pairs: list[Pair], tokens: int) -> None:
        """Keep a reply; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append(self.path, {"key": key, "pairs": [p.model_dump() for p in pairs], "tokens": tokens})
        self._note(key, pairs, tokens)

    def _note(self, key: str, pairs: list[Pair], tokens: int) -> None:
        self._found.setdefault(key, []).append(pairs)
        self.tokens += tokens
