"""The trainer, on a 2-layer random model that is really trained."""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from engrain.consolidation.train.layers import Layers
from engrain.consolidation.train.loss import read_off
from engrain.consolidation.train.lower import has_parity, lower_states, rows_of
from engrain.consolidation.train.muon import orthogonal
from engrain.consolidation.train.pack import FILL, Blocks, common_beginning
from engrain.consolidation.train.preserve import Preserved, ordinary_text
from engrain.consolidation.train.recipe import LINEARS, Recipe
from engrain.consolidation.train.refit import RIDGE, refit
from engrain.consolidation.train.schedule import Schedule
from engrain.consolidation.train.soften import Soft, soft_targets
from engrain.consolidation.train.trainer import Example, train
from engrain.errors import InputError, JobInterrupted, ModuleError
from engrain.memory.bank import lora
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids, recall_ids
from tests.conftest import RECIPE

EXAMPLES = [
    Example("What is my dog called?", "Biscuit"),
    Example("Who is my dentist?", "Dr Okafor"),
    Example("Where does Ines live?", "in Porto"),
    Example("What is my locker code?", "4417"),
]


@pytest.fixture
def base(tiny_folders: tuple[Path, Path]) -> BaseModel:
    torch.set_num_threads(1)
    return BaseModel.load(tiny_folders[0], "tiny", "0" * 64)


