"""The commands of `engrain eval`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from engrain.cli.shared import Json, as_json, console, memory_of, progress, ready, settings_of

evaluate = typer.Typer(help="Evaluations: tasks, arms, scores, reports.", no_args_is_help=True)


@evaluate.command("list")
def eval_list(json_: Json = False) -> None:
    """The tasks and the arms."""
    from rich.table import Table

    from engrain.evals.arms import LAYOUTS
    from engrain.evals.tasks import TASKS

    if json_:
        as_json({"tasks": [{"name": t.name, "about": t.about, "score": t.scorer} for t in TASKS.values()], "arms": list(LAYOUTS)})
        return
    grid = Table.grid(padding=(0, 2))
    for task in TASKS.values():
        grid.add_row(task.name, task.scorer, task.about)
    console.print(grid)
    console.print(f"arms: {', '.join(LAYOUTS)}", style="dim", highlight=False)


@evaluate.command("run")
def eval_run(
    task: Annotated[str, typer.Argument(help="One of `engrain eval list`.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; one that was begun goes on where it was.")],
    arms: Annotated[str, typer.Option(help="Which arms, by commas.")] = "base,text,weights,hybrid",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data files, one file in the task's form, or hub:OWNER/NAME.", show_default=False)
    ] = None,
    documents: Annotated[int | None, typer.Option(help="So many documents, chosen by the seed; all when none is named.", show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(help="So many questions, chosen by the seed; all when none is named.", show_default=False)] = None,
    size: Annotated[int, typer.Option(help="How much a generator makes: entries, or thousands of tokens.")] = 24,
    parts: Annotated[int, typer.Option(help="Into how many documents a generator divides what it makes.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the choice of data and of training.")] = 0,
    recipe: Annotated[str, typer.Option(help="Hyperparameters that differ from the defaults, as JSON.")] = "{}",
    json_: Json = False,
) -> None:
    """Run a task under some arms; writes every answer and `summary.json`."""
    from engrain.errors import InputError
    from engrain.evals.hub import place_of
    from engrain.evals.report import table
    from engrain.evals.runs import Order, run

    settings = settings_of(None, None)
    try:
        changed: dict[str, Any] = json.loads(recipe)
    except ValueError as error:
        raise InputError(f"recipe {recipe!r} is no JSON ({error}); write for instance '{{\"rank\": 8}}'") from error
    place = str(place_of(data) or "")
    order = Order(task, tuple(arms.split(",")), place, documents, limit, size, parts, seed, changed, settings.distiller, settings.memory_model)
    order.check()
    order.load()
    settings = settings.model_copy(update={"home": out / "memories", "database_url": ""})
    with memory_of(settings, quiet=json_) as models:
        ready(models)
    with progress(json_) as advance:
        summary = run(order, out, settings, models, advance)
    if json_:
        as_json(summary)
    else:
        console.print(table([summary]), highlight=False, markup=False, soft_wrap=True)
        console.print(f"Written to {out}. Next: engrain eval report {out}", style="dim", highlight=False)


@evaluate.command("study")
def eval_study(
    file: Annotated[Path, typer.Argument(help="A study: TOML with tables [[run]].")],
    out: Annotated[Path, typer.Option(help="Folder of the runs and the report; what was begun goes on where it was.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the data files, or hub:OWNER/NAME.", show_default=False)] = None,
) -> None:
    """Run every run of a study and write its report."""
    from engrain.evals.hub import place_of
    from engrain.evals.study import read_study, run_study

    settings = settings_of(None, None)
    study = read_study(file, place_of(data), settings)
    with memory_of(settings.model_copy(update={"home": out / "models", "database_url": ""})) as models:
        ready(models)
    with progress() as advance:
        text = run_study(study, out, settings, models, advance)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


@evaluate.command("judge")
def eval_judge(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    model: Annotated[str, typer.Option(help="The judge's name at the endpoint.")],
    url: Annotated[str | None, typer.Option(help="Base URL of an OpenAI-compatible endpoint, up to and with /v1.", show_default=False)] = None,
    rubric: Annotated[Path | None, typer.Option(help="A file with another rubric.", show_default=False)] = None,
) -> None:
    """Let a chat model say which answers of a run are right; its key is ENGRAIN_CHAT_KEY."""
    from engrain.agent.models.openai import OpenAIChat
    from engrain.endpoint import Endpoint
    from engrain.evals.judge import RUBRIC, judge_run
    from engrain.evals.report import table

    settings = settings_of(None, None)
    key = settings.chat_key.get_secret_value()
    chat = OpenAIChat(Endpoint(model, url or settings.chat_url, key, settings.chat_timeout, temperature=0.0))
    with progress() as advance:
        summary = judge_run(run, chat, rubric.read_text(encoding="utf-8") if rubric else RUBRIC, advance)
    console.print(table([summary]), highlight=False, markup=False, soft_wrap=True)


@evaluate.command("report")
def eval_report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the page; the first run's when none is named.", show_default=False)] = None,
) -> None:
    """Score stored answers again and write a page with plots."""
    from engrain.evals.report import report
    from engrain.evals.summary import summarise

    place = out or runs[0]
    console.print(report([summarise(run) for run in runs], place), highlight=False, markup=False, soft_wrap=True)
    console.print(f"Written to {place / 'report.md'}", style="dim", highlight=False)
