"""Jobs: a consolidation's row in SQL, claimed by one worker, kept alive by a heartbeat, taken over after a crash."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from engrain.errors import JobBusy, JobError, JobInterrupted, NotFoundError
from engrain.memory.facts import still_live
from engrain.memory.schema import Fact, FactState, Job, JobState, Stage, now
from engrain.memory.store import Store

ACTIVE = (JobState.QUEUED, JobState.RUNNING)
ORDER = tuple(Stage)


def worker_name() -> str:
    """host:pid of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Desk:
    """One worker's hold on one job: every stage's result goes through here, and only while the lease is held."""

    def __init__(self, store: Store, job: Job, lease: float, worker: str) -> None:
        self.store, self.job, self.lease, self.worker = store, job, lease, worker

    @property
    def id(self) -> int:
        """The job's id."""
        assert self.job.id is not None
        return self.job.id

    def is_done(self, stage: Stage) -> bool:
        """Whether an earlier attempt finished this stage."""
        return ORDER.index(self.job.stage) > ORDER.index(stage)

    @contextmanager
    def writing(self) -> Iterator[tuple[DbSession, Job]]:
        """A transaction in which the job is surely still ours; raises JobInterrupted where it is not."""
        with self.store.write() as db:
            job = db.get(Job, self.id)
            if job is None or job.state is not JobState.RUNNING or job.worker != self.worker:
                state = "gone" if job is None else f"{job.state.value} ({job.error or job.worker})"
                raise JobInterrupted(f"job {self.id} is no longer this worker's: it is {state}")
            job.updated_at = now()
            job.lease_until = now() + timedelta(seconds=self.lease)
            yield db, job
        self.job = job

    def finish_stage(self, db: DbSession, job: Job, stage: Stage, seconds: float | None = None, **result: Any) -> None:
        """Mark a stage as done, inside the transaction that keeps what it made and, where they are known, the seconds it took."""
        job.stage = ORDER[min(ORDER.index(stage) + 1, len(ORDER) - 1)]
        job.progress = 0.0
        job.note = ""
        job.result = {**job.result, **result}
        if seconds is not None:
            job.result["seconds"] = {**job.result.get("seconds", {}), stage.value: round(seconds, 2)}
        db.add(job)

    def tell(self, note: str, progress: float) -> None:
        """Leave a breadcrumb for status and error messages; also renews the lease."""
        with self.writing() as (_, job):
            job.note, job.progress = note, round(progress, 3)

    def may_go_on(self) -> bool:
        """Whether the job is still to be done, by this worker or another."""
        with self.store.read() as db:
            job = db.get(Job, self.id)
            return job is not None and job.state in ACTIVE

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Renews the lease in the background while the block runs."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(self.lease / 4):
                try:
                    with self.writing():
                        pass
                except JobInterrupted:
                    return
                except Exception:  # noqa: S112, BLE001 - a busy database must not end a heartbeat; the next one may succeed
                    continue

        thread = threading.Thread(target=beat, name="engrain-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def end(self, state: JobState, error: str = "", *, by_facts: bool = False) -> None:
        """Give the job back: finished, failed, or queued for another attempt; `by_facts` where it may be they that cannot be engrained."""
        with self.writing() as (db, job):
            job.state, job.error, job.lease_until, job.worker = state, error, None, ""
            if by_facts:
                refuse(db, job)
            if state is JobState.QUEUED and not error:
                job.attempt -= 1  # asked to stop is no failure


def refuse(db: DbSession, job: Job, most: int | None = None) -> None:
    """Note with the fresh facts of a job that it came to nothing: `plan` tries them in half the company, and in the end no more.

    With `most`, no oftener than that: a worker that dies may have been killed, and its facts are never given up for that.
    """
    for fact in db.exec(select(Fact).where(Fact.owner == job.owner, Fact.state == FactState.FRESH, col(Fact.id).in_(job.fact_ids))):
        fact.rejections += most is None or fact.rejections < most


@dataclass(frozen=True)
class Order:
    """What a new job is to do: engrain what is fresh, or, where facts are named, these."""

    facts: tuple[int, ...] = ()
    replaces: tuple[str, ...] = ()
    """Modules that stop serving when the new one is live."""
    level: int = 0


def claim(store: Store, owner: str, seed: int, attempts: int, lease: float, base_sha256: str = "", order: Order = Order()) -> Desk:
    """The owner's unfinished job, or a new one with this `order`, for this worker alone.

    A job whose worker is dead, or has let its lease run out, is taken over where it is. Raises JobBusy while another worker
    holds it or it trains another base model, and JobError, with the job marked as failed, when it was begun `attempts` times
    already.
    """
    worker = worker_name()
    failed = None
    try:
        with store.write() as db:
            job = db.exec(select(Job).where(Job.owner == owner, col(Job.state).in_(ACTIVE))).first()
            if job is None:
                facts = still_live(db, owner, order.facts)
                job = Job(owner=owner, seed=seed, fact_ids=facts, replaces=list(order.replaces), level=order.level)
                job.stage = Stage.DISTIL if order.facts else Stage.PLAN
                db.add(job)
            elif base_sha256 and job.base_sha256 not in ("", base_sha256):
                raise JobBusy(f"job {job.id} of {owner!r} trains another base model; wait for it")
            elif is_held(job):
                raise JobBusy(f"{owner!r} is being consolidated by {job.worker} (job {job.id}, stage {job.stage.value}); wait for it")
            if job.attempt >= attempts:
                was = job.error or f"its worker died in stage {job.stage.value} ({job.note or 'no note'})"
                job.state, job.error = JobState.FAILED, f"given up after {job.attempt} attempts: {was}"
                job.worker, job.lease_until, job.updated_at = "", None, now()
                refuse(db, job, attempts - 1)
                failed = f"job {job.id} of {owner!r} {job.error}"
            else:
                job.state, job.worker, job.attempt = JobState.RUNNING, worker, job.attempt + 1
                job.base_sha256 = base_sha256
                job.lease_until, job.updated_at = now() + timedelta(seconds=lease), now()
            db.flush()
    except IntegrityError as error:
        raise JobBusy(f"{owner!r} is being consolidated by another worker; wait for it") from error
    if failed:
        raise JobError(failed)
    return Desk(store, job, lease, worker)


def unfinished(store: Store, owner: str, base_sha256: str) -> Job | None:
    """The owner's unfinished job, to be gone on with.

    One that trains another base model, and that nobody is at, is marked as failed first, its facts as they were: the base model was
    changed, and nobody may ever come back with the old one.
    """
    job = active_job(store, owner)
    if job is None or job.base_sha256 in ("", base_sha256):
        return job
    with store.write() as db:
        job = db.exec(select(Job).where(Job.owner == owner, col(Job.state).in_(ACTIVE))).first()
        if job is None or job.base_sha256 in ("", base_sha256) or is_held(job):
            return job
        job.state, job.error = JobState.FAILED, f"given up in stage {job.stage.value}: it trained another base model"
        job.worker, job.lease_until, job.updated_at = "", None, now()
    return None


def active_job(store: Store, owner: str) -> Job | None:
    """The owner's unfinished job, where there is one."""
    with store.read() as db:
        return db.exec(select(Job).where(Job.owner == owner, col(Job.state).in_(ACTIVE))).first()


def last_job(store: Store, owner: str) -> Job | None:
    """The owner's newest job."""
    with store.read() as db:
        return db.exec(select(Job).where(Job.owner == owner).order_by(col(Job.id).desc())).first()


def require_job(store: Store, owner: str, job_id: int) -> Job:
    """The job; raises NotFoundError."""
    with store.read() as db:
        job = db.get(Job, job_id)
    if job is None or job.owner != owner:
        raise NotFoundError(f"{owner!r} has no job {job_id}; `engrain status` shows the last one")
    return job


def is_held(job: Job) -> bool:
    """Whether a living worker is at it."""
    return job.state is JobState.RUNNING and not _abandoned(job)


def _abandoned(job: Job) -> bool:
    """Whether a running job's worker is dead: its process on this host is gone, or its lease has run out."""
    if job.lease_until is None or job.lease_until < now():
        return True
    host, _, pid = job.worker.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _is_zombie(int(pid))


def _is_zombie(pid: int) -> bool:
    """A killed process whose parent has not collected it yet still has its pid."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[-1].split()[0] == "Z"
    except OSError:
        return False
