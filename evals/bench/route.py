"""`engrain bench route`: how often a question finds the module of the document that answers it, each document having one.

The router looks at probes and facts, not at weights, so nothing is trained: each document's facts and grammar's questions about
them are published as a module would be, and the task's own questions are led.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from engrain.consolidation.distil import Draft, SelfDistiller, Source
from engrain.errors import InputError
from engrain.evals.runs import Progress, machine
from engrain.evals.tasks import task as tasks
from engrain.evals.tasks import task_of
from engrain.evals.writing import tell
from engrain.memory.memory import Memory
from engrain.memory.modules import changed
from engrain.memory.schema import Fact, FactState, Job, JobState, Module, ModuleFact, ModuleState, Probe
from engrain.settings import Settings

PLACES = (1, 3)
"""Among so many modules the right one must be."""


def bench_route(
    out: Path, name: str, settings: Settings, models: Memory, data: Path | None = None, documents: int | None = None, seed: int = 0,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:  # fmt: skip
    """Lead a task's questions and write the JSON; raises InputError for an unknown task, or one none of whose questions has a document."""
    chosen = task_of(name).load(tasks.Source(data, seed=seed)).chosen(documents, None, seed)
    questions = [q for q in chosen.questions if q.document]
    if not questions:
        raise InputError(f"no question of {name!r} is about one document; choose a task whose questions are, or more documents")
    with tempfile.TemporaryDirectory() as folder:
        home = settings.model_copy(update={"home": Path(folder), "database_url": "", "owner": "bench"})
        memory = Memory(home, base=models.base, embedder=models.embedder)
        distiller = SelfDistiller(models.base, models.embedder, seed, writes=False)
        document_of: dict[str, str] = {}
        for number, document in enumerate(chosen.documents, 1):
            progress(f"document {number} of {len(chosen.documents)}", number / len(chosen.documents))
            tell(memory, document)
            facts = memory.facts(state=FactState.FRESH)
            drafts = distiller.probes([Source(f.id or 0, f.text, f.asked, f.speaker) for f in facts]) if facts else []
            if facts:
                document_of[_published(memory, f"m{number:015}", facts, drafts)] = document.id
        places = []
        for question in questions:
            near = [document_of[m.id] for m, _ in memory.router.nearest(question.text, "bench", max(PLACES))]
            places.append(near.index(question.document) + 1 if question.document in near else 0)
        probes = len(memory.router.index("bench"))
        memory.store.close()
    result = {
        "task": name, "documents": len(chosen.documents), "without_facts": len(chosen.documents) - len(document_of), "probes": probes,
        "questions": len(questions), "recall": {str(k): round(sum(0 < p <= k for p in places) / len(places), 3) for k in PLACES},
        "encoder": settings.embed_model, "seed": seed, "machine": machine(),
    }  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _published(memory: Memory, module_id: str, facts: list[Fact], drafts: list[Draft]) -> str:
    """A live module of these facts, without an adapter; returns its id."""
    base = memory.base
    with memory.store.write() as db:
        job = Job(owner="bench", seed=0, fact_ids=[f.id or 0 for f in facts], state=JobState.DONE)
        db.add(job)
        db.flush()
        assert job.id is not None
        db.add(Module(
            id=module_id, owner="bench", job_id=job.id, base=base.name, base_sha256=base.sha256, manifest_sha256="", state=ModuleState.LIVE, bytes=0
        ))  # fmt: skip
        for fact in facts:
            kept = db.get(Fact, fact.id)
            assert kept is not None
            kept.state = FactState.ENGRAINED
            db.add(ModuleFact(module_id=module_id, fact_id=kept.id or 0, owner="bench"))
        for d in drafts:
            if d.fact_id is not None:
                db.add(Probe(owner="bench", job_id=job.id, fact_id=d.fact_id, kind=d.kind, question=d.question, answer=d.answer, held_out=d.held_out))
        changed(db, "bench")
    return module_id


def table(result: dict[str, Any]) -> str:
    """The result in a line or two."""
    found = ", ".join(f"{share:.1%} among the first {k}" if k != "1" else f"{share:.1%} at once" for k, share in result["recall"].items())
    none = f"; {result['without_facts']} documents gave no fact" if result["without_facts"] else ""
    of = f"{result['questions']} questions about {result['documents']} documents ({result['probes']} probes)"
    return f"{result['task']}: of {of} the router finds {found}{none}."
