"""The loss of a step, cross-entropy of the answers' tokens that are not yet known, and its gradient written out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engrain.consolidation.train.pack import filled
from engrain.consolidation.train.soften import Soft
from engrain.memory.bank.vocabulary import logits_of

_ROWS = 8
"""Tokens whose words are looked at together, so that they stay in the processor's cache."""
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
    """Whether no token is likelier than each."""
    gradient: Tensor
    """Of the mean loss, for the hidden states."""


@torch.no_grad()
def read_off(weight: Tensor, bias: Tensor | None, hidden: Tensor, target: Tensor, soft: Sequence[Soft], known: float, soften: float) -> Read:
    """Cross-entropy of the target tokens not yet known, and its gradient for the hidden states, shape (tokens, width).

    With soft targets the gradient is that of the mix of both; the loss that is told is the answer's alone.

    The gradient is written out: tokens that are known have none, the vocabulary is gone through once, and words that nobody would
    say here are left out of it.
    """
    logits = logits_of(filled(hidden).to(weight.dtype), weight, None if bias is None else bias.to(weight.dtype))[: len(hidden)]
    given = logits.gather(1, target[:, None])[:, 0].float()
    felt = torch.zeros(logits.shape[1], dtype=torch.bool)
    best, total, losses = (torch.empty_like(given) for _ in range(3))
    limit = -math.log(known)
    for at in range(0, len(logits), _ROWS):
        some = slice(at, at + _ROWS)
        shares = logits[some].to(torch.float32, copy=True)
        torch.amax(shares, -1, out=best[some])
        shares.sub_(best[some, None]).exp_()
        torch.sum(shares, -1, out=total[some])
        losses[some] = total[some].log() + best[some] - given[some]
        felt |= shares.mul_(((losses[some] > limit) / total[some])[:, None]).amax(0) > _FELT
    unknown = losses > limit
    count = int(unknown.sum())
    gradient = torch.zeros_like(hidden)
    if count:
        wanted = [target[unknown]] + ([torch.cat([s.tokens for s in soft])[unknown]] if soft else [])
        for tokens in wanted:
            felt[tokens.flatten()] = True
        words, place = felt.nonzero()[:, 0], felt.cumsum(0) - 1
        wrong = logits[unknown][:, words].float().sub_((losses + given)[unknown, None]).exp_()
        wrong[torch.arange(count), place[wanted[0]]] -= 1 - soften if soft else 1
        if soft:
            wrong.scatter_add_(1, place[wanted[1]], -soften * torch.cat([s.shares for s in soft])[unknown])
        gradient[unknown] = wrong @ weight[words].float() / count
    return Read(float(losses[unknown].sum()), count, unknown, given >= best, gradient)
