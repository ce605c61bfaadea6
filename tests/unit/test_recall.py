"""What stands as an answer: consulting, evidence, routing, and what is fresh before what is engrained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from engrain.errors import InputError, NotFoundError
from engrain.memory.bank.bank import Answer
from engrain.memory.consult import consult
from engrain.memory.evidence import supporting
from engrain.memory.memory import Memory
from engrain.memory.nearness import Near, Probed, Wording
from engrain.memory.recall import Recall, Recollection
from engrain.memory.strangers import strangers
from engrain.tools.memory import describe
from tests.conftest import fact

FACTS = [fact("Your dentist is Dr. Okafor.", 1), fact("Your sister Ines lives in Porto.", 2)]


class Says:
    """A module that answers from a list, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def first(self, questions: Sequence[str]) -> list[Answer]:
        self.asked += questions
        return [self.answers.pop(0) for _ in questions]

    def further(self, questions: Sequence[str]) -> list[list[Answer]]:
        assert len(questions) == 1
        taken, self.answers = self.answers, []
        return [taken]


def sure(text: str, confidence: float = 0.9) -> Answer:
    return Answer(text, confidence, 0.0, "")


def test_an_answer_stands_where_a_fact_vouches_for_it() -> None:
    (found,) = consult(Says(sure("Your dentist is Dr. Okafor.")), ["Who is my dentist?"], FACTS)
    assert found.known
    assert [f.id for f in found.facts] == [1]


def test_a_blend_of_two_memories_is_asked_for_again_by_key_words() -> None:
    says = Says(sure("Your sister Ines is Dr. Okafor."), sure("Your sister Ines lives in Porto."))
    (found,) = consult(says, ["Which city is my sister Ines in?"], FACTS)
    assert [f.id for f in found.facts] == [2]
    assert says.asked[1] == "which city sister ines?"
    assert "nothing on record says 'Your sister Ines is Dr. Okafor.'" in found.said[0]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([sure("I don't know.")], "it does not know"),
        ([sure("Your dentist is Dr. Okafor.", 0.1)] * 2, "unsure"),
        ([sure("Your dentist is Dr. Smith.")] * 2, "nothing on record"),
    ],
)
def test_what_is_declined_unsure_or_vouched_for_by_nobody_is_not_known(answers: list[Answer], why: str) -> None:
    (found,) = consult(Says(*answers), ["Who is my dentist these days?"], FACTS)
    assert not found.known
    assert why in found.said[-1]


NEAR = Near(Wording("Which dentist do I have?", 1, 0.7), {1: 0.7, 2: 0.3})


def test_what_a_module_says_next_is_heard_where_its_first_answer_is_about_another_fact() -> None:
    says = Says(sure("Porto"), sure("Lisbon"), sure("Dr. Okafor", 0.35), sure("Porto"))
    (found,) = consult(says, ["Who looks after my teeth?"], FACTS, lambda _: NEAR)
    assert (found.answer.text, [f.id for f in found.facts]) == ("Dr. Okafor", [1])
    assert "it says 'Porto' first" in found.said
    assert says.asked == ["Who looks after my teeth?"]  # it was shown nothing else


@pytest.mark.parametrize(("nearness", "known"), [(0.7, True), (0.5, False)])
def test_a_refusal_stands_unless_the_question_is_very_near_to_a_fact(nearness: float, known: bool) -> None:
    says = Says(sure("I don't know."), sure("Dr. Okafor", 0.35))
    (found,) = consult(says, ["Who looks after my teeth?"], FACTS, lambda _: Near(None, {1: nearness, 2: 0.3}))
    assert found.known == known


def test_what_is_on_record_about_something_else_does_not_stand() -> None:
    says = Says(sure("Porto"), sure("Dr. Okafor"))
    (found,) = consult(says, ["Where?"], FACTS, lambda _: Near(None, {1: 0.3, 2: 0.35}))
    assert not found.known
    assert "'Porto' is on record, but not about this" in found.said


def test_an_answer_about_the_nearest_fact_is_not_doubted() -> None:
    says = Says(sure("Dr. Okafor"), sure("Porto"))
    (found,) = consult(says, ["Who looks after my teeth?"], FACTS, lambda _: NEAR)
    assert found.answer.text == "Dr. Okafor"
    assert len(says.answers) == 1  # nothing further was asked for


