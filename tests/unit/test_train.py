"""The trainer, on a 2-layer random model that is really trained."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from engrain.consolidation.train.muon import orthogonal
from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.schedule import Schedule
from engrain.consolidation.train.soften import soft_targets
from engrain.consolidation.train.trainer import Example, train
from engrain.errors import InputError, JobInterrupted, ModuleError
from engrain.memory.bank import lora
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids, recall_ids
from tests.unit.conftest import EXAMPLES


def answered(base: BaseModel, adapter: lora.Adapter | None) -> list[bool]:
    prompts = [recall_ids(base, e.question) for e in EXAMPLES]
    answers = [answer_ids(base, e.answer) for e in EXAMPLES]
    if adapter is None:
        return [a.exact for a in base.answer_logprobs(prompts, answers)]
    with base.wearing(adapter):
        return [a.exact for a in base.answer_logprobs(prompts, answers)]


def test_a_module_learns_what_it_is_taught_and_stops_there(base: BaseModel, recipe: Recipe) -> None:
    assert not any(answered(base, None))
    trained = train(base, EXAMPLES, recipe)
    assert all(answered(base, trained.adapter))
    assert len(trained.epochs) < recipe.epochs
    assert not any(answered(base, None))  # the base itself is as it was


def test_what_is_known_rests_for_an_epoch(base: BaseModel, recipe: Recipe) -> None:
    many = [*EXAMPLES, *(Example(f"What is my number {i}?", "4417") for i in range(4))]
    trained = train(base, many, replace(recipe, known=0.5, recalled=1.1, epochs=60, settle=0))
    shown = [e.shown for e in trained.epochs]
    assert shown[0] == len(many)
    assert min(shown) < len(many)
    assert all(a + b >= len(many) for a, b in pairwise(shown))  # none rests twice in a row


def test_what_is_not_known_when_everything_has_settled_is_shown_until_it_is(base: BaseModel, recipe: Recipe) -> None:
    short = replace(recipe, known=0.5, sure=0.8, recalled=1.1, epochs=100, settle=2, settle_rate=1.0)

    def missed(finish: int, sure: float = 0.8) -> tuple[list[int], int]:
        """(examples shown in each epoch of settling, those not known after it)"""
        trained = train(base, EXAMPLES, replace(short, sure=sure, finish=finish))
        prompts, answers = zip(*((recall_ids(base, e.question), answer_ids(base, e.answer)) for e in EXAMPLES), strict=True)
        with base.wearing(trained.adapter):
            found = base.answer_logprobs(prompts, answers)
        return [e.shown for e in trained.epochs[100:]], sum(min(a.logprobs) < math.log(sure) for a in found)

    shown, unknown = missed(0)
    assert shown == [len(EXAMPLES)] * 2, "none rests while it settles"
    assert unknown > 0
    assert missed(1)[0] == [*shown, unknown], "then those are shown that are not known"
    shown, unknown = missed(30)
    assert unknown == 0, "until all are"
    assert len(shown) < 32
    assert min(shown) == 1
    known = train(base, EXAMPLES, replace(short, epochs=3, known=1e-30, sure=1e-30, finish=3))
    assert [e.shown for e in known.epochs[3:]] == [len(EXAMPLES)] * 2, "and nothing where nothing is left"
    assert missed(3, sure=0.9999999)[0] == [len(EXAMPLES)] * 5


def test_settling_begins_at_a_rate_of_its_own(base: BaseModel, recipe: Recipe) -> None:
    short = replace(recipe, epochs=5, recalled=1.1)
    learnt, still, moved = (
        train(base, EXAMPLES, replace(short, settle=settle, settle_rate=rate)).adapter for settle, rate in ((0, 0.1), (4, 0.0), (4, 0.1))
    )
    assert all(torch.equal(a, b) for a, b in zip(learnt.parameters, still.parameters, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(learnt.parameters, moved.parameters, strict=True))


def test_without_rest_every_example_is_shown_in_every_epoch(base: BaseModel, recipe: Recipe) -> None:
    steady = replace(recipe, recalled=1.1, settle=0)
    assert {e.shown for e in train(base, EXAMPLES, steady).epochs} > {len(EXAMPLES)}  # some rest
    assert [e.shown for e in train(base, EXAMPLES, replace(steady, rest=False)).epochs] == [len(EXAMPLES)] * recipe.epochs


def test_few_examples_are_shown_in_more_epochs(base: BaseModel, recipe: Recipe) -> None:
    steady = replace(recipe, epochs=3, recalled=1.1, settle=0, batch_size=2)
    assert len(train(base, EXAMPLES, steady).epochs) == 3
    assert len(train(base, EXAMPLES, replace(steady, least_steps=20)).epochs) == 10


def test_the_steps_of_muon_raise_what_is_small_beside_the_rest_whatever_its_size() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = torch.linalg.qr(torch.randn(8, 8, generator=generator))[0], torch.linalg.qr(torch.randn(40, 8, generator=generator))[0]
    values = torch.tensor([1.0, 0.8, 0.5, 0.3, 0.2, 0.1, 0.05, 0.01])
    gradients = torch.stack([size * left @ torch.diag(values) @ right.T for size in (1e-6, 1.0, 1e6)])
    made = torch.linalg.svdvals(orthogonal(gradients))
    assert torch.allclose(made[0], made[1], atol=1e-3)
    assert torch.allclose(made[1], made[2], atol=1e-3)
    assert made.max() < 1.3
    assert (made > 0.5).sum() >= 3 * 5  # those from a tenth of the largest on
    assert 0.05 < made.min() < 0.3  # hardly more than noise, and not made as large as the rest
    assert torch.isfinite(orthogonal(torch.zeros(1, 4, 9))).all()


def test_an_optimizer_there_is_none_of_is_refused() -> None:
    with pytest.raises(InputError, match="optimizer 'sgd' is unknown; choose of muon, adamw"):
        Recipe(optimizer="sgd")


def test_a_module_learns_with_either_optimizer(base: BaseModel, recipe: Recipe) -> None:
    assert all(answered(base, train(base, EXAMPLES, replace(recipe, optimizer="adamw", learning_rate=3e-3)).adapter))


def test_what_the_base_would_say_with_the_fact_in_view_can_be_the_target(base: BaseModel, recipe: Recipe) -> None:
    facts = [replace(e, context=f"{e.question} {e.answer}.") for e in EXAMPLES]
    soft = soft_targets(base, [e.question for e in facts], [e.answer for e in facts], [*(e.context for e in facts[:-1]), ""])
    assert [len(s.shares) for s in soft] == [len(answer_ids(base, e.answer)) for e in facts]
    assert all(torch.allclose(s.shares.sum(-1), torch.ones(len(s.shares))) for s in soft)
    assert soft[-1].tokens[:, 0].tolist() == answer_ids(base, facts[-1].answer)  # without a fact the answer itself
    assert soft[-1].shares[:, 0].tolist() == [1.0] * len(soft[-1].shares)

    def follows(adapter: lora.Adapter) -> float:
        """Share of the teacher's likeliest tokens that the module would say, along the answers."""
        hits = []
        with base.wearing(adapter), torch.no_grad():
            for e, s in zip(facts[:-1], soft[:-1], strict=True):
                prompt, said = recall_ids(base, e.question), answer_ids(base, e.answer)
                begins = torch.arange(len(prompt) + len(said) - 1)[None] >= len(prompt) - 1
                with base.reach.only(begins):
                    logits = base.model(torch.tensor([[*prompt, *said[:-1]]])).logits[0, len(prompt) - 1 :]
                hits += (logits.argmax(-1) == s.tokens[:, 0]).tolist()
        return sum(hits) / len(hits)

    steady = replace(recipe, epochs=200, known=1.0, recalled=1.1, rest=False, settle=0)
    assert follows(train(base, facts, replace(steady, soften=1.0)).adapter) > 0.8
    mixed = train(base, facts, replace(steady, soften=0.3))
    assert all(answered(base, mixed.adapter))  # the answer has the larger share
    assert follows(train(base, facts, steady).adapter) < 0.5


