"""In what form the same facts are trained: as they stand, as questions in one phrasing or many, as beginnings, or mixed.

Of statements every form shows each as often in an epoch: as often as the data has questions about it; `raw` puts several
into one example, so it takes fewer steps. The modules are trained directly, without distilling, routing or a gate, and are
asked without the record vouching for what they say.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from engrain.consolidation.train.trainer import Example
from engrain.errors import InputError
from engrain.evals.data import Document, Taught
from engrain.memory.bank.base import BaseModel

_PIECE = 96
"""Tokens of a stretch of raw text."""


def examples(name: str, base: BaseModel, documents: Sequence[Document], seed: int) -> list[Example]:
    """What the form trains on; see `check_form`."""
    facts = [list(group) for d in documents for _, group in groupby(d.taught, key=lambda t: t.statement or t)]
    text = "" if all(d.statements for d in documents) else " ".join(d.text for d in documents)
    return FORMS[name](_Maker(base, random.Random(seed), text), facts)


def check_form(name: str, documents: Sequence[Document]) -> None:
    """Raises InputError for a form that needs questions, or statements, where the data has none."""
    if name != "raw" and not all(d.taught for d in documents):
        raise InputError(f"arm {name!r} trains on questions that come with the data, and this task has none; leave it out")
    if name == "cloze" and not all(d.statements for d in documents):
        raise InputError("arm 'cloze' completes statements, and this task has texts with questions; leave it out")


@dataclass(frozen=True)
class _Maker:
    """Makes examples of facts; a fact is what is taught of one statement."""

    base: BaseModel
    rng: random.Random
    text: str
    """Where the documents are no statements: their text."""

    def raw(self, facts: Sequence[list[Taught]]) -> list[Example]:
        """The statements in a row, in another order each time; or the text."""
        if self.text:
            return self._pieces(self.text)
        out = []
        for turn in range(max(map(len, facts))):
            lines = [f[0].statement for f in facts if turn < len(f)]
            self.rng.shuffle(lines)
            out += [Example("", stretch) for stretch in self._stretches(lines)]
        return out

    def _stretches(self, lines: Sequence[str]) -> list[str]:
        """As many whole lines as fit into a piece."""
        out = [""]
        for line in lines:
            longer = f"{out[-1]}\n{line}".strip()
            if out[-1] and self.base.count(longer) > _PIECE:
                out.append(line)
            else:
                out[-1] = longer
        return out

    def many(self, facts: Sequence[list[Taught]]) -> list[Example]:
        """Every question that there is."""
        return [Example(t.question, t.answer, t.statement) for f in facts for t in f]

    def one(self, facts: Sequence[list[Taught]]) -> list[Example]:
        """The first question again and again."""
        return [Example(f[0].question, f[0].answer) for f in facts for _ in f]

    def cloze(self, facts: Sequence[list[Taught]]) -> list[Example]:
        """The statement up to its answer, to be completed."""
        return [Example(f"Complete: {t.statement.partition(t.answer)[0].strip()}", t.answer) for f in facts for t in [f[0]] * len(f)]

    def mixed(self, facts: Sequence[list[Taught]]) -> list[Example]:
        """Half questions, half text; a fact with one question only is shown once as each."""
        return self.many([f[: len(f) - len(f) // 2] for f in facts]) + self.raw([f[: len(f) // 2] or f for f in facts])

    def _pieces(self, text: str) -> list[Example]:
        """Next-token training: stretches of text with no question before them."""
        ids = self.base.encode(text)
        return [Example("", self.base.tokenizer.decode(ids[at : at + _PIECE])) for at in range(0, len(ids), _PIECE)]


FORMS: dict[str, Callable[[_Maker, Sequence[list[Taught]]], list[Example]]] = {
    "raw": _Maker.raw, "cloze": _Maker.cloze, "qa-one": _Maker.one, "qa": _Maker.many, "qa+raw": _Maker.mixed,
}  # fmt: skip
