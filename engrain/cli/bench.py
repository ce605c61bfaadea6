"""The commands of `engrain bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from engrain.cli.shared import Json, as_json, console, memory_of, progress, ready, settings_of
from engrain.errors import InputError

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
        model = catalog.resolve(settings.memory_model, settings.cache, advance)
    with progress(json_) as advance:
        result = bench_write(out, model, cases.split(","), seed, progress=advance)
    _told(result, out, json_, table(result))


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
    lines = [f"{name:9} {result[name]['p50_ms']:.0f} ms, 95th percentile {result[name]['p95_ms']:.0f} ms" for name in ("idle", "training")]
    ratio = f"{result['p95_ratio']:.2f} times as long at the 95th percentile while {result['epochs_meanwhile']} epochs were trained"
    _told(result, out, json_, *lines, ratio)


@bench.command("capacity")
def bench_capacity(
    out: Annotated[Path, typer.Option(help="File of the results.")],
    sizes: Annotated[str, typer.Option(help="How many telephone numbers, by commas.")] = "24,48,96,192",
    ranks: Annotated[str, typer.Option(help="LoRA ranks, by commas.")] = "4,16",
    seed: Annotated[int, typer.Option(help="Of the names and of training.")] = 0,
    json_: Json = False,
) -> None:
    """How much fits into one module of the base model: what the planner may put there."""
    from engrain.evals.bench.capacity import bench_capacity, table
    from engrain.memory import catalog
    from engrain.memory.bank.base import BaseModel

    settings = settings_of(None, None)
    loads, wanted = _whole(sizes), _whole(ranks)
    with progress(json_) as advance:
        model = catalog.resolve(settings.memory_model, settings.cache, advance)
    base = BaseModel.load(model.path, model.name, model.sha256, cache=settings.cache)
    with progress(json_) as advance:
        result = bench_capacity(out, base, loads, wanted, seed, settings.recipe, advance)
    fits = [
        f"At rank {rank} set ENGRAIN_MODULE_TOKENS={tokens} for {result['base']}." if tokens else f"At rank {rank} none of it fits."
        for rank, tokens in result["module_tokens"].items()
    ]
    _told(result, out, json_, table(result), *fits)


@bench.command("distil")
def bench_distil(
    out: Annotated[Path, typer.Option(help="File of the results; a sample to be judged is written beside it.")],
    tasks: Annotated[str, typer.Option(help="Of `engrain eval list`, by commas.")] = "told",
    data: Annotated[Path | None, typer.Option(help="Folder of the tasks' data files.")] = None,
    documents: Annotated[int | None, typer.Option(help="So many documents of each task, chosen by the seed.")] = None,
    judged: Annotated[Path | None, typer.Option(help="A judged sample to count.")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of data and of distilling.")] = 0,
    json_: Json = False,
) -> None:
    """What the self distiller makes of documents: how many facts it covers, how many questions survive."""
    from engrain.evals.bench import distil

    counted = distil.judged(judged) if judged else {}
    if judged and judged.resolve() == distil.sample_of(out).resolve():
        raise InputError(f"{str(judged)!r} would be written over by a new sample; name another --out")
    settings = settings_of(None, None)
    with memory_of(settings, quiet=json_) as models:
        ready(models)
        with progress(json_) as advance:
            result = distil.bench_distil(out, tasks.split(","), settings, models, data, documents, seed=seed, judged=counted, progress=advance)
    wrong = [f"{name}: {one['wrong']:.0%} of {one['n']} judged questions are wrong." for name, one in counted.items()]
    _told(result, out, json_, distil.table(result), *wrong)


@bench.command("read")
def bench_read(
    out: Annotated[Path, typer.Option(help="File of the results.")],
    modules: Annotated[str, typer.Option(help="How many modules the router chooses from, by commas.")] = "10,100,1000,10000",
    adapters: Annotated[str, typer.Option(help="How many modules are resident, by commas.")] = "1,10,100",
    json_: Json = False,
) -> None:
    """What a question costs: routing, loading and putting on a module, decoding, recall; beside PEFT, generate, and text in the prompt."""
    from engrain.evals.bench import read

    settings = settings_of(None, None)
    many, resident = _whole(modules), _whole(adapters)
    with memory_of(settings, quiet=json_) as models:
        ready(models)
        with progress(json_) as advance:
            result = read.bench_read(out, settings, models, many, resident, progress=advance)
    _told(result, out, json_, read.table(result))


@bench.command("route")
def bench_route(
    out: Annotated[Path, typer.Option(help="File of the results.")],
    task: Annotated[str, typer.Option(help="One of `engrain eval list`, whose questions are about one document each.")] = "told",
    data: Annotated[Path | None, typer.Option(help="Folder of the task's data files.")] = None,
    documents: Annotated[int | None, typer.Option(help="So many documents, chosen by the seed.")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of data.")] = 0,
    json_: Json = False,
) -> None:
    """How often a question finds the module of the document that answers it."""
    from engrain.evals.bench import route

    settings = settings_of(None, None)
    with memory_of(settings, quiet=json_) as models:
        ready(models)
        with progress(json_) as advance:
            result = route.bench_route(out, task, settings, models, data, documents, seed, advance)
    _told(result, out, json_, route.table(result))


@bench.command("compact")
def bench_compact(
    out: Annotated[Path, typer.Option(help="File of the results; the memory stands beside it, and an interrupted run goes on with it.")],
    modules: Annotated[int, typer.Option(help="So many modules before.")] = 20,
    facts: Annotated[int, typer.Option(help="So many facts in each.")] = 50,
    questions: Annotated[int, typer.Option(help="So many of the facts are asked for.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the facts.")] = 0,
    json_: Json = False,
) -> None:
    """What an owner with many modules knows before they are compacted, and after."""
    from engrain.evals.bench import compact

    settings = settings_of(None, None)
    with memory_of(settings, quiet=json_) as models:
        ready(models)
        with progress(json_) as advance:
            result = compact.bench_compact(out, settings, models, modules, facts, questions, seed, advance)
    _told(result, out, json_, compact.table(result))


def _told(result: dict[str, Any], out: Path, json_: bool, *lines: str) -> None:
    """The result for a script, or these lines of it for a person."""
    if json_:
        as_json(result)
        return
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"Written to {out}.", style="dim", highlight=False)


def _whole(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"{text!r} is no list of whole numbers; write for instance 24,48") from error
