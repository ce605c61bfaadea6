"""The adapted layers written out for training, forwards and backwards, for models built like Llama.

A step takes some hundred tokens through a third of a model: a few dozen products, and thousands of operations of microseconds where
automatic differentiation goes through a model's own forward. Here a layer is some fifty operations forwards and eighty backwards. A model
that is built otherwise does not give what its own forward gives, which is compared before every training; it is trained by that forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engrain.consolidation.train.linear import Given, Projection
from engrain.consolidation.train.pack import Attended, Blocks, filled
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.decode import GROUPS, plain
from engrain.memory.bank.lora import Adapter

Turns = tuple[Tensor, Tensor]
"""Cosine and sine, see `Layers.turns`."""


class Layers:
    """The layers of a model from `first` on with an adapter, or without; raises AttributeError or TypeError where they are built otherwise.

    The caller holds `base.lock`; the adapter's factors are read anew in every forward.
    """

    def __init__(self, base: BaseModel, first: int, adapter: Adapter | None, dtype: torch.dtype) -> None:
        """The frozen weights are rounded to `dtype`."""
        inner = base.model.model
        if base.model.config.hidden_act != "silu":
            raise TypeError(f"the activation {base.model.config.hidden_act!r} is not written out")
        self.rotary, self.norm = inner.rotary_emb, _Norm(inner.norm)
        self.layers = [Layer(layer, number, adapter, dtype) for number, layer in enumerate(inner.layers) if number >= first]
        self.last: tuple[Blocks, Turns, list[Kept], _Normed] | None = None
        """Of a forward what its backward needs."""

    @torch.no_grad()
    def forward(self, blocks: Blocks, keep: bool = False) -> Tensor:
        """Final hidden states, (tokens, width), of what enters; with `keep`, `backward` may follow."""
        self.last = None
        states, turns, through = blocks.states, self.turns(blocks), []
        for layer in self.layers:
            states, kept = layer.forward(states, turns, blocks)
            if keep:
                through.append(kept)
        final, normed = self.norm.forward(states)
        if keep:
            self.last = blocks, turns, through, normed
        return final[: blocks.tokens]

    @torch.no_grad()
    def backward(self, gradient: Tensor) -> None:
        """From the gradient of what the last forward gave: those of the adapter's factors, in their `grad`."""
        assert self.last is not None
        blocks, turns, through, normed = self.last
        self.last = None
        gradient = self.norm.backward(filled(gradient), normed)
        for layer in reversed(self.layers):
            gradient = layer.backward(gradient, turns, blocks, through.pop(), lowest=layer is self.layers[0])

    def turns(self, blocks: Blocks) -> Turns:
        """Cosine and sine of each token's position, (tokens, 1, width); the sine's first half is negative, so that a roll by half the width turns."""
        cos, sin = (one[0, :, None] for one in self.rotary(blocks.states[None], blocks.positions[None]))
        half = sin.shape[-1] // 2
        return cos, torch.cat([-sin[..., :half], sin[..., half:]], -1)


@dataclass(frozen=True)
class Kept:
    """Of a layer's forward what its backward needs."""

    before: _Normed
    turned: _Normed | None
    attended: Attended
    between: _Normed
    gate: Tensor
    """How far it opens and what goes through it, side by side."""
    opened: Tensor
    given: tuple[Given, Given, Given, Given]
    """Of each of `GROUPS`."""


