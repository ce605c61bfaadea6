"""One token after another: the step that a chat and a recall spend their time in.

A step of one token does little arithmetic and much else. Here it is written out for models built like Llama: the projections
that share an input are one matrix, keys and values have their room from the start, nothing is decided anew. What a model's own
forward would give is compared once when the model is loaded; one that is built otherwise is stepped by that forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from engrain.memory.bank.lora import Adapter, LoraLinear, Reach
from engrain.memory.halved import Halved

TOLERANCE = 1e-3
"""Largest difference of a step's logits from the model's own, relative to their largest value, that counts as parity."""
_GROUPS = (("self_attn", ("q_proj", "k_proj", "v_proj")), ("self_attn", ("o_proj",)), ("mlp", ("gate_proj", "up_proj")), ("mlp", ("down_proj",)))
"""Projections that share an input."""


class Steps:
    """Rows that are continued together behind a cache: the model's own forward, for any architecture."""

    def __init__(self, model: Any, reach: Reach, cache: Any, mask: Tensor, adapted: Tensor | None) -> None:
        self.model, self.reach, self.cache, self.mask, self.adapted = model, reach, cache, mask, adapted

    def step(self, ids: Tensor) -> Tensor:
        """Logits after one more token a row: ids (rows,), logits (rows, vocabulary)."""
        self.mask = torch.cat([self.mask, torch.ones(len(ids), 1, dtype=torch.long)], 1)
        positions = self.mask.sum(1, keepdim=True) - 1
        reached = torch.ones(len(ids), 1, dtype=torch.bool) if self.adapted is None else self.adapted[:, None]
        with self.reach.only(reached):
            out = self.model(ids[:, None], attention_mask=self.mask, position_ids=positions, past_key_values=self.cache, use_cache=True)
        return out.logits[:, -1]  # type: ignore[no-any-return]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only."""
        self.mask, self.adapted = self.mask[rows], None if self.adapted is None else self.adapted[rows]
        self.cache.batch_select_indices(rows)


class Decoder:
    """A model's weights as a step needs them; raises AttributeError or TypeError for a model that is built otherwise.

    The projections that share an input become views of one matrix, so that nothing is in memory twice. `halved`, every weight is
    there once more, rounded to float16: a step spends its time on fetching weights.
    """

    def __init__(self, model: Any) -> None:
        config = model.config
        if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
            raise TypeError("a sliding window is not stepped here")
        inner = model.model
        self.rotary, self.embed, self.norm, self.head = inner.rotary_emb, inner.embed_tokens, _norm(inner.norm), model.lm_head
        self.layers = [_Layer(layer) for layer in inner.layers]
        self.halved_head: Halved | None = None

    def halve(self) -> None:
        """Step with weights rounded to float16 from now on, inputs and sums in float32; raises RuntimeError where the processor cannot."""
        halved = [[Halved(w, b) for w, b in zip(layer.weights, layer.biases, strict=True)] for layer in self.layers]
        self.halved_head = Halved(self.head.weight, self.head.bias)
        for layer, some in zip(self.layers, halved, strict=True):
            layer.halved = some

    def logits(self, x: Tensor) -> Tensor:
        """Of normed states, shape (rows, vocabulary)."""
        x = self.norm(x)
        return self.head(x) if self.halved_head is None else self.halved_head(x)

    def steps(self, cache: Any, mask: Tensor, room: int, worn: Adapter | None, adapted: Tensor | None) -> LeanSteps:
        """Rows behind a cache of transformers' with `room` for further tokens, changed by the adapter that is worn, where `adapted`."""
        return LeanSteps(self, cache, mask, room, worn, adapted)


class LeanSteps:
    """Rows that are continued together; see `Steps`."""

    def __init__(self, decoder: Decoder, cache: Any, mask: Tensor, room: int, worn: Adapter | None, adapted: Tensor | None) -> None:
        self.decoder = decoder
        self.at = mask.shape[1]
        self.positions = mask.sum(1)
        padded = bool((mask == 0).any())
        self.sees = torch.cat([mask.bool(), torch.ones(len(mask), room, dtype=torch.bool)], 1)[:, None, None] if padded else None
        self.keys = [_with_room(layer.keys, room) for layer in cache.layers]
        self.values = [_with_room(layer.values, room) for layer in cache.layers]
        self.adapted = None if adapted is None or bool(adapted.all()) else adapted[:, None].float()
        self.changes = _changes(worn, decoder.layers) if worn else {}
        self.own = worn is not None and next(iter(worn.a.values())).dim() == 3
        """Whether every row has an adapter of its own."""

    def step(self, ids: Tensor) -> Tensor:
        """See `Steps`."""
        decoder, at = self.decoder, self.at
        x = decoder.embed(ids)
        cos, sin = decoder.rotary(x[:, None], self.positions[:, None])  # (rows, 1, width of a head)
        sees = None if self.sees is None else self.sees[..., : at + 1]
        for number, layer in enumerate(decoder.layers):
            keys, values, changes = self.keys[number], self.values[number], self.changes.get(number, _UNCHANGED)
            h = layer.before(x)
            qkv = self._changed(layer.project(0, h), h, changes[0])
            heads = keys.shape[1]
            turned, value = torch.split(qkv, [qkv.shape[1] - heads * layer.width, heads * layer.width], 1)
            turned = turned.view(len(x), -1, layer.width)
            half = layer.width // 2
            turned = turned * cos + torch.cat((-turned[..., half:], turned[..., :half]), -1) * sin
            query, key = torch.split(turned, [turned.shape[1] - heads, heads], 1)
            keys[:, :, at], values[:, :, at] = key, value.view(len(x), heads, layer.width)
            # the queries of one key stand where a longer text's positions would
            query = query.reshape(len(x), heads, -1, layer.width)
            found = scaled_dot_product_attention(query, keys[:, :, : at + 1], values[:, :, : at + 1], attn_mask=sees, scale=layer.scale)
            found = found.reshape(len(x), -1)
            x = x + self._changed(layer.project(1, found), found, changes[1])
            h = layer.between(x)
            gate, up = self._changed(layer.project(2, h), h, changes[2]).chunk(2, 1)
            h = layer.act(gate) * up
            x = x + self._changed(layer.project(3, h), h, changes[3])
        self.at, self.positions = at + 1, self.positions + 1
        return decoder.logits(x)

    def _changed(self, out: Tensor, x: Tensor, change: tuple[Tensor, Tensor] | None) -> Tensor:
        if change is None:
            return out
        a, b = change
        inner = linear(x, a) if a.dim() == 2 else (a @ x[..., None])[..., 0]
        if self.adapted is not None:
            inner = inner * self.adapted
        return out + (linear(inner, b) if b.dim() == 2 else (b @ inner[..., None])[..., 0])

    def keep(self, rows: Tensor) -> None:
        """See `Steps`."""
        self.positions = self.positions[rows]
        self.sees = None if self.sees is None else self.sees[rows]
        self.adapted = None if self.adapted is None else self.adapted[rows]
        self.keys, self.values = [k[rows] for k in self.keys], [v[rows] for v in self.values]
        if self.own:
            self.changes = {n: [c and (c[0][rows], c[1][rows]) for c in changes] for n, changes in self.changes.items()}


