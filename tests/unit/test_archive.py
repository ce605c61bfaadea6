"""A memory travels in one file; what comes from outside is looked at before it is believed."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engrain.consolidation.job import consolidate
from engrain.errors import ArchiveError, InputError
from engrain.memory.archive import INDEX, export, take_in
from engrain.memory.forget import Selector
from engrain.memory.memory import Memory
from engrain.memory.modules import IMPORTING
from engrain.settings import Settings
from tests.conftest import SAID, tiny


@pytest.fixture(scope="module")
def origin(tiny_folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """A memory of four engrained facts, one of them corrected since, and a fresh one."""
    memory = Memory(tiny(tiny_folders, tmp_path_factory.mktemp("origin")))
    for note in SAID:
        memory.remember(note)
    assert consolidate(memory, "me").engrained_facts
    memory.remember("My locker code is 5521.")
    memory.remember("My bicycle is a red Peugeot.")
    return memory


@pytest.fixture
def archive(origin: Memory, tmp_path: Path) -> Path:
    """It in one file."""
    export(origin.store, "me", origin.settings.modules, tmp_path / "me.zip")
    return tmp_path / "me.zip"


@pytest.fixture
def elsewhere(tiny_settings: Callable[..., Settings], origin: Memory, tmp_path: Path) -> Memory:
    """An empty memory in another place, with the same models."""
    return Memory(tiny_settings(home=tmp_path / "elsewhere"), base=origin.base, embedder=origin.embedder)


def test_a_memory_is_the_same_elsewhere(origin: Memory, archive: Path, elsewhere: Memory) -> None:
    elsewhere.remember("I keep bees.", "eve")  # so that ids differ
    done = take_in(elsewhere.store, "me", elsewhere.settings.modules, archive)
    assert (done.messages, done.facts, len(done.modules)) == (6, 6, 1)
    assert [(f.text, f.state, f.said_on) for f in elsewhere.facts("me")] == [(f.text, f.state, f.said_on) for f in origin.facts("me")]
    here, there = (m.recall("Who is my dentist?", "me", "weights") for m in (origin, elsewhere))
    assert (there.text, there.confidence, there.evidence[0].text) == (here.text, pytest.approx(here.confidence), here.evidence[0].text)
    assert there.modules == done.modules
    assert not elsewhere.recall("What is my locker code?", "me", "weights").known, "what was corrected is corrected here too"
    assert consolidate(elsewhere, "me").facts == 2
    assert elsewhere.recall("Who is my dentist?", "eve").modules == ()


def test_what_was_forgotten_stays_forgotten(told: Memory, elsewhere: Memory, tmp_path: Path) -> None:
    (dentist,) = [f for f in told.facts() if "Okafor" in f.text]
    told.forget(Selector(fact=dentist.id))
    export(told.store, "me", told.settings.modules, tmp_path / "less.zip")
    take_in(elsewhere.store, "me", elsewhere.settings.modules, tmp_path / "less.zip")
    assert elsewhere.remember("My dentist is Dr. Okafor.", "me") == []


def test_another_owner_may_take_it_in_but_nobody_who_has_a_memory(origin: Memory, archive: Path) -> None:
    done = take_in(origin.store, "eve", origin.settings.modules, archive)
    assert origin.recall("Who is my dentist?", "eve", "weights").modules == done.modules
    assert origin.recall("Who is my dentist?", "me", "weights").modules != done.modules
    with pytest.raises(InputError, match="'eve' has a memory already"):
        take_in(origin.store, "eve", origin.settings.modules, archive)
    with pytest.raises(InputError, match="exists; choose another name"):
        export(origin.store, "me", origin.settings.modules, archive)
    with pytest.raises(InputError, match="'nobody' has nothing to export"):
        export(origin.store, "nobody", origin.settings.modules, archive.with_name("none.zip"))
    with pytest.raises(InputError, match="cannot be written"):
        export(origin.store, "me", origin.settings.modules, archive / "inside.zip")


def rewritten(archive: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The archive with other parts."""
    with zipfile.ZipFile(archive) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    change(parts)
    target = archive.with_name("changed.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in parts.items():
            out.writestr(name, content)
    return target


def replaced(parts: dict[str, bytes], name: str, content: bytes) -> None:
    """Another content, with the checksum that goes with it."""
    from hashlib import sha256

    index = json.loads(parts[INDEX])
    parts[name], index["files"][name] = content, sha256(content).hexdigest()
    parts[INDEX] = json.dumps(index).encode()


def _module_file(parts: dict[str, bytes]) -> str:
    return next(name for name in parts if name.endswith("safetensors"))


def _takes_a_module(parts: dict[str, bytes]) -> None:
    """The index names another folder than the one whose files the archive holds."""
    index = json.loads(parts[INDEX])
    (name,) = index["modules"]
    index["modules"] = {f"../../{name}": index["modules"][name]}
    parts[INDEX] = json.dumps(index).encode()


CHANGES: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "a path that leads out": (lambda parts: replaced(parts, "../../evil.txt", b"x"), r"holds '../../evil.txt'"),
    "an absolute path": (lambda parts: replaced(parts, "/tmp/evil.txt", b"x"), r"holds '/tmp/evil.txt'"),
    "a pickle": (lambda parts: replaced(parts, "modules/m0123/adapter_model.bin", b"x"), "holds 'modules/m0123/adapter_model.bin'"),
    "a bomb": (lambda parts: replaced(parts, "rows/session.jsonl", b"\n" * 200_000_000), "would unpack to"),
    "changed rows": (lambda parts: parts.update({"rows/fact.jsonl": b" "}), "'rows/fact.jsonl' in .* is not what was written"),
    "a changed adapter": (lambda parts: replaced(parts, _module_file(parts), b"x" * 64), "is not what its manifest says"),
    "a part too few": (lambda parts: parts.__delitem__("rows/probe.jsonl"), "does not hold the parts that its index names"),
    "a row that is none": (lambda parts: replaced(parts, "rows/fact.jsonl", b'{"id": "x"}\n'), "holds a row that is none"),
    "an index that is none": (lambda parts: parts.update({INDEX: b"[]"}), "is no memory that engrain exported"),
    "somebody else's module": (_takes_a_module, "does not hold the modules that its index names"),
    "rows that lead nowhere": (lambda parts: replaced(parts, "rows/fact.jsonl", b""), "is not what its manifest says|does not hold together"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_file_that_is_no_exported_memory_leaves_nothing(archive: Path, elsewhere: Memory, what: str, tmp_path: Path) -> None:
    change, message = CHANGES[what]
    file = rewritten(archive, change)
    before = {path for path in tmp_path.rglob("*") if "elsewhere" not in path.parts[len(tmp_path.parts) :][:1]}
    with pytest.raises(ArchiveError, match=message):
        take_in(elsewhere.store, "me", elsewhere.settings.modules, file)
    assert elsewhere.facts("me") == []
    assert elsewhere.modules("me") == []
    assert not elsewhere.settings.modules.exists() or list(elsewhere.settings.modules.iterdir()) == []
    assert {path for path in tmp_path.rglob("*") if "elsewhere" not in path.parts[len(tmp_path.parts) :][:1]} == before


def test_any_other_file_is_refused(elsewhere: Memory, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for name in ("notes.txt", "missing.zip"):
        with pytest.raises(ArchiveError, match="is no memory that engrain exported"):
            take_in(elsewhere.store, "me", elsewhere.settings.modules, tmp_path / name)


def test_what_a_killed_import_left_goes_when_something_is_forgotten(origin: Memory, elsewhere: Memory) -> None:
    old, new = (elsewhere.settings.modules / f"{IMPORTING}{name}" for name in ("old", "new"))
    for folder in (old, new):
        (folder / "rows").mkdir(parents=True)
        (folder / "rows" / "fact.jsonl").write_text("My dentist is Dr. Okafor.")
    os.utime(old, (0, 0))
    elsewhere.remember("My dentist is Dr. Okafor.")
    elsewhere.forget(Selector(everything=True))
    assert (old.exists(), new.exists()) == (False, True), "the other one may still be at work"
