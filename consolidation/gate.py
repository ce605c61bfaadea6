"""The gate: a module is published only if it recalls, does no harm and can say no."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from engrain.memory.bank import lora
from engrain.memory.bank.bank import ask
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids, recall_ids
from engrain.memory.consult import consult
from engrain.memory.embed import Embedder
from engrain.memory.schema import Fact, Probe

PROSE = (
    "The harbour wakes before the town does. By five the first boats are back, and the gulls know it; they wait in rows on "
    "the roof of the ice house and complain. A woman in yellow boots counts boxes, writes a number on a slate, wipes it off "
    "and writes another. Nobody hurries. The tide will turn at seven whether they hurry or not.",
    "Bread is mostly patience. Flour, water, salt and a little of yesterday's dough are mixed until no dry spots are left, "
    "and then the cook does nothing for an hour. Folding takes half a minute. After the third fold the dough holds its shape "
    "and is full of small bubbles. A hot oven and some steam do the rest, and the loaf must cool before it is cut.",
    "To find the area of a triangle, multiply the length of its base by its height and divide by two. The reason is simple: "
    "two copies of the same triangle can always be put together to make a parallelogram, and a parallelogram has the same "
    "area as a rectangle with the same base and height.",
    "In the nineteenth century, railways changed how people thought about time. Before them every town kept its own clock, "
    "set by the sun, and nobody minded that noon came a few minutes later in the west. Timetables made that impossible. "
    "Within a few decades most countries had agreed on a single time for the whole of their territory.",
)
"""Fixed text on which a module must leave the base model's perplexity alone; written for this purpose."""


@dataclass(frozen=True)
class Thresholds:
    """What a module must reach."""

    trained: float = 0.90
    """Share of trained probes answered exactly."""
    held_out: float = 0.40
    """Share of phrasings never trained that are answered exactly."""
    unknown: float = 0.50
    """Share of unknown questions, never trained, that get no answer: not routed, declined, unsure, or vouched for by no fact."""
    perplexity: float = 1.10
    """Perplexity on fixed text with the module, as a multiple of the base model's."""


@dataclass(frozen=True)
class Verdict:
    """What the gate measured, and what it says."""

    trained: float
    held_out: float | None
    """None where no phrasing was held out."""
    unknown: float | None
    perplexity: float
    reasons: tuple[str, ...]
    """Why the module is rejected; empty when it passes."""

    @property
    def passed(self) -> bool:
        return not self.reasons

    def as_dict(self) -> dict[str, object]:
        """For the job and the manifest."""
        return {**asdict(self), "reasons": list(self.reasons)}


def judge(
    base: BaseModel, embedder: Embedder, adapter: lora.Adapter, probes: Sequence[Probe], facts: Sequence[Fact], threshold: float, bounds: Thresholds
) -> Verdict:
    """Measure a module on its probes and on fixed text; unknown questions go the way recall would take."""
    known = [p for p in probes if p.fact_id is not None]
    strange = [p for p in probes if p.fact_id is None and p.held_out]
    with base.lock:
        before = perplexity(base)
        with base.wearing(adapter):
            exact = _exact(base, known)
            after = perplexity(base)
    routed = [p.question for p, near in zip(strange, _routed(embedder, known, strange, threshold), strict=True) if near]
    told = sum(c.known for c in consult(lambda questions: ask(base, adapter, questions), routed, facts)) if routed else 0
    trained = _share([e for e, p in zip(exact, known, strict=True) if not p.held_out])
    held_out = _share([e for e, p in zip(exact, known, strict=True) if p.held_out])
    unknown = 1 - told / len(strange) if strange else None
    ratio = after / before
    return Verdict(trained or 0.0, held_out, unknown, ratio, tuple(_reasons(bounds, trained or 0.0, held_out, unknown, ratio)))


def perplexity(base: BaseModel, texts: Sequence[str] = PROSE) -> float:
    """Perplexity of the model, as it is now, on texts; the first token of each is given."""
    rows = [base.encode(text) for text in texts]
    found = base.answer_logprobs([row[:1] for row in rows], [row[1:] for row in rows])
    logprobs = [value for answered in found for value in answered.logprobs]
    return math.exp(-sum(logprobs) / len(logprobs))


def _exact(base: BaseModel, probes: Sequence[Probe]) -> list[bool]:
    prompts = [recall_ids(base, p.question) for p in probes]
    return [a.exact for a in base.answer_logprobs(prompts, [answer_ids(base, p.answer) for p in probes])]


def _routed(embedder: Embedder, known: Sequence[Probe], strange: Sequence[Probe], threshold: float) -> list[bool]:
    """Which strange questions the router would send here."""
    if not strange or not known:
        return [False] * len(strange)
    nearest = (embedder([p.question for p in strange]) @ embedder([p.question for p in known]).T).max(1)
    return [bool(score >= threshold) for score in nearest]


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def _reasons(bounds: Thresholds, trained: float, held_out: float | None, unknown: float | None, ratio: float) -> list[str]:
    reasons = []
    if trained < bounds.trained:
        reasons.append(f"recalls {trained:.0%} of its trained probes, needs {bounds.trained:.0%}")
    if held_out is not None and held_out < bounds.held_out:
        reasons.append(f"recalls {held_out:.0%} of phrasings never trained, needs {bounds.held_out:.0%}")
    if unknown is not None and unknown < bounds.unknown:
        reasons.append(f"refuses {unknown:.0%} of unknown questions, needs {bounds.unknown:.0%}")
    if not ratio <= bounds.perplexity:
        reasons.append(f"perplexity on fixed text is {ratio:.2f} times the base model's, at most {bounds.perplexity:.2f} is allowed")
    return reasons
