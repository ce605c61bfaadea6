"""Recall: how a question finds its module, and what comes back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

from engrain.errors import InputError, ModuleError
from engrain.memory.answer_type import answer_type
from engrain.memory.bank.prompt import UNKNOWN
from engrain.memory.consult import consult, declined
from engrain.memory.evidence import Evidence, evidence_of, of_kind, vouching
from engrain.memory.facts import facts_of
from engrain.memory.hops import hops
from engrain.memory.modules import require_module
from engrain.memory.parts import asks_for_part, part_of
from engrain.memory.router import Route, Router
from engrain.memory.schema import Fact, Message, Module, ModuleState
from engrain.memory.search import Found, Search
from engrain.memory.store import Store
from engrain.memory.strangers import strangers
from engrain.memory.wordings import other_words

if TYPE_CHECKING:
    from engrain.memory.bank.bank import Answer, Bank

Mode = Literal["weights", "text", "hybrid"]

_READ = 0.4
"""Least cosine similarity of a fact that vouches for what was read: farther off, it holds the words by chance."""
_NEARBY = 2
"""So many facts are told where there is no answer."""
_PART = 0.35
"""Least cosine similarity of the fact whose part is told."""
_REWORDED = 2
"""In so many other wordings a question is asked that has no answer."""


@dataclass(frozen=True)
class Recollection:
    """What recall returns."""

    query: str
    mode: Mode
    text: str
    """The answer, or "I don't know."."""
    confidence: float
    """0 to 1."""
    source: Literal["weights", "facts", "none"]
    modules: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    why: str
    """How it was found, for a person."""
    seconds: float
    prompt: str = field(default="", repr=False)
    """The exact text the memory model saw."""
    near: tuple[Evidence, ...] = ()
    """Where there is no answer: the facts that come nearest to the question, the nearest first, which may be about something else; none
    where the weights alone are asked."""

    @property
    def known(self) -> bool:
        """Whether the memory has an answer."""
        return self.source != "none"

    @property
    def supported(self) -> bool:
        """Whether a fact stands behind the answer."""
        return bool(self.evidence)


class Recall:
    """Answers questions of an owner from their memory."""

    def __init__(self, store: Store, bank: Bank, search: Search, router: Router) -> None:
        self.store, self.bank, self.search, self.router = store, bank, search, router

    def __call__(self, query: str, owner: str, mode: Mode = "hybrid", k: int = 4, module: str | None = None) -> Recollection:
        """Recall what the owner's memory holds on a question.

        `weights` asks the routed module and shows it nothing but the question. `text` tells the part of the nearest fact that is
        asked for; where the fact has no parts, or not for one is asked, the base model reads the k facts found. `hybrid` tells the
        part, too, and else asks the module, in the words of the nearest trained question too, unless a fresh fact is nearer.
        What is not known is asked in other words, where there are some that modules were asked in, and then in two or three
        hops where it describes somebody: who is that, and then by name. What stays unknown comes with the facts that are nearest.
        With the id of a `module` that one is asked, whatever the router says.
        Raises InputError for an empty question or an unknown mode, NotFoundError for a module that is not the owner's.
        """
        started = time.perf_counter()
        question = _checked(query, mode)
        out = self._once(question, owner, mode, k, module)
        if not out.known and module is None:
            out = self._in_other_words(question, owner, mode, k) or self._in_hops(question, owner, mode, k) or out
        near = () if out.known or mode == "weights" else self._nearby(question, owner)
        return replace(out, near=near, seconds=time.perf_counter() - started)

    def _nearby(self, question: str, owner: str) -> tuple[Evidence, ...]:
        """The facts that are near enough to a question to be about it."""
        return tuple(_as_evidence(found) for found in self.search.find(question, owner, _NEARBY) if found.similarity >= _READ)

    def _once(self, question: str, owner: str, mode: Mode, k: int, module: str | None = None) -> Recollection:
        """One question, one module, or the facts found."""
        found = [] if mode == "weights" else self.search.find(question, owner, k)
        if module is None and (part := self._part(question, mode, found)):
            return part
        route = None if mode == "text" else self._named(module, owner) if module else self.router.route(question, owner)
        if route is not None and route.module is not None and not _fresh_is_nearer(found, route):
            try:
                return self._from_module(question, owner, mode, route, route.module, found)
            except ModuleError as error:
                if not module and not self._serves(route.module):
                    return self._once(question, owner, mode, k)  # it was replaced or forgotten this moment
                if module or mode == "weights":
                    raise
                return self._read(question, mode, found) or _nothing(question, mode, str(error))
        return self._read(question, mode, found) or _nothing(question, mode, _explain(route))

    def _serves(self, module: Module) -> bool:
        """Whether a module is live still."""
        with self.store.read() as db:
            row = db.get(Module, module.id)
        return row is not None and row.state is ModuleState.LIVE

    def _in_other_words(self, question: str, owner: str, mode: Mode, k: int) -> Recollection | None:
        """The same question in the words that are nearest to what modules were asked when they were made."""
        routes = [(self.router.route(one, owner), one) for one in other_words(question)]
        near = sorted((route.score, one) for route, one in routes if route.module is not None)[-_REWORDED:]
        for _, one in reversed(near):
            out = self._once(one, owner, mode, k)
            if out.known and self._answers(question, out):
                return replace(out, query=question, why=f"asked as {one!r}: {out.why}")
        return None

    def _answers(self, question: str, found: Recollection) -> bool:
        """Whether what was found for another wording is of the kind that the question itself asks for."""
        with self.store.read() as db:
            facts = [fact for e in found.evidence if e.fact_id is not None and (fact := db.get(Fact, e.fact_id)) is not None]
        return not facts or (of_kind(question, found.text, facts) and bool(vouching(question, found.text, facts)))

    def _in_hops(self, question: str, owner: str, mode: Mode, k: int, most: int = 2) -> Recollection | None:
        """The question with somebody's name in place of a description of them; each hop may go to another module."""
        steps = hops(question)
        if steps is None or not most:
            return None
        first = self._once(steps.first, owner, mode, k)
        name = steps.name(first.text, [e.text for e in first.evidence]) if first.known else None
        if name is None:
            return None
        then = steps.then(name)
        second = self._once(then, owner, mode, k)
        if not second.known:
            second = self._in_hops(then, owner, mode, k, most - 1) or second
        return _joined(question, steps.first, first, then, second) if second.known else None

    def _named(self, module: str, owner: str) -> Route:
        """A route to the module that was asked for."""
        with self.store.read() as db:
            row = require_module(db, owner, module)
        return Route(row, 1.0, 1.0, "(the module was named)", None, 0.0)

    def _from_module(self, question: str, owner: str, mode: Mode, route: Route, module: Module, found: Sequence[Found]) -> Recollection:
        """Ask the module; where its answer does not stand, read the facts found, if any may be read."""
        with self.store.read() as db:
            known = facts_of(db, owner, module.id)
        near = self.router.near(question, owner, module)
        (consulted,) = consult(self.bank.of(module), [question], known, lambda _: near, rewords=mode == "hybrid")
        answer = consulted.answer
        why = "; ".join([_explain(route), *consulted.said])
        if consulted.known:
            evidence = self._behind(consulted.facts[:2])
            return Recollection(question, mode, answer.text, answer.confidence, "weights", (module.id,), evidence, why, 0.0, answer.prompt)
        return self._read(question, mode, found) or _nothing(question, mode, why, answer.prompt, (module.id,))

    def _behind(self, facts: Sequence[Fact]) -> tuple[Evidence, ...]:
        """Facts as evidence, with the sessions they were said in."""
        with self.store.read() as db:
            said_in = [db.get(Message, fact.message_id) for fact in facts]
        return tuple(evidence_of(fact, message.session_id if message else "") for fact, message in zip(facts, said_in, strict=True))

    def _part(self, question: str, mode: Mode, found: Sequence[Found]) -> Recollection | None:
        """The part of the nearest fact that the question asks for; None where it is too far off, or none is meant."""
        nearest = found[0] if found else None
        if nearest is None or nearest.similarity < _PART or strangers(question, [f.fact for f in found]):
            return None
        part = part_of(self.bank.base, question, nearest.fact)
        if part is None:
            return None
        why = f"part of the nearest fact, {nearest.similarity:.2f}"
        return Recollection(question, mode, part.text, part.confidence, "facts", (), (_as_evidence(nearest),), why, 0.0, part.prompt)

    def _read(self, question: str, mode: Mode, found: Sequence[Found]) -> Recollection | None:
        """Read the answer off the facts found; it stands where one of them says so, is near enough and nobody unknown is asked about.

        None where there is nothing to read, or the nearest fact has parts and none of them is meant.
        """
        if not found or asks_for_part(question, found[0].fact):
            return None
        answer = self.bank.read(question, [note(f) for f in reversed(found)])
        facts = [f.fact for f in found]
        why = f"{len(found)} facts by text, the nearest {found[0].similarity:.2f}"
        near = [f for fact in vouching(question, answer.text, facts) for f in found if f.fact is fact and f.similarity >= _READ]
        if doubt := _doubt(question, answer, facts, near):
            return _nothing(question, mode, f"{why}; {doubt}", answer.prompt)
        confidence = max(0.0, min(1.0, answer.probability * near[0].similarity))
        return Recollection(
            question, mode, answer.text, confidence, "facts", (), tuple(map(_as_evidence, near[:2])), why, 0.0, answer.prompt
        )  # fmt: skip


