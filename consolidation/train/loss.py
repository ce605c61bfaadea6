"""The loss of a step: cross-entropy of the answers' tokens that are not yet known, and its gradient, over the words in question.

The vocabulary is the largest product of a small model. The first epoch goes through all of it; after that only those words are weighed
that anybody would have said there, and those that were to be said: a few thousand of some fifty thousand. What a module says of all
words is measured by the gate.
"""

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
_HEARD = 1e-4
"""A word that nothing made likelier than this in the first epoch is not in question afterwards."""


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


class Loss:
    """Reads hidden states by the vocabulary projection, whole or narrowed."""

    def __init__(self, vocabulary: int, recipe: Recipe) -> None:
        self.known, self.soften = recipe.known, recipe.soften
        self.heard = torch.zeros(vocabulary, dtype=torch.bool)
        """The words in question."""
        self.weight: Tensor | None = None
        """The projection's rows for them; None where all are, or until they are needed."""
        self.narrowed = False

    def narrow(self) -> None:
        """From now on only the words that were heard are in question."""
        self.narrowed = True

    @torch.no_grad()
    def of(self, head: nn.Module, hidden: Tensor, target: Tensor, soft: Sequence[Soft]) -> Read:
        """Of target tokens, shape (tokens,), read off hidden states of shape (tokens, width).

        With soft targets the gradient is that of the mix of both; the loss that is told is the answer's alone.

        The gradient is written out: tokens that are known have none, the vocabulary is gone through once, and words that nobody would
        say here are left out of it.
        """
        wanted = [target] + ([torch.cat([s.tokens for s in soft])] if soft else [])
        weight: Tensor = head.weight  # type: ignore[assignment]
        if self.narrowed:
            if self.weight is None:
                self.weight = weight[self.heard]
            weight, place = self.weight, self.heard.cumsum(0) - 1
            wanted = [place[tokens] for tokens in wanted]
        logits = nn.functional.linear(hidden.to(weight.dtype), weight).float()
        best, chosen = logits.max(-1)
        given = logits.gather(1, wanted[0][:, None])[:, 0]
        shares = logits.sub_(best[:, None]).exp_()
        total = shares.sum(-1)
        losses = total.log() + best - given
        unknown = losses > -math.log(self.known)
        count = int(unknown.sum())
        if not self.narrowed:
            self.heard |= (shares / total[:, None]).amax(0) > _HEARD
            for tokens in wanted:
                self.heard[tokens.flatten()] = True
        gradient = torch.zeros_like(hidden)
        if count:
            shares.mul_((unknown / total)[:, None])
            felt = shares.amax(0) > _FELT
            for tokens in wanted:
                felt[tokens.flatten()] = True
            words, place = felt.nonzero()[:, 0], felt.cumsum(0) - 1
            wrong = shares[:, words][unknown]
            wrong[torch.arange(count), place[wanted[0][unknown]]] -= 1 - self.soften if soft else 1
            if soft:
                wrong.scatter_add_(1, place[wanted[1][unknown]], -self.soften * torch.cat([s.shares for s in soft])[unknown])
            gradient[unknown] = (wrong.to(weight.dtype) @ weight[words]).float() / count
        return Read(float(losses[unknown].sum()), count, unknown, chosen == wanted[0], gradient)
