"""Context distillation: what the base model itself would say with the fact in view, as a target beside the answer.

"Learning by Distilling Context" (Snell et al., arXiv 2209.15189). The teacher is the bare base model, shown the fact before the
question; the module is to say the same without it. Of a teacher's distribution the likeliest tokens are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import SYSTEM, Message, answer_ids

_KEPT = 32
"""So many of the likeliest tokens are kept, and made to sum to 1."""


@dataclass(frozen=True)
class Soft:
    """The teacher's next-token distributions along an answer, each of shape (tokens, kept)."""

    tokens: Tensor
    shares: Tensor


@torch.no_grad()
def soft_targets(base: BaseModel, questions: Sequence[str], answers: Sequence[str], contexts: Sequence[str]) -> list[Soft]:
    """One for each answer, its end token included; where there is no context, the answer itself."""
    out = []
    for question, answer, context in zip(questions, answers, contexts, strict=True):
        said = answer_ids(base, answer)
        if context:
            prompt = base.chat_ids([Message("system", SYSTEM), Message("user", f"{context}\n{question}")])
            hidden = base.model.model(torch.tensor([[*prompt, *said[:-1]]]), use_cache=False).last_hidden_state
            best = torch.softmax(base.model.lm_head(hidden[0, len(prompt) - 1 :]).float(), -1).topk(_KEPT)
            out.append(Soft(best.indices, best.values / best.values.sum(-1, keepdim=True)))
        else:
            tokens = torch.tensor(said)[:, None].repeat(1, _KEPT)
            out.append(Soft(tokens, torch.nn.functional.one_hot(torch.zeros(len(said), dtype=torch.long), _KEPT).float()))
    return out
