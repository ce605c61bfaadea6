"""What training does to other text, and what keeps that small."""

from __future__ import annotations

import importlib
import math
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engrain.consolidation.train import ordinary
from engrain.consolidation.train.layers import Layers
from engrain.consolidation.train.lower import rows_of
from engrain.consolidation.train.ordinary import is_written, ordinary_text, written
from engrain.consolidation.train.preserve import Preserved
from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.refit import refit
from engrain.consolidation.train.trainer import train
from engrain.errors import JobInterrupted
from engrain.memory.bank import lora
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids, recall_ids
from tests.unit.conftest import EXAMPLES


def test_what_it_holds_fast_moves_less(base: BaseModel, recipe: Recipe) -> None:
    """On ordinary text that training never saw, the locality term keeps the model nearer to its base."""
    unseen = torch.tensor(written(base, seed=99, rows=8, tokens=24))

    def moved(locality: float, settle: int = 0) -> float:
        trained = train(base, EXAMPLES, replace(recipe, top=0.5, epochs=60, recalled=1.1, locality=locality, settle=settle))
        with torch.no_grad():
            before = base.model.model(unseen).last_hidden_state
            with base.wearing(trained.adapter):
                after = base.model.model(unseen).last_hidden_state
        return float(((after - before).square().sum(-1) / before.square().sum(-1)).mean())

    held = moved(16.0)
    assert held < 0.7 * moved(0.0)
    assert moved(16.0, settle=30) < held


def test_ordinary_text_is_made_once_for_a_base_model(
    base: BaseModel, tiny_folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordinary, "_TEXTS", 5)

    def opened(sha256: str) -> BaseModel:
        return BaseModel.load(tiny_folders[0], "tiny", sha256, cache=tmp_path)

    assert not is_written(opened("a" * 64), 1)
    told: list[float] = []
    made = ordinary_text(opened("a" * 64), 1, told.append)
    assert told == sorted(told)
    assert (len(told) > 40, told[-1]) == (True, 1.0)
    assert made.states.shape[:2] == (5, 49), "a line break, and what the model wrote"
    assert is_written(opened("a" * 64), 1)
    assert not is_written(opened("b" * 64), 1)
    monkeypatch.setattr(ordinary, "written", lambda *_: pytest.fail("it was there"))
    again = ordinary_text(opened("a" * 64), 1)
    assert torch.equal(again.states, made.states)
    with torch.no_grad():
        given = base.layers[1].input_layernorm(made.states).flatten(0, 1)
        left = base.model.model(torch.tensor(made.texts)).last_hidden_state
    assert torch.allclose(again.targets, left, atol=0.02 * float(left.abs().max())), "what the layers make of it"
    wanted = given.T @ given / len(given)
    assert float((again.moments(0)[0] - wanted).norm() / wanted.norm()) < 0.01
    assert not list(tmp_path.rglob("*.part"))


