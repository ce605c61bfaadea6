"""One token after another, where a chat and a recall spend their time, and before it a recall's question.

A step of one token does little arithmetic and much else, a question of some ten not much more. Here both are written out for
models built like Llama: the projections that share an input are one matrix, keys and values have their room from the start,
nothing is decided anew. What a model's own forward would give is compared once when the model is loaded; one that is built
otherwise is stepped by that forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from engrain.memory.bank.lora import Adapter, LoraLinear, Reach
from engrain.memory.halved import Halved

TOLERANCE = 1e-3
"""Largest difference of a step's logits from the model's own, relative to their largest value, that counts as parity."""
GROUPS = (("self_attn", ("q_proj", "k_proj", "v_proj")), ("self_attn", ("o_proj",)), ("mlp", ("gate_proj", "up_proj")), ("mlp", ("down_proj",)))
"""Projections that share an input, in the order in which a layer comes to them."""


class Steps:
    """Rows that are continued together behind a cache: the model's own forward, for any architecture.

    Rows may be twins: two and two with one text, of which the adapter that is on changes the first.
    """

    def __init__(self, model: Any, reach: Reach, cache: Any, mask: Tensor, twins: bool) -> None:
        self.model, self.reach, self.cache, self.mask, self.twins = model, reach, cache, mask, twins

    def step(self, ids: Tensor) -> Tensor:
        """Logits after one more token a row: ids (rows,), logits (rows, vocabulary)."""
        self.mask = torch.cat([self.mask, torch.ones(len(ids), 1, dtype=torch.long)], 1)
        positions = self.mask.sum(1, keepdim=True) - 1
        reached = _firsts(len(ids)) if self.twins else torch.ones(len(ids), dtype=torch.bool)
        with self.reach.only(reached[:, None]):
            out = self.model(ids[:, None], attention_mask=self.mask, position_ids=positions, past_key_values=self.cache, use_cache=True)
        return out.logits[:, -1]  # type: ignore[no-any-return]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only; of twins with both."""
        self.mask = self.mask[rows]
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
        attention = [layer.self_attn for layer in inner.layers]
        shapes = {(int(one.head_dim), float(one.scaling)) for one in attention}
        if len(shapes) > 1:
            raise TypeError("layers of several shapes are not stepped here")
        ((self.width, scale),) = shapes
        self.asking, self.known = int(config.num_attention_heads), int(config.num_key_value_heads)
        self.scales = torch.tensor([scale] * self.asking + [1.0] * self.known)[:, None]
        self.halved_head: Halved | None = None
        self._changes: WeakKeyDictionary[Adapter, _Changes] = WeakKeyDictionary()
        """Of the adapters that were worn and are still resident."""

    def changes(self, worn: Adapter) -> _Changes:
        """What an adapter adds to each layer, joined once; anew at every call where it is being trained."""
        kept = self._changes.get(worn)
        if kept is None:
            kept = _changes(worn, self.layers)
            if not any(p.requires_grad for p in worn.parameters):
                self._changes[worn] = kept
        return kept

    def bytes_of(self, adapter: Adapter) -> int:
        """What is kept of an adapter beside it, in bytes; 0 before it was worn."""
        kept = self._changes.get(adapter, {})
        return sum(t.numel() * t.element_size() for its in kept.values() for change in its if change for t in change)

    def halve(self) -> None:
        """Step with weights rounded to float16 from now on, inputs and sums in float32; raises RuntimeError where the processor cannot."""
        halved = [[Halved(w, b) for w, b in zip(layer.weights, layer.biases, strict=True)] for layer in self.layers]
        self.halved_head = Halved(self.head.weight, self.head.bias)
        for layer, some in zip(self.layers, halved, strict=True):
            layer.halved = some

    def turns(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine for queries and keys of rows at these positions, the attention's scale in those of the queries.

        Shape (rows, queries + keys, width); the sine's first half is negative, so that a roll by half the width turns.
        """
        cos, sin = self.rotary(x[:, None], positions[:, None])  # (rows, 1, width)
        sin = torch.cat([-sin[..., : self.width // 2], sin[..., self.width // 2 :]], -1)
        return cos * self.scales, sin * self.scales

    def logits(self, x: Tensor) -> Tensor:
        """Of normed states, shape (rows, vocabulary)."""
        x = self.norm(x)
        return self.head(x) if self.halved_head is None else self.halved_head(x)

    def read(self, cache: Any, ids: Tensor, mask: Tensor, final: bool = False) -> Tensor:
        """Put the keys and values of more tokens, (rows, tokens), behind those of a cache of transformers'; no adapter acts.

        `mask` (rows, tokens there and here) tells what is text; what is none takes part in the attention alone. Gives the final
        normed states of the text, one row's behind the other's, (tokens, width); none unless they are wanted.
        """
        rows, tokens = ids.shape
        there = mask.shape[1] - tokens
        text = mask[:, there:].flatten().nonzero()[:, 0]
        x = self.embed(ids.flatten()[text])
        cos, sin = self.turns(x, (mask.cumsum(1) - 1)[:, there:].flatten()[text])
        seen = torch.ones(tokens, there + tokens, dtype=torch.bool).tril(there) & (mask[:, None, None] > 0)
        seen |= torch.eye(tokens, there + tokens, dtype=torch.bool).roll(there, 1)  # what is no text sees itself
        for number, layer in enumerate(self.layers):
            h = layer.before(x)
            heads = layer.project(0, h).view(len(x), self.asking + 2 * self.known, self.width)
            moving = heads[:, : self.asking + self.known]
            moving.copy_((moving * cos).addcmul_(moving.roll(self.width // 2, -1), sin))
            placed = heads.new_zeros(rows * tokens, *heads.shape[1:]).index_copy_(0, text, heads).view(rows, tokens, -1, self.width).transpose(1, 2)
            query, key, value = torch.split(placed, [self.asking, self.known, self.known], 1)
            keys, values = cache.update(key, value, number)
            if number + 1 == len(self.layers) and not final:
                return x.narrow(0, 0, 0)  # type: ignore[no-any-return]
            h = scaled_dot_product_attention(query, keys, values, seen, scale=1.0, enable_gqa=True)
            x.add_(layer.project(1, h.transpose(1, 2).reshape(rows * tokens, -1).index_select(0, text)))
            h = layer.between(x)
            gate, up = layer.project(2, h).chunk(2, 1)
            x.add_(layer.project(3, layer.act(gate).mul_(up)))
        return self.norm(x)  # type: ignore[no-any-return]

    def steps(self, cache: Any, mask: Tensor, room: int, worn: Adapter | None, twins: bool) -> LeanSteps:
        """Rows behind a cache of transformers' with `room` for further tokens, changed by the adapter that is worn; see `Steps`."""
        return LeanSteps(self, cache, mask, room, worn, twins)


class LeanSteps:
    """Rows that are continued together; see `Steps`. Up to the first layer that the adapter changes twins are one row."""

    def __init__(self, decoder: Decoder, cache: Any, mask: Tensor, room: int, worn: Adapter | None, twins: bool) -> None:
        self.decoder = decoder
        self.at = mask.shape[1]
        self.positions = mask.sum(1)
        padded = bool((mask == 0).any())
        self.hidden = _hiding(torch.cat([mask, torch.ones(len(mask), room, dtype=torch.long)], 1)) if padded else None
        """Added to the attention, shape (rows, 1, 1, tokens and room)."""
        self.changes = decoder.changes(worn) if worn else {}
        self.parting = min(self.changes, default=0) if twins else 0
        """The first layer in which every row is by itself."""
        self.places = [
            _places(*(_with_room(some[::2] if number < self.parting else some, room) for some in (layer.keys, layer.values)))
            for number, layer in enumerate(cache.layers)
        ]
        self.twins = twins
        self.own = worn is not None and next(iter(worn.a.values())).dim() == 3
        """Whether every row has an adapter of its own."""
        if twins:
            self._pick(torch.arange(0, len(mask), 2))

    def step(self, ids: Tensor) -> Tensor:
        """See `Steps`."""
        decoder, at, first = self.decoder, self.at, slice(None, None, 2 if self.parting else 1)
        x, hidden = decoder.embed(ids[first]), None if self.hidden is None else self.hidden[first, ..., : at + 1]
        cos, sin = decoder.turns(x, self.positions[first])
        for number, layer in enumerate(decoder.layers):
            if number == self.parting > 0:
                x, cos, sin = (one.repeat_interleave(2, 0) for one in (x, cos, sin))
                hidden = None if self.hidden is None else self.hidden[..., : at + 1]
            changes = self.changes.get(number, _UNCHANGED)
            h = layer.before(x)
            heads = self._changed(layer.project(0, h), h, changes[0]).view(len(x), -1, decoder.width)
            h = self._attend(number, heads, cos, sin, hidden)
            x.add_(self._changed(layer.project(1, h), h, changes[1]))
            h = layer.between(x)
            gate, up = self._changed(layer.project(2, h), h, changes[2]).chunk(2, 1)
            h = layer.act(gate).mul_(up)
            x.add_(self._changed(layer.project(3, h), h, changes[3]))
        self.at, self.positions = at + 1, self.positions + 1
        return decoder.logits(x)

    def _attend(self, number: int, heads: Tensor, cos: Tensor, sin: Tensor, hidden: Tensor | None) -> Tensor:
        """What each row finds, shape (rows, queries * width): heads (rows, queries + keys + values, width) of the new token."""
        at, rows, (keys, values, known, told) = self.at, len(heads), self.places[number]
        groups, width = keys.shape[1], keys.shape[3]
        moving, value = torch.split(heads, [heads.shape[1] - groups, groups], 1)
        turned = (moving * cos).addcmul_(moving.roll(width // 2, -1), sin)
        query, key = torch.split(turned, [turned.shape[1] - groups, groups], 1)
        keys.select(2, at).copy_(key)
        values.select(2, at).copy_(value)
        # the queries that share a key stand where a longer text's positions would
        scores = torch.bmm(query.reshape(rows * groups, -1, width), known.narrow(2, 0, at + 1))
        if hidden is not None:
            scores.view(rows, groups, -1, at + 1).add_(hidden)
        return torch.bmm(scores.softmax(-1), told.narrow(1, 0, at + 1)).view(rows, -1)

    def _changed(self, out: Tensor, x: Tensor, change: _Change | None) -> Tensor:
        """`out` and what an adapter adds for x; of twins to the first."""
        if change is None:
            return out
        a, b = change
        x, changed = (x[::2], out[::2]) if self.twins else (x, out)
        if self.own:
            changed += torch.bmm(b, torch.bmm(a, x[..., None]))[..., 0]
        else:
            changed.addmm_(x @ a, b)
        return out

    def keep(self, rows: Tensor) -> None:
        """See `Steps`; of twins both or none."""
        self.positions = self.positions[rows]
        self.hidden = None if self.hidden is None else self.hidden[rows]
        ones = rows[::2] // 2
        self.places = [
            _places(keys[which], values[which])
            for number, (keys, values, _, _) in enumerate(self.places)
            for which in [ones if number < self.parting else rows]
        ]
        self._pick(ones if self.twins else rows)

    def _pick(self, rows: Tensor) -> None:
        """Go on with these rows' adapters, where each has its own; of twins only the first wears it."""
        if self.own:
            self.changes = {n: [c and (c[0][rows], c[1][rows]) for c in changes] for n, changes in self.changes.items()}


class _Layer:
    """One decoder layer."""

    def __init__(self, layer: Any) -> None:
        self.before, self.between, self.act = _norm(layer.input_layernorm), _norm(layer.post_attention_layernorm), layer.mlp.act_fn
        joined = [_joined([plain(getattr(getattr(layer, room), name)) for name in names]) for room, names in GROUPS]
        self.weights, self.biases = [w for w, _ in joined], [b for _, b in joined]
        self.sizes = [[plain(getattr(getattr(layer, room), name)).out_features for name in names] for room, names in GROUPS]
        """Outputs of each projection."""
        self.halved: list[Halved] = []

    def project(self, group: int, x: Tensor) -> Tensor:
        """One of `GROUPS` of projections of x, shape (rows, in)."""
        if self.halved:
            return self.halved[group](x)
        return linear(x, self.weights[group], self.biases[group])


class _Norm:
    """RMS normalisation in few operations."""

    def __init__(self, norm: Any) -> None:
        width = norm.weight.numel()
        self.weight = norm.weight.detach() * width**0.5
        self.epsilon = torch.tensor((float(norm.variance_epsilon) * width) ** 0.5)

    def __call__(self, x: Tensor) -> Tensor:
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True).hypot_(self.epsilon)
        return (x * self.weight).div_(size)  # type: ignore[no-any-return]


def _norm(norm: Any) -> Any:
    """A norm that is no more than that, fused; any other as it is."""
    return _Norm(norm) if hasattr(norm, "variance_epsilon") else norm


def plain(module: nn.Module) -> nn.Linear:
    """The linear itself, whether an adapter was put on it or not; raises TypeError for anything else."""
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
_Changes = dict[int, Sequence[_Change | None]]
_UNCHANGED: Sequence[_Change | None] = (None, None, None, None)


def _changes(worn: Adapter, layers: Sequence[_Layer]) -> _Changes:
    """What an adapter adds to the joined projections of each layer: A (in, rank) and B (rank, out), the scale in it; where every row
    has an adapter of its own, A (rows, rank, in) and B (rows, out, rank)."""
    named = {tuple(name.split(".")[-3:]): name for name in worn.a}
    return {
        number: [
            _change(worn, [named.get((str(number), room, name)) for name in names], sizes)
            for (room, names), sizes in zip(GROUPS, layers[number].sizes, strict=True)
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
    return (a, b) if a.dim() == 3 else (a.t().contiguous(), b.t().contiguous())


def _firsts(rows: int) -> Tensor:
    """The first of each two rows, shape (rows,)."""
    return torch.arange(rows) % 2 == 0


def _places(keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Keys and values, (rows, heads, places, width), and the same memory as products take it: (rows * heads, width, places) and
    (rows * heads, places, width)."""
    return keys, values, keys.flatten(0, 1).transpose(1, 2), values.flatten(0, 1)


def _hiding(mask: Tensor) -> Tensor:
    """What is added to the attention so that nothing is found where the mask is 0."""
    return torch.zeros(mask.shape).masked_fill_(mask == 0, -torch.inf)[:, None, None]


def _with_room(cached: Tensor, room: int) -> Tensor:
    """Keys or values with room for further tokens, shape (rows, heads, tokens + room, width)."""
    rows, heads, tokens, width = cached.shape
    out = cached.new_empty(rows, heads, tokens + room, width)
    out[:, :, :tokens] = cached
    return out
