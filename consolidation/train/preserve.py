"""What training must leave alone: where the base model is on ordinary text.

Beside every second batch of memories, and beside every one while it settles, the trainer shows the model a stretch of ordinary text and
holds its final hidden states where the base model had them. The term is the locality term of model editing (MEND, arXiv 2110.11309), on
states instead of logits because on a CPU the vocabulary projection would cost more than the layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from engrain.consolidation.train.layers import Layers
from engrain.consolidation.train.ordinary import ordinary_text
from engrain.consolidation.train.pack import Blocks
from engrain.memory.bank.base import BaseModel


@lru_cache(maxsize=4)
def preserved(base: BaseModel, first: int) -> Preserved:
    """What trainings of the layers from `first` on are to leave alone; the same for one module after the other."""
    return Preserved(base, first)


class Preserved:
    """Ordinary text, and where the base model's final hidden states are on some of it."""

    def __init__(self, base: BaseModel, first: int) -> None:
        self.ordinary = ordinary_text(base, first)
        self.states, self.targets = self.ordinary.states, self.ordinary.targets

    def turn(self, number: int) -> Shown:
        """One of the texts; they take turns."""
        at = slice(number % len(self.states), number % len(self.states) + 1)
        return Shown(self.states[at], self.targets[at])

    def drift(self, layers: Layers) -> float:
        """How far these layers are from the base model's on all that is shown; see `Shown.drift`."""
        return Shown(self.states, self.targets).drift(final_states(layers, self.states).flatten(0, 1))


def final_states(layers: Layers, states: Tensor, batch: int = 8) -> Tensor:
    """What leaves the layers of texts that enter them so, both of shape (texts, tokens, width)."""
    return torch.cat([layers.forward(Blocks(None, (), some)).view(some.shape) for some in torch.split(states, batch)])


@dataclass(frozen=True)
class Shown:
    """Texts that are to be left alone."""

    states: Tensor
    """What enters the adapted layers, shape (texts, tokens, width)."""
    targets: Tensor
    """The base model's final hidden states, of the same shape."""

    def drift(self, hidden: Tensor) -> float:
        """Mean squared distance of final states, (tokens, width), from the base model's, relative to their size."""
        return float(((hidden - self._there()).square().sum(-1) / self._sizes()).mean())

    def gradient(self, hidden: Tensor) -> Tensor:
        """That of the drift, for the states."""
        return (hidden - self._there()) * (2 / len(hidden) / self._sizes()[:, None])

    def _there(self) -> Tensor:
        return self.targets.flatten(0, 1)

    def _sizes(self) -> Tensor:
        return self._there().square().sum(-1)
