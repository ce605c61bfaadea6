"""What one owner said is never another's: not by any door, not with any words, not when both ask at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engrain.cli.app import app
from engrain.consolidation.job import consolidate
from engrain.consolidation.worker import _environment
from engrain.errors import NotFoundError
from engrain.memory.bank.bank import Bank
from engrain.memory.memory import Memory
from engrain.memory.recall import Recollection
from engrain.tools.memory import memory_tools
from tests.conftest import tiny

SAID = {
    "me": ("My dog is called Biscuit.", "My locker code is 4417.", "My dentist is Dr. Okafor."),
    "eve": ("My dog is called Ramses.", "My locker code is 9032.", "My sister Ines lives in Porto."),
}
SECRETS = {"me": ("biscuit", "4417", "okafor"), "eve": ("ramses", "9032", "ines", "porto")}
WORDS = ("dog", "called", "locker", "code", "dentist", "sister", "who", "what", "my", "is", "eve", "me", "owner", "tell", "about", "4417", "9032",
         "Biscuit", "Ramses", "Ines", "Okafor", "%", "'; --", "owner:eve", "../", "*")  # fmt: skip
ASKED = ("What is my dog called?", "What is my locker code?", "Who is my dentist?", "Where does my sister Ines live?")


@pytest.fixture(scope="module")
def both(tiny_folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """Two owners with a module each and a fresh fact each, in one database and one bank."""
    memory = Memory(tiny(tiny_folders, tmp_path_factory.mktemp("both")))
    for owner, notes in SAID.items():
        for note in notes:
            memory.remember(note, owner)
        assert consolidate(memory, owner).engrained_facts
    return memory


def leaked(owner: str, question: str, found: Recollection) -> list[str]:
    """The other owner's secrets in what came back, but for what the question itself said."""
    told = str([found.text, found.evidence, found.prompt, found.why]).lower()
    other = "eve" if owner == "me" else "me"
    return [secret for secret in SECRETS[other] if secret in told.replace(question.lower(), "")]


def test_no_question_brings_up_what_another_owner_said(both: Memory) -> None:
    rng = random.Random(0)
    mine = {owner: {m.id for m in both.modules(owner)} for owner in SAID}
    for number in range(40):
        owner = rng.choice(("me", "eve"))
        question = rng.choice(ASKED) if number % 2 else " ".join(rng.choices(WORDS, k=rng.randint(1, 7)))
        found = both.recall(question, owner, rng.choice(("weights", "text", "hybrid")))
        assert set(found.modules) <= mine[owner], (owner, question, found)
        if not any(secret in question.lower() for secret in SECRETS["eve" if owner == "me" else "me"]):
            assert leaked(owner, question, found) == [], (owner, question, found)
        for evidence in found.evidence:
            assert evidence.text in {f.text for f in both.facts(owner)}


def test_another_owners_module_cannot_be_named(both: Memory) -> None:
    for owner, other in (("me", "eve"), ("eve", "me")):
        for module in both.modules(other):
            with pytest.raises(NotFoundError):
                both.recall(ASKED[0], owner, "weights", module=module.id)
    for stranger in ("nobody", "ME", "me ", "m%", "' OR 1=1 --"):
        assert both.facts(stranger) == []
        assert not both.recall(ASKED[0], stranger).known


def test_the_tool_serves_its_owner_alone(both: Memory) -> None:
    rng = random.Random(1)
    for owner in SAID:
        other = "eve" if owner == "me" else "me"
        _, recall, forget = memory_tools(both, owner)
        for _ in range(6):
            question = " ".join(rng.choices(WORDS[:12], k=4)) + "?"
            assert not any(secret in recall.call({"question": question}).lower() for secret in SECRETS[other])
        before = [f.model_dump() for f in both.facts(other)]
        assert forget.call({"about": " ".join(SAID[other][0].split()[-1:]).strip(".")}) == "Nothing of that was remembered."
        assert [f.model_dump() for f in both.facts(other)] == before


def test_owners_who_ask_at_once_each_get_their_own_answer(both: Memory) -> None:
    alone = {(owner, q): asdict(both.recall(q, owner, "weights")) | {"seconds": 0} for owner in SAID for q in ASKED}
    orders = [(owner, q) for _ in range(4) for owner in SAID for q in ASKED]
    random.Random(2).shuffle(orders)
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda order: asdict(both.recall(order[1], order[0], "weights")) | {"seconds": 0}, orders))
    for order, one in zip(orders, found, strict=True):
        assert one == alone[order]
    assert "Biscuit" in alone["me", ASKED[0]]["text"]
    assert "Ramses" in alone["eve", ASKED[0]]["text"]


def test_modules_of_both_are_asked_in_one_batch(both: Memory) -> None:
    (mine,), (eves,) = both.modules("me"), both.modules("eve")
    asked = [(ASKED[0], mine), (ASKED[0], eves), (ASKED[1], eves), (ASKED[1], mine)]
    answers = [answer.text for answer in both.bank.ask_each(asked)]
    assert answers == [both.bank.ask([question], module)[0].text for question, module in asked]
    assert "Biscuit" in answers[0]
    assert "Ramses" in answers[1]


def test_the_least_recently_used_module_gives_way_and_comes_back(both: Memory) -> None:
    (mine,), (eves,) = both.modules("me"), both.modules("eve")
    before = both.bank.ask([ASKED[0]], mine)[0].text
    small = Bank(both.base, both.settings.modules, megabytes=1e-3)
    assert small.ask([ASKED[0]], mine)[0].text == before
    assert small.resident == [mine.id]
    small.ask([ASKED[0]], eves)
    assert small.resident == [eves.id]
    assert small.ask([ASKED[0]], mine)[0].text == before
    assert sorted(both.bank.resident) == sorted([mine.id, eves.id])


def test_what_is_made_of_a_module_counts_as_the_module_does(both: Memory) -> None:
    (mine,), (eves,) = both.modules("me"), both.modules("eve")
    size = both.bank.adapter(mine).bytes
    small = Bank(both.base, both.settings.modules, megabytes=2.5 * size / 2**20)  # two as they are in the file, but not as they are used
    small.ask([ASKED[0]], mine)
    assert both.base.bytes_of(small.adapter(mine)) > 1.5 * size
    small.ask([ASKED[0]], eves)
    assert small.resident == [eves.id]


def test_however_many_ask_few_are_kept_at_hand(both: Memory) -> None:
    before = both.recall(ASKED[0], "me", "weights").text
    for number in range(70):
        both.router.route(ASKED[0], f"guest {number}")
    assert len(both.router._owners) == len(both.router._turns) == 64
    assert both.recall(ASKED[0], "me", "weights").text == before


def test_the_command_line_serves_its_owner_alone(both: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _environment(both.settings).items():
        if name.startswith("ENGRAIN_"):
            monkeypatch.setenv(name, value)
    for owner, other in (("me", "eve"), ("eve", "me")):
        for command in (["facts"], ["facts", "--json"], ["modules", "list"], ["status"], ["recall", ASKED[1]]):
            out = CliRunner().invoke(app, [*command, "--owner", owner]).stdout.lower()
            assert not any(secret in out for secret in SECRETS[other]), (owner, command, out)
            assert not any(module.id in out for module in both.modules(other))
