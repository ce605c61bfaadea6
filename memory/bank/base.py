"""The base model: one resident causal language model, its tokenizer, and what can be asked of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engrain.errors import InputError, ModelError
from engrain.memory.bank import lora
from engrain.memory.bank.decode import TOLERANCE, Decoder, LeanSteps, Steps
from engrain.memory.bank.generate import continued, last, weighed
from engrain.memory.bank.vocabulary import likelihoods
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

    def __init__(self, model: Any, tokenizer: Any, name: str, sha256: str, *, halved: bool = False, cache: Path | None = None) -> None:
        """With `halved`, questions are read, tokens generated and parts of facts weighed with weights rounded to float16 where the processor can.

        What is trained, and perplexity, is not. `cache` is a folder for what is made of a model once; without, it is made in every process.
        """
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name
        self.sha256 = sha256
        self.lock = threading.RLock()
        self.reach = lora.Reach()
        self.linears: dict[str, lora.LoraLinear] = {}
        """Every linear that an adapter was put on so far."""
        self.worn: lora.Adapter | None = None
        """The adapter that is on."""
        self.halved = halved
        self.cache = cache
        self._decoder: Decoder | None = None
        self._tried = False
        self._prefixes: dict[tuple[int, ...], Any] = {}

    @classmethod
    def load(cls, folder: Path, name: str, sha256: str, *, halved: bool = False, cache: Path | None = None) -> BaseModel:
        """Load a model folder in float32; raises ModelError when it is not a causal language model."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            with quiet():
                model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{name!r} could not be loaded from {str(folder)!r}: {error}") from error
        return cls(model, tokenizer, name, sha256, halved=halved, cache=cache)

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
        return len(self.encode(text))

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens: what is written like one, `<|im_end|>`, is text."""
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def chat_ids(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of a conversation, up to where the model is to speak. What a turn says ends no turn and begins none."""
        if not turns:
            raise InputError("an empty conversation cannot be answered; give at least one message")
        messages = [{"role": t.role, "content": self._unmarked(t.content)} for t in turns]
        if self.tokenizer.chat_template is None:
            return self.encode("\n".join(f"{m['role']}: {m['content']}" for m in messages) + "\nassistant:")
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _unmarked(self, text: str) -> str:
        """A text with a space inside whatever would be read as a special token."""
        for mark in self.tokenizer.all_special_tokens:
            text = text.replace(mark, f"{mark[:1]} {mark[1:]}")
        return text

    @contextmanager
    def wearing(self, adapter: lora.Adapter) -> Iterator[None]:
        """Inside, the model has this adapter on; other threads wait.

        What this class generates or scores is changed from a prompt's last token on; a forward of `model` itself is changed whole.
        """
        with self.lock:
            if not adapter.a.keys() <= self.linears.keys():
                self.linears.update(lora.wrap(self.model, list(adapter.a), self.reach))
            before = self.worn
            self._wear(adapter)
            try:
                yield
            finally:
                self._wear(before)

    def bytes_of(self, adapter: lora.Adapter) -> int:
        """What an adapter takes in memory, with what was made of it when it was worn."""
        return adapter.bytes + (self._decoder.bytes_of(adapter) if self._decoder else 0)

    @contextmanager
    def bare(self) -> Iterator[None]:
        """Inside, the adapter that is on is off; other threads wait."""
        with self.lock:
            worn = self.worn
            self._wear(None)
            try:
                yield
            finally:
                self._wear(worn)

    def _wear(self, adapter: lora.Adapter | None) -> None:
        """This adapter and no other."""
        if self.worn:
            lora.switch_off({name: self.linears[name] for name in self.worn.a})
        self.worn = adapter
        if adapter:
            lora.switch_on(self.linears, adapter)

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
        prompt = torch.tensor([list(ids)])
        steps: Steps | LeanSteps | None = None
        seen: list[int] = []
        shown = ""
        for _ in range(max_tokens):
            with self.lock, torch.inference_mode():
                if not seen:
                    with self.reach.only(last(prompt)):
                        out = self.model(prompt, use_cache=True, logits_to_keep=1)
                    logits = out.logits[:, -1]
                else:
                    steps = steps or self.steps(out.past_key_values, torch.ones_like(prompt), max_tokens)
                    logits = steps.step(torch.tensor([seen[-1]]))
                logprobs = torch.log_softmax(logits[0].float(), -1)
                chosen = _choose(logprobs, temperature, generator)
            if chosen in self.end_ids:
                yield Token(chosen, "", float(logprobs[chosen]))
                return
            seen.append(chosen)
            text = self.tokenizer.decode(seen, skip_special_tokens=True)
            piece = "" if text.endswith("\ufffd") else text[len(shown) :]
            shown += piece
            yield Token(chosen, piece, float(logprobs[chosen]))

    def steps(self, cache: Any, mask: Tensor, room: int, twins: bool = False) -> Steps | LeanSteps:
        """Single steps behind a cache of keys and values, for at most `room` tokens; the caller holds `lock`.

        `mask` (rows, tokens) tells what of the cache is text. `twins` are rows that go two and two with one text, of which the adapter
        that is on changes the first; without, it changes all.
        """
        decoder = self._decoding()
        if decoder is None:
            return Steps(self.model, self.reach, cache, mask, twins)
        return decoder.steps(cache, mask, room, self.worn, twins)

    def read(self, cache: Any, ids: Tensor, mask: Tensor) -> Any:
        """Keys and values of more tokens, (rows, tokens), behind those of a cache (None: there are none), whatever adapter is on.

        `mask` (rows, tokens there and here) tells what is text. What is given may be changed; the caller holds `lock`.
        """
        return self.read_through(cache, ids, mask, final=False)[0]

    def read_through(self, cache: Any, ids: Tensor, mask: Tensor, *, final: bool = True) -> tuple[Any, Tensor]:
        """The same, and what leaves the model on top: final normed states of all that is text, one row's behind the other's, (tokens, width).

        Without `final` the states are none.
        """
        from transformers import DynamicCache

        decoder, cache = self._decoding(), DynamicCache() if cache is None else cache
        if decoder is not None:
            return cache, decoder.read(cache, ids, mask, final)
        own = mask[:, mask.shape[1] - ids.shape[1] :]
        positions = (mask.cumsum(1) - 1)[:, -ids.shape[1] :]
        with self.bare():
            states = self.model.model(ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True).last_hidden_state
        return cache, states[own > 0]

    def _decoding(self) -> Decoder | None:
        """What writes the steps out, where the architecture lets it."""
        if not self._tried:
            self._tried, self._decoder = True, self._lean()
        return self._decoder

    @torch.inference_mode(mode=False)
    @torch.no_grad()
    def _lean(self) -> Decoder | None:
        """A decoder that gives what the model gives; None where the architecture forbids it.

        Outside inference mode: the weights that it joins are trained through later.
        """
        from transformers import DynamicCache

        ids = torch.tensor([self.encode("One thing after another")[:6]])
        mask = torch.ones_like(ids)[:, 1:]
        with self.bare():
            wanted = self.model(ids, use_cache=False).logits[0, -1]
        try:
            decoder, cache = Decoder(self.model), DynamicCache()
            decoder.read(cache, ids[:, :-1], mask)
            found = decoder.steps(cache, mask, 1, None, False).step(ids[:, -1])[0]
        except (AttributeError, TypeError, RuntimeError, ValueError):
            return None
        if not bool((found - wanted).abs().max() <= TOLERANCE * wanted.abs().max()):
            return None
        if self.halved:
            with suppress(RuntimeError):  # no processor for it
                decoder.halve()
        return decoder

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
                before = [states[len(prompts[i]) - 1 : len(prompts[i]) + len(answers[i]) - 1] for states, i in zip(hidden, rows, strict=True)]
                likely, best = likelihoods(self.model.lm_head, torch.cat(before), [token for i in rows for token in answers[i]])
            lengths = [len(answers[i]) for i in rows]
            for i, its, hits in zip(rows, torch.split(likely, lengths), torch.split(best, lengths), strict=True):
                out[i] = Answered(tuple(its.tolist()), bool(hits.all()))
        return [a for a in out if a is not None]

    def complete(
        self, prefix: str, prompts: Sequence[str], max_tokens: int, *, stop: str | None = "\n", enough: str | None = None,
        batch: int = 64, advance: Callable[[int], None] | None = None,
    ) -> list[str]:  # fmt: skip
        """Greedy continuations of `prefix + prompt` for many prompts, up to an end token or `stop`; the prefix is computed once.

        Where only what stands before a mark is wanted, `enough` is that mark: what comes behind it is not generated.
        """
        first = [prompt.split("\n", 1)[0] for prompt in prompts]  # those that begin alike go together
        order = sorted(range(len(prompts)), key=lambda i: (len(first[i]), first[i], len(prompts[i])))
        out = [""] * len(prompts)
        with self.lock, torch.inference_mode():
            before = self.encode(prefix)
            shared = self.prefix(before)
            for at in range(0, len(order), batch):
                rows = order[at : at + batch]
                texts = continued(self, shared, len(before), [self.encode(prompts[i]) for i in rows], max_tokens, stop, enough)
                for i, text in zip(rows, texts, strict=True):
                    out[i] = text
                if advance:
                    advance(len(rows))
        return out

    def weigh(self, prefix: str, prompt: str, answers: Sequence[str]) -> list[float]:
        """How likely the model, no module on, finds each answer and the end of its line after `prefix + prompt`: sums of log-probabilities.

        The prefix is computed once and kept, the prompt once for all answers.
        """
        with self.lock, torch.inference_mode(), self.bare():
            return weighed(self, self.prefix(self.encode(prefix)), self.encode(prompt), [self.encode(f" {answer}\n") for answer in answers])

    def forget_prefix(self, text: str) -> None:
        """Let go of what `complete` keeps of a prefix; a long one takes some hundred megabytes."""
        with self.lock:
            self._prefixes.pop(tuple(self.encode(text)), None)

    def prefix(self, ids: Sequence[int]) -> Any:
        """Keys and values of a prefix, kept; they are the base model's own, whatever module is on. None where there is none."""
        key = tuple(ids)
        if not key:
            return None
        if key not in self._prefixes:
            step = torch.tensor([list(key)])
            with torch.inference_mode(), self.bare():
                self._prefixes[key] = self.model.model(step, use_cache=True).past_key_values
        return self._prefixes[key]


@dataclass(frozen=True)
class Answered:
    """An answer's log probabilities, token by token, and whether greedy decoding would give exactly it."""

    logprobs: tuple[float, ...]
    exact: bool

    @property
    def mean(self) -> float:
        """Mean log probability per token."""
        return sum(self.logprobs) / max(1, len(self.logprobs))


def _choose(logprobs: Tensor, temperature: float, generator: torch.Generator | None) -> int:
    if generator is None:
        return int(logprobs.argmax())
    return int(torch.multinomial(torch.softmax(logprobs / temperature, -1), 1, generator=generator))
