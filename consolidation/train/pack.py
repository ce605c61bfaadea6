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

KeysAndValues = Mapping[int, tuple[Tensor, Tensor]]
"""Of each layer, shape (rows, heads, tokens, width) each; the keys with their positions in them."""


@dataclass(frozen=True)
class Rows:
    """The rows of a training: answers and the prompts that they stand behind."""

    beginning: KeysAndValues
    """What all prompts begin with, one row."""
    prompts: KeysAndValues
    """Of all prompts' own tokens, behind the beginning and before the last one, one prompt behind the other in one row."""
    states: Sequence[Tensor]
    """What enters the adapted layers from a prompt's last token to the answer's last but one, shape (tokens, width)."""
    begins: Sequence[int]
    """Position of the first of these: the prompt's tokens but one."""
    shared: int
    """Tokens of the beginning."""


def common_beginning(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with, the last two tokens of the shortest left out."""
    length = max(0, min(map(len, rows)) - 2)
    return next((at for at in range(length) if len({row[at] for row in rows}) > 1), length)


def packed(decoder: Any, rows: Rows, chosen: Sequence[int], apart: Sequence[Tensor] = ()) -> list[Tensor]:
    """Final hidden states of the chosen rows' states and of each text apart, one tensor of shape (tokens, width) each.

    Texts apart, of shape (tokens, width), see nothing of the rows.
    """
    parts = [*(rows.states[i] for i in chosen), *apart]
    lengths = [len(part) for part in parts]
    begins = [*(rows.begins[i] for i in chosen), *[0] * len(apart)]
    positions = torch.cat([torch.arange(first, first + length) for first, length in zip(begins, lengths, strict=True)])
    blocks = _Blocks(rows, chosen, lengths)
    with _attending(decoder.config):
        found = decoder(inputs_embeds=torch.cat(parts)[None], position_ids=positions[None], use_cache=False, blocks=blocks)
    return list(torch.split(found.last_hidden_state[0], lengths))


class _Blocks:
    """Who sees what in a packed sequence: a row the beginning, its prompt and itself, a text apart itself alone."""

    def __init__(self, rows: Rows, chosen: Sequence[int], lengths: list[int]) -> None:
        self.rows, self.count = rows, len(chosen)
        sizes, self.apart = torch.tensor(lengths[: self.count]), lengths[self.count :]
        own = torch.tensor([begin - rows.shared for begin in rows.begins])
        prompts, before = own[list(chosen)], (own.cumsum(0) - own)[list(chosen)]
        self.longest, self.width = int(prompts.max()), int(sizes.max())
        told = torch.arange(self.longest) < prompts[:, None]
        self.told = (before[:, None] + torch.minimum(torch.arange(self.longest), prompts[:, None] - 1)).flatten()
        """The token of all prompts at each place of prompts made equally long, shape (rows · longest)."""
        place = torch.arange(self.width)
        begins = sizes.cumsum(0) - sizes
        self.fold = (begins[:, None] + torch.minimum(place, sizes[:, None] - 1)).flatten()
        """The token of the sequence at each place of rows made equally long, shape (rows · width); what a row lacks is its last token again."""
        self.unfold = (place < sizes[:, None]).flatten().nonzero()[:, 0]
        seen = [torch.ones(self.count, self.width, rows.shared, dtype=torch.bool), told[:, None].expand(-1, self.width, -1)]
        self.mask = torch.cat([*seen, torch.ones(self.count, self.width, self.width, dtype=torch.bool).tril()], 2)[:, None]
        """Shape (rows, 1, width, beginning + prompt + width)."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """What each token finds: query, key and value (1, heads, tokens, width) to (1, tokens, heads, width)."""
        both = zip(self.rows.beginning[layer], self.rows.prompts[layer], strict=True)
        past = [[b.expand(self.count, -1, -1, -1), self._rows(p, self.told)] for b, p in both]
        asking, keys, values = (self._rows(x, self.fold) for x in (query, key, value))
        keys, values = torch.cat([*past[0], keys], 2), torch.cat([*past[1], values], 2)
        found = scaled_dot_product_attention(asking, keys, values, self.mask, scale=scale, enable_gqa=True)
        out = [found.transpose(1, 2).flatten(0, 1)[self.unfold]]
        rest = query.shape[2] - sum(self.apart)
        for q, k, v in zip(*(torch.split(x[:, :, rest:], self.apart, 2) for x in (query, key, value)), strict=True):
            out.append(scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=True)[0].transpose(0, 1))
        return torch.cat(out)[None]

    def _rows(self, x: Tensor, places: Tensor) -> Tensor:
        """Of the tokens of one row, (1, heads, tokens, width), those at these places as equally long rows, (rows, heads, tokens, width)."""
        return x[0].index_select(1, places).view(x.shape[1], self.count, -1, x.shape[3]).transpose(0, 1)


def _by_blocks(module: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any, scaling: float, blocks: _Blocks, **__: Any) -> tuple[Tensor, None]:
    """Attention as transformers wants it."""
    return blocks.attend(module.layer_idx, query, key, value, scaling), None


@contextmanager
def _attending(config: Any) -> Iterator[None]:
    """Inside, a decoder with this configuration attends by the blocks that it is given."""
    from transformers import AttentionInterface

    AttentionInterface.register("blocks", _by_blocks)
    before = config._attn_implementation
    config._attn_implementation = "blocks"
    try:
        yield
    finally:
        config._attn_implementation = before
