"""Migration: every module distilled and trained anew for another base model, from the facts.

The old modules serve on their own base model until they are retired; what was done is not done again.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import select

from engrain.consolidation.job import Outcome, Result, consolidate
from engrain.consolidation.jobs import Order, unfinished
from engrain.memory.facts import facts_of, freshen, try_again
from engrain.memory.memory import Memory
from engrain.memory.modules import changed, modules_of
from engrain.memory.schema import Job, JobState, ModuleState
from engrain.memory.store import Store


def waiting(store: Store, owner: str, base_sha256: str) -> list[Order]:
    """What is still to be done for a base model: the live facts of each older module that no module on this base holds yet.

    What the gate refused on this base is left out; its facts are read as text until they are engrained anew.
    """
    with store.read() as db:
        live = modules_of(db, owner, ModuleState.LIVE)
        here = {fact.id for module in live if module.base_sha256 == base_sha256 for fact in facts_of(db, owner, module.id)}
        rejected = db.exec(select(Job).where(Job.owner == owner, Job.state == JobState.REJECTED, Job.base_sha256 == base_sha256))
        refused = {tuple(job.fact_ids) for job in rejected}
        orders = []
        for module in live:
            facts = tuple(f.id for f in facts_of(db, owner, module.id) if f.id is not None and f.id not in here)
            if module.base_sha256 != base_sha256 and facts and facts not in refused:
                here |= set(facts)
                orders.append(Order(facts, level=module.level))
    return orders


def migrate(memory: Memory, owner: str, *, stopping: Callable[[], bool] = lambda: False) -> Outcome:
    """Make the next module on the memory's base model, or go on with an unfinished one; raises JobBusy while another worker is at it."""
    begun = unfinished(memory.store, owner, memory.base.sha256)
    orders = waiting(memory.store, owner, memory.base.sha256)
    if not orders and begun is None:
        return Outcome(Result.NOTHING)
    return consolidate(memory, owner, stopping=stopping, order=orders[0] if orders else Order())


def retire_others(store: Store, owner: str, base_sha256: str, name: str) -> int:
    """Let the modules of other base models stop serving; returns how many. Facts that are in none then are fresh again."""
    with store.write() as db:
        others = [m for m in modules_of(db, owner, ModuleState.LIVE) if m.base_sha256 != base_sha256]
        for module in others:
            module.state, module.reason = ModuleState.RETIRED, f"migrated to {name}"
            db.add(module)
        db.flush()
        freshen(db, owner)
        try_again(db, owner)  # what the other base model's gate refused
        changed(db, owner)
    return len(others)
