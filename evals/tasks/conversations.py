"""Conversations of several sessions and questions about them, the unanswerable ones included (LoCoMo's form, arXiv 2402.17753)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from engrain.evals.data import Data, Document, Question, Turn, parse, question_of, records_of, text_of
from engrain.evals.tasks.task import Source
from engrain.memory.dates import parse_date

_SESSION = re.compile(r"([^\s:;,]+):\d+")
"""The session in a piece of evidence, `D8:6`; some hold several pieces."""


@dataclass(frozen=True)
class Conversations:
    """A document is a session; a question about several sessions belongs to none."""

    name: str = "locomo"
    about: str = "conversations of many sessions, by kind of question, unanswerable ones included"
    file: str = "locomo.jsonl"
    scorer: str = "token_f1"

    def load(self, source: Source) -> Data:
        """See `Task`."""
        pairs = parse(source.file(self.file), _conversation)
        return Data(tuple(d for documents, _ in pairs for d in documents), tuple(q for _, questions in pairs for q in questions))


def _conversation(record: dict[str, Any]) -> tuple[list[Document], list[Question]]:
    name = text_of(record, "id")
    documents = [_session(name, s) for s in records_of(record, "sessions")]
    questions = []
    for i, raw in enumerate(records_of(record, "questions")):
        question = question_of(raw, i, name)
        needs = dict.fromkeys(f"{name}/{session}" for e in raw.get("evidence") or [] for session in _SESSION.findall(str(e)))
        if question.answers and not needs:
            needs = dict.fromkeys(d.id for d in documents)  # nobody says where the answer is
        questions.append(replace(question, document=next(iter(needs)) if len(needs) == 1 else "", needs=tuple(needs)))
    return documents, questions


def _session(conversation: str, session: dict[str, Any]) -> Document:
    turns = tuple(Turn(text_of(t, "speaker"), text_of(t, "text")) for t in records_of(session, "turns"))
    if not turns:
        raise ValueError(f"session {session['id']!r} has no turns")
    text = "\n".join(f"{t.speaker}: {t.text}" for t in turns)
    date = text_of(session, "date")
    parse_date(date)
    return Document(f"{conversation}/{text_of(session, 'id')}", f"({date})\n{text}", turns=turns, date=date)
