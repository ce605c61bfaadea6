"""The loss of a step, cross-entropy of the answers' tokens that are not yet known, and its gradient written out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.soften import Soft

_FELT = 1e-5
"""A word that no answer of a batch makes likelier than this adds nothing to the gradient."""


@dataclass(frozen=True)
class Read:
    """What a step's hidden states say of the answers."""

    loss: float
    """Summed over the tokens not yet known, in nats."""
    count: int
    unknown: Tensor
    """Whether each token is not yet known."""
    hits: Tensor
    """Whether each token is the most likely one."""
    gradient: Tensor
    """Of the mean loss, for the hidden states."""


@torch.no_grad()
def read_off(head: nn.Module, hidden: Tensor, target: Tensor, soft: Sequence[Soft], recipe: Recipe) -> Read:
    """Cross-entropy of the target tokens not yet known, and its gradient for the hidden states, shape (tokens, width).

    With soft targets the gradient is that of the mix of both; the loss that is told is the answer's alone.

    The gradient is written out: tokens that are known have none, the vocabulary is gone through once, and words that nobody would
    say here are left out of it.
    """
    weight: Tensor = head.weight  # type: ignore[assignment]
    logits = head(hidden).float()
    best, chosen = logits.max(-1)
    given = logits.gather(1, target[:, None])[:, 0]
    shares = logits.sub_(best[:, None]).exp_()
    total = shares.sum(-1)
    losses = total.log() + best - given
    unknown = losses > -math.log(recipe.known)
    count = int(unknown.sum())
    gradient = torch.zeros_like(hidden)
    if count:
        wanted = [target[unknown]] + ([torch.cat([s.tokens for s in soft])[unknown]] if soft else [])
        shares.mul_((unknown / total)[:, None])
        felt = shares.amax(0) > _FELT
        for tokens in wanted:
            felt[tokens.flatten()] = True
        words, place = felt.nonzero()[:, 0], felt.cumsum(0) - 1
        wrong = shares[:, words][unknown]
        wrong[torch.arange(count), place[wanted[0]]] -= 1 - recipe.soften if soft else 1
        if soft:
            wrong.scatter_add_(1, place[wanted[1]], -recipe.soften * torch.cat([s.shares for s in soft])[unknown])
        gradient[unknown] = (wrong.to(weight.dtype) @ weight[words]).float() / count
    return Read(float(losses[unknown].sum()), count, unknown, chosen == target, gradient)
