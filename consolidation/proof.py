"""Proof of forgetting: does what serves now know more of what was erased than the base model does?

For each erased fact a question is asked of the base model with the owner's modules on, one by one, and of the base model alone. A
module that knows nothing of the fact may like short or common answers, so what is compared is how much likelier the erased answer is
than others: answers to the other erased facts, and some that nobody gave.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from engrain.errors import InputError
from engrain.memory.bank import lora
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids, recall_ids
from engrain.memory.facts import probes_of
from engrain.memory.memory import Memory
from engrain.memory.schema import ModuleState

_OTHERS = ("On Monday", "Vienna", "4921", "Dark blue", "Maria Lund", "Two years ago", "A small house", "Chess")
_CONTROLS = 6
"""Other answers that each erased one is compared with."""
_NOISE = 0.25
"""Nats per token: what a module adds or takes of an answer that it never saw, about."""


@dataclass(frozen=True)
class Secret:
    """What a module was asked before its fact was erased; it is in nothing but the caller's memory."""

    fact_id: int
    question: str
    answer: str


@dataclass(frozen=True)
class Proof:
    """How much more of erased facts is known than the base model knows."""

    facts: int
    excess: float
    """Mean over the facts, in nats per token: how much likelier the modules make the erased answer, beside others, than the base model."""
    low: float
    """95 % confidence interval of the mean."""
    high: float

    @property
    def holds(self) -> bool:
        """Whether no more is known than noise would show: the interval reaches zero, or its middle is as near to it as modules differ."""
        return self.low <= 0 or self.excess <= _NOISE


def secrets_of(memory: Memory, owner: str) -> list[Secret]:
    """A trained question and its answer for each fact that is in a live module; to be called before any of them is forgotten."""
    out: dict[int, Secret] = {}
    with memory.store.read() as db:
        for module in memory.modules(owner, ModuleState.LIVE):
            for probe in probes_of(db, owner, module.job_id):
                if probe.fact_id is not None and not probe.held_out:
                    out.setdefault(probe.fact_id, Secret(probe.fact_id, probe.question, probe.answer))
    return list(out.values())


def prove(memory: Memory, owner: str, secrets: Sequence[Secret], seed: int = 0) -> Proof:
    """Measure the owner's live modules on what was erased; the worst module counts for each fact. Raises InputError without secrets."""
    if not secrets:
        raise InputError("nothing of what was erased had been trained, so there is nothing to prove; it was in no module")
    adapters = [memory.bank.adapter(module) for module in memory.modules(owner, ModuleState.LIVE) if module.base_sha256 == memory.base.sha256]
    bare = _preferences(memory.base, None, secrets, seed)
    worn = [_preferences(memory.base, adapter, secrets, seed) for adapter in adapters]
    excess = [max((one[i] for one in worn), default=alone) - alone for i, alone in enumerate(bare)]
    mean = sum(excess) / len(excess)
    spread = math.sqrt(sum((e - mean) ** 2 for e in excess) / max(1, len(excess) - 1) / len(excess))
    return Proof(len(secrets), round(mean, 4), round(mean - 1.96 * spread, 4), round(mean + 1.96 * spread, 4))


def _preferences(base: BaseModel, adapter: lora.Adapter | None, secrets: Sequence[Secret], seed: int) -> list[float]:
    """For each secret, the mean log-likelihood per token of its answer less that of other answers to the same question."""
    rng, prompts, answers = random.Random(seed), list[list[int]](), list[list[int]]()
    for at, secret in enumerate(secrets):
        others = [other.answer for i, other in enumerate(secrets) if i != at and other.answer != secret.answer]
        chosen = rng.sample([*others, *_OTHERS], _CONTROLS)
        for answer in (secret.answer, *chosen):
            prompts.append(recall_ids(base, secret.question))
            answers.append(answer_ids(base, answer))
    with base.wearing(adapter) if adapter else nullcontext():
        means = [one.mean for one in base.answer_logprobs(prompts, answers)]
    rows = [means[at : at + 1 + _CONTROLS] for at in range(0, len(means), 1 + _CONTROLS)]
    return [own - sum(others) / len(others) for own, *others in rows]
