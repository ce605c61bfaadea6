"""The arms: ways to answer the same questions with the same base model, decoding greedily."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import train
from engrain.errors import InputError, NotFoundError
from engrain.evals.data import Document, Question
from engrain.evals.formats import FORMS, examples
from engrain.evals.writing import Layout, Written, homes
from engrain.memory.bank.bank import ask
from engrain.memory.bank.lora import Adapter
from engrain.memory.bank.prompt import LONGEST, READ, UNKNOWN, reading, recall_ids
from engrain.memory.memory import Memory
from engrain.memory.recall import Mode

_NEAREST = 8
"""How many of the router's modules are noted down."""


@dataclass(frozen=True)
class Said:
    """What an arm answered."""

    text: str
    prompt: str
    prompt_tokens: int
    seconds: float
    module: str = ""
    nearest: tuple[str, ...] = ()
    """Documents whose modules the router finds nearest, the nearest first, near enough or not; empty where nothing is routed."""
    truncated: bool = False
    """Whether the prompt had to be cut to the context's length."""


class Arm(Protocol):
    """A way to answer."""

    def answer(self, question: Question) -> Said:
        """An answer in free words, or the most likely of the question's choices."""
        ...


class ClosedBook:
    """The base model alone."""

    def __init__(self, memory: Memory, adapter: Adapter | None = None) -> None:
        self.memory, self.adapter = memory, adapter

    def answer(self, question: Question) -> Said:
        """See `Arm`."""
        base, started = self.memory.base, time.perf_counter()
        ids = recall_ids(base, question.text)
        if question.choices:
            with base.wearing(self.adapter) if self.adapter else nullcontext():
                text = likeliest(self.memory, base.tokenizer.decode(ids), question.choices)
        else:
            (found,) = ask(base, self.adapter, [question.text])
            text = found.text
        return Said(text, base.tokenizer.decode(ids), len(ids), time.perf_counter() - started)


class InContext:
    """Every document in the prompt, a note a line, as many of their tokens as fit; the prompt up to the question is computed once."""

    def __init__(self, memory: Memory, documents: Sequence[Document]) -> None:
        self.memory = memory
        base = memory.base
        room = int(getattr(base.model.config, "max_position_embeddings", 2048)) - base.count(READ) - 256
        ids = base.encode("".join(f"Note: {' '.join(line.split())}\n" for d in documents for line in d.text.splitlines() if line.strip()))
        self.truncated = len(ids) > room
        self.prefix = READ + base.tokenizer.decode(ids[:room])
        self.tokens = base.count(self.prefix)

    def answer(self, question: Question) -> Said:
        """See `Arm`."""
        started = time.perf_counter()
        asked = reading([], question.text)
        if question.choices:
            text = likeliest(self.memory, self.prefix + asked, [f" {c}" for c in question.choices]).strip()
        else:
            text = self.memory.base.complete(self.prefix, [asked], LONGEST)[0].strip()
        tokens = self.tokens + self.memory.base.count(asked)
        return Said(text, self.prefix[-200:] + asked, tokens, time.perf_counter() - started, truncated=self.truncated)


