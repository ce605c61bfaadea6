"""kill -9 in every stage of a consolidation: afterwards the module comes out, and no fact is lost or doubled."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engrain.consolidation.job import Result
from engrain.consolidation.jobs import active_job, is_held, last_job
from engrain.consolidation.worker import _environment, run_worker
from engrain.memory.memory import Memory
from engrain.memory.modules import open_module
from engrain.memory.schema import FactState, JobState, Module, ModuleFact, ModuleState, Probe, Stage
from engrain.settings import Settings
from tests.conftest import RECIPE, SAID, tiny

FORKS = """
# What a consolidation loads is loaded once; each line of standard input is a worker, a fork of this process: where it dies, its settings, its output.
import json, os, signal, sys
import torch
torch.set_num_threads(1)
from engrain.consolidation import distil, job, publish
from engrain.consolidation.worker import main
from engrain.memory.memory import Memory
from engrain.settings import load_settings

memory = Memory(load_settings())
assert job.consolidate(memory, "me").job_id
memory.store.close()  # no fork inherits a connection

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def after(function):
    def run(*arguments, **options):
        function(*arguments, **options)
        die()
    return run

def arrange(where):
    if where == "plan":
        job.plan = die
    elif where == "distil":
        job.SelfDistiller.probes = die
    elif where == "distil, before its transaction ends":
        job._Work._keep_probes = die
    elif where == "train":
        tell = job._Work._on_epoch
        job._Work._on_epoch = lambda self, epoch: die() if epoch.number == 2 else tell(self, epoch)
    elif where == "train, adapter half-written":
        job.lora.save = after(job.lora.save)
    elif where == "gate":
        job.judge = die
    elif where == "publish, before the rename":
        publish.place = die
    elif where == "publish, after the rename":
        publish.place = after(publish.place)
    elif where == "publish, inside its transaction":
        publish._finish = after(publish._finish)

for line in sys.stdin:
    where, environment, out = json.loads(line)
    worker = os.fork()
    if not worker:
        os.environ.update(environment)
        file = os.open(out, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        arrange(where)
        code = main(["me"])
        sys.stdout.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), flush=True)
"""
STAGES = {
    "plan": Stage.PLAN,
    "distil": Stage.DISTIL,
    "distil, before its transaction ends": Stage.DISTIL,
    "train": Stage.TRAIN,
    "train, adapter half-written": Stage.TRAIN,
    "gate": Stage.GATE,
    "publish, before the rename": Stage.PUBLISH,
    "publish, after the rename": Stage.PUBLISH,
    "publish, inside its transaction": Stage.PUBLISH,
}


Work = Callable[[str, Settings], tuple[int, str]]


@pytest.fixture(scope="module")
def work(tiny_folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    """Consolidates in a process of its own, which dies where it is told to; its exit code and output."""
    place = tmp_path_factory.mktemp("forks")
    first = Memory(tiny(tiny_folders, place, recipe={**RECIPE, "epochs": 1}))
    first.remember(SAID[0])
    first.store.close()
    out, environment = place / "out", _environment(first.settings)
    with subprocess.Popen([sys.executable, "-c", FORKS], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forks:

        def run(where: str, settings: Settings) -> tuple[int, str]:
            assert forks.stdin is not None
            assert forks.stdout is not None
            forks.stdin.write(json.dumps([where, _environment(settings), str(out)]) + "\n")
            forks.stdin.flush()
            return int(forks.stdout.readline()), out.read_text()

        yield run


def check_whole(memory: Memory) -> None:
    """Every fact is there once, in exactly one live module whose files are whole."""
    facts = memory.facts()
    assert len(facts) == len(SAID)
    assert {f.state for f in facts} == {FactState.ENGRAINED}
    (module,) = memory.modules("me", ModuleState.LIVE)
    from sqlmodel import select

    with memory.store.read() as db:
        links = db.exec(select(ModuleFact)).all()
        probes = [p.question for p in db.exec(select(Probe))]
        modules = db.exec(select(Module)).all()
    assert sorted(link.fact_id for link in links) == sorted(f.id or 0 for f in facts)
    assert len(probes) == len(set(probes))
    assert [m.id for m in modules] == [module.id]
    open_module(module, memory.settings.modules)
    assert [f.name for f in memory.settings.modules.iterdir()] == [module.id]
    assert not list(memory.settings.jobs.glob("*"))


def killed(where: str, settings: Settings, work: Work) -> tuple[Memory, int]:
    """A memory whose consolidation was killed there, and the job."""
    memory = Memory(settings)
    for note in SAID:
        memory.remember(note)
    code, told = work(where, settings)
    assert code == -signal.SIGKILL, told
    job = active_job(memory.store, "me")
    assert job is not None
    assert (job.stage, job.state) == (STAGES[where], JobState.RUNNING)
    assert not is_held(job)
    assert memory.modules("me") == []  # nothing half-written is served
    assert {f.state for f in memory.facts()} == {FactState.FRESH}
    return memory, job.id or 0


@pytest.mark.parametrize("where", STAGES)
def test_a_killed_consolidation_resumes_and_loses_nothing(where: str, tiny_settings: Callable[..., Settings], work: Work) -> None:
    settings = tiny_settings(threads=1)
    memory, job = killed(where, settings, work)
    code, told = work("nowhere", settings)
    outcome = json.loads(told.splitlines()[-1])
    assert (code, outcome["result"], outcome["job_id"]) == (0, Result.PUBLISHED, job), told
    assert last_job(memory.store, "me").attempt == 2  # type: ignore[union-attr]
    check_whole(memory)


def test_a_new_interpreter_goes_on_where_a_worker_was_killed(tiny_settings: Callable[..., Settings], work: Work) -> None:
    settings = tiny_settings(threads=1)
    memory, job = killed("train", settings, work)
    outcome = run_worker(settings, "me")
    assert (outcome.result, outcome.job_id) == (Result.PUBLISHED, job), outcome
    check_whole(memory)


def test_two_runs_with_one_seed_give_the_same_adapter(tiny_settings: Callable[..., Settings], tmp_path: Path) -> None:
    weights = []
    for name in ("one", "two"):
        settings = tiny_settings(threads=1, home=tmp_path / name)
        memory = Memory(settings)
        for note in SAID:
            memory.remember(note)
        outcome = run_worker(settings, "me")
        assert outcome.result is Result.PUBLISHED, outcome
        weights.append((settings.modules / str(outcome.module_id) / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


WRITER = """
import sys
from engrain.memory import log
from engrain.memory.store import Store
store = Store(sys.argv[1])
for i in range(150):
    with store.write() as db:
        log.add_message(db, "me", sys.argv[2], log.Said("user", f"message {i}"))
"""


def test_two_processes_write_while_one_consolidates(tiny_settings: Callable[..., Settings]) -> None:
    settings = tiny_settings(threads=1)
    memory = Memory(settings)
    for note in SAID:
        memory.remember(note)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, settings.url, name]) for name in ("a", "b")]
    outcome = run_worker(settings, "me")
    assert [w.wait(120) for w in writers] == [0, 0]
    assert outcome.result is Result.PUBLISHED, outcome
    from engrain.memory.log import messages_of

    with memory.store.read() as db:
        for name in ("a", "b"):
            assert [m.content for m in messages_of(db, "me", name)] == [f"message {i}" for i in range(150)]
    check_whole(memory)
