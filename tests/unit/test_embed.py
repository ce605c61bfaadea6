"""One text's vector is the same, alone or among others, whatever the encoder is built like."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sqlmodel import select
from transformers import AutoTokenizer, BertConfig, BertModel, DistilBertConfig, DistilBertModel, RobertaConfig, RobertaModel

from engrain.memory.embed import Embedder
from engrain.memory.memory import Memory
from engrain.memory.router import Router
from engrain.memory.schema import Probe
from engrain.memory.search import Search

TEXTS = ("Which dentist do I go to?", "Dr", "my sister Ines lives in Porto " * 60)
SHAPE = {"vocab_size": 1024, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}


def made(folders: tuple[Path, Path], kind: str) -> Embedder:
    """A random encoder of an architecture whose words have different vectors."""
    torch.manual_seed(0)
    model: torch.nn.Module
    if kind == "distilbert":
        model = DistilBertModel(DistilBertConfig(vocab_size=1024, dim=64, hidden_dim=128, n_layers=2, n_heads=4))
    elif kind == "roberta":
        model = RobertaModel(RobertaConfig(**SHAPE, max_position_embeddings=514), add_pooling_layer=False)
    else:
        model = BertModel(BertConfig(**SHAPE, hidden_act="relu" if kind == "relu" else "gelu"), add_pooling_layer=False)
    with torch.no_grad():
        model.get_parameter("embeddings.word_embeddings.weight").normal_(0, 1)
    return Embedder(model, AutoTokenizer.from_pretrained(folders[1]), kind)


@pytest.mark.parametrize(("kind", "quick"), [("bert", True), ("relu", True), ("roberta", False), ("distilbert", False)])
def test_one_text_alone_has_the_vector_it_has_among_others(tiny_folders: tuple[Path, Path], kind: str, quick: bool) -> None:
    embedder = made(tiny_folders, kind)
    assert (embedder.alone is not None) == quick
    together = embedder(TEXTS)
    alone = np.stack([embedder.one(text) for text in TEXTS])
    assert np.linalg.norm(alone, axis=1) == pytest.approx([1.0] * 3, abs=1e-5)
    assert (alone * together).sum(1) == pytest.approx([1.0] * 3, abs=1e-4)
    assert abs(float(together[0] @ together[1])) < 0.9, "the texts can be told apart at all"


def test_texts_may_be_embedded_by_many_at_once(tiny_folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast tokenizer keeps whether it pads, and must not be told otherwise while it works."""
    embedder = made(tiny_folders, "bert")
    texts = [f"{word} " * n for n, word in enumerate(("dog", "dentist", "sister", "locker", "piano", "code"), 1)]
    right = embedder(texts)
    at_work, met = threading.Lock(), list[str]()

    class Watched:
        """The tokenizer, and whether two threads meet in it."""

        def __init__(self, tokenizer: Any) -> None:
            self.tokenizer = tokenizer

        def __call__(self, *given: Any, **more: Any) -> Any:
            return self._alone(self.tokenizer, *given, **more)

        def encode(self, *given: Any, **more: Any) -> Any:
            return self._alone(self.tokenizer.encode, *given, **more)

        def _alone(self, run: Any, *given: Any, **more: Any) -> Any:
            if not at_work.acquire(blocking=False):
                met.append(threading.current_thread().name)
                return run(*given, **more)
            try:
                time.sleep(0.002)
                return run(*given, **more)
            finally:
                at_work.release()

    monkeypatch.setattr(embedder, "tokenizer", Watched(embedder.tokenizer))
    with ThreadPoolExecutor(4) as pool:
        alone = [pool.submit(embedder.encoded, text) for text in texts * 3]
        together = [pool.submit(embedder, texts) for _ in range(6)]
        assert all(float(np.abs(one.result() - right).max()) < 1e-4 for one in together)
        assert all(float(one.result() @ right[i % len(texts)]) > 0.999 for i, one in enumerate(alone))
    assert met == []


def test_vectors_of_another_encoder_are_made_anew(engrained: Memory, tiny_folders: tuple[Path, Path]) -> None:
    """Whoever sets another `ENGRAIN_EMBED_MODEL` finds what was said before all the same."""
    engrained.router.index("me")
    asked, other = "Which dentist do I go to?", made(tiny_folders, "relu")
    assert all(engrained.embedder.made(fact.embedding) and not other.made(fact.embedding) for fact in engrained.facts())
    (first, *_) = Search(engrained.store, other).find(asked, "me", least=-1.0)
    assert first.similarity == pytest.approx(float(other.one(asked) @ other.one(first.fact.asked)), abs=1e-4)
    index, facts = Router(engrained.store, other, engrained.base.sha256, 0.0).index("me"), {fact.id: fact.asked for fact in engrained.facts()}
    with engrained.store.read() as db:
        probes = {probe.id: probe for probe in db.exec(select(Probe))}
    for row, vector in zip(index.probes.tolist(), index.vectors, strict=True):
        question, about = probes[row].question, facts[probes[row].fact_id]
        assert vector == pytest.approx((other.one(question) + other.one(about)) / 2, abs=1e-4)
    assert all(other.made(fact.embedding) for fact in engrained.facts()), "and they are kept"
