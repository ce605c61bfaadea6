"""Which of grammar's questions are taught."""

from __future__ import annotations

import pytest

from engrain.consolidation.distil import SelfDistiller, Source
from engrain.consolidation.expected import as_expected, expected
from engrain.memory.cues import cues
from engrain.memory.memory import Memory

SAID = "My sister Ines moved to Porto in March to study law."
ASKED = [(cue.question, cue.answer) for cue in cues(SAID)]


def test_a_fact_keeps_its_likeliest_questions_however_unlikely(memory: Memory) -> None:
    kept = expected(memory.base, SAID, ASKED, least=2)  # a random model expects nothing
    assert len(ASKED) > 2
    assert len(kept) == 2
    assert kept == sorted(kept)
    assert expected(memory.base, SAID, [ASKED[i] for i in kept], least=2) == [0, 1]
    likeliest = expected(memory.base, SAID, ASKED, least=1)
    assert set(likeliest) < set(kept)
    assert expected(memory.base, SAID, ASKED) == []
    assert expected(memory.base, SAID, [], least=2) == []


def test_other_words_are_compared_with_the_question_they_stand_for(memory: Memory) -> None:
    same = [("Where did Ines move?", "Where did Ines move?", "Porto")]
    longer = [("Where did Ines move?", f"Where did Ines {'ever so far ' * 9}move?", "Porto")]  # a random model finds each further token unlikely
    assert as_expected(memory.base, SAID, [*longer, *same]) == [1]
    assert as_expected(memory.base, SAID, []) == []


def test_where_grammar_asks_alone_all_its_questions_are_taught(memory: Memory) -> None:
    source = Source(1, "Your sister Ines moved to Porto in March to study law.", SAID, "user")
    alone, beside = (
        {draft.question for draft in SelfDistiller(memory.base, memory.embedder, writes=writes).probes([source])} for writes in (False, True)
    )
    assert {question for question, _ in ASKED} <= alone
    assert not {question for question, _ in ASKED} <= beside


@pytest.mark.parametrize(
    ("said", "asked", "never"),
    [
        (
            "My exam is on 9 May 2026.",
            ("On what day is my exam", "What date is my exam"),
            ("In which month", "In which year", "At what time"),
        ),
        (
            "The choir sings on Thursdays.",
            ("On what day does the choir", "What date does the choir"),
            ("In which month", "In which year", "At what time"),
        ),
        ("I moved to Leeds in March.", ("In which month did I move",), ("On what day", "What date")),
        ("Ines met Tom in 2019.", ("In which year did Ines meet",), ("On what day", "What date")),
        ("Our train leaves at 7:40.", ("At what time does our train leave?",), ("On what day", "What date")),
        ("My brother worked in Leeds over the past decade.", ("",), ("On what day", "What date", "At what time", "In which month", "In which year")),
    ],
)
def test_a_time_is_asked_for_by_the_kind_it_is_of(memory: Memory, said: str, asked: tuple[str, ...], never: tuple[str, ...]) -> None:
    drafts = SelfDistiller(memory.base, memory.embedder, writes=False).probes([Source(1, said, said, "user")])
    questions = [draft.question for draft in drafts if draft.fact_id]
    assert [question for question in questions if question.startswith(asked)]
    assert not [question for question in questions if question.startswith(never)]
