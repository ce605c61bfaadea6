"""Statements against what the base model believes: CounterFact's (arXiv 2202.05262) and MQuAKE's edits (arXiv 2305.14795)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from engrain.evals.data import UNTOUCHED, Data, Document, Question, Taught, parse, question_of, records_of, text_of
from engrain.evals.scorers import normalized
from engrain.evals.tasks.task import Source

_GROUP = 24
"""Statements of a document."""


@dataclass(frozen=True)
class CounterFact:
    """Statements in one file, texts to be continued in another; a probe about no statement of the file is left out."""

    name: str
    file: str
    about: str = "statements against what the base model believes, as texts to continue"
    scorer: str = "contains"

    def load(self, source: Source) -> Data:
        """See `Task`; a file of the user's holds both, `{"statement", "prompt", "answer"}` a line."""
        path = source.file(self.file)
        own = source.folder is not None and not source.folder.is_dir()
        statements = parse(path, lambda r: text_of(r, "statement"))
        probes = parse(path if own else source.file("counterfact-probes.jsonl"), lambda r: (text_of(r, "prompt"), text_of(r, "answer")))
        documents = tuple(
            Document(f"statements {at // _GROUP}", "\n".join(f"{s}." for s in statements[at : at + _GROUP]))
            for at in range(0, len(statements), _GROUP)
        )
        found = [(i, prompt, answer, _about(prompt, answer, statements)) for i, (prompt, answer) in enumerate(probes)]
        questions = tuple(
            Question(f"probe-{i}", f"Complete: {prompt}", (answer,), "statement", documents[at // _GROUP].id)
            for i, prompt, answer, at in found if at is not None
        )  # fmt: skip
        return Data(documents, questions)


def _about(prompt: str, answer: str, statements: Sequence[str]) -> int | None:
    """Index of the statement that ends in the answer and shares the most words with the prompt, half of them at least."""
    asked = set(normalized(prompt))
    best, share = None, 0.5
    for i, statement in enumerate(statements):
        common = len(asked & set(normalized(statement))) / max(1, len(asked))
        if statement.rstrip(". ").endswith(answer) and common >= share:
            best, share = i, common
    return best


@dataclass(frozen=True)
class Edits:
    """MQuAKE: an edit with its old and its new object, and questions that need it; `{"id", "edits", "questions"}` a line.

    Of every two records the first is taught. Its edits are asked as texts to continue and, for efficacy (arXiv 2202.05262), as a
    choice between new and old. The second stays untaught: is its old object, a fact next to the edited one, still preferred?
    """

    name: str = "mquake"
    about: str = "edited facts: the new one, and questions that need it and another"
    file: str = "mquake.jsonl"
    scorer: str = "contains"

    def load(self, source: Source) -> Data:
        """See `Task`."""
        records = parse(source.file(self.file), _Edited.of)
        edited = {e["prompt"] for r in records[::2] for e in r.edits}
        questions = [q for r in records[::2] for q in r.questions]
        for record, other in zip(records[::2], records[1::2], strict=False):
            questions += [
                Question(f"{record.id}/untouched-{i}", f"Complete: {e['prompt']}", (e["old"],), UNTOUCHED, record.id, (e["new"], e["old"]))
                for i, e in enumerate(other.edits) if e["prompt"] not in edited
            ]  # fmt: skip
        return Data(tuple(r.document for r in records[::2]), tuple(questions))


@dataclass(frozen=True)
class _Edited:
    """A record of edits."""

    id: str
    edits: tuple[dict[str, str], ...]
    asked: tuple[Question, ...]
    """The record's own questions."""

    @classmethod
    def of(cls, record: dict[str, Any]) -> _Edited:
        name = text_of(record, "id")
        edits = tuple({key: text_of(e, key) for key in ("prompt", "question", "old", "new")} for e in records_of(record, "edits"))
        if not edits:
            raise ValueError("edits must hold at least one edit")
        return cls(name, edits, tuple(question_of(q, i, name) for i, q in enumerate(records_of(record, "questions"))))

    @property
    def document(self) -> Document:
        taught = tuple(Taught(f"{e['prompt']} {e['new']}.", e["question"], e["new"]) for e in self.edits)
        return Document(self.id, "\n".join(t.statement for t in taught), taught)

    @property
    def questions(self) -> list[Question]:
        out = []
        for i, e in enumerate(self.edits):
            asked = Question(f"{self.id}/edit-{i}", f"Complete: {e['prompt']}", (e["new"],), "edited fact", self.id)
            out += [asked, replace(asked, id=f"{self.id}/efficacy-{i}", kind="efficacy", choices=(e["old"], e["new"]))]
        return [*out, *self.asked]
