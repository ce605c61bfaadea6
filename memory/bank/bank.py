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
from engrain.memory.bank.generate import spoken
from engrain.memory.bank.prompt import LONGEST, READ, reading, recall_beginning, recall_ids
from engrain.memory.modules import open_module
from engrain.memory.schema import Module, ModuleState

_TOGETHER = 16
"""Questions to different modules that are asked in one batch."""
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
    cut: bool = False
    """Whether it would have gone on beyond the tokens it was allowed."""

    @property
    def confidence(self) -> float:
        """0 to 1: how sure the module is, less what the base model would have said anyway."""
        return self.probability * (1 - self.without) if self.without != self.probability else self.probability


def ask(base: BaseModel, adapter: lora.Adapter | None, questions: Sequence[str], max_tokens: int = LONGEST) -> list[Answer]:
    """Ask a base model, with an adapter on or without, in the form modules are trained in."""
    return [one for (one,) in _asked(base, adapter, questions, max_tokens, (0,))]


def _asked(base: BaseModel, adapter: lora.Adapter | None, questions: Sequence[str], max_tokens: int, ranks: Sequence[int]) -> list[list[Answer]]:
    """An answer to each question for every rank; see `spoken`."""
    ids = [recall_ids(base, question) for question in questions]
    with base.lock, base.wearing(adapter) if adapter else nullcontext():
        found = spoken(base, ids, max_tokens, recall_beginning(base), ranks)
    return [
        [Answer(one.text, _mean(one.logprobs), _mean(one.without), base.tokenizer.decode(i), one.cut) for one in some]
        for i, some in zip(ids, found, strict=True)
    ]


def _mean(logprobs: Sequence[float]) -> float:
    """The geometric mean of probabilities."""
    return math.exp(sum(logprobs) / max(1, len(logprobs)))


@dataclass(frozen=True)
class Voice:
    """An adapter on a base model, as one that can be asked; see `consult.Asked`."""

    base: BaseModel
    adapter: lora.Adapter

    def first(self, questions: Sequence[str]) -> list[Answer]:
        """What it says to each question; see `generate.guided`."""
        return ask(self.base, self.adapter, questions)

    def further(self, questions: Sequence[str]) -> list[list[Answer]]:
        """What it says to each question after each of the next likely first tokens, the likeliest first.

        A small model's other beginnings hold what it knows beside what it says first (Wang and Zhou, arXiv 2402.10200).
        """
        return _asked(self.base, self.adapter, questions, LONGEST, range(1, 1 + _FURTHER))


class Bank:
    """Modules on one base model, by the hashes of both; the least recently used give way to a budget of memory."""

    def __init__(self, base: BaseModel, modules: Path, megabytes: float = 512.0) -> None:
        self.base = base
        self.modules = modules
        self.megabytes = megabytes
        """What the resident modules may take together; the one that was asked last stays in any case."""
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

    def ask_each(self, asked: Sequence[tuple[str, Module]], max_tokens: int = LONGEST) -> list[Answer]:
        """Ask each question its own module, in batches in which every row has another one on; raises ModuleError as `adapter` does."""
        out: dict[int, Answer] = {}
        order = sorted(range(len(asked)), key=lambda i: len(recall_ids(self.base, asked[i][0])))
        with self.base.lock:
            adapters = [self.adapter(module) for _, module in asked]
            for at in range(0, len(order), _TOGETHER):
                rows = order[at : at + _TOGETHER]
                together = lora.stacked([adapters[i] for i in rows])
                out |= dict(zip(rows, ask(self.base, together, [asked[i][0] for i in rows], max_tokens), strict=True))
        return [out[i] for i in range(len(asked))]

    def read(self, question: str, notes: Sequence[str], max_tokens: int = LONGEST) -> Answer:
        """Let the base model, no module active, read the answer off notes."""
        asked = reading(notes, question)
        text = self.base.complete(READ, [asked], max_tokens)[0].strip()
        ids = self.base.encode(READ + asked)
        said = self.base.encode(" " + text)
        probability = math.exp(self.base.answer_logprobs([ids], [said])[0].mean) if said else 0.0
        return Answer(text, probability, probability, READ + asked, len(said) >= max_tokens)

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
            self._make_room()
        self._adapters.move_to_end(key)
        return self._adapters[key]

    @property
    def resident(self) -> list[str]:
        """The ids of the modules in memory, the least recently used first."""
        return [module_id for _, module_id in self._adapters]

    def _make_room(self) -> None:
        size = sum(map(self.base.bytes_of, self._adapters.values()))
        while size > self.megabytes * 2**20 and len(self._adapters) > 1:
            size -= self.base.bytes_of(self._adapters.popitem(last=False)[1])
