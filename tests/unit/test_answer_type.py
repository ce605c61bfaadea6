"""An answer of another kind than what is asked for is no answer."""

from __future__ import annotations

import pytest

from engrain.consolidation.distil import Source, _Asked, _asks_for_it
from engrain.evals.tasks.told import told
from engrain.memory.akin import akin
from engrain.memory.answer_type import answer_type, fits
from engrain.memory.evidence import fills, of_kind, supporting, vouching
from engrain.memory.memory import Memory
from engrain.memory.nearness import Nearness
from engrain.memory.schema import Probe, ProbeKind
from engrain.memory.strangers import strangers
from tests.conftest import fact


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When did I meet Oskar?", "time"),
        ("On which day do we meet?", "time"),
        ("How often do I water the tomatoes?", "time"),
        ("How much is our rent?", "amount"),
        ("What colour is the kitchen?", "colour"),
        ("In which city does Ines live?", "place"),
        ("Where does the woman who cuts my hair live?", "place"),
        ("Whose drill is it?", "person"),
        ("How do I open the lock?", "way"),
        ("Tell me about Ines.", "thing"),
    ],
)
def test_the_first_words_that_tell_decide(question: str, kind: str) -> None:
    assert answer_type(question) == kind


@pytest.mark.parametrize(
    ("question", "answer", "may"),
    [
        ("How many rooms does my flat have?", "mango-tren-77", False),
        ("How many tablets do I take?", "two B12 tablets", True),
        ("What is the wifi's number?", "mango-tren-77", True),
        ("When is the boiler serviced?", "Duncan Fife", False),
        ("When is the boiler serviced?", "every October", True),
        ("How many members has the chess club?", "At the Corner Library", False),
        ("How many members has the chess club?", "About thirty", True),
        ("What colour is the tortoise?", "In the garden shed", False),
        ("Who treats our cat?", "31 October", False),
        ("Who treats our cat?", "In Porto", False),
        ("Who treats our cat?", "May Lindqvist", True),
        ("Where did I meet Oskar?", "2016", False),
        ("Which room is Oskar in?", "417", True),
        ("Where does Ottilie live?", "At the moment", False),
        ("What time do I fetch Leo from judo?", "Thursdays", False),
        ("What time do I fetch Leo from judo?", "Half past five", True),
        ("At what time do we eat on Sundays?", "At noon", True),
        ("What time of year do we sail?", "May", True),
        ("What is the plumber's phone number?", "Nine hundred pounds", False),
        ("What is the plumber's phone number?", "0151 496 0123", True),
        ("What dose do I take?", "The doctor", False),
        ("What dose do I take?", "50 mg", True),
        ("How old is our cat?", "Two kilos", False),
        ("How much rent do we pay?", "A month", False),
        ("How much rent do we pay?", "nine hundred", True),
        ("How much does the gym cost?", "number 77", False),
        ("How much does the gym cost?", "27 euros a month", True),
        ("How old is our cat?", "Two", True),
        ("Where do I live?", "18 Marigold Lane", True),
        ("What does Oskar do?", "2016", False),
        ("What is my locker code?", "2016", True),
        ("Who did I meet in Rome?", "April", True),
        ("How long is the course?", "a week", True),
        ("When do I fly to Japan?", "150 pounds a month", False),
        ("What does Casimir do for a living?", "200 pounds", False),
        ("What did the canoe cost?", "A second-hand canoe", False),
        ("How old is Tamsin?", "Tuesday", False),
        ("What do I swallow each morning?", "Every morning", False),
        ("What do we eat on Sunday mornings?", "every Sunday", False),
        ("What are my days off?", "every Sunday", True),
        ("Who won the tournament?", "Third", False),
        ("How old is Tamsin?", "born in 1990", True),
        ("What is my locker code?", "4417", True),
        ("What is my passport number?", "November 2027", False),
        ("What is my passport number?", "GH 771204", True),
        ("How much do I earn?", "October 2026", False),
        ("How long have I worked here?", "Since October 2026", True),
        ("How many bedrooms has our house?", "1,450 euros a month", False),
        ("How many euros did the camera bring?", "240 euros", True),
        ("What does the cottage cost?", "In August", False),
        ("What did I sprain?", "Two years ago", False),
        ("What is my next appointment?", "Tuesday at nine", True),
        ("What is my daughter called?", "June", True),
        ("What is Yusra's husband called?", "A tree surgeon", False),
        ("What is Yusra's husband called?", "Emre", True),
        ("What is the name of the novel?", "A Room with a View", True),
        ("Who wrote The Glass Orchard?", "You are reading a novel called The Glass Orchard.", False),
        ("Who teaches me the cello?", "You take lessons with Madame Brossard.", True),
        ("Which company pays my salary?", "Brightwater", True),
    ],
)
def test_only_what_words_rule_out_does_not_fit(question: str, answer: str, may: bool) -> None:
    assert fits(question, answer) == may


