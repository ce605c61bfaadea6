"""`engrain bench compact`: what an owner with many modules knows before they are compacted, and after.

Facts that cannot be guessed, a room number for each of many people, go into modules of equal size; some of them, chosen by the seed, are
asked for from weights in a phrasing that is never trained; then modules are compacted until none is due, and asked again.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import select

from engrain.consolidation.compact import compact, shape
from engrain.consolidation.job import Result
from engrain.errors import InputError, JobError
from engrain.evals.data import Document, Taught
from engrain.evals.runs import Progress, machine
from engrain.evals.scorers import normalized
from engrain.evals.tasks.phonebook import generated
from engrain.evals.writing import OPEN_GATE, Layout, write
from engrain.memory.memory import Memory
from engrain.memory.schema import Job, JobState, ModuleState
from engrain.settings import Settings

TRAINED = ("In which room does {} sit?", "What is {}'s room number?", "Where do I find {}?", "Tell me the room of {}.")
ASKED = "Which room is {} in?"
"""Never trained."""


@dataclass(frozen=True)
class _Sits:
    """Somebody and the room they sit in."""

    name: str
    room: str

    @property
    def said(self) -> str:
        return f"{self.name} sits in room {self.room}."


def bench_compact(
    out: Path, settings: Settings, models: Memory, modules: int = 20, facts: int = 50, questions: int = 500, seed: int = 0,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:  # fmt: skip
    """Write the modules, ask, compact, ask again, write the JSON; what was interrupted goes on with the memory beside `out`.

    Raises InputError for fewer than two modules, no facts or no questions, more facts than a module holds, and where that memory is
    of other ones; JobError where a module could not be trained.
    """
    if modules < 2 or facts < 1 or questions < 1:
        raise InputError(
            f"{modules} modules of {facts} facts and {questions} questions show nothing; choose at least 2 of at least 1, and 1 question"
        )
    everybody = _everybody(modules * facts, seed)
    longest = max(sum(math.ceil(len(one.said) / 4) for one in everybody[at * facts : (at + 1) * facts]) for at in range(modules))
    if longest > settings.module_tokens:
        raise InputError(
            f"{facts} facts have {longest} tokens, and a module holds {settings.module_tokens}; choose fewer, or raise ENGRAIN_MODULE_TOKENS"
        )
    documents = [_document(f"floor {at:02}", everybody[at * facts : (at + 1) * facts]) for at in range(modules)]
    asked = random.Random(seed).sample(everybody, min(questions, len(everybody)))
    home = out.parent / f"{out.stem}-memory"
    changes = {"home": home, "database_url": "", "owner": "bench", "distiller": "cues", "facts_per_module": facts}
    memory = Memory(settings.model_copy(update=changes), base=models.base, embedder=models.embedder)
    _begun(home / "order.json", {"modules": modules, "facts": facts, "questions": questions, "seed": seed})
    kept = home / "before.json"
    if not kept.exists():
        write(memory, documents, Layout.EACH, lambda _: None, lambda note: progress(note, 0.3))
        _keep(kept, _measured(memory, asked, progress, 0.4))
    before = json.loads(kept.read_text())
    while (outcome := compact(memory, "bench", bounds=OPEN_GATE)).result is not Result.NOTHING:
        if outcome.result is not Result.PUBLISHED:
            raise JobError(f"compaction ended as {outcome.result.value}: {outcome.reason}; run it again, it resumes")
        progress(f"{len(memory.modules(None, ModuleState.LIVE))} modules are left", 0.6)
    with memory.store.read() as db:
        ended = db.exec(select(Job).where(Job.owner == "bench", Job.state == JobState.DONE)).all()
    done = [job.result["seconds"] for job in ended if job.replaces]
    result = {
        "facts": len(everybody), "questions": len(asked), "before": before, "after": _measured(memory, asked, progress, 0.8),
        "compactions": len(done), "seconds_of_compaction": round(sum(sum(spent.values()) for spent in done), 1), "seed": seed,
        "machine": machine(),
    }  # fmt: skip
    memory.store.close()
    out.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _begun(path: Path, order: dict[str, int]) -> None:
    """Note down what is measured with the memory beside it; raises InputError where something else was begun with it."""
    if path.exists() and (other := json.loads(path.read_text())) != order:
        raise InputError(f"{str(path.parent)!r} was begun with {other}, not with {order}; name another --out, or delete it")
    _keep(path, order)


def _keep(path: Path, what: dict[str, Any]) -> None:
    """Write it whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(what) + "\n")
    part.rename(path)


def _everybody(size: int, seed: int) -> list[_Sits]:
    rng = random.Random(f"rooms {seed}")
    return [_Sits(entry.name, str(rng.randint(100, 999))) for entry in generated(size, seed)]


def _document(name: str, sitting: list[_Sits]) -> Document:
    taught = tuple(Taught(one.said, phrasing.format(one.name), one.room) for one in sitting for phrasing in TRAINED)
    return Document(name, "\n".join(one.said for one in sitting), taught)


def _measured(memory: Memory, asked: list[_Sits], progress: Progress, at: float) -> dict[str, Any]:
    """What each of them is told by, and how the memory is laid out."""
    exact = answered = 0
    for number, one in enumerate(asked):
        progress(f"question {number + 1} of {len(asked)}", at)
        found = memory.recall(ASKED.format(one.name), mode="weights")
        answered += found.known
        exact += found.known and one.room in normalized(found.text)
    laid = shape(memory.store, "bench")
    return {
        "exact": round(exact / len(asked), 4), "answered": round(answered / len(asked), 4),
        "modules": {str(level): many for level, many in laid.modules.items()}, "read_fan_in": laid.read_fan_in,
        "write_amplification": laid.write_amplification, "rewrites": laid.rewrites,
        "perplexity_ratios": sorted(round(float(m.scores["perplexity"]), 4) for m in memory.modules(None, ModuleState.LIVE)),
    }  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """The result for a terminal or a page, in Markdown."""
    lines = ["| | exact | answered | modules by level | rewrites a fact | tokens trained a token |", "|---|---|---|---|---|---|"]
    for name in ("before", "after"):
        one = result[name]
        levels = ", ".join(f"{many} on {level}" for level, many in one["modules"].items())
        lines.append(f"| {name} | {one['exact']:.1%} | {one['answered']:.1%} | {levels} | {one['rewrites']} | {one['write_amplification']} |")
    done = f"{result['compactions']} compactions in {result['seconds_of_compaction']:.0f} s"
    return "\n".join([*lines, "", f"{result['facts']} facts, {result['questions']} of them asked for; {done}."])
