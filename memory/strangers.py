"""Strangers: what a question names and nobody spoke of, so that nothing can be known of it."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from typing import Protocol

from engrain.memory import voice
from engrain.memory.spelling import among, stem

_NO_NAMES = {*(n.lower() for n in (*calendar.month_name, *calendar.day_name) if n), "dr", "mr", "mrs", "ms", "prof"}
_OPENINGS = {
    "what", "who", "whom", "whose", "when", "where", "which", "why", "how", "is", "are", "was", "were", "do", "does", "did", "can", "could", "will",
    "would", "should", "has", "have", "had", "may", "tell", "remind", "say", "in", "on", "at", "under", "from", "to", "by", "for", "and", "but",
}  # fmt: skip
"""With these a question begins, whatever it is about."""
_PARENT, _CHILD = {"parent"}, {"child", "children", "kid", "boy", "girl", "baby", "babie", "twin", "toddler", "newborn"}
_SPOUSE = {"spouse", "partner", "married", "marry", "marriage", "wedding", "honeymoon", "fiancé", "fiancée", "wife", "husband", "wive"}
_RELATIVES: tuple[tuple[set[str], set[str]], ...] = (
    ({"mother", "mum", "mom", "mummy", "mommy", "mama"}, _PARENT), ({"father", "dad", "daddy", "papa"}, _PARENT),
    ({"sister"}, {"sibling"}), ({"brother"}, {"sibling"}), ({"son", "daughter"}, _CHILD), ({"wife", "husband"}, _SPOUSE),
    ({"grandmother", "grandma", "granny", "gran", "nana"}, {"grandparent"}), ({"grandfather", "grandpa", "grandad", "granddad"}, {"grandparent"}),
    ({"aunt", "auntie"}, set()), ({"uncle"}, set()), ({"cousin"}, set()), ({"niece"}, set()), ({"nephew"}, set()),
    ({"godfather", "godmother"}, {"godparent"}), ({"grandson", "granddaughter"}, {"grandchild", "grandchildren"}),
)  # fmt: skip
"""Words for a relative, and what else somebody may be called who is one."""
_SPOKEN_OF: tuple[tuple[set[str], set[str]], ...] = (
    *_RELATIVES,
    ({"solicitor", "lawyer", "attorney", "barrister"}, {"legal", "law"}), ({"accountant", "bookkeeper"}, {"tax", "taxe", "accounting", "book"}),
    ({"headmaster", "headmistress", "headteacher", "principal"}, {"head"}), ({"dentist"}, {"teeth", "tooth", "dental"}),
    ({"vet", "veterinarian"}, {"veterinary"}), ({"optician"}, {"eye", "glasse"}), ({"hairdresser", "barber"}, {"hair", "haircut", "salon"}),
    ({"bedroom"}, {"bed", "room", "sleep"}),
    ({"dose", "dosage"}, {"mg", "milligram", "tablet", "pill", "ml", "spoon", "drop", "puff"}),
    ({"phone", "telephone"}, {"number", "call", "ring", "dial", "mobile", "reach", "cell"}),
    ({"anniversary"}, {"married", "marry", "wedding", "year"}), ({"postcode", "zip"}, {"address"}), ({"maiden"}, set()),
    ({"salary", "wage"}, {"earn", "paid", "pay", "income", "make", "made"}),
    ({"favourite", "favorite"}, {"love", "loved", "like", "liked", "best", "prefer", "enjoy", "adore", "fond", "crazy", "passion", "fan"}),
)  # fmt: skip
"""The same, with trades and attributes: what is not spoken of by one of its words, or by what goes with it, nobody told."""


class Saying(Protocol):
    """Something that somebody said."""

    @property
    def text(self) -> str: ...

    @property
    def speaker(self) -> str: ...


def strangers(question: str, facts: Sequence[Saying]) -> list[str]:
    """The names in a question that no fact holds whole, and relatives, trades and attributes that none speaks of: nothing was said of them.

    >>> strangers("What is Ada Barlow's number?", []), strangers("How old is my uncle?", [])
    (['Ada Barlow'], ['uncle'])
    """
    plain = re.sub(r"\b(?:Mother|Father|New Year|Valentine)['’]s (?:Day|Eve)\b", "", question)
    names, asked = _names(plain), [stem(w) for w in voice.words(plain)]
    kin = [(word, also | called) for called, also in _SPOKEN_OF for word in asked if word in called]
    held = [[stem(w) for w in voice.words(f"{fact.text} {fact.speaker}")] for fact in facts] if names or kin else []
    unknown = [name for name in names if not any(all(among(stem(w), words) for w in voice.words(name)) for words in held)]
    return unknown + [word for word, known in kin if not any(known & set(words) for words in held)]


def _names(text: str) -> list[str]:
    """Runs of capitalised words; one alone at the beginning of a sentence is none, nor is a month, a weekday or *I*."""
    found: list[str] = []
    for sentence in re.split(r"(?<=[.?!]) ", text):
        run: list[str] = []
        for at, word in enumerate([*sentence.split(), ""]):
            bare = re.sub(r"['’]s?$", "", word.strip('.,;:?!"()'))
            plain = bare.lower()
            named = bare[:1].isupper() and len(bare) > 1 and plain not in _NO_NAMES and not is_relative(plain) and bare.split("'")[0] != "I"
            if named and (run or at or plain not in _OPENINGS):
                run.append(bare)
            else:
                found += [" ".join(run)] if len(run) > 1 or (run and not sentence.startswith(run[0])) else []
                run = []
    return found


def is_relative(word: str) -> bool:
    """Whether a word says whose relative somebody is."""
    return any(word in called for called, _ in _RELATIVES)
