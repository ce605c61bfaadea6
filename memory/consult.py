"""Consulting a module: what it says counts where it is sure and a fact on record vouches for it.

A module knows more than it says first. Where its first answer does not stand, or is vouched for by a fact that the question is
not about, its next likely answers to the same question are weighed; the record only tells them apart, it puts no words into its
mouth. Where trained words may be shown, the question is put in those of the nearest trained question first. Recall and the gate
both go through here, so that what the gate measured is what a user gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from engrain.memory.answer_type import answer_type
from engrain.memory.evidence import of_kind, recites, supporting, vouching
from engrain.memory.nearness import Near, Wording
from engrain.memory.schema import Fact
from engrain.memory.statements import content_words
from engrain.memory.strangers import strangers

if TYPE_CHECKING:
    from engrain.memory.bank.bank import Answer

SURE = 0.25
"""Least confidence of a first answer from weights; below it the memory says that it does not know."""
_LIKELY = 0.3
"""Least confidence of a further answer: its beginning was not the likeliest."""
_NEAR = 0.45
"""Least nearness of a trained question in whose words a module is asked, and of a fact that vouches for a further answer."""
_SURELY = 0.6
"""The same where the module declines the question itself."""
_APART = 0.42
"""Least nearness of a fact that vouches for an answer, where nearness is known: below it the answer is to another question."""
_BESIDE = 0.1
"""How much nearer another fact must be than the one that vouches for an answer, for further answers to be heard."""


class Asked(Protocol):
    """A module that can be asked, many questions at once."""

    def first(self, questions: Sequence[str]) -> list[Answer]:
        """What it says to each."""
        ...

    def further(self, questions: Sequence[str]) -> list[list[Answer]]:
        """What else it might have said to each, with other beginnings, the likeliest first."""
        ...


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
    module: Asked, questions: Sequence[str], facts: Sequence[Fact], near: Callable[[str], Near] = lambda _: Near(), rewords: bool = False
) -> list[Consulted]:
    """Ask a module that holds `facts`; `near` tells which of them, and which trained questions, a question is near to.

    Without `rewords` it is shown nothing but the question, and in the end the question's own key words.
    """
    strange = {i: names for i, question in enumerate(questions) if (names := strangers(question, facts))}
    where = [Near() if i in strange else near(question) for i, question in enumerate(questions)]  # with strangers there is no asking again
    first = module.first(questions)
    done = [_judged(question, answer, facts, at) for question, answer, at in zip(questions, first, where, strict=True)]
    for i, names in strange.items():
        done[i] = Consulted(first[i], (), (f"no fact names {names[0]!r}",))
    if rewords:
        _in_trained_words(module, questions, where, done, facts)
    doubtful = [i for i, found in enumerate(done) if where[i].facts and not _about(found, where[i])]
    for i, answers in zip(doubtful, module.further([questions[i] for i in doubtful]) if doubtful else [], strict=True):
        done[i] = _weighed(questions[i], done[i], answers, facts, where[i], declined(first[i]))
    again = {
        i: words for i, c in enumerate(done) if i not in strange and not c.known and not declined(c.answer) and (words := _key_words(questions[i]))
    }
    for i, answer in zip(again, module.first(list(again.values())) if again else [], strict=True):
        second = _judged(questions[i], answer, facts, where[i])
        done[i] = replace(second, said=(*done[i].said, *second.said))
    return [_shortened(question, found, at) for question, found, at in zip(questions, done, where, strict=True)]


def declined(answer: Answer) -> bool:
    """Whether the model itself says that it does not know."""
    return answer.text.lower().replace("’", "'").startswith(("i don't know", "i do not know"))


def _in_trained_words(module: Asked, questions: Sequence[str], near: Sequence[Near], done: list[Consulted], facts: Sequence[Fact]) -> None:
    """Put each question in the words of the nearest trained one, and keep what stands; not over a refusal, unless these are very near."""
    words: dict[int, Wording] = {}
    for i, found in enumerate(done):
        nearest = near[i].wording
        if nearest and nearest.question != questions[i] and nearest.nearness >= (_SURELY if declined(found.answer) else _NEAR):
            words[i] = nearest
    answers = module.first([w.question for w in words.values()]) if words else []
    for (i, wording), answer in zip(words.items(), answers, strict=True):
        found = _judged(wording.question, answer, facts, near[i])
        about = [fact for fact in vouching(questions[i], answer.text, found.facts) if fact.id == wording.fact_id]
        if about and of_kind(questions[i], answer.text, about):
            done[i] = replace(found, facts=tuple(about), said=(f"asked as {wording.question!r}",))


def _about(found: Consulted, near: Near) -> bool:
    """Whether an answer stands on a fact that the question is about, as far as nearness tells."""
    return found.known and near.of(found.facts) >= max(near.facts.values()) - _BESIDE


def _weighed(question: str, first: Consulted, answers: Sequence[Answer], facts: Sequence[Fact], near: Near, refused: bool) -> Consulted:
    """The further answer that the nearest fact vouches for, where that is nearer than what vouches for the first."""
    standing = [found for answer in answers if (found := _judged(question, answer, facts, near, _LIKELY)).known]
    if not standing:
        return first
    best = max(standing, key=lambda found: (near.of(found.facts), found.answer.confidence))
    needed = max(_SURELY if refused else _NEAR, near.of(first.facts) + _BESIDE if first.known else 0.0)
    if near.of(best.facts) < needed:
        return first
    closest = sorted(best.facts, key=lambda fact: -near.of([fact]))
    return replace(best, facts=tuple(closest), said=(*first.said, f"it says {first.answer.text!r} first"))


def _judged(question: str, answer: Answer, facts: Sequence[Fact], near: Near, least: float = SURE) -> Consulted:
    if declined(answer):
        return Consulted(answer, (), ("it does not know",))
    if answer.cut:
        return Consulted(answer, (), (f"{answer.text!r} goes on and on",))
    holding = supporting(question, answer.text, facts)
    if not holding:
        return Consulted(answer, (), (f"nothing on record says {answer.text!r}",))
    if not of_kind(question, answer.text, holding):
        return Consulted(answer, (), (f"{answer.text!r} is no {answer_type(question)}",))
    found = tuple(vouching(question, answer.text, facts))
    if not found:
        return Consulted(answer, (), (f"{answer.text!r} answers another question",))
    if near.facts and near.of(found) < _APART:
        return Consulted(answer, (), (f"{answer.text!r} is on record, but not about this",))
    if answer.confidence < least:
        return Consulted(answer, (), (f"unsure ({answer.confidence:.2f}) of {answer.text!r}",))
    return Consulted(answer, found, ())


def _shortened(question: str, found: Consulted, near: Near) -> Consulted:
    """Of an answer that recites a fact, the part that the question asks for."""
    if not found.known or not question.strip().endswith("?") or not recites(found.answer.text, found.facts[0]):
        return found
    part = near.part(question, found.answer.text, found.facts[0])
    if part is None or not of_kind(question, part, found.facts[:1]) or not supporting(question, part, found.facts[:1]):
        return found
    return replace(found, answer=replace(found.answer, text=part), said=(*found.said, f"it says {found.answer.text!r}"))


def _key_words(question: str) -> str:
    """A second way into the same memory, with nothing in it that was not asked."""
    words = content_words(question)
    return " ".join(words) + "?" if len(words) >= 2 else ""
