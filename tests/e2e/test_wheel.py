"""The wheel is whole: built, installed in a clean environment, run from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command: object, cwd: Path, **more: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "HF_HUB_OFFLINE")} | more
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_works_from_another_folder(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", cwd=ROOT)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "engrain/memory/migrations/versions/v0001_first_tables.py",
        "engrain/consolidation/train/trainer.py",
        "engrain/memory/frames.txt",
        "engrain/py.typed",
    ):
        assert needed in names
    assert not [n for n in names if n.split("/")[0] in ("agent", "memory", "consolidation", "tools", "evals", "tests")]
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--no-compile", "-c", ROOT / "constraints.txt", "torch", cwd=tmp_path)
    run(python, "-m", "pip", "install", "-q", "--no-compile", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    home = str(tmp_path / "home")
    command = tmp_path / "venv" / "bin" / "engrain"
    assert "dentist is Dr. Okafor" in run(command, "remember", "My dentist is Dr. Okafor.", cwd=tmp_path, ENGRAIN_HOME=home)
    assert "1 fresh" in run(command, "status", cwd=tmp_path, ENGRAIN_HOME=home)
    assert "site-packages" in run(python, "-c", "import engrain.memory.memory as m; print(m.__file__)", cwd=tmp_path)
