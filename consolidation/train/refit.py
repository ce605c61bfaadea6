"""The update fitted anew: it says the same to what it was trained on, and as little as possible to other text.

Training cares for the answers and leaves the rest of an update to chance. Once the answers are learnt, each linear's update ΔW is replaced by
the one of the same rank that changes its training inputs X as before and ordinary inputs X₀ the least:

    min  mean |ΔW x - ΔW' x|² over X  +  λ mean |ΔW' x|² over X₀     ⇒     ΔW' = ΔW C (C + λ C₀)⁻¹,     C = Xᵀ X / n

It is the closed form in which MEMIT (arXiv 2210.07229) writes facts into a linear, with what training found in the place of its residual. Of
an adapter only A changes: A' = A C (C + λ C₀)⁻¹.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from engrain.consolidation.train.lower import layer_range
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
    rows = replace(rows, rows=rows.rows[:: -(-len(rows.rows) // _ENOUGH)])
    for layer in sorted(adapter.spec.layers):
        names = [name for name in adapter.a if f".layers.{layer}." in f".{name}"]
        with _inputs(base, names) as trained, layer_range(base, layer, layer + 1, norm=False):
            rows = _through(base, rows, layer)
        with _inputs(base, names) as other, layer_range(base, layer, layer + 1, norm=False):
            ordinary = base.model.model(inputs_embeds=ordinary, use_cache=False).last_hidden_state
        for some in _alike(names, trained):
            kept = _moments(trained[some[0]])
            held = _moments(other[some[0]]).mul_(weight).add_(kept)
            held.diagonal().add_(RIDGE * kept.diagonal().mean())
            learnt = torch.cat([adapter.a[name] for name in some])
            fitted = torch.cholesky_solve(kept @ learnt.T, torch.linalg.cholesky(held)).T
            for name, a in zip(some, torch.split(fitted, [len(adapter.a[name]) for name in some]), strict=True):
                adapter.a[name].copy_(a)


def _through(base: BaseModel, rows: Rows, layer: int) -> Rows:
    """The rows behind this layer, the only one that the decoder has now."""
    here = replace(rows, rows=[replace(row, prompt={layer: row.prompt[layer]}) for row in rows.rows])
    order = sorted(range(len(rows.rows)), key=lambda i: (len(rows.rows[i].states), rows.rows[i].begins))
    after = list(rows.rows)
    for at in range(0, len(order), _BATCH):
        some = order[at : at + _BATCH]
        for i, states in zip(some, packed(base.model.model, here, some), strict=True):
            after[i] = replace(rows.rows[i], states=states)
    return replace(rows, rows=after)


@contextmanager
def _inputs(base: BaseModel, names: Sequence[str]) -> Iterator[dict[str, list[Tensor]]]:
    """What the named linears are given inside."""
    seen: dict[str, list[Tensor]] = {name: [] for name in names}
    linears = [(name, base.model.get_submodule(name)) for name in names]
    hooks = [linear.register_forward_pre_hook(lambda _, given, kept=seen[name]: kept.append(given[0].flatten(0, -2))) for name, linear in linears]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _alike(names: Sequence[str], seen: Mapping[str, Sequence[Tensor]]) -> list[list[str]]:
    """The names, those together that are given the same input."""
    groups: dict[int, list[str]] = {}
    for name in names:
        groups.setdefault(seen[name][0].data_ptr(), []).append(name)
    return list(groups.values())


def _moments(inputs: Sequence[Tensor]) -> Tensor:
    """Second moments of inputs of shape (tokens, width)."""
    x = torch.cat(list(inputs))
    return x.T @ x / len(x)
