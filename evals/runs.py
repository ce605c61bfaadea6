"""A run: one task, some arms, every prompt and answer kept as it comes; killed and started again it goes on where it was.

The folder holds `config.json` (what was asked, with versions and seed), `writes.jsonl` (what each module cost),
`answers.jsonl` (every item), `context.txt` (what stands before the prompts of the arm `context`), and `scores.jsonl` and
`summary.json`, which are made from the answers and can be made again.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlmodel import col, select

from engrain.consolidation.train.recipe import Recipe
from engrain.errors import InputError
from engrain.evals.arms import LAYOUTS, Arm, InContext, arm_of, check_arms
from engrain.evals.data import Data, Question, checked
from engrain.evals.scorers import normalized
from engrain.evals.summary import summarise
from engrain.evals.tasks import task_of
from engrain.evals.tasks.task import Source
from engrain.evals.writing import Layout, Written, unrecorded, write
from engrain.lines import append, mend, read_lines
from engrain.memory.memory import Memory
from engrain.memory.schema import Module, ModuleState, Probe
from engrain.settings import Settings

Progress = Callable[[str, float], None]
"""Told what is going on and how far it is, 0 to 1."""
AS_TRAINED = "as trained"
"""The kind of a question that a distiller hit upon: the module it goes to was trained on the same words."""
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
        """Raises InputError for a name that is none, a hyperparameter that a recipe does not have, a scorer that is not installed."""
        scorer = task_of(self.task).scorer
        if scorer == "rouge_l" and find_spec("rouge_score") is None:
            raise InputError(f"task {self.task!r} is scored by ROUGE-L; pip install 'engrain[evals]'")
        try:
            Recipe(**self.recipe)
        except TypeError as error:
            raise InputError(f"recipe {self.recipe!r}: {error}; it takes {', '.join(f.name for f in fields(Recipe))}") from error
        unknown = [a for a in self.arms if a not in LAYOUTS]
        if unknown or not self.arms:
            raise InputError(f"arm {unknown[0] if unknown else ''!r} is unknown; choose of {', '.join(LAYOUTS)}")
        few = [(name, n) for name, n in (("documents", self.documents), ("limit", self.limit)) if n is not None and n < 1]
        if few:
            raise InputError(f"{few[0][0]} = {few[0][1]} leaves nothing; choose at least 1")
        if self.distiller == "teacher":
            raise InputError("distiller 'teacher' is not evaluated yet; set ENGRAIN_DISTILLER to self or cues, or bring its questions as train_qa")

    def load(self) -> Data:
        """The task's data, the chosen part of it; raises InputError where there is nothing to ask."""
        source = Source(Path(self.data) if self.data else None, self.size, self.seed, self.parts)
        data = checked(task_of(self.task).load(source), self.task).chosen(self.documents, self.limit, self.seed)
        if not data.questions:
            raise InputError(f"no question of {self.task!r} is left; choose more documents or a higher limit")
        return data


