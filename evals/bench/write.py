"""`engrain bench write`: seconds until facts are recalled in phrasings never trained, ours and others', in one run.

Each contender runs alone in a process of its own. Others stop at a multiple of our time; what they have not reached then is
reported as more than that. Ours is measured before the others and behind them, because machines have faster and slower hours, and its time is
the mean of both. The ordinary text that it leaves alone belongs to a base model, not to a module: it is written before, and its time told by
itself. What is done is kept beside the output, so that a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engrain.errors import EngrainError, InputError
from engrain.evals.bench.cases import CASES
from engrain.evals.bench.contenders import HELD_OUT, METHODS, TRAINED, Attempt
from engrain.evals.runs import Progress, machine
from engrain.lines import append, mend, read_lines
from engrain.memory.catalog import ModelFolder

BUDGETS = {"trl": 8.5, "paper": 17.0, "prag": 5.0}
"""A contender's time, as a multiple of ours: enough to tell whether the promised factor is reached; against PRAG none is promised."""
_GRID_EPOCHS = 2
_PACKAGES = ("torch", "transformers", "peft", "trl")


def bench_write(
    out: Path, model: ModelFolder, cases: Sequence[str], seed: int = 0, size: int | None = None, budgets: dict[str, float] | None = None,
    recipe: dict[str, Any] | None = None, progress: Progress = lambda *_: None,
) -> dict[str, Any]:  # fmt: skip
    """Run the benchmark on a model folder and write its JSON; raises InputError for an unknown case or where TRL is not installed."""
    unknown = [name for name in cases if name not in CASES]
    if unknown or not cases:
        raise InputError(f"case {unknown[0] if unknown else ''!r} is unknown; choose of {', '.join(CASES)}")
    if find_spec("trl") is None:
        raise InputError("the contenders train with TRL; pip install 'engrain[bench]'")
    budgets = {**BUDGETS, **(budgets or {})}
    out.parent.mkdir(parents=True, exist_ok=True)
    bench = _Bench(out.with_name(f"{out.name}.part"), progress, len(cases))
    kept = out.with_name(f"{out.name}.kept")
    ours = Attempt("ours", cases[0], str(model.path), model.sha256, str(kept), seed, size, recipe=recipe)
    text = bench.run(replace(ours, contender="text"))
    found = [_case(bench, replace(ours, case=name), budgets) for name in cases]
    step = bench.run(replace(ours, contender="step"))
    result = {
        "cases": found, "speedup_vs_trl": _least(found, "trl"), "speedup_vs_paper": _least(found, "paper"), "speedup_vs_prag": _least(found, "prag"),
        "peak_rss_ratio_vs_trl": round(max(c["ours"]["peak_rss_mb"] / c["trl"]["peak_rss_mb"] for c in found), 3), **step,
        "ordinary_text": text,
        "reached_at": {"trained": TRAINED, "held_out": HELD_OUT}, "seed": seed,
        "machine": machine(),
        "versions": {package: version(package) for package in _PACKAGES},
    }  # fmt: skip
    staging = out.with_name(f"{out.name}.new")
    staging.write_text(json.dumps(result, indent=1) + "\n")
    staging.rename(out)
    bench.file.unlink()
    shutil.rmtree(kept, ignore_errors=True)
    return result


def _case(bench: _Bench, attempt: Attempt, budgets: dict[str, float]) -> dict[str, Any]:
    """One case under every contender; a contender's `speedup` is how many times as long as ours it took, `at_least` where it never arrived."""
    mine = bench.run(attempt)
    limit = mine["seconds"] or mine["trained_for"]
    theirs = dict[str, dict[str, Any]]()
    for contender, method in METHODS.items():
        own = replace(attempt, contender=contender, recipe=None, rate=method.rates[0])
        if len(method.rates) > 1:
            tried = [replace(own, rate=rate, epochs=_GRID_EPOCHS, seconds=limit * budgets[contender]) for rate in method.rates]
            own = replace(own, rate=min(tried, key=lambda one: float(bench.run(one)["surprise"])).rate)
        theirs[contender] = bench.run(replace(own, seconds=limit * budgets[contender]))
    mine = _mean([mine, bench.run(replace(attempt, turn=1))])
    if mine["seconds"] is not None:
        for one in theirs.values():
            one |= {"speedup": round((one["seconds"] or one["trained_for"]) / mine["seconds"], 2), "at_least": one["seconds"] is None}
    return {"name": attempt.case, "ours": mine, **theirs}


