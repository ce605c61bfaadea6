"""A conversation's own questions about its ingested sessions, by mode: closed book, weights, text, hybrid."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from engrain.errors import InputError
from engrain.evals.scorers import declined, token_f1
from engrain.memory.ingest import session_range
from engrain.memory.log import sessions_of
from engrain.memory.memory import Memory

MODES = ("base", "weights", "text", "hybrid")


@dataclass(frozen=True)
class Asked:
    """One question in one mode."""

    question: str
    expected: tuple[str, ...]
    """Empty where the right reply is that it is not known."""
    kind: str
    mode: str
    answer: str
    f1: float
    """Token-F1; for an unanswerable question 1 where the answer declines, else 0."""
    seconds: float


@dataclass(frozen=True)
class Result:
    """All questions in all modes."""

    conversation: str
    sessions: tuple[str, ...]
    facts: int
    modules: int
    asked: tuple[Asked, ...]

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    def mean(self, mode: str, answerable: bool) -> tuple[float, int]:
        """(mean score, questions) of a mode over answerable or unanswerable questions."""
        scores = [a.f1 for a in self.asked if a.mode == mode and bool(a.expected) == answerable]
        return (sum(scores) / len(scores) if scores else 0.0), len(scores)


def run(memory: Memory, owner: str, file: Path, conversation: str | None, sessions: str | None, modes: Sequence[str], console: Console) -> Result:
    """Ask every question whose evidence lies in the chosen sessions; raises InputError where they were not ingested."""
    unknown = [m for m in modes if m not in MODES]
    if unknown:
        raise InputError(f"mode {unknown[0]!r} is unknown; use some of {', '.join(MODES)}")
    record = _record(file, conversation)
    chosen = session_range(sessions) or [s["id"] for s in record["sessions"]]
    _require_ingested(memory, owner, record["id"], chosen)
    questions = [q for q in record["questions"] if q.get("evidence") and all(_session(e) in chosen for e in q["evidence"])]
    if not questions:
        raise InputError(f"{record['id']!r} has no question about sessions {', '.join(chosen)}; choose others")
    asked = [_ask(memory, owner, q, mode) for mode in modes for q in track(questions, f"asking ({mode})", console=console, transient=True)]
    return Result(record["id"], tuple(chosen), len(memory.facts(owner)), len(memory.modules(owner)), tuple(asked))


def show(console: Console, result: Result) -> None:
    """Print the scores as a table."""
    table = Table("mode", "token-F1", "n", "declined unanswerable", "n", "s a question", box=None, header_style="dim")
    for mode in dict.fromkeys(a.mode for a in result.asked):
        f1, n = result.mean(mode, answerable=True)
        no, m = result.mean(mode, answerable=False)
        seconds = [a.seconds for a in result.asked if a.mode == mode]
        table.add_row(mode, f"{f1:.3f}", str(n), f"{no:.0%}" if m else "–", str(m), f"{sum(seconds) / len(seconds):.2f}")
    span = f"{result.sessions[0]} to {result.sessions[-1]}"
    console.print(f"{result.conversation}, {span}: {result.facts} facts, {result.modules} modules", highlight=False)
    console.print(table, highlight=False)


def _ask(memory: Memory, owner: str, question: dict[str, Any], mode: str) -> Asked:
    started = time.perf_counter()
    if mode == "base":
        answer = memory.bank.ask([question["question"]])[0].text
    else:
        answer = memory.recall(question["question"], owner, mode).text  # type: ignore[arg-type]
    seconds = time.perf_counter() - started
    expected = tuple(question["answers"])
    score = token_f1(answer, expected) if expected else float(declined(answer))
    return Asked(question["question"], expected, question.get("kind", ""), mode, answer, score, seconds)


def _record(file: Path, conversation: str | None) -> dict[str, Any]:
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            record = json.loads(line)
            if conversation in (None, record["id"]) and record["sessions"] and record["questions"]:
                found.append(record)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{str(file)!r}, line {number}: no conversation record with questions ({error!r})") from error
    if not found:
        raise InputError(f"{str(file)!r} has no conversation {conversation!r} with questions")
    return dict(found[0])


def _require_ingested(memory: Memory, owner: str, conversation: str, chosen: Sequence[str]) -> None:
    with memory.store.read() as db:
        present = {s.id for s in sessions_of(db, owner)}
    missing = [s for s in chosen if f"{conversation}/{s}" not in present]
    if missing:
        raise InputError(f"session {missing[0]!r} of {conversation!r} is not in this memory; ingest it first: engrain ingest FILE --sessions …")


def _session(turn: str) -> str:
    return turn.split(":", 1)[0]
