"""Muon for the factors of an adapter: momentum whose singular values are made alike before it is applied.

Jordan et al., "Muon" (2024); that it learns rare associations in fewer steps than Adam is shown in "Muon Outperforms Adam in
Tail-End Associative Memory Learning" (arXiv 2509.26030). A factor has only `rank` singular values, so the Newton-Schulz
iteration runs on its Gram matrix of shape (rank, rank), for all factors of one shape at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

_QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iteration, from the source."""
_ITERATIONS = 2
"""Not the source's five: the large singular values are made alike and the small ones, which are mostly noise where a module has few
facts, raised up to twelvefold, not to the same."""


class Muon(torch.optim.Optimizer):
    """Moves every entry of a matrix by `lr` per step in the root mean square, whatever the size of its gradient."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of all parameters with a gradient; a closure is not supported."""
        assert closure is None
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for some in shapes.values():
                self._update(some, group["lr"], group["momentum"])

    def _update(self, some: list[Tensor], lr: float, momentum: float) -> None:
        """Parameters of one shape: momentum, Nesterov's look ahead, and a step of singular values made alike."""
        for p in some:
            if "momentum" not in self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        moments, gradients = [self.state[p]["momentum"] for p in some], [p.grad for p in some if p.grad is not None]
        torch._foreach_lerp_(moments, gradients, 1 - momentum)
        ahead = torch.lerp(torch.stack(gradients), torch.stack(moments), momentum)
        flat = some[0].shape[0] <= some[0].shape[1]
        steps = orthogonal(ahead) if flat else orthogonal(ahead.mT).mT
        torch._foreach_add_(some, list(steps), alpha=-lr * max(some[0].shape) ** 0.5)


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices of shape (n, rows, columns), rows ≤ columns, with singular values moved towards 1."""
    gram = matrices @ matrices.mT
    size = gram.diagonal(dim1=1, dim2=2).sum(1).clamp_min(1e-30)[:, None, None]
    gram = gram / size
    a, b, c = _QUINTIC
    made = torch.eye(gram.shape[1], dtype=gram.dtype).expand_as(gram)
    for _ in range(_ITERATIONS):
        square = made @ gram @ made.mT
        made = a * made + (b * square + c * square @ square) @ made
    return made @ matrices / size.sqrt()