def _mean(measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first of some measurements of the same with the mean of their times, and each of these; None where one did not arrive."""
    out = dict(measured[0])
    for name, places in (("seconds", 1), ("trained_for", 1), ("setup_seconds", 1), ("seconds_per_fact", 2), ("tokens_per_second", None)):
        values = [one[name] for one in measured]
        out[name] = None if None in values else round(sum(values) / len(values), places)
    return out | {"seconds_each": [one["seconds"] for one in measured], "trained_for_each": [one["trained_for"] for one in measured]}


def _least(cases: Sequence[dict[str, Any]], contender: str) -> float | None:
    """The smallest speedup over the cases; None where we did not arrive ourselves."""
    speedups = [case[contender].get("speedup") for case in cases]
    return min(speedups) if all(s is not None for s in speedups) else None


class _Bench:
    """Attempts in processes, one at a time; those that were finished are not run again."""

    def __init__(self, file: Path, progress: Progress, cases: int) -> None:
        self.file, self.progress = file, progress
        self.total = 2 + cases * (2 + len(METHODS) + sum(len(m.rates) for m in METHODS.values() if len(m.rates) > 1))
        mend(file)
        self.done = {_key(record["attempt"]): record for record in read_lines(file)}

    def run(self, attempt: Attempt) -> dict[str, Any]:
        """What came of an attempt; raises EngrainError where its process failed."""
        key = _key(asdict(attempt))
        if key not in self.done or not _enough(self.done[key], attempt):
            for record in self._lines(attempt):
                self.progress(_told(attempt, record), len(self.done) / self.total)
                if "done" in record:
                    self.done[key] = record
                    append(self.file, record)
        return dict(self.done[key]["done"])

    def _lines(self, attempt: Attempt) -> Iterator[dict[str, Any]]:
        self.progress(f"{attempt.case}: {attempt.contender}", len(self.done) / self.total)
        command = [sys.executable, "-P", "-m", "engrain.evals.bench.contenders", json.dumps(asdict(attempt))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            last: dict[str, Any] = {}
            for line in process.stdout:  # the trainers print dictionaries of their own
                if line.startswith('{"'):
                    yield (last := json.loads(line))
            if process.wait() or "done" not in last:
                raise EngrainError(f"{attempt.contender} on {attempt.case!r} ended with {process.returncode}: {process.stderr.read()[-600:]}")


def _key(attempt: dict[str, Any]) -> str:
    """What an attempt is, whatever time it was given."""
    return json.dumps({name: value for name, value in attempt.items() if name != "seconds"}, sort_keys=True)


def _enough(record: dict[str, Any], attempt: Attempt) -> bool:
    """Whether more time would change nothing: it arrived, or did its epochs, or had as much."""
    done = record["done"]
    return done.get("seconds") is not None or done.get("epochs", 0) >= attempt.epochs or record["attempt"]["seconds"] >= attempt.seconds


def _told(attempt: Attempt, record: dict[str, Any]) -> str:
    rate = f" at {attempt.rate:g}" if attempt.rate else ""
    if "done" in record:
        return f"{attempt.case}: {attempt.contender}{rate} done"
    return f"{attempt.case}: {attempt.contender}{rate}, {record['seconds']:.0f} s, {record['held_out']:.0%} of phrasings never trained"


def table(result: dict[str, Any]) -> str:
    """The result for a terminal or a page, in Markdown."""
    lines = [
        "| case | who | seconds | times ours | trained | never trained | peak memory | adapter | perplexity |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case in result["cases"]:
        for who in ("ours", *METHODS):
            one = case[who]
            seconds = f"{one['seconds']:.0f}" if one["seconds"] is not None else f"> {one['trained_for']:.0f}"
            times = f"{'> ' if one.get('at_least') else ''}{one['speedup']:.1f}" if "speedup" in one else ""
            rate = f" ({one['learning_rate']:g})" if "learning_rate" in one else ""
            lines.append(
                f"| {case['name']} | {who}{rate} | {seconds} | {times} | {one['trained']:.0%} | {one['held_out']:.0%} | {one['peak_rss_mb']} MB "
                f"| {one['adapter_bytes'] / 1e6:.1f} MB | × {one['perplexity_ratio']:.3f} |"
            )
    peaks = ", ".join(f"{peak:.0f} in {name}" for name, peak in result["matmul_peak_gflops"].items())
    lines += [
        "",
        f"A training step runs at {result['gflops']:.0f} GFLOP/s, {result['flops_share_of_peak']:.0%} of the best matrix product here ({peaks}).",
    ]
    return "\n".join(lines)
