"""Repair: a module whose files are lost or were changed stops serving; its facts are fresh, and so are engrained again."""

from __future__ import annotations

from pathlib import Path

from engrain.errors import ModuleError
from engrain.memory.facts import freshen
from engrain.memory.modules import changed, modules_of, open_module
from engrain.memory.schema import Module, ModuleState
from engrain.memory.store import Store


def retire_damaged(store: Store, owner: str, modules: Path) -> list[str]:
    """Look at every byte of the owner's live modules, and retire those that are not what was published; returns their ids.

    Raises ModuleError, and changes nothing, where there is no folder of modules at all: a disk may not be there yet.
    """
    with store.read() as db:
        live = modules_of(db, owner, ModuleState.LIVE)
    if live and not modules.is_dir():
        raise ModuleError(f"{str(modules)!r}, where {len(live)} modules should be, is not there; bring it back, or make it to have them trained anew")
    damaged = {row.id: why for row in live if (why := _damage(row, modules))}
    if not damaged:
        return []
    with store.write() as db:
        rows = [row for row in modules_of(db, owner, ModuleState.LIVE) if row.id in damaged]  # others were retired meanwhile
        for row in rows:
            row.state, row.reason = ModuleState.RETIRED, damaged[row.id]
        db.flush()
        freshen(db, owner)
        changed(db, owner)
    return [row.id for row in rows]


def _damage(row: Module, modules: Path) -> str:
    """What is wrong with a module's files; empty where nothing is."""
    try:
        open_module(row, modules)
    except ModuleError as error:
        return str(error)
    return ""
