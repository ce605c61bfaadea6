"""What the linears of layers are given: the second moments of their inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engrain.consolidation.train.layers import Layer, Layers
from engrain.consolidation.train.pack import Blocks


class Inputs:
    """Texts on their way up through the layers."""

    def __init__(self, layers: Layers, texts: Sequence[Blocks]) -> None:
        self.texts, self.turns, self.states = texts, [layers.turns(blocks) for blocks in texts], [blocks.states for blocks in texts]

    @torch.no_grad()
    def moments(self, layer: Layer) -> list[Tensor]:
        """Go through a layer: XᵀX / n of what its projections are given, shape (width, width) each."""
        sums: list[Tensor] = []
        for at, (blocks, turns) in enumerate(zip(self.texts, self.turns, strict=True)):
            self.states[at], kept = layer.forward(self.states[at], turns, blocks)
            given = [x[: blocks.tokens].float() for x, _ in kept.given]
            sums = sums or [torch.zeros(x.shape[1], x.shape[1]) for x in given]
            for into, x in zip(sums, given, strict=True):
                into.addmm_(x.T, x)
        return [one.div_(sum(blocks.tokens for blocks in self.texts)) for one in sums]
