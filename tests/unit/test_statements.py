"""What a message states, in whose voice, and when."""

from __future__ import annotations

import time
from datetime import date, datetime

import pytest
from sqlmodel import select

from engrain.memory.dates import parse_date, resolve
from engrain.memory.memory import Memory
from engrain.memory.schema import Message, day_of
from engrain.memory.statements import statements
from engrain.memory.voice import told

DAY = date(2026, 11, 20)  # a Friday


def texts(content: str, speaker: str = "user", listener: str | None = None) -> list[str]:
    return [s.text for s in statements(content, speaker, DAY, listener)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("My dentist is Dr. Okafor.", ["Your dentist is Dr. Okafor."]),
        ("Hey! By the way, I'm allergic to cashews. What can I eat?", ["You are allergic to cashews."]),
        ("My sister Ines lives in Porto, and I drive a Skoda.", ["Your sister Ines lives in Porto.", "You drive a Skoda."]),
        ("Please remember that my locker code is 4417.", ["Your locker code is 4417."]),
        ("I adopted a beagle. He is called Biscuit.", ["You adopted a beagle. He is called Biscuit."]),
        ("My niece broke her wrist. She'll be in plaster.", ["Your niece broke her wrist. She'll be in plaster."]),
        ("The spare key is under the blue flowerpot.", ["The spare key is under the blue flowerpot."]),
        ("Yusra works as a tree surgeon.", ["Yusra works as a tree surgeon."]),
        ("Rocket is afraid of umbrellas.", ["Rocket is afraid of umbrellas."]),
        ("Rocket sleeps on the green armchair.", ["Rocket sleeps on the green armchair."]),
        ("Sunniva and I met in Glasgow.", ["Sunniva and you met in Glasgow."]),
        ("My brother and I share a boat, and I sail it.", ["Your brother and you share a boat.", "You sail it."]),
        ("We sold the boat, and my brother and I bought a car.", ["You sold the boat.", "Your brother and you bought a car."]),
        ("It rained all day and I stayed at home.", ["You stayed at home."]),
        ("Ines left and I watched a film.", ["You watched a film."]),
        ("Scores fell in Leeds (Brown et al., 2020; Tay, 2022).", ["Scores fell in Leeds (Brown et al., 2020; Tay, 2022)."]),
        ("We met Harold L. Neal in Leeds.", ["You met Harold L. Neal in Leeds."]),
        ("I live in Flat B. The red door sticks in winter.", ["You live in Flat B.", "The red door sticks in winter."]),
        ("(The lake was called Tenggis by the Mongols. I swam in Leeds.)", ["The lake was called Tenggis by the Mongols.", "You swam in Leeds."]),
        ("The court upheld the US Constitution, my aunt told us.", ["The court upheld the US Constitution, your aunt told you."]),
        ("I ate a fig. My aunt Rosa grows them.", ["You ate a fig.", "Your aunt Rosa grows them."]),
        ("Fig. 3 shows the harbour of Leeds.", ["Fig. 3 shows the harbour of Leeds."]),
        ("I moved to Leeds :)", ["You moved to Leeds :)."]),
        ("Okafor et al. (2021) saw it in Leeds.", ["Okafor et al. (2021) saw it in Leeds."]),
        ("I adopted a beagle [a photo of a dog] , called Biscuit.", ["You adopted a beagle, called Biscuit."]),
        ("Booked the narrowboat! Five nights, couldn't stretch to a week.", ["Booked the narrowboat! Five nights, couldn't stretch to a week."]),
        ("I bought the cargo bike. In mustard.", ["You bought the cargo bike. In mustard."]),
        ("Boiler man's been. Two hundred quid.", ["Boiler man's been. Two hundred quid."]),
        ("We got the allotment! Plot 52B, by the water.", ["You got the allotment! Plot 52B, by the water."]),
        ("New boss starts Monday. Perpetua Lindqvist.", ["New boss starts Monday. Perpetua Lindqvist."]),
        ("Dad can't have grapefruit because of his pills.", ["Dad can't have grapefruit because of his pills."]),
        ("Pickle the cat weighs six kilos.", ["Pickle the cat weighs six kilos."]),
        ("Running can really boost your mood.", []),
        ("Bet the atmosphere was incredible.", []),
        ("Thanks! Five of us live in Leeds.", ["Five of you live in Leeds."]),
        ("I saw Ines. In June we fly to Porto.", ["You saw Ines.", "In June you fly to Porto."]),
        ("I know Jon. With your drive, your studio in Leeds will grow.", ["You know Jon.", "With your drive, your studio in Leeds will grow."]),
        ("The Shah was in Leeds. In 2015 Obama visited Kenya.", ["The Shah was in Leeds.", "In 2015 Obama visited Kenya."]),
        ("My aunt Rosa called. <3", ["Your aunt Rosa called."]),
        ("Everything was great yesterday evening.", []),
        ("Sounds like a wonderful evening.", []),
        ("That's right, the weather.", []),
        ("Wow, that's cool! Thanks!", []),
        ("Where does my sister live?", []),
        ("You are wrong about that.", []),
    ],
)
def test_what_is_worth_remembering(said: str, expected: list[str]) -> None:
    assert texts(said) == expected


def test_a_named_speaker_is_told_of_in_the_third_person() -> None:
    assert texts("I drink café crème.", "José") == ["José drinks café crème."]
    assert texts("I love my job and I've met your brother.", "Gina", "Jon") == ["Gina loves Gina's job.", "Gina has met Jon's brother."]
    assert texts("My aunt met us in the US.", "Gina") == ["Gina's aunt met Gina in the US."]


