"""The commands of `engrain bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engrain.cli.shared import Json, as_json, console, progress, settings_of

bench = typer.Typer(help="Benchmarks against what people would use instead.", no_args_is_help=True)


@bench.callback()
def _group() -> None:
    """Keeps `write` a command of its own while it is the only one."""


@bench.command("write")
def bench_write(
    out: Annotated[Path, typer.Option(help="File of the results; a run that was interrupted goes on where it was.")],
    cases: Annotated[str, typer.Option(help="What is written, by commas.")] = "phonebook,told",
    seed: Annotated[int, typer.Option(help="Of the names and of training.")] = 0,
    json_: Json = False,
) -> None:
    """Seconds until facts are recalled in phrasings never trained: ours, TRL's SFTTrainer, the paper's recipe, PRAG's."""
    from engrain.evals.bench.write import bench_write, table
    from engrain.memory import catalog

    settings = settings_of(None, None)
    with progress(json_) as advance:
        model = catalog.resolve(settings.memory_model, settings.cache, advance).path
    with progress(json_) as advance:
        result = bench_write(out, model, cases.split(","), seed, progress=advance)
    if json_:
        as_json(result)
    else:
        console.print(table(result), highlight=False, markup=False, soft_wrap=True)
        console.print(f"Written to {out}.", style="dim", highlight=False)
