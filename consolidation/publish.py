"""Publish: the files by a rename, then one transaction that makes the module live, or keeps it as rejected."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session as DbSession
from sqlmodel import col, select

from engrain.consolidation.gate import Verdict
from engrain.consolidation.jobs import Desk, refuse
from engrain.consolidation.train.recipe import Recipe
from engrain.errors import JobError, JobInterrupted
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.lora import LoraSpec
from engrain.memory.modules import MANIFEST, Manifest, changed, fact_ids_of, hash_files, place
from engrain.memory.schema import Fact, FactState, Job, JobState, Module, ModuleFact, ModuleState, Stage


@dataclass(frozen=True)
class Published:
    """A module in its place."""

    module_id: str
    state: ModuleState


def publish(desk: Desk, staging: Path, modules: Path, base: BaseModel, spec: LoraSpec, recipe: Recipe, verdict: Verdict) -> Published:
    """Place the adapter and finish the job with it; the job's facts become engrained, or stay fresh after a rejection."""
    manifest = Manifest(
        base=base.name,
        base_sha256=base.sha256,
        rank=spec.rank,
        alpha=spec.alpha,
        layers=spec.layers,
        targets=spec.targets,
        recipe=recipe.as_dict(),
        facts=tuple(desk.job.fact_ids),
        scores=verdict.as_dict(),
        made_by_job=desk.id,
        made_at=desk.job.created_at.isoformat(),
        files=hash_files(staging) if staging.exists() else hash_files(placed_folder(desk, modules)),
    )
    module_id, digest = place(staging, manifest, modules)
    state = ModuleState.LIVE if verdict.passed else ModuleState.REJECTED
    size = sum(f.stat().st_size for f in (modules / module_id).iterdir())
    row = Module(
        id=module_id, owner=desk.job.owner, job_id=desk.id, base=base.name, base_sha256=base.sha256, manifest_sha256=digest,
        state=state, level=desk.job.level, reason="; ".join(verdict.reasons), scores=verdict.as_dict(), bytes=size,
    )  # fmt: skip
    try:
        with desk.writing() as (db, job):
            _finish(db, desk, job, row)
    except JobError as error:
        if not isinstance(error, JobInterrupted) or not desk.may_go_on():
            shutil.rmtree(modules / module_id, ignore_errors=True)
        raise
    return Published(module_id, state)


def _finish(db: DbSession, desk: Desk, job: Job, row: Module) -> None:
    facts = list(db.exec(select(Fact).where(Fact.owner == job.owner, col(Fact.id).in_(job.fact_ids))))
    gone = [f.id for f in facts if f.state is FactState.ERASED]
    if gone or len(facts) != len(job.fact_ids):
        raise JobError(f"facts {gone} of job {job.id} were forgotten while it ran; the module is not published")
    db.add(row)
    for fact in facts:
        assert fact.id is not None
        db.add(ModuleFact(module_id=row.id, fact_id=fact.id, owner=job.owner))
        if row.state is ModuleState.LIVE:
            fact.state = FactState.ENGRAINED
    if row.state is ModuleState.LIVE:
        _retire(db, job, row.id)
    else:
        refuse(db, job)
    changed(db, job.owner)
    desk.finish_stage(db, job, Stage.PUBLISH)
    job.state = JobState.DONE if row.state is ModuleState.LIVE else JobState.REJECTED
    job.module_id, job.error, job.worker, job.lease_until = row.id, row.reason, "", None


def _retire(db: DbSession, job: Job, by: str) -> None:
    """The modules that the new one takes the place of stop serving in the same transaction.

    Facts of theirs that are left out, because newer ones correct them, are in no module then: should they be live again, they are fresh.
    """
    for old in db.exec(select(Module).where(Module.owner == job.owner, col(Module.id).in_(job.replaces))):
        old.state, old.reason = ModuleState.RETIRED, f"compacted into {by}"
    left_out = set(fact_ids_of(db, job.owner, job.replaces)) - set(job.fact_ids)
    for fact in db.exec(select(Fact).where(Fact.owner == job.owner, Fact.state == FactState.ENGRAINED, col(Fact.id).in_(left_out))):
        fact.state = FactState.FRESH


def placed_folder(desk: Desk, modules: Path) -> Path:
    """Where the module is that was renamed into place before its worker died; raises JobError where it is not."""
    for folder in modules.iterdir() if modules.is_dir() else ():
        manifest = folder / MANIFEST
        if manifest.exists() and Manifest.parse(manifest.read_text()).made_by_job == desk.id:
            return folder
    raise JobError(f"the adapter of job {desk.id} is gone; consolidate again")
