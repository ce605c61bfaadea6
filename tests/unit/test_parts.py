"""Which part of a fact is told: grammar says which may be, the base model which one is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engrain.memory.bank.prompt import READ, reading
from engrain.memory.evidence import vouching
from engrain.memory.memory import Memory
from engrain.memory.parts import Part, part_of
from tests.conftest import fact


class Finds:
    """A base model that finds some answers likely, and keeps what it was shown."""

    def __init__(self, likely: dict[str, float]) -> None:
        self.likely = likely
        self.shown: list[str] = []

    def weigh(self, prefix: str, prompt: str, answers: Sequence[str]) -> list[float]:
        self.shown += [prompt, *answers]
        return [self.likely.get(answer, -30.0) for answer in answers]


def part(base: Any, question: str, said: str) -> Part | None:
    return part_of(base, question, fact(said))


CANOE = "I bought a canoe from my uncle in May."


def test_the_likeliest_of_the_parts_that_may_be_meant_is_told() -> None:
    finds = Finds({"a canoe": -2.0, "my uncle": -1.0, "in May": -0.5})
    found = part(finds, "What did my uncle sell me?", CANOE)
    assert found is not None
    assert found.text == "A canoe"
    assert not {"my uncle", "in May"} & set(finds.shown), "neither somebody nor a time is what was sold"
    assert f"Note: {CANOE}" in finds.shown[0]


def test_a_part_is_told_in_the_voice_of_the_memory() -> None:
    found = part(Finds({"my uncle": -1.0}), "Who sold me the canoe?", CANOE)
    assert found is not None
    assert found.text == "Your uncle"
    surer = part(Finds({"my uncle": -0.1}), "Who sold me the canoe?", CANOE)
    assert surer is not None
    assert 0.5 < found.confidence < surer.confidence < 1


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("When did I sell my boat?", "Ines lives in Porto."),
        ("Who sold Ada the canoe?", CANOE),
        ("What is Leo's job?", "My cousin Leo plays chess."),
        ("Tell me about my canoe.", CANOE),
        ("Is my canoe from Porto?", CANOE),
        ("Who sold me the canoe?", "Totally agree, Mel."),
    ],
)
def test_nothing_is_chosen_where_nothing_was_said_or_no_part_is_asked_for(question: str, said: str) -> None:
    finds = Finds({"my uncle": -1.0, "a canoe": -1.0, "Ines": -1.0, "Porto": -1.0, "my cousin Leo": -1.0})
    assert part(finds, question, said) is None


@pytest.mark.parametrize(
    ("question", "said", "denied"),
    [
        ("What am I allergic to?", "I'm not allergic to cashews.", "cashews"),
        ("Where does my sister live?", "My sister doesn't live in Porto.", "in Porto"),
        ("What is my dog called?", "My dog isn't called Max.", "Max"),
        ("When is my appointment?", "My appointment is not on Tuesday.", "on Tuesday"),
        ("What can I eat?", "I can't eat pork.", "pork"),
        ("What is my locker code?", "My locker code is not 4417.", "4417"),
        ("Where do I live?", "If I lived in Rome, I would be happy.", "in Rome"),
    ],
)
def test_what_is_denied_or_only_supposed_is_not_told_as_if_it_were_so(question: str, said: str, denied: str) -> None:
    assert part(Finds({denied: -0.1, denied.split()[-1]: -0.1}), question, said) is None
    assert not vouching(question, denied, [fact(said)])


@pytest.mark.parametrize(
    ("question", "said", "told"),
    [
        ("What can't I eat?", "I can't eat pork.", "pork"),
        ("What should be left out of my food?", "I can't stand coriander.", "coriander"),
        ("What does Tony still have to give me?", "Tony hasn't paid me the forty quid.", "the forty quid"),
        ("What is my code?", "My code is 5521, not 4417.", "5521"),
        ("When is my trip to Porto?", "I can't wait for my trip to Porto in May.", "in May"),
        ("When does my flight leave?", "My flight doesn't leave until 9 June.", "until 9 June"),
        ("Where does my sister live?", "My sister lives in Porto, but I don't like her flat.", "in Porto"),
    ],
)
def test_what_is_so_beside_a_denial_is_vouched_for(question: str, said: str, told: str) -> None:
    assert vouching(question, told, [fact(said)])


def test_what_the_base_model_finds_unlikely_is_not_told() -> None:
    assert part(Finds({"my uncle": -12.0}), "Who sold me the canoe?", CANOE) is None


@pytest.mark.parametrize(
    ("question", "said", "meant", "told"),
    [
        ("What's the name of my blood pressure tablet?", "The GP has put me on losartan for my blood pressure.", "losartan", "Losartan"),
        ("What did the scales say for Bishop?", "Bishop weighs 1.9 kilos.", "1.9 kilos", "1.9 kilos"),
    ],
)
def test_what_grammar_would_ask_for_otherwise_is_told_where_it_is_much_likelier(question: str, said: str, meant: str, told: str) -> None:
    found = part(Finds({meant: -1.0}), question, said)
    assert found is not None
    assert found.text == told
    assert part(Finds({meant: -6.0}), question, said) is None
    asked = part(Finds({meant: -6.0}), "What has the GP put me on?" if meant == "losartan" else "How much does Bishop weigh?", said)
    assert asked is not None, "what is asked for as grammar would"


def test_answers_are_weighed_as_one_after_the_other(memory: Memory) -> None:
    base, answers = memory.base, ["Porto", "a green Skoda Fabia", "on 14 March"]
    prompt = reading(["My sister Ines lives in Porto."], "Where does Ines live?")
    ids = base.encode(READ) + base.encode(prompt)
    alone = base.answer_logprobs([ids] * 3, [base.encode(f" {answer}\n") for answer in answers])
    expected = [sum(one.logprobs) for one in alone]
    assert base.weigh(READ, prompt, answers) == pytest.approx(expected, rel=1e-4)
    assert base.weigh(READ, prompt, answers[1:2]) == pytest.approx(expected[1:2], rel=1e-4)


def test_a_part_of_the_nearest_fact_is_told_before_a_module_is_asked(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engrain.memory.recall._PART", -1.0)  # a random encoder finds nothing near
    monkeypatch.setattr(told.base, "weigh", lambda _, __, answers: [-1.0] * len(answers))
    found = told.recall("Who is my dentist?")
    assert (found.text, found.source, found.modules) == ("Dr. Okafor", "facts", ())
    assert [e.text for e in found.evidence] == ["Your dentist is Dr. Okafor."]
    assert not told.recall("Who is Ada's dentist?").known, "nobody spoke of Ada"
    monkeypatch.setattr("engrain.memory.recall._PART", 0.9999)
    assert "part of" not in told.recall("Who might be my dentist?").why, "what is far is not chosen from"
