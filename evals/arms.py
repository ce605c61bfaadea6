"""The arms: ways to answer the same questions with the same base model, decoding greedily."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import train
from engrain.errors import InputError
from engrain.evals.data import UNTOUCHED, Data, Document, Question
from engrain.evals.formats import FORMS, check_form, examples
from engrain.evals.scorers import normalized
from engrain.evals.writing import Layout, Written, homes
from engrain.memory.bank.bank import ask
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.lora import Adapter
from engrain.memory.bank.prompt import LONGEST, READ, reading, recall_ids
from engrain.memory.memory import Memory
from engrain.memory.recall import Mode, note

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
    confidence: float | None = None
    """How sure the arm is, 0 to 1, where it says so."""


class Arm(Protocol):
    """A way to answer."""

    def answer(self, question: Question) -> Said | None:
        """An answer in free words, or the most likely of the question's choices; None where the arm has nobody to ask."""
        ...


class ClosedBook:
    """The question alone in the recall prompt: to the base model, or to an adapter that answers whatever it likes.

    Nothing on record vouches for the answer, as it would in recall.
    """

    def __init__(self, memory: Memory, adapter: Adapter | None = None) -> None:
        self.memory, self.adapter = memory, adapter

    def answer(self, question: Question) -> Said:
        """See `Arm`."""
        base, started = self.memory.base, time.perf_counter()
        ids = recall_ids(base, question.text)
        if question.choices:
            with base.wearing(self.adapter) if self.adapter else nullcontext():
                text = likeliest(base, base.tokenizer.decode(ids), question.choices)
        else:
            (found,) = ask(base, self.adapter, [question.text])
            text = found.text
        return Said(text, base.tokenizer.decode(ids), len(ids), time.perf_counter() - started)


class InContext:
    """Documents in the prompt, a note a line, as many of their tokens as fit; none at all for the base model alone.

    The prompt up to the question is computed once, except for choices, which are weighed whole.
    """

    def __init__(self, memory: Memory, documents: Sequence[Document]) -> None:
        self.base = memory.base
        room = int(getattr(self.base.model.config, "max_position_embeddings", 2048)) - self.base.count(READ) - 256
        notes = "".join(f"Note: {' '.join(line.split())}\n" for d in documents for line in d.text.splitlines() if line.strip())
        ids = self.base.encode(notes)
        self.truncated = len(ids) > room
        self.prefix = READ + (self.base.tokenizer.decode(ids[:room]).rstrip("\n") + "\n" if ids else "")
        self.tokens = self.base.count(self.prefix)
        started = time.perf_counter()
        self.base.complete(self.prefix, ["Question:"], 1)
        self.seconds = time.perf_counter() - started
        """What it took to read the documents."""

    def answer(self, question: Question) -> Said:
        """See `Arm`."""
        started = time.perf_counter()
        asked = reading([], question.text)
        if question.choices:
            text = likeliest(self.base, self.prefix + asked, [f" {c}" for c in question.choices]).strip()
        else:
            text = self.base.complete(self.prefix, [asked], LONGEST)[0].strip()
        tokens = self.tokens + self.base.count(asked)
        return Said(text, asked, tokens, time.perf_counter() - started, truncated=self.truncated)

    def close(self) -> None:
        """Let the prompt's keys and values go."""
        self.base.forget_prefix(self.prefix)


class BaseAlone:
    """The base model, shown how an answer looks and nothing to answer from; choices are weighed behind the bare question."""

    def __init__(self, memory: Memory) -> None:
        self.free, self.choosing = InContext(memory, ()), ClosedBook(memory)

    def answer(self, question: Question) -> Said:
        """See `Arm`."""
        return self.choosing.answer(question) if question.choices else self.free.answer(question)


class Recalling:
    """Recall itself, in one of its modes, as a user gets it; the module is the router's, or the right document's."""

    def __init__(self, memory: Memory, mode: Mode, *, oracle: bool = False) -> None:
        self.memory, self.mode, self.oracle = memory, mode, oracle
        self.homes = homes(memory) if mode != "text" else {}
        self.documents = {module: document for document, module in self.homes.items()}

    def answer(self, question: Question) -> Said | None:
        """See `Arm`; an oracle asks nobody where no module holds the question's document."""
        started = time.perf_counter()
        module = self.homes.get(question.document) if self.oracle else None
        if self.oracle and module is None:
            return None
        if question.choices:
            return self._choose(question, module, started)
        found = self.memory.recall(question.text, mode=self.mode, module=module)
        seconds = time.perf_counter() - started
        asked = found.modules[0] if found.modules else ""
        tokens, near = self.memory.base.count(found.prompt), self._nearest(question)
        return Said(found.text, found.prompt, tokens, seconds, asked, near, confidence=found.confidence if found.known else None)

    def _nearest(self, question: Question) -> tuple[str, ...]:
        """Nothing where there is no choice, where a module holds several documents, or where none holds the answer."""
        alone = len(self.documents) == len(self.homes) > 1
        if self.oracle or question.kind == UNTOUCHED or question.document not in self.homes or not alone:
            return ()
        near = self.memory.router.nearest(question.text, self.memory.settings.owner, _NEAREST)
        return tuple(self.documents.get(m.id, "") for m, _ in near)

    def _choose(self, question: Question, module: str | None, started: float) -> Said:
        """The likeliest choice under the module; where none is asked, after the facts found, or else by the base model."""
        memory, owner = self.memory, self.memory.settings.owner
        row = None
        if module is not None:
            row = next(m for m in memory.modules() if m.id == module)
        elif self.mode != "text":
            row = memory.router.route(question.text, owner).module
        notes = [] if row or self.mode == "weights" else [note(f) for f in reversed(memory.search.find(question.text, owner, 4))]
        prompt = READ + reading(notes, question.text) if notes else memory.base.tokenizer.decode(recall_ids(memory.base, question.text))
        with memory.bank.active(row):
            text = likeliest(memory.base, prompt, [f" {c}" for c in question.choices] if notes else question.choices).strip()
        seconds = time.perf_counter() - started
        return Said(text, prompt, memory.base.count(prompt), seconds, row.id if row else "", self._nearest(question))


