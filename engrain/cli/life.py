"""The commands of a memory's later life: forget, compact, export, import, migrate."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from engrain.cli.shared import Home, Json, Owner, as_json, console, consolidate_once, memory_of, ready, settings_of, work_through


def forget(
    fact: Annotated[int | None, typer.Option(help="The fact with this id.", show_default=False)] = None,
    episode: Annotated[int | None, typer.Option(help="Everything said in this episode.", show_default=False)] = None,
    session: Annotated[str | None, typer.Option(help="Everything said in this session.", show_default=False)] = None,
    subject: Annotated[str | None, typer.Option(help="Whatever was said by or about this name or thing.", show_default=False)] = None,
    said: Annotated[str | None, typer.Option(help="Everything said in this time: 2026-01-03, or 2026-01-03..2026-02-01.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--everything", help="The owner's whole memory.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    prove_: Annotated[bool, typer.Option("--prove", help="Rebuild, and measure that the modules know no more of it than the base model.")] = False,
    json_: Json = False,
    home: Home = None,
    owner: Owner = None,
) -> None:
    """Erase something for good. Modules that hold it stop serving at once. Exit code 7 where a proof was asked for and fails."""
    from engrain.consolidation.proof import prove, secrets_of
    from engrain.memory.forget import Selector
    from engrain.memory.schema import ModuleState

    settings = settings_of(home, owner)
    selector = Selector(fact, episode, session, subject, _days(said), everything)
    selector.check()
    if not yes:
        typer.confirm("This cannot be undone. Erase it?", abort=True, err=True)
    proof = None
    with memory_of(settings, quiet=json_) as memory:
        secrets = secrets_of(memory, settings.owner) if prove_ else []
        done = memory.forget(selector, settings.owner)
        secrets = [secret for secret in secrets if secret.fact_id in done.facts]
        if secrets:
            while consolidate_once(settings, settings.owner, quiet=json_).engrained_facts:
                pass
            proof = prove(ready(memory), settings.owner, secrets)
        modules = memory.modules(settings.owner, ModuleState.LIVE)
    if json_:
        as_json({**asdict(done), "proof": proof and {**asdict(proof), "holds": proof.holds}})
        raise typer.Exit(7 if proof and not proof.holds else 0)
    console.print(f"Erased {len(done.facts)} facts and {done.probes} probes, touched {done.messages} messages.", highlight=False)
    if done.modules:
        rebuild = f"; {done.to_rebuild} other facts are fresh again. Next: engrain consolidate" if done.to_rebuild else ""
        console.print(f"Stopped modules: {', '.join(done.modules)}{'' if proof else rebuild}", highlight=False)
    if proof and not modules:
        console.print("No module serves any more, so none knows of it.")
    elif proof:
        verdict = "as little as the base model" if proof.holds else "MORE than the base model"
        console.print(
            f"Of {proof.facts} erased facts the rebuilt modules know {verdict}: {proof.excess:+.2f} nats a token, 95 % within "
            f"{proof.low:+.2f} and {proof.high:+.2f}", highlight=False, markup=False,
        )  # fmt: skip
        raise typer.Exit(0 if proof.holds else 7)
    elif prove_:
        console.print("Nothing of it was in a live module, so there is nothing to prove.")


def _days(text: str | None) -> tuple[date, date] | None:
    """The first and the last day of `2026-01-03` or `2026-01-03..2026-02-01`."""
    from engrain.errors import InputError

    if text is None:
        return None
    first, _, last = text.partition("..")
    try:
        return date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        raise InputError(f"{text!r} is no time; write 2026-01-03, or 2026-01-03..2026-02-01") from None


def compact(
    once: Annotated[bool, typer.Option("--once", help="One compaction only, even if more are due.")] = False,
    json_: Json = False,
    home: Home = None,
    owner: Owner = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what the next one would do.")] = False,
) -> None:
    """Train small modules anew as larger ones. Exit code 7 when a module was rejected or failed."""
    from engrain.cli.status import levels_line
    from engrain.consolidation.compact import due, shape
    from engrain.consolidation.job import Result

    settings = settings_of(home, owner)
    if dry_run:
        with memory_of(settings, quiet=json_) as memory:
            found = due(memory.store, settings.owner, ready(memory).base.sha256, settings)
        if json_:
            as_json(asdict(found) if found else None)
        elif found:
            left_out = f", {found.dropped} corrected ones left out" if found.dropped else ""
            console.print(f"{', '.join(found.modules)} would become one module of {len(found.facts)} facts{left_out}", highlight=False)
        else:
            console.print("Nothing is to be compacted.")
        return
    outcomes = work_through(settings, "compact", once, quiet=json_)
    with memory_of(settings, quiet=True) as memory:
        now = asdict(shape(memory.store, settings.owner))
    done = [o for o in outcomes if o.result is not Result.NOTHING]
    if json_:
        as_json({"outcomes": [asdict(o) for o in done], "shape": now})
    else:
        console.print(f"{'' if done else 'Nothing is to be compacted: '}{levels_line(now)}", highlight=False)
    failed = any(o.result in (Result.REJECTED, Result.FAILED) for o in done)
    raise typer.Exit(130 if outcomes[-1].result is Result.INTERRUPTED else 7 if failed else 0)


def export(file: Annotated[Path, typer.Argument(help="The archive to write.")], json_: Json = False, home: Home = None, owner: Owner = None) -> None:
    """Write an owner's memory to one file: what was said, facts, probes, modules, checksums."""
    from engrain.memory.archive import export as write

    settings = settings_of(home, owner)
    with memory_of(settings) as memory:
        done = write(memory.store, settings.owner, settings.modules, file)
    if json_:
        as_json(asdict(done))
    else:
        console.print(
            f"{done.facts} facts of {done.messages} messages and {len(done.modules)} modules are in {file}", highlight=False, soft_wrap=True
        )


