"""From answers to figures: scores, means with bootstrap intervals, abstention, routing, cost. Nothing is asked again."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from engrain.errors import InputError
from engrain.evals.arms import LAYOUTS
from engrain.evals.scorers import declined, score
from engrain.evals.tasks import task_of
from engrain.lines import read_lines

RESAMPLES = 2000
RIGHT = 0.8
"""From this score on an answer counts as right."""


def summarise(out: Path) -> dict[str, Any]:
    """Score the stored answers of a run; writes `scores.jsonl` and `summary.json` and returns the latter.

    Of a run that was passed on without its answers the summary is taken as it is. Raises InputError where the folder holds
    neither.
    """
    if not (out / "config.json").exists() and (out / "summary.json").exists():
        return dict(json.loads((out / "summary.json").read_text()))
    if not (out / "config.json").exists():
        raise InputError(f"{str(out)!r} holds no run; make one with `engrain eval run TASK --out {out}`")
    config = json.loads((out / "config.json").read_text())
    order = config["order"]
    scorer = task_of(order["task"]).scorer
    shown = {**order, "data": Path(order["data"]).name}  # a page that is passed on names no folder of its maker's
    judged = {(j["arm"], j["question_id"]): j["value"] for j in read_lines(out / "judged.jsonl")}
    records = [_scored(r, scorer, judged) for r in read_lines(out / "answers.jsonl") if r["said"] or r["error"]]
    _write(out / "scores.jsonl", "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records))
    writes = list(read_lines(out / "writes.jsonl"))
    arms = {arm: _arm([r for r in records if r["arm"] == arm], order["seed"]) for arm in order["arms"]}
    costs = {arm: _cost(arm, [r for r in read_lines(out / "answers.jsonl") if r["arm"] == arm], writes) for arm in order["arms"]}
    summary = {
        "task": order["task"],
        "scorer": scorer,
        "seed": order["seed"],
        "order": shown,
        "machine": config["machine"],
        "arms": arms,
        "costs": costs,
    }
    _write(out / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    return summary


def pooled(folders: Sequence[Path], summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Runs that differ in their seed, as one: every arm over the items of all of them, its mean by seed, its mean costs."""
    first = summaries[0]
    records = [list(read_lines(folder / "scores.jsonl")) for folder in folders]
    arms, costs, by_seed = {}, {}, {}
    for arm in first["arms"]:
        arms[arm] = _arm([r for one in records for r in one if r["arm"] == arm], first["seed"])
        by_seed[arm] = [s["arms"][arm]["all"]["mean"] for s in summaries]
        costs[arm] = {k: _average([s["costs"][arm][k] for s in summaries]) for k in first["costs"][arm]}
    return {k: first[k] for k in ("task", "scorer", "seed", "order", "machine")} | {"arms": arms, "costs": costs, "by_seed": by_seed}


