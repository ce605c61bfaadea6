"""Told: a hundred things a person says of their life in twenty conversations, and questions about them.

`facts.jsonl` is ours: what was said, five questions as a teacher writes them, two that are never trained, and the answers. All
of it was written by a language model (Claude) for this repository, before anything was measured on it. So was `never.txt`: sixty
questions that nothing answers, half of them about people and things that were spoken of.

`more.jsonl` is forty more in eight conversations, with forty questions that nothing answers: they showed what the grammar did not
understand; `unseen.jsonl`, thirty with thirty, showed more. `fresh.jsonl` is thirty again, with thirty questions that nothing answers,
written after the grammar was mended and before it was tried on them.

`blind`, `second`, `third`, `fourth`, `fifth`, `sixth` and `seventh` are forty facts, eighty questions and forty that nothing answers each, by
language models that had seen nothing of engrain. Each was asked once before anybody looked at it. `third_taught.jsonl`, `fifth_taught.jsonl` and
`sixth_taught.jsonl` are what yet others taught of these who saw what was said and none of the questions; where they hit upon one of these it
is left out.

They are for figures alone: whoever looks at what became of them one by one has new ones written.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any

from engrain.evals.data import Data, Document, Question, Taught, Turn, parse, text_of
from engrain.evals.scorers import normalized
from engrain.evals.tasks.task import Source


@dataclass(frozen=True)
class Fact:
    """Something that was said."""

    session: str
    said: str
    answers: tuple[str, ...]
    """What is asked for, as the teacher gives it; after that, other ways to say it."""
    teach: tuple[str, ...]
    """The teacher's questions."""
    ask: tuple[str, ...]
    """Questions that are never trained."""


@dataclass(frozen=True)
class Told:
    """A document is a conversation."""

    name: str = "told"
    about: str = "a hundred things told in conversation: who, what, when, where, how much"
    of: str = "facts"
    """The file of the facts, without its ending."""
    never: str = "never"
    """The file of questions that nothing answers."""
    taught: bool = False
    """Whether the teacher's questions are taught; otherwise the distiller writes them."""
    teacher: str = ""
    """A file of what a teacher wrote who saw nothing but what was said; empty: those that stand with the facts."""
    scorer: str = "token_f1"

    def load(self, source: Source) -> Data:
        """See `Task`; the data is its own, a folder given has no meaning."""
        del source
        facts = told(self.of)
        sessions: dict[str, list[Fact]] = {}
        for fact in facts:
            sessions.setdefault(fact.session, []).append(fact)
        questions = [
            Question(f"{fact.session}/{n}#{i}", asked, fact.answers, "never trained", fact.session, about=fact.said)
            for n, fact in enumerate(facts) for i, asked in enumerate(fact.ask)
        ]  # fmt: skip
        questions += [Question(f"never/{n}", asked, (), "unanswerable", "") for n, asked in enumerate(never_told(self.never))]
        return Data(tuple(self._document(s, facts) for s, facts in sessions.items()), tuple(questions))

    def _document(self, session: str, facts: list[Fact]) -> Document:
        turns, said = tuple(Turn("user", fact.said) for fact in facts), [fact.said for fact in facts]
        if self.teacher:
            tested = {" ".join(normalized(asked)) for fact in facts for asked in fact.ask}  # 7 of 80 the teacher hit upon, too
            taught = tuple(t for t in taught_by(self.teacher) if t.statement in said and " ".join(normalized(t.question)) not in tested)
        else:
            taught = tuple(Taught(f.said, question, f.answers[0]) for f in facts for question in f.teach) if self.taught else ()
        return Document(session, "\n".join(said), taught, turns)


def told(name: str = "facts") -> list[Fact]:
    """The facts of a file, in the order in which they were told."""
    with as_file(files(__name__) / f"{name}.jsonl") as path:
        return parse(path, _fact)


def never_told(name: str = "never") -> list[str]:
    """Questions that none of the facts answers."""
    return (files(__name__) / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def taught_by(name: str) -> list[Taught]:
    """A teacher's questions with their answers, as they stand in a file."""
    with as_file(files(__name__) / f"{name}.jsonl") as path:
        return parse(path, lambda one: Taught(text_of(one, "said"), text_of(one, "question"), text_of(one, "answer")))


def _fact(record: dict[str, Any]) -> Fact:
    return Fact(text_of(record, "session"), text_of(record, "said"), tuple(record["answers"]), tuple(record["teach"]), tuple(record["ask"]))


def _taught(of: str) -> Told:
    about = "the same, with questions by another one, who saw what was said alone"
    return Told(f"told-{of}-taught", about, of=of, never=f"{of}_never", teacher=f"{of}_taught")


TOLD = (
    Told(),
    Told("told-taught", "the same, with questions that a teacher wrote", taught=True),
    Told("told-more", "forty more, after which the grammar was mended", of="more", never="more_never"),
    Told("told-unseen", "thirty that were unseen once, and were looked at", of="unseen", never="unseen_never"),
    Told("told-fresh", "thirty more of these", of="fresh", never="fresh_never"),
    Told("told-blind", "forty by somebody who had seen nothing of engrain; looked at since", of="blind", never="blind_never"),
    Told("told-second", "forty more by such a one; looked at since", of="second", never="second_never"),
    Told("told-third", "forty more by such a one; looked at since", of="third", never="third_never"),
    _taught("third"),
    Told("told-fourth", "forty more by such a one; looked at since", of="fourth", never="fourth_never"),
    Told("told-fifth", "forty more by such a one; looked at since", of="fifth", never="fifth_never"),
    _taught("fifth"),
    Told("told-sixth", "forty more by such a one, clipped and rambling; looked at since", of="sixth", never="sixth_never"),
    _taught("sixth"),
    Told("told-seventh", "forty more by such a one, in whole sentences; looked at since", of="seventh", never="seventh_never"),
)
