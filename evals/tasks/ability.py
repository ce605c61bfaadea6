"""General ability: choices that have nothing to do with the memory, to see what a module damages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engrain.evals.data import Data, Question, parse, question_of
from engrain.evals.tasks.phonebook import PhoneBook
from engrain.evals.tasks.task import Source


@dataclass(frozen=True)
class GeneralAbility:
    """OpenBookQA's and CommonsenseQA's form; what is learnt meanwhile is a phone book of `size` entries."""

    name: str = "general-ability"
    about: str = "common sense by choices while a phone book is in the module"
    file: str = "general-ability.jsonl"
    scorer: str = "choice"

    def load(self, source: Source) -> Data:
        """See `Task`; every question counts as one about the book, so that an oracle keeps its module on."""
        path = source.file(self.file)
        (book,) = PhoneBook("", "").load(Source(None, source.size, source.seed)).documents
        numbers = iter(range(10**9))

        def question(record: dict[str, Any]) -> Question:
            return question_of(record, next(numbers), book.id)

        return Data((book,), tuple(parse(path, question)))
