"""An owner's memory as one file: what was said, the facts, their probes, the modules; with a checksum for each part.

An archive may come from anywhere: names, sizes and checksums are looked at before a byte is used, and either all of it is
taken in or nothing is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as DbSession
from sqlmodel import SQLModel, select

from engrain.errors import ArchiveError, InputError, ModuleError
from engrain.memory.facts import probes_of
from engrain.memory.modules import IMPORTING, MANIFEST, Manifest, changed, hash_files, modules_of, open_module, place
from engrain.memory.schema import Episode, Fact, FactState, Job, JobState, Message, Module, ModuleFact, ModuleState, Probe, Session, Stage, Tombstone
from engrain.memory.store import Store

INDEX = "memory.json"
_FORMAT = 1
_TABLES: dict[str, type[SQLModel]] = {
    "session": Session,
    "episode": Episode,
    "message": Message,
    "fact": Fact,
    "probe": Probe,
    "tombstone": Tombstone,
}
_NAME = re.compile(
    rf"{re.escape(INDEX)}|rows/(?:{'|'.join(_TABLES)})\.jsonl|modules/m[0-9a-f]{{1,40}}/(?:adapter_model\.safetensors|adapter_config\.json|{MANIFEST})"
)
_MOST_BYTES = 8 * 2**30
_MOST_FILES = 100_000
_RATIO = 400
"""An archive's parts may unpack to so many times its size; text does not compress further."""


class _Index(BaseModel):
    """What an archive says of itself."""

    format: int
    owner: str
    modules: dict[str, tuple[int, int]]
    """The job and the level of each."""
    files: dict[str, str]
    """sha256 by name."""


@dataclass(frozen=True)
class Moved:
    """What an archive holds, or what was taken in of it."""

    owner: str
    sessions: int
    messages: int
    facts: int
    probes: int
    modules: tuple[str, ...]
    """Their ids; taken in, a module gets a new one."""
    bases: tuple[str, ...]
    """The base models that they are for."""


