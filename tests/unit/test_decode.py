"""A token at a time: the written-out step gives what the model gives, whatever is on, for whatever rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engrain.errors import ModuleError
from engrain.memory.bank import lora
from engrain.memory.bank.bank import ask
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.decode import LeanSteps, Steps
from engrain.memory.bank.generate import continued, guided, spoken
from engrain.memory.bank.prompt import recall_beginning, recall_ids
from engrain.memory.bank.vocabulary import likelihoods, logits_of

QUESTIONS = ("Who is my dentist?", "Where does my sister Ines live now?", "Locker?")
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def made(folders: tuple[Path, Path], architecture: str = "Llama", **more: object) -> BaseModel:
    """A random model of an architecture."""
    import transformers

    config = getattr(transformers, f"{architecture}Config")(
        vocab_size=1024, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
        pad_token_id=0, bos_token_id=None, eos_token_id=2, **more,
    )  # fmt: skip
    torch.manual_seed(0)
    model = getattr(transformers, f"{architecture}ForCausalLM")(config)
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(0, 0.3)
    return BaseModel(model, transformers.AutoTokenizer.from_pretrained(folders[0]), architecture, "0" * 64)


def adapter(base: BaseModel, rank: int = 4, seed: int = 1, targets: tuple[str, ...] = ALL) -> lora.Adapter:
    """A random one in the upper two layers that says something else than the base model."""
    generator = torch.Generator().manual_seed(seed)
    found = lora.fresh(base.model, lora.LoraSpec(rank, 2 * rank, (1, 2), targets), generator)
    for b in found.b.values():
        b.data.normal_(0, 0.3, generator=generator)
    return lora.Adapter(found.spec, {n: t.detach() for n, t in found.a.items()}, {n: t.detach() for n, t in found.b.items()})


@pytest.mark.parametrize(
    ("architecture", "more", "lean"),
    [("Llama", {}, True), ("Llama", {"attention_bias": True}, True), ("Qwen2", {}, True), ("Mistral", {"sliding_window": None}, True),
     ("Mistral", {"sliding_window": 8}, False), ("Qwen3", {}, False), ("Gemma", {}, True), ("Gemma2", {}, False)],
)  # fmt: skip
def test_every_architecture_says_what_its_own_forward_would(
    tiny_folders: tuple[Path, Path], architecture: str, more: dict[str, object], lean: bool
) -> None:
    base = made(tiny_folders, architecture, **more)
    worn = adapter(base)
    prompt = recall_ids(base, QUESTIONS[0])
    for on in (None, worn):
        with base.wearing(on) if on else base.lock:
            said = [t.id for t in base.stream(prompt, 12)]
            ids = torch.tensor([prompt])
            with torch.inference_mode():
                for token in said:  # from scratch for every token, the adapter acting from the prompt's last one on
                    reached = torch.arange(ids.shape[1])[None] >= len(prompt) - 1
                    with base.reach.only(reached):
                        assert int(base.model(ids).logits[0, -1].argmax()) == token
                    ids = torch.cat([ids, torch.tensor([[token]])], 1)
            cache = base.model(ids, use_cache=True).past_key_values
            assert type(base.steps(cache, torch.ones_like(ids), 1)) is (LeanSteps if lean else Steps)


def test_rows_of_any_length_are_answered_as_each_would_be_alone(tiny_folders: tuple[Path, Path]) -> None:
    base = made(tiny_folders)
    for worn in (None, adapter(base), adapter(base, targets=("q_proj", "down_proj"))):
        together = ask(base, worn, QUESTIONS, 9)
        alone = [ask(base, worn, [question], 9)[0] for question in QUESTIONS]
        assert [a.text for a in together] == [a.text for a in alone]
        assert [a.probability for a in together] == pytest.approx([a.probability for a in alone], rel=1e-4)
        assert [a.without for a in together] == pytest.approx([a.without for a in alone], rel=1e-4)


@pytest.mark.parametrize("architecture", ["Llama", "Qwen3"])
@pytest.mark.parametrize("prefix", ["", "Notes:\n"])
def test_rows_that_begin_alike_are_continued_as_each_would_be_alone(tiny_folders: tuple[Path, Path], architecture: str, prefix: str) -> None:
    base = made(tiny_folders, architecture)
    notes = [f"Note: my {thing} is called {name} and lives in Porto.\nQuestion:" for thing, name in (("sister", "Ines"), ("dog", "Biscuit"))]
    prompts = ["x", "Question:", *(f"{note} {stem}" for stem in ("Who", "Where does", "What is my") for note in notes), notes[0]]
    for worn in (None, adapter(base)):
        with base.wearing(worn) if worn else base.lock:
            together = base.complete(prefix, prompts, 7, stop=None)
            alone = [base.complete(prefix, [prompt], 7, stop=None)[0] for prompt in prompts]
            for prompt, text in zip(prompts, together, strict=True):
                ids = base.encode(prefix) + base.encode(prompt)
                said = [t.id for t in base.stream(ids, 7)]
                assert text == base.tokenizer.decode(said, skip_special_tokens=True)
        assert together == alone


def test_what_rows_share_is_read_once(tiny_folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    base, read = made(tiny_folders), []
    one, other = [5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 15, 16, 17]
    monkeypatch.setattr(base, "read", lambda cache, ids, mask: (read.append(ids.tolist()), BaseModel.read(base, cache, ids, mask))[1])
    with base.lock, torch.inference_mode():
        continued(base, None, 0, [[*one, 20], [*other, 21, 22], [*one, 23], [24]], 2, None)
    assert sorted(sum(map(bool, row)) for row in read[0]) == [0, 6, 8], "what two rows begin with, and the others but for their last token"
    assert len(read) == 1


@pytest.mark.parametrize("architecture", ["Llama", "Qwen3"])
def test_answers_are_weighed_together_as_each_would_be_alone(tiny_folders: tuple[Path, Path], architecture: str) -> None:
    base = made(tiny_folders, architecture)
    prompt, answers = "Note: my sister Ines lives in Porto.\nQuestion:", ["Who lives in Porto?", "Where?", "Where does my sister Ines live now?", "a"]
    for prefix in ("", "Some notes:\n"):
        for worn in (None, adapter(base)):  # a module that is on does not weigh
            with base.wearing(worn) if worn else base.lock:
                found = base.weigh(prefix, prompt, answers)
            for answer, total in zip(answers, found, strict=True):
                before, said = base.encode(prefix) + base.encode(prompt), base.encode(f" {answer}\n")
                with torch.no_grad(), base.bare():
                    likely = base.model(torch.tensor([before + said])).logits[0].log_softmax(-1)
                wanted = sum(float(likely[len(before) + at - 1, token]) for at, token in enumerate(said))
                assert total == pytest.approx(wanted, rel=1e-4)


def test_nothing_is_generated_behind_what_is_enough(tiny_folders: tuple[Path, Path]) -> None:
    base = made(tiny_folders)
    prompts = ["Who is", "Where does my sister", "x"]
    whole = base.complete("Question: ", prompts, 12, stop=None)
    mark = next(word for word in whole[1].split()[1:] if len(word) > 2)[:2]
    for text, wanted in zip(base.complete("Question: ", prompts, 12, stop=None, enough=mark), whole, strict=True):
        assert text == wanted if mark not in wanted else wanted.startswith(text) and mark in text
        assert len(text) < len(wanted) or mark not in wanted


@pytest.mark.parametrize("words", [700, 1024, 1300])
def test_a_vocabulary_in_blocks_gives_what_it_gives_whole(words: int) -> None:
    generator = torch.Generator().manual_seed(words)
    head = torch.nn.Linear(48, words)
    states = torch.randn(300, 48, generator=generator)
    with torch.no_grad():
        wanted = torch.nn.functional.linear(states, head.weight, head.bias)
    assert torch.allclose(logits_of(states, head.weight, head.bias), wanted, atol=1e-4)
    assert torch.allclose(logits_of(states, head.weight), wanted - head.bias, atol=1e-4)
    tokens = torch.randint(words, (300,), generator=generator)
    tokens[::2] = wanted.argmax(-1)[::2]
    found, best = likelihoods(head, states, tokens.tolist())
    assert torch.allclose(found, torch.log_softmax(wanted, -1).gather(1, tokens[:, None])[:, 0], atol=1e-4)
    assert best.tolist() == (wanted.argmax(-1) == tokens).tolist()


def test_an_answer_is_weighed_with_and_without_the_adapter(tiny_folders: tuple[Path, Path]) -> None:
    base = made(tiny_folders)
    worn = adapter(base)
    prompts = [recall_ids(base, question) for question in QUESTIONS]
    with base.wearing(worn):
        found = [one for (one,) in spoken(base, prompts, 9, recall_beginning(base))]
        plain = [one for (one,) in spoken(base, prompts, 9)]
    assert [one.text for one in found] == [one.text for one in plain]
    for prompt, one in zip(prompts, found, strict=True):
        ids, with_it, without = torch.tensor([prompt]), list[float](), list[float]()
        for step in range(len(one.logprobs)):  # from scratch for every token
            reached = torch.arange(ids.shape[1])[None] >= len(prompt) - 1
            with torch.inference_mode():
                bare = base.model(ids).logits[:, -1].log_softmax(-1)
                with base.wearing(worn), base.reach.only(reached):
                    likely = base.model(ids).logits[:, -1].log_softmax(-1)
            token = base.tokenizer.eos_token_id if step == 9 else int(guided(likely, bare).argmax())
            with_it.append(float(likely[0, token]))
            without.append(float(bare[0, token]))
            ids = torch.cat([ids, torch.tensor([[token]])], 1)
        assert one.logprobs == pytest.approx(with_it, abs=1e-3)
        assert one.without == pytest.approx(without, abs=1e-3)
        assert one.logprobs != pytest.approx(one.without, abs=1e-3)


def test_an_adapter_that_is_being_trained_answers_as_it_is_now(tiny_folders: tuple[Path, Path]) -> None:
    base = made(tiny_folders)
    worn = adapter(base)
    trained = lora.Adapter(worn.spec, *({n: t.clone().requires_grad_() for n, t in some.items()} for some in (worn.a, worn.b)))
    (before,) = ask(base, trained, [QUESTIONS[0]], 9)
    with torch.no_grad():
        for b in trained.b.values():
            b.neg_()
    (after,) = ask(base, trained, [QUESTIONS[0]], 9)
    assert (before.text, before.probability) != (after.text, after.probability)
    turned = lora.Adapter(worn.spec, worn.a, {n: -b for n, b in worn.b.items()})
    assert after.probability == pytest.approx(ask(base, turned, [QUESTIONS[0]], 9)[0].probability, rel=1e-4)


def test_further_answers_begin_otherwise_and_do_not_end_at_once(tiny_folders: tuple[Path, Path]) -> None:
    base = made(tiny_folders)
    with base.lock:
        (answers,) = spoken(base, [recall_ids(base, QUESTIONS[0])], 6, ranks=(0, 1, 2, 3))
    assert len({one.text for one in answers}) == 4
    firsts = [one.logprobs[0] for one in answers]
    assert firsts[1:] == sorted(firsts[1:], reverse=True)
    assert all(len(one.logprobs) > 1 for one in answers[1:])


def test_every_row_may_have_a_module_of_its_own(tiny_folders: tuple[Path, Path]) -> None:
    base = made(tiny_folders)
    some = [adapter(base, rank, seed) for rank, seed in ((4, 1), (2, 2), (4, 3))]
    prompts = [recall_ids(base, QUESTIONS[0])] * 3
    with base.wearing(lora.stacked(some)):
        together = [one for (one,) in spoken(base, prompts, 9)]
    alone = [ask(base, one, [QUESTIONS[0]], 9)[0].text for one in some]
    assert [one.text for one in together] == alone
    assert len(set(alone)) > 1
    with pytest.raises(ModuleError, match="different layers"):
        lora.stacked([some[0], adapter(base, targets=("q_proj",))])


def test_weights_rounded_to_float16_say_almost_the_same(tiny_folders: tuple[Path, Path]) -> None:
    base, halved = made(tiny_folders), made(tiny_folders)
    halved.halved = True
    prompts = [recall_ids(base, question) for question in QUESTIONS]
    for worn in (None, adapter(base)):
        found = []
        for one in (base, halved):
            with one.wearing(worn) if worn else one.lock:
                found.append([answer for (answer,) in spoken(one, prompts, 9)])
        for exact, rounded in zip(*found, strict=True):
            assert rounded.logprobs[0] == pytest.approx(exact.logprobs[0], abs=0.02)
            assert rounded.without[0] == pytest.approx(exact.without[0], abs=0.02)
    assert not torch.equal(torch.tensor(found[0][0].logprobs[:1]), torch.tensor(found[1][0].logprobs[:1])), "they are rounded"


@pytest.mark.parametrize(
    ("likely", "without", "chosen"),
    [
        ([0.50, 0.30, 0.20], [0.50, 0.30, 0.20], 0),  # it changed nothing
        ([0.45, 0.35, 0.20], [0.60, 0.10, 0.30], 1),  # where it was on its way to
        ([0.85, 0.10, 0.05], [0.95, 0.01, 0.04], 0),  # what is known stays
        ([0.55, 0.44, 0.01], [0.94, 0.05, 0.01], 0),  # also where it is barely so
        ([0.45, 0.10, 0.45], [0.60, 0.01, 0.39], 2),  # what is hardly likely is not heard
    ],
)
def test_what_a_module_was_on_its_way_to_is_said(likely: list[float], without: list[float], chosen: int) -> None:
    weighed = guided(torch.tensor([likely]).log(), torch.tensor([without]).log())
    assert int(weighed.argmax()) == chosen
    assert weighed.isfinite().all(), "further answers are ranked among all"


def test_what_was_on_before_is_on_again(tiny_folders: tuple[Path, Path]) -> None:
    base = made(tiny_folders)
    outer, inner = adapter(base), adapter(base, seed=2, targets=("q_proj",))
    ids = torch.tensor([recall_ids(base, QUESTIONS[0])])
    with torch.inference_mode():
        bare = base.model(ids).logits
        with base.wearing(inner):
            alone = base.model(ids).logits
        with base.wearing(outer):
            before = base.model(ids).logits
            with base.wearing(inner):
                assert torch.equal(base.model(ids).logits, alone), "nothing of the outer one"
            assert torch.equal(base.model(ids).logits, before)
            with base.bare():
                assert torch.equal(base.model(ids).logits, bare)
            assert torch.equal(base.model(ids).logits, before)
        assert torch.equal(base.model(ids).logits, bare)
    assert not torch.equal(before, bare)