def test_a_statement_knows_where_it_was_said() -> None:
    message = "Hi there! My bike is red. Bye!"
    (found,) = statements(message, "user", DAY)
    assert message[found.start : found.end].strip() == "My bike is red."
    assert found.said_on == DAY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I went there yesterday.", "I went there on 19 November 2026."),
        ("We moved here last year.", "We moved here in 2025."),
        ("I start next month.", "I start in December 2026."),
        ("She called last Tuesday.", "She called on 17 November 2026."),
        ("I saw it three weeks ago.", "I saw it in the week of 30 October 2026."),
        ("Last year our pumpkin won.", "In 2025 our pumpkin won."),
        ("We meet on the last Monday.", "We meet on the last Monday."),
        ("It is due by next Thursday.", "It is due by 26 November 2026."),
        ("From yesterday our bees live there.", "From 19 November 2026 our bees live there."),
        ("The code changed as of this morning.", "The code changed as of 20 November 2026."),
        ("I have lived here since last year.", "I have lived here since 2025."),
        ("Yesterday's lunch was cold.", "19 November 2026's lunch was cold."),
        ("Nothing relative here.", "Nothing relative here."),
        ("I quit about a year ago.", "I quit in 2025."),
        ("I slept. Today I run.", "I slept. On 20 November 2026 I run."),
        *(
            (said, said)
            for said in (
                "My parents married twenty-five years ago.",
                "They married thirty five years ago.",
                "I moved here 1.5 years ago.",
                "I started two or three years ago.",
                "I've been vegetarian for the last year.",
                "This is my last year of school.",
                "We met over the last month.",
                "The last week was hard.",
                "I read USA Today.",
                "I subscribe to Psychology Today.",
                "She was born sixty two years ago.",
            )
        ),
    ],
)
def test_relative_dates_become_absolute(text: str, expected: str) -> None:
    assert resolve(text, DAY) == expected


def test_dates_are_read_in_several_forms() -> None:
    assert parse_date("1:56 pm on 8 May, 2023").isoformat() == "2023-05-08T13:56:00+00:00"
    assert parse_date("2026-11-23T14:00:00+02:00").isoformat() == "2026-11-23T12:00:00+00:00"
    with pytest.raises(ValueError, match="'soon' is no date"):
        parse_date("soon")
    with pytest.raises(ValueError, match="not between the years 1000 and 9000"):
        parse_date("0001-01-01T00:00:00+05:00")


@pytest.mark.parametrize("zone", ["HERE-14", "HERE+11"])
def test_today_is_the_day_it_is_where_one_is(memory: Memory, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        (fact,) = memory.remember("I saw the dentist today.")
        today = datetime.now().date()
        assert fact.said_on == today
        assert f"{today.day} {today:%B %Y}" in fact.text
        assert day_of(parse_date("2026-11-30")) == day_of(parse_date("2026-11-30T23:30")) == date(2026, 11, 30)
        with memory.store.read() as db:
            assert [day_of(m.said_at) for m in db.exec(select(Message))] == [today]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_who_is_spoken_to_is_named_and_had_is_not_would() -> None:
    assert told("You've got my keys.", "Ann", "Bob") == "Bob has got Ann's keys."
    assert told("You're my best friend.", "Ann", "Bob") == "Bob is Ann's best friend."
    assert told("I'd been to Rome before.", "Ann") == "Ann had been to Rome before."
    assert told("I'd love a cat.", "Ann") == "Ann would love a cat."
    assert told("I don't like my job.", "Ann") == "Ann doesn't like Ann's job."


def test_verbs_agree_with_the_name() -> None:
    assert told("I always teach on Mondays.", "Ann") == "Ann always teaches on Mondays."
    assert told("I was late and I put it down.", "Ann") == "Ann was late and Ann put it down."


@pytest.mark.parametrize(
    ("said", "second", "third"),
    [
        ("We leave at 7 am.", "You leave at 7 am.", "Ann leaves at 7 am."),
        ("My bus leaves at six forty am.", "Your bus leaves at six forty am.", "Ann's bus leaves at six forty am."),
        ("I usually am late.", "You usually are late.", "Ann usually is late."),
        ("I AM going.", "You are going.", "Ann is going."),
        ("My boss is as late as am I.", "Your boss is as late as are you.", "Ann's boss is as late as is Ann."),
        ("My soap is All My Children.", "Your soap is All My Children.", "Ann's soap is All My Children."),
        ("On Saturday I'm Tom's best man.", "On Saturday you are Tom's best man.", "On Saturday Ann is Tom's best man."),
        (
            "My brother Leo met My Linh and Our Tom.",
            "Your brother Leo met your Linh and your Tom.",
            "Ann's brother Leo met Ann's Linh and Ann's Tom.",
        ),
    ],
)
def test_neither_the_morning_nor_a_name_is_somebody(said: str, second: str, third: str) -> None:
    assert told(said, "user") == second
    assert told(said, "Ann") == third


def test_a_long_sentence_is_kept_and_a_log_is_not() -> None:
    names = ", ".join(f"Guest{chr(65 + n)} from room {n}" for n in range(25))
    assert texts(f"At our wedding there were {names}, and Ines.")[0].endswith("and Ines.")
    assert texts(" ".join(f"Step{n} took {n} ms," for n in range(60))) == []
