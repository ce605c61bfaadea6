"""`engrain bench chat`: how long a chat turn waits for its first token, alone and while a module is being trained beside it.

A turn is the agent's own: it asks the memory, puts the context together and lets the memory model speak, until the first
token is there. Between two turns somebody reads and types. The training is a consolidation worker's, on another memory of the same
machine, and goes on for as long as the turns take.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from engrain.agent.build import chat_model
from engrain.agent.loop import Agent
from engrain.agent.models.chat import TextDelta
from engrain.consolidation.job import Outcome
from engrain.consolidation.jobs import active_job
from engrain.consolidation.worker import run_worker
from engrain.errors import EngrainError
from engrain.evals.runs import Progress, machine
from engrain.evals.tasks.told import told
from engrain.memory.memory import Memory
from engrain.memory.store import Store
from engrain.settings import Settings

_ENDLESS = {"epochs": 100_000, "recalled": 1.1}
"""A training that does not end by itself."""
_EPOCH = re.compile(r"epoch (\d+):")
_WAIT = 600.0
"""Seconds in which the worker must have begun to train."""


def bench_chat(
    out: Path, settings: Settings, turns: int = 40, facts: int = 24, pause: float = 1.0, progress: Progress = lambda *_: None
) -> dict[str, Any]:
    """Half of the idle turns before the training and half after it, `pause` seconds between any two; writes the JSON and returns it.

    Raises EngrainError where the worker ends before the turns do.
    """
    settings = settings.model_copy(update={"database_url": "", "owner": "bench"})
    with tempfile.TemporaryDirectory() as folder:
        talking = _memory(settings.model_copy(update={"home": Path(folder) / "talking"}), facts)
        learning = settings.model_copy(update={"home": Path(folder) / "learning", "distiller": "cues", "recipe": {**settings.recipe, **_ENDLESS}})
        _memory(learning, facts).store.close()
        questions = [fact.ask[0] for fact in told()]
        agent = Agent(chat_model(talking), talking)
        agent.run("Hello.", "warm-up")
        half = turns // 2
        idle = [_first_token(agent, q, pause, progress, i / turns / 2) for i, q in enumerate(questions[:half])]
        with _training(learning, progress) as epochs:
            before = epochs()
            started = time.perf_counter()
            busy = [_first_token(agent, q, pause, progress, 0.25 + i / turns / 2) for i, q in enumerate(islice(cycle(questions), turns))]
            trained = epochs() - before
            seconds = time.perf_counter() - started
        idle += [_first_token(agent, q, pause, progress, 0.75 + i / turns / 2) for i, q in enumerate(questions[half : 2 * half])]
        talking.store.close()
    result = {
        "idle": _summary(idle), "training": _summary(busy), "p95_ratio": round(_p95(busy) / _p95(idle), 3),
        "turns": turns, "pause": pause, "facts": facts,
        "epochs_meanwhile": trained, "seconds_meanwhile": round(seconds, 1), "nice": settings.nice,
        "machine": machine(),
    }  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _memory(settings: Settings, facts: int) -> Memory:
    memory = Memory(settings)
    for fact in told()[:facts]:
        memory.remember(fact.said)
    return memory


def _first_token(agent: Agent, question: str, pause: float, progress: Progress, share: float) -> float:
    """Seconds from the user's message to the first token of the reply, in a session of its own."""
    progress("asking", share)
    time.sleep(pause)
    started = time.perf_counter()
    turn = agent.stream(question, f"turn {started}")
    next(event for event in turn if isinstance(event, TextDelta))
    seconds = time.perf_counter() - started
    turn.close()  # type: ignore[attr-defined]
    return seconds


@contextmanager
def _training(settings: Settings, progress: Progress) -> Iterator[Callable[[], int]]:
    """Inside, a worker trains; yields what tells how many epochs it has done."""
    stop, ended = threading.Event(), list[Outcome]()
    worker = threading.Thread(target=lambda: ended.append(run_worker(settings, settings.owner, stopping=stop.is_set)))
    worker.start()
    store = Store(settings.url)

    def epochs() -> int:
        job = active_job(store, settings.owner)
        if job is None:
            raise EngrainError(f"the worker ended too early: {ended[0] if ended else 'without a word'}")
        counted = _EPOCH.match(job.note)
        return int(counted[1]) if counted else 0

    try:
        began = time.perf_counter()
        while not worker.is_alive() or active_job(store, settings.owner) is None or epochs() < 1:
            if not worker.is_alive() or time.perf_counter() - began > _WAIT:
                raise EngrainError(f"the worker did not begin to train: {ended[0] if ended else 'it is still preparing'}")
            progress("waiting for the training to begin", 0.25)
            time.sleep(0.5)
        yield epochs
    finally:
        stop.set()
        worker.join()
        store.close()


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    return {"p50_ms": round(1000 * float(np.median(seconds)), 1), "p95_ms": round(1000 * _p95(seconds), 1)}


def _p95(seconds: Sequence[float]) -> float:
    return float(np.percentile(seconds, 95))
