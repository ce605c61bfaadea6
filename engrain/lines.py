"""Files of JSON lines that survive a kill: a record is whole or it is not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, none where there is no file; a last line that a kill cut short is passed over."""
    if path.exists():
        raw = path.read_bytes()
        yield from (json.loads(line) for line in raw[: raw.rfind(b"\n") + 1].split(b"\n") if line)


def mend(path: Path) -> None:
    """Cut off a last line that a kill cut short, so that the next record begins a line; only for who writes the file."""
    if path.exists():
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)


def append(path: Path, record: dict[str, Any]) -> None:
    """Add a record; it is on the disk when this returns."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
