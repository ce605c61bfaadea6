"""A consolidation: plan, distil, train, gate, publish.

Each stage's result is kept before the next begins; a job that was killed resumes at the stage it was in, training at its
last whole epoch.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, delete, select

from engrain.consolidation.distil import Distiller, Draft, SelfDistiller, Source, strange, unambiguous
from engrain.consolidation.gate import Thresholds, Verdict, judge
from engrain.consolidation.jobs import ACTIVE, Desk, Order, claim, unfinished
from engrain.consolidation.plan import Plan, backlog, plan
from engrain.consolidation.publish import placed_folder, publish
from engrain.consolidation.repair import retire_damaged
from engrain.consolidation.teacher import TeacherDistiller
from engrain.consolidation.train.ordinary import is_written
from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import Epoch, Example, Trained, first_adapted, train
from engrain.endpoint import Endpoint
from engrain.errors import EngrainError, JobInterrupted, SettingsError, TeacherSpent
from engrain.memory.bank import lora
from engrain.memory.bank.prompt import LONGEST
from engrain.memory.facts import probes_of, routed_probes, still_live
from engrain.memory.memory import Memory
from engrain.memory.modules import sweep
from engrain.memory.schema import Fact, FactState, Job, JobState, Module, ModuleState, Probe, Stage
from engrain.memory.vectors import fill_embeddings
from engrain.settings import Settings

T = TypeVar("T")
_NOTHING_ASKED = "there is no question to train: every one has another fact's answer as well, or one that is too long"


class Result(StrEnum):
    """How a consolidation ended."""

    PUBLISHED = "published"  # a module is live
    REJECTED = "rejected"  # the gate refused it; the facts stay fresh
    NOTHING = "nothing"  # there was nothing fresh
    INTERRUPTED = "interrupted"  # asked to stop; resumes where it was
    FAILED = "failed"  # an error; tried again until the attempts are used up


@dataclass(frozen=True)
class Outcome:
    """What a consolidation did."""

    result: Result
    job_id: int | None = None
    module_id: str | None = None
    facts: int = 0
    reason: str = ""
    seconds: dict[str, float] | None = None
    """Time of the stages done in this run, in seconds."""

    @property
    def engrained_facts(self) -> bool:
        """Whether facts left the backlog."""
        return self.result is Result.PUBLISHED


def consolidate(
    memory: Memory, owner: str, *, recipe: Recipe | None = None, distiller: Distiller | None = None, bounds: Thresholds | None = None,
    stopping: Callable[[], bool] = lambda: False, order: Order = Order(),  # noqa: B008
) -> Outcome:  # fmt: skip
    """Engrain the owner's next facts into one module, here and now, or do what is ordered; an unfinished job goes first.

    Raises JobBusy while another worker is at it, and ModuleError where the folder of the modules is gone.
    """
    settings = memory.settings
    recipe = recipe or recipe_of(settings)
    bounds = bounds or _chosen(Thresholds, settings.gate, "gate")
    memory.close_idle(owner)
    begun = unfinished(memory.store, owner, memory.base.sha256)
    retire_damaged(memory.store, owner, settings.modules)
    _sweep(memory)
    if begun is None and not order.facts and not backlog(memory.store, owner, settings).facts:
        return Outcome(Result.NOTHING)
    desk = claim(memory.store, owner, settings.seed, settings.attempts, settings.lease, memory.base.sha256, order)
    work = _Work(memory, desk, replace(recipe, seed=desk.job.seed), distiller, bounds, stopping)
    with desk.heartbeat():
        try:
            planned = work.plan()
            if not planned.facts:
                desk.end(JobState.FAILED, "all of its facts were forgotten")
                return Outcome(Result.NOTHING, desk.id)
            planned, probes = work.distil(planned)
            if not planned.facts:
                desk.end(JobState.REJECTED, _NOTHING_ASKED)
                return Outcome(Result.REJECTED, desk.id, reason=_NOTHING_ASKED)
            adapter = work.train(planned, probes)
            verdict = work.gate(planned, probes, adapter)
            return work.publish(planned, adapter, verdict)
        except JobInterrupted as stop:
            return _stopped(desk, stop)
        except Exception as error:  # noqa: BLE001 - whatever a stage raises, the job must say so and be given back
            return _failed(desk, error, settings.attempts)
        finally:
            if not desk.may_go_on():  # nor is there anything left of what it was forbidden to publish
                shutil.rmtree(work.folder, ignore_errors=True)


class _Work:
    """The five stages on one job; each returns what an earlier attempt kept, or does the work and keeps it."""

    def __init__(
        self, memory: Memory, desk: Desk, recipe: Recipe, distiller: Distiller | None, bounds: Thresholds, stopping: Callable[[], bool]
    ) -> None:
        self.memory, self.desk, self.recipe, self.bounds, self.stopping = memory, desk, recipe, bounds, stopping
        self._distiller = distiller
        self.folder = memory.settings.jobs / str(desk.id)
        self.staging = self.folder / "adapter"
        self.clock = _Clock()

    def plan(self) -> Plan:
        if self.desk.is_done(Stage.PLAN):
            return Plan(tuple(self._facts()))
        self._check()
        with self.clock(Stage.PLAN):
            planned = plan(self.memory.store, self.desk.job.owner, self.memory.settings)
        with self.desk.writing() as (db, job):
            live = still_live(db, job.owner, planned.fact_ids)  # something may have been forgotten this moment
            planned = Plan(tuple(fact for fact in planned.facts if fact.id in live))
            job.fact_ids = planned.fact_ids
            self.desk.finish_stage(db, job, Stage.PLAN, self.clock.seconds[Stage.PLAN])
        return planned

    def distil(self, planned: Plan) -> tuple[Plan, list[Probe]]:
        if not self.desk.is_done(Stage.DISTIL):
            self._check()
            with self.clock(Stage.DISTIL):
                self._keep_probes(self._kept_drafts() if self.desk.job.replaces else self._new_drafts(planned))
        with self.memory.store.read() as db:
            probes = probes_of(db, self.desk.job.owner, self.desk.id)
        asked = {p.fact_id for p in probes if not p.held_out}
        return Plan(tuple(fact for fact in planned.facts if fact.id in asked)), probes

    def train(self, planned: Plan, probes: Sequence[Probe]) -> lora.Adapter:
        if not self.desk.is_done(Stage.TRAIN):
            self._check()
            with self.clock(Stage.TRAIN):
                said = {f.id: f.asked for f in planned.facts}
                examples = [Example(p.question, p.answer, said.get(p.fact_id, "")) for p in probes if not p.held_out]
                there = not self.recipe.locality or is_written(self.memory.base, first_adapted(self.memory.base, self.recipe))
                self.desk.tell(f"training on {len(examples)} probes{'' if there else '; first the base model writes ordinary text, once'}", 0.0)
                trained = train(self.memory.base, examples, self.recipe, self.folder, self._on_epoch, self.stopping)
                self._keep_adapter(trained, len(examples))
        return self._load_adapter()

    def gate(self, planned: Plan, probes: Sequence[Probe], adapter: lora.Adapter) -> Verdict:
        if self.desk.is_done(Stage.GATE):
            kept = dict(self.desk.job.result["verdict"])
            return Verdict(**{**kept, "reasons": tuple(kept["reasons"])})
        self._check()
        with self.clock(Stage.GATE):
            self.desk.tell("asking the module", 0.0)
            with self.memory.store.read() as db:
                elsewhere = routed_probes(db, self.desk.job.owner, self.memory.base.sha256)
            threshold = self.memory.settings.threshold
            verdict = judge(self.memory.base, self.memory.embedder, adapter, probes, planned.facts, elsewhere, threshold, self.bounds)
        with self.desk.writing() as (db, job):
            self.desk.finish_stage(db, job, Stage.GATE, self.clock.seconds[Stage.GATE], verdict=verdict.as_dict())
        return verdict

    def publish(self, planned: Plan, adapter: lora.Adapter, verdict: Verdict) -> Outcome:
        self._check()
        with self.clock(Stage.PUBLISH):
            done = publish(self.desk, self.staging, self.memory.settings.modules, self.memory.base, adapter.spec, self.recipe, verdict)
        _sweep(self.memory)
        result = Result.PUBLISHED if done.state is ModuleState.LIVE else Result.REJECTED
        return Outcome(result, self.desk.id, done.module_id, len(planned.facts), "; ".join(verdict.reasons), self.clock.seconds)

    def _new_drafts(self, planned: Plan) -> list[Draft]:
        self.desk.tell("loading the models", 0.0)
        distiller = self._distiller or self._chosen_distiller()
        drafts = distiller.probes(_sources(planned.facts), self._telling("distilling"))
        return [draft for draft in drafts if len(self.memory.base.encode(draft.answer)) <= LONGEST]  # no recall would tell more

    def _kept_drafts(self) -> list[Draft]:
        """The probes of the modules that are replaced, as far as their facts are live, and together mean what they meant."""
        owner, live = self.desk.job.owner, {None, *self.desk.job.fact_ids}
        with self.memory.store.read() as db:
            jobs = db.exec(select(Module.job_id).where(Module.owner == owner, col(Module.id).in_(self.desk.job.replaces))).all()
            kept = [p for job_id in jobs for p in probes_of(db, owner, job_id) if p.fact_id in live]
        drafts = [Draft(p.fact_id, p.kind, p.question, p.answer, p.held_out) for p in kept]
        unknown = list({d.question.lower(): d for d in drafts if d.fact_id is None}.values())
        known = unambiguous([d for d in drafts if d.fact_id is not None])
        asked = {d.fact_id for d in known if not d.held_out}
        known = [d if d.fact_id in asked else replace(d, held_out=False) for d in known]  # else nothing of theirs would be trained
        there = [d.question for d in known] + [source.asked for source in _sources(self._facts())]
        return [*known, *(unknown[i] for i in strange(self.memory.embedder, [d.question for d in unknown], there))]

    def _chosen_distiller(self) -> Distiller:
        settings = self.memory.settings
        own = SelfDistiller(self.memory.base, self.memory.embedder, self.desk.job.seed, writes=settings.distiller == "self")
        if settings.distiller != "teacher":
            return own
        endpoint = Endpoint(settings.teacher_model, settings.teacher_url, settings.teacher_key.get_secret_value(), settings.teacher_timeout)
        return TeacherDistiller(endpoint, own, self.folder / "teacher.jsonl", settings.teacher_tokens)

    def _facts(self) -> list[Fact]:
        with self.memory.store.read() as db:
            rows = [db.get(Fact, fact_id) for fact_id in self.desk.job.fact_ids]
        return [f for f in rows if f is not None]

    def _keep_probes(self, drafts: Sequence[Draft]) -> None:
        """Keep them; a fact of which nothing can be trained is given up, and told by text as long as it is in no module."""
        asked = {d.fact_id for d in drafts if not d.held_out}
        drafts = [d for d in drafts if d.fact_id is None or d.fact_id in asked]
        rows = [
            Probe(
                owner=self.desk.job.owner,
                job_id=self.desk.id,
                fact_id=d.fact_id,
                kind=d.kind,
                question=d.question,
                answer=d.answer,
                held_out=d.held_out,
            )
            for d in drafts
        ]
        fill_embeddings(rows, self.memory.embedder)
        with self.desk.writing() as (db, job):
            db.exec(delete(Probe).where(col(Probe.job_id) == self.desk.id))
            db.add_all(rows)
            for fact in db.exec(select(Fact).where(col(Fact.id).in_(set(job.fact_ids) - asked), Fact.state == FactState.FRESH)):
                fact.rejections = max(fact.rejections, self.memory.settings.attempts)
            job.fact_ids = [fact_id for fact_id in job.fact_ids if fact_id in asked] or job.fact_ids
            self.desk.finish_stage(db, job, Stage.DISTIL, self.clock.spent(), probes=len(rows))

    def _keep_adapter(self, trained: Trained, examples: int) -> None:
        part = self.folder / "adapter.part"
        shutil.rmtree(part, ignore_errors=True)
        lora.save(trained.adapter, part, self.memory.base.name)
        shutil.rmtree(self.staging, ignore_errors=True)
        part.rename(self.staging)
        measured: dict[str, Any] = {
            "examples": examples, "epochs": len(trained.epochs), "shown": sum(e.shown for e in trained.epochs),
            "recalled": trained.epochs[-1].recalled, "train_seconds": round(trained.seconds, 2),
            "tokens_per_epoch": trained.tokens, "supervised_tokens_per_epoch": trained.supervised, "cached_lower": trained.cached_lower,
        }  # fmt: skip
        with self.desk.writing() as (db, job):
            self.desk.finish_stage(db, job, Stage.TRAIN, max(self.clock.spent(), trained.seconds), training=measured)

    def _load_adapter(self) -> lora.Adapter:
        """What will be served: the file as it was rounded, not the tensors that were trained."""
        folder = self.staging if self.staging.exists() else placed_folder(self.desk, self.memory.settings.modules)
        config = json.loads((folder / lora.CONFIG).read_text())
        spec = lora.LoraSpec(config["r"], config["lora_alpha"], tuple(config["layers_to_transform"]), tuple(sorted(config["target_modules"])))
        return lora.load(folder, self.memory.base.model, spec)

    def _check(self) -> None:
        if self.stopping():
            raise JobInterrupted(f"job {self.desk.id} was asked to stop before stage {self.desk.job.stage.value}; it resumes there")

    def _telling(self, what: str) -> Callable[[str, float], None]:
        def tell(note: str, progress: float) -> None:
            self._check()
            self.desk.tell(f"{what}: {note}", progress)

        return tell

    def _on_epoch(self, epoch: Epoch) -> None:
        self.desk.tell(f"epoch {epoch.number + 1}: recalls {epoch.recalled:.0%}", min(1.0, (epoch.number + 1) / self.recipe.epochs))


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = 0.0

    @contextmanager
    def __call__(self, stage: Stage) -> Iterator[None]:
        self.started = time.perf_counter()
        yield
        self.seconds[stage.value] = round(self.spent(), 2)

    def spent(self) -> float:
        """Seconds in the stage that is going on."""
        return time.perf_counter() - self.started


def _sources(facts: Sequence[Fact]) -> list[Source]:
    """Facts as a distiller reads them."""
    return [Source(f.id or 0, f.text, f.asked, f.speaker) for f in facts]


def recipe_of(settings: Settings) -> Recipe:
    """The recipe that the settings ask for; raises SettingsError for names that it does not have."""
    return _chosen(Recipe, {"seed": settings.seed, **settings.recipe}, "recipe")


def _chosen(kind: type[T], values: Mapping[str, Any], name: str) -> T:
    """A recipe or thresholds with some values of the user's; raises SettingsError for names it does not have."""
    try:
        return kind(**values)
    except TypeError as error:
        known = ", ".join(f.name for f in fields(kind))  # type: ignore[arg-type]
        raise SettingsError(f"setting {name!r} = {dict(values)!r}: {error}; it takes {known}") from error


