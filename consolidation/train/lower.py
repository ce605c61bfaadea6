"""What an adapter does not change runs once: the lower layers, and in the adapted ones the prompts.

The lower layers' output is cached and every epoch starts there; of a prompt, on which no adapter acts, the adapted layers'
keys and values are cached as well, so that a step computes the answers alone. With transformers this is `model.model.layers = layers[first:]` fed with `inputs_embeds`. Architectures that do more than
that between embedding and layers (a scale, a mask per layer index) fail the parity check and are trained in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engrain.consolidation.train.pack import Collected, Row, packed
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


def rows_of(base: BaseModel, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], first: int, batch: int = 16) -> list[Row]:
    """What a training at layer `first` needs of each prompt and its answer; the base model's alone, whatever is trained."""
    states = lower_states(base, [[*p, *a] for p, a in zip(prompts, answers, strict=True)], first)
    out: list[Row] = []
    with base.lock, layer_range(base, first), torch.no_grad():
        for at in range(0, len(states), batch):
            some = states[at : at + batch]
            begins = [len(p) - 1 for p in prompts[at : at + batch]]
            padded = nn.utils.rnn.pad_sequence([state[:n] for state, n in zip(some, begins, strict=True)], batch_first=True)
            seen = Collected()
            mask = torch.ones(1, 1, padded.shape[1], padded.shape[1], dtype=torch.bool).tril()
            base.model.model(inputs_embeds=padded, attention_mask=mask.expand(len(some), -1, -1, -1), past_key_values=seen, use_cache=True)
            for i, (state, n) in enumerate(zip(some, begins, strict=True)):
                kept = {layer: (k[i : i + 1, :, :n].clone(), v[i : i + 1, :, :n].clone()) for layer, (k, v) in seen.layers.items()}
                out.append(Row(kept, state[n:-1].clone(), n))
    return out


def has_parity(base: BaseModel, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], shared: int, first: int) -> bool:
    """Whether packed rows, split at layer `first` and behind cached prompts, give what each gives whole; tried on the shortest and the longest.

    `shared` is how many tokens all prompts begin with.
    """
    lengths = [len(p) + len(a) for p, a in zip(prompts, answers, strict=True)]
    tried = [lengths.index(min(lengths)), lengths.index(max(lengths))]
    texts = [[*prompts[i], *answers[i]] for i in tried]
    with base.lock, torch.no_grad():
        whole = [base.model.model(torch.tensor([text]), use_cache=False).last_hidden_state[0] for text in texts]
        try:
            apart = lower_states(base, texts[1:], first)
            rows = rows_of(base, [prompts[i] for i in tried], [answers[i] for i in tried], first)
            with layer_range(base, first):
                split = packed(base.model.model, rows, shared, apart)
        except (RuntimeError, IndexError, KeyError, AttributeError, ValueError, TypeError):
            return False
    answering = [w[row.begins : -1] for w, row in zip(whole, rows, strict=True)]
    pairs = zip([*answering, whole[1]], split, strict=True)
    return all(bool((w - s).abs().max() <= TOLERANCE * w.abs().max()) for w, s in pairs)
