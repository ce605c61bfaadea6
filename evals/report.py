"""Runs as a page: a table of tasks and arms with intervals and costs, and plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engrain.evals.plots import NAMES, accuracy, against, cost
from engrain.evals.summary import RESAMPLES


def report(summaries: Sequence[dict[str, Any]], out: Path) -> str:
    """Write `report.md`, `report.json` and the plots of some runs' summaries into `out`; returns the page's text."""
    out.mkdir(parents=True, exist_ok=True)
    plots = [accuracy(summaries, out / "accuracy.png"), cost(summaries, out / "cost.png")]
    loads = [s for s in summaries if any(o["task"] == s["task"] and o["order"]["size"] != s["order"]["size"] for o in summaries)]
    if loads:
        groups = [{"varied": {"task": s["task"], "size": s["order"]["size"]}, "arms": s["arms"]} for s in loads]
        plots.append(against(groups, "size", out / "load.png"))
    text = "\n".join(["# Evaluation", "", table(summaries), "", *notes(summaries), "", *(f"![{p.stem}]({p.name})" for p in plots), ""])
    (out / "report.md").write_text(text, encoding="utf-8")
    (out / "report.json").write_text(json.dumps(list(summaries), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return text


def table(summaries: Sequence[dict[str, Any]]) -> str:
    """Tasks × arms in Markdown."""
    head = (
        "| task (score) | arm | mean [95 %] | n | unknown declined | known answered | router @1, @3 | write s | s a question | prompt tokens | MB |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|---|"]
    for summary in summaries:
        for arm, found in summary["arms"].items():
            cells = cells_of(found, summary["costs"][arm])
            lines.append(f"| {summary['task']} ({NAMES[summary['scorer']]}) | {arm} | " + " | ".join(cells.values()) + " |")
    return "\n".join(lines)


def cells_of(found: dict[str, Any], costs: dict[str, Any]) -> dict[str, str]:
    """What a table says of an arm, by column."""
    mean, near = found["all"], found["router_recall"]
    cells = {
        "mean": f"{mean['mean']:.2f} [{mean['low']:.2f}, {mean['high']:.2f}]" if mean["n"] else "–",
        "n": str(mean["n"]),
        "unknown": f"{_share(found['declined_unknown'])} of {found['unknown']}" if found["unknown"] else "–",
        "known": _share(found["answered_known"]),
        "router": f"{near['1']:.0%}, {near['3']:.0%}" if near else "–",
        "write": f"{costs['seconds_to_write']:.0f}" if costs["modules"] else "–",
        "ask": _number(costs["seconds_a_question"], 2),
        "prompt": _number(costs["prompt_tokens_a_question"], 0) + (" (cut)" if costs["truncated"] else ""),
        "bytes": f"{costs['bytes'] / 1e6:.1f}" if costs["bytes"] else "–",
    }
    if found.get("judged"):
        cells["mean"] += f", judged {found['judged']['mean']:.2f}"
    return cells


def notes(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """What a reader must know of the figures."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for s in summaries:
        order = s["order"]
        part = f"`{s['task']}`: {order['documents'] or 'all'} documents, {order['limit'] or 'all'} questions"
        parts.setdefault(f"{part}, {order['memory_model']}{_recipe(order['recipe'])}", []).append(s)
    out = []
    for part, same in parts.items():
        seeds = sorted({s["seed"] for s in same})
        failed = sum(a["failed"] for s in same for a in s["arms"].values())
        out.append(f"- {part}; seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}; {failed} items failed.")
    machine = summaries[0]["machine"]
    out.append(f"- Machine: {machine['processors']} processors, {machine['system']}. Intervals: bootstrap over questions, {RESAMPLES} resamples.")
    return out


def _recipe(recipe: dict[str, Any]) -> str:
    return "; recipe " + ", ".join(f"{k} {v}" for k, v in recipe.items()) if recipe else ""


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
