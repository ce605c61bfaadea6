"""Questions find their module by meaning, by rare words and by time; and the router sees at once what changed."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from engrain.consolidation.job import consolidate
from engrain.memory import index as index_module
from engrain.memory.dates import period
from engrain.memory.forget import Selector
from engrain.memory.index import Block, ProbeIndex
from engrain.memory.memory import Memory
from engrain.memory.router import fused
from tests.conftest import MakeSettings

WIDTH = 8


def block(name: str, facts: dict[int, str], seed: int, day: date = date(2024, 1, 1)) -> Block:
    """A module whose probes, two of each fact, point anywhere."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(2 * len(facts), WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = np.repeat(np.array(list(facts), np.int64), 2)
    words = {number: frozenset(text.lower().split()) for number, text in facts.items()}
    return Block(name, 0.0, np.arange(len(ids)) + 100 * seed, ids, vectors, np.full(len(ids), day.toordinal()), words)


BLOCKS = (
    block("m1", {1: "ada barlow number 555", 2: "boris castor number 556"}, 1),
    block("m2", {3: "clara dunmore number 557", 4: "dmitri ellery number 558"}, 2, date(2025, 6, 1)),
)


def test_rare_words_lead_where_vectors_do_not() -> None:
    index = ProbeIndex(BLOCKS)
    nowhere = np.zeros(WIDTH, np.float32)
    for question, module in (("Which number has Clara Dunmore?", 1), ("Which number has Boris Castor?", 0)):
        hits = index.find(question, nowhere)
        modules, best, _ = index.best_of_modules(hits.rows, fused(hits, np.zeros(len(hits.rows), bool)))
        assert modules[int(best.argmax())] == module
    hits = index.find("Which number is it?", nowhere)
    assert not hits.words.any(), "what every fact holds finds nothing"


def test_the_best_probe_of_each_module_is_found() -> None:
    index = ProbeIndex(BLOCKS)
    vector = BLOCKS[1].vectors[3]
    hits = index.find("?", vector)
    modules, best, rows = index.best_of_modules(hits.rows, hits.near)
    assert modules.tolist() == [0, 1]
    assert best.tolist() == pytest.approx([float((b.vectors @ vector).max()) for b in BLOCKS])
    assert index.probes[rows[1]] == BLOCKS[1].probes[3]


def test_a_corrected_fact_leads_nowhere() -> None:
    index = ProbeIndex(BLOCKS, {3, 4})
    assert [b.module for b in index.blocks] == ["m1"]
    assert len(index) == 4
    assert len(index.read) == 2


def test_a_named_time_prefers_what_was_said_then() -> None:
    index = ProbeIndex(BLOCKS)
    rows = np.arange(len(index))
    assert index.said_in(rows, period("What was that in June 2025?", date(2026, 1, 1))).tolist() == [False] * 4 + [True] * 4
    assert not index.said_in(rows, None).any()


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("What did I do last month?", date(2023, 4, 1), date(2023, 4, 30)),
        ("Where was I yesterday?", date(2023, 5, 7), date(2023, 5, 7)),
        ("What happened in 2021?", date(2021, 1, 1), date(2021, 12, 31)),
        ("What did I say last week?", date(2023, 5, 1), date(2023, 5, 7)),
        ("Who came on 3 February 2022?", date(2022, 2, 3), date(2022, 2, 3)),
    ],
)
def test_a_question_names_a_time(text: str, first: date, last: date) -> None:
    assert period(text, date(2023, 5, 8)) == (first, last)


def test_a_question_may_name_none() -> None:
    assert period("Where do I live?", date(2023, 5, 8)) is None


def _name(n: int) -> str:
    return "nobody" + "".join(chr(ord("a") + int(digit)) for digit in str(n))


def test_a_large_index_finds_what_a_small_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    many = [block(f"m{n}", {n: f"{_name(n)} number"}, n) for n in range(1, 3000)]
    whole = ProbeIndex(many)
    monkeypatch.setattr(index_module, "EXACT", 10)
    large = ProbeIndex(many)
    for n in (3, 700, 2500):
        vector = many[n].vectors[0]
        all_hits, few = whole.find("?", vector), large.find("?", vector)
        assert len(few.rows) < len(all_hits.rows)
        assert few.rows[int(few.near.argmax())] == all_hits.rows[int(all_hits.near.argmax())]
        assert large.find(f"Who is {_name(n + 1)}?", np.zeros(WIDTH, np.float32)).words.max() == 1.0


def test_words_of_what_was_forgotten_leave_the_index_of_modules_that_stay(tiny_settings: MakeSettings) -> None:
    memory = Memory(tiny_settings(facts_per_module=1))
    memory.remember("My dog is called Biscuit. My dentist is Dr. Okafor.")
    while consolidate(memory, "me").engrained_facts:
        pass
    (dentist,) = [f for f in memory.facts() if "Okafor" in f.text]
    assert len(memory.router.index("me").blocks) == 2
    assert all("okafor" in block.around for block in memory.router.index("me").blocks)
    memory.forget(Selector(fact=dentist.id))
    (left,) = memory.router.index("me").blocks
    assert ("biscuit" in left.around, "okafor" in left.around) == (True, False)


def test_the_router_sees_at_once_what_changed(engrained: Memory) -> None:
    (module,) = engrained.modules()
    assert module.scores["threshold"] >= engrained.settings.threshold
    assert engrained.router.route("Who is my dentist?", "me").module == module
    assert engrained.router.route("Who is my dentist?", "eve").module is None
    engrained.remember("My dentist is Dr. Lindqvist.")
    led = engrained.router.route("Who is my dentist?", "me")
    assert "dentist" not in led.probe, "it was corrected in SQL; the module's probes of it lead nowhere"
    (dog,) = [f for f in engrained.facts() if "Biscuit" in f.text]
    engrained.forget(Selector(fact=dog.id))
    assert engrained.router.route("What is my dog called?", "me").module is None
