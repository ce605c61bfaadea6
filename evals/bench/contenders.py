"""One way to write a case into weights, in a process of its own: `python -m engrain.evals.bench.contenders JSON`.

Prints a JSON line for every look at what is recalled, and one at the end. Every contender learns the same tokens of the same
examples from the same base model in float32, multiplies in bfloat16 where the processor is faster at it, is asked at the end of every
epoch, and stops when it recalls what it should; the time of the asking is not counted, everything else from the first tokenised example on is.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engrain.consolidation.harm import perplexity
from engrain.consolidation.train.linear import half_is_faster
from engrain.consolidation.train.ordinary import ordinary_text
from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import Epoch, Example, first_adapted, train
from engrain.evals.bench.cases import Case, case_of
from engrain.evals.bench.cost import cost_of_a_step, peak_rss
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids, recall_ids

TRAINED, HELD_OUT = 0.95, 0.85
"""Shares of trained and of held-out phrasings answered exactly at which a contender is done."""


@dataclass(frozen=True)
class Method:
    """A training recipe for PEFT under TRL's SFTTrainer."""

    rates: tuple[float, ...]
    """The grid of learning rates; the best one is run."""
    rank: int
    alpha: int
    targets: str | tuple[str, ...]
    batch: int
    answers_only: bool
    schedule: str
    steps: int = 0
    """Of the schedule; 0 where it has no end."""
    dropout: float = 0.0
    warmup: int = 0


METHODS = {
    "trl": Method((5e-4, 1e-3, 2e-3), 16, 32, "all-linear", 8, True, "constant_with_warmup", warmup=4),
    "paper": Method((5e-5, 5e-4, 2e-3), 16, 16, "all-linear", 8, False, "cosine", steps=1500, dropout=0.1),
    "prag": Method((3e-4,), 2, 32, ("gate_proj", "up_proj", "down_proj"), 1, False, "constant"),
}
"""TRL at its best; the phone-book recipe of arXiv 2603.01097; PRAG's (arXiv 2501.15915) without its padding to 3,000 tokens."""


@dataclass(frozen=True)
class Attempt:
    """What one process is to do."""

    contender: str
    case: str
    model: str
    """Folder of the base model."""
    sha256: str = "0" * 64
    """Its hash."""
    kept: str = ""
    """Folder of what ours keeps of a base model."""
    seed: int = 0
    size: int | None = None
    rate: float = 0.0
    epochs: int = 10_000
    seconds: float = math.inf
    """Of training, at most."""
    recipe: dict[str, Any] | None = None
    turn: int = 0
    """Which time it is that the same is measured."""


class _Watch:
    """Counts training time, asks at the end of epochs, and says when it is enough."""

    def __init__(self, attempt: Attempt, case: Case, base: BaseModel, recipe_goes_on: bool = False) -> None:
        self.attempt, self.case, self.base = attempt, case, base
        self.before = perplexity(base)
        self.epochs = 0
        self.reached: float | None = None
        self.goes_on = recipe_goes_on
        self.asking = 0.0
        self.course: list[dict[str, float]] = []
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Of training so far."""
        return time.perf_counter() - self.started - self.asking

    def look(self) -> bool:
        """Ask, at the end of an epoch; whether to stop. Trained phrasings are asked only where the others are known."""
        at = self.seconds
        self.epochs += 1
        asking = time.perf_counter()
        held_out = exact_share(self.base, self.case.held_out)
        trained = exact_share(self.base, self.case.trained) if held_out >= HELD_OUT else None
        self.asking += time.perf_counter() - asking
        seen = {"epoch": self.epochs, "seconds": round(at, 1), "held_out": round(held_out, 4)}
        if trained is not None:
            seen["trained"] = round(trained, 4)
        self.course.append(seen)
        print(json.dumps(seen), flush=True)
        if self.reached is None and trained is not None and trained >= TRAINED:
            self.reached = at
        return self.epochs >= self.attempt.epochs or at > self.attempt.seconds or (self.reached is not None and not self.goes_on)

    def summary(self, parameters: int, **more: Any) -> dict[str, Any]:
        """What came of it; with the adapter on."""
        seconds, peak = self.seconds, peak_rss()
        return {
            "seconds": None if self.reached is None else round(self.reached, 1), "trained_for": round(seconds, 1), "epochs": self.epochs,
            "trained": round(exact_share(self.base, self.case.trained), 4), "held_out": round(exact_share(self.base, self.case.held_out), 4),
            "perplexity_ratio": round(perplexity(self.base) / self.before, 4), "peak_rss_mb": peak, "adapter_bytes": 2 * parameters,
            "seconds_per_fact": None if self.reached is None else round(self.reached / self.case.facts, 2), "course": self.course, **more,
        }  # fmt: skip


def exact_share(base: BaseModel, examples: Sequence[Example]) -> float:
    """Share of examples that greedy decoding would answer exactly, the end token included."""
    prompts = [recall_ids(base, e.question) for e in examples]
    return sum(a.exact for a in base.answer_logprobs(prompts, [answer_ids(base, e.answer) for e in examples])) / len(examples)


def surprise(base: BaseModel, examples: Sequence[Example]) -> float:
    """Mean negative log-likelihood of the answers' tokens, in nats: what a learning rate is chosen by."""
    prompts = [recall_ids(base, e.question) for e in examples]
    found = base.answer_logprobs(prompts, [answer_ids(base, e.answer) for e in examples])
    values = [value for answered in found for value in answered.logprobs]
    return -sum(values) / len(values)