def test_greedy_decoding_gives_the_trained_answer_and_ends(base: BaseModel, recipe: Recipe) -> None:
    trained = train(base, EXAMPLES, replace(recipe, known=0.99, recalled=1.0, patience=3))
    with base.wearing(trained.adapter):
        said = list(base.stream(recall_ids(base, EXAMPLES[0].question), 30))
    assert "".join(t.text for t in said) == "Biscuit"
    assert said[-1].id in base.end_ids


def test_the_same_seed_gives_the_same_adapter(base: BaseModel, recipe: Recipe) -> None:
    short = replace(recipe, top=0.5, epochs=3, locality=1.0)
    one, two, other = (train(base, EXAMPLES, replace(short, seed=s)).adapter for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters, two.parameters, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters, other.parameters, strict=True))


def test_an_interrupted_training_resumes_to_the_same_result(base: BaseModel, recipe: Recipe, tmp_path: Path) -> None:
    short = replace(recipe, epochs=40, recalled=1.1, batch_size=2, settle=6)
    whole = train(base, EXAMPLES, short)
    assert len({round(e.loss, 6) for e in whole.epochs}) > 30
    for step in (5, 60):  # while it learns; when known examples rest
        folder = tmp_path / str(step)
        calls = iter(range(1000))
        with pytest.raises(JobInterrupted):
            train(base, EXAMPLES, short, folder, stopping=lambda calls=calls, step=step: next(calls) >= step)
        resumed = train(base, EXAMPLES, short, folder)
        assert [e.loss for e in resumed.epochs] == [e.loss for e in whole.epochs]
        assert all(torch.equal(a, b) for a, b in zip(whole.adapter.parameters, resumed.adapter.parameters, strict=True))


