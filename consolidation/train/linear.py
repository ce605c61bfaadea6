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


class _Adapted(torch.autograd.Function):
    """x W^T + bias + scale · x A^T B^T; gradients for x, A and B."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        inner = rows @ a.t()
        out = nn.functional.linear(rows.to(weight.dtype), weight).float()
        out.addmm_(inner, b.t(), alpha=scale)
        if bias is not None:
            out += bias
        ctx.save_for_backward(rows, weight, a, b, inner)
        ctx.scale, ctx.shape = scale, x.shape
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor, None]:
        rows, weight, a, b, inner = ctx.saved_tensors
        grad = grads[0].reshape(-1, grads[0].shape[-1])
        through = (grad @ b).mul_(ctx.scale)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = (grad.to(weight.dtype) @ weight).float()
            to_x = to_x.addmm_(through, a).view(ctx.shape)
        return to_x, None, None, through.t() @ rows, (grad.t() @ inner).mul_(ctx.scale), None


class _Frozen(torch.autograd.Function):
    """x W^T + bias in the weight's precision; a gradient for x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        out = nn.functional.linear(x.to(weight.dtype), weight).float()
        return out if bias is None else out + bias

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return (grads[0].to(weight.dtype) @ weight).float(), None, None


class TrainingLinear(nn.Module):
    """Stands in for a frozen linear, with an adapter on or without, while one is trained."""

    def __init__(self, linear: nn.Linear | LoraLinear) -> None:
        super().__init__()
        base = linear.base if isinstance(linear, LoraLinear) else linear
        self.slot = linear.slot if isinstance(linear, LoraLinear) else None
        self.weight, self.bias = base.weight.detach().to(_dtype()), base.bias

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor
        if self.slot is None:
            out = _Frozen.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call]
        else:
            out = _Adapted.apply(x, self.weight, self.bias, *self.slot)  # type: ignore[no-untyped-call]
        return out


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
    with _standing_in([(parent, name, linear, TrainingLinear(linear)) for parent, name, linear in places]):
        yield


@contextmanager
def rounded_linears(base: BaseModel) -> Iterator[None]:
    """Inside, the bare model's layers multiply in the precision of training; the caller holds `base.lock` and no adapter is on."""
    places = _linears(base.layers) if _dtype() is not torch.float32 else []
    with _standing_in([(p, name, linear, RoundedLinear(linear.base if isinstance(linear, LoraLinear) else linear)) for p, name, linear in places]):
        yield


def _dtype() -> torch.dtype:
    return torch.bfloat16 if half_is_faster() else torch.float32


_Place = tuple[nn.Module, str, nn.Linear | LoraLinear]
"""A module, and the name and the linear that it has under it."""


def _linears(layers: Iterable[nn.Module]) -> list[_Place]:
    parents = [module for layer in layers for module in layer.modules() if not isinstance(module, LoraLinear)]
    return [(parent, name, child) for parent in parents for name, child in parent.named_children() if isinstance(child, nn.Linear | LoraLinear)]


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
