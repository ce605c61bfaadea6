"""Questions by grammar."""

from __future__ import annotations

import pytest

from engrain.memory.cues import _kept, cues, forget_cues, topics


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
        ("My manager there is called Priya Raman.", "What is my manager called?", "Priya Raman"),
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
        ("My boss, Ingrid Solheim, comes from Stavanger.", "Where does Ingrid Solheim come from?", "Stavanger"),
        ("My boss, Ingrid Solheim, comes from Stavanger.", "Who is my boss?", "Ingrid Solheim"),
        ("The conductor, Mr. Abelard, can't stand latecomers.", "What can't the conductor stand?", "latecomers"),
        ("I share a flat with a guy called Tom who collects stamps.", "What does Tom collect?", "stamps"),
        ("My friend Ann, who works at the zoo, has a parrot.", "Where does Ann work?", "at the zoo"),
        ("My friend Ann, who works at the zoo, has a parrot.", "What does my friend have?", "a parrot"),
        ("I have a neighbour who's a beekeeper.", "What is my neighbour's job?", "a beekeeper"),
        ("Our nanny is called Ida and charges 15 pounds an hour.", "How much does our nanny charge?", "15 pounds an hour"),
        ("I moved to Rome in 2019 and started a bakery there.", "What did I start?", "a bakery"),
        ("My brother and I share a boat.", "What do my brother and I share?", "a boat"),
        ("I had my tonsils out when I was nine.", "How old was I when I had my tonsils out?", "nine"),
        ("I had my tonsils out when I was nine.", "What did I have?", "my tonsils out"),
        ("I was ten when we moved to Leeds.", "How old was I when we moved to Leeds?", "ten"),
        ("My knee hurts when I run.", "When does my knee hurt?", "when I run"),
        ("I've been vegetarian since I was a student.", "Since when have I been vegetarian?", "I was a student"),
        ("Dr. Silva wants me to take iron every evening.", "What does Dr. Silva want me to take?", "iron"),
        ("I asked Tom to water the plants.", "What did I ask Tom to do?", "water the plants"),
        ("Our neighbour lets us use her ladder.", "What does our neighbour let us use?", "her ladder"),
        ("I painted the shed dark green last May.", "What colour is the shed?", "dark green"),
        ("I planted four pear trees behind the barn.", "How many pear trees did I plant?", "four"),
        ("I wear a size 38 jacket.", "What size jacket do I wear?", "38"),
        ("I owe Ben 20 euros for the tickets.", "How much do I owe Ben for the tickets?", "20 euros"),
        ("A fox lives under our shed.", "Where does a fox live?", "under our shed"),
        ("My friend Leo opened a café on Mill Lane.", "Where did Leo open a café?", "on Mill Lane"),
        ("I walked from Porto to Santiago with my son.", "Where did I walk?", "from Porto to Santiago"),
        ("We're going to Chile for a month.", "How long are we going to Chile?", "for a month"),
        ("I lost my hat on the ferry to Oslo.", "Where did I lose my hat?", "on the ferry to Oslo"),
        ("My niece Élodie lives in Århus.", "Where does Élodie live?", "in Århus"),
        ("My niece Élodie lives in Århus.", "What is my niece's name?", "Élodie"),
        ("My laptop has a crack on it.", "What is on my laptop?", "a crack"),
        ("The club is sponsored by the Lyle Trust.", "Who sponsors the club?", "the Lyle Trust"),
        ("I'm scared of heights.", "What am I scared of?", "heights"),
        ("My brother is proud of his garden.", "What is my brother proud of?", "his garden"),
        ("Dinner is at six on weekdays.", "When is Dinner?", "at six on weekdays"),
        ("The man who sells eggs at the market is called Idris.", "Where does Idris sell eggs?", "at the market"),
        ("It takes us two hours to get to the coast.", "How long does it take us to get to the coast?", "two hours"),
        ("My nephew turned nine in May.", "How old is my nephew?", "nine"),
        ("Ada's bib has the number 88 on it.", "What number does Ada's bib have?", "88"),
        ("Ada's bag has a badge on it.", "Where is a badge?", "on Ada's bag"),
        ("The ferry stops right in front of our house.", "Where does the ferry stop?", "in front of our house"),
        ("I'm seeing a cardiologist, Dr. Brandt, in June.", "Who is my cardiologist?", "Dr. Brandt"),
        ("I'm seeing a cardiologist, Dr. Brandt, in June.", "When am I seeing Dr. Brandt?", "in June"),
        ("Our doctor told me not to run on roads.", "What did our doctor tell me not to do?", "run on roads"),
        ("My knee has been aching since the hike.", "Since when has my knee been aching?", "the hike"),
        ("We're having the bathroom tiled by Orlov Brothers.", "Who is doing the bathroom?", "Orlov Brothers"),
        ("Our kettle is under guarantee until May 2027.", "Until when is our kettle under guarantee?", "May 2027"),
        ("The bakery is open until nine.", "Until when is the bakery open?", "nine"),
        ("We've rented a house by the sea.", "Where is our house?", "by the sea"),
        ("I came second in the pub quiz.", "How did I do in the pub quiz?", "second"),
        ("My choir is singing Fauré at the moment.", "What is my choir singing?", "Fauré"),
        ("I lent Ada my tent.", "Who did I lend my tent to?", "Ada"),
        ("Aunt Bea used to be a pilot.", "What did Aunt Bea do for a living?", "a pilot"),
        ("My pulse was 62 at the last check.", "What was my pulse?", "62"),
        ("I twisted my ankle stepping off a kerb last May.", "What did I twist last May?", "my ankle"),
        ("I twisted my ankle stepping off a kerb last May.", "How did I twist my ankle?", "stepping off a kerb"),
        ("They owe us a dinner since Easter.", "What do they owe us since Easter?", "a dinner"),
        ("We paid a deposit of 900 pounds.", "How much was the deposit?", "900 pounds"),
        ("I failed my driving test twice.", "How often did I fail my driving test?", "twice"),
        ("We always have porridge for breakfast.", "What do we have for breakfast?", "porridge"),
        ("I bought a kayak from a woman in Hull.", "Who did I buy a kayak from?", "a woman in Hull"),
        ("I bought a kayak from a woman in Hull.", "What did I buy from a woman in Hull?", "a kayak"),
        ("My sister Ada lives in Bath. She works as a nurse there.", "What does Ada work as?", "a nurse"),
        ("I met Oskar in Rome. His wife is a painter.", "What is Oskar's wife's job?", "a painter"),
        ("My cousins Jo and Al live in Kent. They owe us a visit.", "What do my cousins Jo and Al owe us?", "a visit"),
        ("The pool is shut from November to March.", "When is the pool shut?", "from November to March"),
        ("Bin day has moved from Monday to Friday.", "What has Bin day moved to?", "Friday"),
        ("I have a dog. He's called Max.", "What is my dog called?", "Max"),
        ("I bought a canoe from Tom. It leaks near the stern.", "Where does my canoe leak?", "near the stern"),
        ("My boss is from Leeds and her office is on Mill Lane.", "Where is my boss's office?", "on Mill Lane"),
        ("Some old friends visit us at various times.", "When do some old friends visit us?", "at various times"),
        ("The tower was built in the last century.", "When was the tower built?", "in the last century"),
        ("The office was moved within the first decade.", "When was the office moved?", "within the first decade"),
        ("These two mills grind rye.", "What do these two mills grind?", "rye"),
        ("Another neighbour sold me a boat.", "What did another neighbour sell me?", "a boat"),
        ("Some animals, including squids and cuttlefish, make ink.", "What do some animals including squids and cuttlefish make?", "ink"),
        ("My landlord Tom has said that the rent goes up. He lives in Rome.", "Where does Tom live?", "in Rome"),
        ("My favourite book is called On the Road.", "What is my favourite book called?", "On the Road"),
        ("My favourite time to run is before breakfast.", "What is my favourite time?", "before breakfast"),
        ("My sister (Ines) lives in Porto.", "Who lives in Porto?", "my sister Ines"),
        ("Our new Wi-Fi is called Attic (5G).", "What is our new Wi-Fi called?", "Attic (5G)"),
        ("My sister lives in Century Court.", "Where does my sister live?", "in Century Court"),
        ("Heat is my favourite film of all time.", "What is Heat?", "my favourite film of all time"),
        ("I need milk, eggs, and my wife wants bread.", "What do I need?", "milk, eggs"),
        ("I share a flat with Tom, Ana and Bea.", "Who do I share a flat with?", "Tom, Ana and Bea"),
        ("I have three cats, Tom, Ana and Bea.", "What are three cats called?", "Tom, Ana and Bea"),
        ("Five Guys opened on Mill Lane.", "Where did Five Guys open?", "on Mill Lane"),
        ("The squids (Smith et al., 2019) make ink.", "What do the squids make?", "ink"),
        ("I collect old coins such as thalers.", "What do I collect?", "old coins such as thalers"),
        ("One neighbour sold me a boat.", "What did one neighbour sell me?", "a boat"),
        ("The museum owns a mill built by monks in 1620.", "What does the museum own?", "a mill"),
        ("The museum owns a mill built by monks in 1620.", "When was the mill built by monks?", "in 1620"),
        ("In contrast, the old planner finds a route in an hour.", "What does the old planner find?", "a route"),
        ("The players, however, wear a green shirt.", "What do the players wear?", "a green shirt"),
        ("The lake was called Tenggis by the Mongols.", "What was the lake called?", "Tenggis"),
        ("SLM trains a small model on clean text.", "What trains a small model on clean text?", "SLM"),
    ],
)
def test_a_part_of_the_statement_is_asked_for(said: str, question: str, answer: str) -> None:
    assert (question, answer) in [(c.question, c.answer) for c in cues(said)]


