"""What training must leave alone: the base model's own ordinary text.

Beside every few batches of memories the trainer shows the model a stretch of text that the base model wrote by itself and
holds its final hidden states where the base model had them. The text is pseudo-rehearsal (Robins, "Catastrophic forgetting,
rehearsal and pseudorehearsal", 1995): it needs no data, whatever the base. The term is the locality term of model editing
(MEND, arXiv 2110.11309), on states instead of logits because on a CPU the vocabulary projection would cost more than the
layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from engrain.consolidation.train.linear import rounded_linears, training_linears
from engrain.consolidation.train.lower import final_states, layer_range, lower_states
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
    with base.lock, base.bare(), torch.inference_mode(), training_linears(base, 0):
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
        self.first = first
        text = ordinary_text(base, seed)
        with base.lock, base.bare(), rounded_linears(base):
            self.states = torch.stack(lower_states(base, text, first))
            self.targets = self._read(base)

    def turn(self, number: int) -> Ordinary:
        """One of the texts; they take turns."""
        at = number % len(self.states)
        return Ordinary(self.states[at], self.targets[at])

    def drift(self, base: BaseModel) -> float:
        """How far the model, as it is now, is from the base model on all of them; see `Ordinary.drift`."""
        return float(Ordinary(self.states, self.targets).drift(self._read(base)))

    @torch.no_grad()
    def _read(self, base: BaseModel) -> Tensor:
        with layer_range(base, self.first):
            return final_states(base, self.states)


@dataclass(frozen=True)
class Ordinary:
    """A text that is to be left alone."""

    states: Tensor
    """What enters the adapted layers, shape (…, tokens, width)."""
    target: Tensor
    """The base model's final hidden states, shape (…, tokens, width)."""

    def drift(self, hidden: Tensor) -> Tensor:
        """Mean squared distance of final states from the base model's, relative to their size."""
        drift: Tensor = ((hidden - self.target).square().sum(-1) / self.target.square().sum(-1)).mean()
        return drift