def test_ordinary_text_is_the_same_by_the_models_own_forward_and_written_out(
    tiny_folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = BaseModel.load(tiny_folders[0], "tiny", "a" * 64)
    with torch.no_grad():
        base.model.lm_head.weight.mul_(0.2)  # less sure of itself
    lean = written(base, seed=3, rows=5, tokens=9, batch=3)
    monkeypatch.setattr(ordinary, "training_dtype", lambda: torch.bfloat16)  # where linears are rounded the model itself steps
    assert written(base, seed=3, rows=5, tokens=9, batch=3) == lean
    assert len({tuple(text) for text in lean}) == 5


def test_where_the_cache_cannot_be_written_ordinary_text_is_made_all_the_same(
    tiny_folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordinary, "_TEXTS", 2)
    (tmp_path / "cache").write_text("a file is in its place")
    made = ordinary_text(BaseModel.load(tiny_folders[0], "tiny", "a" * 64, cache=tmp_path / "cache"), 1)
    assert len(made.texts) == 2
    assert made.moments(0)[0].shape == (64, 64)


def test_where_the_disk_is_full_ordinary_text_is_made_all_the_same_and_nothing_half_written_stays(
    tiny_folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordinary, "_TEXTS", 2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # a file that grows beyond it cannot be written, as on a full disk
    try:
        made = ordinary_text(BaseModel.load(tiny_folders[0], "tiny", "a" * 64, cache=tmp_path), 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(made.texts) == 2
    assert made.moments(0)[0].shape == (64, 64)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and file.stat().st_size]


def test_ordinary_text_is_shown_twice_as_often_while_it_settles(base: BaseModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, turn = [], Preserved.turn
    monkeypatch.setattr(Preserved, "turn", lambda self, number: shown.append(number) or turn(self, number))
    short = replace(recipe, top=0.5, epochs=10, recalled=1.1, batch_size=2, rest=False, settle=4, rounds=1, locality=1.0, locality_every=4)
    train(base, EXAMPLES, short)
    assert len(EXAMPLES) == 4, "two steps an epoch"
    assert shown == [0, 1, 2, 3, 4, 10, 11]


def test_an_update_fitted_anew_is_the_least_squares_solution(base: BaseModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says the same to what was trained and as little as possible to other text, for every linear of every adapted layer."""
    ridge = 0.5  # so few inputs leave much open, where rounding shows
    monkeypatch.setattr(importlib.import_module("engrain.consolidation.train.refit"), "_BATCH", 3)
    monkeypatch.setattr(importlib.import_module("engrain.consolidation.train.refit"), "RIDGE", ridge)
    monkeypatch.setattr(ordinary, "training_dtype", lambda: torch.float32)
    adapter = train(base, EXAMPLES, replace(recipe, epochs=20, recalled=1.1, settle=0)).adapter
    prompts, answers = [recall_ids(base, e.question) for e in EXAMPLES], [answer_ids(base, e.answer) for e in EXAMPLES]
    rows, texts = rows_of(base, prompts, answers, 0), ordinary_text(base, 0)
    learnt = {name: a.detach().clone() for name, a in adapter.a.items()}
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in learnt}
    with base.lock, base.wearing(adapter), torch.no_grad():
        hooks = [base.linears[n].register_forward_pre_hook(lambda _, given, n=n: seen[n].append(given[0].flatten(0, -2))) for n in learnt]
        for prompt, answer in zip(prompts, answers, strict=True):
            before = {name: len(parts) for name, parts in seen.items()}
            with base.reach.only(torch.arange(len(prompt) + len(answer))[None] >= len(prompt) - 1):
                base.model.model(torch.tensor([[*prompt, *answer]]))
            for name, at in before.items():
                seen[name][at] = seen[name][at][len(prompt) - 1 : -1]
        tokens = [sum(map(len, parts)) for parts in seen.values()]
        with base.bare():
            base.model.model(torch.tensor(texts.texts), use_cache=False)
        for hook in hooks:
            hook.remove()
        refit(Layers(base, 0, adapter, torch.float32), rows, texts, 3.0)
    inputs_of = {name: (torch.cat(parts[:-1]), parts[-1]) for name, parts in seen.items()}
    assert {len(x) for x, _ in inputs_of.values()} == set(tokens) == {sum(map(len, answers))}
    for name, (x, other) in inputs_of.items():
        weights = [1 / len(x) ** 0.5, (3.0 / len(other)) ** 0.5, (ridge * x.square().mean()) ** 0.5]
        unit = torch.eye(x.shape[1])
        inputs = torch.cat([part * weight for part, weight in zip((x, other, unit), weights, strict=True)]).double()
        wanted = torch.cat([x @ learnt[name].T * weights[0], torch.zeros(len(other) + len(unit), recipe.rank)]).double()
        best = torch.linalg.lstsq(inputs, wanted).solution.T.float()
        assert float((best - adapter.a[name].detach()).norm() / best.norm()) < 0.01, name
        assert (other @ adapter.a[name].T).square().sum() < (other @ learnt[name].T).square().sum(), name


def test_a_training_fits_its_update_anew_before_it_settles(base: BaseModel, recipe: Recipe, tmp_path: Path) -> None:
    """Other text, which training never saw, is nearer to the base model's for it; a training that is resumed behind it ends the same."""
    unseen = torch.tensor(written(base, seed=99, rows=8, tokens=24))
    short = replace(recipe, top=0.5, epochs=16, recalled=1.1, locality=0.01, settle=2)
    with torch.no_grad():
        before = base.model.model(unseen).last_hidden_state

    def moved(adapter: lora.Adapter) -> float:
        with torch.no_grad(), base.wearing(adapter):
            after = base.model.model(unseen).last_hidden_state
        return float(((after - before).square().sum(-1) / before.square().sum(-1)).mean())

    whole = train(base, EXAMPLES, short)
    assert moved(whole.adapter) < 0.8 * moved(train(base, EXAMPLES, replace(short, refit=0.0)).adapter)
    for behind in (17, 19):  # each of the times it is fitted
        calls, folder = iter(range(1000)), tmp_path / str(behind)
        with pytest.raises(JobInterrupted):
            train(base, EXAMPLES, short, folder, stopping=lambda calls=calls, behind=behind: next(calls) >= behind)  # type: ignore[misc]
        resumed = train(base, EXAMPLES, short, folder)
        assert all(torch.equal(a, b) for a, b in zip(whole.adapter.parameters, resumed.adapter.parameters, strict=True))


def test_it_settles_again_only_where_ordinary_text_is_not_left_alone_enough(
    base: BaseModel, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engrain.consolidation.train import trainer

    weights = list[float]()
    monkeypatch.setattr(trainer, "refit", lambda *given: weights.append(given[-1]) or refit(*given))
    short = replace(recipe, top=0.5, epochs=6, recalled=1.1, locality=1.0, settle=4, rounds=3, known=1.0, sure=1.0, finish=2, refit=8.0)
    calm = replace(short, calm=math.inf)
    assert len(train(base, EXAMPLES, replace(short, calm=0.0)).epochs) == 6 + 3 * 4 + 2
    whole = train(base, EXAMPLES, calm)
    assert len(whole.epochs) == 6 + 4 + 2
    assert weights == [8.0, 16.0, 32.0, 8.0]
    calls = iter(range(1000))
    with pytest.raises(JobInterrupted):
        train(base, EXAMPLES, calm, tmp_path, stopping=lambda: next(calls) >= 11)
    resumed = train(base, EXAMPLES, calm, tmp_path)
    assert len(resumed.epochs) == len(whole.epochs)
    assert all(torch.equal(a, b) for a, b in zip(whole.adapter.parameters, resumed.adapter.parameters, strict=True))


def test_where_fitting_anew_would_move_other_text_further_it_is_left(base: BaseModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    from engrain.consolidation.train import trainer

    def worse(layers: Layers, *_: object) -> None:
        for projection in layers.layers[0].projections:
            assert projection.factors is not None
            for a in projection.factors.a:
                a.data.mul_(50.0)

    def singular(layers: Layers, *_: object) -> None:
        worse(layers)
        raise torch.linalg.LinAlgError

    short = replace(recipe, top=0.5, epochs=20, recalled=1.1, locality=1.0, settle=4, rounds=1)
    without = train(base, EXAMPLES, replace(short, refit=0.0)).adapter
    for bad in (worse, singular):
        monkeypatch.setattr(trainer, "refit", bad)
        with_it = train(base, EXAMPLES, short).adapter
        assert all(torch.equal(a, b) for a, b in zip(without.parameters, with_it.parameters, strict=True))
