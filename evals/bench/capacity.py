"""`engrain bench capacity`: how much fits into one module of this base model, and what more rank would buy.

Telephone numbers are the hardest load: nothing in them can be guessed. Each size is trained by the recipe as it is, once per
rank; it fits when the module recalls what `engrain bench write` asks for. The largest load that fits, in tokens of what is to be
said, is what the planner puts into a module at most (`ENGRAIN_MODULE_TOKENS`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engrain.consolidation.harm import perplexity
from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import train
from engrain.errors import InputError
from engrain.evals.bench.cases import case_of
from engrain.evals.bench.contenders import HELD_OUT, TRAINED, exact_share
from engrain.evals.runs import Progress, machine
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids


def bench_capacity(
    out: Path, base: BaseModel, sizes: Sequence[int], ranks: Sequence[int], seed: int = 0, recipe: dict[str, Any] | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:  # fmt: skip
    """Every size at every rank, smallest first; a rank's larger sizes are left out once one did not fit. Writes the JSON.

    Raises InputError for sizes or ranks below 1, and sizes that there are not so many names for.
    """
    wrong = [n for n in (*sizes, *ranks) if n < 1]
    if wrong or not sizes or not ranks:
        raise InputError(f"size or rank {wrong[0] if wrong else None!r} cannot be trained; name whole numbers from 1 up")
    for size in sizes:
        case_of("phonebook", seed, size)  # that there are so many, before the first is trained
    runs: list[dict[str, Any]] = []
    before = perplexity(base)
    for number, rank in enumerate(ranks):
        for at, size in enumerate(sorted(sizes)):
            progress(f"{size} numbers at rank {rank}", (number + at / len(sizes)) / len(ranks))
            runs.append(_run(base, size, Recipe(**{"seed": seed, **(recipe or {}), "rank": rank, "alpha": 2 * rank}), before))
            if not runs[-1]["fits"]:
                break
    fitting = {rank: max((r["tokens"] for r in runs if r["rank"] == rank and r["fits"]), default=0) for rank in ranks}
    result = {
        "base": base.name, "base_sha256": base.sha256, "runs": runs, "module_tokens": {str(rank): tokens for rank, tokens in fitting.items()},
        "fits_at": {"trained": TRAINED, "held_out": HELD_OUT}, "seed": seed,
        "machine": machine(),
    }  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _run(base: BaseModel, size: int, recipe: Recipe, before: float) -> dict[str, Any]:
    case = case_of("phonebook", recipe.seed, size)
    started = time.perf_counter()
    done = train(base, case.trained, recipe)
    seconds = time.perf_counter() - started
    with base.wearing(done.adapter):
        trained, held_out, after = exact_share(base, case.trained), exact_share(base, case.held_out), perplexity(base)
    tokens = sum(len(answer_ids(base, answer)) for answer in {e.answer for e in case.trained})
    return {
        "size": size, "rank": recipe.rank, "tokens": tokens, "trained": round(trained, 4), "held_out": round(held_out, 4),
        "fits": trained >= TRAINED and held_out >= HELD_OUT, "perplexity_ratio": round(after / before, 4), "epochs": len(done.epochs),
        "seconds_per_fact": round(seconds / size, 2), "bytes_per_fact": round(2 * sum(p.numel() for p in done.adapter.parameters) / size),
    }  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """The result for a terminal or a page, in Markdown."""
    lines = [
        "| rank | numbers | tokens | trained | never trained | epochs | s a fact | kB a fact | perplexity |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['rank']} | {r['size']} | {r['tokens']} | {r['trained']:.0%} | {r['held_out']:.0%} | {r['epochs']} | {r['seconds_per_fact']:.1f} "
        f"| {r['bytes_per_fact'] / 1000:.0f} | × {r['perplexity_ratio']:.3f} |" for r in result["runs"]
    ]  # fmt: skip
    return "\n".join(lines)
