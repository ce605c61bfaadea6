"""Runs as a page: a table of tasks and arms with intervals and costs, and plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engrain.evals.plots import NAMES, accuracy, against, cost, reliability
from engrain.evals.summary import RESAMPLES, RIGHT

NOTHING = "–"
"""Stands in a table where there is nothing to say."""


def report(summaries: Sequence[dict[str, Any]], out: Path) -> str:
    """Write `report.md`, `report.json` and the plots of some runs' summaries into `out`; returns the page's text."""
    out.mkdir(parents=True, exist_ok=True)
    plots = [accuracy(summaries, out / "accuracy.png"), cost(summaries, out / "cost.png")]
    loads = [s for s in summaries if any(o["task"] == s["task"] and o["order"]["size"] != s["order"]["size"] for o in summaries)]
    if loads:
        groups = [{"varied": {"task": s["task"], "size": s["order"]["size"]}, "arms": s["arms"]} for s in loads]
        plots.append(against(groups, "size", out / "load.png"))
    if any(found.get("calibration") for s in summaries for found in s["arms"].values()):
        plots.append(reliability(summaries, out / "reliability.png"))
    text = "\n".join(["# Evaluation", "", table(summaries), "", *notes(summaries), "", *(f"![{p.stem}]({p.name})" for p in plots), ""])
    (out / "report.md").write_text(text, encoding="utf-8")
    (out / "report.json").write_text(json.dumps(list(summaries), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return text


def table(summaries: Sequence[dict[str, Any]]) -> str:
    """Tasks × arms in Markdown."""
    rows = [
        {"task (score)": f"{s['task']} ({NAMES[s['scorer']]})", "arm": arm, **cells_of(found, s["costs"][arm])}
        for s in summaries for arm, found in s["arms"].items()
    ]  # fmt: skip
    return markdown(rows)


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """Rows by column; a column in which no row has anything is left out."""
    columns = [c for c in rows[0] if any(row[c] not in ("", NOTHING) for row in rows)]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row[c] for c in columns) + " |" for row in rows])


def cells_of(found: dict[str, Any], costs: dict[str, Any]) -> dict[str, str]:
    """What a table says of an arm, by column."""
    mean, near, kinds = found["all"], found["router_recall"], {k: m for k, m in found["kinds"].items() if k != "unknown" and m["n"]}
    return {
        "mean [95 %]": f"{mean['mean']:.2f} [{mean['low']:.2f}, {mean['high']:.2f}]" if mean["n"] else NOTHING,
        f"≥ {RIGHT}": _share(mean.get("right")),
        "judged right (of)": f"{found['judged']['mean']:.2f} ({found['judged']['n']})" if found.get("judged") else NOTHING,
        "n": str(mean["n"]),
        "by kind (n)": "; ".join(f"{k} {m['mean']:.2f} ({m['n']})" for k, m in kinds.items()) if len(kinds) > 1 else "",
        "unknown declined": f"{_share(found['declined_unknown'])} of {found['unknown']}" if found["unknown"] else NOTHING,
        "declined rightly": _share(found["abstention_precision"]),
        "known answered": _share(found["answered_known"]),
        "calibration error": _number((found.get("calibration") or {}).get("error"), 2),
        "router @1, @3": f"{near['1']:.0%}, {near['3']:.0%}" if near else NOTHING,
        "write s": f"{costs['seconds_to_write']:.0f}" if costs["modules"] else NOTHING,
        "s a question": _number(costs["seconds_a_question"], 2),
        "prompt tokens": _number(costs["prompt_tokens_a_question"], 0) + (" (cut)" if costs["truncated"] else ""),
        "perplexity ×": _number(costs["perplexity"], 3),
        "MB": f"{costs['bytes'] / 1e6:.1f}" if costs["bytes"] else NOTHING,
    }


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
    out.append(f"- Machine: {machine['processors']} processors, {machine['system']}.")
    out.append(f"- Intervals: bootstrap over questions, those about one thing drawn together, {RESAMPLES} resamples.")
    return out


def _recipe(recipe: dict[str, Any]) -> str:
    return "; recipe " + ", ".join(f"{k} {v}" for k, v in recipe.items()) if recipe else ""


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"
