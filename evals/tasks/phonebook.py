"""PhoneBook: names and numbers, trained in some phrasings and asked in others; names that are not in it too.

The task of arXiv 2603.01097 with held-out phrasings added. Its generator needs no data; its file form is a record
`{"name", "number", "sector"?}` a line, one document a sector.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engrain.errors import InputError
from engrain.evals.data import Data, Document, Question, Taught, parse, text_of
from engrain.evals.tasks.task import Source

TRAINED = (
    "What is the phone number of {}?", "Which number do I dial to reach {}?", "What is {}'s number?", "How can I call {}?",
    "Tell me {}'s phone number.", "Under which number is {} listed?",
)  # fmt: skip
ASKED = ("What number does {} have?", "I want to ring {}. What do I dial?")
"""Phrasings that are never trained."""
_FIRST = ("Ada", "Boris", "Clara", "Dmitri", "Elena", "Felix", "Greta", "Hugo", "Irene", "Jonas", "Karla", "Leon", "Mina", "Nadia", "Otto", "Petra",
          "Quinn", "Rosa", "Silas", "Tilda", "Umar", "Vera", "Wanda", "Xenia", "Yusuf", "Zelda")  # fmt: skip
_LAST = ("Abbott", "Barlow", "Castor", "Dunmore", "Ellery", "Fenwick", "Garnet", "Holloway", "Ingram", "Jarvis", "Keller", "Langley", "Marlow",
         "Norwood", "Oakes", "Prescott", "Quimby", "Radley", "Sutton", "Thorne", "Upton", "Vance", "Whitlock", "Yardley", "Zimmer")  # fmt: skip

_FURTHER = ("Agnes", "Bruno", "Cosima", "Darius", "Edda", "Florian", "Gisela", "Henrik", "Ilse", "Jasper", "Klara", "Lothar", "Marta", "Nils",
            "Odette", "Pascal", "Ruth", "Stefan", "Thea", "Viktor")  # fmt: skip
"""First names of larger books."""
_FEW, _MOST = len(_FIRST) * len(_LAST), (len(_FIRST) + len(_FURTHER)) * len(_LAST)


@dataclass(frozen=True)
class Entry:
    """A line of the book."""

    name: str
    number: str
    sector: str


@dataclass(frozen=True)
class PhoneBook:
    """From the generator, or from a file."""

    name: str
    about: str
    file: str = ""
    """Empty: generated, `size` entries."""
    scorer: str = "exact"

    def load(self, source: Source) -> Data:
        """See `Task`."""
        entries = divided(generated(source.size, source.seed), source.parts) if not self.file else read(source.file(self.file))
        sectors = dict.fromkeys(e.sector for e in entries)
        documents = tuple(_document(s, [e for e in entries if e.sector == s]) for s in sectors)
        known = [
            Question(f"{e.sector}/{e.name}#{i}", phrasing.format(e.name), (e.number,), "held-out phrasing", e.sector, about=e.name)
            for e in entries for i, phrasing in enumerate(ASKED)
        ]  # fmt: skip
        listed = {e.name for e in entries}
        strangers = [e for e in generated(min(len(entries), _MOST), source.seed + 1) if e.name not in listed][: max(4, len(entries) // 4)]
        unknown = [Question(f"unknown/{e.name}", ASKED[0].format(e.name), (), "unknown", "") for e in strangers]
        return Data(documents, (*known, *unknown))


def generated(size: int, seed: int) -> list[Entry]:
    """`size` different names with random numbers; the same for the same seed."""
    names = [f"{first} {last}" for first in _FIRST + (_FURTHER if size > _FEW else ()) for last in _LAST]
    if not 1 <= size <= _MOST:
        raise InputError(f"size {size} is too large or too small for a phone book; choose 1 to {_MOST}")
    rng = random.Random(f"phonebook {seed}")
    return [Entry(n, f"{rng.randint(200, 999)}-{rng.randint(200, 999)}-{rng.randint(0, 9999):04}", "book") for n in rng.sample(names, size)]


def divided(entries: list[Entry], parts: int) -> list[Entry]:
    """The entries in so many sectors of like size; raises InputError where a sector would be empty."""
    if not 1 <= parts <= len(entries):
        raise InputError(f"{len(entries)} entries cannot be divided into {parts} parts; choose 1 to {len(entries)}")
    return entries if parts == 1 else [replace(e, sector=f"part {i * parts // len(entries) + 1:02}") for i, e in enumerate(entries)]


def read(path: Path) -> list[Entry]:
    """A file of entries; raises IngestError."""

    def entry(record: dict[str, Any]) -> Entry:
        return Entry(text_of(record, "name"), text_of(record, "number"), f"sector {record['sector']}" if "sector" in record else "book")

    return parse(path, entry)


def _document(sector: str, entries: list[Entry]) -> Document:
    lines = {e: f"{e.name}'s phone number is {e.number}." for e in entries}
    taught = tuple(Taught(lines[e], phrasing.format(e.name), e.number) for e in entries for phrasing in TRAINED)
    return Document(sector, "\n".join(lines.values()), taught)


@dataclass(frozen=True)
class Revised:
    """A generated book, and a later document in which every other entry has a new number."""

    name: str = "revised"
    about: str = "a phone book in which every other number changes later: is the newer one told?"
    scorer: str = "exact"

    def load(self, source: Source) -> Data:
        """See `Task`; the kinds tell apart what was revised and what was not."""
        first = generated(source.size, source.seed)
        newer = {e.name: e.number for e in generated(_FEW if source.size <= _FEW else _MOST, source.seed + 2)}
        later = [replace(e, number=newer[e.name], sector="later") for e in first[::2]]
        now = {e.name: e for e in [*first, *later]}
        questions = [
            Question(f"{e.name}#{i}", asked.format(e.name), (e.number,), "not revised" if e.sector == "book" else "revised", e.sector, about=e.name)
            for e in now.values() for i, asked in enumerate(ASKED)
        ]  # fmt: skip
        return Data((_document("book", first), _document("later", later)), tuple(questions))


PHONEBOOKS = (
    PhoneBook("phonebook", "names and numbers of our own generator, in phrasings never trained"),
    *(PhoneBook(f"phonebook-{n}k", f"the paper's slice of {n}K tokens", f"phonebook-{n}k.jsonl") for n in (1, 2, 4, 8)),
    PhoneBook("phonebook-sectors", "eight disjoint sectors, a document each", "phonebook-sectors.jsonl"),
)
