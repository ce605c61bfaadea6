"""The benchmarks, whole, on the tiny models: everything really trains, and what was done is not done again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from engrain.cli.app import app
from engrain.errors import InputError
from engrain.evals.bench import capacity, chat, compact, distil, read, route, write
from engrain.evals.bench.cases import case_of
from engrain.evals.bench.contenders import METHODS, Attempt, surprise
from engrain.evals.bench.cost import COUNTED, cost_of_a_step, halved_peak, matmul_peak
from engrain.memory.bank.base import BaseModel
from engrain.memory.catalog import ModelFolder
from engrain.memory.halved import Halved
from engrain.memory.memory import Memory
from tests.conftest import RECIPE, WHOLE, MakeSettings


def test_every_contender_learns_the_same_and_an_interrupted_run_goes_on(
    tiny_folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one_rate = {name: replace(method, rates=(3e-3,), warmup=0) for name, method in METHODS.items()}
    monkeypatch.setattr(write, "METHODS", one_rate)
    out, told, model = tmp_path / "write.json", list[str](), ModelFolder("tiny", tiny_folders[0], "0" * 64)

    def stopped_after_ours(note: str, _: float) -> None:
        told.append(note)
        if note.startswith("phonebook: trl"):
            raise KeyboardInterrupt

    budgets = dict.fromkeys(METHODS, 2.0)
    recipe = {**WHOLE, "epochs": 40}
    with pytest.raises(KeyboardInterrupt):
        write.bench_write(out, model, ["phonebook"], size=2, budgets=budgets, recipe=recipe, progress=stopped_after_ours)
    assert not out.exists()
    told.clear()
    result = write.bench_write(out, model, ["phonebook"], size=2, budgets=budgets, recipe=recipe, progress=lambda note, _: told.append(note))
    again = next(at for at, note in enumerate(told) if "ours" in note)
    assert any("prag" in note for note in told[:again]), "ours was done already, and is measured again behind the others"
    assert json.loads(out.read_text()) == result
    assert [p.name for p in tmp_path.glob("write.json*")] == ["write.json"]
    (case,) = result["cases"]
    assert case["ours"]["trained"] > 0.5
    one, other = case["ours"]["trained_for_each"]
    assert case["ours"]["trained_for"] == pytest.approx((one + other) / 2, abs=0.06)
    untrained = surprise(BaseModel.load(tiny_folders[0], "tiny", "0" * 64), case_of("phonebook", 0, 2).trained)
    for who in ("trl", "paper", "prag"):
        assert case[who]["surprise"] < 0.8 * untrained  # it really learns
        assert case[who]["learning_rate"] == 3e-3
        assert case[who]["trained_for"] > 0
    assert case["prag"]["adapter_bytes"] < case["trl"]["adapter_bytes"]
    assert result["ordinary_text"]["texts"] == 192
    assert 0 < result["flops_share_of_peak"] < 1
    assert result["peak_rss_mb_by_stage"]["settled"] == pytest.approx(case["ours"]["peak_rss_mb"], rel=0.2)
    course = case["ours"]["course"]
    assert [seen["epoch"] for seen in course] == [*range(1, case["ours"]["epochs"] + 1)]
    assert course[-1]["held_out"] == case["ours"]["held_out"], "nothing is trained behind the last look"
    assert "| phonebook | ours |" in write.table(result)


def test_a_step_is_counted_of_a_case_that_takes_more_epochs(tiny_folders: tuple[Path, Path]) -> None:
    """So few facts are shown for `least_steps`; what a step costs is measured in three epochs all the same."""
    base = BaseModel.load(tiny_folders[0], "tiny", "0" * 64)
    found = cost_of_a_step(case_of("phonebook", 0, 1), base, {**RECIPE, "top": 0.5, "epochs": 2, "least_steps": 5, "settle": 1})
    spent = found["time_by_operation"]
    assert spent["aten::mm"] + spent.get("aten::copy_", 0) > 0.02
    assert list(spent.values()) == sorted(spent.values(), reverse=True)
    assert sum(spent.values()) <= 1.001
    assert set(found["peak_rss_mb_by_stage"]) == {"model loaded", "prepared, one epoch", "settled"}


def test_products_with_weights_in_float16_count_as_others_do() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    weight, x = torch.randn(30, 20), torch.randn(7, 20)
    halved = Halved(weight, None)
    counts = []
    for product in (halved, lambda x: x @ weight.t()):
        with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
            product(x)
        counts.append(counter.get_total_flops())
    assert counts == [2 * 7 * 20 * 30] * 2
    assert 0 < halved_peak() < 10 * matmul_peak(torch.float32)


def test_a_contender_runs_again_only_where_more_time_could_change_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran, found = list[float](), {"seconds": None, "epochs": 3}

    def lines(_: object, attempt: Attempt) -> Iterator[dict[str, object]]:
        ran.append(attempt.seconds)
        yield {"done": dict(found), "attempt": asdict(attempt)}

    monkeypatch.setattr(write._Bench, "_lines", lines)
    attempt = Attempt("trl", "phonebook", "model", seconds=100.0)
    for seconds in (100.0, 80.0, 120.0):
        write._Bench(tmp_path / "part", lambda *_: None, 1).run(replace(attempt, seconds=seconds))
    assert ran == [100.0, 120.0], "it had not arrived, and had less time"
    found["seconds"] = 110.0
    for seconds in (130.0, 200.0):
        assert write._Bench(tmp_path / "part", lambda *_: None, 1).run(replace(attempt, seconds=seconds))["seconds"] == 110.0
    assert ran == [100.0, 120.0, 130.0], "it arrived"
    write._Bench(tmp_path / "part", lambda *_: None, 1).run(replace(attempt, seconds=200.0, rate=1e-3))
    assert len(ran) == 4, "another learning rate is another attempt"


def test_an_unknown_case_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'poems' is unknown; choose of phonebook, told"):
        write.bench_write(tmp_path / "out.json", ModelFolder("tiny", tmp_path, "0" * 64), ["poems"])
    assert not list(tmp_path.iterdir())


def test_capacity_is_the_largest_load_that_a_rank_recalls(tiny_folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "HELD_OUT", 0.0)  # a random model does not generalise
    base = BaseModel.load(tiny_folders[0], "tiny", "0" * 64)
    out = tmp_path / "capacity.json"
    result = capacity.bench_capacity(out, base, [2, 1, 40], [1, 32], recipe={**WHOLE, "epochs": 60, "recalled": 0.98})
    assert json.loads(out.read_text()) == result
    runs = {(r["rank"], r["size"]): r for r in result["runs"]}
    assert runs[32, 2]["fits"]
    assert not runs[32, 40]["fits"]
    assert result["module_tokens"]["32"] == runs[32, 2]["tokens"] > runs[32, 1]["tokens"]
    assert result["module_tokens"]["1"] == max((r["tokens"] for (rank, _), r in runs.items() if rank == 1 and r["fits"]), default=0)
    assert "| 32 | 2 |" in capacity.table(result)
    with pytest.raises(InputError, match="size or rank 0 cannot be trained"):
        capacity.bench_capacity(out, base, [0], [4])


def test_what_the_distiller_makes_is_counted_and_a_sample_can_be_judged(memory: Memory, tmp_path: Path) -> None:
    out = tmp_path / "distil.json"
    result = distil.bench_distil(out, ["told"], memory.settings, memory, documents=2, sample=5)
    (one,) = result["tasks"]
    assert one["facts"] == 10
    assert one["coverage"]["3"] == 1.0  # grammar alone does that
    assert one["written"] > one["survived"] >= 0  # a random model writes, and hardly anything of it survives
    sample = out.with_suffix(".sample.jsonl")
    rows = [json.loads(line) for line in sample.read_text().splitlines()]
    assert len(rows) == 5
    assert sorted(Counter(row["document"] for row in rows).values()) == [2, 3]
    mine = tmp_path / "mine.db"
    distil.bench_distil(out, ["told"], memory.settings.model_copy(update={"database_url": f"sqlite:///{mine}"}), memory, documents=2, sample=5)
    assert not mine.exists(), "a benchmark has a database of its own"
    with pytest.raises(InputError, match=r"line 1 of .* has wrong = None; judge it true or false"):
        distil.judged(sample)
    sample.write_text("".join(json.dumps({**row, "wrong": at == 0}) + "\n" for at, row in enumerate(rows)))
    counted = distil.judged(sample)
    assert counted == {"told": {"n": 5, "wrong": 0.2}}
    told = CliRunner().invoke(app, ["bench", "distil", "--tasks", "told", "--judged", str(sample), "--out", str(out)])
    assert isinstance(told.exception, InputError)
    assert "would be written over" in str(told.exception)
    assert distil.judged(sample) == counted
    other = tmp_path / "other.json"
    distil.bench_distil(other, ["told"], memory.settings, memory, documents=1, judged=counted)
    assert json.loads(other.read_text())["judged"] == counted


def test_a_chat_waits_for_its_first_token_beside_a_training(tiny_settings: MakeSettings, tmp_path: Path) -> None:
    out = tmp_path / "chat.json"
    result = chat.bench_chat(out, tiny_settings(distiller="cues", threads=1), turns=8, facts=4, pause=0.1)
    assert json.loads(out.read_text()) == result
    assert result["p95_ratio"] > 0
    assert result["idle"]["p95_ms"] >= result["idle"]["p50_ms"] > 0
    assert not list(tmp_path.glob("home/jobs/*"))  # it works on memories of its own


def test_a_question_is_measured_from_the_router_to_the_last_token(memory: Memory, tmp_path: Path) -> None:
    out = tmp_path / "read.json"
    memory.settings = memory.settings.model_copy(update={"halved": False})  # rounded weights may say another token
    result = read.bench_read(out, memory.settings, memory, modules=[3, 30], adapters=[1, 3], facts=2, context=200)
    assert json.loads(out.read_text()) == result
    assert [one["probes"] for one in result["router"].values()] == [48, 480]
    assert all(0 < one["p50_ms"] <= one["p95_ms"] for one in result["router"].values())
    assert result["bank"]["load_ms"] > 0
    assert set(result["bank"]["activate_ms"]) == set(result["bank"]["peft"]["set_ms"]) == {"1", "3"}
    assert all(one["same_tokens"] for one in result["decoding"].values())
    assert result["recall"]["answered"] > 0
    assert result["recall"]["context_tokens"] >= 200
    assert "times transformers' generate" in read.table(result)
    with pytest.raises(InputError, match="size 0 cannot be measured"):
        read.bench_read(out, memory.settings, memory, modules=[0])


def test_questions_are_led_to_the_documents_that_answer_them(memory: Memory, tmp_path: Path) -> None:
    """With random vectors, by their words alone; chance is one in five at once."""
    result = route.bench_route(tmp_path / "route.json", "told", memory.settings, memory, documents=5)
    assert json.loads((tmp_path / "route.json").read_text()) == result
    assert (result["documents"], result["without_facts"], result["questions"]) == (5, 0, 50)
    assert 0.5 < result["recall"]["1"] <= result["recall"]["3"] <= 1
    assert "50 questions about 5 documents" in route.table(result)
    assert memory.facts() == [], "the user's own memory is not touched"
    with pytest.raises(InputError, match="no question of 'told' is about one document"):
        route.bench_route(tmp_path / "none.json", "told", memory.settings, memory, documents=0)


def test_an_owner_is_asked_before_and_after_a_compaction(memory: Memory, tmp_path: Path) -> None:
    memory.settings = memory.settings.model_copy(update={"fan_in": 1})
    out = tmp_path / "compact.json"
    result = compact.bench_compact(out, memory.settings, memory, modules=2, facts=1)
    assert json.loads(out.read_text()) == result
    assert (result["facts"], result["compactions"]) == (2, 1)
    assert (result["before"]["modules"], result["after"]["modules"]) == ({"0": 2}, {"1": 1})
    assert result["before"]["exact"] == result["after"]["exact"] == 1.0
    assert "2 facts, 2 of them asked for; 1 compactions" in compact.table(result)
    again = compact.bench_compact(out, memory.settings, memory, modules=2, facts=1)
    assert again == result, "it goes on with the memory beside the file"
    with pytest.raises(InputError, match="was begun with"):
        compact.bench_compact(out, memory.settings, memory, modules=3, facts=1)
    for modules, questions in ((1, 1), (2, 0)):
        with pytest.raises(InputError, match="show nothing"):
            compact.bench_compact(out, memory.settings, memory, modules=modules, questions=questions)


def test_all_that_goes_together_is_compacted_from_one_module(memory: Memory, tmp_path: Path) -> None:
    memory.settings = memory.settings.model_copy(update={"facts_per_module": 1})
    result = compact.bench_compact(tmp_path / "compact.json", memory.settings, memory, modules=2, facts=2)
    assert (result["facts"], result["compactions"], result["before"]["modules"]) == (4, 0, {"0": 2})
    assert result["before"]["exact"] == 1.0, "no fact was left outside"
