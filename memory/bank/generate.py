"""Many prompts answered together, the most fitting token at every step."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from engrain.memory.bank.lora import repeated
from engrain.memory.bank.vocabulary import likelihoods

if TYPE_CHECKING:
    from engrain.memory.bank.base import BaseModel
    from engrain.memory.bank.decode import LeanSteps, Steps

_GUIDANCE = 0.5
"""How much farther than the adapter goes."""
_PLAUSIBLE = 0.3
"""Least probability of a token that is chosen, as a share of the likeliest one's."""
_KNOWN = 0.5
"""A token with a higher probability needs no guidance; training leaves tokens alone from there on."""
_FEWER = 0.75
"""Rows that have ended are let go of where no more than this share go on: the others' keys and values are copied then."""
_OUT = 1e4
"""What the others are put back by: among themselves they keep their order."""


@dataclass(frozen=True)
class Spoken:
    """An answer, and how likely each of its tokens was, the end token included; natural logarithms."""

    text: str
    logprobs: tuple[float, ...]
    """With the adapter that is on."""
    without: tuple[float, ...]
    """Without; the same where none is on."""
    cut: bool = False
    """Whether it would have gone on."""


def continued(
    base: BaseModel, cache: Any, prefix: int, rows: Sequence[list[int]], max_tokens: int, stop: str | None, enough: str | None = None
) -> list[str]:  # fmt: skip
    """Continuations of rows of token ids behind a cache of `prefix` tokens, which is not changed; the caller holds `base.lock`.

    What rows have in common at their beginning is read once. A text ends before `stop`; nothing is generated behind a token with `enough` in it.
    """
    heads, which = _beginnings(rows)
    cache, mask = behind(base, _for_rows(cache, len(heads)), torch.ones(len(heads), prefix, dtype=torch.long), heads)
    cache.batch_select_indices(which)
    mask = mask[which]
    tails = [row[len(heads[head]) :] for row, head in zip(rows, which.tolist(), strict=True)]
    cache, mask = behind(base, cache, mask, [tail[:-1] for tail in tails])
    steps = base.steps(cache, mask, max_tokens)
    logits = steps.step(torch.tensor([tail[-1] for tail in tails]))
    generated: list[list[int]] = [[] for _ in rows]
    going, ended = list(range(len(rows))), set[int]()
    for number in range(max_tokens):
        chosen = logits.argmax(-1)
        for row, token in zip(going, chosen.tolist(), strict=True):
            if row not in ended:
                generated[row].append(token)
                if _ends(base, token, stop, enough):
                    ended.add(row)
        on = [at for at, row in enumerate(going) if row not in ended]
        if not on or number + 1 == max_tokens:
            break
        if len(on) <= _FEWER * len(going):
            steps.keep(torch.tensor(on))
            going, chosen = [going[at] for at in on], chosen[on]
        logits = steps.step(chosen)
    texts = [base.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in generated]
    return [text.split(stop)[0] for text in texts] if stop else texts


def _beginnings(rows: Sequence[list[int]]) -> tuple[list[list[int]], Tensor]:
    """The beginnings of rows, and which of them is whose, never all of a row: rows that have half of their tokens in common share what
    they have in common."""
    groups: list[list[int]] = []
    common: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: rows[i]):
        shared = _in_common(rows[groups[-1][0]], rows[i]) if groups else 0
        if 2 * shared >= len(rows[i]):
            groups[-1].append(i)
            common[-1] = min(common[-1], shared)
        else:
            groups.append([i])
            common.append(len(rows[i]) - 1)
    which = torch.empty(len(rows), dtype=torch.long)
    for number, group in enumerate(groups):
        which[group] = number
    return [rows[group[0]][:length] for group, length in zip(groups, common, strict=True)], which


def _in_common(one: Sequence[int], other: Sequence[int]) -> int:
    """So many tokens at their beginning are the same, without the last."""
    most = min(len(one), len(other)) - 1
    return next((at for at in range(most) if one[at] != other[at]), most)


