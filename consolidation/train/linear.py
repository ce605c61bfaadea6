"""A frozen linear and its adapter as one step of automatic differentiation.

Written out in separate operations, an adapted linear spends much of a CPU's time on sums and products as large as its output.
Here they are part of the multiplications, forward and backward. The frozen weight takes part twice, for the output and for
the gradient of the input, and is changed by neither: where the processor multiplies bfloat16 faster, a rounded copy serves
both, and what is computed once before is computed with it too; adapter, sums and everything between the linears stay in float32.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.lora import LoraLinear

_SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Linears of a parent that are given the same."""
_FASTER = 1.3
"""How many times faster than float32 bfloat16 must be to be used."""


@lru_cache(maxsize=1)
def half_is_faster() -> bool:
    """Whether bfloat16 products of the size of a training step are clearly faster here; some processors have slow instructions for them."""
    weight, states = torch.randn(1536, 576), torch.randn(128, 576)

    def seconds(dtype: torch.dtype) -> float:
        w, x = weight.to(dtype), states.to(dtype)
        taken = []
        for _ in range(12):
            started = time.perf_counter()
            nn.functional.linear(x, w)
            taken.append(time.perf_counter() - started)
        return min(taken[2:])

    return seconds(torch.float32) > _FASTER * seconds(torch.bfloat16)


class _Joined(torch.autograd.Function):
    """x W^T + bias + scale · x A^T B^T for each of the linears that are given the same x; gradients for x, the A and the B.

    `weight` and `bias` are those of all, `sizes` each one's outputs, `factors` A and B of each, or nothing where no adapter is on.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, sizes: list[int], scale: float, *factors: Tensor) -> tuple[Tensor, ...]:
        rows, bs = x.reshape(-1, x.shape[-1]), factors[1::2]
        out = nn.functional.linear(rows.to(weight.dtype), weight).float()
        parts = torch.split(out, sizes, 1)
        a = inner = None
        if factors:
            a = _side_by_side(factors[::2], 0)
            inner = rows @ a.t()
            for part, b, within in zip(parts, bs, torch.chunk(inner, len(bs), 1), strict=True):
                part.addmm_(within, b.t(), alpha=scale)
        if bias is not None:
            out += bias
        ctx.save_for_backward(rows if factors else None, weight, a, inner, *bs)
        ctx.scale, ctx.shape, ctx.sizes = scale, x.shape, sizes
        return tuple(part.view(*x.shape[:-1], -1) for part in parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, a, inner, *bs = ctx.saved_tensors
        parts = [grad.reshape(-1, size) for grad, size in zip(grads, ctx.sizes, strict=True)]
        to_x, to_factors = None, list[Tensor]()
        if ctx.needs_input_grad[0]:
            to_x = (_side_by_side([part.to(weight.dtype) for part in parts], 1) @ weight).float()
        if bs:
            through = _side_by_side([part @ b for part, b in zip(parts, bs, strict=True)], 1).mul_(ctx.scale)
            to_as = torch.chunk(through.t() @ rows, len(bs))
            for part, to_a, within in zip(parts, to_as, torch.chunk(inner, len(bs), 1), strict=True):
                to_factors += [to_a, (within.t() @ part).mul_(ctx.scale).t()]
            if to_x is not None:
                to_x.addmm_(through, a)
        return None if to_x is None else to_x.view(ctx.shape), None, None, None, None, *to_factors


def _side_by_side(parts: Sequence[Tensor], dim: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim)


class _Siblings:
    """Frozen linears that are given the same, with adapters on or without, as one multiplication."""

    def __init__(self, linears: Sequence[nn.Linear | LoraLinear]) -> None:
        bases = [_frozen(one) for one in linears]
        self.weight = _side_by_side([base.weight.detach().to(_dtype()) for base in bases], 0)
        self.bias = None if bases[0].bias is None else _side_by_side([base.bias.detach() for base in bases], 0)
        self.sizes = [base.out_features for base in bases]
        self.slots = [_slot(one) for one in linears]
        self.given: Tensor | None = None
        self.made: dict[int, Tensor] = {}
        """What they made of it, as far as it was not fetched."""

    def part(self, number: int, x: Tensor) -> Tensor:
        """What one of them makes of x."""
        if self.given is not x or number not in self.made:
            scale = self.slots[0][2] if self.slots[0] else 0.0
            factors = [factor for slot in self.slots if slot for factor in slot[:2]]
            parts = _Joined.apply(x, self.weight, self.bias, self.sizes, scale, *factors)  # type: ignore[no-untyped-call]
            self.given, self.made = x, dict(enumerate(parts))
        out = self.made.pop(number)
        if not self.made:
            self.given = None
        return out


class TrainingLinear(nn.Module):
    """Stands in for a frozen linear, with an adapter on or without, while one is trained."""

    def __init__(self, siblings: _Siblings, number: int) -> None:
        super().__init__()
        self.siblings, self.number = siblings, number

    @property
    def weight(self) -> Tensor:
        """Of a linear without siblings."""
        return self.siblings.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.siblings.part(self.number, x)


class RoundedLinear(nn.Module):
    """Stands in for a frozen linear that multiplies many rows once: its weight is rounded when it is needed and not kept."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.linear.weight.bfloat16(), self.linear.bias
        out = nn.functional.linear(x.bfloat16(), weight).float()
        return out if bias is None else out + bias


