"""What training must leave alone: the base model's own ordinary text.

Beside every batch of memories the trainer shows the model a stretch of text that the base model wrote by itself and holds
its final hidden states where the base model had them. The text is pseudo-rehearsal (Robins, "Catastrophic forgetting,
rehearsal and pseudorehearsal", 1995): it needs no data, whatever the base. The term is the locality term of model editing
(MEND, arXiv 2110.11309), on states instead of logits because on a CPU the vocabulary projection would cost more than the
layers.
"""

from __future__ import annotations

import torch

from engrain.memory.bank.base import BaseModel

_START = "\n"
"""After a line break a model writes prose, lists, code and dialogue, in the shares it was made of."""


def ordinary_text(base: BaseModel, seed: int, rows: int = 64, tokens: int = 64) -> list[list[int]]:
    """Token ids of texts sampled from the bare model at temperature 1; the same seed gives the same texts."""
    generator = torch.Generator().manual_seed(seed)
    text = step = torch.tensor([base.encode(_START)] * rows)
    cache = None
    with base.lock, torch.inference_mode():
        for _ in range(tokens):
            out = base.model(step, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = out.past_key_values
            step = torch.multinomial(torch.softmax(out.logits[:, -1].float(), -1), 1, generator=generator)
            text = torch.cat([text, step], 1)
    return [[int(token) for token in row] for row in text.tolist()]