@pytest.mark.parametrize(
    ("said", "question", "answer"),
    [
        ("My sister Ines lives in Porto.", "Who lives in Porto?", "my sister Ines"),
        ("My dentist is Dr. Okafor.", "Who is Dr. Okafor?", "my dentist"),
        ("The pharmacist warned me of grapefruit.", "Who warned me of grapefruit?", "the pharmacist"),
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


@pytest.mark.parametrize(
    ("said", "never"),
    [
        ("The boy who lives next door plays drums.", "What does the boy who live?"),
        ("Dr. Silva wants me to take iron.", "What does Dr. Silva want?"),
        ("I walked from Porto to Santiago.", "Who did I walk from?"),
        ("I lost my hat on the ferry to Oslo.", "Where did I lose my hat on the ferry?"),
        ("We have been living here since we married.", "What have we been living?"),
        ("My brother and I share a boat called Mistral.", "What called Mistral?"),
        ("Ines left and I watched a film.", "What did Ines left and I watch?"),
        ("I went to Leeds by train.", "What did I go?"),
        ("My aunt's best friend is a girl named Ada.", "What does my aunt's best friend do for a living?"),
        ("My choir is singing Fauré at the moment.", "Where is my choir singing Fauré?"),
        ("It takes us two hours to get to the coast.", "What does It take?"),
        ("Our kettle is under guarantee until May 2027.", "When is our kettle?"),
        ("The spare key is with Ada at number twelve.", "When is the spare key?"),
        ("Uncle Jo has four sons and not one of them cooks.", "What cooks?"),
        ("The plain shape made it easier to copy.", "What did the plain shape make?"),
        ("The players mainly came from Leeds, Hull, as well as York.", "What did the players come from as?"),
        ("Another ministry (such as that of finance) was abandoned shortly afterwards.", "What was another ministry abandoned?"),
        ("The new bridge was built within a decade.", "What was the new bridge built?"),
        ("While the old name may indicate that the club was English, it was Welsh.", "What may indicate that the club was English?"),
        ("The report may indicate that the firm is sold.", "What may indicate?"),
        ("I met Tom, my boss, and Ana in Rome.", "What did I meet Tom,?"),
        ("I met Tom, my boss, and Ana in Rome.", "What did I meet Tom, in Rome?"),
        ("My parents live in Bath, Maine, and my brother in Rome.", "Where do my parents live in Bath, Maine, and my brother?"),
        ("I watch Reign on Sundays.", "When do I watch on Sundays?"),
        ("My cousin scored a century last week.", "When did my cousin score last week?"),
        ("Two men left Ghent. Their troops were gathered in Gascony and were reinforced by Tom.", "Who reinforced their troops's troops?"),
        ("In contrast, the old planner is slow in Leeds.", "Where is the old planner slow in Leeds?"),
        ("It remains uncertain how diffusion-based planners can enhance accuracy.", "What can How diffusion-based planners enhance?"),
        ("This approach solves three problems of the old planners.", "What does this approach solve?"),
        ("To explore how language models learn at the token level, we examined training.", "What does To explore how language model?"),
        ("Based on these studies, we propose a new method.", "What does Based on these study?"),
        ("SLM trains a small model on clean text.", "Who trains a small model on clean text?"),
        ("My car insurance is with Pelican Mutual now, they were way cheaper than the last lot.", "What were they way cheaper than?"),
        ("The new one matches the score of the old one using 15 words, compared to 500 words of others.", "What does the new one match?"),
        ("Every bill can be blocked by a majority in the upper house.", "What can every bill be?"),
        ("The play has been parodied and spoofed on many occasions.", "What has the play been?"),
        ("My aunt, blinded aged seven, taught music.", "What did my aunt blind?"),
        ("Her prediction turned out to be accurate.", "What did her prediction turn out to?"),
        ("The author didn't want his letters to be printed.", "What didn't the author want his letters to?"),
        ("Near the end of the battle the king fled rather than surrender.", "What fled rather than surrender?"),
        ("Near the end of the battle the king fled rather than surrender.", "What did Near the end of the battle the king flee?"),
        (
            "Even before his return to Hull, reports on the harbour were making their way to Leeds.",
            "What does Even before his return to Hull report on?",
        ),
        (
            "Even before his return to Hull, reports on the harbour were making their way to Leeds.",
            "What reports on the harbour were making their way to Leeds?",
        ),
        ("I have to get the contract over to legal.", "What do I have to get the contract over?"),
        ("The two sets are defined using old rules.", "What are the two sets defined?"),
        ("The court refused, but there are five large exceptions.", "What are the court?"),
        ("Later came two films, both of which feature scenes in the city.", "What do both of which feature?"),
        ("Tanag, a chief of the Mingo, who were driven west by settlers, disliked the French.", "What were Tanag driven west by?"),
        ("Tanag, a chief of the Mingo, who were driven west by settlers, disliked the French.", "What were Mingo driven west by?"),
        ("There is a large population in Kenya, who have played a key role in trade.", "What have Kenya played?"),
        (
            "Life expectancy in Sweden (80 years) and Japan (82) – where income was more equally distributed – was longer.",
            "What was Life expectancy in Sweden (80 years) and?",
        ),
    ],
)
def test_what_the_statement_does_not_answer_is_not_asked(said: str, never: str) -> None:
    assert never not in [cue.question for cue in cues(said)]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("The players came from Leeds, Hull, York and Ripon.", "Leeds, Hull, York and Ripon"),
        ("The club has teams for boys, girls, as well as veterans.", "boys, girls, as well as veterans"),
        ("The old mill (once a brewery) houses a library.", "a library"),
        ("I collect stamps, coins and maps from Peru.", "stamps, coins and maps"),
        ("We sell bread, cakes and coffee as well as tea.", "bread, cakes and coffee as well as tea"),
        ("Generative models paint pictures in oil (Rombach et al., 2022.", "pictures"),
        ('The designer redesigned the logo, with the lowercase letters "abc" enclosed in a black circle.', "the logo"),
    ],
)
def test_an_answer_is_whole(said: str, answer: str) -> None:
    found = cues(said)
    answers = [cue.answer for cue in found]
    assert answer in answers
    assert not any(other != answer and answer.startswith(other.rstrip(",")) for other in answers)
    assert not any("(" in said or said.count('"') % 2 for cue in found for said in (cue.question, cue.answer))


