"""A needle in a context of chosen length: one fact among much that is said (own generator, no data)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from engrain.errors import InputError
from engrain.evals.data import Data, Document, Question
from engrain.evals.tasks.task import Source

_PLACES = ("harbour", "library", "orchard", "station", "theatre", "bakery", "museum", "garden", "mill", "chapel")
_COLOURS = ("red", "green", "blue", "white", "black", "grey", "brass", "wooden")
_THINGS = ("kettle", "ladder", "lantern", "barrel", "mirror", "anchor", "clock", "chest", "rope", "bell", "drum", "table")
_TOKENS_A_SENTENCE = 12


@dataclass(frozen=True)
class Needle:
    """Ten documents, `size` thousand tokens together, in each of which one sentence is asked for; all others are facts too."""

    name: str = "needle"
    about: str = "ten sentences that matter in --size thousand tokens of others like them"
    scorer: str = "contains"

    def load(self, source: Source) -> Data:
        """See `Task`."""
        if not 1 <= source.size <= 64:
            raise InputError(f"size {source.size} is no length for a context; choose 1 to 64 thousand tokens")
        rng = random.Random(f"needle {source.seed}")
        objects = [f"{colour} {thing}" for colour in _COLOURS for thing in _THINGS]
        length = source.size * 1000 // _TOKENS_A_SENTENCE // len(_PLACES)
        documents, questions = [], []
        for place in _PLACES:
            code = str(rng.randint(1000, 9999))
            hay = [f"The {rng.choice(objects)} of the {place} weighs {rng.randint(2, 99)} kilograms." for _ in range(length - 1)]
            hay.insert(rng.randrange(len(hay) + 1), f"The code of the {place} door is {code}.")
            documents.append(Document(place, " ".join(hay)))
            questions.append(Question(f"{place}#0", f"Which code opens the door of the {place}?", (code,), "needle", place))
        return Data(tuple(documents), tuple(questions))
