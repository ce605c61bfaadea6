"""Many answers in one forward without padding, each behind its own prompt's keys and values.

The answers stand one after the other in one sequence; a block mask lets each see its prompt and itself, and position ids go
on from the prompt. What all prompts begin with is there only once. Texts that have nothing to do with the answers ride along
as blocks of their own. The result equals that of each row alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

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


class Given(Collected):
    """Takes the place of a model's cache that is full already; what is added stands behind it for one forward and is kept apart."""

    def __init__(self, layers: KeysAndValues) -> None:
        super().__init__()
        self.layers = dict(layers)
        self.added: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any) -> tuple[Tensor, Tensor]:
        """As transformers' Cache."""
        past_keys, past_values = (past.expand(len(keys), -1, -1, -1) for past in self.layers[layer])
        self.added[layer] = (keys, values)
        return torch.cat([past_keys, keys], 2), torch.cat([past_values, values], 2)


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
    lengths = torch.tensor([len(part) for part in parts])
    block = torch.repeat_interleave(torch.arange(1, len(parts) + 1), lengths)
    begins = [*(row.begins for row in some), *[0] * len(apart)]
    positions = torch.cat([torch.arange(first, first + len(part)) for first, part in zip(begins, parts, strict=True)])
    before = torch.repeat_interleave(torch.arange(len(some) + 1), torch.tensor([rows.shared, *(row.begins - rows.shared for row in some)]))
    sees_prompt = (block[:, None] == before[None]) | ((block[:, None] <= len(some)) & (before[None] == 0))
    mask = torch.cat([sees_prompt, (block[:, None] == block[None]).tril()], 1)[None, None]
    past = Given({layer: _joined([rows.beginning[layer], *(row.prompt[layer] for row in some)]) for layer in some[0].prompt})
    found = decoder(inputs_embeds=torch.cat(parts)[None], attention_mask=mask, position_ids=positions[None], past_key_values=past, use_cache=True)
    return list(found.last_hidden_state[0].split(lengths.tolist()))


def _joined(pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    return torch.cat([keys for keys, _ in pairs], 2), torch.cat([values for _, values in pairs], 2)
