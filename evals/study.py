"""A study: a question, the runs that answer it, each for several seeds, and a page with a table and a plot.

The file is TOML. At its top stand `title`, `question`, `x` (what the plot has on its horizontal axis: a key of a run or of
its recipe, or `arm`) and, once it was run and read, `finding`. Each table `[[run]]` has a `task`, `arms`, and where they
differ from the command line's defaults `documents`, `limit`, `size`, `parts`, `seeds` and `recipe`. A value given as a list
is varied: a run is made for each combination. Whoever has a larger machine changes the numbers, or sets ENGRAIN_MEMORY_MODEL.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby, product
from pathlib import Path
from typing import Any

from engrain.errors import InputError
from engrain.evals.plots import accuracy, against, cost
from engrain.evals.report import NOTHING, cells_of, markdown, notes
from engrain.evals.runs import Order, run
from engrain.evals.summary import pooled, summarise
from engrain.memory.memory import Memory
from engrain.settings import Settings

_KEYS = {"task", "arms", "documents", "limit", "size", "parts", "seeds", "recipe"}
_VARIED = ("documents", "size", "parts")
_KINDS: dict[str, type] = {"task": str, "arms": list, "limit": int, "seeds": list, "recipe": dict}
_TOP = {"title", "question", "x", "finding", "run"}


@dataclass(frozen=True)
class Cell:
    """One run of a study."""

    name: str
    """Its folder's."""
    varied: dict[str, Any]
    """What it has that its neighbours have otherwise, the seed left out."""
    order: Order


@dataclass(frozen=True)
class Study:
    """What is asked, and the runs."""

    title: str
    question: str
    x: str
    finding: str
    cells: tuple[Cell, ...]

    @property
    def varied(self) -> list[str]:
        """What any of the runs varies, the task first where there are several."""
        names = dict.fromkeys(key for cell in self.cells for key in cell.varied)
        return (["task"] if len({c.order.task for c in self.cells}) > 1 else []) + list(names)

    def groups(self) -> list[list[Cell]]:
        """Cells that differ in nothing but the seed."""
        return [list(cells) for _, cells in groupby(self.cells, key=lambda cell: cell.name.rsplit("-seed", 1)[0])]


def read_study(path: Path, data: Path | None, settings: Settings) -> Study:
    """A study file; raises InputError naming what is wrong, before anything is run."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        runs = raw["run"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise InputError(f"{str(path)!r} is no study ({error!r}); it needs tables [[run]]") from error
    if set(raw) - _TOP:
        raise InputError(f"{str(path)!r} has {', '.join(sorted(set(raw) - _TOP))}; a study takes {', '.join(sorted(_TOP))}")
    cells = tuple(cell for number, one in enumerate(runs, 1) for cell in _cells(path, number, one, data, settings))
    for cell in cells:
        cell.order.check()
        cell.order.load()
    return Study(raw.get("title", path.stem), raw.get("question", ""), raw.get("x", "arm"), raw.get("finding", ""), cells)


def _cells(path: Path, number: int, raw: dict[str, Any], data: Path | None, settings: Settings) -> list[Cell]:
    unknown = sorted(set(raw) - _KEYS)
    if unknown or "task" not in raw or "arms" not in raw:
        raise InputError(f"{str(path)!r}, run {number}: it needs task and arms and takes {', '.join(sorted(_KEYS))}; it has {', '.join(raw)}")
    wrong = {k: v for k, v in raw.items() if k in _KINDS and not isinstance(v, _KINDS[k])}
    if wrong:
        key, value = next(iter(wrong.items()))
        raise InputError(f"{str(path)!r}, run {number}: {key} = {value!r} is no {_KINDS[key].__name__}")
    recipe = dict(raw.get("recipe", {}))
    place = str(data or "")
    order = Order(raw["task"], tuple(raw["arms"]), place, None, raw.get("limit"), 24, 1, 0, recipe, settings.distiller, settings.memory_model)
    values = {k: raw[k] for k in _VARIED if k in raw} | {f"recipe.{k}": v for k, v in recipe.items()}
    axes = {k: v for k, v in values.items() if isinstance(v, list)}
    fixed = {k: v for k, v in values.items() if not isinstance(v, list) and not k.startswith("recipe.")}
    out = []
    for combination in product(*axes.values()):
        chosen = dict(zip(axes, combination, strict=True))
        mine = fixed | {k: v for k, v in chosen.items() if not k.startswith("recipe.")}
        theirs = {**recipe, **{k.removeprefix("recipe."): v for k, v in chosen.items() if k.startswith("recipe.")}}
        varied = {k.removeprefix("recipe."): v for k, v in chosen.items()}
        label = "-".join([f"{number:02}", raw["task"], *(f"{k}{v}" for k, v in varied.items())])
        for seed in raw.get("seeds", [0]):
            out.append(Cell(f"{label}-seed{seed}", varied, replace(order, seed=seed, recipe=theirs, **mine)))
    return out


def run_study(study: Study, out: Path, settings: Settings, models: Memory, progress: Callable[[str, float], None]) -> str:
    """Run what is not yet done, and write the page into `out`; returns its text."""
    for number, cell in enumerate(study.cells):

        def tell(note: str, share: float, number: int = number, name: str = cell.name) -> None:
            progress(f"{name}: {note}", (number + share) / len(study.cells))

        run(cell.order, out / cell.name, settings, models, tell)
    return study_page(study, out)


def study_page(study: Study, out: Path) -> str:
    """Score the study's runs again and write `report.md`, `report.json` and the plots; returns the page's text."""
    summaries = {cell.name: summarise(out / cell.name) for cell in study.cells}
    groups = []
    for cells in study.groups():
        found = pooled([out / c.name for c in cells], [summaries[c.name] for c in cells])
        groups.append({"varied": {"task": cells[0].order.task, **cells[0].varied}, "seeds": [c.order.seed for c in cells], **found})
    if study.x == "arm":
        plots = [accuracy(groups, out / "accuracy.png"), cost(groups, out / "cost.png")]
    else:
        plots = [against(groups, study.x, out / "study.png")]
    finding = ["**What we read from it.** " + study.finding.strip(), ""] if study.finding else []
    page = [f"# {study.title}", "", study.question.strip(), "", _table(study, groups), "", *finding]
    text = "\n".join([*page, *(f"![{plot.stem}]({plot.name})" for plot in plots), "", *notes(list(summaries.values())), ""])
    (out / "report.md").write_text(text, encoding="utf-8")
    (out / "report.json").write_text(json.dumps(groups, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return text


def _table(study: Study, groups: list[dict[str, Any]]) -> str:
    rows = []
    for group in groups:
        for arm, found in group["arms"].items():
            cells = cells_of(found, group["costs"][arm])
            seeds = [NOTHING if m is None else f"{m:.2f}" for m in group["by_seed"][arm]]
            first = {c: str(group["varied"].get(c, "")) for c in study.varied} | {"arm": arm, "mean [95 %]": cells.pop("mean [95 %]")}
            rows.append({**first, "each seed": " ".join(seeds) if len(seeds) > 1 else "", **cells})
    return markdown(rows)
