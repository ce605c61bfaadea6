"""kill -9 in the middle of a run of evaluations, again and again: the summary is that of an undisturbed run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from engrain.consolidation.worker import _environment
from engrain.evals.runs import Order, run
from engrain.lines import read_lines
from engrain.memory.memory import Memory
from engrain.settings import Settings
from tests.conftest import RECIPE

PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from engrain.evals import runs
from engrain.memory.memory import Memory
from engrain.settings import load_settings

order, out, survives = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
real, kept = runs.append, 0

def killed(path, record):
    global kept
    kept += 1
    if kept > survives:
        with path.open("a") as file:
            file.write('{"arm": "half a li')
        os.kill(os.getpid(), signal.SIGKILL)
    real(path, record)

runs.append = killed
settings = load_settings()
runs.run(runs.Order(**{**order, "arms": tuple(order["arms"])}), out, settings, Memory(settings))
"""
ARMS = ("text", "weights", "raw")


def facts(summary: dict[str, Any]) -> Any:
    """What must not depend on how often a run was killed: all but the seconds."""
    return summary["arms"], {arm: (c["modules"], c["bytes"], c["prompt_tokens_a_question"]) for arm, c in summary["costs"].items()}


def test_a_run_killed_again_and_again_ends_with_the_summary_of_an_undisturbed_one(tiny_settings: Callable[..., Settings], tmp_path: Path) -> None:
    recipe = {**RECIPE, "epochs": 10, "settle": 0}
    settings = tiny_settings(threads=1, recipe=recipe, threshold=0.1)
    order = Order("phonebook", ARMS, "", None, None, 2, 2, 0, recipe, "cues", settings.memory_model)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the killed processes: another number of threads adds up in another order
    whole = run(order, tmp_path / "whole", settings, Memory(settings))
    torch.set_num_threads(threads)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    out = tmp_path / "killed"
    codes = []
    for survives in (7, 0, 3, 10**6):  # at the second module's record, twice; among the answers from weights; at last in peace
        call = [sys.executable, str(program), json.dumps(asdict(order)), str(out), str(survives)]
        done = subprocess.run(call, env=_environment(settings), capture_output=True, text=True, check=False)
        codes.append(done.returncode)
    assert codes == [-signal.SIGKILL] * 3 + [0], done.stderr
    items = [(r["arm"], r["question_id"]) for r in read_lines(out / "answers.jsonl")]
    assert len(items) == len(set(items)) == len(ARMS) * (4 + 2)
    assert facts(json.loads((out / "summary.json").read_text())) == facts(whole)
    written = [w["module"] for w in read_lines(out / "writes.jsonl")]
    assert len(written) == len(set(written)) == 3
