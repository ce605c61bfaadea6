"""Which of grammar's questions are taught."""

from __future__ import annotations

import pytest

from engrain.consolidation import distil
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


def test_a_long_fact_is_taught_in_parts_and_told_whole_only_where_there_are_none(memory: Memory) -> None:
    short = Source(1, "Your sister Ines moved to Porto in March to study law.", SAID, "user")
    asked = "My sister Ines moved to Porto in March to study law, and she shares a flat near the river with two nurses."
    long = Source(2, asked.replace("My", "Your"), asked, "user")
    mumbled = "Not that one then, all the way up and down again with nothing to show for it, as ever and always."
    unread = Source(3, mumbled, mumbled, "user")
    assert not cues(mumbled)
    drafts = SelfDistiller(memory.base, memory.embedder, writes=False).probes([short, long, unread])
    whole = [draft.fact_id for draft in drafts if draft.answer in {short.text, long.text, unread.text}]
    assert whole.count(1) == 1
    assert whole.count(2) == 0
    assert whole.count(3) >= 2
    assert sum(draft.fact_id == 2 for draft in drafts) >= 8


def test_an_answer_of_another_kind_is_not_taught_where_the_models_judge(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.base, "weigh", lambda _prefix, _prompt, ends: [-1.0] * len(ends))  # all is expected
    monkeypatch.setattr(distil, "asked_for", lambda _, asked: [at for at, (_, answer) in enumerate(asked) if answer != "to Porto"])
    source = Source(1, "Your sister Ines moved to Porto in March to study law.", SAID, "user")
    judged, alone = (
        {draft.question for draft in SelfDistiller(memory.base, memory.embedder, writes=writes).probes([source])} for writes in (True, False)
    )
    assert {"Where did my sister move?", "Where did Ines move?"} <= alone - judged
    assert "When did my sister move to Porto?" in judged


def test_the_base_model_is_not_asked_for_questions_that_no_part_could_answer(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    said, begun = "My sister moved to Porto in March.", []
    monkeypatch.setattr(memory.base, "complete", lambda _, prompts, *a, **k: begun.extend(prompts) or ["?"] * len(prompts))
    SelfDistiller(memory.base, memory.embedder).probes([Source(1, said, said, "user")])
    stems = {part: {p.rsplit(" ", 1)[1] for p in begun if f"Answer: {part}\n" in p} for part in ("to Porto", "in March")}
    assert {"Where", "What", "Which"} <= stems["to Porto"]
    assert "When" not in stems["to Porto"]
    assert {"When", "What", "Which"} == stems["in March"]


def test_other_words_that_are_not_expected_are_not_taught(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "My car insurance runs out in May."
    weighed: list[str] = []

    def weigh(_prefix: str, _prompt: str, ends: list[str]) -> list[float]:
        weighed.extend(ends)
        return [-40.0 if " end?" in end else -1.0 for end in ends]

    monkeypatch.setattr(memory.base, "weigh", weigh)
    questions = [draft.question for draft in SelfDistiller(memory.base, memory.embedder).probes([Source(1, said, said, "user")])]
    assert any(" end?" in end for end in weighed)
    assert not [question for question in questions if question.endswith(" end?")]
    assert "When does my car insurance run out?" in questions


@pytest.mark.parametrize(
    ("said", "asked", "never"),
    [
        ("My exam is on 9 May 2026.", {"On what day is my exam?", "What date is my exam?"}, ("In which", "At what")),
        ("My exam is on May 9th.", {"On what day is my exam?", "What date is my exam?"}, ("In which", "At what")),
        ("My exam is on the 9th.", {"On what day is my exam?", "What date is my exam?"}, ("In which", "At what")),
        ("The choir sings on Thursdays.", {"On what day does the choir sing?"}, ("What date", "At what")),
        ("I moved to Leeds in March.", {"In which month did I move to Leeds?"}, ("On what", "What date")),
        ("I moved to Leeds in March 2019.", {"In which month did I move to Leeds?"}, ("On what", "What date")),
        ("Ines met Tom in 2019.", {"In which year did Ines meet Tom?"}, ("On what", "What date")),
        ("Our train leaves at 7:40.", {"At what time does our train leave?"}, ("On what", "What date")),
        ("My shift ends at ten pm.", {"At what time does my shift end?"}, ("On what", "What date")),
        ("We eat on New Year's Day.", {"On what day do we eat?"}, ("What date", "At what")),
        ("The plumber came 3 days ago.", set(), ("On what", "What date", "At what", "In which")),
        ("My flight leaves at noon.", {"At what time does my flight leave?"}, ("On what", "What date")),
        ("My aunt visits at Christmas.", set(), ("On what", "What date", "At what", "In which")),
        ("My brother worked in Leeds over the past decade.", set(), ("On what", "What date", "At what", "In which month")),
    ],
)
def test_a_time_is_asked_for_by_the_kind_it_is_of(memory: Memory, said: str, asked: set[str], never: tuple[str, ...]) -> None:
    sources = [Source(1, said, said, "user")]
    questions = {
        draft.question
        for seed in range(4)
        for draft in SelfDistiller(memory.base, memory.embedder, seed, writes=False).probes(sources) if draft.fact_id
    }  # fmt: skip
    assert asked <= questions
    assert not [question for question in questions if question.startswith(never)]