def run(order: Order, out: Path, settings: Settings, models: Memory, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Run what is not yet done of an order in the folder `out`; returns the summary.

    `models` lends its base model and its encoder. Raises InputError where the folder holds another order, where another
    process works in it, or where an arm cannot be had of the data.
    """
    order.check()
    data = order.load()
    check_arms(order.arms, data, models.base)
    own = settings.model_copy(update={"seed": order.seed, "recipe": {**settings.recipe, **order.recipe}, "distiller": order.distiller})
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            _claim(order, data, out, own, models)
            for name in ("answers.jsonl", "writes.jsonl"):
                mend(out / name)
            items = _Items(order, data, out, progress)
            for arm in order.arms:
                _run_arm(arm, order, data, out, own, models, items)
            return summarise(out)
    except Timeout:
        raise InputError(f"another process runs in {str(out)!r}; wait for it, or choose another --out") from None


def _run_arm(arm: str, order: Order, data: Data, out: Path, settings: Settings, models: Memory, items: _Items) -> None:
    """Write what the arm needs and ask what it has not yet been asked."""
    waiting = items.waiting(arm)
    if not waiting:
        return
    memory = _memory(out, arm, settings, models)
    _write(memory, arm, data, out, items)
    recipe = Recipe(**{"seed": order.seed, **settings.recipe})
    speaker = arm_of(arm, memory, data.documents, recipe, partial(_keep_written, out, arm))
    if isinstance(speaker, InContext):
        (out / "context.txt").write_text(speaker.prefix, encoding="utf-8")  # what stands before each of its prompts
    trained = _trained(memory)
    for question in waiting:
        same = bool(question.answers) and " ".join(normalized(question.text)) in trained
        items.keep(arm, replace(question, kind=AS_TRAINED) if same else question, speaker)
    if isinstance(speaker, InContext):
        speaker.close()
    memory.store.close()


def _trained(memory: Memory) -> set[str]:
    """The words of every question that a live module of the memory was trained on."""
    query = select(Probe.question).join(Module, col(Module.job_id) == col(Probe.job_id))
    query = query.where(Module.state == ModuleState.LIVE, col(Probe.held_out).is_(False))
    with memory.store.read() as db:
        return {" ".join(normalized(question)) for question in db.exec(query)}


def machine() -> dict[str, Any]:
    """What figures were taken on."""
    return {"system": f"{platform.system()} {platform.machine()}", "processors": os.cpu_count(), "python": platform.python_version()}


class _Items:
    """The items of a run: which are done, what they said, how long the rest will take."""

    def __init__(self, order: Order, data: Data, out: Path, progress: Progress) -> None:
        self.file, self.questions, self.progress = out / "answers.jsonl", data.questions, progress
        self.total = len(order.arms) * len(data.questions)
        self.done = {(r["arm"], r["question_id"]) for r in read_lines(self.file) if r["arm"] in order.arms}
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
            said = speaker.answer(question)
            record |= {"said": asdict(said) if said else None, "error": ""}
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
    alone = {"home": out / "memories" / name, "database_url": "", "owner": "eval", "attempts": 10**6}  # a kill counts as an attempt
    whole = {} if layout is Layout.PLANNED else {"facts_per_module": 10**6, "module_tokens": 10**9}
    own = settings.model_copy(update={**alone, **whole})
    return Memory(own, base=models.base, embedder=models.embedder)


def _claim(order: Order, data: Data, out: Path, settings: Settings, models: Memory) -> None:
    """Write down what decides the answers, or see that the folder holds the same; arms may be added."""
    path = out / "config.json"
    decides = {
        "data_sha256": sha256(repr(data).encode()).hexdigest(), "base_sha256": models.base.sha256, "encoder": settings.embed_model,
        "recipe": settings.recipe, "threshold": settings.threshold, "halved": settings.halved,
        "facts_per_module": settings.facts_per_module, "module_tokens": settings.module_tokens,
    }  # fmt: skip
    asked = json.loads(json.dumps({"order": asdict(order), "decides": decides}))
    made_by = {"versions": {p: version(p) for p in _PACKAGES}, "machine": machine()}
    if path.exists():
        held = json.loads(path.read_text())
        for part in ("order", "decides"):
            there = held.get(part, {})
            differing = [k for k in asked[part] if k != "arms" and there.get(k) != asked[part][k]]
            if differing:
                key = differing[0]
                raise InputError(f"{str(out)!r} holds a run with {key} = {there.get(key)!r}, not {asked[part][key]!r}; choose another --out")
        asked["order"]["arms"] = list(dict.fromkeys([*held["order"]["arms"], *order.arms]))
        made_by = {name: held[name] for name in made_by}  # what was answered first
    staging = path.with_suffix(".part")
    staging.write_text(json.dumps({**asked, **made_by}, indent=1) + "\n")
    staging.rename(path)
