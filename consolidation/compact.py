"""Compaction: several small modules become one larger, trained anew from their live facts, never by merging weights.

Size-tiered, as in a log-structured store: a level with more modules than the settings' `fan_in` gives its oldest ones, as many
as a module of the measured capacity holds, to one on the next level. The old ones serve until it is live. What was superseded
is not trained again. A module that is full already stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlmodel import Session as DbSession
from sqlmodel import col, select

from engrain.consolidation.gate import Thresholds
from engrain.consolidation.job import Outcome, Result, consolidate
from engrain.consolidation.jobs import Order, unfinished
from engrain.consolidation.plan import tokens_of
from engrain.consolidation.train.recipe import Recipe
from engrain.memory.facts import facts_of
from engrain.memory.memory import Memory
from engrain.memory.modules import fact_ids_of, modules_of
from engrain.memory.schema import Fact, FactState, Job, JobState, Module, ModuleState
from engrain.memory.store import Store
from engrain.settings import Settings


@dataclass(frozen=True)
class Compaction:
    """Modules of one level that become one."""

    modules: tuple[str, ...]
    facts: tuple[int, ...]
    """Their live facts."""
    dropped: int
    """Facts that are in the modules and not in the new one, because newer ones correct them."""
    level: int
    """Of the module that they become."""


@dataclass(frozen=True)
class Shape:
    """How an owner's memory is laid out."""

    modules: dict[int, int]
    """Live modules by level."""
    read_fan_in: int
    """Modules that a question is compared with: all live ones."""
    write_amplification: float | None
    """Tokens trained, over all jobs that ended with a module, per token of the live engrained facts; None before there is one."""
    rewrites: float | None
    """How often a live engrained fact was put into a module, on average."""


def crowded(store: Store, owner: str, settings: Settings) -> bool:
    """Whether a compaction is due on some base model; none is loaded to see that."""
    with store.read() as db:
        bases = {m.base_sha256 for m in modules_of(db, owner, ModuleState.LIVE)}
    return any(due(store, owner, base, settings) for base in bases)


def due(store: Store, owner: str, base_sha256: str, settings: Settings) -> Compaction | None:
    """The next compaction on a base model, the lowest level first.

    None where every level is small or full, or where the gate refused all that could be done.
    """
    with store.read() as db:
        live = [m for m in modules_of(db, owner, ModuleState.LIVE) if m.base_sha256 == base_sha256]
        refused = {frozenset(job.replaces) for job in db.exec(select(Job).where(Job.owner == owner, Job.state == JobState.REJECTED))}
        for level, group in groupby(sorted(live, key=lambda m: m.level), key=lambda m: m.level):
            found = _fitting(db, owner, list(group), settings.fan_in, settings.module_tokens, refused)
            facts = {fact.id or 0: fact for module in found for fact in facts_of(db, owner, module.id)}
            if facts:
                inside = len(fact_ids_of(db, owner, [m.id for m in found]))
                return Compaction(tuple(m.id for m in found), tuple(facts), inside - len(facts), level + 1)
    return None


def _fitting(
    db: DbSession, owner: str, modules: Sequence[Module], fan_in: int, most: int, refused: Collection[frozenset[str]]
) -> list[Module]:  # fmt: skip
    """The oldest modules of a level that together fill one, where there are more than `fan_in`; at least two, or none.

    Those that were refused together, and some of them alone, are not put together again; others are, with newer ones.
    """
    if len(modules) <= fan_in:
        return []
    sizes = [sum(map(tokens_of, facts_of(db, owner, module.id))) for module in modules]
    for first in range(len(modules) - 1):
        taken, size = [modules[first]], sizes[first]
        for module, more in zip(modules[first + 1 :], sizes[first + 1 :], strict=True):
            if size + more <= most and len(taken) <= fan_in:
                taken.append(module)
                size += more
        if len(taken) > 1 and not any(one.issuperset(m.id for m in taken) for one in refused):
            return taken
    return []


def compact(
    memory: Memory, owner: str, *, recipe: Recipe | None = None, bounds: Thresholds | None = None, stopping: Callable[[], bool] = lambda: False
) -> Outcome:
    """Do the next compaction, or go on with an unfinished job; raises JobBusy while another worker is at it."""
    begun = unfinished(memory.store, owner, memory.base.sha256)
    found = None if begun else due(memory.store, owner, memory.base.sha256, memory.settings)
    if found is None and begun is None:
        return Outcome(Result.NOTHING)
    order = Order(found.facts, found.modules, found.level) if found else Order()
    return consolidate(memory, owner, recipe=recipe, bounds=bounds, stopping=stopping, order=order)


def _tokens(training: Mapping[str, Any]) -> float:
    """Shown in a training; one that was recorded before examples were counted had whole epochs."""
    epochs = training["shown"] / training["examples"] if "shown" in training else training["epochs"]
    return float(training["tokens_per_epoch"] * epochs)


def shape(store: Store, owner: str) -> Shape:
    """How an owner's memory is laid out, and what that has cost."""
    with store.read() as db:
        live = modules_of(db, owner, ModuleState.LIVE)
        engrained = list(db.exec(select(Fact).where(Fact.owner == owner, Fact.state == FactState.ENGRAINED, col(Fact.superseded_by).is_(None))))
        jobs = list(db.exec(select(Job).where(Job.owner == owner, Job.state == JobState.DONE)))
    told = sum(map(tokens_of, engrained))
    trained = sum(_tokens(job.result["training"]) for job in jobs if "training" in job.result)
    kept = {fact.id for fact in engrained}
    written = sum(len(kept & set(job.fact_ids)) for job in jobs)
    levels = {level: len(list(group)) for level, group in groupby(sorted(m.level for m in live))}
    return Shape(levels, len(live), round(trained / told, 1) if told else None, round(written / len(kept), 2) if kept else None)
