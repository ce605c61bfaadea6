"""The base model: one resident causal language model, its tokenizer, and what can be asked of it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engrain.errors import InputError, ModelError
from engrain.memory.bank import lora
from engrain.memory.quiet import quiet


class Turn(Protocol):
    """A message as a chat template takes it."""

    @property
    def role(self) -> str: ...

    @property
    def content(self) -> str: ...


@dataclass(frozen=True)
class Token:
    """One generated token."""

    id: int
    text: str
    """What it adds to the text (may be empty while a character is incomplete)."""
    logprob: float
    """Natural logarithm of its probability."""


class BaseModel:
    """A causal language model in memory, frozen.

    One thread at a time may run it or change which adapter is on: hold `lock` for that.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str, sha256: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name
        self.sha256 = sha256
        self.lock = threading.RLock()
        self.reach = lora.Reach()
        self.linears: dict[str, lora.LoraLinear] = {}
        """Every linear that an adapter was put on so far."""
        self._prefixes: dict[str, Any] = {}

    @classmethod
    def load(cls, folder: Path, name: str, sha256: str) -> BaseModel:
        """Load a model folder in float32; raises ModelError when it is not a causal language model."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            with quiet():
                model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{name!r} could not be loaded from {str(folder)!r}: {error}") from error
        return cls(model, tokenizer, name, sha256)

    @property
    def layers(self) -> nn.ModuleList:
        """The decoder layers, lowest first."""
        found = getattr(getattr(self.model, "model", None), "layers", None)
        if not isinstance(found, nn.ModuleList):
            raise ModelError(f"{self.name!r} keeps its decoder layers elsewhere than model.layers; use a Llama-like model")
        return found

    @property
    def end_ids(self) -> set[int]:
        """Tokens that end an answer."""
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return {i for i in (*ids, self.tokenizer.eos_token_id) if i is not None}

    def count(self, text: str) -> int:
        """Tokens in a text."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def chat_ids(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of a conversation, up to where the model is to speak."""
        if not turns:
            raise InputError("an empty conversation cannot be answered; give at least one message")
        messages = [{"role": t.role, "content": t.content} for t in turns]
        if self.tokenizer.chat_template is None:
            return self.encode("\n".join(f"{m['role']}: {m['content']}" for m in messages) + "\nassistant:")
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return self.encode(text)

    @contextmanager
    def wearing(self, adapter: lora.Adapter) -> Iterator[None]:
        """Inside, the model has this adapter on; other threads wait.

        What this class generates or scores is changed from a prompt's last token on; a forward of `model` itself is changed whole.
        """
        with self.lock:
            linears = lora.wrap(self.model, list(adapter.a), self.reach)
            self.linears.update(linears)
            lora.switch_on(linears, adapter)
            try:
                yield
            finally:
                lora.switch_off(linears)

    def stream(
        self,
        ids: Sequence[int],
        max_tokens: int,
        *,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> Iterator[Token]:
        """Generate token by token until an end token or `max_tokens`; greedy at temperature 0."""
        generator = torch.Generator().manual_seed(seed if seed is not None else torch.seed()) if temperature else None
        step = torch.tensor([list(ids)])
        cache = None
        seen: list[int] = []
        shown = ""
        for _ in range(max_tokens):
            with self.lock, torch.inference_mode(), self.reach.only(_last(step)):
                out = self.model(step, past_key_values=cache, use_cache=True, logits_to_keep=1)
                cache = out.past_key_values
                logprobs = torch.log_softmax(out.logits[0, -1].float(), -1)
                chosen = _choose(logprobs, temperature, generator)
            if chosen in self.end_ids:
                yield Token(chosen, "", float(logprobs[chosen]))
                return
            seen.append(chosen)
            text = self.tokenizer.decode(seen, skip_special_tokens=True)
            piece = "" if text.endswith("\ufffd") else text[len(shown) :]
            shown += piece
            yield Token(chosen, piece, float(logprobs[chosen]))
            step = torch.tensor([[chosen]])

    def answer_logprobs(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> list[Answered]:
        """How likely each answer is after its prompt, teacher-forced, in batches of like length.

        Right padding needs no mask under causal attention: no supervised position ever sees it.
        """
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]) + len(answers[i]))
        out: list[Answered | None] = [None] * len(prompts)
        for at in range(0, len(order), 16):
            rows = order[at : at + 16]
            whole = [[*prompts[i], *answers[i]] for i in rows]
            width = max(map(len, whole))
            ids = torch.tensor([w + [0] * (width - len(w)) for w in whole])
            answering = torch.arange(width)[None] >= torch.tensor([len(prompts[i]) - 1 for i in rows])[:, None]
            with self.lock, torch.inference_mode(), self.reach.only(answering):
                hidden = self.model.model(ids, use_cache=False).last_hidden_state
                for row, i in enumerate(rows):
                    start, n = len(prompts[i]), len(answers[i])
                    logits = self.model.lm_head(hidden[row, start - 1 : start - 1 + n]).float()
                    logprobs = torch.log_softmax(logits, -1)
                    target = torch.tensor(list(answers[i]))
                    picked = logprobs.gather(1, target[:, None])[:, 0]
                    out[i] = Answered(tuple(picked.tolist()), bool((logits.argmax(-1) == target).all()))
        return [a for a in out if a is not None]

    def beginnings(self, prompt: Sequence[int], k: int) -> list[str]:
        """The texts of the k likeliest first tokens after a prompt, the likeliest first; end tokens are left out."""
        ids = torch.tensor([list(prompt)])
        with self.lock, torch.inference_mode(), self.reach.only(_last(ids)):
            best = self.model(ids, logits_to_keep=1).logits[0, -1].topk(k + len(self.end_ids)).indices.tolist()
        return [self.tokenizer.decode([token]) for token in best if token not in self.end_ids][:k]

    def complete(
        self, prefix: str, prompts: Sequence[str], max_tokens: int, *, stop: str | None = "\n", batch: int = 64,
        advance: Callable[[int], None] | None = None,
    ) -> list[str]:  # fmt: skip
        """Greedy continuations of `prefix + prompt` for many prompts, up to an end token or `stop`; the prefix is computed once."""
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        out = [""] * len(prompts)
        with self.lock, torch.inference_mode():
            shared, length = self._prefix(prefix)
            for at in range(0, len(order), batch):
                rows = order[at : at + batch]
                texts = self._continue(shared, length, [self.encode(prompts[i]) for i in rows], max_tokens, stop)
                for i, text in zip(rows, texts, strict=True):
                    out[i] = text
                if advance:
                    advance(len(rows))
        return out

    def forget_prefix(self, text: str) -> None:
        """Let go of what `complete` keeps of a prefix; a long one takes some hundred megabytes."""
        with self.lock:
            self._prefixes.pop(text, None)

    def _prefix(self, text: str) -> tuple[Any, int]:
        """(keys and values, length in tokens) of a prefix; they are the base model's own, whatever module is on."""
        if not text:
            return None, 0
        ids = self.encode(text)
        if text not in self._prefixes:
            step = torch.tensor([ids])
            with self.reach.only(torch.zeros_like(step)):
                self._prefixes[text] = self.model(step, use_cache=True, logits_to_keep=1).past_key_values
        return self._prefixes[text], len(ids)

    def _continue(self, shared: Any, prefix: int, rows: list[list[int]], max_tokens: int, stop: str | None) -> list[str]:
        width = max(map(len, rows))
        ids = torch.tensor([[0] * (width - len(r)) + r for r in rows])
        own = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows])
        mask = torch.cat([torch.ones(len(rows), prefix, dtype=torch.long), own], 1)
        positions = (mask.cumsum(1) - 1)[:, prefix:]
        cache = copy.deepcopy(shared)
        if cache is not None:
            cache.batch_repeat_interleave(len(rows))
        generated: list[list[int]] = [[] for _ in rows]
        ended = [False] * len(rows)
        for _ in range(max_tokens):
            with self.reach.only(_last(ids)):
                out = self.model(ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = out.past_key_values
            ids = out.logits[:, -1].argmax(-1, keepdim=True)
            for row, token in enumerate(ids[:, 0].tolist()):
                if not ended[row]:
                    generated[row].append(token)
                    ended[row] = token in self.end_ids or bool(stop and stop in self.tokenizer.decode([token]))
            if all(ended):
                break
            mask = torch.cat([mask, torch.ones(len(rows), 1, dtype=torch.long)], 1)
            positions = positions[:, -1:] + 1
        texts = [self.tokenizer.decode(g, skip_special_tokens=True) for g in generated]
        return [text.split(stop)[0] for text in texts] if stop else texts


@dataclass(frozen=True)
class Answered:
    """An answer's log probabilities, token by token, and whether greedy decoding would give exactly it."""

    logprobs: tuple[float, ...]
    exact: bool

    @property
    def mean(self) -> float:
        """Mean log probability per token."""
        return sum(self.logprobs) / max(1, len(self.logprobs))


def _last(ids: Tensor) -> Tensor:
    """The last position of each row: that of a prompt, or the one token of a step."""
    return torch.arange(ids.shape[1]).expand_as(ids) == ids.shape[1] - 1


def _choose(logprobs: Tensor, temperature: float, generator: torch.Generator | None) -> int:
    if generator is None:
        return int(logprobs.argmax())
    return int(torch.multinomial(torch.softmax(logprobs / temperature, -1), 1, generator=generator))
