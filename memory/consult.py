"""Consulting a module: what it says counts where it is sure and a fact on record vouches for it.

Recall and the gate both go through here, so that what the gate measured is what a user gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engrain.memory.evidence import supporting
from engrain.memory.schema import Fact
from engrain.memory.statements import content_words

if TYPE_CHECKING:
    from engrain.memory.bank.bank import Answer

SURE = 0.25
"""Least confidence of an answer from weights; below it the memory says that it does not know."""


@dataclass(frozen=True)
class Consulted:
    """What came of asking a module."""

    answer: Answer
    """The last thing it said."""
    facts: tuple[Fact, ...]
    """The facts that vouch for it, the closest first; empty where the answer does not stand."""
    said: tuple[str, ...]
    """Why earlier or last sayings did not stand, for a person."""

    @property
    def known(self) -> bool:
        """Whether the answer stands."""
        return bool(self.facts)


def consult(ask: Callable[[Sequence[str]], list[Answer]], questions: Sequence[str], facts: Sequence[Fact]) -> list[Consulted]:
    """Ask a module that holds `facts`, and once more by key words where nothing on record vouches for what it says."""
    done = [_judged(question, answer, facts) for question, answer in zip(questions, ask(questions), strict=True)]
    again = {i: words for i, c in enumerate(done) if not c.known and not declined(c.answer) and (words := _key_words(questions[i]))}
    for i, answer in zip(again, ask(list(again.values())) if again else [], strict=True):
        second = _judged(questions[i], answer, facts)
        done[i] = replace(second, said=(*done[i].said, *second.said))
    return done


def declined(answer: Answer) -> bool:
    """Whether the model itself says that it does not know."""
    return answer.text.lower().replace("’", "'").startswith(("i don't know", "i do not know"))


def _judged(question: str, answer: Answer, facts: Sequence[Fact]) -> Consulted:
    if declined(answer):
        return Consulted(answer, (), ("it does not know",))
    vouching = tuple(supporting(question, answer.text, facts))
    if not vouching:
        return Consulted(answer, (), (f"nothing on record says {answer.text!r}",))
    if answer.confidence < SURE:
        return Consulted(answer, (), (f"unsure ({answer.confidence:.2f}) of {answer.text!r}",))
    return Consulted(answer, vouching, ())


def _key_words(question: str) -> str:
    """A second way into the same memory, with nothing in it that was not asked."""
    words = content_words(question)
    return " ".join(words) + "?" if len(words) >= 2 else ""