class Layer:
    """One decoder layer."""

    def __init__(self, layer: Any, number: int, adapter: Adapter | None, dtype: torch.dtype) -> None:
        attention = layer.self_attn
        self.number, self.width, self.scale = number, int(attention.head_dim), float(attention.scaling)
        self.before, self.between = _Norm(layer.input_layernorm), _Norm(layer.post_attention_layernorm)
        groups = [([plain(getattr(getattr(layer, room), name)) for name in names], room, names) for room, names in GROUPS]
        self.projections = [
            Projection(linears, [f"model.layers.{number}.{room}.{name}" for name in names], adapter, dtype) for linears, room, names in groups
        ]
        """Of each of `GROUPS`."""
        query, key, value = (one.out_features // self.width for one in groups[0][0])
        if key != value:
            raise TypeError("keys and values of different shapes are not written out")
        self.asking, self.moving = query, query + key
        self.heads: _Norm | None = None
        if hasattr(attention, "q_norm"):
            self.heads = _Norm(attention.q_norm, attention.k_norm, (query, key))

    def forward(self, states: Tensor, turns: Turns, blocks: Blocks) -> tuple[Tensor, Kept]:
        """What leaves the layer, (tokens, width)."""
        to_heads, to_found, to_gate, to_down = self.projections
        normed, before = self.before.forward(states)
        heads, of_heads = to_heads.forward(normed)
        heads = heads.view(len(states), -1, self.width)
        turned = self._turn(heads[:, : self.moving], turns)
        found, attended = blocks.attend(self.number, heads, self.asking)
        added, of_found = to_found.forward(found)
        states = states + added
        normed, between = self.between.forward(states)
        gate, of_gate = to_gate.forward(normed)
        opening, through = gate.chunk(2, 1)
        opened = nn.functional.silu(opening)
        added, of_down = to_down.forward(opened * through)
        return states + added, Kept(before, turned, attended, between, gate, opened, (of_heads, of_found, of_gate, of_down))

    def backward(self, gradient: Tensor, turns: Turns, blocks: Blocks, kept: Kept, lowest: bool) -> Tensor:
        """The gradient of what entered the layer, of the one of what left it; nobody needs that of the lowest."""
        to_heads, to_found, to_gate, to_down = self.projections
        of_heads, of_found, of_gate, of_down = kept.given
        opening, through = kept.gate.chunk(2, 1)
        both = torch.empty_like(kept.gate)
        to_opening, to_through = both.chunk(2, 1)
        back = to_down.backward(gradient, of_down)
        torch.mul(back, kept.opened, out=to_through)
        torch.ops.aten.silu_backward.grad_input(back.mul_(through), opening, grad_input=to_opening)
        gradient = self.between.backward(to_gate.backward(both, of_gate), kept.between).add_(gradient)
        heads = blocks.back(to_found.backward(gradient, of_found), kept.attended)
        self._turn_back(heads[:, : self.moving], turns, kept.turned)
        if lowest:
            to_heads.factors_only(heads.flatten(1), of_heads)
            return gradient
        return self.before.backward(to_heads.backward(heads.flatten(1), of_heads), kept.before).add_(gradient)

    def _turn(self, moving: Tensor, turns: Turns) -> _Normed | None:
        """Queries and keys to their positions, in place, the attention's scale in the queries."""
        cos, sin = turns
        normed, kept = (moving, None) if self.heads is None else self.heads.forward(moving)
        moving.copy_((normed * cos).addcmul_(normed.roll(self.width // 2, -1), sin))
        moving[:, : self.asking] *= self.scale
        return kept

    def _turn_back(self, moving: Tensor, turns: Turns, kept: _Normed | None) -> None:
        """Their gradients back, in place."""
        cos, sin = turns
        moving[:, : self.asking] *= self.scale
        back = (moving * cos).add_((moving * sin).roll(self.width // 2, -1))
        moving.copy_(back if kept is None or self.heads is None else self.heads.backward(back, kept))


_Normed = tuple[Tensor, Tensor]
"""What was normed, without the weight, and one over its size."""


class _Norm:
    """Root mean square normalisation."""

    def __init__(self, norm: Any, other: Any = None, heads: tuple[int, int] = (1, 1)) -> None:
        """Of two norms, one for each of the first heads and one for each of the others."""
        self.epsilon, self.weight = float(norm.variance_epsilon), norm.weight.detach()
        if other is not None:
            self.weight = torch.stack([self.weight] * heads[0] + [other.weight.detach()] * heads[1])

    def forward(self, x: Tensor) -> tuple[Tensor, _Normed]:
        inverse = torch.linalg.vecdot(x, x).div_(x.shape[-1]).add_(self.epsilon).rsqrt_().unsqueeze_(-1)
        unit = x * inverse
        return unit * self.weight, (unit, inverse)

    def backward(self, gradient: Tensor, normed: _Normed) -> Tensor:
        unit, inverse = normed
        gradient = gradient * self.weight
        along = torch.linalg.vecdot(gradient, unit).unsqueeze_(-1)
        return gradient.addcmul_(unit, along, value=-1 / unit.shape[-1]).mul_(inverse)
