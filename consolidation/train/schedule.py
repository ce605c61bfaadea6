"""When a training learns, settles and comes to its end, and how fast meanwhile."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engrain.consolidation.train.recipe import Recipe

_LEFT = 0.25
"""What is left of the learning rate at which settling begins when only what is not known goes on: so much does not undo what is."""


class Schedule:
    """Epochs of learning until the examples are recalled, some of settling for everything, some at the end for what is not known yet."""

    def __init__(self, recipe: Recipe, examples: int) -> None:
        self.recipe = recipe
        self.steps = math.ceil(examples / recipe.batch_size)
        """Of an epoch in which no example rests."""
        self.learning = max(recipe.epochs, math.ceil(recipe.least_steps / self.steps))
        """Epochs at most."""
        self.round = math.ceil(recipe.settle / self.steps)
        """Epochs that it settles for at a time."""
        self.settling = self.round * (recipe.rounds if recipe.refit else 1)
        """Epochs that it settles for at all; fewer where it is calm before."""
        self.finishing = recipe.finish if recipe.settle > 0 and recipe.rest else 0

    def settled(self, recalled: Sequence[float]) -> int | None:
        """Epochs done since the module recalled, or had learnt for as long as it may; None while it still learns.

        `recalled` is the share of examples answered exactly in each epoch until now.
        """
        patience = self.recipe.patience
        for done in range(patience, len(recalled) + 1):
            if done >= self.learning or all(share >= self.recipe.recalled for share in recalled[done - patience : done]):
                return len(recalled) - done
        return 0 if len(recalled) >= self.learning else None

    def goes_on(self, settled: int | None, all_known: bool) -> bool:
        """Whether there is another epoch."""
        return settled is None or settled < self.settling or (settled < self.settling + self.finishing and not all_known)

    def finishes(self, settled: int | None) -> bool:
        """Whether everything has settled, and only what is not known is shown."""
        return settled is not None and settled >= self.settling

    def refit(self, settled: int | None) -> float:
        """Weight on ordinary text with which the update is fitted anew before this epoch; 0 where it is not."""
        if settled is None or self.finishes(settled) or settled % self.round:
            return 0.0
        return self.recipe.refit * 2.0 ** (settled // self.round)

    def settles_again(self, settled: int) -> bool:
        """Whether it would settle once more after so many epochs of it."""
        return 0 < settled < self.settling and settled % self.round == 0

    def rate(self, epochs: float, settled: float | None) -> float:
        """Share of the peak learning rate after so many epochs, of settling too; parts of an epoch count.

        Warm-up, then a cosine; each time it settles, linearly down to a part of what it begins at, and while it finishes from there to nothing.
        """
        if settled is None:
            warm = min(1.0, (epochs * self.steps + 1) / max(1, self.recipe.warmup))
            return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, epochs / (self.learning + 1))))
        if settled < self.settling:
            return self.recipe.settle_rate * (1 - (1 - _LEFT) * (settled % self.round) / self.round)
        return self.recipe.settle_rate * _LEFT * (1 - (settled - self.settling) / self.finishing)
