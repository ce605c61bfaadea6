"""What runs once, and the layers that are written out for training, against the models' own forward and automatic differentiation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engrain.consolidation.train.layers import Layers
from engrain.consolidation.train.loss import read_off
from engrain.consolidation.train.lower import has_parity, lower_states, rows_of
from engrain.consolidation.train.pack import FILL, Blocks, common_beginning
from engrain.consolidation.train.recipe import LINEARS, Recipe
from engrain.consolidation.train.soften import Soft
from engrain.consolidation.train.trainer import train
from engrain.memory.bank import lora
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import answer_ids, recall_ids
from tests.unit.conftest import EXAMPLES


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
    from engrain.consolidation.train import linear, trainer

    for module in (linear, trainer):
        monkeypatch.setattr(module, "training_dtype", lambda: torch.float32)  # rounded products part sooner
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
    ("architecture", "dtype", "targets"),
    [("Llama", torch.float32, LINEARS), ("Llama", torch.bfloat16, LINEARS), ("Llama", torch.float32, ("q_proj", "v_proj", "up_proj")),
     ("Llama", torch.bfloat16, ("k_proj", "down_proj")), ("Qwen2", torch.float32, LINEARS), ("Qwen3", torch.float32, LINEARS),
     ("Qwen2", torch.bfloat16, LINEARS), ("Qwen3", torch.bfloat16, ("k_proj", "o_proj")), ("Llama", torch.float16, LINEARS),
     ("Qwen2", torch.float16, ("q_proj", "up_proj")), ("Qwen3", torch.float16, LINEARS)],
)  # fmt: skip
def test_layers_that_are_written_out_give_the_states_and_gradients_of_each_row_alone(
    architecture: str, dtype: torch.dtype, targets: tuple[str, ...], tiny_folders: tuple[Path, Path]
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
            layers, chosen = Layers(base, 2, adapter, dtype), [3, 0, 1]
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
    far, farther = {torch.bfloat16: (0.05, 0.1), torch.float16: (2e-3, 5e-3), torch.float32: (1e-4, 1e-3)}[dtype]
    assert float((states - torch.cat(alone).detach()).norm() / states.norm()) < far
    assert len(adapter.a) == 2 * len(targets)
    for (name, p), mine in zip([*adapter.a.items(), *adapter.b.items()], ours, strict=True):
        assert mine is not None
        assert p.grad is not None
        assert float((mine - p.grad).norm() / p.grad.norm()) < farther, name


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


def test_caching_the_lower_layers_changes_nothing_but_the_work(base: BaseModel, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    from engrain.consolidation.train import linear, trainer

    for module in (linear, trainer):
        monkeypatch.setattr(module, "training_dtype", lambda: torch.float32)  # rounded products part sooner
    short = replace(recipe, top=0.5, epochs=3, locality=0.0)
    cached = train(base, EXAMPLES, short)
    assert cached.cached_lower
    monkeypatch.setattr(trainer, "has_parity", lambda *_: False)
    full = train(base, EXAMPLES, short)
    assert not full.cached_lower
    assert [e.loss for e in full.epochs] == pytest.approx([e.loss for e in cached.epochs], rel=1e-3)
    for a, b in zip(full.adapter.parameters, cached.adapter.parameters, strict=True):
        assert torch.allclose(a, b, atol=1e-4)
