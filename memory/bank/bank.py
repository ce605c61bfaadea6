"""The bank: one base model, and the modules resident on it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from engrain.errors import ModuleError
from engrain.memory.bank import lora
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import LONGEST, READ, answer_ids, reading, recall_ids
from engrain.memory.modules import open_module
from engrain.memory.schema import Module, ModuleState

_FURTHER = 4
"""So many further answers are asked for."""


@dataclass(frozen=True)
class Answer:
    """What the memory model said."""

    text: str
    probability: float
    """Geometric mean of its tokens' probabilities, the end token included."""
    without: float
    """The same answer's, without the module; equal to `probability` where none was active."""
    prompt: str
    """The exact text the model saw."""

    @property
    def confidence(self) -> float:
        """0 to 1: how sure the module is, less what the base model would have said anyway."""
        return self.probability * (1 - self.without) if self.without != self.probability else self.probability


def ask(base: BaseModel, adapter: lora.Adapter | None, questions: Sequence[str], max_tokens: int = LONGEST) -> list[Answer]:
    """Ask a base model, with an adapter on or without, in the form modules are trained in."""
    ids = [recall_ids(base, question) for question in questions]
    with base.lock:
        with base.wearing(adapter) if adapter else nullcontext():
            texts = base.complete("", [base.tokenizer.decode(i) for i in ids], max_tokens, stop=None)
        return _weighed(base, adapter, ids, [text.strip() for text in texts])


def _weighed(base: BaseModel, adapter: lora.Adapter | None, ids: Sequence[list[int]], texts: Sequence[str]) -> list[Answer]:
    """Answers with their probabilities, with the adapter and without."""
    said = [answer_ids(base, text) for text in texts]
    with base.wearing(adapter) if adapter else nullcontext():
        found = base.answer_logprobs(ids, said)
    bare = base.answer_logprobs(ids, said) if adapter else found
    prompts = [base.tokenizer.decode(i) for i in ids]
    return [Answer(t, math.exp(f.mean), math.exp(b.mean), p) for t, f, b, p in zip(texts, found, bare, prompts, strict=True)]


@dataclass(frozen=True)
class Voice:
    """An adapter on a base model, as one that can be asked; see `consult.Asked`."""

    base: BaseModel
    adapter: lora.Adapter

    def first(self, questions: Sequence[str]) -> list[Answer]:
        """What it says to each question, decoding greedily."""
        return ask(self.base, self.adapter, questions)

    def further(self, questions: Sequence[str]) -> list[list[Answer]]:
        """What it says to each question after each of the next likely first tokens, the likeliest first.

        A small model's other beginnings hold what it knows beside what it says first (Wang and Zhou, arXiv 2402.10200).
        """
        base, ids = self.base, [recall_ids(self.base, question) for question in questions]
        with base.lock:
            with base.wearing(self.adapter):
                begun = [base.beginnings(i, 1 + _FURTHER)[1:] for i in ids]
                prompts = [base.tokenizer.decode(i) + beginning for i, beginnings in zip(ids, begun, strict=True) for beginning in beginnings]
                rest = iter(base.complete("", prompts, LONGEST - 1, stop=None))
            texts = [[(beginning + next(rest)).strip() for beginning in beginnings] for beginnings in begun]
            flat = iter(_weighed(base, self.adapter, [i for i, ts in zip(ids, texts, strict=True) for _ in ts], [t for ts in texts for t in ts]))
        return [[next(flat) for _ in ts] for ts in texts]


class Bank:
    """Modules by id on one base model; the least recently used give way beyond `resident`."""

    def __init__(self, base: BaseModel, modules: Path, resident: int = 64) -> None:
        self.base = base
        self.modules = modules
        self.resident = resident
        self._adapters: OrderedDict[tuple[str, str], lora.Adapter] = OrderedDict()

    @contextmanager
    def active(self, module: Module | None) -> Iterator[None]:
        """Inside, the base model answers with this module on; other threads wait. None is the base model itself."""
        with self.base.lock:
            if module is None:
                yield
                return
            adapter = self.adapter(module)
            with self.base.wearing(adapter):
                yield

    def of(self, module: Module) -> Voice:
        """The module as one that can be asked."""
        with self.base.lock:
            return Voice(self.base, self.adapter(module))

    def ask(self, questions: Sequence[str], module: Module | None = None, max_tokens: int = LONGEST) -> list[Answer]:
        """Ask the module in the form it was trained in, showing it nothing but the question."""
        with self.base.lock:
            return ask(self.base, self.adapter(module) if module else None, questions, max_tokens)

    def read(self, question: str, notes: Sequence[str], max_tokens: int = LONGEST) -> Answer:
        """Let the base model, no module active, read the answer off notes."""
        asked = reading(notes, question)
        text = self.base.complete(READ, [asked], max_tokens)[0].strip()
        ids = self.base.encode(READ + asked)
        said = self.base.encode(" " + text)
        probability = math.exp(self.base.answer_logprobs([ids], [said])[0].mean) if said else 0.0
        return Answer(text, probability, probability, READ + asked)

    def evict(self, module_id: str) -> None:
        """Drop a module that must not serve any more."""
        with self.base.lock:
            for key in [k for k in self._adapters if k[1] == module_id]:
                del self._adapters[key]

    def adapter(self, module: Module) -> lora.Adapter:
        """The module's adapter, loaded and checked where it is not resident; raises ModuleError for one that does not serve."""
        if module.state is not ModuleState.LIVE and module.state is not ModuleState.REJECTED:
            raise ModuleError(f"module {module.id!r} is {module.state.value} and does not serve; consolidate again")
        if module.base_sha256 != self.base.sha256:
            raise ModuleError(f"module {module.id!r} was trained on {module.base!r}, not on this {self.base.name!r}; set ENGRAIN_MEMORY_MODEL")
        key = (self.base.sha256, module.id)
        if key not in self._adapters:
            folder, manifest = open_module(module, self.modules)
            spec = lora.LoraSpec(manifest.rank, manifest.alpha, manifest.layers, manifest.targets)
            self._adapters[key] = lora.load(folder, self.base.model, spec)
            while len(self._adapters) > self.resident:
                self._adapters.popitem(last=False)
        self._adapters.move_to_end(key)
        return self._adapters[key]
