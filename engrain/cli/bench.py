"""The commands of `engrain bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engrain.cli.shared import Json, as_json, console, progress, settings_of

bench = typer.Typer(help="Benchmarks against what people would use instead.", no_args_is_help=True)


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


@bench.command("chat")
def bench_chat(
    out: Annotated[Path, typer.Option(help="File of the results.")],
    turns: Annotated[int, typer.Option(help="Chat turns of each kind.", min=4)] = 40,
    json_: Json = False,
) -> None:
    """Until a chat turn's first token: alone, and while a module is being trained beside it."""
    from engrain.evals.bench.chat import bench_chat
    from engrain.memory import catalog

    settings = settings_of(None, None)
    with progress(json_) as advance:
        for name in (settings.memory_model, settings.embed_model):
            catalog.resolve(name, settings.cache, advance)
    with progress(json_) as advance:
        result = bench_chat(out, settings, turns, progress=advance)
    if json_:
        as_json(result)
    else:
        for name in ("idle", "training"):
            console.print(f"{name:9} {result[name]['p50_ms']:.0f} ms, 95th percentile {result[name]['p95_ms']:.0f} ms", highlight=False)
        meanwhile = f"while {result['epochs_meanwhile']} epochs were trained"
        console.print(f"{result['p95_ratio']:.2f} times as long at the 95th percentile {meanwhile}", highlight=False)
        console.print(f"Written to {out}.", style="dim", highlight=False)
