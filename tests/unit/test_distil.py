"""What the distiller takes of the questions that a small model writes."""

from __future__ import annotations

import pytest

from engrain.consolidation.distil import Asked, Source, understood


@pytest.mark.parametrize(
    ("fact", "question", "answer", "taken"),
    [
        ("I always fly with a little airline called Aurigny.", "What airline do I fly on?", "Aurigny", True),
        ("I always fly with a little airline called Aurigny.", "What airline does Anna fly on?", "Aurigny", False),  # who is Anna?
        ("My sister Ines lives in Porto.", "Which city is Ines's home in?", "Porto", True),
        ("My rent is 1,450 euros.", "How much is my rent?", "1,450 euros", True),
        ("I wrote my thesis about medieval bridges.", "How did I write my thesis?", "medieval bridges", False),
        ("My piano lesson is every Thursday at six.", "On what day is my piano lesson?", "every Thursday at six", True),
        ("The school play is on 12 December.", "What day is the school play on?", "12 December", True),
        ("The school play is on 12 December.", "Which day of the week is the school play?", "12 December", False),
        ("In 2025 our pumpkin won second prize.", "On what day did our pumpkin win?", "2025", False),
        ("My dentist is Dr. Okafor.", "Who is your dentist?", "Dr. Okafor", False),  # asked of the wrong person
    ],
)
def test_a_question_is_taken_only_if_it_can_be_meant_as_it_is_answered(fact: str, question: str, answer: str, taken: bool) -> None:
    assert understood(Source(1, fact, fact, "user"), Asked(0, question, answer)) == taken
