"""Module files: PEFT's own format plus a manifest, written once, addressed by content, checked before use."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session as DbSession
from sqlmodel import col, select, update

from engrain.errors import ModuleError, NotFoundError
from engrain.memory.schema import Job, JobState, Module, ModuleFact, ModuleState, Revision

MANIFEST = "manifest.json"
_FORMAT = 1
IMPORTING = ".import-"
"""An archive that is being taken in is unpacked in a folder whose name begins so."""
_ABANDONED = 3600.0
"""Seconds after which such a folder was left by a process that was killed."""


@dataclass(frozen=True)
class Manifest:
    """What a module is: enough to load it, to trust it, and to train it again."""

    base: str
    """The base model's name."""
    base_sha256: str
    rank: int
    alpha: int
    layers: tuple[int, ...]
    targets: tuple[str, ...]
    recipe: Mapping[str, object]
    facts: tuple[int, ...]
    scores: Mapping[str, object]
    made_by_job: int
    made_at: str
    """ISO 8601, UTC."""
    files: Mapping[str, str]
    """sha256 by file name."""
    format: int = _FORMAT

    def text(self) -> str:
        """The bytes of `manifest.json`: canonical, so that equal manifests have equal hashes."""
        return json.dumps(asdict(self), sort_keys=True, indent=1) + "\n"

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Read `manifest.json`; raises ModuleError when it is none."""
        try:
            raw: dict[str, Any] = json.loads(text)
            if raw["format"] != _FORMAT:
                raise ModuleError(f"module format {raw['format']!r} is unknown, this engrain reads {_FORMAT}; update engrain")
            return cls(**{**raw, **{k: tuple(raw[k]) for k in ("layers", "targets", "facts")}})
        except (ValueError, KeyError, TypeError) as error:
            raise ModuleError(
                f"a module's manifest cannot be read ({error}); rebuild the module from its facts with `engrain consolidate`"
            ) from error


def hash_files(folder: Path) -> dict[str, str]:
    """sha256 of every file in a folder except the manifest."""
    return {f.name: _sha256(f) for f in sorted(folder.iterdir()) if f.is_file() and f.name != MANIFEST}


def place(staging: Path, manifest: Manifest, modules: Path) -> tuple[str, str]:
    """Move a staged adapter to its content-addressed folder; returns (module id, manifest sha256).

    The folder appears whole, by a rename, or not at all. Doing it again with the same content changes nothing.
    """
    text = manifest.text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    module_id = f"m{digest[:15]}"
    target = modules / module_id
    if target.exists() and verify(target, digest, Manifest.parse(text).files):
        shutil.rmtree(staging, ignore_errors=True)
        return module_id, digest
    modules.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    (staging / MANIFEST).write_text(text)
    for file in staging.iterdir():
        _fsync(file)
    _fsync(staging)
    staging.rename(target)
    _fsync(modules)
    return module_id, digest


def open_module(row: Module, modules: Path) -> tuple[Path, Manifest]:
    """A module's folder and manifest, every byte checked; raises ModuleError."""
    folder = modules / row.id
    if not folder.is_dir():
        raise ModuleError(f"module {row.id!r} has no files in {str(modules)!r}; rebuild it from its facts with `engrain consolidate`")
    try:
        text = (folder / MANIFEST).read_text()
    except FileNotFoundError as error:
        raise ModuleError(f"module {row.id!r} has no manifest; rebuild it from its facts with `engrain consolidate`") from error
    manifest = Manifest.parse(text)
    if not verify(folder, row.manifest_sha256, manifest.files):
        raise ModuleError(f"module {row.id!r} was changed after it was published; rebuild it from its facts with `engrain consolidate`")
    return folder, manifest


def verify(folder: Path, manifest_sha256: str, files: Mapping[str, str]) -> bool:
    """Whether manifest and files have the hashes they must have."""
    manifest = folder / MANIFEST
    if not manifest.exists() or _sha256(manifest) != manifest_sha256:
        return False
    return hash_files(folder) == dict(files)


def modules_of(db: DbSession, owner: str, *states: ModuleState) -> list[Module]:
    """An owner's modules, the oldest first; all but retired ones where no state is named."""
    wanted = states or (ModuleState.LIVE, ModuleState.REJECTED)
    query = select(Module).where(Module.owner == owner, col(Module.state).in_(wanted))
    return list(db.exec(query.order_by(col(Module.created_at), col(Module.id))))


def require_module(db: DbSession, owner: str, module_id: str) -> Module:
    """The module whose id begins so; raises NotFoundError, for another owner's module too."""
    query = select(Module).where(Module.owner == owner, col(Module.id).startswith(module_id, autoescape=True))
    found = db.exec(query).all() if module_id else []
    if len(found) != 1:
        what = "no module" if not found else f"{len(found)} modules"
        raise NotFoundError(f"{owner!r} has {what} {module_id!r}; `engrain modules list` shows them")
    return found[0]


def fact_ids_of(db: DbSession, owner: str, module_ids: Sequence[str]) -> list[int]:
    """The facts in some modules."""
    query = select(ModuleFact.fact_id).where(ModuleFact.owner == owner, col(ModuleFact.module_id).in_(module_ids))
    return sorted(set(db.exec(query)))


def live_ids(db: DbSession, owner: str, base_sha256: str) -> list[str]:
    """The ids of an owner's live modules for a base model, the oldest first."""
    query = select(Module.id).where(Module.owner == owner, Module.state == ModuleState.LIVE, Module.base_sha256 == base_sha256)
    return list(db.exec(query.order_by(col(Module.created_at), col(Module.id))))


def changed(db: DbSession, owner: str) -> None:
    """Note, in the transaction that does it, that a module came or went or that a fact in one no longer counts: routers look again."""
    found = db.exec(update(Revision).where(col(Revision.owner) == owner).values(number=col(Revision.number) + 1))
    if not found.rowcount:
        db.add(Revision(owner=owner, number=1))


def revision(db: DbSession, owner: str) -> int:
    """How often that was noted."""
    return db.exec(select(Revision.number).where(Revision.owner == owner)).first() or 0


def sweep(db: DbSession, modules: Path) -> list[str]:
    """Delete the folders of modules that no longer serve and are no rejects; returns their names.

    So goes what a killed process left: modules that it had put in their place and not yet made live, once their job has ended, and
    archives half taken in, an hour later.
    """
    if not modules.is_dir():
        return []
    active = (JobState.QUEUED, JobState.RUNNING)
    going_on = {job: state in active for job, state in db.exec(select(Job.id, Job.state))}
    states = dict(db.exec(select(Module.id, Module.state)).all())  # after the jobs: what one of them made live meanwhile is in it
    gone = []
    for folder in modules.iterdir():
        made_by = _made_by(folder) if folder.name not in states else None
        importing = folder.name.startswith(IMPORTING) or (made_by is not None and made_by not in going_on)
        left = made_by in going_on and not going_on[made_by]
        if states.get(folder.name) is ModuleState.RETIRED or left or (importing and _is_old(folder)):
            gone.append(folder.name)
            shutil.rmtree(folder, ignore_errors=True)
    return gone


def _made_by(folder: Path) -> int | None:
    """The job that made a module; None where there is no readable manifest."""
    try:
        return Manifest.parse((folder / MANIFEST).read_text()).made_by_job
    except (OSError, ValueError, ModuleError):
        return None


def _is_old(folder: Path) -> bool:
    """Whether nothing came or went in a folder for so long that its process must be gone."""
    try:
        return time.time() - folder.stat().st_mtime > _ABANDONED
    except OSError:  # it is gone this moment
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
