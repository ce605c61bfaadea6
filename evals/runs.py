"""A run: one task, some arms, every prompt and answer kept as it comes; killed and started again it goes on where it was.

The folder holds `config.json` (what was asked, with versions and seed), `writes.jsonl` (what each module cost),
`answers.jsonl` (every item), `scores.jsonl` and `summary.json`, which are made from the answers and can be made again.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engrain.consolidation.train.recipe import Recipe
from engrain.errors import InputError
from engrain.evals.arms import LAYOUTS, Arm, arm_of
from engrain.evals.data import Data, Question, refuse_overlap
from engrain.evals.lines import append, read_lines
from engrain.evals.summary import summarise
from engrain.evals.tasks import task_of
from engrain.evals.tasks.task import Source
from engrain.evals.writing import Layout, Written, unrecorded, write
from engrain.memory.memory import Memory
from engrain.settings import Settings

Progress = Callable[[str, float], None]
"""Told what is going on and how far it is, 0 to 1."""
_PACKAGES = ("engrain", "torch", "transformers", "peft", "numpy")


@dataclass(frozen=True)
class Order:
    """What is to be run."""

    task: str
    arms: tuple[str, ...]
    data: str
    """Folder or file; empty for a generator."""
    documents: int | None
    limit: int | None
    size: int
    parts: int
    seed: int
    recipe: dict[str, Any]
    distiller: str
    memory_model: str

    def check(self) -> None:
        """Raises InputError for a name that is none, or a hyperparameter that a recipe does not have."""
        task_of(self.task)
        try:
            Recipe(**self.recipe)
        except TypeError as error:
            raise InputError(f"recipe {self.recipe!r}: {error}; it takes {', '.join(f.name for f in fields(Recipe))}") from error
        unknown = [a for a in self.arms if a not in LAYOUTS]
        if unknown or not self.arms:
            raise InputError(f"arm {unknown[0] if unknown else ''!r} is unknown; choose of {', '.join(LAYOUTS)}")

    def load(self) -> Data:
        """The task's data, the chosen part of it."""
        source = Source(Path(self.data) if self.data else None, self.size, self.seed, self.parts)
        return refuse_overlap(task_of(self.task).load(source), self.task).chosen(self.documents, self.limit, self.seed)


def run(order: Order, out: Path, settings: Settings, models: Memory, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Run what is not yet done of an order in the folder `out`; returns the summary.

    `models` lends its base model and its encoder. Raises InputError where the folder holds another order.
    """
    order.check()
    data = order.load()
    if not data.questions:
        raise InputError(f"no question of {order.task!r} is left; choose more documents or a higher limit")
    _claim(order, out, models)
    items = _Items(order, data, out, progress)
    for arm in order.arms:
        waiting = items.waiting(arm)
        if waiting:
            memory = _memory(out, arm, settings, models)
            _write(memory, arm, data, out, items)
            kept = partial(_keep_written, out, arm)
            speaker = arm_of(arm, memory, data.documents, Recipe(**{"seed": order.seed, **order.recipe}), kept)
            for question in waiting:
                items.keep(arm, question, speaker)
            memory.store.close()
    return summarise(out)


class _Items:
    """The items of a run: which are done, what they said, how long the rest will take."""

    def __init__(self, order: Order, data: Data, out: Path, progress: Progress) -> None:
        self.file, self.questions, self.progress = out / "answers.jsonl", data.questions, progress
        self.total = len(order.arms) * len(data.questions)
        self.done = {(r["arm"], r["question_id"]) for r in read_lines(self.file)}
        self.seconds = 0.0
        self.asked = 0

    def waiting(self, arm: str) -> list[Question]:
        return [q for q in self.questions if (arm, q.id) not in self.done]

    def tell(self, what: str) -> None:
        left = f", {self.seconds / self.asked * (self.total - len(self.done)) / 60:.1f} min of asking left" if self.asked else ""
        self.progress(what + left, len(self.done) / self.total)

    def keep(self, arm: str, question: Question, speaker: Arm) -> None:
        """Ask and write down; a crash is a record of its own, neither a zero nor the end of the run."""
        self.tell(arm)
        started = time.perf_counter()
        record: dict[str, Any] = {"arm": arm, "question_id": question.id, **asdict(question)}
        try:
            record |= {"said": asdict(speaker.answer(question)), "error": ""}
        except InputError:  # the order itself is wrong
            raise
        except Exception as error:  # noqa: BLE001 - see above
            record |= {"said": None, "error": f"{type(error).__name__}: {error}"}
        append(self.file, record)
        self.done.add((arm, question.id))
        self.seconds += time.perf_counter() - started
        self.asked += 1


def _write(memory: Memory, arm: str, data: Data, out: Path, items: _Items) -> None:
    """Bring the documents into the arm's memory, as far as that is not done."""
    layout = LAYOUTS[arm]
    if layout is None:
        return

    kept = partial(_keep_written, out, layout.value)
    recorded = {w["module"] for w in read_lines(out / "writes.jsonl")}
    for written in unrecorded(memory, recorded):
        kept(written)
    write(memory, data.documents, layout, kept, lambda note: items.tell(f"{arm}: {note}"))


def _keep_written(out: Path, layout: str, written: Written) -> None:
    """Note what a module cost, once."""
    if all(w["module"] != written.module for w in read_lines(out / "writes.jsonl")):
        append(out / "writes.jsonl", {"layout": layout, **asdict(written)})


def _memory(out: Path, arm: str, settings: Settings, models: Memory) -> Memory:
    """A memory of the run's own for each way to write the documents; arms that share one do not write it twice."""
    layout = LAYOUTS[arm] or Layout.FACTS
    name = layout.value if LAYOUTS[arm] else arm
    own = settings.model_copy(update={"home": out / "memories" / name, "database_url": "", "owner": "eval", "facts_per_module": 10**6})
    return Memory(own, base=models.base, embedder=models.embedder)


def _claim(order: Order, out: Path, models: Memory) -> None:
    """Write the order down, or see that the folder holds the same one."""
    path = out / "config.json"
    asked = json.loads(json.dumps(asdict(order)))
    if path.exists():
        held = json.loads(path.read_text())["order"]
        differing = [k for k in asked if held.get(k) != asked[k]]
        if differing:
            key = differing[0]
            raise InputError(f"{str(out)!r} holds a run with {key} = {held.get(key)!r}, not {asked[key]!r}; choose another --out")
        return
    out.mkdir(parents=True, exist_ok=True)
    machine = {"system": f"{platform.system()} {platform.machine()}", "processors": os.cpu_count(), "python": platform.python_version()}
    config = {"order": asked, "base_sha256": models.base.sha256, "versions": {p: version(p) for p in _PACKAGES}, "machine": machine}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(config, indent=1) + "\n")
    part.rename(path)
