"""How people really say things: clauses by the parser, and whom pronouns mean."""

from __future__ import annotations

import pytest

from engrain.errors import ChecksumError, ModelError
from engrain.memory import parser
from engrain.memory.answer_type import AnswerType
from engrain.memory.cues import cues
from engrain.memory.phrases import phrases_in
from engrain.memory.syntax import clauses_in


@pytest.mark.parametrize(
    ("said", "question", "answer"),
    [
        ("Last spring I finally walked the Ridgeway with my old flatmate Moira.", "Who did I walk the Ridgeway with?", "my old flatmate Moira"),
        ("Last spring I finally walked the Ridgeway with my sister.", "When did I walk the Ridgeway with my sister?", "last spring"),
        ("My son-in-law Idris has just been taken on as a welder.", "What has my son-in-law been taken on as?", "a welder"),
        ("Honestly, the tax return is due on the thirtieth and I've barely started it.", "When is the tax return due?", "on the thirtieth"),
        ("We drove to Ghent in April and rented a blue tandem.", "What did we rent?", "a blue tandem"),
        ("The optician says I need new reading glasses.", "What do I need?", "new reading glasses"),
        ("My nephew Rory doesn't like olives.", "What doesn't Rory like?", "olives"),
        ("I lost my best umbrella on the tram. Nan had bought it.", "Who had bought my best umbrella?", "Nan"),
        ("They've put me on a team for a Danish bank. It runs until March.", "Until when does the team run?", "March"),
        ("Our cousins, Pia and Lars, arrive on Friday.", "What are our cousins called?", "Pia and Lars"),
        ("The ferry cost us ninety-five pounds each way.", "How much did the ferry cost us?", "ninety-five pounds each way"),
        ("Gran is eighty-eight. She still swims.", "How old is Gran?", "eighty-eight"),
        ("My drive to work takes about forty minutes.", "How long does my drive to work take?", "forty minutes"),
        ("My neighbour's cockerel wakes the whole street.", "Whose cockerel wakes the whole street?", "my neighbour's"),
        ("I've read nine novels so far this year.", "How many novels have I read?", "nine"),
        ("Priya's borrowed my tent for the festival.", "What has Priya borrowed?", "my tent"),
        ("Dr Osei is my physio. Her practice is above the chemist.", "Who is my physio?", "Dr Osei"),
        ("Dr Osei is my physio. Her practice is above the chemist.", "Where is Dr Osei's practice?", "above the chemist"),
        ("Tom and I are building a shed out of old doors.", "What are Tom and I building a shed out of?", "old doors"),
        ("I've been to Peru twice but I've never seen Lima.", "How often have I been to Peru?", "twice"),
        ("The blue mug belongs to Torvald.", "Who does the blue mug belong to?", "Torvald"),
        ("My choir meets above the bakery.", "Where does my choir meet?", "above the bakery"),
        ("Domino the rabbit weighs three kilos.", "What does Domino weigh?", "three kilos"),
        ("Ottilie in payroll is the one who signs my timesheets.", "Who signs my timesheets?", "Ottilie"),
        ("Rhys from next door waters my tomatoes when I'm away.", "Who waters my tomatoes?", "Rhys"),
        ("Oh, and left my gloves on the bus to Hove.", "What did I leave on the bus to Hove?", "my gloves"),
        ("So I rented a tandem.", "What did I rent?", "a tandem"),
        ("Well Lane is my new address.", "What is Well Lane?", "my new address"),
        ("We chose the tiles, a dark blue, from a shop in Frome.", "What did we choose the tiles from?", "a shop in Frome"),
        ("We're sailing to Bilbao in May, from Portsmouth this time.", "Where are we sailing to Bilbao in May from?", "Portsmouth"),
        ("Gran turns ninety in June and all she wants is a hammock.", "What does Gran want?", "a hammock"),
        ("I'll call Tom when the results are known.", "When will I call Tom?", "when the results are known"),
        ("My sister is well known.", "What is my sister?", "well known"),
        ("I saw Alien: Covenant in Leeds.", "Where did I see Alien: Covenant?", "in Leeds"),
        ("My office is on the lower level.", "Where is my office?", "on the lower level"),
        ("My glasses are in the black case.", "Where are my glasses?", "in the black case"),
    ],
)  # fmt: skip
def test_what_people_say_is_asked_for(said: str, question: str, answer: str) -> None:
    assert (question, answer) in [(c.question, c.answer) for c in cues(said)]