@pytest.mark.parametrize(
    ("question", "other", "may"),
    [
        ("Who is Henrik getting married to?", "Where is Henrik getting married?", False),
        ("How much do I earn at Brightwater?", "When did I start at Brightwater?", False),
        ("What does Olivier eat?", "Where is Olivier?", False),
        ("What is Yusra's husband called?", "Where is Yusra's husband?", False),
        ("Which wrist did I sprain?", "When did I break my wrist?", False),
        ("Which garage keeps my tyres?", "Where are the winter tyres stored?", True),
        ("How many bedrooms does the cottage have?", "What is the code of the cottage?", False),
        ("What are my swimming days?", "When do I go swimming?", True),
        ("Where is my drill?", "Who did I lend my drill to?", True),
        ("Where do I park?", "Which number is my parking space?", True),
        ("How do I open the lock?", "What is the code of the lock?", True),
        ("Who is my tutor?", "What is the name of my tutor?", True),
    ],
)
def test_questions_of_different_kinds_have_no_answer_in_common(question: str, other: str, may: bool) -> None:
    assert akin(question, other) == akin(other, question) == may


def test_a_question_is_put_in_words_that_ask_for_the_same_kind(memory: Memory) -> None:
    cat = fact("Olivier lives in Antwerp.")
    probes = [
        Probe(owner="me", job_id=1, fact_id=1, kind=ProbeKind.CUE, question=asked, answer="Antwerp")
        for asked in ("Where is Olivier?", "Which town has Olivier?")
    ]
    near = Nearness(probes, {1: cat}, memory.embedder).near
    assert near("Where is Olivier?").wording.question == "Where is Olivier?"
    assert near("Who is Olivier?").wording is None


def test_no_right_answer_to_seven_hundred_questions_is_ruled_out() -> None:
    asked = [(question, fact.answers) for fact in told() for question in (*fact.ask, *fact.teach)]
    assert len(asked) == 700
    assert [(q, a) for q, answers in asked for a in answers[:1] if not fits(q, a)] == []


def test_what_a_fact_says_is_of_its_kind_whatever_the_words() -> None:
    dinner, cat = fact("We eat at Rosie's hour.", 1), fact("My cat is called 1984.", 2)
    assert not fits("What is my cat called?", "1984")
    assert of_kind("What is my cat called?", "1984", [cat])
    assert not of_kind("What is the kennel's phone number?", "20 pounds a night", [fact("The kennel charges 20 pounds a night.")])
    assert not of_kind("How much does the gym cost?", "number 77", [fact("My locker at the gym is number 77.")])
    assert not of_kind("What is my cat called?", "1984", [dinner])