class Recalling:
    """Recall itself, in one of its modes; the module is the router's, the right one, or a wrong one."""

    def __init__(self, memory: Memory, mode: Mode, chooser: Callable[[Question, dict[str, str]], str | None] = lambda *_: None) -> None:
        self.memory, self.mode, self.chooser = memory, mode, chooser
        self.homes = homes(memory) if mode != "text" else {}
        self.documents = {module: document for document, module in self.homes.items()}

    def answer(self, question: Question) -> Said:
        """See `Arm`."""
        started = time.perf_counter()
        try:
            module = self.chooser(question, self.homes)
        except NotFoundError as none:
            return Said(UNKNOWN, str(none), 0, 0.0)
        if question.choices:
            return self._choose(question, module, started)
        found = self.memory.recall(question.text, mode=self.mode, module=module)
        seconds = time.perf_counter() - started
        asked = found.modules[0] if found.modules else ""
        return Said(found.text, found.prompt, self.memory.base.count(found.prompt), seconds, asked, self._nearest(question, module))

    def _nearest(self, question: Question, module: str | None) -> tuple[str, ...]:
        if self.mode == "text" or module is not None or len(set(self.homes.values())) < 2:
            return ()
        near = self.memory.router.nearest(question.text, self.memory.settings.owner, _NEAREST)
        return tuple(self.documents.get(m.id, "") for m, _ in near)

    def _choose(self, question: Question, module: str | None, started: float) -> Said:
        """The likeliest choice under the module, or after the facts found."""
        rows = {m.id: m for m in self.memory.modules()}
        row = None
        if self.mode != "text":
            row = rows[module] if module else self.memory.router.route(question.text, self.memory.settings.owner).module
        notes = [] if self.mode == "weights" else [f.fact.asked for f in self.memory.search.find(question.text, self.memory.settings.owner, 4)]
        prompt = READ + reading(notes, question.text) if notes else self.memory.base.tokenizer.decode(recall_ids(self.memory.base, question.text))
        wearing: AbstractContextManager[None] = self.memory.bank.active(row)
        with wearing:
            text = likeliest(self.memory, prompt, [f" {c}" for c in question.choices] if notes else question.choices).strip()
        seconds = time.perf_counter() - started
        return Said(text, prompt, self.memory.base.count(prompt), seconds, row.id if row else "", self._nearest(question, module))


def trained_directly(name: str, memory: Memory, documents: Sequence[Document], recipe: Recipe, kept: Callable[[Written], None]) -> ClosedBook:
    """A module of one form of the data; `raw` is the known failure, next-token training on the text. `kept` is told what it cost."""
    base, form = memory.base, examples(name, memory.base, documents, recipe.seed)
    trained = train(base, form, recipe, memory.settings.home / "training")
    size = sum(p.numel() for p in trained.adapter.parameters) * 2  # it would be kept in bfloat16
    kept(Written("", sum(len(d.taught) or 1 for d in documents), trained.seconds, size, f"trained/{name}", {"examples": len(form)}))
    return ClosedBook(memory, trained.adapter)


def likeliest(memory: Memory, prompt: str, choices: Sequence[str]) -> str:
    """The choice with the highest mean log-likelihood per token after the prompt, under whatever module is active."""
    base = memory.base
    ids = base.encode(prompt)
    found = base.answer_logprobs([ids] * len(choices), [base.encode(c) for c in choices])
    return choices[max(range(len(choices)), key=lambda i: found[i].mean if not math.isnan(found[i].mean) else -math.inf)]


def oracle(question: Question, where: dict[str, str]) -> str:
    """The module of the document that answers the question; raises NotFoundError where there is none."""
    if question.document not in where:
        raise NotFoundError("no single document answers this question, so an oracle asks no module")
    return where[question.document]


def wrong(question: Question, where: dict[str, str]) -> str:
    """A module that cannot know: that of the next document; raises InputError where there is one document only."""
    if len(set(where.values())) < 2:
        raise InputError("the wrong module needs at least two documents with modules; choose more with --documents")
    names = [name for name in where if where[name] != where.get(question.document)]
    after = [name for name in names if name > question.document]
    return where[min(after or names)]


LAYOUTS: dict[str, Layout | None] = {
    "base": None, "context": None, **dict.fromkeys(FORMS), "text": Layout.FACTS, "weights-one": Layout.ONE, "weights": Layout.EACH,
    "weights-oracle": Layout.EACH, "hybrid": Layout.EACH, "wrong-module": Layout.EACH,
}  # fmt: skip
"""The arms, and how the documents are written for each; None where they are not written."""


def arm_of(name: str, memory: Memory, documents: Sequence[Document], recipe: Recipe, kept: Callable[[Written], None]) -> Arm:
    """The arm over a memory that holds the documents; the forms of `formats` train here, with a checkpoint in the memory's folder."""
    if name == "base":
        return ClosedBook(memory)
    if name == "context":
        return InContext(memory, documents)
    if name in FORMS:
        return trained_directly(name, memory, documents, recipe, kept)
    if name in ("text", "hybrid"):
        return Recalling(memory, "text" if name == "text" else "hybrid")
    return Recalling(memory, "weights", {"weights-oracle": oracle, "wrong-module": wrong}.get(name, lambda *_: None))
