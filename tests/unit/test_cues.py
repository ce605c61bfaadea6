"""Questions by grammar."""

from __future__ import annotations

import pytest

from engrain.consolidation.cues import cues, topics


@pytest.mark.parametrize(
    ("said", "question", "answer"),
    [
        ("My piano lesson is every Thursday at six.", "When is my piano lesson?", "every Thursday at six"),
        ("My dentist is Dr. Okafor.", "Who is my dentist?", "Dr. Okafor"),
        ("My sister Ines lives in Porto.", "Where does my sister live?", "in Porto"),
        ("My sister Ines lives in Porto.", "What is my sister's name?", "Ines"),
        ("I'm allergic to cashews.", "What am I allergic to?", "cashews"),
        ("I drive a green Skoda Fabia.", "What do I drive?", "a green Skoda Fabia"),
        ("The grant report is due on 14 March.", "When is the grant report due?", "on 14 March"),
        ("I have a cat called Misha.", "What is my cat called?", "Misha"),
        ("Melanie ran a charity race on 20 May 2023.", "When did Melanie run a charity race?", "on 20 May 2023"),
        ("My brother bought a boat from Tom in 2025.", "Who did my brother buy a boat from?", "Tom"),
    ],
)
def test_a_part_of_the_statement_is_asked_for(said: str, question: str, answer: str) -> None:
    assert (question, answer) in [(c.question, c.answer) for c in cues(said)]


def test_questions_have_a_subordinate_form() -> None:
    forms = {c.indirect for c in cues("My sister Ines lives in Porto.")}
    assert "where my sister lives" in forms


def test_grammar_that_is_not_understood_gives_nothing() -> None:
    assert cues("Totally agree, Mel.") == []
    assert cues("") == []


def test_topics_lead_to_the_statement() -> None:
    assert topics("My piano lesson is every Thursday at six.")[0] == "my piano lesson"
    assert "Porto" in topics("My sister Ines lives in Porto.")
