"""Two hundred kill -9 at random moments of consolidations: nothing is lost, nothing is doubled, every job ends."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sqlmodel import select

from engrain.consolidation.jobs import active_job
from engrain.consolidation.worker import _environment
from engrain.memory.memory import Memory
from engrain.memory.modules import open_module
from engrain.memory.schema import FactState, Job, JobState, ModuleFact, ModuleState
from engrain.settings import Settings
from tests.conftest import SILENT

KILLS = 200
FACTS = 160

PROGRAM = """
# The models are loaded once; each worker is a fork of this process, so that a kill costs no start of an interpreter.
import json, os, random, signal, sqlite3, sys, time
import torch
torch.set_num_threads(1)
from engrain.consolidation.job import Result, consolidate
from engrain.errors import EngrainError
from engrain.memory.memory import Memory
from engrain.settings import load_settings

wanted, file = int(sys.argv[1]), sys.argv[2]
settings = load_settings()
loaded = Memory(settings)
base, embedder = loaded.base, loaded.embedder
loaded.store.close()
random_moment = random.Random(0)

def work():
    memory = Memory(settings, base=base, embedder=embedder)
    try:
        return 1 if consolidate(memory, "me").result is Result.NOTHING else 0
    except EngrainError:  # a job that was begun too often is given up here
        return 0
    finally:
        memory.store.close()  # no fork inherits a connection

def stage():
    with sqlite3.connect(file) as db:
        row = db.execute("select stage from job where state = 'running'").fetchone()
    return row[0] if row else "between"

work()  # what a first consolidation loads, the forks have
killed, longest, stages, deadline = 0, 0.0, {}, time.monotonic() + 600
while time.monotonic() < deadline:
    started = time.monotonic()
    worker = os.fork()
    if not worker:
        os._exit(work())
    if longest and killed < wanted:  # the first one shows how long it takes
        time.sleep(random_moment.uniform(0, 1.2 * longest))
        os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    if os.WIFSIGNALED(status):
        killed += 1
        stages[stage()] = stages.get(stage(), 0) + 1
    else:
        took = time.monotonic() - started
        longest = 0.7 * longest + 0.3 * took if longest else took
        if os.WEXITSTATUS(status) == 1:
            break
print(json.dumps({"killed": killed, "stages": stages}))
"""


def test_two_hundred_random_kills_lose_nothing_and_double_nothing(tiny_settings: Callable[..., Settings], tmp_path: Path) -> None:
    quick = {"rank": 4, "alpha": 8, "top": 1.0, "learning_rate": 3e-3, "epochs": 4, "least_steps": 0, "locality": 0.0, "settle": 0}
    settings = tiny_settings(threads=1, recipe=quick, gate={"trained": 0.0, **SILENT}, facts_per_module=2)
    memory = Memory(settings)
    for i in range(FACTS):
        memory.remember(f"My box {i} is number {1000 + i}.")
    told = {fact.id: fact.text for fact in memory.facts()}
    assert len(told) == FACTS
    program = tmp_path / "forks.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(KILLS), str(settings.home / "engrain.db")]
    done = subprocess.run(command, env=_environment(settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["killed"] == KILLS, report
    assert {"distil", "train"} <= set(report["stages"]), report  # the others are over in a moment

    assert {fact.id: fact.text for fact in memory.facts()} == told
    assert {fact.state for fact in memory.facts()} == {FactState.ENGRAINED}
    live = memory.modules("me", ModuleState.LIVE)
    with memory.store.read() as db:
        links = [(link.module_id, link.fact_id) for link in db.exec(select(ModuleFact))]
        states = {job.state for job in db.exec(select(Job))}
    assert sorted(fact for module, fact in links if module in {m.id for m in live}) == sorted(told)
    for module in live:
        open_module(module, settings.modules)
    assert {folder.name for folder in settings.modules.iterdir()} == {m.id for m in live}
    assert active_job(memory.store, "me") is None
    assert states <= {JobState.DONE, JobState.FAILED}
    with sqlite3.connect(settings.home / "engrain.db") as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
