"""Ordinary text of a base model: what it writes by itself, and what its linears are given on that.

Pseudo-rehearsal (Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal", 1995): it needs no data, whatever the base. It is made
once for a base model, as MEMIT (arXiv 2210.07229) measures an encyclopaedia once, and every module is fitted beside it. Nothing of anybody's
memory is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engrain.consolidation.train.layers import Layers
from engrain.consolidation.train.linear import rounded_linears, training_dtype
from engrain.consolidation.train.lower import lower_states
from engrain.consolidation.train.moments import Inputs
from engrain.consolidation.train.pack import Blocks
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.decode import LeanSteps, Steps
from engrain.memory.bank.generate import behind

_START = "\n"
"""After a line break a model writes prose, lists, code and dialogue, in the shares it was made of."""
_TEXTS = 192
"""So many are written. Fitted beside 48, it depended on which they happened to be whether a module did other text 2 % of harm or 3."""
_TOKENS = 48
"""Of each."""
_SHOWN = 48
"""So many of them are shown in training; what an update is fitted beside are all."""


class OrdinaryText:
    """What the layers from `first` on of the bare model are given on texts it wrote, and what they make of it."""

    def __init__(self, kept: Callable[[str], Tensor]) -> None:
        self._kept = kept

    @property
    def texts(self) -> list[list[int]]:
        """Token ids of all of them."""
        return self._kept("texts").tolist()

    @property
    def states(self) -> Tensor:
        """What enters the layers on the texts that are shown, shape (texts, tokens, width)."""
        return self._kept("states")

    @property
    def targets(self) -> Tensor:
        """Final hidden states on them, of the same shape."""
        return self._kept("targets")

    def moments(self, layer: int) -> list[Tensor]:
        """XᵀX / n for each projection of a layer, counted from `first`, by the bare model; shape (width, width) each."""
        return [self._kept(f"{layer} {at}") for at in range(int(self._kept("projections")))]


def is_written(base: BaseModel, first: int) -> bool:
    """Whether it is there already, so that `ordinary_text` takes no time."""
    return base.cache is not None and _place(base, base.cache, first).exists()


def ordinary_text(base: BaseModel, first: int, advance: Callable[[float], None] = lambda _: None) -> OrdinaryText:
    """That of a base model for trainings of its layers from `first` on: made once and kept in its `cache`, a quarter of a small model's
    size; without one that can be written to it is made each time. `advance` is told how far it is, 0 to 1."""
    if base.cache is None:
        return OrdinaryText(_made(base, first, advance).__getitem__)
    file = _place(base, base.cache, first)
    try:
        if not file.exists():
            _write(file, base, first, advance)
    except (OSError, SafetensorError):  # a cache that nobody may write to, or a full disk
        return OrdinaryText(_made(base, first, advance).__getitem__)
    return OrdinaryText(partial(_stored, file))


def _write(file: Path, base: BaseModel, first: int, advance: Callable[[float], None]) -> None:
    """Make it and keep it, unless another process did meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True)
    staging = file.with_suffix(".part")
    with FileLock(f"{file}.lock"):
        if file.exists():
            return
        try:
            save_file(_made(base, first, advance), staging)
            staging.rename(file)
        finally:
            staging.unlink(missing_ok=True)


def _place(base: BaseModel, cache: Path, first: int) -> Path:
    rounded = str(training_dtype()).removeprefix("torch.")
    return cache / "ordinary" / f"{base.sha256[:16]}-{first}-{_TEXTS}x{_TOKENS}-{rounded}.safetensors"


def _stored(file: Path, name: str) -> Tensor:
    with safe_open(file, "pt") as kept:
        found: Tensor = kept.get_tensor(name)
        return found


def _made(base: BaseModel, first: int, advance: Callable[[float], None]) -> dict[str, Tensor]:
    """What is kept: the texts, each layer's moments, and what goes in and comes out of the layers."""
    texts = written(base, 0, _TEXTS, _TOKENS, advance=lambda share: advance(0.6 * share))
    with base.lock, base.bare():
        with rounded_linears(base):
            states = torch.stack(lower_states(base, texts, first))
        advance(0.8)
        layers = Layers(base, first, None, training_dtype())
        blocks = [Blocks(None, (), some) for some in torch.split(states, 8)]
        inputs = Inputs(layers, blocks)
        moments = [inputs.moments(layer) for layer in layers.layers]
        final = torch.cat([layers.norm.forward(left[: b.tokens])[0] for left, b in zip(inputs.states, blocks, strict=True)]).view(states.shape)
    advance(1.0)
    each = {f"{layer} {at}": one for layer, its in enumerate(moments) for at, one in enumerate(its)}
    shown = {"states": states[:_SHOWN].clone(), "targets": final[:_SHOWN].clone()}
    return {"texts": torch.tensor(texts), "projections": torch.tensor(len(moments[0])), **shown, **each}


def written(
    base: BaseModel, seed: int, rows: int, tokens: int, batch: int = 96, advance: Callable[[float], None] = lambda _: None
) -> list[list[int]]:  # fmt: skip
    """Texts sampled from the bare model at temperature 1; the same seed gives the same texts where products are as exact."""
    generator = torch.Generator().manual_seed(seed)
    texts: list[list[int]] = []
    with base.lock, base.bare(), torch.inference_mode(), rounded_linears(base, keep=True):
        for begin in range(0, rows, batch):
            text = step = torch.tensor([base.encode(_START)] * min(batch, rows - begin))
            steps = _steps(base, len(text), tokens + 1)
            for number in range(tokens):
                for at in range(step.shape[1]):
                    logits = steps.step(step[:, at])
                step = _sampled(torch.softmax(logits.float(), -1), generator)
                text = torch.cat([text, step], 1)
                advance((begin + len(text) * (number + 1) / tokens) / rows)
            texts += text.tolist()
    return texts


def _steps(base: BaseModel, rows: int, room: int) -> Steps | LeanSteps:
    """From nothing on: by the model's own forward, where its linears are rounded, and else written out."""
    from transformers import DynamicCache

    mask = torch.ones(rows, 0, dtype=torch.long)
    if training_dtype() is torch.bfloat16:
        return Steps(base.model, base.reach, DynamicCache(), mask, twins=False)
    return base.steps(*behind(base, None, mask, [()] * rows), room)


def _sampled(shares: Tensor, generator: torch.Generator) -> Tensor:
    """A token of each row by its probability, by inversion; several times faster than `torch.multinomial` on a large vocabulary."""
    reached = shares.cumsum(-1)
    return torch.searchsorted(reached, torch.rand(len(shares), 1, generator=generator) * reached[:, -1:]).clamp(max=shares.shape[1] - 1)