def ours(attempt: Attempt, case: Case, base: BaseModel) -> dict[str, Any]:
    """engrain's trainer, to its own end: it stops by what it recalls of its trained phrasings and then settles."""
    watch = _Watch(attempt, case, base, recipe_goes_on=True)
    recipe = Recipe(**{"seed": attempt.seed, **(attempt.recipe or {})})
    epochs: list[Epoch] = []

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        watch.look()

    done = train(base, case.trained, recipe, on_epoch=on_epoch)
    training = sum(e.seconds for e in epochs)
    shown = done.tokens / len(case.trained) * sum(e.shown for e in epochs)
    with base.wearing(done.adapter):
        return watch.summary(
            sum(p.numel() for p in done.adapter.parameters),
            tokens_per_second=round(shown / training),
            setup_seconds=round(watch.seconds - training, 1),
        )


def sft(attempt: Attempt, case: Case, base: BaseModel) -> dict[str, Any]:
    """PEFT under TRL's SFTTrainer, as `METHODS` says; gradient checkpointing, its default, is off, since it trades time for memory."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    method = METHODS[attempt.contender]
    watch = _Watch(attempt, case, base)

    class Look(TrainerCallback):  # type: ignore[misc]
        def on_epoch_end(self, _arguments: Any, _state: Any, control: Any, **_: Any) -> None:
            trainer.model.eval()
            control.should_training_stop = watch.look()
            trainer.model.train()

        def on_step_end(self, _arguments: Any, _state: Any, control: Any, **_: Any) -> None:
            if watch.seconds > attempt.seconds:
                control.should_training_stop = control.should_epoch_stop = True

    rows = []
    for example in case.trained:
        prompt, answer = recall_ids(base, example.question), answer_ids(base, example.answer)
        rows.append({"input_ids": [*prompt, *answer], "completion_mask": [0] * len(prompt) + [1] * len(answer)})
    targets = method.targets if isinstance(method.targets, str) else list(method.targets)
    lora = LoraConfig(r=method.rank, lora_alpha=method.alpha, lora_dropout=method.dropout, target_modules=targets, task_type="CAUSAL_LM")
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder, per_device_train_batch_size=method.batch, learning_rate=attempt.rate, lr_scheduler_type=method.schedule,
            warmup_steps=method.warmup, max_steps=method.steps or -1, num_train_epochs=100_000 // len(case.trained), seed=attempt.seed,
            completion_only_loss=method.answers_only, gradient_checkpointing=False, bf16=half_is_faster(), use_cpu=True, save_strategy="no",
            report_to=[], logging_strategy="no", disable_tqdm=True, weight_decay=0.0, dataloader_pin_memory=False,
        )  # fmt: skip
        base.model.requires_grad_(True)  # as it comes from a folder; PEFT freezes it
        trainer = SFTTrainer(
            base.model, config, train_dataset=Dataset.from_list(rows), processing_class=base.tokenizer, peft_config=lora, callbacks=[Look()]
        )
        trainer.train()
    trainer.model.eval()
    parameters = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    return watch.summary(parameters, learning_rate=attempt.rate, surprise=surprise(base, case.trained))


def text(_: Attempt, __: Case, base: BaseModel) -> dict[str, Any]:
    """The ordinary text of ours, made once for a base model."""
    started = time.perf_counter()
    made = ordinary_text(base, first_adapted(base, Recipe()))
    return {"texts": len(made.texts), "seconds": round(time.perf_counter() - started, 1), "peak_rss_mb": peak_rss()}


def step(attempt: Attempt, case: Case, base: BaseModel) -> dict[str, Any]:
    """What a step of ours costs."""
    return cost_of_a_step(case, base, {"seed": attempt.seed, **(attempt.recipe or {})})


def main(line: str) -> None:
    """Run an attempt and print what it shows."""
    warnings.filterwarnings("ignore")
    attempt = Attempt(**json.loads(line))
    base = BaseModel.load(Path(attempt.model), "base", attempt.sha256, cache=Path(attempt.kept) if attempt.kept else None)
    case = case_of(attempt.case, attempt.seed, attempt.size)
    done = {"ours": ours, "text": text, "step": step}.get(attempt.contender, sft)(attempt, case, base)
    print(json.dumps({"done": done, "attempt": asdict(attempt)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
