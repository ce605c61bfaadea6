"""Questions that need two facts are asked in two steps, each of its own module."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engrain.consolidation.job import consolidate
from engrain.memory.hops import hops
from engrain.memory.memory import Memory
from engrain.settings import Settings


@pytest.mark.parametrize(
    ("question", "first", "answer", "vouching", "then"),
    [
        ("Where does my best friend live?", "my best friend", "Yusra", "Your best friend Yusra is loud.", "Where does Yusra live?"),
        ("Where does my sister live?", "my sister", "Your sister Ines lives in Porto.", "Your sister Ines lives in Porto.", "Where does Ines live?"),
        ("What does my sister's husband do?", "my sister", "Ines", "Your sister is Ines.", "What does Ines's husband do?"),
        ("Where does Ines's husband work?", "Ines's husband", "Rui Costa.", "Ines's husband is Rui Costa.", "Where does Rui Costa work?"),
        ("Which street is our vet on?", "our vet", "Your vet is Dr. Lindqvist.", "Your vet is Dr. Lindqvist.", "Which street is Dr. Lindqvist on?"),
        ("What's my partner's job?", "my partner", "Edda", "Your partner Edda snores.", "What's Edda's job?"),
        ("When is my friend's wedding?", "my friend", "Edda", "Your friend Edda snores.", "When is Edda's wedding?"),
        ("Where does Ines's husband work?", "Ines's husband", "Ines", "Ines's husband is tall.", None),
        ("Where does my sister live?", "my sister", "a baker", "Your sister is a baker.", None),
        ("Where does my sister live?", "my sister", "An architect", "Your sister is an architect.", None),
        ("Where does my sister work?", "my sister", "Porto", "Your brother lives in Porto.", None),
    ],
)
def test_a_description_gives_way_to_a_name_that_somebody_vouches_for(question: str, first: str, answer: str, vouching: str, then: str | None) -> None:
    steps = hops(question)
    assert steps is not None
    assert steps.first == f"What is the name of {first}?"
    name = steps.name(answer, [vouching])
    assert (name and steps.then(name)) == then


@pytest.mark.parametrize(
    "question",
    [
        "What is the name of my sister?",
        "How old am I?",
        "Where does Ines live?",
        "What colour is my car?",
        "My sister is ill.",
        "Where does my sister-in-law live?",
    ],
)
def test_where_nobody_is_described_there_is_one_step(question: str) -> None:
    assert hops(question) is None


def test_two_modules_answer_what_neither_knows_alone(tiny_settings: Callable[..., Settings]) -> None:
    memory = Memory(tiny_settings(facts_per_module=1))
    for note in ("My dentist is Dr. Okafor.", "Dr. Okafor lives in Porto."):
        memory.remember(note)
        assert consolidate(memory, "me").engrained_facts
    found = memory.recall("In which place does my dentist live?", mode="weights")
    assert (found.text, found.source) == ("Porto", "weights"), found
    assert [e.text for e in found.evidence] == ["Your dentist is Dr. Okafor.", "Dr. Okafor lives in Porto."]
    assert set(found.modules) == {m.id for m in memory.modules()}
    assert "'What is the name of my dentist?': 'Dr. Okafor'" in found.why
    assert not memory.recall("In which place does my dentist live?", "eve", "weights").known
