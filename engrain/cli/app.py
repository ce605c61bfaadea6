"""The commands."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engrain.cli import life
from engrain.cli.bench import bench
from engrain.cli.evaluate import evaluate
from engrain.cli.shared import Home, Json, Owner, as_json, console, folded, memory_of, ready, settings_of, work_through

if TYPE_CHECKING:
    from engrain.settings import Settings

app = typer.Typer(
    help="Long-term memory for assistants, trained into LoRA modules.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)
models = typer.Typer(help="The models that engrain can run.", no_args_is_help=True)
modules = typer.Typer(help="The memory modules of an owner.", no_args_is_help=True)
app.add_typer(models, name="models")
app.add_typer(modules, name="modules")
app.add_typer(evaluate, name="eval")
app.add_typer(bench, name="bench")

Mode = Annotated[str | None, typer.Option(help="What may be used: weights, text or hybrid.", show_default=False)]


@app.command()
def chat(
    session: Annotated[str, typer.Option(help="The session to begin or to resume.")] = "chat",
    mode: Mode = None,
    home: Home = None,
    owner: Owner = None,
) -> None:
    """Talk with an assistant that remembers. /help lists what else can be typed."""
    from engrain.cli.chat import repl

    repl(settings_of(home, owner, mode=mode), session)


@app.command()
def ingest(
    file: Annotated[Path, typer.Argument(help="JSON lines: conversation records, or OpenAI-style messages.")],
    conversation: Annotated[str | None, typer.Option(help="Only the record with this id.")] = None,
    sessions: Annotated[str | None, typer.Option(help="Only these sessions: D1-D4 or D1,D3.")] = None,
    json_: Json = False,
    home: Home = None,
    owner: Owner = None,
) -> None:
    """Read real conversations into the memory; a file with a bad line leaves nothing behind."""
    from engrain.memory.ingest import read_file, session_range, store_conversations

    settings = settings_of(home, owner)
    conversations = read_file(file, conversation, session_range(sessions))
    with memory_of(settings, quiet=json_) as memory:
        done = store_conversations(memory.store, settings.owner, conversations)
    if json_:
        as_json(asdict(done))
    else:
        skipped = f"; {done.skipped} sessions were there already" if done.skipped else ""
        console.print(f"{done.sessions} sessions, {done.messages} messages, {done.facts} facts{skipped}. Next: engrain consolidate")


@app.command()
def consolidate(
    once: Annotated[bool, typer.Option("--once", help="One module only, even if more facts are fresh.")] = False,
    json_: Json = False,
    home: Home = None,
    owner: Owner = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what the next module would learn, and from whom.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try the facts again, too, that were given up.")] = False,
) -> None:
    """End open sessions and train what is fresh into modules. Exit code 7 when a module was rejected or failed."""
    from engrain.consolidation.daemon import describe
    from engrain.consolidation.job import Result

    settings = settings_of(home, owner)
    if dry_run:
        _preview(settings, json_)
        return
    with memory_of(settings) as memory:
        memory.close(owner=settings.owner)
        if retry:
            memory.retry(settings.owner)
    outcomes = work_through(settings, once=once, quiet=json_)
    if json_:
        as_json([asdict(o) for o in outcomes if o.result is not Result.NOTHING])
    elif outcomes[0].result is Result.NOTHING:
        console.print(describe(outcomes[0]), highlight=False)
    codes = {Result.INTERRUPTED: 130, Result.REJECTED: 7, Result.FAILED: 7}
    last = outcomes[-2] if len(outcomes) > 1 and outcomes[-1].result is Result.NOTHING else outcomes[-1]
    raise typer.Exit(codes.get(last.result, 0))


def _preview(settings: Settings, json_: bool) -> None:
    """The next module's facts; nothing is written, so what was said in open sessions is not among them."""
    from rich.table import Table

    from engrain.consolidation.plan import backlog, plan

    with memory_of(settings, quiet=json_) as memory:
        planned = plan(memory.store, settings.owner, settings).facts
        waiting = backlog(memory.store, settings.owner, settings)
    if json_:
        as_json([f.model_dump(include={"id", "said_on", "speaker", "trust", "text"}) for f in planned])
        return
    table = Table("fact", "said on", folded("by"), "trust", folded("text"), box=None, header_style="dim")
    for f in planned:
        table.add_row(str(f.id), str(f.said_on), f.speaker, f.trust.value, f.text)
    console.print(table if planned else "Nothing fresh would be learnt.")
    if waiting.facts > len(planned):
        console.print(f"{waiting.facts - len(planned)} further facts wait for later modules.", highlight=False)
    console.print(
        "Nothing was written; what was said in sessions that are still open is not among them. What should not be learnt: engrain forget --fact ID",
        style="dim",
        highlight=False,
    )


