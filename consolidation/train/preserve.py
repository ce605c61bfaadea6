"""What training must leave alone: the base model's own ordinary text.

Beside every second batch of memories, and beside every one while it settles, the trainer shows the model a stretch of text that the
base model wrote by itself and holds its final hidden states where the base model had them. The text is pseudo-rehearsal (Robins,
"Catastrophic forgetting, rehearsal and pseudorehearsal", 1995): it needs no data, whatever the base. The term is the locality term of
model editing (MEND, arXiv 2110.11309), on states instead of logits because on a CPU the vocabulary projection would cost more than the
layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from engrain.consolidation.train.layers import Layers
from engrain.consolidation.train.linear import rounded_linears, training_dtype
from engrain.consolidation.train.lower import lower_states
from engrain.consolidation.train.pack import Blocks
from engrain.memory.bank.base import BaseModel

_START = "\n"
"""After a line break a model writes prose, lists, code and dialogue, in the shares it was made of."""


def ordinary_text(base: BaseModel, seed: int, rows: int = 48, tokens: int = 48) -> list[list[int]]:
    """Token ids of texts sampled from the bare model at temperature 1; the same seed gives the same texts where products are as exact.

    With half as many rows it depended on which texts they happened to be whether a module did other text 2 % of harm or 3.
    """
    generator = torch.Generator().manual_seed(seed)
    text = step = torch.tensor([base.encode(_START)] * rows)
    cache = None
    with base.lock, base.bare(), torch.inference_mode(), rounded_linears(base, keep=True):
        for _ in range(tokens):
            out = base.model(step, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache, step = out.past_key_values, _sampled(torch.softmax(out.logits[:, -1].float(), -1), generator)
            text = torch.cat([text, step], 1)
    return [[int(token) for token in row] for row in text.tolist()]


def _sampled(shares: Tensor, generator: torch.Generator) -> Tensor:
    """A token of each row by its probability, by inversion; several times faster than `torch.multinomial` on a large vocabulary."""
    reached = shares.cumsum(-1)
    return torch.searchsorted(reached, torch.rand(len(shares), 1, generator=generator) * reached[:, -1:]).clamp(max=shares.shape[1] - 1)


@lru_cache(maxsize=4)
def preserved(base: BaseModel, first: int, seed: int) -> Preserved:
    """What a training with this seed is to leave alone; kept for the next module, because writing it takes as long as some epochs."""
    return Preserved(base, first, seed)


class Preserved:
    """Ordinary text, and where the base model's final hidden states are on it."""

    def __init__(self, base: BaseModel, first: int, seed: int) -> None:
        text = ordinary_text(base, seed)
        with base.lock, base.bare(), rounded_linears(base):
            self.states = torch.stack(lower_states(base, text, first))
        with base.lock:
            self.targets = final_states(Layers(base, first, None, training_dtype()), self.states)

    def turn(self, number: int) -> Ordinary:
        """One of the texts; they take turns."""
        at = slice(number % len(self.states), number % len(self.states) + 1)
        return Ordinary(self.states[at], self.targets[at])

    def drift(self, layers: Layers) -> float:
        """How far these layers are from the base model's on all of them; see `Ordinary.drift`."""
        return Ordinary(self.states, self.targets).drift(final_states(layers, self.states).flatten(0, 1))


def final_states(layers: Layers, states: Tensor, batch: int = 8) -> Tensor:
    """What leaves the layers of texts that enter them so, both of shape (texts, tokens, width)."""
    return torch.cat([layers.forward(Blocks(None, (), some)).view(some.shape) for some in torch.split(states, batch)])


@dataclass(frozen=True)
class Ordinary:
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
