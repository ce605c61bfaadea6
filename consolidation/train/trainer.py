"""One trainer: question-and-answer examples in, an adapter out."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engrain.consolidation.train.lower import has_parity, layer_range, lower_states
from engrain.consolidation.train.preserve import ordinary_text
from engrain.consolidation.train.recipe import Recipe
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


@dataclass(frozen=True)
class Epoch:
    """What one pass over the examples showed."""

    number: int
    loss: float
    """Mean over the supervised tokens not yet known, in nats."""
    recalled: float
    """Share of examples answered exactly, measured before each one's update."""
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
    """Whether the lower layers ran once; False where the architecture forbids it."""


def train(
    base: BaseModel,
    examples: Sequence[Example],
    recipe: Recipe,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train an adapter until it recalls the examples, or for `recipe.epochs`.

    With a `checkpoint` folder every epoch is kept there and a later call with the same arguments goes on where the last one
    ended, to the same result. Raises JobInterrupted after the step in which `stopping()` turns true; InputError without
    examples.
    """
    if not examples:
        raise InputError("there is nothing to train on; give at least one example")
    with base.lock:
        run = _Run(base, examples, recipe)
        epochs = run.resume(checkpoint) if checkpoint else []
        with base.wearing(run.adapter):
            while len(epochs) < recipe.epochs and not _recalls(epochs, recipe):
                epochs.append(run.epoch(len(epochs), stopping))
                if checkpoint:
                    run.keep(checkpoint, epochs)
                on_epoch(epochs[-1])
    tokens = sum(len(p) + len(a) for p, a in zip(run.prompts, run.answers, strict=True))
    supervised = sum(map(len, run.answers))
    return Trained(run.adapter, tuple(epochs), tokens, supervised, sum(e.seconds for e in epochs), run.cached is not None)


def _recalls(epochs: Sequence[Epoch], recipe: Recipe) -> bool:
    last = epochs[-recipe.patience :]
    return len(last) == recipe.patience and all(e.recalled >= recipe.recalled for e in last)


class _Run:
    """The state of one training: adapter, optimiser, cached inputs."""

    def __init__(self, base: BaseModel, examples: Sequence[Example], recipe: Recipe) -> None:
        self.base, self.recipe = base, recipe
        self.prompts = [recall_ids(base, e.question) for e in examples]
        self.answers = [answer_ids(base, e.answer) for e in examples]
        depth = len(base.layers)
        self.first = depth - max(1, math.ceil(depth * recipe.top))
        spec = lora.LoraSpec(recipe.rank, recipe.alpha, tuple(range(self.first, depth)), recipe.targets)
        self.adapter = lora.fresh(base.model, spec, torch.Generator().manual_seed(recipe.seed))
        self.optimizer = torch.optim.AdamW(self.adapter.parameters, lr=recipe.learning_rate, weight_decay=0.0)
        rows = [[*p, *a] for p, a in zip(self.prompts, self.answers, strict=True)]
        longest = max(rows, key=len)
        parity = self.first > 0 and has_parity(base, longest, self.first)
        self.cached = lower_states(base, rows, self.first) if parity else None
        self.rows = rows
        self.preserved = _Preserved(base, self.first, recipe.seed) if recipe.locality and parity else None
        self.steps = recipe.epochs * math.ceil(len(rows) / recipe.batch_size)

    def epoch(self, number: int, stopping: Callable[[], bool]) -> Epoch:
        """One pass in batches of like length, in an order that seed and number decide."""
        started = time.perf_counter()
        loss_sum = 0.0
        counted = exact = 0
        for step, batch in enumerate(self._batches(number)):
            if stopping():
                raise JobInterrupted(f"training was asked to stop in epoch {number + 1}; it resumes from the last whole epoch")
            self._schedule(number * math.ceil(len(self.rows) / self.recipe.batch_size) + step)
            loss, tokens, right = self._step(batch, number * len(self.rows) + step)
            loss_sum, counted, exact = loss_sum + loss, counted + tokens, exact + right
        return Epoch(number, loss_sum / max(1, counted), exact / len(self.rows), time.perf_counter() - started)

    def _batches(self, number: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(self.recipe.seed * 100_003 + number)
        noise = torch.rand(len(self.rows), generator=generator)
        order = sorted(range(len(self.rows)), key=lambda i: len(self.rows[i]) + 6 * float(noise[i]))
        size = self.recipe.batch_size
        batches = [order[at : at + size] for at in range(0, len(order), size)]
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]

    def _schedule(self, step: int) -> None:
        warm = min(1.0, (step + 1) / max(1, self.recipe.warmup))
        rate = self.recipe.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _step(self, batch: list[int], turn: int) -> tuple[float, int, int]:
        """(summed loss, tokens that added to it, examples answered exactly before the update)."""
        hidden = self._forward(batch, turn)
        sizes = [len(self.answers[i]) for i in batch]
        picked = torch.cat([hidden[row, len(self.prompts[i]) - 1 : len(self.rows[i]) - 1] for row, i in enumerate(batch)])
        target = torch.tensor([t for i in batch for t in self.answers[i]])
        logits = self.base.model.lm_head(picked).float()
        losses = torch.nn.functional.cross_entropy(logits, target, reduction="none")
        unknown = losses.detach() > -math.log(self.recipe.known)
        hits = (logits.detach().argmax(-1) == target).split(sizes)
        count = int(unknown.sum())
        if count:
            loss = (losses * unknown).sum() / count
            if self.preserved is not None:
                loss = loss + self.recipe.locality * self.preserved.drift(turn)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.adapter.parameters, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return float((losses.detach() * unknown).sum()), count, sum(bool(h.all()) for h in hits)

    def _forward(self, batch: list[int], turn: int) -> Tensor:
        """Final hidden states (rows, width, model width); right padding is never seen by a supervised position."""
        width = max(len(self.rows[i]) for i in batch)
        decoder = self.base.model.model
        if self.cached is None:
            ids = torch.tensor([[*self.rows[i], *[0] * (width - len(self.rows[i]))] for i in batch])
            return decoder(ids, use_cache=False).last_hidden_state  # type: ignore[no-any-return]
        states = torch.nn.utils.rnn.pad_sequence([self._noisy(i, turn) for i in batch], batch_first=True)
        with layer_range(self.base, self.first):
            return decoder(inputs_embeds=states, use_cache=False).last_hidden_state  # type: ignore[no-any-return]

    def _noisy(self, row: int, turn: int) -> Tensor:
        """A row's cached states with noise on its prompt, another one each time: the same memory, asked a little otherwise."""
        assert self.cached is not None
        state = self.cached[row]
        if not self.recipe.noise:
            return state
        generator = torch.Generator().manual_seed((self.recipe.seed * 1_000_003 + turn) * 10_007 + row)
        asked = len(self.prompts[row])
        noise = torch.randn(asked, state.shape[1], generator=generator) * (self.recipe.noise * state[:asked].std(-1, keepdim=True))
        return torch.cat([state[:asked] + noise, state[asked:]])

    def keep(self, folder: Path, epochs: Sequence[Epoch]) -> None:
        """Write adapter, optimiser and history; the rename at the end makes them count."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"p{i}": p.detach() for i, p in enumerate(self.adapter.parameters)}
        for i, p in enumerate(self.adapter.parameters):
            tensors |= {f"{k}{i}": v for k, v in self.optimizer.state[p].items()}
        history = json.dumps([vars(e) for e in epochs])
        staging = folder / f"{CHECKPOINT}.part"
        save_file(tensors, staging, metadata={"epochs": history})
        with staging.open("rb") as file:
            os.fsync(file.fileno())
        staging.rename(folder / CHECKPOINT)

    def resume(self, folder: Path) -> list[Epoch]:
        """Take up what `keep` wrote; nothing there is a fresh start."""
        path = folder / CHECKPOINT
        if not path.exists():
            return []
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            history = [Epoch(**e) for e in json.loads(file.metadata()["epochs"])]
        tensors = load_file(path)
        for i, p in enumerate(self.adapter.parameters):
            p.data.copy_(tensors[f"p{i}"])
            state = {k: tensors[f"{k}{i}"] for k in ("step", "exp_avg", "exp_avg_sq") if f"{k}{i}" in tensors}
            if state:
                self.optimizer.state[p] = state
        return history


class _Preserved:
    """Ordinary text, and where the base model's final hidden states are on it."""

    def __init__(self, base: BaseModel, first: int, seed: int) -> None:
        self.base, self.first = base, first
        self.states = lower_states(base, ordinary_text(base, seed), first)
        with torch.no_grad(), layer_range(base, first):
            self.targets = [base.model.model(inputs_embeds=s[None], use_cache=False).last_hidden_state[0] for s in self.states]

    def drift(self, turn: int) -> Tensor:
        """Mean squared distance of one text's states from the base model's, relative to their size; the texts take turns."""
        index = turn % len(self.states)
        with layer_range(self.base, self.first):
            hidden = self.base.model.model(inputs_embeds=self.states[index][None], use_cache=False).last_hidden_state[0]
        target = self.targets[index]
        drift: Tensor = ((hidden - target).square().sum(-1) / target.square().sum(-1)).mean()
        return drift
