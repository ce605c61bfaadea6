"""What the commands share: options, settings, output, progress."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.table import Column

    from engrain.consolidation.job import Outcome
    from engrain.consolidation.worker import Task
    from engrain.memory.bank.base import BaseModel
    from engrain.memory.catalog import Advance
    from engrain.memory.memory import Memory
    from engrain.settings import Settings

PIPED = None if sys.stdout.isatty() else 10_000
"""Columns where nobody looks on: lines stay whole for the next program."""
console = Console(markup=False, emoji=False, width=PIPED)  # what people said may look like markup
errors = Console(stderr=True, markup=False, emoji=False)

Home = Annotated[Path | None, typer.Option(help="Folder of the database and the modules.", envvar="ENGRAIN_HOME", show_default=False)]
Owner = Annotated[str | None, typer.Option(help="Whose memory.", envvar="ENGRAIN_OWNER", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def settings_of(home: Path | None, owner: str | None, **more: Any) -> Settings:
    """Settings from the environment and the options."""
    from engrain.settings import load_settings

    return load_settings(home=home, owner=owner, **more)


class Bar:
    """A progress bar that is told what is going on and how far it is; it appears with the first word, and only on a terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet or not errors.is_terminal
        self._live: tuple[Progress, TaskID] | None = None

    def __call__(self, note: str, share: float) -> None:
        if self.quiet:
            return
        if self._live is None:
            self._live = self._begun(note)
        bar, task = self._live
        bar.update(task, description=note, completed=share)

    def _begun(self, note: str) -> tuple[Progress, TaskID]:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
        bar = Progress(*columns, console=errors, transient=True)
        bar.start()
        return bar, bar.add_task(note, total=1.0)

    def stop(self) -> None:
        """Leave the terminal to others; the next word brings it back."""
        if self._live is not None:
            self._live[0].stop()
            self._live = None


@contextmanager
def progress(quiet: bool = False) -> Iterator[Bar]:
    """A progress bar that is gone at the end."""
    bar = Bar(quiet)
    try:
        yield bar
    finally:
        bar.stop()


@contextmanager
def memory_of(settings: Settings, quiet: bool = False) -> Iterator[Memory]:
    """The memory, with progress while models are fetched, and not beyond: what follows may be a conversation."""
    from engrain.memory.memory import Memory

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with progress(quiet) as bar:

        def advance(note: str, share: float) -> None:
            bar(note, share)
            if share >= 1:
                bar.stop()

        memory = Memory(settings, advance=advance)
        yield memory
        memory.store.close()


def ready(memory: Memory) -> Memory:
    """Load the models now, under the progress bar."""
    _ = memory.base, memory.embedder
    return memory


def prepare(base: BaseModel, settings: Settings, advance: Advance) -> None:
    """Let the memory model write its ordinary text now, and measure what a module must leave alone, unless that was done before: the first
    consolidation would take longer."""
    from engrain.consolidation.harm import unharmed
    from engrain.consolidation.job import recipe_of
    from engrain.consolidation.train.ordinary import is_written, ordinary_text
    from engrain.consolidation.train.trainer import first_adapted

    recipe = recipe_of(settings)
    first = first_adapted(base, recipe)
    if recipe.locality and not is_written(base, first):
        ordinary_text(base, first, partial(advance, "ordinary text, once"))
    unharmed(base)


def consolidate_once(settings: Settings, owner: str, quiet: bool = False, task: Task = "consolidate") -> Outcome:
    """One consolidation or compaction in its own process, with a progress bar; Ctrl-C ends it at its next step."""
    from engrain.consolidation.worker import run_worker
    from engrain.memory import catalog
    from engrain.memory.schema import Job

    with progress(quiet) as advance:
        for name in (settings.memory_model, settings.embed_model):
            catalog.resolve(name, settings.cache, advance)

        def watch(job: Job) -> None:
            advance(f"{job.stage.value}{': ' + job.note if job.note else ''}", job.progress)

        return run_worker(settings, owner, watch, task=task)


def work_through(settings: Settings, task: Task = "consolidate", once: bool = False, quiet: bool = False) -> list[Outcome]:
    """Modules, one after the other, until nothing is left or one does not end; prints what came of each. The last may be NOTHING."""
    from engrain.consolidation.daemon import describe
    from engrain.consolidation.job import Result

    outcomes: list[Outcome] = []
    while not outcomes or (outcomes[-1].result in (Result.PUBLISHED, Result.REJECTED) and not once):  # refused facts are tried in smaller company
        outcomes.append(consolidate_once(settings, settings.owner, quiet, task))
        if not quiet and outcomes[-1].result is not Result.NOTHING:
            console.print(describe(outcomes[-1]), highlight=False)
    return outcomes


def folded(name: str) -> Column:
    """A column of a table that goes on in the next line where it is too long, instead of being cut."""
    from rich.table import Column

    return Column(name, overflow="fold")


def as_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1, default=str))