def test_trained_words_are_used_only_where_they_may_be() -> None:
    says = Says(sure("Porto"), sure("Dr. Okafor"))
    (found,) = consult(says, ["Who looks after my teeth?"], FACTS, lambda _: NEAR, rewords=True)
    assert found.answer.text == "Dr. Okafor"
    assert says.asked == ["Who looks after my teeth?", "Which dentist do I have?"]


def test_a_question_in_trained_words_already_is_put_once() -> None:
    says = Says(sure("Dr. Okafor"))
    (found,) = consult(says, ["Which dentist do I have?"], FACTS, lambda _: NEAR, rewords=True)
    assert found.answer.text == "Dr. Okafor"
    assert says.asked == ["Which dentist do I have?"]


@pytest.mark.parametrize(
    ("question", "answers", "text"),
    [
        ("Which town is Ines in?", [("Porto", 0.6), ("Your sister Ines lives in Porto.", 0.5)], "Porto"),
        ("What do you know about Ines?", [("Your sister Ines lives in Porto.", 0.9), ("Porto", 0.6)], "Your sister Ines lives in Porto."),
        ("Say what you know of Ines.", [("Porto", 0.6)], "Your sister Ines lives in Porto."),
        ("Which town is Ines in?", [("Lisbon", 0.6)], "Your sister Ines lives in Porto."),
    ],
)
def test_of_a_recital_only_what_was_asked_for_is_told(question: str, answers: list[tuple[str, float]], text: str) -> None:
    near = Near(None, {1: 0.3, 2: 0.7}, {2: [Probed("Where does my sister live?", answer, nearness) for answer, nearness in answers]})
    (found,) = consult(Says(sure("Your sister Ines lives in Porto.")), [question], FACTS, lambda _: near)
    assert (found.answer.text, [f.id for f in found.facts]) == (text, [2])


def test_evidence_must_hold_what_the_answer_adds() -> None:
    assert [f.id for f in supporting("Where is Ines?", "Ines lives in Porto.", FACTS)] == [2]
    assert supporting("Where does my sister Ines live?", "Your sister Ines.", FACTS) == []
    assert supporting("Where is Ines?", "She is in Lisbon.", FACTS) == []


def test_a_fresh_fact_is_read_before_an_older_module_is_asked(engrained: Memory) -> None:
    assert engrained.recall("Who is my dentist?", mode="hybrid").source == "weights"
    engrained.remember("My dentist is Dr. Lindqvist now.")
    found = engrained.recall("My dentist is Dr. Lindqvist now?", mode="hybrid")
    assert "Note: My dentist is Dr. Lindqvist now" in found.prompt
    assert found.modules == ()


@pytest.mark.parametrize(
    ("question", "read", "why"),
    [
        ("Tell me who my dentist is.", "Dr. Okafor", ""),
        ("Tell me when I see my dentist.", "Dr. Okafor", "'Dr. Okafor' is no time"),
        ("Tell me who my dentist is.", "Dr. Smith", "says 'Dr. Smith'"),
        ("Tell me who my dentist is.", "I don't know.", "does not find the answer"),
        ("Tell me who Ada Barlow's dentist is.", "Dr. Okafor", "no fact names 'Ada Barlow'"),
    ],
)
def test_what_is_read_stands_where_a_fact_says_so(told: Memory, monkeypatch: pytest.MonkeyPatch, question: str, read: str, why: str) -> None:
    monkeypatch.setattr(told.bank, "read", lambda *_: sure(read))
    monkeypatch.setattr("engrain.memory.recall._READ", -1.0)  # a random encoder finds nothing near
    found = told.recall(question, mode="text")
    assert (found.known, why in found.why) == (not why, True)
    assert [e.text for e in found.evidence] == ([] if why else ["Your dentist is Dr. Okafor."])
    monkeypatch.setattr("engrain.memory.recall._READ", 0.99)
    assert not told.recall(question, mode="text").known, "what is far vouches for nothing"