class _Layer:
    """One decoder layer."""

    def __init__(self, layer: Any) -> None:
        self.before, self.between, self.act = _norm(layer.input_layernorm), _norm(layer.post_attention_layernorm), layer.mlp.act_fn
        self.width, self.scale = int(layer.self_attn.head_dim), float(layer.self_attn.scaling)
        joined = [_joined([_plain(getattr(getattr(layer, room), name)) for name in names]) for room, names in _GROUPS]
        self.weights, self.biases = [w for w, _ in joined], [b for _, b in joined]
        self.sizes = [[_plain(getattr(getattr(layer, room), name)).out_features for name in names] for room, names in _GROUPS]
        """Outputs of each projection."""
        self.halved: list[Halved] = []

    def project(self, group: int, x: Tensor) -> Tensor:
        """One of `_GROUPS` of projections of x, shape (rows, in)."""
        if self.halved:
            return self.halved[group](x)
        return linear(x, self.weights[group], self.biases[group])


class _Norm:
    """RMS normalisation in few operations."""

    def __init__(self, norm: Any) -> None:
        width = norm.weight.numel()
        self.weight = norm.weight.detach() * width**0.5
        self.epsilon = float(norm.variance_epsilon) * width

    def __call__(self, x: Tensor) -> Tensor:
        shrink = torch.linalg.vecdot(x, x).add_(self.epsilon).rsqrt_()
        return (x * shrink[..., None]).mul_(self.weight)  # type: ignore[no-any-return]


def _norm(norm: Any) -> Any:
    """A norm that is no more than that, fused; any other as it is."""
    return _Norm(norm) if hasattr(norm, "variance_epsilon") else norm


def _plain(module: nn.Module) -> nn.Linear:
    found = module.base if isinstance(module, LoraLinear) else module
    if type(found) is not nn.Linear:
        raise TypeError(f"{type(found).__name__} is no plain linear")
    return found


def _joined(linears: Sequence[nn.Linear]) -> tuple[Tensor, Tensor | None]:
    """Weights and biases one below the other; the linears keep views of them."""
    if len(linears) == 1:
        return linears[0].weight.detach(), linears[0].bias
    weight = torch.cat([one.weight.detach() for one in linears])
    for one, part in zip(linears, torch.split(weight, [one.out_features for one in linears]), strict=True):
        one.weight = nn.Parameter(part, requires_grad=False)
    biases = [one.bias.detach() for one in linears if one.bias is not None]
    if biases and len(biases) < len(linears):
        raise TypeError("some of the projections that share an input have a bias and some have none")
    return weight, torch.cat(biases) if biases else None


_Change = tuple[Tensor, Tensor]
_UNCHANGED: Sequence[_Change | None] = (None, None, None, None)


def _changes(worn: Adapter, layers: Sequence[_Layer]) -> dict[int, Sequence[_Change | None]]:
    """What an adapter adds to the joined projections of each layer: A (rank, in) and B (out, rank), the scale in it; with a
    dimension of rows in front where every row has an adapter of its own."""
    named = {tuple(name.split(".")[-3:]): name for name in worn.a}
    return {
        number: [
            _change(worn, [named.get((str(number), room, name)) for name in names], sizes)
            for (room, names), sizes in zip(_GROUPS, layers[number].sizes, strict=True)
        ]
        for number in worn.spec.layers
    }


def _change(worn: Adapter, names: Sequence[str | None], sizes: Sequence[int]) -> _Change | None:
    present = [name for name in names if name]
    if not present:
        return None
    a = torch.cat([worn.a[name] for name in present], -2)
    b = a.new_zeros(*a.shape[:-2], sum(sizes), a.shape[-2])
    row = column = 0
    for name, size in zip(names, sizes, strict=True):
        if name:
            rank = worn.a[name].shape[-2]
            b[..., row : row + size, column : column + rank] = worn.b[name] * worn.spec.scale
            column += rank
        row += size
    return a, b


def _with_room(cached: Tensor, room: int) -> Tensor:
    """Keys or values with room for further tokens, shape (rows, heads, tokens + room, width)."""
    rows, heads, tokens, width = cached.shape
    out = cached.new_empty(rows, heads, tokens + room, width)
    out[:, :, :tokens] = cached
    return out