@app.command()
def daemon(
    every: Annotated[float | None, typer.Option(help="Consolidate every so many minutes.", show_default=False)] = None,
    cron: Annotated[str | None, typer.Option(help="Consolidate at these times, as a cron expression.", show_default=False)] = None,
    backlog: Annotated[int | None, typer.Option(help="Consolidate once so many tokens of facts are fresh.", show_default=False)] = None,
    idle: Annotated[float | None, typer.Option(help="Minutes of silence after which a session has ended.", show_default=False)] = None,
    home: Home = None,
) -> None:
    """Consolidate in the background for every owner, until SIGTERM or Ctrl-C."""
    from datetime import datetime

    from engrain.consolidation.daemon import Daemon

    settings = settings_of(home, None, every=every, cron=cron, backlog=backlog, idle=idle)
    worker = Daemon(settings, tell=lambda line: print(f"{datetime.now():%H:%M:%S} {line}", flush=True))
    worker.listen()
    worker.run()


@app.command()
def remember(note: str, json_: Json = False, home: Home = None, owner: Owner = None) -> None:
    """Write a note down; it can be recalled at once."""
    from engrain.tools.memory import NOTHING_NEW

    settings = settings_of(home, owner)
    with memory_of(settings) as memory:
        facts = memory.remember(note, settings.owner)
    if json_:
        as_json([{"id": f.id, "text": f.text} for f in facts])
    else:
        console.print("\n".join(f"{f.id}: {f.text}" for f in facts) or NOTHING_NEW, highlight=False)


@app.command()
def recall(question: str, mode: Mode = None, json_: Json = False, home: Home = None, owner: Owner = None) -> None:
    """Ask the memory. Exit code 3 when it does not know."""
    settings = settings_of(home, owner, mode=mode)
    with memory_of(settings, quiet=json_) as memory:
        found = ready(memory).recall(question, settings.owner)
    if json_:
        as_json(asdict(found))
    else:
        console.print(found.text, highlight=False, style="bold")
        where = f"{found.source}{', module ' + found.modules[0] if found.modules else ''}, confidence {found.confidence:.2f}, {found.seconds:.1f} s"
        console.print(f"from {where}; {found.why}", style="dim", highlight=False)
        for e in found.evidence:
            console.print(f"  {e.said_on} {e.session_id}: {e.text} (fact {e.fact_id})", highlight=False)
        for e in found.near:
            console.print(f"  perhaps: {e.said_on} {e.session_id}: {e.text} (fact {e.fact_id})", highlight=False)
        if found.known and not found.supported:
            console.print("  no fact supports this answer", style="yellow")
    raise typer.Exit(0 if found.known else 3)


@app.command()
def facts(
    fresh: Annotated[bool, typer.Option("--fresh", help="Only those that are in no module yet.")] = False,
    json_: Json = False,
    home: Home = None,
    owner: Owner = None,
) -> None:
    """What is remembered, the oldest first."""
    from rich.table import Table

    from engrain.memory.schema import FactState

    settings = settings_of(home, owner)
    with memory_of(settings) as memory:
        rows = memory.facts(settings.owner, FactState.FRESH if fresh else None)
    if json_:
        as_json([f.model_dump(exclude={"embedding"}) for f in rows])
        return
    table = Table("fact", "said on", folded("by"), "state", folded("text"), box=None, header_style="dim")
    for f in rows:
        table.add_row(str(f.id), str(f.said_on), f.speaker, f.state.value, f.text)
    console.print(table if rows else "Nothing is remembered yet. Next: engrain chat, or engrain ingest FILE")


app.command("forget")(life.forget)
app.command("compact")(life.compact)
app.command("export")(life.export)
app.command("import")(life.import_)
app.command("migrate")(life.migrate)