class Bare:
    """A module asked without the record vouching for it: that of the right document, or one that cannot know."""

    def __init__(self, memory: Memory, *, wrong: bool) -> None:
        self.memory, self.wrong, self.homes = memory, wrong, homes(memory)

    def answer(self, question: Question) -> Said | None:
        """See `Arm`."""
        module = self._other(question.document) if self.wrong else self.homes.get(question.document)
        if module is None:
            return None
        row = next(m for m in self.memory.modules() if m.id == module)
        return replace(ClosedBook(self.memory, self.memory.bank.adapter(row)).answer(question), module=module)

    def _other(self, document: str) -> str | None:
        """The module of the next document that has another one."""
        names = [name for name in self.homes if self.homes[name] != self.homes.get(document)]
        after = [name for name in names if name > document]
        return self.homes[min(after or names)] if names else None


def trained_directly(name: str, memory: Memory, documents: Sequence[Document], recipe: Recipe, kept: Callable[[Written], None]) -> ClosedBook:
    """A module of one form of the data; `raw` is the known failure, next-token training on the text. `kept` is told what it cost."""
    base, form = memory.base, examples(name, memory.base, documents, recipe.seed)
    trained = train(base, form, recipe, memory.settings.home / "training")
    size = sum(p.numel() for p in trained.adapter.parameters) * 2  # it would be kept in bfloat16
    kept(Written("", sum(len(d.statements) or 1 for d in documents), trained.seconds, size, f"trained/{name}", {"examples": len(form)}))
    return ClosedBook(memory, trained.adapter)


def likeliest(base: BaseModel, prompt: str, choices: Sequence[str]) -> str:
    """The choice with the highest mean log-likelihood per token after the prompt, under whatever module is active."""
    ids = base.encode(prompt)
    found = base.answer_logprobs([ids] * len(choices), [base.encode(c) for c in choices])
    return choices[max(range(len(choices)), key=lambda i: found[i].mean if not math.isnan(found[i].mean) else -math.inf)]


LAYOUTS: dict[str, Layout | None] = {
    "base": None, "context": None, **dict.fromkeys(FORMS), "text": Layout.FACTS, "weights-one": Layout.ONE, "weights": Layout.EACH,
    "weights-oracle": Layout.EACH, "hybrid": Layout.EACH, "bare-module": Layout.EACH, "wrong-module": Layout.EACH,
    "weights-planned": Layout.PLANNED, "hybrid-planned": Layout.PLANNED,
}  # fmt: skip
"""The arms, and how the documents are written for each; None where they are not written."""


def check_arms(arms: Sequence[str], data: Data, base: BaseModel) -> None:
    """Raises InputError for an arm that cannot be had of this data, before anything is written."""
    tested = {" ".join(normalized(q.text)) for q in data.questions}
    for name in arms:
        if name == "wrong-module" and len(data.documents) < 2:
            raise InputError("arm 'wrong-module' needs at least two documents; choose more with --documents, or --parts for a generator")
        if name in FORMS:
            check_form(name, data.documents)
            trained = [e.question for e in examples(name, base, data.documents, 0) if " ".join(normalized(e.question)) in tested]
            if trained:
                raise InputError(f"arm {name!r} would train {len(trained)} of the test questions, the first is {trained[0]!r}; leave it out")


def arm_of(name: str, memory: Memory, documents: Sequence[Document], recipe: Recipe, kept: Callable[[Written], None]) -> Arm:
    """The arm over a memory that holds the documents; the forms of `formats` train here, with a checkpoint in the memory's folder."""
    if name == "base":
        return BaseAlone(memory)
    if name == "context":
        arm = InContext(memory, documents)
        kept(Written("", 0, arm.seconds, 0, "the prompt", {"tokens": arm.tokens}))
        return arm
    if name in FORMS:
        return trained_directly(name, memory, documents, recipe, kept)
    if name in ("bare-module", "wrong-module"):
        return Bare(memory, wrong=name == "wrong-module")
    mode: Mode = "text" if name == "text" else "hybrid" if name.startswith("hybrid") else "weights"
    return Recalling(memory, mode, oracle=name == "weights-oracle")
