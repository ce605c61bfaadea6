"""Which of grammar's questions are taught."""

from __future__ import annotations

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
