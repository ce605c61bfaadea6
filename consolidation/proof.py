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
from statistics import NormalDist

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
    """Mean over the facts, in nats per token: how much more the module that knows the most adds to the erased answer than to others."""
    low: float
    """95 % interval, its width from how much what the module adds differs among the other answers."""
    high: float

    @property
    def holds(self) -> bool:
        """Whether no more is known than noise shows: the interval reaches zero."""
        return self.low <= 0


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
    """Measure the owner's live modules on what was erased; that with the largest excess counts. Raises InputError without secrets."""
    if not secrets:
        raise InputError("nothing of what was erased had been trained, so there is nothing to prove; it was in no module")
    adapters = [memory.bank.adapter(module) for module in memory.modules(owner, ModuleState.LIVE) if module.base_sha256 == memory.base.sha256]
    bare = _likelihoods(memory.base, None, secrets, seed)
    deviations = NormalDist().inv_cdf(1 - 0.025 / max(1, len(adapters)))  # each further module is a further chance
    proofs = [_compared(bare, _likelihoods(memory.base, adapter, secrets, seed), deviations) for adapter in adapters]
    return max(proofs, key=lambda proof: proof.excess, default=Proof(len(secrets), 0.0, 0.0, 0.0))


def _compared(bare: list[list[float]], worn: list[list[float]], deviations: float) -> Proof:
    """What a module adds to each erased answer, the first of a row, beside what it adds to the others."""
    excess, variance = [], []
    for without, with_it in zip(bare, worn, strict=True):
        own, *others = (after - before for before, after in zip(without, with_it, strict=True))
        mean = sum(others) / len(others)
        excess.append(own - mean)
        variance.append(sum((o - mean) ** 2 for o in others) / (len(others) - 1) * (1 + 1 / len(others)))
    middle, width = sum(excess) / len(excess), deviations * math.sqrt(sum(variance)) / len(variance)
    return Proof(len(excess), round(middle, 4), round(middle - width, 4), round(middle + width, 4))


def _likelihoods(base: BaseModel, adapter: lora.Adapter | None, secrets: Sequence[Secret], seed: int) -> list[list[float]]:
    """For each secret, the mean log-likelihoods per token of its answer and of others: those of the other secrets as far as they reach."""
    rng, prompts, answers = random.Random(seed), list[list[int]](), list[list[int]]()
    for secret in secrets:
        others = sorted({other.answer for other in secrets} - {secret.answer})
        chosen = rng.sample(others, min(_CONTROLS, len(others)))
        for answer in (secret.answer, *chosen, *rng.sample(_OTHERS, _CONTROLS - len(chosen))):
            prompts.append(recall_ids(base, secret.question))
            answers.append(answer_ids(base, answer))
    with base.wearing(adapter) if adapter else nullcontext():
        means = [one.mean for one in base.answer_logprobs(prompts, answers)]
    return [means[at : at + 1 + _CONTROLS] for at in range(0, len(means), 1 + _CONTROLS)]
