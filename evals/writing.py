"""Documents become a memory: through the same doors as a user's, into modules or into facts alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from sqlmodel import col, select

from engrain.consolidation.distil import Draft, SelfDistiller, Source
from engrain.consolidation.gate import Thresholds
from engrain.consolidation.job import Outcome, Result, consolidate
from engrain.consolidation.plan import backlog
from engrain.errors import JobError
from engrain.evals.data import Document, Taught
from engrain.evals.scorers import overlap
from engrain.memory.dates import parse_date
from engrain.memory.ingest import Conversation, store_conversations
from engrain.memory.log import Said, messages_of
from engrain.memory.memory import Memory
from engrain.memory.schema import Fact, Job, Message, Module, ModuleFact, ModuleState, ProbeKind
from engrain.memory.voice import words

OPEN_GATE = Thresholds(**{f.name: 0.0 for f in fields(Thresholds)} | {"perplexity": float("inf")})
"""An evaluation measures the module itself, so it is published whatever the gate thinks; what the gate measured is kept."""


class Layout(StrEnum):
    """How documents are spread over modules."""

    FACTS = "facts"  # in SQL alone
    ONE = "one"  # all in one module
    EACH = "each"  # a module for each document
    PLANNED = "planned"  # as the planner divides them


@dataclass(frozen=True)
class Written:
    """What writing one module cost."""

    document: str
    """Empty: all of them."""
    facts: int
    seconds: float
    bytes: int
    module: str
    scores: dict[str, object]


class GivenDistiller:
    """Questions that come with the data, each for the fact that it is about; facts without any get those of the self distiller."""

    def __init__(self, memory: Memory, taught: Sequence[Taught], writes: bool, elsewhere: Sequence[Fact] = ()) -> None:
        """Questions about facts `elsewhere` are left to the modules of these."""
        self.own = SelfDistiller(memory.base, memory.embedder, memory.settings.seed, writes=writes)
        self.taught, self.elsewhere = taught, elsewhere

    def probes(self, sources: Sequence[Source], advance: Callable[[str, float], None] = lambda *_: None) -> list[Draft]:
        """See `Distiller`."""
        asked = {source.fact_id: source.asked for source in sources}
        known = asked | {fact.id: fact.asked for fact in self.elsewhere if fact.id is not None}
        by_key = {_key(text): fact_id for fact_id, text in known.items()}
        about = [(by_key.get(_key(one.statement)) or _nearest(one, known), one) for one in self.taught]
        given = [Draft(fact_id, ProbeKind.QUESTION, one.question, one.answer) for fact_id, one in about if fact_id in asked]
        covered = {draft.fact_id for draft in given}
        rest = [s for s in sources if s.fact_id not in covered]
        if rest:
            return given + self.own.probes(rest, advance)
        return given + self.own.unknowns(sources, given)


def _nearest(taught: Taught, facts: Mapping[int, str]) -> int:
    """The fact that shares the most words with what is taught."""
    said = f"{taught.statement} {taught.question} {taught.answer}"
    return max(facts, key=lambda fact_id: overlap(said, facts[fact_id]))


def write(memory: Memory, documents: Sequence[Document], layout: Layout, kept: Callable[[Written], None], advance: Callable[[str], None]) -> None:
    """Bring the documents into the memory; what an earlier, killed call has finished is not done again.

    `kept` is told of each module that it makes; raises JobError where one could not be trained.
    """
    done = homes(memory)
    if layout is not Layout.EACH:
        for document in documents:
            tell(memory, document)
        while layout is not Layout.FACTS and (left := _waiting(memory)):
            advance(f"{left} facts are left")
            _engrain(memory, documents, "", kept)
        return
    for number, document in enumerate(documents, 1):
        if document.id not in done:
            advance(f"module {number} of {len(documents)}")
            tell(memory, document)
            if _waiting(memory):
                _engrain(memory, [document], document.id, kept)


def unrecorded(memory: Memory, recorded: set[str]) -> list[Written]:
    """Modules that were published right before a kill, so that nobody was told."""
    where: dict[str, list[str]] = {}
    for document, module_id in homes(memory).items():
        where.setdefault(module_id, []).append(document)
    out = []
    for module in memory.modules(None, ModuleState.LIVE):
        if module.id not in recorded:
            told = where.get(module.id, [])
            out.append(_written(memory, module, told[0] if len(told) == 1 else ""))
    return out


def _written(memory: Memory, module: Module, name: str) -> Written:
    with memory.store.read() as db:
        job = db.get(Job, module.job_id)
    seconds = sum(job.result["seconds"].values()) if job else 0.0
    return Written(name, len(job.fact_ids) if job else 0, seconds, module.bytes, module.id, module.scores)


def homes(memory: Memory) -> dict[str, str]:
    """The live module of each document, by document; the first one where it has several."""
    query = (
        select(Message.session_id, Module.id)
        .join(Fact, col(Fact.message_id) == col(Message.id))
        .join(ModuleFact, col(ModuleFact.fact_id) == col(Fact.id))
        .join(Module, col(Module.id) == col(ModuleFact.module_id))
        .where(Module.owner == memory.settings.owner, Module.state == ModuleState.LIVE)
        .order_by(col(Module.created_at).desc())
    )
    with memory.store.read() as db:
        return dict(db.exec(query).all())


def tell(memory: Memory, document: Document) -> None:
    """A document's statements one by one; a text or a conversation as a session. What is there already is not told again."""
    with memory.store.read() as db:
        there = {m.content for m in messages_of(db, memory.settings.owner, document.id)}
    for statement in document.statements:
        if statement not in there:
            memory.remember(statement, session=document.id)
    if not document.statements:
        at = parse_date(document.date) if document.date else None
        speakers = list(dict.fromkeys(t.speaker for t in document.turns))
        other = dict(zip(speakers, reversed(speakers), strict=True)) if len(speakers) == 2 else {}
        said = [Said("user", t.text, t.speaker, other.get(t.speaker), at) for t in document.turns]
        said = said or [Said("user", document.text, said_at=at)]
        store_conversations(memory.store, memory.settings.owner, [Conversation(document.id, tuple(said))])


def _waiting(memory: Memory) -> int:
    """How many facts wait for a module; those of which nothing can be trained do not."""
    return backlog(memory.store, memory.settings.owner, memory.settings).facts


def _engrain(memory: Memory, documents: Sequence[Document], name: str, kept: Callable[[Written], None]) -> None:
    """Make a module of what waits; none where nothing of it can be trained."""
    writes = memory.settings.distiller == "self"
    distiller = GivenDistiller(memory, [t for d in documents for t in d.taught], writes, () if name else memory.facts())
    outcome: Outcome = consolidate(memory, memory.settings.owner, distiller=distiller, bounds=OPEN_GATE)
    if outcome.result is Result.REJECTED and outcome.module_id is None:
        return
    if outcome.result is not Result.PUBLISHED:
        raise JobError(f"the module of {name or 'all documents'!r} ended as {outcome.result.value}: {outcome.reason}; run it again, it resumes")
    (module,) = [m for m in memory.modules() if m.id == outcome.module_id]
    kept(_written(memory, module, name))


def _key(text: str) -> str:
    return " ".join(words(text))