def test_a_module_changes_the_answer_and_not_how_the_question_is_read(base: BaseModel, recipe: Recipe) -> None:
    """What the layers make of a prompt is the base model's own: generation and scores do not see a module that is on for it."""
    trained = train(base, EXAMPLES, replace(recipe, epochs=20))
    prompt, answer = recall_ids(base, EXAMPLES[0].question), answer_ids(base, EXAMPLES[0].answer)
    whole = torch.tensor([[*prompt, *answer]])
    with torch.no_grad():
        seen = base.model(torch.tensor([prompt[:-1]]), use_cache=True).past_key_values
        with base.wearing(trained.adapter):
            logits = base.model(torch.tensor([[prompt[-1], *answer[:-1]]]), past_key_values=seen).logits[0]
            (scored,) = base.answer_logprobs([prompt], [answer])
            everywhere = base.model(whole).logits[0, len(prompt) - 1 : -1]
    expected = torch.log_softmax(logits, -1).gather(1, torch.tensor(answer)[:, None])[:, 0]
    assert torch.allclose(torch.tensor(scored.logprobs), expected, atol=1e-4)
    assert not torch.allclose(logits, everywhere, atol=1e-2)


def test_asked_between_epochs_a_module_answers_as_it_will_be_served(base: BaseModel, recipe: Recipe) -> None:
    """Nothing of the machinery of training is seen by who asks in the middle of it."""
    prompts, answers = [recall_ids(base, e.question) for e in EXAMPLES], [answer_ids(base, e.answer) for e in EXAMPLES]
    scores = []
    trained = train(base, EXAMPLES, replace(recipe, top=0.5, epochs=20), on_epoch=lambda _: scores.append(base.answer_logprobs(prompts, answers)))
    assert trained.cached_lower
    with base.wearing(trained.adapter):
        served = base.answer_logprobs(prompts, answers)
    assert [a.mean for a in scores[-1]] == pytest.approx([a.mean for a in served], abs=1e-4)


def test_plain_peft_gives_the_same_logits(base: BaseModel, recipe: Recipe, tmp_path: Path, tiny_folders: tuple[Path, Path]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    trained = train(base, EXAMPLES, replace(recipe, epochs=5))
    lora.save(trained.adapter, tmp_path, "tiny")
    ours = lora.load(tmp_path, base.model, trained.adapter.spec)
    ids = torch.tensor([recall_ids(base, "Where does Ines live?")])
    with base.wearing(ours), torch.no_grad():
        mine = base.model(ids).logits
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_folders[0], dtype=torch.float32), tmp_path)
    with torch.no_grad():
        theirs = plain(ids).logits
    assert (mine - theirs).abs().max() < 1e-4
    assert (mine - base.model(ids).logits).abs().max() > 1e-3


