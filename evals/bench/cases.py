"""What is written: facts in the phrasings that are trained, and the same facts in phrasings that never are."""

from __future__ import annotations

from dataclasses import dataclass

from engrain.consolidation.train.trainer import Example
from engrain.errors import InputError
from engrain.evals.tasks.phonebook import ASKED, TRAINED, generated
from engrain.evals.tasks.told import told


@dataclass(frozen=True)
class Case:
    """Facts to write into one module."""

    name: str
    facts: int
    trained: tuple[Example, ...]
    held_out: tuple[Example, ...]


def case_of(name: str, seed: int, size: int | None = None) -> Case:
    """A case by name, or its first `size` facts; raises InputError."""
    if name == "phonebook":
        entries = generated(size or 48, seed)
        trained, held_out = (tuple(Example(p.format(e.name), e.number) for e in entries for p in phrasings) for phrasings in (TRAINED, ASKED))
        return Case(name, len(entries), trained, held_out)
    if name == "told":
        facts = told()[:size]
        return Case(
            name,
            len(facts),
            tuple(Example(question, fact.answers[0]) for fact in facts for question in fact.teach),
            tuple(Example(question, fact.answers[0]) for fact in facts for question in fact.ask),
        )
    raise InputError(f"case {name!r} is unknown; there are {', '.join(CASES)}")


CASES = ("phonebook", "told")
"""48 entries of a phone book in six phrasings, asked in two more; a hundred natural facts in five, asked in two more."""
