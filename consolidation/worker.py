"""Consolidation in a process of its own: capped threads, low priority, and its memory given back at the end.

`run_worker` starts it and waits; the worker itself is `python -m engrain.consolidation.worker`. Settings travel as
environment variables, results come back as one line of JSON, progress stands in the job's row.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import IO, Literal

from pydantic import SecretStr

from engrain.consolidation.compact import compact
from engrain.consolidation.job import Outcome, Result, consolidate
from engrain.consolidation.jobs import active_job
from engrain.consolidation.migrate import migrate
from engrain.errors import EngrainError, JobBusy, JobError
from engrain.memory.memory import Memory
from engrain.memory.schema import Job
from engrain.memory.store import Store
from engrain.settings import Settings, load_settings

_BUSY = 8

Task = Literal["consolidate", "compact", "migrate"]
_TASKS: dict[str, Callable[..., Outcome]] = {"consolidate": consolidate, "compact": compact, "migrate": migrate}


def run_worker(
    settings: Settings, owner: str, watch: Callable[[Job], None] = lambda _: None, stopping: Callable[[], bool] = lambda: False,
    task: Task = "consolidate",
) -> Outcome:  # fmt: skip
    """Consolidate or compact once in a new process; `watch` sees the job's row as it changes.

    When `stopping` turns true the worker gets SIGTERM and ends at its next step; the job resumes later. Raises JobBusy while
    another worker holds the owner, and JobError when the process dies without a word.
    """
    command = [sys.executable, "-P", "-m", "engrain.consolidation.worker", owner, task]
    store = Store(settings.url)
    told = False
    with TemporaryFile("w+", errors="replace") as out, TemporaryFile("w+", errors="replace") as err:  # a pipe that nobody reads would fill up
        process = subprocess.Popen(command, env=_environment(settings), stdout=out, stderr=err, start_new_session=True)
        try:
            while process.poll() is None:
                if stopping() and not told:
                    process.terminate()
                    told = True
                job = active_job(store, owner)
                if job is not None:
                    watch(job)
                time.sleep(0.25)
        except KeyboardInterrupt:
            process.terminate()
        finally:
            process.wait()
            store.close()
        if process.returncode == -signal.SIGTERM:  # it had not begun yet
            return Outcome(Result.INTERRUPTED, reason="the worker was asked to stop before it had claimed a job")
        return _outcome(process.returncode, _written(out), _written(err), owner)


def _written(file: IO[str]) -> str:
    """What a process wrote into a file."""
    file.seek(0)
    return file.read()


def main(arguments: list[str] | None = None) -> int:
    """Do a task (consolidate, where none is named) for the named owner once; the outcome is the last line of standard output."""
    owner, task = [*(arguments or sys.argv[1:]), "consolidate"][:2]
    settings = load_settings()
    _give_way(settings.nice)
    stop = _Stop()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    import torch

    torch.set_num_threads(settings.threads or processors())
    try:
        outcome = _TASKS[task](Memory(settings), owner, stopping=stop.asked)
    except JobBusy as busy:
        print(json.dumps({"busy": str(busy)}))
        return _BUSY
    except EngrainError as error:
        outcome = Outcome(Result.FAILED, reason=str(error))
    print(json.dumps(asdict(outcome)))
    return 0


def _give_way(nice: int) -> None:
    """Lower this process's priority; a positive `nice` also lets it run only where nobody else wants to, where the kernel knows how.

    Linux divides the processor among sessions first (sched(7), autogroup) and looks at priorities only inside one: this
    process, which has a session of its own, must give way as a group, too.
    """
    os.nice(nice)
    if nice and hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):  # a sandbox that forbids it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        if os.getsid(0) == os.getpid():  # not the session of whoever started it by hand
            with suppress(OSError):  # a kernel without autogroups
                Path("/proc/self/autogroup").write_text("19")


class _Stop:
    """A signal that asks to stop; training looks at it between steps."""

    def __init__(self) -> None:
        self._asked = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def asked(self) -> bool:
        return self._asked


def processors() -> int:
    """How many processors this process may use: a container or taskset may give it fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _environment(settings: Settings) -> dict[str, str]:
    """The parent's environment with these settings."""
    values = {f"ENGRAIN_{name.upper()}": _text(value) for name, value in settings.model_dump(exclude={"chat_key"}).items()}
    threads = str(settings.threads or processors())
    return {**os.environ, **values, "OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}


def _text(value: object) -> str:
    """A setting as an environment variable says it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _outcome(code: int, out: str, err: str, owner: str) -> Outcome:
    last = out.strip().splitlines()[-1:] or [""]
    try:
        told = json.loads(last[0])
    except ValueError:
        why = err.strip().splitlines()[-1:] or ["no message"]
        raise JobError(f"the consolidation worker of {owner!r} died with code {code} ({why[0]}); run it again, it resumes") from None
    if "busy" in told:
        raise JobBusy(told["busy"])
    return Outcome(**{**told, "result": Result(told["result"])})


if __name__ == "__main__":
    sys.exit(main())
