"""The main job on SmolLM2-135M: what the README promises is asked of the demo's own memory."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rich.console import Console

from engrain.consolidation.asked_for import asked_for
from engrain.consolidation.expected import as_expected, expected
from engrain.consolidation.gate import Thresholds, judge
from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import Example, train
from engrain.demo import OWNER, QUESTIONS, UNKNOWN, DemoResult, run_demo
from engrain.memory.bank.prompt import SYSTEM, recall_ids
from engrain.memory.facts import probes_of
from engrain.memory.memory import Memory
from engrain.memory.modules import open_module
from engrain.memory.schema import FactState, Module, ModuleState
from engrain.memory.statements import content_words
from engrain.memory.wordings import other_words
from engrain.settings import load_settings

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoResult, Memory, str]]:
    """(result, the demo's memory, what was printed)."""
    home = tmp_path_factory.mktemp("demo")
    console = Console(file=io.StringIO(), record=True, width=200)
    result = run_demo(console, home)
    memory = Memory(load_settings(home=home, owner=OWNER, mode="weights"))
    yield result, memory, console.export_text()
    memory.store.close()


def live(memory: Memory) -> Module:
    (module,) = memory.modules(OWNER, ModuleState.LIVE)
    return module


def test_a_new_session_is_answered_from_the_weights(shown: tuple[DemoResult, Memory, str]) -> None:
    result, memory, printed = shown
    assert len(result.facts) >= 12
    assert result.right() >= 0.8
    assert result.right_without() <= 0.1
    assert len(result.unknown) >= 4
    assert sum(u["abstained"] for u in result.unknown) >= 3
    assert result.train_seconds < 180
    assert all(q.probe_overlap < 1 for q in result.questions)
    assert all(q.module == result.module and q.episode for q in result.questions if q.correct)
    assert {f.state for f in memory.facts(OWNER)} == {FactState.ENGRAINED}
    assert "from the weights" in printed
    assert all(question in printed for question, _ in QUESTIONS)


def test_the_answers_name_the_session_they_were_said_in(shown: tuple[DemoResult, Memory, str]) -> None:
    _, memory, _ = shown
    found = memory.recall("Which dentist do I go to?", OWNER)
    assert found.source == "weights"
    assert found.evidence[0].text == "Your dentist is Dr. Okafor."
    assert found.evidence[0].session_id == "monday"


def test_nothing_that_was_ever_said_is_in_the_prompt(shown: tuple[DemoResult, Memory, str]) -> None:
    _, memory, _ = shown
    frame = set(content_words(memory.base.tokenizer.decode(recall_ids(memory.base, ""))))
    assert set(content_words(SYSTEM)) <= frame
    for question, answer in [*QUESTIONS, *((question, "") for question in UNKNOWN)]:
        found = memory.recall(question, OWNER)
        asked, shown_to_it = asked_as(question, found.why), set(content_words(found.prompt))
        assert shown_to_it <= frame | set(content_words(asked)), found.prompt
        assert not shown_to_it & (set(content_words(answer)) - set(content_words(question))), found.prompt


def asked_as(question: str, why: str) -> str:
    """The words that a recollection says it asked a question in: its own, or others that a table has for it, whatever was said."""
    other = re.match(r"asked as (?P<quote>['\"])(?P<words>.+?)(?P=quote): ", why)
    if other is None:
        return question
    assert other["words"] in other_words(question)
    return other["words"]


def test_the_module_loads_in_plain_peft_with_the_same_logits(shown: tuple[DemoResult, Memory, str]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from engrain.memory import catalog

    _, memory, _ = shown
    folder, _ = open_module(live(memory), memory.settings.modules)
    base = catalog.resolve("smollm2-135m", memory.settings.cache)
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32), str(folder)).eval()
    ids = torch.tensor([recall_ids(memory.base, "Which dentist do I go to?")])
    with torch.inference_mode():
        theirs = plain(ids).logits
        without = memory.base.model(ids).logits
        with memory.bank.active(live(memory)):
            ours = memory.base.model(ids).logits
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert float((ours - without).abs().max()) > 1


