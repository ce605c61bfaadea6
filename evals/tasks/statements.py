"""Statements against what the base model believes: CounterFact's (arXiv 2202.05262) and MQuAKE's edits (arXiv 2305.14795)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engrain.evals.data import Data, Document, Question, Taught, parse, question_of, text_of
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
    """MQuAKE: an edit with its old and its new object, and questions that need it; `{"id", "edits", "questions"}` a line."""

    name: str = "mquake"
    about: str = "edited facts: the new one, and questions that need it and another"
    file: str = "mquake.jsonl"
    scorer: str = "contains"

    def load(self, source: Source) -> Data:
        """See `Task`."""
        pairs = parse(source.file(self.file), _edited)
        return Data(tuple(d for d, _ in pairs), tuple(q for _, questions in pairs for q in questions))


def _edited(record: dict[str, Any]) -> tuple[Document, list[Question]]:
    name = text_of(record, "id")
    edits = record["edits"]
    if not edits:
        raise ValueError("edits must hold at least one edit")
    lines = [f"{text_of(e, 'prompt')} {text_of(e, 'new')}." for e in edits]
    taught = tuple(Taught(line, text_of(e, "question"), e["new"]) for line, e in zip(lines, edits, strict=True))
    direct = [Question(f"{name}/edit-{i}", f"Complete: {e['prompt']}", (e["new"],), "edited fact", name) for i, e in enumerate(edits)]
    return Document(name, "\n".join(lines), taught), direct + [question_of(q, i, name) for i, q in enumerate(record["questions"])]
