"""`bench write`, whole, on the tiny models: every contender really trains, and what was done is not done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engrain.errors import InputError
from engrain.evals.bench import write
from engrain.evals.bench.cases import case_of
from engrain.evals.bench.contenders import METHODS, surprise
from engrain.memory.bank.base import BaseModel
from tests.conftest import RECIPE


def test_every_contender_learns_the_same_and_an_interrupted_run_goes_on(
    tiny_folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one_rate = {name: replace(method, rates=(3e-3,), warmup=0) for name, method in METHODS.items()}
    monkeypatch.setattr(write, "METHODS", one_rate)
    out, told = tmp_path / "write.json", list[str]()

    def stopped_after_ours(note: str, _: float) -> None:
        told.append(note)
        if note.startswith("phonebook: trl"):
            raise KeyboardInterrupt

    budgets = dict.fromkeys(METHODS, 2.0)
    recipe = {**RECIPE, "epochs": 40}
    with pytest.raises(KeyboardInterrupt):
        write.bench_write(out, tiny_folders[0], ["phonebook"], size=2, budgets=budgets, recipe=recipe, progress=stopped_after_ours)
    assert not out.exists()
    told.clear()
    result = write.bench_write(
        out, tiny_folders[0], ["phonebook"], size=2, budgets=budgets, recipe=recipe, progress=lambda note, _: told.append(note)
    )
    assert not any("ours" in note for note in told)  # it was done already
    assert json.loads(out.read_text()) == result
    assert [p.name for p in tmp_path.glob("write.json*")] == ["write.json"]
    (case,) = result["cases"]
    assert case["ours"]["trained"] > 0.5
    untrained = surprise(BaseModel.load(tiny_folders[0], "tiny", "0" * 64), case_of("phonebook", 0, 2).trained)
    for who in ("trl", "paper", "prag"):
        assert case[who]["surprise"] < 0.8 * untrained  # it really learns
        assert case[who]["learning_rate"] == 3e-3
        assert case[who]["trained_for"] > 0
    assert case["prag"]["adapter_bytes"] < case["trl"]["adapter_bytes"]
    assert 0 < result["flops_share_of_peak"] < 1
    assert "| phonebook | ours |" in write.table(result)


def test_an_unknown_case_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'poems' is unknown; choose of phonebook, told"):
        write.bench_write(tmp_path / "out.json", tmp_path, ["poems"])
    assert not list(tmp_path.iterdir())
