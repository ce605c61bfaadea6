"""Evaluation data: documents to be learnt and questions about them, read from JSON lines and checked line by line.

The form is that of the record types below; a user's own file in the same form is read by the same code.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engrain.errors import IngestError, InputError
from engrain.evals.scorers import normalized

UNTOUCHED = "untouched"
"""Kind of a question about a fact that nobody taught, asked to see whether it still stands."""


@dataclass(frozen=True)
class Taught:
    """A question with its answer, given by the data and not distilled."""

    statement: str
    """What it was made of; empty where it is about the document's text as a whole."""
    question: str
    answer: str


@dataclass(frozen=True)
class Turn:
    """What somebody said."""

    speaker: str
    text: str


@dataclass(frozen=True)
class Document:
    """Something to be learnt: a text, a session of a conversation, or statements with their questions."""

    id: str
    text: str
    taught: tuple[Taught, ...] = ()
    """Facts without any get distilled questions."""
    turns: tuple[Turn, ...] = ()
    """Where the document is a session of a conversation."""
    date: str = ""

    @property
    def statements(self) -> list[str]:
        """What is told one by one; empty where the turns, or the text, are told as they are."""
        return [] if self.turns else list(dict.fromkeys(t.statement for t in self.taught if t.statement))


@dataclass(frozen=True)
class Question:
    """A question about a document."""

    id: str
    text: str
    answers: tuple[str, ...]
    """Right answers; none where the right reply is that it is not known."""
    kind: str
    document: str
    """Id of the document that answers it; empty where no single one does."""
    choices: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Documents without which it cannot be answered; `document` alone where none is named."""
    about: str = ""
    """What several questions are about together, so that their scores are not independent; empty: this one alone."""


@dataclass(frozen=True)
class Data:
    """What a task gives."""

    documents: tuple[Document, ...]
    questions: tuple[Question, ...]

    def chosen(self, documents: int | None, limit: int | None, seed: int) -> Data:
        """A part of it, the same for the same seed: so many documents, and so many of the questions that they can answer."""
        rng = random.Random(seed)
        kept = _sample(rng, self.documents, documents)
        ids = {d.id for d in kept}
        about = [q for q in self.questions if set(q.needs or ([q.document] if q.document else [])) <= ids]
        return Data(tuple(kept), tuple(_sample(rng, about, limit)))


def _sample(rng: random.Random, items: Sequence[Any], n: int | None) -> list[Any]:
    if n is None or n >= len(items):
        return list(items)
    return [items[i] for i in sorted(rng.sample(range(len(items)), n))]


def checked(data: Data, name: str) -> Data:
    """The data itself; raises InputError where a question that is trained is also tested, or where two things have one id."""
    for kind, ids in (("document", [d.id for d in data.documents]), ("question", [q.id for q in data.questions])):
        twice = [one for one, times in Counter(ids).items() if times > 1]
        if twice:
            raise InputError(f"{name!r} has the {kind} id {twice[0]!r} more than once; give every record its own")
    trained = {" ".join(normalized(t.question)) for d in data.documents for t in d.taught}
    both = [q.text for q in data.questions if " ".join(normalized(q.text)) in trained]
    if both:
        raise InputError(f"{name!r} trains {len(both)} of its test questions, the first is {both[0]!r}; take them out of train_qa")
    return data


def read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, record) of every line; raises InputError for a file that cannot be read, IngestError for bad lines."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read ({error}); name a UTF-8 file of JSON lines with --data") from error
    problems, records = [], []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError(f"a record must be an object, not {type(record).__name__}")
                records.append((number, record))
            except ValueError as error:
                problems.append(f"line {number}: {error}")
    if problems:
        raise IngestError(str(path), problems)
    return iter(records)


def parse(path: Path, read: Any) -> list[Any]:
    """`read(record)` of every record; raises IngestError naming each line that it refuses with a ValueError or KeyError."""
    out, problems = [], []
    for number, record in read_records(path):
        try:
            out.append(read(record))
        except KeyError as error:
            problems.append(f"line {number}: {error.args[0]!r} is missing")
        except (ValueError, TypeError, AttributeError) as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise IngestError(str(path), problems)
    if not out:
        raise InputError(f"{str(path)!r} holds no record")
    return out


def text_of(record: dict[str, Any], key: str) -> str:
    """A text that must be there; raises KeyError or ValueError."""
    value = record[key]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} must be a text, not {value!r}")
    return value


def records_of(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of records, empty where it is not there; raises ValueError."""
    value = record.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError(f"{key} must be a list of objects, not {str(value)[:60]!r}")
    return value


def question_of(raw: dict[str, Any], number: int, document: str) -> Question:
    """A question record; raises KeyError or ValueError."""
    answers, choices = raw["answers"], raw.get("choices") or []
    if not isinstance(answers, list) or not all(isinstance(a, str) for a in answers):
        raise ValueError(f"answers must be a list of texts, not {answers!r}")
    if choices and not set(answers) & set(choices):
        raise ValueError(f"none of the answers {answers!r} is among the choices {choices!r}")
    return Question(f"{document}#{number}", text_of(raw, "question"), tuple(answers), str(raw.get("kind", "")), document, tuple(choices))


def document_of(record: dict[str, Any]) -> tuple[Document, list[Question]]:
    """A document record with its questions; raises KeyError or ValueError."""
    name = text_of(record, "id")
    taught = tuple(Taught("", text_of(t, "question"), text_of(t, "answer")) for t in records_of(record, "train_qa"))
    questions = [question_of(q, i, name) for i, q in enumerate(records_of(record, "questions"))]
    return Document(name, text_of(record, "text"), taught), questions


def documents_in(path: Path) -> Data:
    """A file of document records."""
    pairs = parse(path, document_of)
    return Data(tuple(d for d, _ in pairs), tuple(q for _, questions in pairs for q in questions))


def as_cloze(question: Question) -> Question:
    """A text to be continued, as a question."""
    return replace(question, text=f"Complete: {question.text}")