def _average(values: Sequence[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return sum(there) / len(there) if there else None


def interval(values: Sequence[float], seed: int, clusters: Sequence[Hashable] | None = None) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean (Efron 1979).

    Values of one cluster are drawn together: those of one question under several seeds, or of several questions about one thing.
    """
    together: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters or range(len(values)), strict=True):
        together.setdefault(cluster, []).append(value)
    sums, sizes = np.array([sum(v) for v in together.values()]), np.array([len(v) for v in together.values()])
    drawn = np.random.default_rng(seed).integers(len(together), size=(RESAMPLES, len(together)))
    low, high = np.percentile(sums[drawn].sum(1) / sizes[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)


def _scored(record: dict[str, Any], scorer: str, judged: dict[tuple[str, str], float]) -> dict[str, Any]:
    """An item with its score, or with the reason why it has none."""
    kept = {k: record[k] for k in ("arm", "question_id", "kind", "document", "error")}
    kept |= {"about": record.get("about") or record["question_id"]}
    kept |= {
        "known": bool(record["answers"]),
        "declined": None,
        "place": None,
        "confidence": None,
        "judged": judged.get((record["arm"], record["question_id"])),
    }
    if record["error"]:
        return {**kept, "score": None}
    said = record["said"]
    try:
        value = asdict(score("choice" if record["choices"] else scorer, said["text"], record["answers"]))
    except Exception as error:  # noqa: BLE001 - an answer that breaks a scorer is unscored, and says so
        return {**kept, "score": None, "error": f"scorer: {type(error).__name__}: {error}"}
    return {**kept, "declined": declined(said["text"]), "place": _place(record, said), "confidence": said.get("confidence"), "score": value}


def _place(record: dict[str, Any], said: dict[str, Any]) -> int | None:
    """At which place the router had the right module, from 1; 0 where it was not among the first; None where nothing was routed."""
    if not (record["document"] and said["nearest"]):
        return None
    return said["nearest"].index(record["document"]) + 1 if record["document"] in said["nearest"] else 0


def _arm(records: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    scored = [r for r in records if r["score"] is not None]
    known = [r for r in scored if r["known"]]
    strange = [r for r in scored if not r["known"]]
    kinds = dict.fromkeys(r["kind"] for r in scored)
    places = [r["place"] for r in known if r["place"] is not None]
    refused = [r for r in scored if r["declined"]]
    verdicts = [r["judged"] for r in known if r["judged"] is not None]
    found = {"judged": {"n": len(verdicts), "mean": sum(verdicts) / len(verdicts)}} if verdicts else {}
    return found | {
        "all": _mean(known, seed),
        "kinds": {kind: _mean([r for r in scored if r["kind"] == kind], seed) for kind in kinds},
        "failed": len(records) - len(scored),
        "declined_unknown": len([r for r in strange if r["declined"]]) / len(strange) if strange else None,
        "answered_known": len([r for r in known if not r["declined"]]) / len(known) if known else None,
        "abstention_precision": len([r for r in refused if not r["known"]]) / len(refused) if refused and strange else None,
        "unknown": len(strange),
        "calibration": calibration([(r["confidence"], r["score"]["value"]) for r in scored if r["confidence"] is not None]),
        "router_recall": {str(k): sum(0 < p <= k for p in places) / len(places) for k in (1, 3)} if places else None,
    }


def calibration(said: Sequence[tuple[float, float]]) -> dict[str, Any] | None:
    """(confidence, score) of answers, in ten bins of confidence, and the expected calibration error (Guo et al., arXiv 1706.04599)."""
    if not said:
        return None
    bins: dict[int, list[tuple[float, float]]] = {}
    for confidence, value in said:
        bins.setdefault(min(9, int(10 * confidence)), []).append((confidence, value))
    rows = [
        {"n": len(some), **dict(zip(("confidence", "score"), map(float, np.mean(some, axis=0)), strict=True))} for _, some in sorted(bins.items())
    ]
    return {"bins": rows, "error": sum(row["n"] * abs(row["confidence"] - row["score"]) for row in rows) / len(said)}


def _mean(records: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    if not records:
        return {"n": 0, "mean": None, "low": None, "high": None, "right": None}
    values = [r["score"]["value"] for r in records]
    low, high = interval(values, seed, [r["about"] for r in records])
    right = sum(value >= RIGHT for value in values) / len(values)
    return {"n": len(values), "mean": sum(values) / len(values), "low": low, "high": high, "right": right}


def _cost(arm: str, records: list[dict[str, Any]], writes: list[dict[str, Any]]) -> dict[str, Any]:
    said = [r["said"] for r in records if r["said"]]
    layout = LAYOUTS[arm]
    mine = [w for w in writes if w["layout"] == (layout.value if layout else arm)]
    return {
        "seconds_to_write": sum(w["seconds"] for w in mine),
        "modules": len(mine),
        "bytes": sum(w["bytes"] for w in mine),
        "perplexity": _average([w["scores"].get("perplexity") for w in mine]),
        "seconds_a_question": float(np.median([s["seconds"] for s in said])) if said else None,
        "prompt_tokens_a_question": float(np.mean([s["prompt_tokens"] for s in said])) if said else None,
        "truncated": sum(s["truncated"] for s in said),
    }


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.rename(path)
