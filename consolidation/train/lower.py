"""What an adapter does not change runs once: the lower layers, and in the adapted ones the prompts.

The lower layers' output is cached and every epoch starts there; of a prompt, on which no adapter acts, the adapted layers'
keys and values are cached as well, so that a step computes the answers alone. With transformers this is `model.model.layers`
cut short, and fed with `inputs_embeds` for the upper part. Architectures that do more than that between embedding and layers (a scale,
a mask per layer index), or whose layers are built otherwise than Llama's, fail the parity check and are trained in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from engrain.consolidation.train.layers import Layers
from engrain.consolidation.train.pack import Blocks, Rows, common_beginning
from engrain.memory.bank.base import BaseModel

TOLERANCE = 1e-3
"""Largest difference of final hidden states, relative to their largest value, that counts as parity."""


class Collected:
    """Takes the place of a model's cache and keeps what it is given: the keys and values of a forward."""

    def __init__(self) -> None:
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any) -> tuple[Tensor, Tensor]:
        """As transformers' Cache."""
        self.layers[layer] = (keys, values)
        return keys, values

    def get_seq_length(self, *_: Any) -> int:
        """As transformers' Cache: positions and mask are given, nothing is to be counted."""
        return 0


class Behind(Collected):
    """Takes the place of a model's cache that is full already; what is added stands behind it for one forward and is kept apart."""

    def __init__(self, layers: Mapping[int, tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.layers = dict(layers)
        self.added: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any) -> tuple[Tensor, Tensor]:
        """As transformers' Cache."""
        past_keys, past_values = (past.expand(len(keys), -1, -1, -1) for past in self.layers[layer])
        self.added[layer] = (keys, values)
        return torch.cat([past_keys, keys], 2), torch.cat([past_values, values], 2)


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


def lower_states(base: BaseModel, rows: Sequence[Sequence[int]], first: int, batch: int = 64) -> list[Tensor]:
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


def rows_of(
    base: BaseModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    first: int,
    dtype: torch.dtype = torch.float32,
    batch: int = 64,
) -> Rows:
    """What a training at layer `first` needs of each prompt and its answer; the base model's alone, whatever is trained.

    Keys and values, which there are many of, are kept in `dtype`.
    """
    shared = common_beginning(prompts)
    texts = [[*p, *a][shared:] for p, a in zip(prompts, answers, strict=True)]
    own = [len(p) - 1 - shared for p in prompts]
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), own[i]))
    decoder, own_tokens = base.model.model, dict[int, dict[int, Tensor]]()
    entering: list[Tensor] = [torch.empty(0)] * len(texts)
    with base.lock, torch.no_grad():
        seen = Collected()
        beginning = torch.tensor([list(prompts[0][:shared])])
        decoder(beginning, attention_mask=_causal(1, shared, 0), past_key_values=seen, use_cache=True)
        for begin in range(0, len(order), batch):
            some = order[begin : begin + batch]
            width, longest = max(len(texts[i]) for i in some), max(own[i] for i in some)
            ids = torch.tensor([[*texts[i], *[0] * (width - len(texts[i]))] for i in some])
            with layer_range(base, 0, first, norm=False):
                states = decoder(ids, **_behind(seen.layers, shared, len(some), width)).last_hidden_state
            where = _behind(seen.layers, shared, len(some), longest)
            with layer_range(base, first):
                decoder(inputs_embeds=states[:, :longest], **where)
            for layer, added in where["past_key_values"].added.items():
                for i, keys, values in zip(some, *added, strict=True):
                    own_tokens.setdefault(layer, {})[i] = torch.cat([keys[:, : own[i]], values[:, : own[i]]]).to(dtype)
            for at, i in enumerate(some):
                entering[i] = states[at, own[i] : len(texts[i]) - 1].clone()
    joined = {}
    for layer in list(own_tokens):
        of = own_tokens.pop(layer)
        joined[layer] = torch.cat([torch.cat(seen.layers[layer], 1)[0].to(dtype), *(of[i] for i in range(len(texts)))], 1)
    return Rows(joined, entering, [shared + length for length in own], shared)


def _behind(beginning: Mapping[int, tuple[Tensor, Tensor]], shared: int, rows: int, width: int) -> dict[str, Any]:
    """How to run rows of so many tokens behind their common beginning."""
    positions = torch.arange(shared, shared + width)[None]
    return {"attention_mask": _causal(rows, width, shared), "position_ids": positions, "past_key_values": Behind(beginning), "use_cache": True}


def _causal(rows: int, width: int, before: int) -> Tensor:
    """Each position sees what stands before the row, itself and what is to its left."""
    return torch.ones(width, before + width, dtype=torch.bool).tril(before).expand(rows, 1, -1, -1)


def has_parity(base: BaseModel, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], first: int) -> bool:
    """Whether the layers from `first` on as they are written out, behind cached prompts, give what the model gives; tried on the shortest and
    the longest."""
    lengths = [len(p) + len(a) for p, a in zip(prompts, answers, strict=True)]
    tried = [lengths.index(min(lengths)), lengths.index(max(lengths))]
    if not common_beginning(prompts):
        return False
    texts = [[*prompts[i], *answers[i]] for i in tried]
    with base.lock, torch.no_grad():
        whole = [base.model.model(torch.tensor([text]), use_cache=False).last_hidden_state[0] for text in texts]
        try:
            apart = lower_states(base, texts[1:], first)[0]
            rows = rows_of(base, [prompts[i] for i in tried], [answers[i] for i in tried], first)
            blocks = Blocks(rows, [0, 1], apart[None])
            found = Layers(base, first, None, torch.float32).forward(blocks)
        except (RuntimeError, IndexError, KeyError, AttributeError, ValueError, TypeError):
            return False
    wanted = torch.cat([*(w[begin:-1] for w, begin in zip(whole, rows.begins, strict=True)), whole[1]])
    return bool((wanted - found).abs().max() <= TOLERANCE * wanted.abs().max())
