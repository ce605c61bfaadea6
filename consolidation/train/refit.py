"""The update fitted anew: it says the same to what it was trained on, and as little as possible to other text.

Training cares for the answers and leaves the rest of an update to chance. Once the answers are learnt, each linear's update ΔW is replaced by
the one of the same rank that changes its training inputs X as before and ordinary inputs X₀ the least:

    min  mean |ΔW x - ΔW' x|² over X  +  λ mean |ΔW' x|² over X₀     ⇒     ΔW' = ΔW C (C + λ C₀)⁻¹,     C = Xᵀ X / n

It is the closed form in which MEMIT (arXiv 2210.07229) writes facts into a linear, with what training found in the place of its residual. Of
an adapter only A changes: A' = A C (C + λ C₀)⁻¹.
"""

from __future__ import annotations

import torch

from engrain.consolidation.train.layers import Layers
from engrain.consolidation.train.moments import Inputs
from engrain.consolidation.train.ordinary import OrdinaryText
from engrain.consolidation.train.pack import Blocks, Rows

_BATCH = 32
"""Rows that go through a layer together."""
_ENOUGH = 160
"""So many rows tell what the inputs of training are."""
RIDGE = 0.02
"""Of the mean input's size, added to every direction's, so that what neither text has anything of goes too (shrinkage: Ledoit & Wolf, "A
well-conditioned estimator for large-dimensional covariance matrices", 2004)."""


@torch.no_grad()
def refit(layers: Layers, rows: Rows, ordinary: OrdinaryText, weight: float) -> None:
    """Fit the adapter of these layers anew, in place, one layer after the other; `rows` are what it was trained on, `weight` is λ.

    X are the inputs under the adapter as it was, X₀ those of the base model.
    """
    chosen = sorted(range(0, len(rows.states), -(-len(rows.states) // _ENOUGH)), key=lambda i: (len(rows.states[i]), rows.begins[i]))
    trained = Inputs(layers, [Blocks(rows, chosen[at : at + _BATCH]) for at in range(0, len(chosen), _BATCH)])
    for number, layer in enumerate(layers.layers):
        for projection, kept, other in zip(layer.projections, trained.moments(layer), ordinary.moments(number), strict=True):
            if projection.factors is None:
                continue
            held = torch.add(kept, other, alpha=weight)
            held.diagonal().add_(RIDGE * kept.diagonal().mean())
            learnt = torch.cat(projection.factors.a)
            fitted = torch.cholesky_solve(kept @ learnt.T, torch.linalg.cholesky(held)).T
            for a, new in zip(projection.factors.a, torch.split(fitted, [len(a) for a in projection.factors.a]), strict=True):
                a.copy_(new)
