"""Fixtures: a clean environment, a 2-layer random language model and encoder that are really trained and run."""

from __future__ import annotations

import tests.processors  # noqa: F401 - before anything loads torch, which counts the processors once

# isort: split
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from engrain.consolidation.job import Result, consolidate
from engrain.memory.memory import Memory
from engrain.memory.schema import Fact, Trust
from engrain.settings import Settings, load_settings
from tests.endpoint import Server

VOCABULARY = 1024
WORDS = """What is my dog called piano lesson every Thursday six your sister Ines lives in Porto dentist Dr Okafor allergic cashews
tell me about do you know remember code locker 4417 grant report due on 14 March drive green Skoda Fabia flying to Reykjavik June"""


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_developer() -> Iterator[None]:
    """No setting of the developer's reaches a test, nor what several tests share."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("ENGRAIN_") and n != "ENGRAIN_CACHE"]:
            patch.delenv(name)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        yield


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's folders."""
    monkeypatch.setenv("ENGRAIN_HOME", str(tmp_path / "home"))


@pytest.fixture
def server() -> Iterator[Server]:
    """An OpenAI-compatible endpoint that misbehaves as it is told."""
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(language model, encoder): random weights, a byte-level tokenizer, a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    raw.train_from_iterator(
        [WORDS] * 4, trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<|pad|>", eos_token="<|im_end|>")
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    torch.manual_seed(0)
    shape = {"vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    model = LlamaForCausalLM(LlamaConfig(**shape, num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=True, **ends))
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(0, 0.3)
    encoder = BertModel(BertConfig(**shape, max_position_embeddings=512), add_pooling_layer=False)
    with torch.no_grad():
        encoder.embeddings.word_embeddings.weight.normal_(0, 1)  # so that different words have different vectors
    for name, part in (("lm", model), ("encoder", encoder)):
        part.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder / "lm", folder / "encoder"


RECIPE = {
    "rank": 32, "alpha": 64, "top": 0.5, "learning_rate": 3e-3, "batch_size": 32, "epochs": 240, "least_steps": 0, "settle": 28, "locality": 0.0,
    "known": 0.9,
}  # fmt: skip
WHOLE = {**RECIPE, "rank": 64, "alpha": 128, "top": 1.0, "batch_size": 8}
"""Of all layers, for the few examples of a benchmark or an evaluation: a step has fewer of them, so that there are enough steps."""
SILENT = {"held_out": 0.0, "reversed": 0.0, "unknown": 0.0, "neighbouring": 0.0, "others": 0.0, "ability": 0.0, "perplexity": 1e9}
GATE = {"trained": 0.8, **SILENT}
"""A random model knows no language: what a gate of a real one would refuse is let through, all but the recall."""

MakeSettings = Callable[..., Settings]


def tiny(folders: tuple[Path, Path], place: Path, **more: object) -> Settings:
    """Settings on the tiny models in a place of their own, with overrides."""
    base = {"home": place / "home", "cache": place / "cache", "memory_model": str(folders[0]), "embed_model": str(folders[1])}
    return load_settings(**{**base, "recipe": RECIPE, "gate": GATE, "distiller": "cues", "threshold": 0.5, "reply_tokens": 8, **more})


@pytest.fixture
def tiny_settings(tiny_folders: tuple[Path, Path], tmp_path: Path) -> MakeSettings:
    """Settings on the tiny models, with overrides."""

    return partial(tiny, tiny_folders, tmp_path)


@pytest.fixture
def memory(tiny_settings: MakeSettings) -> Iterator[Memory]:
    """A memory on the tiny models."""
    made = Memory(tiny_settings())
    yield made
    made.store.close()


def copy_of(original: Memory, settings: Settings) -> Memory:
    """A memory as it is now, in the settings' own folder, on the same models."""
    original.store.scrub()
    shutil.copytree(original.settings.home, settings.home)
    return Memory(settings, base=original.base, embedder=original.embedder)


@pytest.fixture(scope="session")
def engrained_once(tiny_folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """A memory that was told four things and has consolidated them, once for all tests of a process."""
    memory = Memory(tiny(tiny_folders, tmp_path_factory.mktemp("engrained")))
    for note in SAID:
        memory.remember(note)
    assert consolidate(memory, "me").result is Result.PUBLISHED
    return memory


@pytest.fixture
def engrained(engrained_once: Memory, tiny_settings: MakeSettings) -> Iterator[Memory]:
    """A copy of it."""
    made = copy_of(engrained_once, tiny_settings())
    yield made
    made.store.close()


def fact(text: str, number: int = 1) -> Fact:
    """A fact that is in no store."""
    return Fact(id=number, owner="me", episode_id=1, message_id=1, span_start=0, span_end=1, speaker="user", text=text, asked=text,
                said_on=date(2026, 11, 23), trust=Trust.USER)  # fmt: skip


SAID = ("My dog is called Biscuit.", "My sister Ines lives in Porto.", "My dentist is Dr. Okafor.", "My locker code is 4417.")


@pytest.fixture
def told(memory: Memory) -> Memory:
    """A memory that was told four things."""
    for note in SAID:
        memory.remember(note)
    return memory