@app.command()
def status(json_: Json = False, home: Home = None, owner: Owner = None) -> None:
    """What the memory holds, what consolidation did last, and what comes next."""
    from engrain.cli.status import collect, show

    settings = settings_of(home, owner)
    with memory_of(settings) as memory:
        found = collect(memory, settings.owner)
    if json_:
        as_json(found)
    else:
        show(console, found)


@app.command()
def demo(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.", show_default=False)] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the demo's memory in this folder.", show_default=False)] = None,
) -> None:
    """Show the main job on a real model: talk, consolidate, and answer from the weights in a new session."""
    from rich.console import Console

    from engrain.demo import run_demo

    result = run_demo(Console(), keep)
    if json_file is not None:
        json_file.write_text(json.dumps(result.as_dict(), indent=1, ensure_ascii=False) + "\n")
        console.print(f"Written to {json_file}", highlight=False, soft_wrap=True)


@models.command("list")
def models_list(json_: Json = False) -> None:
    """The aliases, and which of them are ready."""
    from engrain.memory.catalog import PACKAGED, is_cached

    settings = settings_of(None, None)
    rows = [{"name": m.alias, "ready": is_cached(m.alias, settings.cache), "about": m.about} for m in PACKAGED.values()]
    if json_:
        as_json(rows)
        return
    for row in rows:
        console.print(f"{row['name']:14} {'ready' if row['ready'] else 'not fetched':12} {row['about']}", highlight=False)
    console.print("A hub id or a folder can be named instead of an alias.", style="dim")


@models.command("fetch")
def models_fetch(names: Annotated[list[str] | None, typer.Argument(help="Aliases; all when none is named.")] = None) -> None:
    """Download, check and convert models into the cache; the memory model writes the text there that its modules leave alone."""
    from engrain.cli.shared import prepare, progress
    from engrain.memory.bank.base import BaseModel
    from engrain.memory.catalog import PACKAGED, resolve

    settings = settings_of(None, None)
    for name in names or list(PACKAGED):
        with progress() as advance:
            folder = resolve(name, settings.cache, advance)
            if name == settings.memory_model:
                base = BaseModel.load(folder.path, folder.name, folder.sha256, halved=settings.halved, cache=settings.cache)
                prepare(base, settings, advance)
        console.print(f"{name}: ready in {folder.path}", highlight=False, soft_wrap=True)


@models.command("show")
def models_show(name: str, json_: Json = False) -> None:
    """One model: where it comes from, where it is, its hash."""
    from engrain.errors import ModelError
    from engrain.memory.catalog import PACKAGED, is_cached, resolve

    settings = settings_of(None, None)
    packaged = PACKAGED.get(name)
    found: dict[str, object] = asdict(packaged) if packaged else {"name": name}
    if packaged and not is_cached(name, settings.cache):
        found["folder"] = None
    elif packaged or Path(name).is_dir():
        folder = resolve(name, settings.cache)
        found |= {"folder": str(folder.path), "weights_sha256": folder.sha256}
    else:
        raise ModelError(f"model {name!r} is no alias ({', '.join(PACKAGED)}) and no folder here; fetch a hub id with `engrain models fetch {name}`")
    if json_:
        as_json(found)
        return
    for key, value in found.items():
        console.print(
            f"{key:15} {value if value is not None else 'not fetched; next: engrain models fetch ' + name}", highlight=False, soft_wrap=True
        )


@modules.command("list")
def modules_list(json_: Json = False, home: Home = None, owner: Owner = None) -> None:
    """Live and rejected modules, the oldest first."""
    from engrain.cli.status import module_rows, show_modules

    settings = settings_of(home, owner)
    with memory_of(settings) as memory:
        rows = module_rows(memory, settings.owner)
    if json_:
        as_json(rows)
    else:
        show_modules(console, rows)


@modules.command("show")
def modules_show(
    module: Annotated[str, typer.Argument(help="The id, or how it begins.")], json_: Json = False, home: Home = None, owner: Owner = None
) -> None:
    """One module: its scores, its facts, why it was rejected."""
    from engrain.cli.status import module_details, show_module

    settings = settings_of(home, owner)
    with memory_of(settings) as memory:
        found = module_details(memory, settings.owner, module)
    if json_:
        as_json(found)
    else:
        show_module(console, found)
