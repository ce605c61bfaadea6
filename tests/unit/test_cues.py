"""Questions by grammar."""

from __future__ import annotations

import pytest

from engrain.memory.cues import cues, topics


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
        ("Our twins are called Ida and Max.", "What are our twins called?", "Ida and Max"),
        ("Our twins are called Ida and Max.", "What is the name of our twins?", "Ida and Max"),
        ("My manager there is called Priya Raman.", "What is my manager there called?", "Priya Raman"),
        ("My bicycle was stolen in Oslo.", "Where was my bicycle stolen?", "in Oslo"),
        ("The course is taught by Sigrun Hall.", "Who is the course taught by?", "Sigrun Hall"),
        ("I want to paint the hall in dark red.", "What colour do I want to paint the hall in?", "dark red"),
        ("My aunt lives in Orange.", "Where does my aunt live?", "in Orange"),
        ("I met Oskar in Rome.", "Who did I meet?", "Oskar"),
        ("Our hall is painted dark red.", "What is our hall painted?", "dark red"),
        ("My desk is on the fifth floor, right by the window.", "Where is my desk?", "on the fifth floor"),
        ("Our rent is 1,450 euros a month.", "How much is our rent?", "1,450 euros a month"),
        ("Tom owes me 60 pounds.", "What does Tom owe me?", "60 pounds"),
        ("I gave Dad a kite for his birthday.", "What did I give Dad?", "a kite"),
        ("Our cat is a grey Persian named Lord.", "What is our cat called?", "Lord"),
        ("I can't stand coriander.", "What can't I stand?", "coriander"),
        ("We rented a hut near Bergen in July.", "Where did we rent a hut?", "near Bergen"),
        ("I stayed in a hut near Bergen.", "Where did I stay?", "in a hut near Bergen"),
        ("I got the cat from a shelter in Antwerp.", "What did I get the cat from?", "a shelter in Antwerp"),
        ("My cousin Tom is getting married in Rome next spring.", "Where is Tom getting married?", "in Rome"),
        ("My cousin Tom is getting married in Rome next spring.", "When is Tom getting married in Rome?", "next spring"),
        ("I broke my arm skiing two winters ago.", "What did I break?", "my arm"),
        ("I broke my arm skiing two winters ago.", "When did I break my arm?", "two winters ago"),
        ("I get paid on the 25th of every month.", "When do I get paid?", "on the 25th of every month"),
        ("The boiler gets serviced by a guy named Tom Hale.", "Who does the boiler get serviced by?", "Tom Hale"),
        ("I sail with a firm called Corsair.", "What do I sail with?", "Corsair"),
        ("The key is under the mat.", "Where is the key?", "under the mat"),
        ("My osteopath is Dr. Silva on Mill Street.", "Who is my osteopath?", "Dr. Silva"),
        ("Our hall is painted dark red.", "What colour is our hall?", "dark red"),
        ("My bag has a lock, the code is 739.", "What is the code of my bag?", "739"),
        ("The boys learn Danish with a tutor named Ole.", "What do the boys learn?", "Danish"),
        ("Ann and Ben have just had a baby.", "What have Ann and Ben had?", "a baby"),
        ("I pay 9 euros a month for music.", "How much do I pay for music?", "9 euros a month"),
        ("My number ends in 8841.", "What does my number end in?", "8841"),
        ("I want to paint the hall in sage green.", "What do I want to paint?", "the hall"),
        ("I lent my drill to Tom.", "Who did I lend my drill to?", "Tom"),
        ("My shoes are size 43.", "What size are my shoes?", "size 43"),
    ],
)
def test_a_part_of_the_statement_is_asked_for(said: str, question: str, answer: str) -> None:
    assert (question, answer) in [(c.question, c.answer) for c in cues(said)]


@pytest.mark.parametrize(
    ("said", "question", "answer"),
    [
        ("My sister Ines lives in Porto.", "Who lives in Porto?", "my sister Ines"),
        ("My dentist is Dr. Okafor.", "Who is Dr. Okafor?", "my dentist"),
        ("The heater runs on paraffin.", "What runs on paraffin?", "the heater"),
    ],
)
def test_a_statement_is_asked_from_its_other_end(said: str, question: str, answer: str) -> None:
    assert (question, answer) in [(c.question, c.answer) for c in cues(said) if c.reversed]


def test_a_name_in_passing_belongs_to_what_it_names() -> None:
    questions = [c.question for c in cues("Our vegetable box comes from a farm called Applewick.")]
    assert "What is the farm called?" in questions
    assert "What is my farm called?" not in questions


def test_questions_have_a_subordinate_form() -> None:
    forms = {c.indirect for c in cues("My sister Ines lives in Porto.")}
    assert "where my sister lives" in forms


def test_grammar_that_is_not_understood_gives_nothing() -> None:
    assert cues("Totally agree, Mel.") == []
    assert cues("") == []


def test_topics_lead_to_the_statement() -> None:
    assert topics("My piano lesson is every Thursday at six.")[0] == "my piano lesson"
    assert "Porto" in topics("My sister Ines lives in Porto.")


def test_what_stands_before_the_subject_is_asked_for_too() -> None:
    asked = {c.question: c.answer for c in cues("In May I'm going to a conference in Krakow.")}
    assert asked["When am I going to a conference in Krakow?"] == "in May"
    assert asked["Where am I going?"] == "in Krakow"
    assert {c.question for c in cues("On our honeymoon we went to Zanzibar.")} >= {"Where did we go?"}
    assert [c.question for c in cues("This is my sister.")] == [c.question for c in cues("This is my sister")]