@pytest.mark.parametrize(
    ("said", "never"),
    [
        ("I've got a cat called Misha. He came from a shelter.", "Who came from a shelter? he"),
        ("The dentist says I need a crown.", "What does the dentist say?"),
        ("Desmond from accounts borrowed my stapler.", "What does Desmond from account?"),
        ("I've read nine novels so far this year.", "What do I have?"),
        ("Others had translated the book into German.", "Who had translated the book into German? Others"),
        ("Small models show a remarkable ability known as in-context learning.", "What do Small models show? a remarkable ability known"),
        ("The trainees learn at the token level.", "Where do the trainees learn? at the token level"),
        ("We consider two kinds of pipes in this study.", "Where do we consider two kinds of pipes? in this study"),
        ("§3.2 shows the effect on arithmetic.", "What does 3.2 show?"),
        ("§3.2 shows the effect on arithmetic.", "What does §3.2 show?"),
        ("Whoever speaks plainly wins the vote.", "What does Whoever win?"),
        ("The pump fails in some cases.", "Where does the pump fail? in some cases"),
        ("§3.2 shows the effect on arithmetic.", "What shows the effect on arithmetic? §3.2"),
    ],
)
def test_what_makes_no_sense_is_not_asked(said: str, never: str) -> None:
    found = cues(said)
    assert never not in [c.question for c in found] + [f"{c.question} {c.answer}" for c in found]


def test_pages_and_full_stops_are_in_no_question() -> None:
    for said in ("AC and NC, which are defined using circuits.", "Rosa painted the tower.:79 She lived in Prague."):
        found = cues(said)
        assert found
        assert not [c for c in found if " ." in c.question or ":7" in c.question + c.answer]


def test_no_question_goes_on_behind_a_colon() -> None:
    for said in ("We brought three things to the lake: a tent, a stove and a rope.", "The pope met her in Victory Square: a large crowd came."):
        found = cues(said)
        assert found
        assert not [c for c in found if ":" in c.question or c.answer.endswith(":")]
    asked = {c.question: c.answer for c in cues("Our train leaves at 7:40 from platform 2.")}
    assert "7:40" in asked["When does our train leave?"]
    assert any("7:40" in question for question in asked)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("I hardly ever drink coffee.", "coffee"),
        ("I no longer work at the bank.", "at the bank"),
        ("Nobody likes my soup.", "my soup"),
        ("My boss rarely answers emails.", "emails"),
    ],
)
def test_what_is_hardly_so_is_not_told_as_if_it_were(said: str, answer: str) -> None:
    assert answer not in [c.answer for c in cues(said)]


@pytest.mark.parametrize(
    ("said", "question", "answer"),
    [
        ("I never eat meat.", "What don't I eat?", "meat"),
        ("My boss never answers emails.", "What doesn't my boss answer?", "emails"),
        ("I'm not eating sugar.", "What aren't I eating?", "sugar"),
        ("We never saw the castle.", "What didn't we see?", "the castle"),
    ],
)
def test_what_is_never_done_is_asked_for_as_such(said: str, question: str, answer: str) -> None:
    assert [(question, answer)] == [(c.question, c.answer) for c in cues(said) if not c.reversed]


@pytest.mark.parametrize("number", ["921-818-8375", "854-804-2018", "470-634-1994", "292-765-1780"])
def test_a_telephone_number_is_whole_and_no_year(number: str) -> None:
    asked = {c.question: c.answer for c in cues(f"Nadia Ingram's phone number is {number}.")}
    assert asked["What is Nadia Ingram's phone number?"] == number
    assert "When is Nadia Ingram's phone number?" not in asked


