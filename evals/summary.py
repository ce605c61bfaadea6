"""From answers to figures: scores, means with bootstrap intervals, abstention, routing, cost. Nothing is asked again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from engrain.errors import InputError
from engrain.evals.arms import LAYOUTS
from engrain.evals.scorers import declined, score
from engrain.evals.tasks import task_of
from engrain.evals.writing import Layout

RESAMPLES = 2000


def summarise(out: Path) -> dict[str, Any]:
    """Score the stored answers of a run; writes `scores.jsonl` and `summary.json` and returns the latter.

    Raises InputError where the folder holds no run.
    """
    if not (out / "config.json").exists():
        raise InputError(f"{str(out)!r} holds no run; make one with `engrain eval run TASK --out {out}`")
    config = json.loads((out / "config.json").read_text())
    order = config["order"]
    scorer = task_of(order["task"]).scorer
    shown = {**order, "data": Path(order["data"]).name}  # a page that is passed on names no folder of its maker's
    records = [_scored(r, scorer) for r in read_lines(out / "answers.jsonl")]
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


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a file of JSON lines; a last line that a kill cut short is dropped from the file."""
    if not path.exists():
        return
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if whole != raw:
        path.write_bytes(whole)
    for line in whole.decode().splitlines():
        yield json.loads(line)


def interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean (Efron 1979)."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.asarray(values, float), (RESAMPLES, len(values)))
    low, high = np.percentile(drawn.mean(1), [2.5, 97.5])
    return float(low), float(high)


def _scored(record: dict[str, Any], scorer: str) -> dict[str, Any]:
    """An item with its score, or with the reason why it has none."""
    kept = {k: record[k] for k in ("arm", "question_id", "kind", "document", "error")}
    kept |= {"known": bool(record["answers"]), "declined": None, "routed": None}
    if record["error"]:
        return {**kept, "score": None}
    said = record["said"]
    by_document = LAYOUTS[record["arm"]] is Layout.EACH and record["document"] and said["routed_to"]
    routed = said["routed_to"] == record["document"] if by_document else None
    try:
        value = asdict(score("choice" if record["choices"] else scorer, said["text"], record["answers"]))
    except Exception as error:  # noqa: BLE001 - an answer that breaks a scorer is unscored, and says so
        return {**kept, "score": None, "error": f"scorer: {type(error).__name__}: {error}"}
    return {**kept, "declined": declined(said["text"]), "routed": routed, "score": value}


def _arm(records: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    scored = [r for r in records if r["score"] is not None]
    known = [r for r in scored if r["known"]]
    strange = [r for r in scored if not r["known"]]
    kinds = dict.fromkeys(r["kind"] for r in scored)
    routed = [r["routed"] for r in known if r["routed"] is not None]
    refused = [r for r in scored if r["declined"]]
    return {
        "all": _mean(known, seed),
        "kinds": {kind: _mean([r for r in scored if r["kind"] == kind], seed) for kind in kinds},
        "failed": len(records) - len(scored),
        "declined_unknown": len([r for r in strange if r["declined"]]) / len(strange) if strange else None,
        "answered_known": len([r for r in known if not r["declined"]]) / len(known) if known else None,
        "abstention_precision": len([r for r in refused if not r["known"]]) / len(refused) if refused and strange else None,
        "unknown": len(strange),
        "router_recall_at_1": sum(routed) / len(routed) if routed else None,
    }


def _mean(records: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    if not records:
        return {"n": 0, "mean": None, "low": None, "high": None}
    values = [r["score"]["value"] for r in records]
    low, high = interval(values, seed)
    return {"n": len(values), "mean": sum(values) / len(values), "low": low, "high": high}


def _cost(arm: str, records: list[dict[str, Any]], writes: list[dict[str, Any]]) -> dict[str, Any]:
    said = [r["said"] for r in records if r["said"]]
    layout = LAYOUTS[arm]
    mine = [w for w in writes if layout and w["layout"] == layout.value]
    return {
        "seconds_to_write": sum(w["seconds"] for w in mine),
        "modules": len(mine),
        "bytes": sum(w["bytes"] for w in mine),
        "seconds_a_question": float(np.median([s["seconds"] for s in said])) if said else None,
        "prompt_tokens_a_question": float(np.mean([s["prompt_tokens"] for s in said])) if said else None,
        "truncated": sum(s["truncated"] for s in said),
    }


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.rename(path)
