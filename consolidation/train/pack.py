"""Many answers in one forward with hardly any padding, each behind its own prompt's keys and values.

The answers stand one after the other in one sequence, as blocks that attend each by itself to their prompt and themselves;
position ids go on from the prompt. What all prompts begin with is there only once. Texts that have nothing to do with the
answers ride along as blocks of their own. The result equals that of each row alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FILL = 8
"""Sequences are so many tokens long, or a multiple of it."""


@dataclass(frozen=True)
class Rows:
    """The rows of a training: answers and the prompts that they stand behind."""

    seen: Mapping[int, Tensor]
    """Of each adapted layer the keys, with their positions in them, and the values, shape (2 · heads, tokens, width): first what all prompts
    begin with, behind it each prompt's own tokens but the last one, one prompt behind the other."""
    states: Sequence[Tensor]
    """What enters the adapted layers from a prompt's last token to the answer's last but one, shape (tokens, width)."""
    begins: Sequence[int]
    """Position of the first of these: the prompt's tokens but one."""
    shared: int
    """Tokens of the beginning."""


def common_beginning(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with, the last two tokens of the shortest left out."""
    length = max(0, min(map(len, rows)) - 2)
    return next((at for at in range(length) if len({row[at] for row in rows}) > 1), length)


def filled(x: Tensor) -> Tensor:
    """x with zeros behind it, up to a multiple of `FILL`: products of ever new sizes cost more time and memory to prepare than to do."""
    return torch.nn.functional.pad(x, [0, 0] * (x.dim() - 1) + [0, -len(x) % FILL])


Attended = Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]
"""What `Blocks.attend` found, as `Blocks.back` needs it: of each group of rows queries, keys, values and their shares."""


class Blocks:
    """Chosen rows and texts apart as one sequence, and who sees what in it: a row the beginning, its prompt and itself, a text apart itself."""

    def __init__(self, rows: Rows | None, chosen: Sequence[int], apart: Tensor | None = None) -> None:
        """`apart` has the shape (texts, tokens, width)."""
        self.rows = rows
        own = [rows.states[i] for i in chosen] if rows else []
        begins = [rows.begins[i] for i in chosen] if rows else []
        positions = [torch.arange(begin, begin + len(one)) for begin, one in zip(begins, own, strict=True)]
        self.groups = [_Group.of_rows(rows, chosen)] if rows and own else []
        if apart is not None:
            self.groups.append(_Group.apart(sum(map(len, own)), *apart.shape[:2]))
            own.append(apart.flatten(0, 1))
            positions.append(torch.arange(apart.shape[1]).repeat(len(apart)))
        self.tokens = sum(map(len, own))
        """Of rows and texts; what is behind them fills up to a length that other sequences have too, and is seen by nobody."""
        self.states, self.positions = filled(torch.cat(own)), filled(torch.cat(positions))
        """What enters, shape (tokens and more, width), and where each token stands."""

    def attend(self, layer: int, heads: Tensor, asking: int) -> tuple[Tensor, Attended]:
        """What each token finds: (tokens, heads, width) of queries, `asking` of them, keys and values to (tokens, asking · width)."""
        seen = self.rows.seen[layer] if self.rows else None
        found, kept = zip(*(group.attend(heads, asking, seen) for group in self.groups), strict=True)
        return filled(torch.cat(found)), kept

    def back(self, gradient: Tensor, attended: Attended) -> Tensor:
        """The gradient of the heads that `attend` was given, of the one of what was found."""
        found = [group.back(gradient, kept) for group, kept in zip(self.groups, attended, strict=True)]
        return filled(torch.cat(found))


class _Group:
    """Rows that attend each by itself, in one product: made equally long by their last token again, which nobody sees."""

    def __init__(self, first: int, lengths: Tensor, mask: Tensor, places: Tensor | None) -> None:
        """`mask` (rows, longest row, seen and longest row) tells who sees what, `places` (rows, seen) where in `Rows.seen` it stands."""
        self.rows, self.longest = len(lengths), int(lengths.max())
        self.where = slice(first, first + int(lengths.sum()))
        self.seen = mask.shape[2] - self.longest
        place, begins = torch.arange(self.longest), lengths.cumsum(0) - lengths
        self.fold = (begins[:, None] + torch.minimum(place, lengths[:, None] - 1)).flatten()
        """The token of the sequence at each place of the rows, shape (rows · longest)."""
        self.unfold = (place < lengths[:, None]).flatten().nonzero()[:, 0]
        self.mask = torch.zeros(mask.shape).masked_fill_(~mask, -torch.inf)
        self.places = None if places is None else torch.nn.functional.pad(places, (0, self.longest)).flatten()
        """With places for the row itself behind."""
        self.hidden: Tensor | None = None

    @classmethod
    def of_rows(cls, rows: Rows, chosen: Sequence[int]) -> _Group:
        picked = list(chosen)
        lengths = torch.tensor([len(rows.states[i]) for i in picked])
        own = torch.tensor(rows.begins) - rows.shared
        prompts, before = own[picked], (own.cumsum(0) - own)[picked]
        place = torch.arange(int(prompts.max()))
        told = torch.minimum(place, prompts[:, None] - 1) + before[:, None] + rows.shared
        beginning = torch.arange(rows.shared).expand(len(picked), -1)
        longest = int(lengths.max())
        seen = torch.cat([torch.ones(len(picked), rows.shared, dtype=torch.bool), place < prompts[:, None]], 1)[:, None].expand(-1, longest, -1)
        return cls(0, lengths, torch.cat([seen, _causal(len(picked), longest)], 2), torch.cat([beginning, told], 1))

    @classmethod
    def apart(cls, first: int, texts: int, tokens: int) -> _Group:
        return cls(first, torch.full((texts,), tokens), _causal(texts, tokens), None)

    def attend(self, heads: Tensor, asking: int, seen: Tensor | None) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
        """See `Blocks.attend`; the queries that share a key stand where a longer text's would."""
        rows, longest, width = self.rows, self.longest, heads.shape[2]
        known = (heads.shape[1] - asking) // 2
        own = heads[self.where].index_select(0, self.fold).view(rows, longest, -1, width)
        query = own[:, :, :asking].view(rows, longest, known, -1, width).permute(2, 0, 3, 1, 4).reshape(known * rows, -1, width)
        if seen is None or self.places is None:
            both = own.new_empty(2 * known, rows, longest, width)
        else:
            both = seen.index_select(1, self.places).float().view(2 * known, rows, -1, width)
        both[:, :, self.seen :] = own[:, :, asking:].permute(2, 0, 1, 3)
        key, value = both.view(2, known * rows, -1, width)
        if self.hidden is None:
            self.hidden = self.mask[None, :, None].expand(known, -1, asking // known, -1, -1).reshape(known * rows, query.shape[1], -1)
        shares = torch.baddbmm(self.hidden, query, key.transpose(1, 2)).softmax(-1)
        found = torch.bmm(shares, value).view(known, rows, -1, longest, width).permute(1, 3, 0, 2, 4).reshape(rows * longest, -1)
        return found.index_select(0, self.unfold), (query, key, value, shares)

    def back(self, gradient: Tensor, kept: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        """See `Blocks.back`."""
        query, key, value, shares = kept
        rows, longest, width = self.rows, self.longest, query.shape[2]
        known, asking = len(query) // rows, gradient.shape[1] // width
        found = gradient.new_zeros(rows * longest, gradient.shape[1]).index_copy_(0, self.unfold, gradient[self.where])
        found = found.view(rows, longest, known, -1, width).permute(2, 0, 3, 1, 4).reshape(known * rows, -1, width)
        scores = torch.bmm(found, value.transpose(1, 2))
        scores.sub_((scores * shares).sum(-1, keepdim=True)).mul_(shares)
        heads = gradient.new_empty(rows, longest, asking + 2 * known, width)
        to_query, to_key, to_value = torch.split(heads, [asking, known, known], 2)
        to_query.view(rows, longest, known, -1, width).copy_(torch.bmm(scores, key).view(known, rows, -1, longest, width).permute(1, 3, 0, 2, 4))
        for into, weights, of in ((to_key, scores, query), (to_value, shares, found)):
            into.copy_(torch.bmm(weights[:, :, self.seen :].transpose(1, 2), of).view(known, rows, longest, width).permute(1, 2, 0, 3))
        return heads.view(rows * longest, -1, width).index_select(0, self.unfold)


def _causal(rows: int, tokens: int) -> Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool).tril().expand(rows, -1, -1)
