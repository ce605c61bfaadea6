"""LoRA on the linear layers of a resident base model (Hu et al., arXiv 2106.09685), switched in place.

A base model's linears are wrapped once; putting an adapter on is a pointer assignment per linear, so activation costs the
same however many modules are resident. Files are in PEFT's own format.

A module acts from the last token of a prompt on: it changes what is answered, not how the question is read. What the layers
make of a prompt is then the base model's own, whatever the module, and is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engrain.errors import ModuleError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
_PREFIX = "base_model.model."


@dataclass(frozen=True)
class LoraSpec:
    """Where an adapter sits and how large it is."""

    rank: int
    alpha: int
    layers: tuple[int, ...]
    """Indices of the adapted decoder layers."""
    targets: tuple[str, ...]
    """Names of the adapted linears inside a layer, e.g. `q_proj`."""

    @property
    def scale(self) -> float:
        return self.alpha / self.rank


@dataclass(frozen=True, eq=False)
class Adapter:
    """The two matrices of each adapted linear: A (rank, in) and B (out, rank), by the linear's name.

    Stacked (see `stacked`), both have a dimension of rows in front. An adapter equals itself alone, so that what is derived of it can be kept
    beside it.
    """

    spec: LoraSpec
    a: Mapping[str, Tensor]
    b: Mapping[str, Tensor]

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.a.values(), *self.b.values()]

    @property
    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in self.parameters)


class Reach:
    """Which positions of the forward that is going on an adapter acts on; shared by all linears of a model."""

    def __init__(self) -> None:
        self.positions: Tensor | None = None
        """Shape (batch, tokens, 1), 1 where it acts and 0 elsewhere; None: everywhere."""

    @contextmanager
    def only(self, positions: Tensor) -> Iterator[None]:
        """Inside, an adapter acts on these positions; a bool tensor of shape (batch, tokens)."""
        self.positions = positions[..., None].float()
        try:
            yield
        finally:
            self.positions = None


class LoraLinear(nn.Module):
    """A frozen linear with room for one adapter: x W^T (+ scale · x A^T B^T while one is on, where it reaches)."""

    def __init__(self, base: nn.Linear, reach: Reach) -> None:
        super().__init__()
        self.base = base
        self.reach = reach
        self.slot: tuple[Tensor, Tensor, float] | None = None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x)
        if self.slot is None:
            return y
        a, b, scale = self.slot
        inner = x @ a.mT * scale
        if self.reach.positions is not None:
            inner = inner * self.reach.positions
        return y + inner @ b.mT


def adapted_names(model: nn.Module, spec: LoraSpec) -> list[str]:
    """The names of the linears an adapter of this spec sits on, in the model's order.

    Raises ModuleError where the model has no such linear.
    """
    wanted = {f"layers.{layer}." for layer in spec.layers}
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | LoraLinear) and name.rsplit(".", 1)[-1] in spec.targets and any(part in name for part in wanted)
    ]
    if not names:
        raise ModuleError(f"no linear named {spec.targets!r} in layers {spec.layers!r}; the adapter is for another base model")
    return names


def wrap(model: nn.Module, names: list[str], reach: Reach) -> dict[str, LoraLinear]:
    """Wrap the named linears, once; returns them by name."""
    wrapped: dict[str, LoraLinear] = {}
    for name in names:
        parent_name, _, child = name.rpartition(".")
        parent = model.get_submodule(parent_name)
        linear = getattr(parent, child)
        if not isinstance(linear, LoraLinear):
            linear = LoraLinear(linear, reach)
            setattr(parent, child, linear)
        wrapped[name] = linear
    return wrapped


def switch_on(linears: Mapping[str, LoraLinear], adapter: Adapter) -> None:
    """Put an adapter on; the caller switches it off again."""
    for name, a in adapter.a.items():
        linears[name].slot = (a, adapter.b[name], adapter.spec.scale)


def switch_off(linears: Mapping[str, LoraLinear]) -> None:
    """Take whatever adapter is on off."""
    for linear in linears.values():
        linear.slot = None


def stacked(adapters: Sequence[Adapter]) -> Adapter:
    """Adapters on the same layers as one that changes the rows of a batch each by its own; smaller ranks are filled up with zeros."""
    rank = max(adapter.spec.rank for adapter in adapters)
    spec = LoraSpec(rank, rank, adapters[0].spec.layers, adapters[0].spec.targets)
    if any((one.spec.layers, one.a.keys()) != (spec.layers, adapters[0].a.keys()) for one in adapters):
        raise ModuleError("modules on different layers cannot be asked in one batch; ask them one after the other")
    pad = nn.functional.pad
    a = {n: torch.stack([pad(one.a[n], (0, 0, 0, rank - one.spec.rank)) for one in adapters]) for n in adapters[0].a}
    b = {n: torch.stack([pad(one.b[n] * one.spec.scale, (0, rank - one.spec.rank)) for one in adapters]) for n in adapters[0].a}
    return Adapter(spec, a, b)


def repeated(adapter: Adapter, copies: int) -> Adapter:
    """A stacked adapter for rows that stand `copies` times each, one after the other; any other is for all rows anyway."""
    if copies == 1 or next(iter(adapter.a.values())).dim() == 2:
        return adapter
    a, b = ({name: t.repeat_interleave(copies, 0) for name, t in some.items()} for some in (adapter.a, adapter.b))
    return Adapter(adapter.spec, a, b)


def fresh(model: nn.Module, spec: LoraSpec, generator: torch.Generator) -> Adapter:
    """A new trainable adapter: A Kaiming-uniform, B zero, as PEFT initialises it."""
    a: dict[str, Tensor] = {}
    b: dict[str, Tensor] = {}
    for name in adapted_names(model, spec):
        linear = model.get_submodule(name)
        linear = linear.base if isinstance(linear, LoraLinear) else linear
        assert isinstance(linear, nn.Linear)
        bound = 1 / linear.in_features**0.5
        weight = torch.empty(spec.rank, linear.in_features).uniform_(-bound, bound, generator=generator)
        a[name] = weight.requires_grad_()
        b[name] = torch.zeros(linear.out_features, spec.rank).requires_grad_()
    return Adapter(spec, a, b)


def save(adapter: Adapter, folder: Path, base_name: str) -> None:
    """Write an adapter as PEFT does, in bfloat16: `adapter_model.safetensors` and `adapter_config.json`."""
    from peft import LoraConfig

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{_PREFIX}{n}.lora_{k}.weight": t.detach().to(torch.bfloat16).contiguous() for n, k, t in _pairs(adapter)}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    LoraConfig(
        r=adapter.spec.rank,
        lora_alpha=adapter.spec.alpha,
        target_modules=sorted(adapter.spec.targets),
        layers_to_transform=list(adapter.spec.layers),
        layers_pattern="layers",
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
        base_model_name_or_path=base_name,
        inference_mode=True,
    ).save_pretrained(str(folder))


def load(folder: Path, model: nn.Module, spec: LoraSpec) -> Adapter:
    """Read an adapter and check every key and shape against the model; raises ModuleError."""
    stored = load_file(folder / WEIGHTS)
    a: dict[str, Tensor] = {}
    b: dict[str, Tensor] = {}
    for name in adapted_names(model, spec):
        linear = model.get_submodule(name)
        linear = linear.base if isinstance(linear, LoraLinear) else linear
        assert isinstance(linear, nn.Linear)
        shapes = {"A": (spec.rank, linear.in_features), "B": (linear.out_features, spec.rank)}
        for kind, into in (("A", a), ("B", b)):
            key = f"{_PREFIX}{name}.lora_{kind}.weight"
            tensor = stored.pop(key, None)
            if tensor is None or tuple(tensor.shape) != shapes[kind]:
                found = None if tensor is None else tuple(tensor.shape)
                raise ModuleError(f"{key!r} in {folder.name!r} is {found}, the base model needs {shapes[kind]}; rebuild the module")
            into[name] = tensor.float()
    if stored:
        raise ModuleError(f"{folder.name!r} holds unknown tensors {sorted(stored)[:3]!r}; it was made for another base model")
    return Adapter(spec, a, b)


def _pairs(adapter: Adapter) -> Iterator[tuple[str, str, Tensor]]:
    for name in adapter.a:
        yield name, "A", adapter.a[name]
        yield name, "B", adapter.b[name]
