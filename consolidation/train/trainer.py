"""One trainer: question-and-answer examples in, an adapter out."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engrain.consolidation.train.layers import Layers
from engrain.consolidation.train.linear import inputs_dtype, rounded_linears, training_dtype
from engrain.consolidation.train.loss import Read, read_off
from engrain.consolidation.train.lower import has_parity, rows_of
from engrain.consolidation.train.muon import Muon
from engrain.consolidation.train.pack import Blocks
from engrain.consolidation.train.preserve import Preserved, Shown, preserved
from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.refit import refit
from engrain.consolidation.train.schedule import Schedule
from engrain.consolidation.train.soften import Soft, soft_targets
from engrain.errors import InputError, JobInterrupted
from engrain.memory.bank import lora
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids, recall_ids

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Example:
    """A question and the answer the module is to give."""

    question: str
    answer: str
    context: str = ""
    """The fact, for a base model that is to answer with it in view; see `Recipe.soften`."""


@dataclass(frozen=True)
class Epoch:
    """What one pass over the examples showed."""

    number: int
    loss: float
    """Mean over the supervised tokens not yet known, in nats."""
    recalled: float
    """Share of examples answered exactly, measured before each one's update; those that rest were."""
    shown: int
    """Examples trained on; the others were known whole the last time, and rested."""
    seconds: float


@dataclass(frozen=True)
class Trained:
    """A trained adapter and how it came to be."""

    adapter: lora.Adapter
    epochs: tuple[Epoch, ...]
    tokens: int
    """Tokens of one epoch."""
    supervised: int
    """Tokens of one epoch that are answers."""
    seconds: float
    cached_lower: bool
    """Whether lower layers and prompts ran once; False where the architecture forbids it."""