@pytest.mark.parametrize(
    ("said", "question", "answer", "kept"),
    [
        ("My driving licence was stolen in Naples.", "Who stole my driving licence?", "in Naples", False),
        ("My driving licence was stolen in Naples.", "In which city was my driving licence stolen?", "in Naples", True),
        ("I water the tomatoes every other evening.", "What do I do to water the tomatoes?", "every other evening", False),
        ("My cello teacher is Madame Brossard.", "What is the name of Madame Brossard's mother?", "Madame Brossard", False),
        ("My cello teacher is Madame Brossard.", "What is the name of my cello teacher?", "Madame Brossard", True),
        ("Our kitchen is painted mustard yellow.", "What colour is our kitchen?", "mustard yellow", True),
        ("We moved into a small house in Leith.", "Who moved into a house?", "Leith", False),
        ("We moved into a small house in Leith.", "What is the name of the house?", "Leith", False),
        ("We moved into a small house in Leith.", "Which town did we move to?", "Leith", True),
    ],
)
def test_a_written_question_must_ask_for_what_the_grammar_sees(said: str, question: str, answer: str, kept: bool) -> None:
    assert _asks_for_it(Source(1, said, said, "user"), _Asked(0, question, answer)) == kept


@pytest.mark.parametrize(
    ("said", "question", "answer", "may"),
    [
        ("My friend Goran opened a record shop.", "What sort of business does Goran have?", "My friend", False),
        ("My friend Goran opened a record shop.", "What sort of business does Goran have?", "A record shop", True),
        ("My friend Goran opened a record shop.", "Who opened a shop?", "My friend Goran", True),
        ("I play the cello in an orchestra.", "Which instrument do I play?", "In an orchestra", False),
        ("I play the cello in an orchestra.", "Where do I play?", "In an orchestra", True),
        ("Our cat is called Olivier.", "Who treats our cat?", "Olivier", False),
        ("Our cat is called Olivier.", "What's the cat's name?", "Olivier", True),
        ("My dentist is Dr. Okafor.", "Which dentist do I go to?", "Dr. Okafor", True),
        ("My dentist is Dr. Okafor.", "Who looks after my teeth?", "Dr. Okafor", True),
        ("I planted three plum trees.", "How tall are the plum trees?", "Three", False),
        ("I planted three plum trees.", "How many trees are there?", "Three", True),
        ("I'm taking an evening course in Icelandic.", "Which language am I learning?", "Icelandic", True),
        ("My cousin Henrik is getting married in Lisbon.", "Who is Henrik getting married to?", "Your cousin", False),
        ("My cousin Henrik is getting married in Lisbon.", "Who is Henrik?", "Your cousin", True),
        ("I met Oskar at a pottery class.", "What class brought us together?", "At a pottery class", True),
        ("I sold my camera for 240 euros.", "How much did the camera bring?", "240 euros", True),
        ("Ada Barlow's phone number is 555-0100.", "I want to ring Ada Barlow. What do I dial?", "555-0100", True),
        ("Ada Barlow's phone number is 555-0100.", "Which digits reach Ada Barlow?", "555-0100", True),
        ("Mr. Duval lets us borrow his barrow.", "What is Mr. Duval's first name?", "Borrow his barrow", False),
        ("A hedgehog lives under our heap.", "Who is hiding beneath our heap?", "A hedgehog", True),
        ("I coach the juniors.", "Who do I coach?", "The juniors", True),
        ("My neighbour Mrs. Quill feeds our cat.", "What is our cat called?", "Your neighbour Mrs. Quill", False),
    ],
)
def test_an_answer_to_another_part_of_a_fact_is_none(said: str, question: str, answer: str, may: bool) -> None:
    assert fills(question, answer, fact(said)) == may


