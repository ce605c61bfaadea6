"""The house stands: rooms are linked, nothing is imported by a bare name, help is quick."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import engrain

ROOT = Path(__file__).parents[2]
ROOMS = ("agent", "memory", "consolidation", "tools", "evals")


def test_every_room_is_linked() -> None:
    for room in ROOMS:
        link = ROOT / "engrain" / room
        assert link.is_symlink(), room
        assert link.resolve() == ROOT / room
        assert not Path(str(link.readlink())).is_absolute()


def test_no_room_is_imported_by_its_bare_name() -> None:
    program = "import engrain, sys; [getattr(engrain, n) for n in engrain.__all__]; print([r for r in sys.argv[1:] if r in sys.modules])"
    out = subprocess.run([sys.executable, "-c", program, *ROOMS], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_public_names_resolve() -> None:
    assert set(engrain.__all__) == set(engrain._PLACES)
    for name in engrain.__all__:
        assert getattr(engrain, name).__name__ == name


def test_help_is_quick_and_imports_no_torch() -> None:
    program = (
        "import sys, time; t = time.perf_counter(); from typer.testing import CliRunner; from engrain.cli.app import app;"
        "r = CliRunner().invoke(app, ['--help']); assert r.exit_code == 0 and 'consolidate' in r.output, r.output;"
        "heavy = [m for m in ('torch', 'transformers', 'peft', 'sqlmodel', 'numpy') if m in sys.modules]; print(heavy)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
    best = min(_help_seconds() for _ in range(3))
    assert best < 0.5, best


def _help_seconds() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "engrain", "--help"], capture_output=True, check=True)
    return time.perf_counter() - started


def test_the_program_in_the_readme_is_the_one_that_is_tested() -> None:
    assert f"```python\n{(ROOT / 'examples' / 'remember.py').read_text()}```" in (ROOT / "README.md").read_text()
