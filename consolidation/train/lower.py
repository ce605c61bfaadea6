"""The frozen lower layers run once: their output is cached, and every epoch starts there.

With transformers this is `model.model.layers = layers[first:]` fed with `inputs_embeds`. Architectures that do more than
that between embedding and layers (a scale, a mask per layer index) fail the parity check and are trained in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engrain.consolidation.train.pack import packed
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


def has_parity(base: BaseModel, rows: Sequence[Sequence[int]], shared: int, first: int) -> bool:
    """Whether the packed rows, split at layer `first`, give what each gives whole; tried on the shortest and the longest.

    `shared` is how many tokens all rows begin with.
    """
    tried = [min(rows, key=len), max(rows, key=len)]
    with base.lock, torch.no_grad():
        whole = [base.model.model(torch.tensor([list(row)]), use_cache=False).last_hidden_state[0, shared:] for row in tried]
        try:
            states = lower_states(base, tried, first)
            with layer_range(base, first):
                split = packed(base.model.model, states[0][:shared], [s[shared:] for s in states], [states[1]])
        except (RuntimeError, IndexError, KeyError, AttributeError, ValueError):
            return False
    apart = split.pop()[shared:]
    pairs = zip([*whole, whole[1]], [*split, apart], strict=True)
    return all(bool((w - s).abs().max() <= TOLERANCE * w.abs().max()) for w, s in pairs)