def test_trades_and_attributes_that_nobody_spoke_of_are_unknown() -> None:
    assert strangers("Who is our solicitor?", [fact("My accountant is Mr. Pellegrini.")]) == ["solicitor"]
    assert strangers("Who is our solicitor?", [fact("Our lawyer is Ms. Vance.")]) == []
    assert strangers("What is my favourite colour?", [fact("I painted the hall blue.")]) == ["favourite"]
    assert strangers("What is my favourite soup?", [fact("I love borscht.")]) == []
    hall, tea = fact("I painted the hall blue.", 1), fact("My favourite tea is assam.", 2)
    sister, ines = fact("My sister lives in Porto.", 3), fact("Ines is my sister.", 4)
    assert vouching("What is my favourite colour?", "Blue", [hall, tea]) == [], "what is my favourite was said of something else"
    assert vouching("Where does Ines live?", "Porto", [sister, ines]) == [sister], "another fact tells who she is"
    assert vouching("Where does Ada live?", "Porto", [sister, ines]) == []


def test_what_is_paid_as_one_thing_is_not_paid_as_another() -> None:
    deposit, flat = fact("We paid a deposit of 900 pounds.", 1), fact("We pay 900 pounds a month for the flat.", 2)
    assert vouching("How much is our rent?", "900 pounds", [deposit]) == []
    assert vouching("How much is our rent?", "900 pounds a month", [flat]) == [flat]
    assert vouching("How much was the deposit?", "900 pounds", [deposit]) == [deposit]


def test_what_is_said_of_a_cat_is_not_said_of_a_dog() -> None:
    cat, code = fact("Our cat is a grey Chartreux.", 1), fact("The alarm code at the bakery is 8841.", 2)
    assert vouching("What breed is my dog?", "A grey Chartreux", [cat]) == []
    assert vouching("What breed is my kitten?", "A grey Chartreux", [cat]) == [cat]
    assert vouching("What is the bakery's phone number?", "8841", [code]) == []
    assert vouching("What is the alarm code?", "8841", [code]) == [code]
    shed, canoe = fact("The combination of the garden shed is 5519.", 3), fact("I bought a canoe.", 4)
    assert vouching("What's the code for the garden shed?", "5519", [shed]) == [shed]
    assert vouching("Which boat did I buy?", "The canoe", [canoe]) == [canoe]


@pytest.mark.parametrize(
    ("question", "answer", "said", "may"),
    [
        ("What is Rosalind's surname?", "The dog", "Rosalind walks the dog.", False),
        ("What's Mr Odukoya's first name?", "My hedge trimmer", "My hedge trimmer went to Mr Odukoya.", False),
        ("What is Rosalind's surname?", "Achterberg", "Rosalind Achterberg walks the dog.", True),
        ("What is Teodor's wife called?", "Your brother Teodor", "My brother Teodor runs a bakery.", False),
        ("What is my brother called?", "Your brother Teodor", "My brother Teodor runs a bakery.", True),
        ("What is the soup called that my sister cooks?", "Ribollita", "My sister cooks a soup called ribollita.", True),
    ],
)
def test_a_name_is_one_that_the_question_did_not_say(question: str, answer: str, said: str, may: bool) -> None:
    assert of_kind(question, answer, [fact(said)]) == may


def test_an_answer_that_goes_round_in_circles_is_on_no_record() -> None:
    flour = fact("The flour comes from a mill.")
    assert supporting("What is the bakery called?", "The flour in your flour", [flour]) == []
    assert supporting("What comes from a mill?", "The flour", [flour]) == [flour]


def test_a_number_in_groups_is_told_whole() -> None:
    phone, day = fact("Elena Norwood's phone number is 723-835-1342.", 1), fact("The lease began on 2019-05-12.", 2)
    assert vouching("What number does Elena Norwood have?", "723", [phone]) == []
    assert vouching("What number does Elena Norwood have?", "723-835", [phone]) == []
    assert vouching("What number does Elena Norwood have?", "723-835-1342", [phone]) == [phone]
    assert supporting("What year did the lease begin?", "2019", [day]) == [day]
    two = fact("The clinic's number is 555-0100 and the pharmacy's is 555-0200.", 3)
    assert supporting("What number does the clinic have?", "555-0100", [two]) == [two], "both begin with 555"
    assert supporting("What number does the clinic have?", "0100", [two]) == []