def export(store: Store, owner: str, modules: Path, file: Path) -> Moved:
    """Write an owner's memory to a file, whole or not at all; an owner's open sessions are not ended by it.

    Raises InputError where the file exists or there is nothing to write.
    """
    if os.path.lexists(file):
        raise InputError(f"{str(file)!r} exists; choose another name")
    with store.read() as db:
        live = modules_of(db, owner, ModuleState.LIVE)
        rows: dict[str, Sequence[Any]] = {
            "session": list(db.exec(select(Session).where(Session.owner == owner))),
            "episode": list(db.exec(select(Episode).where(Episode.owner == owner))),
            "message": list(db.exec(select(Message).where(Message.owner == owner))),
            "fact": list(db.exec(select(Fact).where(Fact.owner == owner, Fact.state != FactState.ERASED))),
            "probe": [probe for module in live for probe in probes_of(db, owner, module.job_id)],
            "tombstone": list(db.exec(select(Tombstone).where(Tombstone.owner == owner))),
        }
    if not rows["message"]:
        raise InputError(f"{owner!r} has nothing to export; `engrain status` shows what there is")
    part = file.with_name(f"{file.name}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            sums = dict(_written(archive, rows, live, modules))
            index = _Index(format=_FORMAT, owner=owner, modules={m.id: (m.job_id, m.level) for m in live}, files=sums)
            archive.writestr(INDEX, index.model_dump_json(indent=1))
        part.rename(file)
    except OSError as error:
        raise InputError(f"{str(file)!r} cannot be written ({error}); choose another place") from error
    finally:
        with suppress(OSError):
            part.unlink()
    return _moved(owner, {name: len(some) for name, some in rows.items()}, [m.id for m in live], [m.base for m in live])


def _written(archive: zipfile.ZipFile, rows: dict[str, Sequence[Any]], live: Sequence[Module], modules: Path) -> Iterator[tuple[str, str]]:
    """Writes the parts; yields the name and the sha256 of each."""
    for table, some in rows.items():
        lines = "".join(json.dumps(row.model_dump(mode="json", exclude={"embedding"}), ensure_ascii=False) + "\n" for row in some)
        archive.writestr(f"rows/{table}.jsonl", lines)
        yield f"rows/{table}.jsonl", hashlib.sha256(lines.encode()).hexdigest()
    for module in live:
        folder, _ = open_module(module, modules)
        for file in sorted(folder.iterdir()):
            archive.write(file, f"modules/{module.id}/{file.name}")
            yield f"modules/{module.id}/{file.name}", hashlib.sha256(file.read_bytes()).hexdigest()


def take_in(store: Store, owner: str, modules: Path, file: Path) -> Moved:
    """Take an archive in as this owner's memory: all of it, or, where anything is wrong, nothing.

    Raises InputError where the owner has a memory already, ArchiveError for a file that is no archive of ours, is damaged, names
    paths that it must not, or unpacks to more than it should. Erased statements stay erased only under their owner's own name:
    their hashes are keyed by it.
    """
    staging = modules / f"{IMPORTING}{hashlib.sha256(f'{owner}:{file}'.encode()).hexdigest()[:12]}"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        about = _unpacked(file, staging)
        rows = {table: _rows(staging / "rows" / f"{table}.jsonl", kind) for table, kind in _TABLES.items()}
        placed: list[str] = []
        try:
            with store.write() as db:
                if db.exec(select(Session.id).where(Session.owner == owner)).first() is not None:
                    raise InputError(f"{owner!r} has a memory already; name another owner: engrain import FILE --owner NAME")
                return _taken(db, owner, rows, about, _Files(staging / "modules", modules, placed))
        except BaseException as error:
            for name in placed:
                shutil.rmtree(modules / name, ignore_errors=True)
            if isinstance(error, (KeyError, FileNotFoundError, IntegrityError, ModuleError)):
                raise ArchiveError(f"{str(file)!r} does not hold together ({type(error).__name__}: {error}); export it again") from error
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpacked(file: Path, staging: Path) -> _Index:
    """The parts of an archive in a folder, every name, size and checksum looked at; returns its index."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            _bounded(file, parts)
            about = _Index.model_validate_json(archive.read(INDEX))
            if about.format != _FORMAT:
                raise ArchiveError(f"{str(file)!r} has format {about.format!r}, this engrain reads {_FORMAT}; update engrain")
            if set(about.files) != {part.filename for part in parts} - {INDEX}:
                raise ArchiveError(f"{str(file)!r} does not hold the parts that its index names; export it again")
            if set(about.modules) != {name.split("/")[1] for name in about.files if name.startswith("modules/")}:  # they name folders
                raise ArchiveError(f"{str(file)!r} does not hold the modules that its index names; export it again")
            for part in parts:
                if part.filename != INDEX and _extracted(archive, part, staging) != about.files[part.filename]:
                    raise ArchiveError(f"{part.filename!r} in {str(file)!r} is not what was written; it was damaged or changed, export it again")
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError, EOFError) as error:
        raise ArchiveError(f"{str(file)!r} is no memory that engrain exported ({type(error).__name__}: {error})") from error
    return about


def _bounded(file: Path, parts: Sequence[zipfile.ZipInfo]) -> None:
    for part in parts:
        if not _NAME.fullmatch(part.filename):
            raise ArchiveError(f"{str(file)!r} holds {part.filename!r}, which no exported memory does; it is not taken in")
    names = [part.filename for part in parts]
    size = sum(part.file_size for part in parts)
    if len(names) != len(set(names)) or len(names) > _MOST_FILES or size > min(_MOST_BYTES, _RATIO * max(1, file.stat().st_size)):
        raise ArchiveError(f"{str(file)!r} would unpack to {len(names)} parts and {size} bytes, which no exported memory does; it is not taken in")


def _extracted(archive: zipfile.ZipFile, part: zipfile.ZipInfo, staging: Path) -> str:
    """Writes a part, never more of it than was announced; returns its sha256."""
    target = staging / part.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), part.file_size
    with archive.open(part) as source, target.open("wb") as file:
        while chunk := source.read(min(left, 2**20)):
            digest.update(chunk)
            file.write(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def _rows(file: Path, kind: type[SQLModel]) -> list[Any]:
    try:
        return [kind.model_validate(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines() if line]
    except (ValidationError, ValueError) as error:
        raise ArchiveError(f"{file.name!r} holds a row that is none ({error}); export it again") from error


@dataclass(frozen=True)
class _Files:
    """Where the unpacked modules are, where they go, and which have gone there."""

    unpacked: Path
    modules: Path
    placed: list[str]


def _taken(db: DbSession, owner: str, rows: dict[str, list[Any]], about: _Index, files: _Files) -> Moved:
    """Everything as new rows of this owner, with ids of its own."""
    _added(db, owner, rows["session"], lambda _: None)
    episodes = _added(db, owner, rows["episode"], lambda _: None)
    old_last = {s.id: s.summarised_through for s in rows["session"]}

    def in_episode(message: Any) -> None:
        message.episode_id = episodes.get(message.episode_id)

    messages = _added(db, owner, rows["message"], in_episode)
    for session in rows["session"]:
        session.summarised_through = messages.get(old_last[session.id], 0)
    newer = {fact.id: fact.superseded_by for fact in rows["fact"]}

    def said_in(fact: Any) -> None:
        fact.episode_id, fact.message_id = episodes.get(fact.episode_id, 0), messages.get(fact.message_id, 0)
        fact.state, fact.superseded_by = FactState.FRESH, None

    facts = _added(db, owner, rows["fact"], said_in)
    by_id = {fact.id: fact for fact in rows["fact"]}
    for old, by in newer.items():
        by_id[facts[old]].superseded_by = facts.get(by)
    if about.owner == owner:
        _added(db, owner, rows["tombstone"], lambda _: None)
    found = [_module(db, owner, name, level, facts, by_id, files) for name, (_, level) in about.modules.items()]
    jobs = {job: module.job_id for (job, _), module in zip(about.modules.values(), found, strict=True)}

    def asked_of(probe: Any) -> None:
        probe.job_id, probe.fact_id = jobs[probe.job_id], probe.fact_id and facts[probe.fact_id]

    _added(db, owner, rows["probe"], asked_of)
    changed(db, owner)
    return _moved(owner, {name: len(some) for name, some in rows.items()}, [m.id for m in found], [m.base for m in found])


def _added(db: DbSession, owner: str, rows: Sequence[Any], mend: Callable[[Any], None]) -> dict[Any, Any]:
    """Adds rows under new ids; returns the new id of each old one."""
    before = [row.id for row in rows]
    for row in rows:
        row.owner = owner
        if not isinstance(row, Session):
            row.id = None
        mend(row)
    db.add_all(rows)
    db.flush()
    return dict(zip(before, (row.id for row in rows), strict=True))


def _module(db: DbSession, owner: str, name: str, level: int, facts: dict[Any, Any], by_id: dict[int, Fact], files: _Files) -> Module:
    """A module under the new ids of its facts, in a folder of its own; refused where its files are not what its manifest says."""
    folder = files.unpacked / name
    manifest = Manifest.parse((folder / MANIFEST).read_text(encoding="utf-8"))
    if hash_files(folder) != dict(manifest.files) or any(fact not in facts for fact in manifest.facts):
        raise ArchiveError(f"module {name!r} is not what its manifest says; export it again")
    inside = [facts[fact] for fact in manifest.facts]
    job = Job(owner=owner, state=JobState.DONE, stage=Stage.PUBLISH, fact_ids=inside, base_sha256=manifest.base_sha256, note=f"imported, was {name}")
    db.add(job)
    db.flush()
    assert job.id is not None
    (folder / MANIFEST).unlink()
    mine = replace(manifest, facts=tuple(inside), made_by_job=job.id)
    module_id, digest = place(folder, mine, files.modules)
    files.placed.append(module_id)
    size = sum(f.stat().st_size for f in (files.modules / module_id).iterdir())
    row = Module(
        id=module_id, owner=owner, job_id=job.id, base=mine.base, base_sha256=mine.base_sha256, manifest_sha256=digest,
        state=ModuleState.LIVE, level=level, scores=dict(mine.scores), bytes=size,
    )  # fmt: skip
    db.add(row)
    job.module_id = module_id
    for fact in inside:
        db.add(ModuleFact(module_id=module_id, fact_id=fact, owner=owner))
        by_id[fact].state = FactState.ENGRAINED
    return row


def _moved(owner: str, counts: dict[str, int], modules: Sequence[str], bases: Sequence[str]) -> Moved:
    names = tuple(sorted(set(bases)))
    return Moved(owner, counts["session"], counts["message"], counts["fact"], counts["probe"], tuple(modules), names)