def train(
    base: BaseModel,
    examples: Sequence[Example],
    recipe: Recipe,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train an adapter until it recalls the examples, or for `recipe.epochs` (see `recipe.least_steps`).

    With a `checkpoint` folder every epoch is kept there and a later call with the same arguments goes on where the last one
    ended, to the same result; with another recipe it begins anew. Raises JobInterrupted after the step in which `stopping()`
    turns true; InputError without examples.
    """
    if not examples:
        raise InputError("there is nothing to train on; give at least one example")
    with base.lock:
        run = _Run(base, examples, recipe)
        epochs = run.resume(checkpoint) if checkpoint else []
        with base.wearing(run.adapter):
            while run.goes_on(settled := run.schedule.settled([e.recalled for e in epochs])):
                epochs.append(run.epoch(len(epochs), settled, stopping))
                if checkpoint:
                    run.keep(checkpoint, epochs)
                on_epoch(epochs[-1])
    tokens = sum(len(p) + len(a) for p, a in zip(run.prompts, run.answers, strict=True))
    supervised = sum(map(len, run.answers))
    return Trained(run.adapter, tuple(epochs), tokens, supervised, sum(e.seconds for e in epochs), run.layers is not None)


def first_adapted(base: BaseModel, recipe: Recipe) -> int:
    """The lowest layer that an adapter is put on."""
    return len(base.layers) - max(1, math.ceil(len(base.layers) * recipe.top))


class _Run:
    """The state of one training: adapter, optimiser, cached inputs."""

    def __init__(self, base: BaseModel, examples: Sequence[Example], recipe: Recipe) -> None:
        self.base, self.recipe = base, recipe
        self.prompts = [recall_ids(base, e.question) for e in examples]
        self.answers = [answer_ids(base, e.answer) for e in examples]
        self.first = first_adapted(base, recipe)
        spec = lora.LoraSpec(recipe.rank, recipe.alpha, tuple(range(self.first, len(base.layers))), recipe.targets)
        self.adapter = lora.fresh(base.model, spec, torch.Generator().manual_seed(recipe.seed))
        self.optimizer: torch.optim.Optimizer = (
            Muon(self.adapter.parameters, recipe.learning_rate, recipe.momentum)
            if recipe.optimizer == "muon"
            else torch.optim.AdamW(self.adapter.parameters, lr=recipe.learning_rate, weight_decay=0.0, fused=True)
        )
        self.lengths = [len(p) + len(a) for p, a in zip(self.prompts, self.answers, strict=True)]
        parity = self.first > 0 and has_parity(base, self.prompts, self.answers, self.first)
        self.preserved: Preserved | None = preserved(base, self.first) if recipe.locality and parity else None
        self.layers: Layers | None = None
        """Written out, behind what runs once; None where the whole model is trained through."""
        head, dtype = base.model.lm_head, training_dtype() if parity else torch.float32
        if parity:
            with rounded_linears(base):
                self.rows = rows_of(base, self.prompts, self.answers, self.first, dtype)
            self.layers = Layers(base, self.first, self.adapter, dtype)
        self.vocabulary = head.weight.detach().to(inputs_dtype(dtype)), None if head.bias is None else head.bias.detach()
        self.soft = self._soft(examples) if recipe.soften else None
        self.resting: set[int] = set()
        self.settles = False
        self.moved: float | None = None
        self.schedule = Schedule(recipe if self.layers and self.preserved else replace(recipe, refit=0.0), len(examples))

    def _soft(self, examples: Sequence[Example]) -> list[Soft]:
        return soft_targets(self.base, *zip(*((e.question, e.answer, e.context) for e in examples), strict=True))

    def goes_on(self, settled: int | None) -> bool:
        """Whether there is another epoch, after so many of settling."""
        return self.schedule.goes_on(settled, len(self.resting) == len(self.prompts))

    def epoch(self, number: int, settled: int | None, stopping: Callable[[], bool]) -> Epoch:
        """One pass in batches of like length, in an order that seed and number decide; `settled` is None while it learns.

        An example that was known whole rests for the next epoch of learning, and for good once everything has settled.
        """
        started = time.perf_counter()
        loss_sum = 0.0
        self.settles, finishes = settled is not None, self.schedule.finishes(settled)
        if self.settles and not finishes:
            self.resting.clear()
        if weight := self.schedule.refit(settled):
            self._refit(weight)
        counted, exact = 0, len(self.resting)
        batches = self._batches(number)
        if not finishes:
            self.resting.clear()
        for step, batch in enumerate(batches):
            if stopping():
                raise JobInterrupted(f"training was asked to stop in epoch {number + 1}; it resumes from the last whole epoch")
            share = step / len(batches)
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate * self.schedule.rate(number + share, None if settled is None else settled + share)
            loss, tokens, right = self._step(batch, number * self.schedule.steps + step)
            loss_sum, counted, exact = loss_sum + loss, counted + tokens, exact + right
        if settled is not None:
            self._look_back(settled + 1)
        return Epoch(number, loss_sum / max(1, counted), exact / len(self.prompts), sum(map(len, batches)), time.perf_counter() - started)

    def _look_back(self, settled: int) -> None:
        """After so many epochs of settling: is ordinary text left alone enough, and, where only the rest is finished now, what is known."""
        if self.schedule.settles_again(settled) and self._drift() <= self.recipe.calm:
            self.schedule.settling = settled
        if self.schedule.finishes(settled) and self.schedule.goes_on(settled, all_known=False):
            self.resting = self._known()

    @torch.no_grad()
    def _known(self) -> set[int]:
        """The examples that are known whole now."""
        order = sorted(range(len(self.prompts)), key=lambda i: self.lengths[i])
        batches = [order[at : at + 32] for at in range(0, len(order), 32)]
        return {i for batch in batches for i in self._known_of(batch, self._read(batch, self._forward(batch, None, keep=False)))}

    def _known_of(self, batch: Sequence[int], seen: Read) -> set[int]:
        return {i for i, missing in zip(batch, self._each(batch, seen.unknown), strict=True) if not missing.any()}

    def _each(self, batch: Sequence[int], of_tokens: Tensor) -> tuple[Tensor, ...]:
        """What is told of a batch's tokens, of each answer."""
        return torch.split(of_tokens, [len(self.answers[i]) for i in batch])

    def _refit(self, weight: float) -> None:
        """Fit the update anew, where ordinary text is nearer to the base model's after it than before."""
        assert self.layers is not None
        assert self.preserved is not None
        moved, kept = self._drift(), [a.detach().clone() for a in self.adapter.a.values()]
        try:
            refit(self.layers, self.rows, self.preserved.ordinary, weight)
            self.moved = None
            better = self._drift() <= moved
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # inputs of too different sizes
            better = False
        if not better:
            self.moved = moved
            for a, before in zip(self.adapter.a.values(), kept, strict=True):
                a.data.copy_(before)

    def _drift(self) -> float:
        """How far ordinary text has been moved; see `Preserved.drift`. Measured once after a step."""
        assert self.layers is not None
        assert self.preserved is not None
        if self.moved is None:
            self.moved = self.preserved.drift(self.layers)
        return self.moved

    def _batches(self, number: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(self.recipe.seed * 100_003 + number)
        noise = torch.rand(len(self.prompts), generator=generator)
        awake = [i for i in range(len(self.prompts)) if i not in self.resting]
        order = sorted(awake, key=lambda i: self.lengths[i] + 6 * float(noise[i]))
        size = self.recipe.batch_size
        batches = [order[at : at + size] for at in range(0, len(order), size)]
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]

    def _step(self, batch: list[int], turn: int) -> tuple[float, int, int]:
        """(summed loss, tokens that added to it, examples answered exactly before the update)."""
        ordinary = self._ordinary(turn)
        hidden = self._forward(batch, ordinary)
        supervised = sum(len(self.answers[i]) for i in batch)
        seen = self._read(batch, hidden.detach())
        if self.recipe.rest:
            self.resting |= self._known_of(batch, seen)
        if seen.count or ordinary:
            gradient = seen.gradient
            if ordinary:
                gradient = torch.cat([gradient, self.recipe.locality * ordinary.gradient(hidden[supervised:])])
            if self.layers:
                self.layers.backward(gradient)
            else:
                torch.autograd.backward([hidden], [gradient])
            torch.nn.utils.clip_grad_norm_(self.adapter.parameters, 1.0)
            self.optimizer.step()
            self.moved = None
            self.optimizer.zero_grad(set_to_none=True)
        return seen.loss, seen.count, sum(bool(hits.all()) for hits in self._each(batch, seen.hits))

    def _read(self, batch: Sequence[int], hidden: Tensor) -> Read:
        """What the final hidden states say of the answers, which they are one behind the other."""
        soft = [self.soft[i] for i in batch] if self.soft else []
        wanted = torch.tensor([t for i in batch for t in self.answers[i]])
        known = max(self.recipe.known, self.recipe.sure) if self.settles else self.recipe.known
        return read_off(*self.vocabulary, hidden[: len(wanted)], wanted, soft, known, self.recipe.soften)

    def _ordinary(self, turn: int) -> Shown | None:
        """The ordinary text that is shown in this step, if any."""
        shown, waits = divmod(turn, max(1, self.recipe.locality_every // (2 if self.settles else 1)))
        return None if self.preserved is None or waits else self.preserved.turn(shown)

    def _forward(self, batch: list[int], ordinary: Shown | None, keep: bool = True) -> Tensor:
        """Final hidden states that the answers are read off, one behind the other, and behind them those of ordinary text: (tokens, width)."""
        if self.layers is None:
            return torch.cat(self._whole(batch))
        return self.layers.forward(Blocks(self.rows, batch, ordinary.states if ordinary else None), keep)

    def _whole(self, batch: list[int]) -> list[Tensor]:
        """The same by the whole model; right padding is never seen by a supervised position."""
        width = max(self.lengths[i] for i in batch)
        ids = torch.tensor([[*self.prompts[i], *self.answers[i], *[0] * (width - self.lengths[i])] for i in batch])
        begins = [len(self.prompts[i]) - 1 for i in batch]
        with self.base.reach.only(torch.arange(width)[None] >= torch.tensor(begins)[:, None]):
            hidden = self.base.model.model(ids, use_cache=False).last_hidden_state
        return [hidden[row, begin : self.lengths[i] - 1] for row, (i, begin) in enumerate(zip(batch, begins, strict=True))]

    def keep(self, folder: Path, epochs: Sequence[Epoch]) -> None:
        """Write adapter, optimiser and history; the rename at the end makes them count."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"p{i}": p.detach() for i, p in enumerate(self.adapter.parameters)}
        for i, p in enumerate(self.adapter.parameters):
            tensors |= {f"{k} {i}": v for k, v in self.optimizer.state[p].items()}
        course = {"epochs": [vars(e) for e in epochs], "resting": sorted(self.resting), "settling": self.schedule.settling}
        staging = folder / f"{CHECKPOINT}.part"
        save_file(tensors, staging, metadata={"recipe": json.dumps(self.recipe.as_dict()), "course": json.dumps(course)})
        with staging.open("rb") as file:
            os.fsync(file.fileno())
        staging.rename(folder / CHECKPOINT)

    def resume(self, folder: Path) -> list[Epoch]:
        """Take up what `keep` wrote; nothing there, or what another recipe or version left, is a fresh start."""
        path = folder / CHECKPOINT
        if not path.exists():
            return []
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            kept = file.metadata()
        if kept.get("recipe") != json.dumps(self.recipe.as_dict()):
            return []
        course = json.loads(kept["course"])
        self.resting, self.schedule.settling = set(course["resting"]), course["settling"]
        tensors = load_file(path)
        for i, p in enumerate(self.adapter.parameters):
            p.data.copy_(tensors[f"p{i}"])
            state = {key.split()[0]: tensor for key, tensor in tensors.items() if key.endswith(f" {i}")}
            if state:
                self.optimizer.state[p] = state
        return [Epoch(**e) for e in course["epochs"]]
