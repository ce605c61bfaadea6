"""Many answers in one forward without padding, each behind its own prompt's keys and values.

The answers stand one after the other in one sequence, as blocks that attend each by itself to their prompt and themselves;
position ids go on from the prompt. What all prompts begin with is there only once. Texts that have nothing to do with the
answers ride along as blocks of their own. The result equals that of each row alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence
from transformers import AttentionInterface

KeysAndValues = Mapping[int, tuple[Tensor, Tensor]]
"""Of each layer, shape (1, heads, tokens, width) each; the keys with their positions in them."""


@dataclass(frozen=True)
class Row:
    """An answer and the prompt that it stands behind."""

    prompt: KeysAndValues
    """Of the prompt's own tokens: behind the common beginning, before the last one."""
    states: Tensor
    """What enters the adapted layers from the prompt's last token to the answer's last but one, shape (tokens, width)."""
    begins: int
    """Position of the first of these: the prompt's tokens but one."""


@dataclass(frozen=True)
class Rows:
    """The rows of a training and what all their prompts begin with."""

    beginning: KeysAndValues
    shared: int
    """Tokens of the beginning."""
    rows: Sequence[Row]


def common_beginning(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with, the last two tokens of the shortest left out."""
    length = max(0, min(map(len, rows)) - 2)
    return next((at for at in range(length) if len({row[at] for row in rows}) > 1), length)


def packed(decoder: Any, rows: Rows, chosen: Sequence[int], apart: Sequence[Tensor] = ()) -> list[Tensor]:
    """Final hidden states of the chosen rows' states and of each text apart, one tensor of shape (tokens, width) each.

    Texts apart, of shape (tokens, width), see nothing of the rows.
    """
    some = [rows.rows[i] for i in chosen]
    parts = [*(row.states for row in some), *apart]
    lengths = [len(part) for part in parts]
    begins = [*(row.begins for row in some), *[0] * len(apart)]
    positions = torch.cat([torch.arange(first, first + length) for first, length in zip(begins, lengths, strict=True)])
    blocks = _Blocks(rows, some, lengths)
    with _attending(decoder.config):
        found = decoder(inputs_embeds=torch.cat(parts)[None], position_ids=positions[None], use_cache=False, blocks=blocks)
    return list(torch.split(found.last_hidden_state[0], lengths))


class _Blocks:
    """Who sees what in a packed sequence: a row the beginning, its prompt and itself, a text apart itself alone."""

    def __init__(self, rows: Rows, some: Sequence[Row], lengths: list[int]) -> None:
        self.rows, self.some = rows, some
        sizes, self.apart = torch.tensor(lengths[: len(some)]), lengths[len(some) :]
        prompts = torch.tensor([row.begins - rows.shared for row in some])
        longest, width = int(prompts.max()), int(sizes.max())
        self.width = width
        place = torch.arange(width)
        begins = sizes.cumsum(0) - sizes
        self.fold = (begins[:, None] + torch.minimum(place, sizes[:, None] - 1)).flatten()
        """The token of the sequence at each place of rows made equally long, shape (rows · width); what a row lacks is its last token again."""
        self.unfold = (place < sizes[:, None]).flatten().nonzero()[:, 0]
        told = torch.arange(longest) < prompts[:, None]
        seen = [torch.ones(len(some), width, rows.shared, dtype=torch.bool), told[:, None].expand(-1, width, -1)]
        self.mask = torch.cat([*seen, torch.ones(len(some), width, width, dtype=torch.bool).tril()], 2)[:, None]
        """Shape (rows, 1, width, beginning + prompt + width)."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """What each token finds: query, key and value (1, heads, tokens, width) to (1, tokens, heads, width)."""
        beginning, own = self.rows.beginning[layer], zip(*(row.prompt[layer] for row in self.some), strict=True)
        past = [torch.cat([b.expand(len(self.some), -1, -1, -1), _padded(p)], 2) for b, p in zip(beginning, own, strict=True)]
        asking, keys, values = (self._rows(x) for x in (query, key, value))
        keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
        found = scaled_dot_product_attention(asking, keys, values, self.mask, scale=scale, enable_gqa=True)
        out = [found.transpose(1, 2).flatten(0, 1)[self.unfold]]
        rest = query.shape[2] - sum(self.apart)
        for q, k, v in zip(*(torch.split(x[:, :, rest:], self.apart, 2) for x in (query, key, value)), strict=True):
            out.append(scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=True)[0].transpose(0, 1))
        return torch.cat(out)[None]

    def _rows(self, x: Tensor) -> Tensor:
        """Of tokens, (1, heads, tokens, width), the rows', (rows, heads, row's width, width)."""
        return x[0].index_select(1, self.fold).view(-1, len(self.some), self.width, x.shape[3]).transpose(0, 1)


def _padded(parts: Sequence[Tensor]) -> Tensor:
    """Tensors of shape (1, heads, tokens, width) as one of as many tokens as the longest has."""
    return pad_sequence([part[0].transpose(0, 1) for part in parts], batch_first=True).transpose(1, 2)


def _by_blocks(module: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any, scaling: float, blocks: _Blocks, **__: Any) -> tuple[Tensor, None]:
    """Attention as transformers wants it."""
    return blocks.attend(module.layer_idx, query, key, value, scaling), None


AttentionInterface.register("blocks", _by_blocks)


@contextmanager
def _attending(config: Any) -> Iterator[None]:
    """Inside, a decoder with this configuration attends by the blocks that it is given."""
    before = config._attn_implementation
    config._attn_implementation = "blocks"
    try:
        yield
    finally:
        config._attn_implementation = before
