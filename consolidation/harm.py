"""What a module must leave alone, measured without data from outside: prose, and choices that need no more than common knowledge.

All texts were written for this purpose.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

from engrain.memory.bank.base import BaseModel

PROSE = (
    "The harbour wakes before the town does. By five the first boats are back, and the gulls know it; they wait in rows on "
    "the roof of the ice house and complain. A woman in yellow boots counts boxes, writes a number on a slate, wipes it off "
    "and writes another. Nobody hurries. The tide will turn at seven whether they hurry or not.",
    "Bread is mostly patience. Flour, water, salt and a little of yesterday's dough are mixed until no dry spots are left, "
    "and then the cook does nothing for an hour. Folding takes half a minute. After the third fold the dough holds its shape "
    "and is full of small bubbles. A hot oven and some steam do the rest, and the loaf must cool before it is cut.",
    "To find the area of a triangle, multiply the length of its base by its height and divide by two. The reason is simple: "
    "two copies of the same triangle can always be put together to make a parallelogram, and a parallelogram has the same "
    "area as a rectangle with the same base and height.",
    "In the nineteenth century, railways changed how people thought about time. Before them every town kept its own clock, "
    "set by the sun, and nobody minded that noon came a few minutes later in the west. Timetables made that impossible. "
    "Within a few decades most countries had agreed on a single time for the whole of their territory.",
    '"You are late," said the guard, without looking up from his paper. "The last train is gone." She put down her bag and sat on '
    'the bench beside him. "Then I will wait for the first one." He turned a page. "That is at ten past five." "I have waited '
    'longer for less," she said, and for a while there was no sound but the clock above the door.',
    "Plants take in carbon dioxide through small openings in their leaves. With the energy of sunlight they turn it and water into "
    "sugar, and oxygen is left over. At night there is no light, so the process stops, but the plant goes on breathing like "
    "every other living thing: it uses up some of the sugar it has made and gives off carbon dioxide.",
    "Before you change a tyre, stop on firm, level ground and pull the handbrake. Loosen each nut by half a turn while the wheel still "
    "stands on the road, because it cannot turn away from you there. Only then lift the car with the jack. When the new wheel "
    "is on, tighten the nuts crosswise, lower the car, and tighten them once more.",
    "The council voted on Tuesday to keep the old library open for another year. Most of the members agreed that the building needs a "
    "new roof, but not on who should pay for it. A spokesman said that offers would be invited in the spring. Several hundred "
    "residents had signed a letter asking for the reading room to stay as it is.",
    "Dear Ms Hartley, thank you for your letter of the third. We are sorry to hear that the parcel arrived open. A new one "
    "was sent this morning, and you need not return the first. If anything is missing from it, please write to us within "
    "two weeks and we will put it right.",
    "The recipe is older than the restaurant. Onions are cooked slowly in butter until they are brown and sweet, which "
    "takes the better part of an hour. Then come beef stock, a glass of white wine and a bay leaf. The bread goes on top "
    "at the very end, with cheese, and the bowls are put under the grill.",
    "A river is never the same width twice. In spring it takes the lower meadow and leaves it covered with mud and "
    "branches; in August a child can cross on the stones. The people of the village do not measure it in metres. They say "
    "that it is up to the third step, or that the church can see itself.",
    "Sound is a wave of pressure that travels through air, water or anything else that can be squeezed. The faster it "
    "shakes, the higher we hear it. In air it covers about three hundred and forty metres in a second, in water more than "
    "four times as much, and where there is nothing to shake there is no sound at all.",
    "I had never been on a ship before. My cabin had no window, and the bed was so short that I slept with my knees "
    "against the wall. On the second night the wind got up. A cup slid from one end of the table to the other and back "
    "again, slowly, as if it were looking for something.",
    "The museum is open every day except Monday, from ten until six. Children under twelve pay nothing. Bags must be left "
    "at the entrance. Guided tours begin at eleven and at three and take about an hour; please book them in advance, "
    "because groups are limited to fifteen people.",
    "Cells are the smallest living parts of the body. Each is surrounded by a thin membrane that lets some things in and "
    "keeps others out. Inside, most of the work is done by proteins, which are built by following instructions that are "
    "written in the genes. When a cell divides, the instructions are copied first.",
    "The home side took the lead after twenty minutes with a header from a corner, and for most of the first half they "
    "looked the better team. After the break it was a different game. Two changes in midfield brought the visitors back, "
    "and with five minutes left they scored twice.",
    "To change the password, open the settings and choose Account. Type the old password once and the new one twice. It "
    "must have at least twelve characters. If you have forgotten the old one, choose the link below the field, and a "
    "message will be sent to the address that you gave when you signed up.",
    "Nobody knows who planted the orchard. The trees stand in rows, but the rows do not lead anywhere, and the apples are "
    "of a kind that is in none of the books. They ripen late and keep until April. My grandmother said that they tasted of "
    "nothing until Christmas, and after that of everything.",
    "Money was invented more than once. Where people met rarely, they needed something that all of them would take: salt, "
    "shells, cattle, small pieces of metal. A coin is only a promise that someone has weighed the metal already. Paper is "
    "the same promise without the metal, and it works for as long as it is believed.",
    "The teacher asked what was heavier, a kilogram of feathers or a kilogram of iron. Half of the class laughed and the "
    "other half thought about it. Then a boy at the back asked whether the feathers were to be weighed in air or not, and "
    "the rest of the lesson was spent on that.",
    "Rain is expected in the north by the afternoon, heavy at times over the hills. In the south it will stay dry with "
    "some sun, and temperatures will reach eighteen degrees. Winds from the west will be strong along the coast. The night "
    "will be clear, with a little frost in sheltered valleys.",
    "The first thing a beginner should learn on a piano is how to sit. The bench should be high enough for the forearms to "
    "be level, and far enough away for the elbows to be free. The fingers are bent as if they held a ball. Everything else "
    "takes years, but this takes one afternoon.",
    "When the lights went out in the whole street, we found out how many neighbours we had. Somebody brought candles, "
    "somebody a guitar. The butcher was afraid for his meat and gave it away. By midnight there were forty people in the "
    "yard, and when the lamps came on again, a few of them were sorry.",
    "Volcanoes form where melted rock finds a way up through the crust. Some of it flows out quietly and covers the land "
    "around; some is full of gas and bursts. Ash can be carried for thousands of kilometres, and after a great eruption "
    "the sunsets are red for months on the other side of the world.",
    "He had worked in the post office for thirty years and could tell from an envelope what was in it. Bills were thin and "
    "stiff. Love letters were thick, and the stamps were crooked. On his last day his colleagues gave him a card, and he "
    "held it for a moment before he opened it, and smiled.",
    "A contract is an agreement that a court will enforce. One side makes an offer, the other accepts it, and each gives "
    "something in return. It need not be written down, although it is easier to prove if it is. A person who breaks it may "
    "have to pay for the loss that the other side suffers.",
    "The path begins behind the station and climbs through the wood for about two miles. At the top there is a bench and, "
    "on a good day, a view of the sea. Take the left fork on the way down, since the right one ends at a quarry. Good "
    "shoes are needed after rain. Dogs must be kept on a lead.",
    "Sleep is not a pause. While we sleep, the brain goes through the day again, keeps some of it and lets the rest go. "
    "People who are woken too often learn less the next day, make more mistakes and catch more colds. Most adults need "
    "between seven and nine hours, and very few can do with less.",
    '"What do you mean, it is closed?" he said. "It says so on the door," she said. He read the sign twice. Behind the '
    'glass an old man was putting chairs on tables, and when he saw them he shook his head and pointed at the clock. "Then '
    'we will have to cook," she said, "and you are going to peel."',
    "The old bridge was built of wood and burned down twice. The third was of stone, and it took eleven years and three "
    "architects. It has seven arches, of which the one in the middle is the widest, so that boats could pass under it with "
    "their masts up. Cars have not been allowed on it since the new one was opened.",
    "Numbers that can be divided only by themselves and by one are called prime. Two is the first of them and the only "
    "even one. There is no largest prime: multiply all that you know and add one, and the result can be divided by none of "
    "them, so there must be another that was not on your list.",
    "The company said on Thursday that sales had grown by four per cent in the last three months, less than it had hoped "
    "for. It will open fewer shops next year and spend more on its website. Shares fell in the morning but had recovered "
    "by the end of the day. The chairman will retire in June, as planned.",
)
"""Fixed text on which a module must leave the base model's perplexity alone: some 2100 tokens. Of the first eight alone, 580 tokens, the
ratio has a standard error of some one percent, a third of what a gate lets pass."""

CHOICES = (
    ("The capital of France is", "Paris", "Madrid", "Vienna"),
    ("The capital of Japan is", "Tokyo", "Delhi", "Seoul"),
    ("The opposite of hot is", "cold", "loud", "early"),
    ("The opposite of up is", "down", "green", "soft"),
    ("A baby dog is called a", "puppy", "kitten", "lamb"),
    ("A baby cat is called a", "kitten", "foal", "chick"),
    ("Bees make", "honey", "paper", "leather"),
    ("Cows give", "milk", "wool", "eggs"),
    ("We see with our", "eyes", "ears", "knees"),
    ("We hear with our", "ears", "hands", "eyes"),
    ("Fish live in", "water", "trees", "deserts"),
    ("Birds build", "nests", "bridges", "engines"),
    ("At night the sky is", "dark", "bright", "square"),
    ("Fresh snow is", "white", "purple", "hot"),
    ("Ripe bananas are", "yellow", "blue", "black"),
    ("The grass is", "green", "red", "silver"),
    ("The sun rises in the", "east", "west", "kitchen"),
    ("Two plus two is", "four", "nine", "seven"),
    ("Ten minus nine is", "one", "six", "eight"),
    ("A week has seven", "days", "hours", "years"),
    ("An hour has sixty", "minutes", "days", "weeks"),
    ("A triangle has three", "sides", "wheels", "legs"),
    ("A bicycle has two", "wheels", "roofs", "wings"),
    ("The month after June is", "July", "March", "Friday"),
    ("The day after Monday is", "Tuesday", "Sunday", "April"),
    ("Ice is frozen", "water", "sand", "air"),
    ("When it rains, people open an", "umbrella", "oven", "account"),
    ("You cut bread with a", "knife", "pillow", "candle"),
    ("You sleep in a", "bed", "bottle", "drawer"),
    ("You unlock a door with a", "key", "spoon", "leaf"),
    ("You write on paper with a", "pen", "shoe", "cup"),
    ("A doctor works in a", "hospital", "bakery", "mine"),
    ("A teacher works in a", "school", "forest", "harbour"),
    ("A pilot flies a", "plane", "truck", "horse"),
    ("Books are kept in a", "library", "stable", "garage"),
    ("Wine is made from", "grapes", "wood", "iron"),
    ("Bread is made from", "flour", "glass", "coal"),
    ("Shakespeare wrote", "plays", "software", "laws"),
    ("The Earth moves around the", "Sun", "Moon", "river"),
    ("In winter it is", "cold", "hot", "noisy"),
)
"""A beginning, how it goes on, and how it does not."""


def perplexity(base: BaseModel, texts: Sequence[str] = PROSE) -> float:
    """Perplexity of the model, as it is now, on texts; the first token of each is given."""
    rows = [base.encode(text) for text in texts]
    found = base.answer_logprobs([row[:1] for row in rows], [row[1:] for row in rows])
    logprobs = [value for answered in found for value in answered.logprobs]
    return math.exp(-sum(logprobs) / len(logprobs))


def right_choices(base: BaseModel) -> float:
    """Share of `CHOICES` for which the model, as it is now, finds the right continuation the likeliest, per token."""
    beginnings = [base.encode(beginning) for beginning, *_ in CHOICES]
    found = base.answer_logprobs([ids for ids in beginnings for _ in range(3)], [base.encode(f" {word}") for _, *words in CHOICES for word in words])
    means = [answered.mean for answered in found]
    return sum(max(means[at : at + 3]) == means[at] for at in range(0, len(means), 3)) / len(CHOICES)


@lru_cache(maxsize=4)
def unharmed(base: BaseModel) -> tuple[float, float]:
    """(perplexity, share of right choices) of the base model without a module; measured once, and kept in its `cache`."""
    texts = hashlib.sha256(repr((PROSE, CHOICES)).encode()).hexdigest()
    file = base.cache / "unharmed" / f"{base.sha256[:16]}-{texts[:16]}.json" if base.cache else None
    if file:
        with suppress(OSError, ValueError):
            kept_perplexity, kept_choices = json.loads(file.read_text())
            return float(kept_perplexity), float(kept_choices)
    found = perplexity(base), right_choices(base)
    if file:
        with suppress(OSError):  # a cache that nobody may write to, or a full disk
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            part.write_text(json.dumps(found))
            part.rename(file)
    return found
