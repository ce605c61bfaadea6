"""The update fitted anew: it says the same to what it was trained on, and as little as possible to other text.

Training cares for the answers and leaves the rest of an update to chance. Once the answers are learnt, each linear's update ΔW is replaced by
the one of the same rank that changes its training inputs X as before and ordinary inputs X₀ the least:

    min  mean |ΔW x - ΔW' x|² over X  +  λ mean |ΔW' x|² over X₀     ⇒     ΔW' = ΔW C (C + λ C₀)⁻¹,     C = Xᵀ X / n

It is the closed form in which MEMIT (arXiv 2210.07229) writes facts into a linear, with what training found in the place of its residual. Of
an adapter only A changes: A' = A C (C + λ C₀)⁻¹.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from engrain.consolidation.train.lower import final_states, layer_range
from engrain.consolidation.train.pack import Rows, packed
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.lora import Adapter

_BATCH = 32
"""Rows that go through a layer together."""
_ENOUGH = 160
"""So many rows tell what the inputs of training are."""
RIDGE = 0.1
"""Of the mean input's size, added to every direction's, so that what neither text has anything of goes too."""


@torch.no_grad()
def refit(base: BaseModel, adapter: Adapter, rows: Rows, ordinary: Tensor, weight: float) -> None:
    """Fit the adapter that the model wears anew, in place, one layer after the other.

    `rows` are what it was trained on and `ordinary` what enters the lowest adapted layer on other text, shape (texts, tokens, width); `weight`
    is λ. The inputs are those of the adapter as it was. The caller holds `base.lock`.
    """
    chosen = sorted(range(0, len(rows.states), -(-len(rows.states) // _ENOUGH)), key=lambda i: (len(rows.states[i]), rows.begins[i]))
    for layer in sorted(adapter.spec.layers):
        names = [name for name in adapter.a if f".layers.{layer}." in f".{name}"]
        with _moments(base, names) as trained, layer_range(base, layer, layer + 1, norm=False):
            rows = _through(base, rows, chosen)
        with _moments(base, names) as other, layer_range(base, layer, layer + 1, norm=False):
            ordinary = final_states(base, ordinary)
        for moments in dict.fromkeys(trained.values()):
            some = [name for name in names if trained[name] is moments]
            kept = moments.mean()
            held = other[some[0]].mean().mul_(weight).add_(kept)
            held.diagonal().add_(RIDGE * kept.diagonal().mean())
            learnt = torch.cat([adapter.a[name] for name in some])
            fitted = torch.cholesky_solve(kept @ learnt.T, torch.linalg.cholesky(held)).T
            for name, a in zip(some, torch.split(fitted, [len(adapter.a[name]) for name in some]), strict=True):
                adapter.a[name].copy_(a)


def _through(base: BaseModel, rows: Rows, chosen: Sequence[int]) -> Rows:
    """The rows, the chosen ones of them behind the layer that the decoder has now."""
    after = list(rows.states)
    for at in range(0, len(chosen), _BATCH):
        some = chosen[at : at + _BATCH]
        for i, states in zip(some, packed(base.model.model, rows, some), strict=True):
            after[i] = states
    return replace(rows, states=after)


class _Moments:
    """Second moments of inputs."""

    def __init__(self, width: int) -> None:
        self.sum, self.tokens = torch.zeros(width, width), 0

    def add(self, inputs: Tensor) -> None:
        """Inputs of shape (…, tokens, width)."""
        x = inputs.flatten(0, -2)
        self.sum.addmm_(x.T, x)
        self.tokens += len(x)

    def mean(self) -> Tensor:
        """Shape (width, width)."""
        return self.sum / self.tokens


@contextmanager
def _moments(base: BaseModel, names: Sequence[str]) -> Iterator[dict[str, _Moments]]:
    """Of what the named linears are given inside; those that are given the same have the same moments."""
    found: dict[str, _Moments] = {}
    last: tuple[Tensor, _Moments] | None = None

    def note(name: str, given: Tensor) -> None:
        nonlocal last
        if last is None or last[0] is not given:
            last = given, found.setdefault(name, _Moments(given.shape[-1]))
            last[1].add(given)
        found[name] = last[1]

    linears = [(name, base.model.get_submodule(name)) for name in names]
    hooks = [linear.register_forward_pre_hook(lambda _, given, name=name: note(name, given[0])) for name, linear in linears]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
