"""Questions that need two facts: who or what is described is asked for first, and the name goes into the question itself.

*Where does my sister's husband work?* needs a fact about the sister and one about a man; one module may hold the one, another
module the other. Each hop is a question of its own, routed and vouched for like any other (self-ask, arXiv 2210.03350).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engrain.memory.voice import KIN

_DESCRIBED = re.compile(rf"\b(?:my|our|[A-Z][\w-]+(?: [A-Z][\w-]+)?'s) (?:[a-z-]+ ){{0,2}}?(?:{KIN})\b")
_NAME = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof)?\.? ?[A-Z][\w'-]*(?: (?:de |van |von )*[A-Z][\w'-]*)*")
_SAID_FIRST = {"Your", "The", "It", "He", "She", "They", "His", "Her"}


@dataclass(frozen=True)
class Hops:
    """A question in two steps."""

    first: str
    """Asks who or what is described."""
    described: str
    question: str

    def then(self, answer: str) -> str | None:
        """The question itself, with the name that the first answer gives in place of the description; None where it gives none."""
        names = [name.strip() for name in _NAME.findall(answer)]
        named = next((name for name in names if name not in _SAID_FIRST and name.lower() not in self.question.lower()), None)
        return self.question.replace(self.described, named, 1) if named else None


def hops(question: str) -> Hops | None:
    """How a question about somebody described is asked in two steps; None where nobody is.

    >>> hops("Where does my best friend live?").first
    'What is the name of my best friend?'
    >>> hops("Where does my best friend live?").then("Yusra")
    'Where does Yusra live?'
    """
    described = _DESCRIBED.search(question)
    first = f"What is the name of {described[0]}?" if described else question
    return Hops(first, described[0], question) if described and first.lower() != question.lower() else None
