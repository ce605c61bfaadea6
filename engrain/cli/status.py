"""What `status` and `modules` show."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlmodel import func, select

from engrain.cli.shared import folded
from engrain.consolidation.compact import shape
from engrain.consolidation.daemon import daemon_status
from engrain.consolidation.jobs import is_held, last_job
from engrain.consolidation.plan import backlog
from engrain.memory.log import sessions_of
from engrain.memory.memory import Memory
from engrain.memory.modules import Manifest, fact_ids_of, open_module, require_module
from engrain.memory.schema import Fact, FactState, Message, Module, ModuleState
from engrain.memory.store import masked


def collect(memory: Memory, owner: str) -> dict[str, Any]:
    """The status of an owner's memory."""
    with memory.store.read() as db:
        sessions = sessions_of(db, owner)
        messages = db.exec(select(func.count()).where(Message.owner == owner)).one()
        pending = db.exec(select(func.count()).where(Message.owner == owner, Message.episode_id == None)).one()  # noqa: E711
    waiting = backlog(memory.store, owner, memory.settings)
    job = last_job(memory.store, owner)
    return {
        "owner": owner,
        "database": masked(memory.settings.url),
        "sessions": [{"id": s.id, "updated": s.updated_at.isoformat()} for s in sessions],
        "messages": messages,
        "messages_in_open_spans": pending,
        "facts": {state.value: len(memory.facts(owner, state)) for state in (FactState.FRESH, FactState.ENGRAINED)},
        "backlog": {"facts": waiting.facts, "tokens": waiting.tokens, "given_up": waiting.stuck},
        "modules": {state.value: len(memory.modules(owner, state)) for state in ModuleState},
        "shape": asdict(shape(memory.store, owner)),
        "last_job": job and {
            "id": job.id, "state": job.state.value, "worked_on": is_held(job), "stage": job.stage.value, "note": job.note,
            "progress": job.progress, "attempt": job.attempt, "error": job.error, "module": job.module_id, "updated": job.updated_at.isoformat(),
        },
        "daemon": daemon_status(memory.settings),
    }  # fmt: skip


def show(console: Console, found: dict[str, Any]) -> None:
    """Print a status for a person."""
    facts, modules, waiting, job = found["facts"], found["modules"], found["backlog"], found["last_job"]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("owner", found["owner"])
    table.add_row("database", found["database"])
    newest = f", the last touched is {found['sessions'][-1]['id']!r}" if found["sessions"] else ""
    table.add_row("sessions", f"{len(found['sessions'])} with {found['messages']} messages ({found['messages_in_open_spans']} in open spans){newest}")
    table.add_row("facts", f"{facts['engrained']} engrained, {facts['fresh']} fresh")
    given_up = f"; {waiting['given_up']} given up (engrain consolidate --retry)" if waiting["given_up"] else ""
    table.add_row("backlog", f"{waiting['facts']} facts, about {waiting['tokens']} tokens{given_up}")
    table.add_row("modules", f"{modules['live']} live, {modules['rejected']} rejected, {modules['retired']} retired")
    if found["shape"]["modules"]:
        table.add_row("levels", levels_line(found["shape"]))
    table.add_row("last job", _job_line(job) if job else "none yet")
    table.add_row("daemon", _daemon_line(found["daemon"]))
    console.print(table, highlight=False)


def levels_line(found: dict[str, Any]) -> str:
    """How many live modules there are on each level, and what keeping them so has cost."""
    counts = ", ".join(f"{count} on level {level}" for level, count in found["modules"].items())
    cost = f"; {found['write_amplification']:g} tokens trained for each that is kept" if found["write_amplification"] else ""
    return f"{counts or 'no live module'}{cost}"


def _job_line(job: dict[str, Any]) -> str:
    line = f"{job['id']}: {job['state']}"
    if job["state"] in ("queued", "running"):
        line += f" in {job['stage']}{' (' + job['note'] + ')' if job['note'] else ''}, attempt {job['attempt']}"
        line += "" if job["worked_on"] else "; no worker is at it, `engrain consolidate` resumes it"
    if job["module"]:
        line += f", module {job['module']}"
    return f"{line}: {job['error']}" if job["error"] else line


def _daemon_line(daemon: dict[str, Any] | None) -> str:
    if daemon is None:
        return "never ran here"
    from engrain.consolidation.daemon import describe
    from engrain.consolidation.job import Outcome, Result

    last = daemon["last"]
    said = "nothing done yet"
    if last:
        outcome = Outcome(**{**last["outcome"], "result": Result(last["outcome"]["result"])})
        said = f"last, at {last['ended'][:19]} for {last['owner']} by {last['cause']}: {describe(outcome)}"
    state = f"running ({daemon['doing']})" if daemon["running"] else "not running"
    return f"{state}; {said}" + (f"; next: {daemon['next']}" if daemon["running"] else "")


def module_rows(memory: Memory, owner: str) -> list[dict[str, Any]]:
    """An owner's modules as rows."""
    with memory.store.read() as db:
        return [_row(m, len(fact_ids_of(db, owner, [m.id]))) for m in memory.modules(owner)]


def _row(module: Module, facts: int) -> dict[str, Any]:
    kept = ("id", "state", "level", "base", "bytes", "reason", "scores")
    return {**module.model_dump(include=set(kept), mode="json"), "facts": facts, "created": module.created_at.isoformat()}


def show_modules(console: Console, rows: list[dict[str, Any]]) -> None:
    """Print modules as a table."""
    if not rows:
        console.print("There is no module yet. Next: engrain consolidate")
        return
    table = Table(
        folded("module"), "state", "facts", "trained", "held out", "unknown", "perplexity", "MB", box=None, header_style="dim", padding=(0, 1)
    )
    for row in rows:
        s = row["scores"]
        shares = [f"{s[k]:.0%}" if s.get(k) is not None else "–" for k in ("trained", "held_out", "unknown")]
        table.add_row(row["id"], row["state"], str(row["facts"]), *shares, f"× {s['perplexity']:.2f}", f"{row['bytes'] / 1e6:.1f}")
    console.print(table, highlight=False)
    for row in rows:
        if row["reason"]:
            console.print(f"{row['id']}: {row['reason']}", style="yellow", highlight=False)


def module_details(memory: Memory, owner: str, module_id: str) -> dict[str, Any]:
    """One module with its facts and manifest."""
    with memory.store.read() as db:
        module = require_module(db, owner, module_id)
        ids = fact_ids_of(db, owner, [module.id])
        facts = [f for f in (db.get(Fact, i) for i in ids) if f is not None]
    manifest: Manifest | None = None
    if module.state is not ModuleState.RETIRED:
        manifest = open_module(module, memory.settings.modules)[1]
    return {
        **_row(module, len(ids)),
        "fact_list": [{"id": f.id, "state": f.state.value, "text": f.text} for f in facts],
        "recipe": dict(manifest.recipe) if manifest else None,
        "files": dict(manifest.files) if manifest else None,
    }


def show_module(console: Console, found: dict[str, Any]) -> None:
    """Print one module."""
    show_modules(console, [found])
    for fact in found["fact_list"]:
        console.print(f"  {fact['id']:>5} {fact['text'] or '(forgotten)'}", highlight=False)
    if found["recipe"]:
        console.print("  recipe: " + ", ".join(f"{k} {v}" for k, v in found["recipe"].items() if k != "targets"), style="dim", highlight=False)
