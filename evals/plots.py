"""The pictures of reports and studies: axes named with units, scales that begin where the quantity does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAMES = {"exact": "exact match", "contains": "answer contained", "choice": "choice accuracy", "token_f1": "token-F1", "rouge_l": "ROUGE-L"}
"""What a scorer's figure is called."""
_AXES = {
    "size": "size of what is learnt (entries, or thousands of tokens)", "parts": "modules", "rank": "LoRA rank", "documents": "documents",
    "epochs": "epochs", "learning_rate": "peak learning rate",
}  # fmt: skip
_SCORE = "mean score, 0 to 1, with 95 % bootstrap interval"


def accuracy(summaries: Sequence[dict[str, Any]], path: Path) -> Path:
    """Score by arm with intervals, a row of points for each task."""
    arms = list(dict.fromkeys(a for s in summaries for a in s["arms"]))
    rows = []
    for s in summaries:
        points = {a: f["all"] for a, f in s["arms"].items() if f["all"]["n"]}
        n = f", n = {next(iter(points.values()))['n']}" if points else ""
        rows.append((f"{s['task']} ({NAMES[s['scorer']]}{n})", points))
    return _rows(arms, rows, path)


def cost(summaries: Sequence[dict[str, Any]], path: Path) -> Path:
    """Seconds a question against score."""
    figure, axes = _axes(8, 4.5)
    for summary in summaries:
        points = [(summary["costs"][a]["seconds_a_question"], f["all"]["mean"], a) for a, f in summary["arms"].items()]
        points = [p for p in points if p[0] and p[1] is not None]
        axes.scatter([x for x, _, _ in points], [y for _, y, _ in points], label=summary["task"], s=24)
        for x, y, names in _together(points):
            axes.annotate(names, (x, y), textcoords="offset points", xytext=(0, 6), fontsize=7, ha="center")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.margins(x=0.12)
    axes.set_ylim(-0.03, 1.08)
    axes.set_xlabel("seconds a question (median, logarithmic)")
    axes.set_ylabel("mean score, 0 to 1")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    return _saved(figure, path)


def reliability(summaries: Sequence[dict[str, Any]], path: Path) -> Path:
    """What answers are worth against how sure the memory was of them; on the diagonal it is as sure as it should be."""
    figure, axes = _axes(5.5, 5)
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    for summary in summaries:
        for arm, found in summary["arms"].items():
            if found.get("calibration"):
                bins = found["calibration"]["bins"]
                line = axes.plot([b["confidence"] for b in bins], [b["score"] for b in bins], lw=1, label=f"{summary['task']}: {arm}")
                sizes = [6 + 3 * b["n"] for b in bins]
                axes.scatter([b["confidence"] for b in bins], [b["score"] for b in bins], s=sizes, color=line[0].get_color(), alpha=0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.05)
    axes.set_xlabel("confidence, 0 to 1 (the larger a dot, the more answers)")
    axes.set_ylabel("mean score, 0 to 1; an answer to what was never said counts 0")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    return _saved(figure, path)


def against(groups: Sequence[dict[str, Any]], x: str, path: Path) -> Path:
    """Score against what a study varies: lines where that is a number, rows of points where it is a name."""
    values = [g["varied"].get(x) for g in groups]
    if x == "arm" or not all(isinstance(v, int | float) for v in values):
        arms = list(dict.fromkeys(a for g in groups for a in g["arms"]))
        return _rows(arms, [(_label(g), {a: f["all"] for a, f in g["arms"].items() if f["all"]["n"]}) for g in groups], path)
    figure, axes = _axes(8, 4.5)
    lines: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    several = len({a for g in groups for a in g["arms"]}) > 1
    one_task = ["task"] if len({g["varied"]["task"] for g in groups}) == 1 else []
    for group, value in zip(groups, values, strict=True):
        for arm, found in group["arms"].items():
            if found["all"]["n"]:
                label = ", ".join(part for part in (_label(group, x, *one_task), arm if several else "") if part) or group["varied"]["task"]
                lines.setdefault(label, []).append((float(value), found["all"]))
    for number, (label, points) in enumerate(lines.items()):
        points.sort(key=lambda p: p[0])
        shift = 1 + 0.012 * (number - (len(lines) - 1) / 2)  # so that intervals at one place can be told apart
        means = [m["mean"] for _, m in points]
        axes.errorbar([v * shift for v, _ in points], means, yerr=_spread([m for _, m in points]), marker="o", ms=4, capsize=3, label=label)
    ticks = sorted({float(v) for v in values})
    if ticks[0] > 0 and ticks[-1] / ticks[0] >= 4:
        axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_ylim(-0.02, 1.05)
    axes.set_xlabel(_AXES.get(x, x))
    axes.set_ylabel(_SCORE)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    return _saved(figure, path)


def _label(group: dict[str, Any], *without: str) -> str:
    """What a group varies, in words."""
    words = []
    for key, value in group["varied"].items():
        if key not in without:
            words.append(str(value) if key == "task" else f"{'LoRA rank' if key == 'rank' else key} {value}")
    return ", ".join(words)


def _rows(names: Sequence[str], rows: Sequence[tuple[str, dict[str, dict[str, Any]]]], path: Path) -> Path:
    """A row for each name, a colour for each of `rows`."""
    figure, axes = _axes(8, 1.2 + 0.32 * len(names) * max(1, len(rows) ** 0.5))
    for number, (label, points) in enumerate(rows):
        shift = (number - (len(rows) - 1) / 2) * 0.8 / max(1, len(rows))
        places = [names.index(name) + shift for name in points]
        axes.errorbar([m["mean"] for m in points.values()], places, xerr=_spread(list(points.values())), fmt="o", ms=4, capsize=3, label=label)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(_SCORE)
    axes.grid(axis="x", alpha=0.3)
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    return _saved(figure, path)


def _spread(means: Sequence[dict[str, Any]]) -> list[list[float]]:
    return [[m["mean"] - m["low"] for m in means], [m["high"] - m["mean"] for m in means]]


def _axes(width: float, height: float) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _saved(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot

    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def _together(points: Sequence[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Points with their names; those that would lie over each other share the first one's place."""
    groups: list[tuple[float, float, str]] = []
    for x, y, name in sorted(points):
        near = next((i for i, (gx, gy, _) in enumerate(groups) if x / gx < 1.35 and abs(y - gy) < 0.05), None)
        if near is None:
            groups.append((x, y, name))
        else:
            groups[near] = (*groups[near][:2], f"{groups[near][2]}, {name}")
    return groups
