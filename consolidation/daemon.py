"""The daemon: consolidates in the background, by interval, by cron expression and by backlog."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from filelock import FileLock, Timeout
from sqlmodel import select

from engrain.consolidation.compact import crowded
from engrain.consolidation.job import Outcome, Result
from engrain.consolidation.jobs import active_job, is_held
from engrain.consolidation.plan import backlog
from engrain.consolidation.worker import Task, run_worker
from engrain.errors import EngrainError, JobBusy, SettingsError
from engrain.memory.log import close_idle
from engrain.memory.schema import Session, now
from engrain.memory.store import Store, masked
from engrain.settings import Settings

log = logging.getLogger("engrain.daemon")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True)
class Run:
    """A consolidation that the daemon started."""

    owner: str
    cause: str
    started: datetime
    ended: datetime
    outcome: Outcome

    def as_dict(self) -> dict[str, object]:
        """For a status."""
        return {**asdict(self), "started": self.started.isoformat(), "ended": self.ended.isoformat()}


class Daemon:
    """Runs until it is asked to stop; one consolidation at a time, each in its own process."""

    def __init__(self, settings: Settings, tell: Callable[[str], None] = log.info) -> None:
        self.settings, self.tell = settings, tell
        self.store = Store(settings.url)
        self.stop = threading.Event()
        self.last: Run | None = None
        self._turn = threading.Lock()
        self._alone = _lock(settings)
        self._resting: dict[str, datetime] = {}
        self._scheduler = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600})
        self._schedule()

    def run(self) -> None:
        """Work until `stop` is set, by SIGTERM or SIGINT for instance; a running training ends at its next step."""
        try:
            self._alone.acquire(timeout=1)
        except Timeout:
            raise JobBusy(f"a daemon is watching {str(self.settings.home)!r} already; stop it first, or name another ENGRAIN_HOME") from None
        self._scheduler.start()
        self._note("waiting")
        self.tell(f"watching {masked(self.settings.url)}; next: {self.next()}")
        try:
            self.stop.wait()
        finally:
            self.tell("stopping")
            with self._turn:  # a running consolidation needs the scheduler's lock, which shutdown would hold while it waits for it
                self._scheduler.pause()
            self._scheduler.shutdown(wait=True)
            self._note("stopped")
            self._alone.release()
            self.store.close()

    def listen(self) -> None:
        """Let SIGTERM and SIGINT stop it."""

        def ask(_number: int, _frame: FrameType | None) -> None:
            self.stop.set()

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)

    def next(self) -> str:
        """What comes next, for a person."""
        jobs = [j for j in self._scheduler.get_jobs() if j.id != "backlog"]
        coming = [(getattr(j, "next_run_time", None) or j.trigger.get_next_fire_time(None, now()), j.id) for j in jobs]
        parts = [f"{name} at {at.astimezone():%Y-%m-%d %H:%M:%S %Z}" for at, name in sorted(coming)]
        if self.settings.backlog:
            parts.append(f"as soon as {self.settings.backlog} tokens of facts are fresh (looked at every {self.settings.poll:g} s)")
        return "; ".join(parts)

    def consolidate(self, cause: str, least: int = 1) -> None:
        """Every owner with at least `least` tokens of fresh facts, or an unfinished job, one after the other."""
        with self._turn:
            for owner in self._owners():
                while not self.stop.is_set() and self._wants(owner, least) and self._one(owner, cause):
                    pass

    def _look(self) -> None:
        """Whether somebody's backlog is long enough; while a consolidation runs there is nothing to look for."""
        if not self._turn.locked():
            self.consolidate("backlog", self.settings.backlog)

    def _note(self, doing: str) -> None:
        """Leave a status where `engrain status` finds it, whole or not at all."""
        path = status_file(self.settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        last = self.last.as_dict() if self.last else None
        upcoming = "" if doing == "stopped" else self.next()
        text = json.dumps({"pid": os.getpid(), "doing": doing, "last": last, "next": upcoming, "at": now().isoformat()})
        part = path.with_suffix(".part")
        part.write_text(text)
        part.rename(path)

    def _schedule(self) -> None:
        if self.settings.every:
            self._scheduler.add_job(self.consolidate, IntervalTrigger(minutes=self.settings.every), args=["interval"], id="interval")
        if self.settings.cron:
            self._scheduler.add_job(self.consolidate, cron_trigger(self.settings.cron), args=["cron"], id="cron")
        if self.settings.backlog:
            look = IntervalTrigger(seconds=self.settings.poll)
            self._scheduler.add_job(self._look, look, id="backlog", max_instances=2, next_run_time=now())
        if not self._scheduler.get_jobs():
            raise SettingsError("the daemon has nothing to wait for; set ENGRAIN_EVERY, ENGRAIN_CRON or ENGRAIN_BACKLOG")

    def _owners(self) -> list[str]:
        with self.store.read() as db:
            return sorted(set(db.exec(select(Session.owner))))

    def _wants(self, owner: str, least: int) -> bool:
        if self.settings.idle:
            with self.store.write() as db:
                close_idle(db, owner, timedelta(minutes=self.settings.idle))
        if self._resting.get(owner, now()) > now():
            return False
        job = active_job(self.store, owner)
        if job is not None:
            return not is_held(job)
        waiting = backlog(self.store, owner, self.settings)
        return waiting.facts > 0 and waiting.tokens >= least

    def _one(self, owner: str, cause: str) -> bool:
        """Consolidate, and compact where there are many modules then; returns whether there is a new module."""
        done = self._work(owner, cause, "consolidate")
        if done and crowded(self.store, owner, self.settings) and not self.stop.is_set():
            self._work(owner, "compaction", "compact")
        return done

    def _work(self, owner: str, cause: str, task: Task) -> bool:
        """One job of a worker; returns whether there is a new module."""
        started = now()
        self.tell(f"{owner}: consolidating ({cause})")
        self._note(f"consolidating {owner} ({cause})")
        try:
            outcome = run_worker(self.settings, owner, stopping=self.stop.is_set, task=task)
        except JobBusy as busy:
            self.tell(f"{owner}: {busy}")
            self._note("waiting")
            return False
        except EngrainError as error:
            outcome = Outcome(Result.FAILED, reason=str(error))
        self.last = Run(owner, cause, started, now(), outcome)
        if task == "consolidate" and outcome.result in (Result.FAILED, Result.REJECTED):
            self._resting[owner] = now() + timedelta(seconds=max(60.0, self.settings.poll))
        self._note("waiting")
        self.tell(f"{owner}: {describe(outcome)}")
        return outcome.result is Result.PUBLISHED


def cron_trigger(expression: str) -> BaseTrigger:
    """When a cron expression says, by this machine's clock; raises SettingsError.

    Weekdays count from Sunday, and where a day of the month and a weekday are given, either will do (crontab(5)); the library counts
    them from Monday and wants both.
    """
    try:
        minute, hour, day, month, weekday = expression.split()
        both = not (day.startswith("*") or weekday.startswith("*"))
        days = [(day, "*"), ("*", weekday)] if both else [(day, weekday)]
        times = {"minute": minute, "hour": hour, "month": month}
        each = [CronTrigger(**times, day=d, day_of_week=_weekdays(w)) for d, w in days]
        return OrTrigger(each) if len(each) > 1 else each[0]
    except ValueError as error:
        raise SettingsError(f"cron {expression!r} is no cron expression ({error}); write for instance '30 3 * * *'") from error


def _weekdays(field: str) -> str:
    """The days of a weekday field by name, each."""
    found: list[str] = []
    for item in field.lower().split(","):
        span, _, step = item.partition("/")
        first, dash, last = ("sun", "-", "sat") if span == "*" else span.partition("-")
        begin, end = _weekday(first), _weekday(last if dash else first)
        found += [_DAYS[day % 7] for day in range(begin, end + 1 if end >= begin else end + 8, int(step or 1))]
    return ",".join(dict.fromkeys(found))


def _weekday(name: str) -> int:
    if name in _DAYS:
        return _DAYS.index(name)
    if name.isdigit() and int(name) <= 7:
        return int(name)
    raise ValueError(f"{name!r} is no weekday")


def status_file(settings: Settings) -> Path:
    """Where a daemon leaves its status."""
    return settings.home / "daemon.json"


def daemon_status(settings: Settings) -> dict[str, object] | None:
    """What the daemon of this home last said of itself; `running` tells whether it still lives. None if there never was one."""
    path = status_file(settings)
    if not path.exists():
        return None
    said: dict[str, object] = json.loads(path.read_text())
    return {**said, "running": said["doing"] != "stopped" and _is_held(_lock(settings))}


def _lock(settings: Settings) -> FileLock:
    """What a running daemon of this home holds; it is let go of when its process ends, however it ends."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return FileLock(settings.home / "daemon.lock", thread_local=False)


def _is_held(lock: FileLock) -> bool:
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def describe(outcome: Outcome) -> str:
    """An outcome in one line."""
    if outcome.result is Result.PUBLISHED:
        return f"module {outcome.module_id} is live with {outcome.facts} facts"
    if outcome.result is Result.REJECTED:
        what = f"module {outcome.module_id} was rejected, its {outcome.facts} facts stay fresh" if outcome.module_id else "nothing was trained"
        return f"{what}: {outcome.reason}"
    if outcome.result is Result.NOTHING:
        return "nothing fresh to consolidate"
    if outcome.result is Result.INTERRUPTED:
        return f"interrupted; the job resumes where it was ({outcome.reason})"
    return f"failed: {outcome.reason}"