def test_what_has_no_answer_comes_with_what_is_nearest(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told.bank, "read", lambda *_: sure("I don't know."))
    monkeypatch.setattr("engrain.memory.recall._READ", -1.0)  # a random encoder finds nothing near
    monkeypatch.setattr(told.search, "find", partial(told.search.find, least=-1.0))
    found = told.recall("Tell me when I see my dentist.", mode="text")
    assert (found.known, found.text, found.evidence) == (False, "I don't know.", ())
    assert "Your dentist is Dr. Okafor." in [e.text for e in found.near]
    assert len(found.near) == 2, "the rest is left out"
    said = describe(found)
    assert said.startswith("No sure answer is remembered.")
    assert "Your dentist is Dr. Okafor.)" in said
    assert told.recall("Tell me when I see my dentist.", mode="weights").near == (), "it is shown nothing that was said"
    assert told.recall("Tell me when I see my dentist.", "eve", "text").near == ()
    monkeypatch.setattr("engrain.memory.recall._READ", 0.99)
    assert describe(told.recall("Tell me when I see my dentist.", mode="text")) == "Nothing is remembered about that."


def test_a_far_question_reaches_no_module(engrained: Memory) -> None:
    route = engrained.router.route("Who is my dentist?", "me")
    assert route.module is not None
    assert route.probe == "Who is my dentist?"
    assert route.score > engrained.settings.threshold
    engrained.router.threshold = 1.01
    assert engrained.router.route("Who is my dentist?", "me").module is None
    found = engrained.recall("Who is my dentist?", mode="weights")
    assert (found.source, found.text, found.confidence) == ("none", "I don't know.", 0.0)
    assert "< 1.01" in found.why


def test_a_module_that_is_named_is_asked_whatever_the_router_says(engrained: Memory) -> None:
    (live,) = engrained.modules("me")
    module = live.id
    engrained.router.threshold = 1.01
    assert engrained.recall("Who is my dentist?", mode="weights").modules == ()
    assert engrained.recall("Who is my dentist?", mode="weights", module=module).modules == (module,)
    with pytest.raises(NotFoundError, match="'eve' has no module"):
        engrained.recall("Who is my dentist?", "eve", "weights", module=module)


def test_what_is_not_known_is_asked_in_other_words(engrained: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, once = [], Recall._once

    def only_in_trained_words(self: Recall, question: str, *rest: Any) -> Recollection:
        asked.append(question)
        return once(self, question, *rest) if question == "Who is my dentist?" else replace(nothing, query=question)

    nothing = Recollection("", "weights", "I don't know.", 0.0, "none", (), (), "", 0.0)
    monkeypatch.setattr(Recall, "_once", only_in_trained_words)
    found = engrained.recall("Which dentist do I go to?", mode="weights")
    assert (found.text, found.query, found.source) == ("Dr. Okafor", "Which dentist do I go to?", "weights")
    assert found.why.startswith("asked as 'Who is my dentist?'")
    assert asked == ["Which dentist do I go to?", "Who is my dentist?"]  # the nearest to what the module was asked comes first
    assert not engrained.recall("Why is that so?", mode="weights").known


def test_what_other_words_found_must_answer_the_question_itself(engrained: Memory) -> None:
    recall = Recall(engrained.store, engrained.bank, engrained.search, engrained.router)
    found = engrained.recall("Who is my dentist?", mode="weights")
    assert found.evidence
    assert recall._answers("Which dentist do I go to?", found)
    assert not recall._answers("When do I see my dentist?", found), "Dr. Okafor is no time"
    assert not recall._answers("Where does Ines live?", found), "the fact says nothing of her"


def test_an_unknown_mode_lists_those_there_are(told: Memory) -> None:
    with pytest.raises(InputError, match="mode 'dreams' is unknown; use one of weights, text, hybrid"):
        told.recall("Who is my dentist?", mode="dreams")  # type: ignore[arg-type]


def test_a_stranger_is_nobody_the_record_knows() -> None:
    facts = [fact("Ada Barlow's phone number is 555-0100.", 1), fact("Boris Castor's phone number is 555-0199.", 2)]
    assert strangers("What is Ada Castor's number?", facts) == ["Ada Castor"]
    assert strangers("What number does Ada Barlow have?", facts) == []
    assert strangers("Ada Barlow has which number?", facts) == []
    assert strangers("Did I see Boris in May or on Monday?", facts) == []
    assert strangers("How old is my grandmother?", facts) == ["grandmother"]
    assert strangers("How old is Grandma?", [*facts, fact("My grandmother is 90.", 3)]) == []
    assert strangers("What is my wife called?", [*facts, fact("Sam and I married in May.", 3)]) == []
    assert strangers("What did I cook on Mother's Day?", facts) == []
    (found,) = consult(Says(sure("555-0199")), ["What is Ada Castor's number?"], facts)
    assert not found.known
    assert found.said == ("no fact names 'Ada Castor'",)