def import_(
    file: Annotated[Path, typer.Argument(help="An archive that `engrain export` wrote.")], json_: Json = False, home: Home = None, owner: Owner = None
) -> None:
    """Take an exported memory in as an owner's who has none; all of it or nothing."""
    from engrain.memory.archive import take_in

    settings = settings_of(home, owner)
    with memory_of(settings) as memory:
        done = take_in(memory.store, settings.owner, settings.modules, file)
    if json_:
        as_json(asdict(done))
        return
    console.print(f"{done.facts} facts of {done.messages} messages and {len(done.modules)} modules are now {done.owner}'s", highlight=False)
    others = [name for name in done.bases if name != settings.memory_model]
    if others:
        console.print(f"Modules for {', '.join(others)} serve where ENGRAIN_MEMORY_MODEL says so; or: engrain migrate --to {settings.memory_model}")


def migrate(
    to: Annotated[str, typer.Option(help="The new base model: an alias, a hub id or a folder.")],
    retire: Annotated[bool, typer.Option("--retire", help="Then let the modules of other base models go.")] = False,
    json_: Json = False,
    home: Home = None,
    owner: Owner = None,
) -> None:
    """Distil and train every module anew for another base model; the old ones serve meanwhile. Begun again, it goes on where it was."""
    from engrain.consolidation.job import Result
    from engrain.consolidation.migrate import retire_others
    from engrain.memory import catalog

    settings = settings_of(home, owner, memory_model=to)
    outcomes = work_through(settings, "migrate", quiet=json_)
    done = [o for o in outcomes if o.result is not Result.NOTHING]
    complete, retired = outcomes[-1].result is Result.NOTHING, 0
    if complete and retire:
        with memory_of(settings, quiet=True) as memory:
            base = catalog.resolve(to, settings.cache)
            retired = retire_others(memory.store, settings.owner, base.sha256, base.name)
    if json_:
        as_json({"outcomes": [asdict(o) for o in done], "complete": complete, "retired": retired})
    elif complete:
        old = f"{retired} old modules are retired" if retire else f"the old modules still serve; engrain migrate --to {to} --retire lets them go"
        console.print(f"{len(done)} modules made for {to}; {old}. Set ENGRAIN_MEMORY_MODEL={to} to use them.", highlight=False)
    codes = {Result.INTERRUPTED: 130, Result.FAILED: 7}
    raise typer.Exit(codes.get(outcomes[-1].result, 7 if any(o.result is Result.REJECTED for o in done) else 0))