def test_a_module_of_shuffled_answers_is_rejected(shown: tuple[DemoResult, Memory, str], tmp_path: Path) -> None:
    """The gate's own probes, trained with each other's answers: the module says what nobody said to the questions."""
    from engrain.consolidation.gate import Thresholds, judge
    from engrain.consolidation.train.recipe import Recipe
    from engrain.consolidation.train.trainer import Example, train
    from engrain.memory.facts import probes_of

    _, memory, _ = shown
    with memory.store.read() as db:
        probes = probes_of(db, OWNER, live(memory).job_id)
    trained = [p for p in probes if not p.held_out and p.fact_id is not None][:32]
    examples = [Example(p.question, trained[(i + len(trained) // 2) % len(trained)].answer) for i, p in enumerate(trained)]
    adapter = train(memory.base, examples, Recipe(epochs=2)).adapter
    verdict = judge(memory.base, memory.embedder, adapter, probes, memory.facts(OWNER), [], 0.35, Thresholds())
    assert not verdict.passed
    assert any("trained probes" in reason for reason in verdict.reasons)


def test_the_example_in_the_readme_runs(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "remember.py"
    environment = {**os.environ, "ENGRAIN_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, str(example)], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()[-2:]
    assert first.startswith("published m")
    assert "Okafor" in last
    assert "['monday']" in last


def test_a_module_that_was_trained_too_long_is_rejected_for_what_it_does_to_other_text(shown: tuple[DemoResult, Memory, str]) -> None:
    _, memory, _ = shown
    facts = memory.facts(OWNER)[:4]
    with memory.store.read() as db:
        probes = [p for p in probes_of(db, OWNER, live(memory).job_id) if p.fact_id in {f.id for f in facts} and not p.held_out]
    examples = [Example(p.question, p.answer) for p in probes[:8]]
    long = Recipe(optimizer="adamw", rank=16, alpha=32, learning_rate=5e-3, epochs=30, known=1.0, recalled=1.1, rest=False, settle=0, locality=0.0)
    trained = train(memory.base, examples, long)
    verdict = judge(memory.base, memory.embedder, trained.adapter, probes[:8], facts, [], memory.settings.threshold, Thresholds())
    assert verdict.trained == 1.0  # it recalls, and is refused all the same
    unable = [r for r in verdict.reasons if r.startswith("keeps ")]  # common knowledge may have suffered too
    assert [r.split(" is ")[0] for r in verdict.reasons if r not in unable] == ["perplexity on fixed text"], verdict


def test_questions_that_nobody_would_ask_of_a_sentence_are_left_out(shown: tuple[DemoResult, Memory, str]) -> None:
    _, memory, _ = shown
    said = "The second survey, which two students carried out in 1998, found forty nests in the old quarry near Leeds."
    sound = [
        ("Where did the second survey find forty nests?", "In the old quarry near Leeds"),
        ("How many nests did the second survey find?", "Forty"),
        ("Who carried out the second survey in 1998?", "Two students"),
    ]
    muddled = [("What did the quarry students find in 1998 forty?", "Two nests the second"), ("Where did Two students the survey?", "Out in 1998")]
    assert expected(memory.base, said, [muddled[0], *sound, muddled[1]]) == [1, 2, 3]


def test_an_answer_of_another_kind_than_is_asked_for_is_left_out(shown: tuple[DemoResult, Memory, str]) -> None:
    _, memory, _ = shown
    sound = [
        ("Where does my sister live?", "near Porto"),
        ("Who repaired the roof?", "my uncle Tom"),
        ("When is my exam?", "on 9 May"),
        ("What is my hobby?", "in general chess"),
        ("Where did I leave my scarf?", "Mull"),  # a name that the embedder need not know
    ]
    muddled = [
        ("Where was the village founded?", "in an old letter"),
        ("Who is the park bounded by?", "Mill Lane"),
        ("When was the wall?", "on the south"),
    ]
    kept = asked_for(memory.embedder, [*sound, *muddled])
    assert kept == list(range(len(sound)))


def test_other_words_that_mean_something_else_are_left_out(shown: tuple[DemoResult, Memory, str]) -> None:
    _, memory, _ = shown
    said = "I've booked the sleeper train to Inverness for Friday."
    asked = "Where have I booked the sleeper train to?"
    others = ["Where have I booked the sleeper prepare to?", "Where have I reserved the sleeper train to?"]
    assert as_expected(memory.base, said, [(asked, other, "Inverness") for other in others]) == [1]