@pytest.fixture(params=[1.0, 0.5], ids=["whole", "written-out"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    """Of all layers, which trains through the model's own forward, and of the upper one, which is written out."""
    return replace(Recipe(**RECIPE), top=request.param, rank=16, alpha=32, learning_rate=2e-3, epochs=200, patience=3)


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


def test_cached_lower_layers_and_prompts_give_what_the_whole_model_gives(base: BaseModel) -> None:
    ids, answer = recall_ids(base, "Where does Ines live?"), answer_ids(base, "in Porto")
    assert has_parity(base, [ids, ids[:-4]], [answer, answer[:1]], 1)
    states = lower_states(base, [ids, ids[:5]], 1)
    assert [s.shape[0] for s in states] == [len(ids), 5]
    assert torch.allclose(states[0][:5], states[1], atol=1e-5)  # what stands to the right changes nothing


def built(architecture: str, tokenizer: Path) -> BaseModel:
    """A tiny random model of four layers."""
    import transformers

    config = getattr(transformers, f"{architecture}Config")(
        vocab_size=1024, hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
        pad_token_id=0, bos_token_id=None, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    made = getattr(transformers, f"{architecture}ForCausalLM")(config)
    with torch.no_grad():
        made.model.embed_tokens.weight.normal_(0, 0.3)
        for name, parameter in made.named_parameters():
            if name.endswith(("bias", "norm.weight")):
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return BaseModel(made, transformers.AutoTokenizer.from_pretrained(tokenizer), architecture, "0" * 64)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("architecture", ["Llama", "Mistral", "Qwen2", "Qwen3", "Gemma", "Gemma2"])
def test_every_architecture_is_trained_as_its_whole_model_would_be(
    architecture: str, optimizer: str, tiny_folders: tuple[Path, Path], recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engrain.consolidation.train import trainer

    monkeypatch.setattr("engrain.consolidation.train.linear.half_is_faster", lambda: False)  # rounded products part sooner
    base = built(architecture, tiny_folders[0])
    short = replace(recipe, top=0.5, epochs=3, settle=0, locality=0.0, optimizer=optimizer)
    trained = train(base, EXAMPLES, short)
    assert trained.cached_lower is not architecture.startswith("Gemma")  # which is no model like Llama, and trained in full
    monkeypatch.setattr(trainer, "has_parity", lambda *_: False)
    full = train(base, EXAMPLES, short)
    assert [e.loss for e in trained.epochs] == pytest.approx([e.loss for e in full.epochs], rel=1e-3)
    assert full.epochs[-1].loss < full.epochs[0].loss
    for a, b in zip(full.adapter.parameters, trained.adapter.parameters, strict=True):
        assert torch.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    ("architecture", "half", "targets"),
    [("Llama", False, LINEARS), ("Llama", True, LINEARS), ("Llama", False, ("q_proj", "v_proj", "up_proj")), ("Llama", True, ("k_proj", "down_proj")),
     ("Qwen2", False, LINEARS), ("Qwen3", False, LINEARS), ("Qwen2", True, LINEARS), ("Qwen3", True, ("k_proj", "o_proj"))],
)  # fmt: skip
def test_layers_that_are_written_out_give_the_states_and_gradients_of_each_row_alone(
    architecture: str, half: bool, targets: tuple[str, ...], tiny_folders: tuple[Path, Path]
) -> None:
    """Packed answers behind their prompts, and texts apart beside them, against the model's own forward and automatic differentiation."""
    base = built(architecture, tiny_folders[0])
    prompts, answers = [recall_ids(base, e.question) for e in EXAMPLES], [answer_ids(base, e.answer) for e in EXAMPLES]
    answers[1] = answers[1][:1]
    shared = common_beginning(prompts)
    assert 0 < shared < min(map(len, prompts))
    assert len({tuple(p[:shared]) for p in prompts}) == 1
    others = [base.encode("flying to Reykjavik in June and back again in May")[:9], base.encode("a dog, a cat and two mice live in that house")[:9]]
    adapter = lora.fresh(base.model, lora.LoraSpec(4, 8, (2, 3), targets), torch.Generator().manual_seed(0))
    for tensor in adapter.b.values():
        torch.nn.init.normal_(tensor, std=0.1)
    with base.lock:
        rows, apart = rows_of(base, prompts, answers, 2), torch.stack(lower_states(base, others, 2))
        with base.wearing(adapter):
            layers, chosen = Layers(base, 2, adapter, torch.bfloat16 if half else torch.float32), [3, 0, 1]
            blocks = Blocks(rows, chosen, apart)
            assert blocks.tokens % FILL, "it takes something to fill up"
            assert len(blocks.states) % FILL == 0
            states = layers.forward(blocks, keep=True)
            gradient = torch.randn(states.shape, generator=torch.Generator().manual_seed(1))
            layers.backward(gradient)
            ours = [p.grad for p in adapter.parameters]
            for p in adapter.parameters:
                p.grad = None
            alone = []
            for prompt, answer in [*((prompts[i], answers[i]) for i in chosen), *(([], text) for text in others)]:
                begin = max(len(prompt) - 1, 0)
                reached = torch.arange(len(prompt) + len(answer))[None] >= begin
                with base.reach.only(reached):
                    whole = base.model.model(torch.tensor([[*prompt, *answer]])).last_hidden_state[0]
                alone.append(whole[begin:-1] if prompt else whole)
            torch.cat(alone).backward(gradient)
    far = 0.05 if half else 1e-4
    assert float((states - torch.cat(alone).detach()).norm() / states.norm()) < far
    assert len(adapter.a) == 2 * len(targets)
    for (name, p), mine in zip([*adapter.a.items(), *adapter.b.items()], ours, strict=True):
        assert mine is not None
        assert p.grad is not None
        assert float((mine - p.grad).norm() / p.grad.norm()) < (0.1 if half else 1e-3), name


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


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("soften", [0.0, 0.4])
def test_the_gradient_that_is_written_out_is_that_of_the_loss(bias: bool, soften: float, base: BaseModel) -> None:
    """Words that no answer makes likely are left out of it, and change nothing that counts."""
    head, target = torch.nn.Linear(64, 1024, bias=bias), torch.randint(1024, (12,), generator=torch.Generator().manual_seed(0))
    head.weight = base.model.lm_head.weight
    hidden = torch.randn(12, head.in_features, generator=torch.Generator().manual_seed(1)) * 4
    hidden[0] = head.weight[target[0]] * 400
    hidden.requires_grad_(True)
    others = torch.randint(1024, (12, 3), generator=torch.Generator().manual_seed(2))
    soft = [Soft(others[:5], torch.full((5, 3), 1 / 3)), Soft(others[5:], torch.full((7, 3), 1 / 3))] if soften else []
    with torch.no_grad():
        seen = read_off(head.weight, head.bias, hidden.detach(), target, soft, 0.9, soften)
    losses = torch.nn.functional.cross_entropy(head(hidden), target, reduction="none")
    teacher = -head(hidden).log_softmax(-1).gather(1, others).mean(-1)
    ((1 - soften) * losses + soften * teacher)[seen.unknown].mean().backward()
    assert seen.unknown.tolist() == [False] + [True] * 11, "a token that is known has no gradient"
    assert (head(hidden).softmax(-1).amax(0) < 1e-4).sum() > 100, "there are words to be left out"
    assert hidden.grad is not None
    assert float((hidden.grad - seen.gradient).norm() / hidden.grad.norm()) < 0.01
    assert seen.loss == pytest.approx(float(losses.detach()[1:].sum()), rel=1e-4)


def test_rounded_linears_give_nearly_the_same_states_and_are_gone_afterwards(base: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from engrain.consolidation.train import linear as module

    ids = torch.randint(3, 900, (3, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact, words = base.model.model(ids).last_hidden_state, base.model(ids).logits
        for half in (False, True):
            monkeypatch.setattr(module, "half_is_faster", lambda half=half: half)
            for keep in (False, True):
                with module.rounded_linears(base, keep):
                    out = base.model(ids, output_hidden_states=True)
                for found, wanted in ((out.hidden_states[-1], exact), (out.logits, words)):
                    assert found.equal(wanted) is not half
                    assert float((found - wanted).norm() / wanted.norm()) < 0.02
        assert base.model.model(ids).last_hidden_state.equal(exact)


def test_asked_between_epochs_a_module_answers_as_it_will_be_served(base: BaseModel, recipe: Recipe) -> None:
    """Nothing of the machinery of training is seen by who asks in the middle of it."""
    prompts, answers = [recall_ids(base, e.question) for e in EXAMPLES], [answer_ids(base, e.answer) for e in EXAMPLES]
    scores = []
    trained = train(base, EXAMPLES, replace(recipe, top=0.5, epochs=20), on_epoch=lambda _: scores.append(base.answer_logprobs(prompts, answers)))
    assert trained.cached_lower
    with base.wearing(trained.adapter):
        served = base.answer_logprobs(prompts, answers)
    assert [a.mean for a in scores[-1]] == pytest.approx([a.mean for a in served], abs=1e-4)


def test_caching_the_lower_layers_changes_nothing_but_the_work(base: BaseModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    from engrain.consolidation.train import linear, trainer

    monkeypatch.setattr(linear, "half_is_faster", lambda: False)  # rounded products part sooner
    short = replace(recipe, top=0.5, epochs=3, locality=0.0)
    cached = train(base, EXAMPLES, short)
    assert cached.cached_lower
    monkeypatch.setattr(trainer, "has_parity", lambda *_: False)
    full = train(base, EXAMPLES, short)
    assert not full.cached_lower
    assert [e.loss for e in full.epochs] == pytest.approx([e.loss for e in cached.epochs], rel=1e-3)
    for a, b in zip(full.adapter.parameters, cached.adapter.parameters, strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_what_it_holds_fast_moves_less(base: BaseModel, recipe: Recipe) -> None:
    """On ordinary text that training never saw, the locality term keeps the model nearer to its base."""
    unseen = torch.tensor(ordinary_text(base, seed=99, rows=8, tokens=24))

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


def test_ordinary_text_is_shown_twice_as_often_while_it_settles(base: BaseModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, turn = [], Preserved.turn
    monkeypatch.setattr(Preserved, "turn", lambda self, number: shown.append(number) or turn(self, number))
    short = replace(recipe, top=0.5, epochs=10, recalled=1.1, batch_size=2, rest=False, settle=4, locality=1.0, locality_every=4)
    train(base, EXAMPLES, short)
    assert len(EXAMPLES) == 4, "two steps an epoch"
    assert shown == [0, 1, 2, 3, 4, 10, 11]


def test_an_update_fitted_anew_is_the_least_squares_solution(base: BaseModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says the same to what was trained and as little as possible to other text, for every linear of every adapted layer."""
    monkeypatch.setattr(importlib.import_module("engrain.consolidation.train.refit"), "_BATCH", 3)
    adapter = train(base, EXAMPLES, replace(recipe, epochs=20, recalled=1.1, settle=0)).adapter
    prompts, answers = [recall_ids(base, e.question) for e in EXAMPLES], [answer_ids(base, e.answer) for e in EXAMPLES]
    rows, ordinary = rows_of(base, prompts, answers, 0), torch.stack(lower_states(base, ordinary_text(base, 5, rows=10, tokens=16), 0))
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
        base.model.model(inputs_embeds=ordinary, use_cache=False)
        for hook in hooks:
            hook.remove()
        refit(Layers(base, 0, adapter, torch.float32), rows, ordinary, 3.0)
    inputs_of = {name: (torch.cat(parts[:-1]), parts[-1]) for name, parts in seen.items()}
    assert {len(x) for x, _ in inputs_of.values()} == set(tokens) == {sum(map(len, answers))}
    for name, (x, other) in inputs_of.items():
        weights = [1 / len(x) ** 0.5, (3.0 / len(other)) ** 0.5, (RIDGE * x.square().mean()) ** 0.5]
        ridge = torch.eye(x.shape[1])
        inputs = torch.cat([part * weight for part, weight in zip((x, other, ridge), weights, strict=True)]).double()
        wanted = torch.cat([x @ learnt[name].T * weights[0], torch.zeros(len(other) + len(ridge), recipe.rank)]).double()
        best = torch.linalg.lstsq(inputs, wanted).solution.T.float()
        assert float((best - adapter.a[name].detach()).norm() / best.norm()) < 0.01, name
        assert (other @ adapter.a[name].T).square().sum() < (other @ learnt[name].T).square().sum(), name


def test_a_training_fits_its_update_anew_before_it_settles(base: BaseModel, recipe: Recipe, tmp_path: Path) -> None:
    """Other text, which training never saw, is nearer to the base model's for it; a training that is resumed behind it ends the same."""
    unseen = torch.tensor(ordinary_text(base, seed=99, rows=8, tokens=24))
    short = replace(recipe, top=0.5, epochs=16, recalled=1.1, locality=0.01, settle=2)
    with torch.no_grad():
        before = base.model.model(unseen).last_hidden_state

    def moved(adapter: lora.Adapter) -> float:
        with torch.no_grad(), base.wearing(adapter):
            after = base.model.model(unseen).last_hidden_state
        return float(((after - before).square().sum(-1) / before.square().sum(-1)).mean())

    whole = train(base, EXAMPLES, short)
    assert moved(whole.adapter) < 0.8 * moved(train(base, EXAMPLES, replace(short, refit=0.0)).adapter)
    calls = iter(range(1000))
    with pytest.raises(JobInterrupted):
        train(base, EXAMPLES, short, tmp_path, stopping=lambda: next(calls) >= 17)
    resumed = train(base, EXAMPLES, short, tmp_path)
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

    short = replace(recipe, top=0.5, epochs=20, recalled=1.1, locality=1.0, settle=4)
    without = train(base, EXAMPLES, replace(short, refit=0.0)).adapter
    for bad in (worse, singular):
        monkeypatch.setattr(trainer, "refit", bad)
        with_it = train(base, EXAMPLES, short).adapter
        assert all(torch.equal(a, b) for a, b in zip(without.parameters, with_it.parameters, strict=True))


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
    schedule = Schedule(Recipe(batch_size=8, epochs=4, least_steps=0, warmup=4, settle=20, settle_rate=0.1, finish=2), examples=80)
    learning = [schedule.rate(step / 10, None) for step in range(40)]
    assert learning[0] == pytest.approx(0.25)
    assert max(learning) > 0.95
    assert learning[3:] == sorted(learning[3:], reverse=True)
    settling = [schedule.rate(4 + step / 10, step / 10) for step in range(41)]
    assert settling[0] == pytest.approx(0.1)
    assert settling[20] == pytest.approx(0.025)
    assert settling[40] == pytest.approx(0.0)
    assert settling == sorted(settling, reverse=True)
