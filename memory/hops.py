"""Questions that need two facts: who or what is described is asked for first, and the name goes into the question itself.

*Where does my sister's husband work?* needs a fact about the sister and one about a man; one module may hold the one, another
module the other. Each hop is a question of its own, routed and vouched for like any other (self-ask, arXiv 2210.03350).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from engrain.memory.statements import content_words
from engrain.memory.voice import KIN, TITLES, is_name, words

_OTHERS = r"(?!(?:What|Who|Where|When|How|That|It|There|Here|He|She)'s)[A-ZÀ-Þ][\w-]+(?: [A-ZÀ-Þ][\w-]+)?'s"
_DESCRIBED = re.compile(rf"\b(?:my|our|{_OTHERS}) (?:[a-z-]+ ){{0,2}}?(?:{KIN})\b(?!-)")
_NAME = re.compile(rf"\b(?P<title>(?:{TITLES})\.? )?(?P<first>[A-ZÀ-Þ][\w-]*)(?: (?:de |van |von )*[A-ZÀ-Þ][\w-]*)*")


@dataclass(frozen=True)
class Hops:
    """A question in two steps."""

    first: str
    """Asks who or what is described."""
    described: str
    question: str

    def name(self, answer: str, vouching: Iterable[str]) -> str | None:
        """The name that an answer to the first gives, where a text that vouches for it says so of whom is described."""
        asked, whom = set(words(self.question)), set(words(self.described)[1:])
        for match in _NAME.finditer(answer):
            said = set(words(match[0]))
            named = match["title"] or (is_name(match["first"]) and content_words(match["first"]))
            if named and not asked & said and any(said | whom <= set(words(text)) for text in vouching):
                return match[0]
        return None

    def then(self, name: str) -> str:
        """The question itself, with a name in place of the description."""
        return self.question.replace(self.described, name, 1)


def hops(question: str) -> Hops | None:
    """How a question about somebody described is asked in two steps; None where nobody is.

    >>> hops("Where does my best friend live?").first
    'What is the name of my best friend?'
    >>> hops("Where does my best friend live?").then("Yusra")
    'Where does Yusra live?'
    """
    described = _DESCRIBED.search(question) if question.strip().endswith("?") else None
    if described is None:
        return None
    first = f"What is the name of {described[0]}?"
    return None if first.lower() == question.lower() else Hops(first, described[0], question)
