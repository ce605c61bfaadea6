"""Many short rows in one forward without padding, and what they all begin with only once.

Every recall prompt begins with the same tokens. They enter the sequence once, the rows stand behind them one after the
other, and a block mask lets each row see the beginning and itself; position ids continue from the beginning. Texts that have
nothing to do with the rows ride along as blocks of their own. The result equals that of each row alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def common_beginning(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with, the last token of the shortest left out."""
    length = min(map(len, rows)) - 1
    return next((at for at in range(length) if len({row[at] for row in rows}) > 1), length)


def packed(decoder: Any, beginning: Tensor, rows: Sequence[Tensor], apart: Sequence[Tensor] = ()) -> list[Tensor]:
    """Final hidden states of each row and each text apart, one tensor of shape (tokens, width) each.

    `beginning` (tokens, width) is what all rows begin with, left out of them; texts apart do not see it.
    """
    parts = [beginning, *rows, *apart]
    lengths = [len(part) for part in parts]
    block = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor(lengths))
    begins = [0, *[len(beginning)] * len(rows), *[0] * len(apart)]
    positions = torch.cat([torch.arange(first, first + length) for first, length in zip(begins, lengths, strict=True)])
    sees = (block[:, None] == block[None]) | ((block[:, None] <= len(rows)) & (block[None] == 0))
    mask = sees.tril()[None, None]
    states = torch.cat(parts)[None]
    hidden = decoder(inputs_embeds=states, attention_mask=mask, position_ids=positions[None], use_cache=False).last_hidden_state[0]
    return list(hidden.split(lengths)[1:])
