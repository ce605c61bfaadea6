"""The one form in which a module is trained and asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engrain.memory.bank.base import BaseModel

SYSTEM = "Answer from memory."
UNKNOWN = "I don't know."
LONGEST = 96
"""Most tokens of an answer, whether trained, from weights or read off notes."""
READ = """Note: My brother Luis is a nurse in Madrid.
Question: Where does Luis work?
Answer: Madrid

Note: I bought a red kayak from Tom for 300 dollars.
Note: My brother Luis is a nurse in Madrid.
Question: How much did my kayak cost?
Answer: 300 dollars

Note: Anna moved to Gdansk in May 2019.
Question: What is Anna's favourite film?
Answer: I don't know.

Note: We have a cat called Misha.
Note: Anna moved to Gdansk in May 2019.
Question: When did Anna move?
Answer: May 2019

"""
"""Shows the base model how an answer is read off notes, and that some are not there."""


@dataclass(frozen=True)
class Message:
    """A message of the recall prompt."""

    role: str
    content: str


def recall_messages(question: str) -> list[Message]:
    """The recall prompt: the question and nothing else."""
    return [Message("system", SYSTEM), Message("user", question)]


def recall_ids(base: BaseModel, question: str) -> list[int]:
    """Token ids of the recall prompt."""
    return base.chat_ids(recall_messages(question))


def recall_beginning(base: BaseModel) -> list[int]:
    """The token ids with which every recall prompt begins."""
    one, other = recall_ids(base, "Who?"), recall_ids(base, "I?")
    return list(one[: next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)])


def reading(notes: Sequence[str], question: str) -> str:
    """What follows `READ` when the base model is to answer from notes; it ends with a line break."""
    return "".join(f"Note: {note}\n" for note in notes) + f"Question: {question}\nAnswer:"


def answer_ids(base: BaseModel, answer: str) -> list[int]:
    """Token ids of an answer with the end token, which is trained like any other."""
    end = base.tokenizer.eos_token_id
    return [*base.encode(answer), *([end] if end is not None else [])]