@contextmanager
def training_linears(base: BaseModel, first: int) -> Iterator[None]:
    """Inside, the linears of the layers from `first` on, with the adapter they wear, and the vocabulary projection are ready for training.

    Outside nothing has changed, and a module answers as it will be served; the caller holds `base.lock`.
    """
    places = _linears(base.layers[first:])
    if _dtype() is not torch.float32:
        places.append((base.model, "lm_head", base.model.lm_head))
    instead = []
    for family in _families(places):
        siblings = _Siblings([linear for _, _, linear in family])
        instead += [(parent, name, linear, TrainingLinear(siblings, number)) for number, (parent, name, linear) in enumerate(family)]
    with _standing_in(instead):
        yield


@contextmanager
def rounded_linears(base: BaseModel) -> Iterator[None]:
    """Inside, the bare model's layers multiply in the precision of training; the caller holds `base.lock` and no adapter is on."""
    places = _linears(base.layers) if _dtype() is not torch.float32 else []
    with _standing_in([(p, name, linear, RoundedLinear(_frozen(linear))) for p, name, linear in places]):
        yield


def _dtype() -> torch.dtype:
    return torch.bfloat16 if half_is_faster() else torch.float32


_Place = tuple[nn.Module, str, nn.Linear | LoraLinear]
"""A module, and the name and the linear that it has under it."""


def _linears(layers: Iterable[nn.Module]) -> list[_Place]:
    parents = [module for layer in layers for module in layer.modules() if not isinstance(module, LoraLinear)]
    return [(parent, name, child) for parent in parents for name, child in parent.named_children() if isinstance(child, nn.Linear | LoraLinear)]


def _families(places: Sequence[_Place]) -> list[list[_Place]]:
    """Linears that are given the same together, the others by themselves; all by themselves where joining them would take more memory."""
    families: dict[object, list[_Place]] = {}
    for place in places:
        parent, name, linear = place
        group = next((number for number, names in enumerate(_SIBLINGS) if name in names), None)
        alone = group is None or _dtype() is torch.float32
        families.setdefault(linear if alone else (parent, group, _slot(linear) is None, _frozen(linear).bias is None), []).append(place)
    return list(families.values())


def _frozen(linear: nn.Linear | LoraLinear) -> nn.Linear:
    return linear.base if isinstance(linear, LoraLinear) else linear


def _slot(linear: nn.Linear | LoraLinear) -> tuple[Tensor, Tensor, float] | None:
    return linear.slot if isinstance(linear, LoraLinear) else None


@contextmanager
def _standing_in(places: Sequence[tuple[nn.Module, str, nn.Module, nn.Module]]) -> Iterator[None]:
    """Inside, of each parent's child of a name, the second stands for the first."""
    for parent, name, _, instead in places:
        setattr(parent, name, instead)
    try:
        yield
    finally:
        for parent, name, linear, _ in places:
            setattr(parent, name, linear)