def test_he_is_no_sister_and_she_no_brother() -> None:
    asked = {c.question: c.answer for c in cues("My sister met Tom in Rome. He is a doctor.")}
    assert asked["What does Tom do for a living?"] == "a doctor"
    assert "What is my sister's job?" not in asked
    asked = {c.question: c.answer for c in cues("My brother knows Eve. She plays chess. Her flat is in Leeds.")}
    assert asked["What does Eve play?"] == "chess"
    assert asked["Where is Eve's flat?"] == "in Leeds"
    assert "What does my brother play?" not in asked


@pytest.mark.parametrize(
    ("said", "question", "answer", "never"),
    [
        ("Ines bought a canoe. It leaks near the stern.", "Where does the canoe leak?", "near the stern", "Where does Ines leak?"),
        ("I bought a canoe from Tom. He lives in Leeds.", "Where does Tom live?", "in Leeds", "Where does my canoe live?"),
        ("We adopted a kitten. She sleeps in the bath.", "Where does our kitten sleep?", "in the bath", ""),
        ("Odette hates mushrooms. They taste like socks.", "What do mushrooms taste like?", "socks", ""),
        ("My new team lead is Ottilie. She moved over from York.", "Where did Ottilie move over from?", "York", "Where did she move over from?"),
        ("I booked the ferry to Bilbao. It leaves at noon.", "When does the ferry to Bilbao leave?", "at noon", ""),
        ("We swapped the old Polo for a van. It's green.", "What is the van?", "green", "What is the old Polo?"),
        ("I'm halfway through a book about Nansen. Aunt Jo gave it to me.", "Who gave the book to me?", "Aunt Jo", ""),
        ("My nurse gave me a stretch. I should do it twice a day.", "How often should I do the stretch?", "twice a day", ""),
    ],
)
def test_a_pronoun_means_somebody_or_something(said: str, question: str, answer: str, never: str) -> None:
    asked = {c.question: c.answer for c in cues(said)}
    assert asked.get(question) == answer
    assert never not in asked


def test_a_clause_stands_for_itself() -> None:
    (clause,) = clauses_in("Next May I'm finally seeing Ines, if all goes well.")[:1]
    assert (clause.subject, clause.verb, clause.rest, clause.times, clause.pronoun) == ("I", "am", ("seeing", "Ines"), ("next May",), True)
    assert clauses_in("Totally!") == []


def test_noun_phrases_come_with_what_belongs_to_them_and_without() -> None:
    found = {phrase.text for phrase in phrases_in("I keep the spare key in a tin behind the shed.")}
    assert {"the spare key", "a tin behind the shed", "a tin", "the shed"} <= found
    kinds = {phrase.text: phrase.kind for phrase in phrases_in("Ines moved from Porto to Berlin on Friday.")}
    assert (kinds["Porto"], kinds["Friday"]) == (AnswerType.PLACE, AnswerType.TIME)
    assert phrases_in("") == ()


def test_a_parser_that_is_not_the_one_it_should_be_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "_SHA256", "0" * 64)
    parser._parser.cache_clear()
    try:
        with pytest.raises(ChecksumError, match="install the package anew"):
            clauses_in("My dog is called Biscuit.")
        monkeypatch.setattr(parser, "_PACKAGE", "en_core_web_nowhere")
        with pytest.raises(ModelError, match="install engrain again"):
            clauses_in("My dog is called Biscuit.")
    finally:
        parser._parser.cache_clear()


@pytest.mark.parametrize(
    "said", ["I'm not allergic to cashews.", "I am really not allergic to cashews.", "If I were allergic to cashews, I would say so."]
)
def test_nothing_is_asked_as_if_it_were_so_that_is_not(said: str) -> None:
    assert not [c for c in cues(said) if c.answer == "cashews" and "n't" not in c.question]
