"""The daemon: consolidates by itself, stops cleanly in the middle of training, goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from engrain.consolidation import daemon as daemons
from engrain.consolidation.daemon import Daemon, daemon_status, status_file
from engrain.consolidation.job import consolidate
from engrain.consolidation.jobs import active_job
from engrain.consolidation.train.trainer import CHECKPOINT
from engrain.consolidation.worker import _environment
from engrain.errors import JobBusy, SettingsError
from engrain.memory import log
from engrain.memory.memory import Memory
from engrain.memory.schema import FactState, JobState, ModuleState, Stage
from engrain.settings import Settings
from tests.conftest import RECIPE, SAID

T = TypeVar("T")


@contextmanager
def daemon(settings: Settings, name: str = "daemon") -> Iterator[subprocess.Popen[str]]:
    """A command that runs until it is stopped."""
    command = [sys.executable, "-m", "engrain", name]
    process = subprocess.Popen(command, env=_environment(settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    return out


def wait_for(what: Callable[[], T | None], process: subprocess.Popen[str], seconds: float = 120) -> T:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0]
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing happened for {seconds} s")


def test_it_stops_in_the_middle_of_training_and_goes_on_where_it_was(tiny_settings: Callable[..., Settings]) -> None:
    long = {**RECIPE, "epochs": 400, "recalled": 1.1}
    settings = tiny_settings(threads=1, backlog=1, poll=1.0, recipe=long)
    memory = Memory(settings)
    for note in SAID:
        memory.remember(note)
    with daemon(settings) as process:
        wait_for(lambda: (job := active_job(memory.store, "me")) and job.note.startswith("epoch"), process)
        status = daemon_status(settings)
        assert status is not None
        assert (status["running"], status["doing"]) == (True, "consolidating me (backlog)")
        out = stop(process)
    assert "interrupted" in out
    assert "maximum number" not in out
    job = active_job(memory.store, "me")
    assert job is not None
    assert (job.state, job.stage, job.attempt) == (JobState.QUEUED, Stage.TRAIN, 0)
    assert (settings.jobs / str(job.id) / CHECKPOINT).exists()
    status = daemon_status(settings)
    assert status is not None
    assert (status["running"], status["doing"]) == (False, "stopped")
    with daemon(settings) as process:
        (module,) = wait_for(lambda: memory.modules("me", ModuleState.LIVE), process)
        wait_for(lambda: (status := daemon_status(settings)) and status["doing"] == "waiting", process)
        out = stop(process)
    assert module.job_id == job.id
    assert f"module {module.id} is live with 4 facts" in out
    assert {f.state for f in memory.facts()} == {FactState.ENGRAINED}


def test_an_idle_session_is_ended_and_an_interval_consolidates_it(tiny_settings: Callable[..., Settings]) -> None:
    settings = tiny_settings(threads=1, backlog=0, every=1 / 60, idle=0.001)
    memory = Memory(settings)
    with memory.store.write() as db:
        log.add_message(db, "me", "chat", log.Said("user", SAID[0]))
    with daemon(settings) as process:
        wait_for(lambda: memory.modules("me", ModuleState.LIVE), process)
        out = stop(process)
    assert "consolidating (interval)" in out


def test_it_compacts_when_a_level_is_crowded(tiny_settings: Callable[..., Settings]) -> None:
    settings = tiny_settings(threads=1, backlog=1, poll=1.0, fan_in=1)
    memory = Memory(settings)
    memory.remember(SAID[0])
    assert consolidate(memory, "me").engrained_facts
    memory.remember(SAID[1])
    with daemon(settings) as process:
        (module,) = wait_for(lambda: [m for m in memory.modules("me", ModuleState.LIVE) if m.level == 1], process, 240)
        wait_for(lambda: (status := daemon_status(settings)) and status["doing"] == "waiting", process)
        out = stop(process)
    assert f"module {module.id} is live with 2 facts" in out
    assert memory.modules("me", ModuleState.LIVE) == [module]


def test_at_a_time_everything_that_waits_is_engrained(tiny_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tiny_settings(backlog=0, every=60.0, facts_per_module=1)
    memory = Memory(settings)
    for note in SAID[:3]:
        memory.remember(note)
    monkeypatch.setattr(daemons, "run_worker", lambda _, owner, **__: consolidate(memory, owner))
    Daemon(settings).consolidate("interval")
    assert len(memory.modules("me", ModuleState.LIVE)) == 3


def test_two_daemons_do_not_watch_one_memory(tiny_settings: Callable[..., Settings]) -> None:
    settings = tiny_settings(backlog=0, every=60.0)
    first, second = Daemon(settings), Daemon(settings)
    watching = threading.Thread(target=first.run)
    watching.start()
    until = time.monotonic() + 20
    while not ((status := daemon_status(settings)) and status["running"]):
        assert time.monotonic() < until
        time.sleep(0.05)
    with pytest.raises(JobBusy, match=r"watching .* already"):
        second.run()
    first.stop.set()
    watching.join()
    assert (daemon_status(settings) or {})["running"] is False
    said = status_file(settings).read_text()
    status_file(settings).write_text(said.replace("stopped", "waiting").replace(f'"pid": {os.getpid()}', '"pid": 1'))
    assert (daemon_status(settings) or {})["running"] is False, "it was killed, and somebody else has its number now"


def test_a_command_that_is_terminated_takes_its_worker_with_it(tiny_settings: Callable[..., Settings]) -> None:
    settings = tiny_settings(threads=1, recipe={**RECIPE, "epochs": 100_000, "recalled": 1.1})
    memory = Memory(settings)
    memory.remember(SAID[0])
    with daemon(settings, "consolidate") as process:
        wait_for(lambda: (job := active_job(memory.store, "me")) and job.note.startswith("epoch"), process)
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 130
    job = active_job(memory.store, "me")
    assert job
    assert (job.state, job.worker) == (JobState.QUEUED, "")


def test_a_daemon_with_nothing_to_wait_for_says_what_to_set(tiny_settings: Callable[..., Settings]) -> None:
    with pytest.raises(SettingsError, match="ENGRAIN_EVERY"):
        Daemon(tiny_settings(backlog=0))
    with pytest.raises(SettingsError, match="'at noon' is no cron expression"):
        Daemon(tiny_settings(cron="at noon"))
    made = Daemon(tiny_settings(cron="30 3 * * *", every=60.0))
    assert "cron at" in made.next()
    assert "interval at" in made.next()
    assert "tokens of facts" in made.next()


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="the kernel has no idle class")
def test_a_worker_gives_way_as_a_process_and_as_a_session() -> None:
    """Where the kernel divides the processor among sessions first, a low priority inside one's own changes nothing."""
    asked = (
        "import os; from engrain.consolidation.worker import _give_way; _give_way(10); "
        "group = open('/proc/self/autogroup').read() if os.path.exists('/proc/self/autogroup') else 'nice 19'; "
        "print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE, group.split()[-1])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, start_new_session=True)
    assert done.stdout.split() == [str(os.nice(0) + 10), "True", "19"]


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="the kernel does not divide the processor among sessions")
def test_a_worker_started_by_hand_leaves_the_session_it_is_in_alone() -> None:
    before = Path("/proc/self/autogroup").read_text()
    subprocess.run([sys.executable, "-c", "from engrain.consolidation.worker import _give_way; _give_way(10)"], check=True)
    assert Path("/proc/self/autogroup").read_text() == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the kernel does not say which processors a process may use")
def test_a_worker_counts_the_processors_it_may_use() -> None:
    asked = (
        "import os; from engrain.consolidation.worker import processors; before = processors(); "
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(before, processors())"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(os.sched_getaffinity(0))), "1"]
