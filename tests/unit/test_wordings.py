"""A question in other words asks for the same, of the same."""

from __future__ import annotations

import re

import pytest

from engrain.memory.wordings import other_words


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("What scares my dog?", "What is my dog afraid of?"),
        ("What do I want to build?", "What do I want to construct?"),
        ("What is Nimbus afraid of?", "What does Nimbus fear?"),
        ("Who do we rent from?", "Who is our landlady?"),
        ("Which dentist do I go to?", "Who is my dentist?"),
        ("What's my sister's profession?", "What does my sister do for a living?"),
        ("What do my parents do for a living?", "What is my parents' job?"),
        ("What is my parents' job?", "What do my parents do for a living?"),
        ("Who teaches me the cello?", "Who gives me the cello lessons?"),
        ("How big are my feet?", "What is my shoe size?"),
        ("Where did my camera go missing?", "Where did I lose my camera?"),
        ("Who lent me the drill?", "Who did I borrow the drill from?"),
        ("What position do I hold now?", "What was I promoted to?"),
        ("What's the price of the ticket?", "How much does the ticket cost?"),
        ("Where is my brother's home?", "Where does my brother live?"),
        ("Which shade is the hall?", "Which shade is the hallway?"),
        ("How old am I?", "What is my age?"),
        ("What did we pick for the hall?", "What did we choose for the hall?"),
        ("Who signs off on my expenses?", "Who approves my expenses?"),
        ("Who has fixed my lamp?", "Who has mended my lamp?"),
        ("When was the shop started?", "When was the shop begun?"),
        ("In which year was the shop started?", "In which year was the shop begun?"),
        ("When was I called?", "When was I phoned?"),
    ],
)
def test_the_same_is_asked_in_other_words(question: str, other: str) -> None:
    assert other in other_words(question)


@pytest.mark.parametrize(
    ("question", "who"),
    [
        ("Where does my sister live?", r"my sister"), ("What is our cat called?", r"our"), ("Who is my landlord?", r"my|I|me"),
        ("How much does the allotment cost?", r"the allotment"), ("When are my exams?", r"my (exams|tests)"), ("Who has my drill?", r"my drill"),
    ],
)  # fmt: skip
def test_names_and_owners_stay(question: str, who: str) -> None:
    others = other_words(question)
    assert others
    for other in others:
        assert re.search(rf"\b(?:{who})\b", other), other
        assert not re.search(r"\b[SOPTNX]\b", other), other


@pytest.mark.parametrize(
    ("question", "never"),
    [
        ("What did Tom break?", "What got broken?"),
        ("What do I want to build?", "What do I want construct?"),
        ("Who is Ada's neighbour?", "Who lives next door?"),
        ("What did my aunt lend Tom?", "What did Tom borrow?"),
        ("Where did Ada meet Leo?", "Where did Leo and I meet?"),
        ("What breed is our cat?", "What is our dog's breed?"),
        ("How much does the allotment cost?", "How much does the allotment price?"),
        ("Where is my little book?", "Where is my little reserve?"),
        ("What did I book for June?", "What did I novel for June?"),
        ("What have I been given?", "What keep I been given?"),
        ("What is my cat called?", "What is my cat phoned?"),
        ("When was the course started?", "When was the course began?"),
        ("In which year was the course started?", "In which year was the course began?"),
        ("Where was I when we started the shop?", "Where was I when we begun the shop?"),
        ("Where is the shop that my sister started?", "Where is the shop that my sister begun?"),
        ("What's my cat called?", "What's my cat phoned?"),
        ("What has my little cat been called?", "What has my little cat been phoned?"),
        ("What will the shop be called?", "What will the shop be phoned?"),
    ],
)
def test_of_whom_is_asked_is_never_left_out(question: str, never: str) -> None:
    others = other_words(question)
    assert others or "breed" in question
    assert never not in others
    assert "What got broken?" in other_words("What did I break?"), "of the asker one need not speak"


def test_what_may_ask_for_several_things_is_put_otherwise_only_to_try() -> None:
    assert "Who did I lend my drill to?" in other_words("Who has my drill?")
    assert other_words("Who has my drill?", sure=True) == []
    assert "Who has my drill?" in other_words("Who did I lend my drill to?", sure=True)


def test_nothing_is_made_up_for_what_the_tables_do_not_have() -> None:
    assert other_words("Why did the chicken cross?") == []
    assert other_words("") == []


def test_the_question_itself_is_no_other_wording() -> None:
    for question in ("What is my job?", "What's my job?", "Where are my keys?"):
        assert question not in other_words(question)
        assert "What is my job?" not in other_words("What's my job?")
