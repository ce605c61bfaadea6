"""Frozen linears in training: those that are given the same as one product, with their adapters, forwards and backwards.

A frozen weight takes part twice, for the output and for the gradient of the input, and is changed by neither: where the processor
multiplies bfloat16 faster, a rounded copy serves both. The products with an adapter's factors are in bfloat16 then too, and so is what is
computed once before; the factors themselves, sums and everything between the linears stay in float32. Elsewhere frozen weights, and
nothing else, are rounded to float16 (`Halved`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache

import torch
from torch import Tensor, nn

from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.lora import Adapter, LoraLinear
from engrain.memory.halved import Halved

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


def training_dtype() -> torch.dtype:
    """To what frozen weights are rounded: bfloat16 where that is faster, and float16 elsewhere."""
    return torch.bfloat16 if half_is_faster() else torch.float16


def inputs_dtype(dtype: torch.dtype) -> torch.dtype:
    """Of what frozen weights so rounded are multiplied with, and of all other products."""
    return torch.bfloat16 if dtype is torch.bfloat16 else torch.float32


Given = tuple[Tensor, Tensor | None]
"""What a projection was given, (tokens, in), and what its adapter's A made of it, scaled, (tokens, ranks), where it has one."""


class Projection:
    """Frozen linears that are given the same x, side by side: x W^T + bias + scale · x A^T B^T, and the gradients.

    Frozen weights are rounded to `dtype`, and side by side one. In float32 they are as they are, since joining would take as much memory again.
    """

    def __init__(self, linears: Sequence[nn.Linear], names: Sequence[str], adapter: Adapter | None, dtype: torch.dtype) -> None:
        """`names` are those that the linears have in an adapter; it may have some of them or none."""
        ends = torch.tensor([one.out_features for one in linears]).cumsum(0).tolist()
        outs = [slice(end - one.out_features, end) for one, end in zip(linears, ends, strict=True)]
        weights = [one.weight.detach() for one in linears]
        if dtype is torch.float32:
            self.weights = [(out, _frozen(weight, dtype)) for out, weight in zip(outs, weights, strict=True)]
        else:
            self.weights = [(slice(0, ends[-1]), _frozen(_cat(weights), dtype))]
        """Which of the outputs are whose."""
        self.bias = None if linears[0].bias is None else _cat([one.bias.detach() for one in linears])
        self.dtype, adapted = inputs_dtype(dtype), adapter is not None and adapter.a.keys() & set(names)
        self.factors = _Factors(dict(zip(names, outs, strict=True)), adapter, self.dtype) if adapter and adapted else None

    def forward(self, x: Tensor) -> tuple[Tensor, Given]:
        """(tokens, in) to (tokens, out)."""
        x = x.to(self.dtype)
        parts = [weight.forward(x) for _, weight in self.weights]
        out = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        if self.bias is not None:
            out += self.bias
        return out, (x, self.factors.forward(x, out) if self.factors else None)

    def backward(self, gradient: Tensor, given: Given) -> Tensor:
        """The gradient of x; those of A and B are left in their `grad`."""
        gradient = gradient.to(self.dtype)
        (at, weight), *others = self.weights
        found = weight.backward(gradient[:, at])
        for at, weight in others:
            found += weight.backward(gradient[:, at])
        through = self.factors_only(gradient, given)
        if self.factors and through is not None:
            found += through @ self.factors.joined_a
        return found

    def factors_only(self, gradient: Tensor, given: Given) -> Tensor | None:
        """The gradients of A and B alone; gives the one of x A^T."""
        x, inner = given
        return self.factors.backward(gradient.to(self.dtype), x, inner) if self.factors and inner is not None else None


def _frozen(weight: Tensor, dtype: torch.dtype) -> _Frozen | _FrozenHalved:
    """A weight rounded to `dtype`; as it is, where the processor or the weight allows no float16."""
    if dtype is not torch.float16:
        return _Frozen(weight.to(dtype))
    try:
        return _FrozenHalved(weight)
    except RuntimeError:
        return _Frozen(weight)


