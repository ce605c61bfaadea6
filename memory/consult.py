"""Consulting a module: what it says counts where it is sure and a fact on record vouches for it.

A module recalls best what it is asked in the words that it was trained on. So a question is put to it twice, as it is and in
the words of the nearest trained question, which holds no answer; where neither answer stands, in the next nearest words and
by key words alone. Recall and the gate both go through here, so that what the gate measured is what a user gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engrain.memory.evidence import supporting
from engrain.memory.nearness import Wording
from engrain.memory.schema import Fact
from engrain.memory.statements import content_words

if TYPE_CHECKING:
    from engrain.memory.bank.bank import Answer

SURE = 0.25
"""Least confidence of an answer from weights; below it the memory says that it does not know."""
_NEAR = 0.45
"""Least nearness of a trained question in whose words a module is asked."""
_SURELY = 0.6
"""Nearness of a trained question at which the module is asked in its words although it declines the question itself."""


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


def consult(
    ask: Callable[[Sequence[str]], list[Answer]],
    questions: Sequence[str],
    facts: Sequence[Fact],
    wordings: Callable[[str], Sequence[Wording]] = lambda _: (),
) -> list[Consulted]:
    """Ask a module that holds `facts`; `wordings` gives the trained questions near a question, the nearest first."""
    near = [[w for w in wordings(question) if w.nearness >= _NEAR and w.question != question] for question in questions]
    first = [[question, *(w.question for w in ws[:1])] for question, ws in zip(questions, near, strict=True)]
    answers = _asked(ask, first)
    done = [_first(q, ws, given, facts) for q, ws, given in zip(questions, near, answers, strict=True)]
    again = {i: near[i][1:] for i, c in enumerate(done) if not c.known and not _doubted(answers[i][0], near[i][1:])}
    second = _asked(ask, [[*(w.question for w in ws), _key_words(questions[i])] for i, ws in again.items()])
    for (i, ws), given in zip(again.items(), second, strict=True):
        done[i] = _second(questions[i], done[i], ws, given, facts)
    return done


def declined(answer: Answer) -> bool:
    """Whether the model itself says that it does not know."""
    return answer.text.lower().replace("’", "'").startswith(("i don't know", "i do not know"))


def _first(question: str, near: Sequence[Wording], given: Sequence[Answer], facts: Sequence[Fact]) -> Consulted:
    """In the nearest words, unless the module declines the question itself and the words are not near enough to overrule it."""
    own = _judged(question, given[0], facts)
    if len(given) == 1 or _doubted(given[0], near):
        return own
    reworded = _reworded(question, near[0], given[1], facts)
    if reworded.known:
        return reworded
    return replace(own, said=(*reworded.said, *own.said))


def _second(question: str, first: Consulted, near: Sequence[Wording], given: Sequence[Answer], facts: Sequence[Fact]) -> Consulted:
    tries = [_reworded(question, w, answer, facts) for w, answer in zip(near, given, strict=False)]
    tries += [_judged(question, answer, facts) for answer in given[len(near) :]]
    said = first.said
    for found in tries:
        said = (*said, *found.said)
        if found.known:
            return replace(found, said=said)
    return replace(first, said=said)


def _doubted(own: Answer, near: Sequence[Wording]) -> bool:
    """Whether the module says that it does not know, and no trained question is so near that it should."""
    return declined(own) and not (near and near[0].nearness >= _SURELY)


def _reworded(question: str, wording: Wording, answer: Answer, facts: Sequence[Fact]) -> Consulted:
    """What was answered in other words must be vouched for by their own fact, and add to the question that was asked."""
    found = _judged(wording.question, answer, facts)
    about = [fact for fact in found.facts if fact.id == wording.fact_id]
    if found.known and not (about and supporting(question, answer.text, about)):
        return Consulted(answer, (), (f"{answer.text!r} says nothing about {wording.question!r}",))
    return replace(found, facts=tuple(about), said=(*found.said, f"asked as {wording.question!r}"))


def _judged(question: str, answer: Answer, facts: Sequence[Fact]) -> Consulted:
    if declined(answer):
        return Consulted(answer, (), ("it does not know",))
    vouching = tuple(supporting(question, answer.text, facts))
    if not vouching:
        return Consulted(answer, (), (f"nothing on record says {answer.text!r}",))
    if answer.confidence < SURE:
        return Consulted(answer, (), (f"unsure ({answer.confidence:.2f}) of {answer.text!r}",))
    return Consulted(answer, vouching, ())


def _asked(ask: Callable[[Sequence[str]], list[Answer]], groups: Sequence[Sequence[str]]) -> list[list[Answer]]:
    """The answers to groups of questions, in one batch; empty questions are not asked."""
    flat = [question for group in groups for question in group if question]
    given = iter(ask(flat) if flat else [])
    return [[next(given) for question in group if question] for group in groups]


def _key_words(question: str) -> str:
    """A second way into the same memory, with nothing in it that was not asked."""
    words = content_words(question)
    return " ".join(words) + "?" if len(words) >= 2 else ""
