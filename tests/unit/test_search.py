"""Facts by text: in step with the store, and scored as the field scores."""

from __future__ import annotations

import bm25s
import numpy as np
import pytest

from engrain.consolidation.job import consolidate
from engrain.evals.tasks.told import told as everyday
from engrain.memory.bm25 import Bm25
from engrain.memory.forget import Selector
from engrain.memory.memory import Memory
from engrain.memory.statements import content_words


def test_scores_are_those_of_bm25s() -> None:
    texts = [content_words(fact.said) for fact in everyday()] + [["sister", "sister", "porto"], []]
    theirs = bm25s.BM25()
    theirs.index([text or ["?"] for text in texts], show_progress=False)
    ours, beside = Bm25(texts), Bm25(texts[:60])
    for asked in (["sister", "live"], ["brother", "bakery", "bakery"], ["cello", "teacher", "never-said"]):
        expected = theirs.get_scores([word for word in asked if any(word in text for text in texts)])
        assert ours.scores(asked) == pytest.approx(np.asarray(expected), rel=0.01, abs=1e-6)
        assert beside.scores(asked, texts[60:]) == pytest.approx(ours.scores(asked), rel=1e-5)
    assert Bm25([]).scores(["sister"]).shape == (0,)


def test_a_fact_is_lifted_as_far_as_it_holds_the_question_and_no_further(told: Memory) -> None:
    """One common word is no reason to pass a nearer fact, though no other holds more."""

    def lifted(question: str) -> float:
        (found,) = [f for f in told.search.find(question, "me", least=-1.0) if "dentist" in f.fact.text]
        return found.score - found.similarity

    few, half, all_of_it = (lifted(question) for question in ("dentist zebra comet walnut", "dentist zebra", "dentist Okafor"))
    assert 0 < few < half < all_of_it
    assert few < all_of_it / 3


def test_what_changes_is_seen_by_the_next_search(told: Memory) -> None:
    def found(question: str) -> dict[str, bool]:
        return {f.fact.text: f.fresh for f in told.search.find(question, "me", k=2, least=0.999)}

    assert found("Where is my locker code?") == {"Your locker code is 4417.": True}
    told.remember("My locker code is 9021.")
    assert found("Where is my locker code?") == {"Your locker code is 9021.": True}
    told.remember("My bicycle is orange.")
    assert found("What about my bicycle?") == {"Your bicycle is orange.": True}
    assert consolidate(told, "me").module_id
    assert found("What about my bicycle?") == {"Your bicycle is orange.": False}
    (bicycle,) = [fact.id for fact in told.facts() if "bicycle" in fact.text]
    told.forget(Selector(fact=bicycle))
    assert found("What about my bicycle?") == {}
    assert found("Where is my locker code?") == {"Your locker code is 9021.": True}, "its module was stopped, and it is fresh again"


def test_what_did_not_change_is_read_once(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    before = told.search.find("Who is my dentist?", "me")
    monkeypatch.setattr("engrain.memory.search.live_facts_said", lambda *_: pytest.fail("read again"))
    assert told.search.find("Who is my dentist?", "me") == before
