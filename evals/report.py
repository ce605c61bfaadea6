"""Runs as a page: a table of tasks and arms with intervals and costs, and plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engrain.evals.summary import RESAMPLES, summarise

_NAMES = {"exact": "exact match", "contains": "answer contained", "choice": "choice accuracy", "token_f1": "token-F1", "rouge_l": "ROUGE-L"}


def report(folders: Sequence[Path], out: Path) -> str:
    """Score the runs again and write `report.md` and its plots into `out`; returns the page's text. Raises InputError."""
    summaries = [summarise(folder) for folder in folders]
    out.mkdir(parents=True, exist_ok=True)
    plots = [_accuracy(summaries, out / "accuracy.png"), _cost(summaries, out / "cost.png")]
    if any(a["task"] == b["task"] and a["order"]["size"] != b["order"]["size"] for a in summaries for b in summaries):
        plots.append(_load(summaries, out / "load.png"))
    text = "\n".join(["# Evaluation", "", table(summaries), "", *notes(summaries), "", *(f"![{p.stem}]({p.name})" for p in plots), ""])
    (out / "report.md").write_text(text, encoding="utf-8")
    (out / "report.json").write_text(json.dumps(summaries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return text


def table(summaries: Sequence[dict[str, Any]]) -> str:
    """Tasks × arms in Markdown."""
    head = "| task (score) | arm | mean [95 %] | n | unknown declined | known answered | router @1 | write s | s a question | prompt tokens | MB |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|---|"]
    for summary in summaries:
        for arm, found in summary["arms"].items():
            cost, mean = summary["costs"][arm], found["all"]
            cells = [
                f"{summary['task']} ({_NAMES[summary['scorer']]})", arm, _interval(mean), str(mean["n"]),
                f"{_share(found['declined_unknown'])} of {found['unknown']}" if found["unknown"] else "–", _share(found["answered_known"]),
                _share(found["router_recall_at_1"]), f"{cost['seconds_to_write']:.0f}" if cost["modules"] else "–",
                _number(cost["seconds_a_question"], 2),
                _number(cost["prompt_tokens_a_question"], 0) + (" (cut)" if cost["truncated"] else ""),
                f"{cost['bytes'] / 1e6:.1f}" if cost["bytes"] else "–",
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def notes(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """What a reader must know of the figures."""
    out = []
    for s in summaries:
        order = s["order"]
        failed = sum(a["failed"] for a in s["arms"].values())
        part = f"{order['documents'] or 'all'} documents, {order['limit'] or 'all'} questions"
        out.append(f"- `{s['task']}`: {part}, seed {s['seed']}, {order['memory_model']}; {failed} items failed.")
    machine = summaries[0]["machine"]
    out.append(f"- Machine: {machine['processors']} processors, {machine['system']}. Intervals: bootstrap over questions, {RESAMPLES} resamples.")
    return out


def _interval(mean: dict[str, Any]) -> str:
    return f"{mean['mean']:.2f} [{mean['low']:.2f}, {mean['high']:.2f}]" if mean["n"] else "–"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


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


def _accuracy(summaries: Sequence[dict[str, Any]], path: Path) -> Path:
    """Score by arm with intervals, a row of points for each task."""
    arms = list(dict.fromkeys(a for s in summaries for a in s["arms"]))
    figure, axes = _axes(8, 1.2 + 0.32 * len(arms) * max(1, len(summaries) ** 0.5))
    for row, summary in enumerate(summaries):
        shift = (row - (len(summaries) - 1) / 2) * 0.8 / max(1, len(summaries))
        points = [(arms.index(a) + shift, f["all"]) for a, f in summary["arms"].items() if f["all"]["n"]]
        means = [m["mean"] for _, m in points]
        spread = [[m["mean"] - m["low"] for _, m in points], [m["high"] - m["mean"] for _, m in points]]
        label = f"{summary['task']} ({_NAMES[summary['scorer']]}, n = {points[0][1]['n']})" if points else summary["task"]
        axes.errorbar(means, [y for y, _ in points], xerr=spread, fmt="o", capsize=3, label=label)
    axes.set_yticks(range(len(arms)), arms)
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("mean score, 0 to 1, with 95 % bootstrap interval")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16 if len(arms) > 3 else -0.35), ncols=2)
    return _saved(figure, path)


def _cost(summaries: Sequence[dict[str, Any]], path: Path) -> Path:
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


def _load(summaries: Sequence[dict[str, Any]], path: Path) -> Path:
    """Score against how much was learnt, a line for each arm of each task."""
    figure, axes = _axes(8, 4.5)
    for task in dict.fromkeys(s["task"] for s in summaries):
        runs = sorted((s for s in summaries if s["task"] == task), key=lambda s: s["order"]["size"])
        for arm in dict.fromkeys(a for s in runs for a in s["arms"]):
            points = [(s["order"]["size"], s["arms"][arm]["all"]) for s in runs if arm in s["arms"] and s["arms"][arm]["all"]["n"]]
            means = [m["mean"] for _, m in points]
            spread = [[m["mean"] - m["low"] for _, m in points], [m["high"] - m["mean"] for _, m in points]]
            axes.errorbar([x for x, _ in points], means, yerr=spread, marker="o", capsize=3, label=f"{task}, {arm}")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("size of what is learnt (entries, or thousands of tokens)")
    axes.set_ylabel("mean score, 0 to 1, with 95 % bootstrap interval")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    return _saved(figure, path)
