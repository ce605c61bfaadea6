"""A needle in a context of chosen length: one fact among much that is said (own generator, no data)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from engrain.errors import InputError
from engrain.evals.data import Data, Document, Question
from engrain.evals.tasks.task import Source

_PLACES = ("harbour", "library", "orchard", "station", "theatre", "bakery", "museum", "garden", "mill", "chapel")
_HAY = (
    "The wind turned in the afternoon and the light went grey.", "Somebody had left a ladder against the wall.", "A dog slept under the table.",
    "The road was being mended again.", "Nobody could say who had painted the fence.", "Rain had been promised and did not come.",
    "The kettle took its time.", "Two men argued about the shape of the hill.", "The bell was late, as always.", "There was flour on the floor.",
)  # fmt: skip
_TOKENS_A_SENTENCE = 12


@dataclass(frozen=True)
class Needle:
    """Ten documents of `size` thousand tokens each, in each of which one sentence matters."""

    name: str = "needle"
    about: str = "one sentence in a context of --size thousand tokens"
    scorer: str = "contains"

    def load(self, source: Source) -> Data:
        """See `Task`."""
        if not 1 <= source.size <= 64:
            raise InputError(f"size {source.size} is no length for a context; choose 1 to 64 thousand tokens")
        rng = random.Random(f"needle {source.seed}")
        documents, questions = [], []
        for place in _PLACES:
            code = str(rng.randint(1000, 9999))
            hay = [rng.choice(_HAY) for _ in range(source.size * 1000 // _TOKENS_A_SENTENCE)]
            hay.insert(rng.randrange(len(hay) + 1), f"The code of the {place} door is {code}.")
            documents.append(Document(place, " ".join(hay)))
            questions.append(Question(f"{place}#0", f"Which code opens the door of the {place}?", (code,), "needle", place))
        return Data(tuple(documents), tuple(questions))
