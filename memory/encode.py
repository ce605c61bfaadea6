"""One question's vector, quickly: BERT's forward (Devlin et al., arXiv 1810.04805) for a single text, without padding or masks.

A router asks for it before every recall, and the library's forward spends most of its time on fetching weights in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize, scaled_dot_product_attention

from engrain.memory.halved import Halved

TOLERANCE = 2e-3
"""Largest difference of a unit vector's numbers from what the model's own forward gives that counts as parity."""


class Encoder:
    """A BERT-like model's weights as one text needs them, rounded to float16.

    Raises AttributeError or TypeError for a model that is built otherwise, RuntimeError where the processor cannot.
    """

    def __init__(self, model: Any) -> None:
        parts = model.embeddings
        self.words, self.norm = parts.word_embeddings.weight.detach(), parts.LayerNorm
        self.places = (parts.position_embeddings.weight + parts.token_type_embeddings.weight[0]).detach()
        self.layers = [_Layer(layer) for layer in model.encoder.layer]

    @torch.inference_mode()
    def __call__(self, ids: Sequence[int]) -> Tensor:
        """The mean of the last layer's states, of unit length, shape (width,); of token ids with the special ones."""
        x = self.norm(self.words[torch.tensor(ids)] + self.places[: len(ids)])
        for layer in self.layers:
            x = layer(x)
        return normalize(x.mean(0), dim=-1)


class _Layer:
    """One layer: attention of all tokens to all, then two linears, each with its input added and normed."""

    def __init__(self, layer: Any) -> None:
        attention = layer.attention
        asking = [getattr(attention.self, name) for name in ("query", "key", "value")]
        self.heads = int(attention.self.num_attention_heads)
        self.project = Halved(torch.cat([one.weight for one in asking]), torch.cat([one.bias for one in asking]))
        self.gather, self.gathered = _halved(attention.output.dense), attention.output.LayerNorm
        self.widen, self.act = _halved(layer.intermediate.dense), layer.intermediate.intermediate_act_fn
        self.narrow, self.narrowed = _halved(layer.output.dense), layer.output.LayerNorm

    def __call__(self, x: Tensor) -> Tensor:
        query, key, value = self.project(x).view(1, len(x), 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        found = scaled_dot_product_attention(query, key, value)[0].transpose(0, 1).reshape(len(x), -1)
        x = self.gathered(x + self.gather(found))
        return self.narrowed(x + self.narrow(self.act(self.widen(x))))  # type: ignore[no-any-return]


def _halved(linear: Any) -> Halved:
    return Halved(linear.weight, linear.bias)
