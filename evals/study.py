"""A study: several runs in one file, done one after the other, each resumable, with a report at the end.

The file is TOML: tables `[[run]]` with a `task`, `arms`, and where they differ from the command line's defaults `documents`,
`limit`, `size`, `seeds` and `recipe`; a run is made for each of its seeds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engrain.errors import InputError
from engrain.evals.report import report
from engrain.evals.runs import Order, run
from engrain.memory.memory import Memory
from engrain.settings import Settings

_KEYS = {"task", "arms", "documents", "limit", "size", "seeds", "recipe"}


@dataclass(frozen=True)
class Planned:
    """One run of a study and its folder's name."""

    name: str
    order: Order


def read_study(path: Path, data: Path | None, settings: Settings) -> list[Planned]:
    """The runs of a study file; raises InputError naming what is wrong, before anything is run."""
    try:
        runs = tomllib.loads(path.read_text(encoding="utf-8"))["run"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise InputError(f"{str(path)!r} is no study ({error!r}); it needs tables [[run]]") from error
    planned = [one for number, raw in enumerate(runs, 1) for one in _planned(path, number, raw, data, settings)]
    for one in planned:
        one.order.check()
        one.order.load()
    return planned


def _planned(path: Path, number: int, raw: dict[str, Any], data: Path | None, settings: Settings) -> list[Planned]:
    unknown = sorted(set(raw) - _KEYS)
    if unknown or "task" not in raw or "arms" not in raw:
        raise InputError(f"{str(path)!r}, run {number}: it needs task and arms and takes {', '.join(sorted(_KEYS))}; it has {', '.join(raw)}")
    place = str(data.resolve()) if data else ""
    order = Order(
        raw["task"], tuple(raw["arms"]), place, raw.get("documents"), raw.get("limit"), raw.get("size", 24), 0, dict(raw.get("recipe", {})),
        settings.distiller, settings.memory_model,
    )  # fmt: skip
    return [Planned(f"{number:02}-{raw['task']}-seed{seed}", replace(order, seed=seed)) for seed in raw.get("seeds", [0])]


def run_study(planned: list[Planned], out: Path, settings: Settings, models: Memory, progress: Callable[[str, float], None]) -> str:
    """Run what is not yet done, and write the report into `out`; returns its text."""
    for number, one in enumerate(planned):
        own = settings.model_copy(update={"seed": one.order.seed, "recipe": {**settings.recipe, **one.order.recipe}})

        def tell(note: str, share: float, number: int = number, name: str = one.name) -> None:
            progress(f"{name}: {note}", (number + share) / len(planned))

        run(one.order, out / one.name, own, models, tell)
    return report([out / one.name for one in planned], out)
