"""Every part of what was said is asked for, also where no grammar of ours knows it."""

from __future__ import annotations

import pytest

from engrain.memory.cues import cues


@pytest.mark.parametrize(
    ("said", "question", "answer"),
    [
        ("I still owe Tamsin for the theatre seats.", "Who do I owe for the theatre seats?", "Tamsin"),
        ("Our plumber wants two hundred quid up front.", "How much does our plumber want up front?", "two hundred quid"),
        ("My cousin Leo got onto a welding course in Wales.", "What kind of course did my cousin get onto in Wales?", "welding"),
        ("My scan got moved to half past nine on the sixth.", "What time did my scan get moved to on the sixth?", "half past nine"),
        ("The overnight coach to Krakow set me back ninety pounds.", "How much did the overnight coach to Krakow set me back?", "ninety pounds"),
        ("There's only nine of us left in the choir since the move.", "How many of us are left in the choir since the move?", "nine"),
        ("Had the puppy on the scales and he's twelve kilos.", "How heavy is the puppy?", "twelve kilos"),
        ("I run about five miles along the canal with my friend Ottilie.", "How far do I run along the canal with my friend Ottilie?", "five miles"),
        ("My tutor is only at the library on Mondays and Fridays.", "When is my tutor at the library?", "Mondays and Fridays"),
        ("My tutor is only at the library on Mondays and Fridays.", "Where is my tutor?", "at the library"),
        ("I've finished six rows of the scarf.", "How many rows have I finished?", "six"),
    ],
)
def test_what_is_left_out_is_asked_for(said: str, question: str, answer: str) -> None:
    assert (question, answer) in [(c.question, c.answer) for c in cues(said)]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("We swapped the old Polo for a van.", "Polo"),  # a part of a name makes no answer
        ("The warranty ends at the end of May.", "the end"),
        ("I walk the dog with my friend Ottilie.", "my friend"),
        ("My tutor is in on Mondays and Fridays.", "Mondays"),
        ("I save fifty pounds a month for a kayak.", "a month"),
    ],
)
def test_half_a_phrase_answers_nothing(said: str, answer: str) -> None:
    assert answer not in [c.answer for c in cues(said)]


def test_a_lone_hour_is_asked_for_as_a_time() -> None:
    assert ("What time is my piano lesson every Thursday?", "six") in [
        (c.question, c.answer) for c in cues("My piano lesson is every Thursday at six.")
    ]
