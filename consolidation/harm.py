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
)
"""Fixed text on which a module must leave the base model's perplexity alone."""

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