def _sweep(memory: Memory) -> None:
    with memory.store.read() as db:
        sweep(db, memory.settings.modules)
        for folder in memory.settings.jobs.glob("*"):
            job = db.get(Job, int(folder.name)) if folder.name.isdigit() else None
            if job is None or job.state not in ACTIVE:  # a job that was given up
                shutil.rmtree(folder, ignore_errors=True)


def _stopped(desk: Desk, stop: JobInterrupted) -> Outcome:
    try:
        desk.end(JobState.QUEUED)
    except JobInterrupted as lost:
        return Outcome(Result.FAILED, desk.id, reason=str(lost))
    return Outcome(Result.INTERRUPTED, desk.id, reason=str(stop))


def _failed(desk: Desk, error: Exception, attempts: int) -> Outcome:
    """The one place that decides what an error means: another attempt, or the end."""
    where = f"stage {desk.job.stage.value}: {type(error).__name__}: {error}"
    final = desk.job.attempt >= attempts
    elsewhere = isinstance(error, (EngrainError, OSError, SQLAlchemyError)) and not isinstance(error, TeacherSpent)  # a disk, a setting
    try:
        desk.end(JobState.FAILED if final else JobState.QUEUED, where, by_facts=final and not elsewhere)
    except JobInterrupted as lost:
        where = str(lost)
    return Outcome(Result.FAILED, desk.id, reason=where)
