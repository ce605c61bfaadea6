"""The frozen lower layers run once: their output is cached, and every epoch starts there.

With transformers this is `model.model.layers = layers[first:]` fed with `inputs_embeds`. Architectures that do more than
that between embedding and layers (a scale, a mask per layer index) fail the parity check and are trained in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engrain.memory.bank.base import BaseModel

TOLERANCE = 1e-3
"""Largest difference of final hidden states, relative to their largest value, that counts as parity."""


@contextmanager
def layer_range(base: BaseModel, first: int, last: int | None = None, *, norm: bool = True) -> Iterator[None]:
    """Inside, the decoder is only its layers first..last, without the final norm where `norm` is False."""
    decoder = base.model.model
    layers, final = decoder.layers, decoder.norm
    decoder.layers = layers[first:last]
    if not norm:
        decoder.norm = nn.Identity()
    try:
        yield
    finally:
        decoder.layers, decoder.norm = layers, final


def lower_states(base: BaseModel, rows: Sequence[Sequence[int]], first: int, batch: int = 16) -> list[Tensor]:
    """What enters layer `first` for each row of token ids: tensors of shape (tokens, width)."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    states: list[Tensor | None] = [None] * len(rows)
    with base.lock, layer_range(base, 0, first, norm=False), torch.no_grad():
        for at in range(0, len(order), batch):
            some = order[at : at + batch]
            width = max(len(rows[i]) for i in some)
            ids = torch.tensor([[*rows[i], *[0] * (width - len(rows[i]))] for i in some])
            hidden = base.model.model(ids, use_cache=False).last_hidden_state
            for row, i in enumerate(some):
                states[i] = hidden[row, : len(rows[i])].clone()
    return [s for s in states if s is not None]


def has_parity(base: BaseModel, ids: Sequence[int], first: int) -> bool:
    """Whether the split forward gives what the whole one gives."""
    with base.lock, torch.no_grad():
        whole = base.model.model(torch.tensor([list(ids)]), use_cache=False).last_hidden_state
        try:
            state = lower_states(base, [ids], first)[0]
            with layer_range(base, first):
                split = base.model.model(inputs_embeds=state[None], use_cache=False).last_hidden_state
        except (RuntimeError, IndexError, KeyError, AttributeError):
            return False
    return bool((whole - split).abs().max() <= TOLERANCE * whole.abs().max())
