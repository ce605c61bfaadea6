"""What an evaluation needs of a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engrain.errors import InputError
from engrain.evals.data import Data


@dataclass(frozen=True)
class Source:
    """Where a task's data comes from."""

    folder: Path | None = None
    """The user's folder of data files, or one file in the task's form; None for tasks that make their own."""
    size: int = 24
    """How much a generator makes: entries, or thousands of tokens."""
    seed: int = 0
    parts: int = 1
    """Into how many documents a generator divides what it makes."""

    def file(self, name: str) -> Path:
        """The task's file in the folder, or the file the user named; raises InputError."""
        if self.folder is None:
            raise InputError(f"this task reads {name!r}; name its folder, or a file in the same form, with --data")
        path = self.folder / name if self.folder.is_dir() else self.folder
        if not path.is_file():
            raise InputError(f"{str(path)!r} is not there; name a folder that holds {name!r}, or a file in the same form, with --data")
        return path


class Task(Protocol):
    """Documents in, questions out."""

    @property
    def name(self) -> str:
        """As it is named on the command line."""
        ...

    @property
    def about(self) -> str:
        """What it asks, in one line."""
        ...

    @property
    def scorer(self) -> str:
        """The score that its summary leads with."""
        ...

    def load(self, source: Source) -> Data:
        """The task's documents and questions; raises InputError or IngestError."""
        ...