def test_an_adapter_for_another_base_is_refused(base: BaseModel, recipe: Recipe, tmp_path: Path) -> None:
    trained = train(base, EXAMPLES, replace(recipe, epochs=1))
    lora.save(trained.adapter, tmp_path, "tiny")
    with pytest.raises(ModuleError, match="needs"):
        lora.load(tmp_path, base.model, replace(trained.adapter.spec, rank=4))
    with pytest.raises(ModuleError, match="unknown tensors"):
        lora.load(tmp_path, base.model, replace(trained.adapter.spec, targets=("q_proj",)))
    with pytest.raises(ModuleError, match="no linear"):
        lora.load(tmp_path, base.model, replace(trained.adapter.spec, targets=("w1",)))


def test_nothing_to_train_on_is_refused(base: BaseModel, recipe: Recipe) -> None:
    with pytest.raises(InputError, match="nothing to train"):
        train(base, [], recipe)


def test_many_prompts_are_completed_as_one_would_be(base: BaseModel) -> None:
    prompts = ["my dog", "my sister Ines lives", "x"]
    together = base.complete("tell me about ", prompts, 6)
    alone = [base.complete("tell me about ", [p], 6)[0] for p in prompts]
    assert together == alone


def test_the_learning_rate_warms_up_falls_and_settles_to_nothing() -> None:
    recipe = Recipe(batch_size=8, epochs=4, least_steps=0, warmup=4, settle=20, settle_rate=0.1, finish=2, rounds=1)
    schedule = Schedule(recipe, examples=80)
    learning = [schedule.rate(step / 10, None) for step in range(40)]
    assert learning[0] == pytest.approx(0.25)
    assert max(learning) > 0.95
    assert learning[3:] == sorted(learning[3:], reverse=True)
    settling = [schedule.rate(4 + step / 10, step / 10) for step in range(41)]
    assert settling[0] == pytest.approx(0.1)
    assert settling[20] == pytest.approx(0.025)
    assert settling[40] == pytest.approx(0.0)
    assert settling == sorted(settling, reverse=True)


def test_it_settles_in_rounds_each_from_the_update_fitted_anew_with_twice_the_weight() -> None:
    recipe = Recipe(batch_size=8, settle=20, settle_rate=0.1, finish=2, refit=8.0, rounds=2)
    schedule = Schedule(recipe, examples=80)
    assert [schedule.refit(epoch) for epoch in (None, *range(6))] == [0.0, 8.0, 0.0, 16.0, 0.0, 0.0, 0.0]
    assert [schedule.rate(9.0, epoch) for epoch in (0.0, 1.5, 2.0, 3.5, 4.0, 6.0)] == pytest.approx([0.1, 0.04375, 0.1, 0.04375, 0.025, 0.0])
    assert [schedule.goes_on(epoch, all_known=True) for epoch in range(5)] == [True, True, True, True, False]
    assert [schedule.settles_again(epoch) for epoch in range(5)] == [False, False, True, False, False]
    unfitted = Schedule(replace(recipe, refit=0.0), examples=80)
    assert [unfitted.refit(epoch) for epoch in range(4)] == [0.0] * 4
    assert [unfitted.goes_on(epoch, all_known=True) for epoch in range(3)] == [True, True, False], "where nothing is fitted it settles once"


def test_a_checkpoint_of_another_recipe_is_begun_anew(base: BaseModel, recipe: Recipe, tmp_path: Path) -> None:
    """Settings may change while a job lies there, or the version."""
    calls, smaller = iter(range(1000)), replace(recipe, rank=4)
    with pytest.raises(JobInterrupted):
        train(base, EXAMPLES, recipe, tmp_path, stopping=lambda: next(calls) >= 3)
    changed, anew = train(base, EXAMPLES, smaller, tmp_path), train(base, EXAMPLES, smaller)
    assert [e.number for e in changed.epochs] == [e.number for e in anew.epochs]
    assert all(torch.equal(a, b) for a, b in zip(changed.adapter.parameters, anew.adapter.parameters, strict=True))