class _Frozen:
    """A weight of shape (out, in) that is multiplied with what has its own precision; sums are given in float32."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        """(tokens, in) to (tokens, out)."""
        return nn.functional.linear(x, self.weight).float()

    def backward(self, gradient: Tensor) -> Tensor:
        """(tokens, out) to (tokens, in)."""
        return (gradient @ self.weight).float()


class _FrozenHalved:
    """The same, rounded to float16."""

    def __init__(self, weight: Tensor) -> None:
        """Raises RuntimeError, see `Halved`."""
        self.weight = weight
        self.forward = Halved(weight, None)

    @cached_property
    def backward(self) -> Halved:
        """Packed when a gradient first goes through."""
        return Halved(self.weight.t(), None)


class _Factors:
    """A and B of the adapted ones among linears that are given the same: all A one below the other, the B as blocks of one matrix."""

    def __init__(self, outs: dict[str, slice], adapter: Adapter, dtype: torch.dtype) -> None:
        names = [name for name in outs if name in adapter.a]
        self.a, self.b, self.scale = [adapter.a[name] for name in names], [adapter.b[name] for name in names], adapter.spec.scale
        ends = torch.tensor([len(a) for a in self.a]).cumsum(0).tolist()
        self.places = [(outs[name], slice(end - len(a), end)) for name, a, end in zip(names, self.a, ends, strict=True)]
        self.joined_a = torch.empty(ends[-1], self.a[0].shape[1], dtype=dtype)
        self.joined_b = torch.zeros(max(out.stop for out in outs.values()), ends[-1], dtype=dtype)

    def forward(self, x: Tensor, out: Tensor) -> Tensor:
        """Add to `out` what the adapter makes of x; gives scale · x A^T."""
        for (rows, columns), a, b in zip(self.places, self.a, self.b, strict=True):
            self.joined_a[columns] = a
            self.joined_b[rows, columns] = b
        inner = nn.functional.linear(x, self.joined_a).mul_(self.scale)
        if inner.dtype is out.dtype:
            out.addmm_(inner, self.joined_b.t())
        else:
            out += nn.functional.linear(inner, self.joined_b)
        return inner

    def backward(self, gradient: Tensor, x: Tensor, inner: Tensor) -> Tensor:
        """Leave the factors' gradients in them; gives that of x A^T, (tokens, ranks)."""
        through, to_b = (gradient @ self.joined_b).mul_(self.scale), (gradient.t() @ inner).float()
        to_a = (through.t() @ x).float()
        for (rows, columns), a, b in zip(self.places, self.a, self.b, strict=True):
            a.grad, b.grad = to_a[columns], to_b[rows, columns].contiguous()  # the fused AdamW reads them as they lie
        return through


def _cat(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


class RoundedLinear(nn.Module):
    """Stands in for a frozen linear; its weight is rounded when it is needed, and kept where it is needed again and again."""

    def __init__(self, linear: nn.Linear, keep: bool) -> None:
        super().__init__()
        self.linear, self.kept = linear, linear.weight.detach().bfloat16() if keep else None

    def forward(self, x: Tensor) -> Tensor:
        weight = self.linear.weight.bfloat16() if self.kept is None else self.kept
        out = nn.functional.linear(x.bfloat16(), weight).float()
        return out if self.linear.bias is None else out + self.linear.bias


@contextmanager
def rounded_linears(base: BaseModel, keep: bool = False) -> Iterator[None]:
    """Inside, the bare model's layers, and with `keep` its vocabulary projection, multiply in bfloat16 where training does.

    The caller holds `base.lock` and no adapter is on. What is rounded is not kept from one product to the next unless `keep` says so.
    """
    places = []
    if training_dtype() is torch.bfloat16:
        parents = [module for layer in base.layers for module in layer.modules() if not isinstance(module, LoraLinear)]
        places = [(parent, name, child) for parent in parents for name, child in parent.named_children() if isinstance(child, nn.Linear | LoraLinear)]
        if keep:
            places.append((base.model, "lm_head", base.model.lm_head))
    for parent, name, linear in places:
        setattr(parent, name, RoundedLinear(linear.base if isinstance(linear, LoraLinear) else linear, keep))
    try:
        yield
    finally:
        for parent, name, linear in places:
            setattr(parent, name, linear)