def test_what_is_done_is_still_asked_for() -> None:
    asked = {
        (cue.question, cue.answer)
        for said in ("Every bill can be blocked by a majority.", "Her prediction turned out to be wrong in 1902.")
        for cue in cues(said)
    }
    assert ("What can be blocked by a majority?", "every bill") in asked
    assert ("When did her prediction turn out to be wrong?", "in 1902") in asked


def test_nobody_asks_with_a_whole_paragraph() -> None:
    said = (
        "With Hull as its seat and control of farms around the wide bay, the old company was at the centre of trade between the northern and "
        "the southern ports for six decades in the hands of three families."
    )
    assert all(len(cue.question.split()) <= 20 for cue in cues(said))


def test_what_several_do_is_said_of_several() -> None:
    asked = [cue.question for cue in cues("My family, who are from Leeds, own a boat.")]
    assert "What are my family from?" in asked
    assert "What do my family own?" in asked


def test_topics_lead_to_the_statement() -> None:
    assert topics("My piano lesson is every Thursday at six.")[0] == "my piano lesson"
    assert "Porto" in topics("My sister Ines lives in Porto.")
    assert topics("I got promoted in May.") == ["May"]
    assert "the shed" in topics("I painted the shed dark green.")
    assert topics("As of Monday I'm shift supervisor.") == ["Monday"]
    assert "the council" in topics("The council's changed our bin collection.")
    assert topics("He says I've got to keep the pressure at 1.4 bar.") == []
    assert "Aoife O'Brien" in topics("I share a flat with Aoife O'Brien.")


def test_what_stands_before_the_subject_is_asked_for_too() -> None:
    asked = {c.question: c.answer for c in cues("In May I'm going to a conference in Krakow.")}
    assert asked["When am I going to a conference in Krakow?"] == "in May"
    assert asked["Where am I going?"] == "in Krakow"
    assert {c.question for c in cues("On our honeymoon we went to Zanzibar.")} >= {"Where did we go?"}
    assert [c.question for c in cues("This is my sister.")] == [c.question for c in cues("This is my sister")]


def test_statements_are_kept_at_hand_until_something_is_forgotten() -> None:
    first = cues("My dentist is Dr. Okafor.")
    first.clear()
    assert cues("My dentist is Dr. Okafor."), "what a caller does to its list changes nothing"
    assert _kept.cache_info().currsize
    forget_cues()
    assert not _kept.cache_info().currsize


def test_a_title_with_a_mark_in_it_is_a_name() -> None:
    found = cues("The show was lampooned on Family Guy, American Dad!, Futurama, South Park and The Simpsons.")
    assert "What was the show lampooned on?" in [cue.question for cue in found]
