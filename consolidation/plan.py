"""Plan: which fresh facts go into the next module."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

from engrain.memory.facts import live_facts
from engrain.memory.schema import Fact, FactState, Trust
from engrain.memory.store import Store
from engrain.settings import Settings


@dataclass(frozen=True)
class Plan:
    """The facts of one module; their ids are what the job keeps."""

    facts: tuple[Fact, ...]

    @property
    def fact_ids(self) -> list[int]:
        return [fact.id for fact in self.facts if fact.id is not None]


@dataclass(frozen=True)
class Backlog:
    """What waits to be engrained."""

    facts: int
    tokens: int
    """As `tokens_of` estimates them."""
    stuck: int
    """Fresh facts that were in too many rejected modules, or jobs that failed, to be tried again."""


def backlog(store: Store, owner: str, settings: Settings) -> Backlog:
    """The owner's fresh facts."""
    fresh, stuck = _fresh(store, owner, settings)
    return Backlog(len(fresh), sum(map(tokens_of, fresh)), stuck)


def plan(store: Store, owner: str, settings: Settings) -> Plan:
    """The next module's facts: neighbours in time, as many as fit, the backlog shared evenly among the modules it needs.

    What fits is bounded in facts and in tokens (`engrain bench capacity`). Facts that a gate refused are tried again in half
    the company.
    """
    fresh, _ = _fresh(store, owner, settings)
    if not fresh:
        return Plan(())
    again = [f for f in fresh if f.rejections]
    if again:
        most = max(1, math.ceil(settings.facts_per_module / 2 ** max(f.rejections for f in again)))
        return Plan(tuple(again[:most]))
    sizes = list(accumulate(tokens_of(f) for f in fresh))
    modules = max(math.ceil(len(fresh) / settings.facts_per_module), math.ceil(sizes[-1] / settings.module_tokens))
    fitting = sum(size <= settings.module_tokens for size in sizes)
    return Plan(tuple(fresh[: max(1, min(fitting, math.ceil(len(fresh) / modules)))]))


def tokens_of(fact: Fact) -> int:
    """A fact's tokens at four characters each: no model is loaded to look at a backlog."""
    return math.ceil(len(fact.text) / 4)


def _fresh(store: Store, owner: str, settings: Settings) -> tuple[list[Fact], int]:
    """(facts to engrain, how many are stuck); only what people said is ever trained."""
    with store.read() as db:
        fresh = [f for f in live_facts(db, owner, FactState.FRESH) if f.trust is Trust.USER]
    ready = [f for f in fresh if f.rejections < settings.attempts]
    return ready, len(fresh) - len(ready)
