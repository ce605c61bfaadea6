"""`engrain bench distil`: what the self distiller makes of conversations, passages and papers.

Coverage is the share of facts with at least so many questions, survival the share of the written questions that come through the
round trip. How many of the survivors have a wrong answer only a reader can tell: a sample is written down for one to judge, and
a judged sample is counted. It has as many of each document as of another.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engrain.consolidation.distil import Draft, SelfDistiller, Source
from engrain.errors import InputError
from engrain.evals.data import Document
from engrain.evals.runs import Progress
from engrain.evals.tasks import task as tasks
from engrain.evals.tasks import task_of
from engrain.evals.writing import tell
from engrain.lines import read_lines
from engrain.memory.memory import Memory
from engrain.memory.schema import ProbeKind
from engrain.settings import Settings

ENOUGH = (3, 5, 8)
"""Numbers of questions for which coverage is told."""


def bench_distil(
    out: Path, names: Sequence[str], settings: Settings, models: Memory, data: Path | None = None, documents: int | None = None,
    sample: int = 100, seed: int = 0, judged: Mapping[str, dict[str, float]] = MappingProxyType({}), progress: Progress = lambda *_: None,
) -> dict[str, Any]:  # fmt: skip
    """Distil the documents of each task in modules of `facts_per_module`; writes the JSON, and a sample to be judged beside it.

    Raises InputError for an unknown task or one whose data is not there.
    """
    loaded = {name: task_of(name).load(tasks.Source(data, seed=seed)).chosen(documents, None, seed).documents for name in names}
    found, drawn = [], list[dict[str, Any]]()
    for at, (name, chosen) in enumerate(loaded.items()):

        def advance(note: str, share: float, at: int = at, name: str = name) -> None:
            progress(f"{name}: {note}", (at + share) / len(loaded))

        one, drafts = _distilled(name, chosen, settings, models, seed, advance)
        found.append(one)
        drawn += _drawn(drafts, sample, random.Random(f"{seed}:{name}"))
    result = {"tasks": found, "seed": seed, "facts_per_module": settings.facts_per_module, "base": models.base.name}
    result["judged"] = dict(judged)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    sample_of(out).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in drawn))
    return result


def sample_of(out: Path) -> Path:
    """Where the sample of a result goes."""
    return out.with_suffix(".sample.jsonl")


def _distilled(
    name: str, documents: Sequence[Document], settings: Settings, models: Memory, seed: int, advance: Progress
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(figures, every question with its fact)."""
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(
            settings.model_copy(update={"home": Path(folder), "database_url": "", "owner": "bench"}), base=models.base, embedder=models.embedder
        )
        told: dict[int | None, str] = {}
        for document in documents:
            tell(memory, document)
            told |= {fact.id: document.id for fact in memory.facts() if fact.id not in told}
        facts = memory.facts()
        memory.store.close()
    sources = [Source(f.id or 0, f.text, f.asked, f.speaker) for f in facts]
    distiller = SelfDistiller(models.base, models.embedder, seed)
    drafts: list[Draft] = []
    size = settings.facts_per_module
    for start in range(0, len(sources), size):

        def tell_share(note: str, share: float, start: int = start) -> None:
            advance(note, (start + share * size) / len(sources))

        drafts += distiller.probes(sources[start : start + size], tell_share)
    mine = [d for d in drafts if d.fact_id is not None]
    by_fact = Counter(d.fact_id for d in mine if not d.held_out)
    said = {s.fact_id: s.asked for s in sources}
    kinds = Counter(d.kind.value for d in mine)
    return {
        "name": name, "documents": len(documents), "facts": len(sources), "questions": len(mine), "by_kind": dict(kinds),
        "coverage": {str(n): round(sum(by_fact[s.fact_id] >= n for s in sources) / max(1, len(sources)), 3) for n in ENOUGH},
        "written": distiller.counts["written"], "survived": distiller.counts["survived"],
        "survival": round(distiller.counts["survived"] / max(1, distiller.counts["written"]), 3),
    }, [
        {
            "task": name, "document": told[d.fact_id], "fact": said[d.fact_id or 0],
            "question": d.question, "answer": d.answer, "kind": d.kind.value, "wrong": None,
        }
        for d in mine if d.kind is not ProbeKind.UNKNOWN
    ]  # fmt: skip


def _drawn(questions: Sequence[dict[str, Any]], most: int, rng: random.Random) -> list[dict[str, Any]]:
    """So many of the questions at most, one of each document before any gives another: documents differ more than what is asked of one."""
    by_document: dict[str, list[dict[str, Any]]] = {}
    for question in rng.sample(questions, len(questions)):
        by_document.setdefault(question["document"], []).append(question)
    rounds = zip_longest(*by_document.values())
    return [question for round_ in rounds for question in round_ if question][:most]


def judged(path: Path) -> dict[str, dict[str, float]]:
    """Of a sample that was judged, by task: how many questions, and the share whose answer is wrong.

    `wrong` is true where the fact does not answer the question that way, or the question cannot be understood. Raises
    InputError for a line that was not judged.
    """
    by_task: dict[str, list[bool]] = {}
    for number, row in enumerate(read_lines(path), 1):
        if not isinstance(row.get("wrong"), bool):
            raise InputError(f"line {number} of {str(path)!r} has wrong = {row.get('wrong')!r}; judge it true or false")
        by_task.setdefault(row["task"], []).append(row["wrong"])
    return {name: {"n": len(values), "wrong": round(sum(values) / len(values), 3)} for name, values in by_task.items()}


def table(result: dict[str, Any]) -> str:
    """The result for a terminal or a page, in Markdown."""
    lines = [
        "| task | facts | questions | written | survived | " + " | ".join(f"≥ {n} each" for n in ENOUGH) + " |",
        "|---" * (5 + len(ENOUGH)) + "|",
    ]
    for one in result["tasks"]:
        covered = " | ".join(f"{one['coverage'][str(n)]:.0%}" for n in ENOUGH)
        lines.append(f"| {one['name']} | {one['facts']} | {one['questions']} | {one['written']} | {one['survival']:.0%} | {covered} |")
    return "\n".join(lines)