def behind(base: BaseModel, cache: Any, mask: Tensor, rows: Sequence[Sequence[int]]) -> tuple[Any, Tensor]:
    """Cache and mask after rows of token ids, filled up at the left, behind those; no adapter acts."""
    if cache is not None and not any(rows):
        return cache, mask
    ids, own = _padded(rows)
    mask = torch.cat([mask, own], 1)
    return base.read(cache, ids, mask), mask


def weighed(base: BaseModel, cache: Any, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> list[float]:
    """How likely each answer is behind a cache, which is not changed, and a prompt: the sum of its tokens' log-probabilities.

    Cache and prompt are gone through once; the caller holds `base.lock`.
    """
    cache, states = base.read_through(*_further(_for_rows(cache, 1), [prompt]))
    cache.batch_repeat_interleave(len(answers))
    first, rows = states[-1:], [list(answer[:-1]) for answer in answers]
    if any(rows):
        _, states = base.read_through(*_further(cache, rows))
    each = torch.split(states, [len(row) for row in rows]) if any(rows) else [states[:0]] * len(rows)
    before = torch.cat([part for its in each for part in (first, its)])
    likely, _ = likelihoods(base.model.lm_head, before, [token for answer in answers for token in answer])
    return [float(its.sum()) for its in torch.split(likely, [len(answer) for answer in answers])]


def _further(cache: Any, rows: Sequence[Sequence[int]]) -> tuple[Any, Tensor, Tensor]:
    """Rows of token ids behind a cache of as many that are all text, as `BaseModel.read_through` takes them."""
    there = 0 if cache is None else cache.get_seq_length()
    ids, own = _padded(rows)
    return cache, ids, torch.cat([torch.ones(len(rows), there, dtype=torch.long), own], 1)


def spoken(
    base: BaseModel, prompts: Sequence[Sequence[int]], max_tokens: int, beginning: Sequence[int] = (), ranks: Sequence[int] = (0,)
) -> list[list[Spoken]]:  # fmt: skip
    """Answers to prompts of token ids that all start with `beginning`, which is computed once; an answer for every rank.

    An answer of rank r begins with the r-th likeliest token (an end token only at rank 0) and goes on by `guided`. Each is weighed by
    the same model without its adapter in the same steps: a row of its own, which the adapter does not change.
    The caller holds `base.lock`.
    """
    size = max(1, 16 // len(ranks))
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    out: list[list[Spoken]] = [[] for _ in prompts]
    with torch.inference_mode():
        for at in range(0, len(order), size):
            rows = order[at : at + size]
            for i, answers in zip(rows, _spoken(base, [list(prompts[i]) for i in rows], max_tokens, list(beginning), ranks), strict=True):
                out[i] = answers
    return out


def _spoken(base: BaseModel, prompts: list[list[int]], max_tokens: int, beginning: list[int], ranks: Sequence[int]) -> list[list[Spoken]]:
    if any(prompt[: len(beginning)] != beginning or len(prompt) < len(beginning) + 2 for prompt in prompts):
        beginning = []
    there = torch.ones(len(prompts), len(beginning), dtype=torch.long)
    own = [prompt[len(beginning) : -1] for prompt in prompts]
    cache, mask = behind(base, _for_rows(base.prefix(beginning), len(prompts)), there, own)  # no adapter acts before the last token
    copies = len(ranks) * (2 if base.worn else 1)
    cache.batch_repeat_interleave(copies)
    with base.wearing(repeated(base.worn, copies)) if base.worn else nullcontext():
        steps = base.steps(cache, mask.repeat_interleave(copies, 0), max_tokens + 2, twins=base.worn is not None)
        logits = steps.step(torch.tensor([prompt[-1] for prompt in prompts]).repeat_interleave(copies))
        return _greedily(base, steps, logits, max_tokens, list(ranks) * len(prompts), len(ranks))


def _greedily(base: BaseModel, steps: Steps | LeanSteps, logits: Tensor, max_tokens: int, ranks: list[int], group: int) -> list[list[Spoken]]:
    """Answers, `group` of them together, of rows that begin at the given rank."""
    pair = 2 if base.worn else 1
    tokens: list[list[int]] = [[] for _ in ranks]
    with_it: list[list[float]] = [[] for _ in ranks]
    without: list[list[float]] = [[] for _ in ranks]
    going, cut = list(range(len(ranks))), set[int]()
    end = base.tokenizer.eos_token_id
    for step in range(max_tokens + 1):
        likely = torch.log_softmax(logits.float(), -1)
        weighed = guided(likely[::pair], likely[pair - 1 :: pair])
        chosen = weighed.argmax(-1) if step else _ranked(base, weighed, ranks)
        if step == max_tokens:
            cut = {row for row, token in zip(going, chosen.tolist(), strict=True) if token not in base.end_ids}
        if cut and end is not None:
            chosen = torch.full_like(chosen, end)  # it was cut off: how likely would the end have been?
        for at, row in enumerate(going):
            token = int(chosen[at])
            tokens[row].append(token)
            with_it[row].append(float(likely[pair * at, token]))
            without[row].append(float(likely[pair * at + pair - 1, token]))
        on = [at for at, row in enumerate(going) if tokens[row][-1] not in base.end_ids]
        if not on or step == max_tokens:
            break
        if len(on) < len(going):
            steps.keep(torch.tensor([pair * at + i for at in on for i in range(pair)]))
            going, chosen = [going[at] for at in on], chosen[on]
        logits = steps.step(chosen.repeat_interleave(pair))
    texts = [base.tokenizer.decode(one, skip_special_tokens=True).strip() for one in tokens]
    answers = [Spoken(text, tuple(a), tuple(b), row in cut) for row, (text, a, b) in enumerate(zip(texts, with_it, without, strict=True))]
    return [answers[at : at + group] for at in range(0, len(answers), group)]


def guided(likely: Tensor, without: Tensor) -> Tensor:
    """What tokens are chosen by, (rows, vocabulary): log-probabilities with the adapter, and half as much again of what it changed.

    What a module learnt shows in words that were never trained as a change too small to win; further along the same way it does
    (contrastive decoding, Li et al., arXiv 2210.15097, with the model without its adapter as the amateur). Only tokens count that
    are nearly as likely as the likeliest, and where that is likelier than not, as after training, it is said as before.
    """
    best = likely.max(-1, keepdim=True).values
    weighed = torch.where(likely >= best + math.log(_PLAUSIBLE), likely + _GUIDANCE * (likely - without), likely - _OUT)
    return torch.where(best > math.log(_KNOWN), likely, weighed)


def _ranked(base: BaseModel, likely: Tensor, ranks: Sequence[int]) -> Tensor:
    """The first token of each row: the likeliest, or, of the others that do not end the answer, the one of its rank."""
    best = likely.topk(max(ranks) + 1 + len(base.end_ids), -1).indices
    first = []
    for row, rank in zip(best.tolist(), ranks, strict=True):
        others = [token for token in row[1:] if token not in base.end_ids]
        first.append(row[0] if rank == 0 else others[rank - 1])
    return torch.tensor(first)


def _padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(ids, mask) of rows filled up at the left."""
    width = max(1, *map(len, rows))
    ids = torch.tensor([[0] * (width - len(r)) + list(r) for r in rows])
    return ids, torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows])


def _for_rows(cache: Any, rows: int) -> Any:
    """The keys and values of one row for many, which go on without it; None stays.

    The tensors are shared: what goes on behind them makes new ones.
    """
    if cache is None:
        return None
    cache, layers = copy.copy(cache), cache.layers
    cache.layers = [copy.copy(layer) for layer in layers]
    if rows > 1:
        cache.batch_repeat_interleave(rows)
    return cache


def last(ids: Tensor) -> Tensor:
    """The last position of each row: that of a prompt, or the one token of a step."""
    return torch.arange(ids.shape[1]).expand_as(ids) == ids.shape[1] - 1


def _ends(base: BaseModel, token: int, *marks: str | None) -> bool:
    if token in base.end_ids:
        return True
    said = base.tokenizer.decode([token])
    return any(mark in said for mark in marks if mark)
