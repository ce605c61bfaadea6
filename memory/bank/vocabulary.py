"""The last product of a model: of many tokens at once, what each word of its vocabulary is likely to be."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_WORDS = 512
"""So many words are multiplied at once. For some ten or hundred rows products of a whole vocabulary, some hundred times as long as they are
wide, are not cut well by the library: in blocks, each processor its own, they took half to nine tenths of the time (2 to 256 rows, AVX2)."""
_ROWS = 128
"""So many tokens' shares of the vocabulary are in memory at once."""


@torch.no_grad()
def logits_of(states: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """states (rows, width) times weight (words, width) transposed, plus bias: (rows, words), without a gradient."""
    blocks = len(weight) // _WORDS
    if weight.dtype is not torch.float32 or len(states) < 2 or blocks < 2:
        return nn.functional.linear(states, weight, bias)
    out, whole = states.new_empty(len(states), len(weight)), blocks * _WORDS
    cut = weight[:whole].view(blocks, _WORDS, -1).transpose(1, 2)
    torch.bmm(states.expand(blocks, -1, -1), cut, out=out[:, :whole].view(len(states), blocks, _WORDS).transpose(0, 1))
    if whole < len(weight):
        torch.mm(states, weight[whole:].t(), out=out[:, whole:])
    return out if bias is None else out.add_(bias)


@torch.no_grad()
def likelihoods(head: nn.Linear, states: Tensor, tokens: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The log-probability of the token that follows each state, and whether no other is likelier; states (rows, width), both (rows,)."""
    wanted = torch.tensor(list(tokens), dtype=torch.long)
    found, best = [], []
    for some, its in zip(torch.split(states, _ROWS), torch.split(wanted, _ROWS), strict=True):
        every = logits_of(some, head.weight, head.bias).float()
        found.append(every.gather(1, its[:, None])[:, 0] - every.logsumexp(-1))
        best.append(every.argmax(-1) == its)
    return torch.cat(found), torch.cat(best)