def _doubt(question: str, answer: Answer, facts: Sequence[Fact], near: Sequence[Found]) -> str:
    """Why what was read off facts does not stand; empty where it does."""
    if declined(answer) or not answer.text:
        return "the model does not find the answer in them"
    if answer.cut:
        return f"{answer.text!r} goes on and on"
    if names := strangers(question, facts):
        return f"no fact names {names[0]!r}"
    if not near:
        return f"none of them, near enough, says {answer.text!r} to this"
    return "" if of_kind(question, answer.text, facts) else f"{answer.text!r} is no {answer_type(question)}"


def _as_evidence(found: Found) -> Evidence:
    return evidence_of(found.fact, found.session_id)


def _checked(query: str, mode: str) -> str:
    if mode not in get_args(Mode):
        raise InputError(f"mode {mode!r} is unknown; use one of {', '.join(get_args(Mode))}")
    if not query.strip():
        raise InputError("an empty question cannot be recalled; ask something")
    return query.strip()


def _fresh_is_nearer(found: Sequence[Found], route: Route) -> bool:
    """Whether what was said last, and is in no module yet, fits the question better than the module does."""
    return bool(found) and found[0].fresh and found[0].similarity >= route.score - 0.1


def note(found: Found) -> str:
    """A fact as the base model reads it."""
    fact = found.fact
    return f"{fact.asked.rstrip('.')} (said on {fact.said_on.day} {fact.said_on:%B %Y})."


def _explain(route: Route | None) -> str:
    if route is None or not route.probe:
        return "no module serves this owner"
    verdict = "≥" if route.module else "<"
    words = f", {route.words:.0%} of its rare words" if route.words else ""
    return f"nearest probe {route.probe!r} at {route.score:.2f}{words} {verdict} {route.threshold:.2f}"


def _nothing(question: str, mode: Mode, why: str, prompt: str = "", modules: tuple[str, ...] = ()) -> Recollection:
    return Recollection(question, mode, UNKNOWN, 0.0, "none", modules, (), why, 0.0, prompt)


def _joined(question: str, asked: str, first: Recollection, then: str, second: Recollection) -> Recollection:
    """The second hop's answer, on what stands behind both."""
    return replace(
        second, query=question, confidence=first.confidence * second.confidence, modules=tuple(dict.fromkeys(second.modules + first.modules)),
        evidence=(*first.evidence[:1], *second.evidence), why=f"{asked!r}: {first.text!r} ({first.why}); {then!r}: {second.why}",
    )  # fmt: skip
