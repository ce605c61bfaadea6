"""`engrain bench read`: what a question costs, from the router to the last token, and what it costs otherwise.

Every figure that depends on the machine is there as a ratio of two things measured in one run, one after the other, again and
again; medians are compared.
"""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sqlalchemy import insert
from torch import Tensor

from engrain.consolidation.job import consolidate
from engrain.errors import InputError, JobError
from engrain.evals.runs import Progress, machine
from engrain.evals.tasks.phonebook import PHONEBOOKS
from engrain.evals.tasks.task import Source
from engrain.evals.tasks.told import told
from engrain.evals.writing import OPEN_GATE, GivenDistiller, tell
from engrain.memory.bank import lora
from engrain.memory.bank.bank import Bank
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.generate import last
from engrain.memory.bank.prompt import READ, reading, recall_ids
from engrain.memory.embed import Embedder
from engrain.memory.memory import Memory
from engrain.memory.modules import changed
from engrain.memory.quiet import quiet
from engrain.memory.router import Router
from engrain.memory.schema import Episode, Fact, FactState, Message, Module, ModuleFact, ModuleState, Probe, ProbeKind, Session, Trust, now
from engrain.memory.store import Store
from engrain.settings import Settings

PROBES = 16
"""Of every module in the router's part."""
_CONTEXT = 4096
"""Tokens of conversation in the prompt that recall is compared with."""
_AGAIN = 12
"""Times that everything is measured."""
_LONG = 3
"""Times that a whole conversation is read."""


def bench_read(
    out: Path, settings: Settings, models: Memory, modules: Sequence[int] = (10, 100, 1_000, 10_000), adapters: Sequence[int] = (1, 10, 100),
    facts: int = 12, context: int = _CONTEXT, progress: Progress = lambda *_: None,
) -> dict[str, Any]:  # fmt: skip
    """Run the benchmark with the models of `models`, in a folder of its own, and write its JSON; raises InputError for sizes below 1."""
    wrong = [n for n in (*modules, *adapters, facts, context) if n < 1]
    if wrong or not modules or not adapters:
        raise InputError(f"size {wrong[0] if wrong else None!r} cannot be measured; name whole numbers from 1 up")
    with tempfile.TemporaryDirectory() as folder:
        home = settings.model_copy(update={"home": Path(folder), "database_url": "", "owner": "bench", "facts_per_module": facts})
        router = {}
        for at, many in enumerate(modules):
            progress(f"routing among {many} modules", 0.3 * at / len(modules))
            router[str(many)] = _routing(Path(folder) / f"router-{many}.db", models, many)
        progress("one module is trained", 0.3)
        memory = Memory(home, base=models.base, embedder=models.embedder)
        questions = _engrained(memory, facts)
        progress("modules from disk and in place", 0.5)
        bank = _bank(memory, adapters)
        progress("decoding", 0.6)
        decoding = _decoding(memory)
        progress("recall, and other ways to the same answers", 0.7)
        recall = _recall(memory, questions, context, lambda share: progress("recall, and other ways to the same answers", 0.7 + 0.3 * share))
        memory.store.close()
    result = {"router": router, "bank": bank, "decoding": decoding, "recall": recall, "machine": machine()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _routing(file: Path, models: Memory, many: int) -> dict[str, Any]:
    """Milliseconds of a route among so many modules, whose probes are random directions around real questions."""
    store = Store(f"sqlite:///{file}")
    _filled(store, models, many)
    embedder = Embedder(models.embedder.model, models.embedder.tokenizer, models.embedder.name)  # one that has kept no question yet
    router = Router(store, embedder, models.base.sha256, models.settings.threshold)
    questions = [asked for fact in told() for asked in fact.ask]
    started = time.perf_counter()
    router.route(questions[0], "bench")
    built = time.perf_counter() - started
    times, encoding = [], []
    for question in questions[1:]:
        times.append(_seconds(lambda q=question: router.route(q, "bench")))  # type: ignore[misc]
        encoding.append(_seconds(lambda q=question: embedder.encoded(q)))  # type: ignore[misc]
    store.close()
    file.unlink()
    milliseconds = np.array(times) * 1000
    return {
        "probes": many * PROBES, "p50_ms": round(float(np.median(milliseconds)), 2), "p95_ms": round(float(np.quantile(milliseconds, 0.95)), 2),
        "of_it_encoding_ms": round(float(np.median(encoding)) * 1000, 2), "built_in_seconds": round(built, 2),
    }  # fmt: skip


def _filled(store: Store, models: Memory, many: int) -> None:
    """Modules of four facts and `PROBES` probes each; no adapter is needed to be led to one."""
    rng = np.random.default_rng(0)
    said = told()
    around = models.embedder([fact.said for fact in said])
    vectors = around[rng.integers(len(around), size=many * PROBES)] + rng.normal(0, 0.08, (many * PROBES, around.shape[1])).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owner, base, each = "bench", models.base, PROBES // 4
    rows: dict[Any, list[dict[str, Any]]] = {Fact: [], Probe: [], Module: [], ModuleFact: []}
    for m in range(many):
        rows[Module].append({
            "id": f"m{m:015}", "owner": owner, "job_id": m + 1, "base": base.name, "base_sha256": base.sha256, "manifest_sha256": "",
            "state": ModuleState.LIVE, "level": 0, "reason": "", "scores": {}, "bytes": 0, "created_at": now(),
        })  # fmt: skip
        for f in range(4):
            fact_id = 4 * m + f + 1
            text = said[fact_id % len(said)].said
            rows[Fact].append({
                "id": fact_id, "owner": owner, "episode_id": 1, "message_id": 1, "span_start": 0, "span_end": 1, "speaker": "user",
                "text": f"{text} {fact_id}", "asked": f"{text} {fact_id}", "said_on": now().date(), "trust": Trust.USER,
                "state": FactState.ENGRAINED, "rejections": 0, "embedding": models.embedder.stored(vectors[each * (fact_id - 1)]),
            })  # fmt: skip
            rows[ModuleFact].append({"module_id": f"m{m:015}", "fact_id": fact_id, "owner": owner})
            for p in range(each):
                at = each * (fact_id - 1) + p
                rows[Probe].append({
                    "id": at + 1, "owner": owner, "job_id": m + 1, "fact_id": fact_id, "kind": ProbeKind.CUE, "question": f"{text} {p}?",
                    "answer": str(fact_id), "held_out": False, "embedding": models.embedder.stored(vectors[at]),
                })  # fmt: skip
    with store.write() as db:
        db.add(Session(owner=owner, id="bench"))
        db.add(Episode(id=1, owner=owner, session_id="bench", occurred_on=now().date()))
        db.add(Message(id=1, owner=owner, session_id="bench", role="user", speaker="user", content="", trust=Trust.USER, episode_id=1))
        db.flush()
        for kind, some in rows.items():
            db.connection().execute(insert(kind), some)
        changed(db, owner)


def _engrained(memory: Memory, facts: int) -> list[str]:
    """One real module of telephone numbers, trained by the recipe; returns questions in phrasings that were never trained."""
    data = PHONEBOOKS[0].load(Source(size=facts, seed=0))
    (book,) = data.documents
    tell(memory, book)
    distiller = GivenDistiller(memory, book.taught, writes=False)
    outcome = consolidate(memory, memory.settings.owner, distiller=distiller, bounds=OPEN_GATE)
    if not outcome.engrained_facts:
        raise JobError(f"the benchmark's module ended as {outcome.result.value}: {outcome.reason}")
    return [question.text for question in data.questions if question.answers]


def _bank(memory: Memory, adapters: Sequence[int]) -> dict[str, Any]:
    """Loading a module, and putting it on among so many resident ones; the same with PEFT."""
    (module,) = memory.modules()
    folder = memory.settings.modules / module.id
    loads = []
    for _ in range(_AGAIN):
        bank = Bank(memory.base, memory.settings.modules)
        loads.append(_seconds(lambda b=bank: b.adapter(module)))  # type: ignore[misc]
    ours = {}
    for many in adapters:
        resident = []
        for number in range(many):
            spec = lora.LoraSpec(*_spec_of(memory, module))
            resident.append(lora.fresh(memory.base.model, spec, torch.Generator().manual_seed(number)))
        with memory.base.wearing(resident[0]):
            pass
        times = [_seconds(lambda a=one: _worn(memory.base, a)) for one in resident * max(1, 100 // many)]  # type: ignore[misc]
        ours[str(many)] = round(float(np.median(times)) * 1000, 4)
    with memory.base.lock, quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peft = _peft(memory.base, folder, adapters)
    loaded = memory.bank.adapter(module)
    return {
        "load_ms": round(float(np.median(loads)) * 1000, 2), "activate_ms": ours, "peft": peft,
        "adapter_bytes_in_memory": memory.base.bytes_of(loaded), "adapter_bytes_on_disk": module.bytes,
    }  # fmt: skip


def _spec_of(memory: Memory, module: Module) -> tuple[Any, ...]:
    spec = memory.bank.adapter(module).spec
    return spec.rank, spec.alpha, spec.layers, spec.targets


def _worn(base: BaseModel, adapter: lora.Adapter) -> None:
    with base.wearing(adapter):
        pass


def _peft(base: BaseModel, folder: Path, adapters: Sequence[int]) -> dict[str, Any]:
    """PEFT's own way on a model of the same shape: load_adapter from disk, set_adapter among so many."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    wrapped = PeftModel.from_pretrained(AutoModelForCausalLM.from_config(base.model.config, dtype=torch.float32), folder, adapter_name="a0")
    loads, switches = [], {}
    for many in sorted(adapters):
        for number in range(len(wrapped.peft_config), many):
            loads.append(_seconds(lambda n=number: wrapped.load_adapter(folder, adapter_name=f"a{n}")))  # type: ignore[misc]
        times = [_seconds(lambda n=number: wrapped.set_adapter(f"a{n}")) for number in range(many)]  # type: ignore[misc]
        switches[str(many)] = round(float(np.median(times)) * 1000, 3)
    return {"load_ms": round(float(np.median(loads)) * 1000, 2) if loads else None, "set_ms": switches}


def _decoding(memory: Memory) -> dict[str, Any]:
    """Tokens a second of ours and of transformers' generate, greedily, plain and with the module on; whether they say the same.

    Both go on where the text would end, so that reading the prompt weighs the same everywhere.
    """
    base = memory.base
    (module,) = memory.modules()
    prompt = base.chat_ids([_Turn("user", "Tell me a long story about a lighthouse and the people who lived near it.")])
    out: dict[str, Any] = {}
    for name in ("plain", "module"):
        with memory.bank.active(module) if name == "module" else nullcontext():
            said: dict[str, list[int]] = {}
            times: dict[str, list[float]] = {"ours": [], "generate": []}
            for _ in range(3):
                for who, run in (("ours", _forced), ("generate", _generate)):
                    started = time.perf_counter()
                    said[who] = run(base, prompt, 64)
                    times[who].append((time.perf_counter() - started) / max(1, len(said[who])))
        rate = {who: 1 / min(some) for who, some in times.items()}
        out[name] = {
            "ours_tokens_per_second": round(rate["ours"], 1), "generate_tokens_per_second": round(rate["generate"], 1),
            "times_generate": round(rate["ours"] / rate["generate"], 2), "halved": base.halved, "same_tokens": said["ours"] == said["generate"],
        }  # fmt: skip
    return out


class _Turn:
    def __init__(self, role: str, content: str) -> None:
        self.role, self.content = role, content


def _generate(base: BaseModel, prompt: Sequence[int], tokens: int) -> list[int]:
    """transformers' generate, the adapter acting where it does in ours: from the prompt's last token on."""
    ids = torch.tensor([list(prompt)])
    with base.lock, torch.inference_mode():
        before = base.model(ids[:, :-1], use_cache=True).past_key_values if base.worn is None else _unchanged(base, ids[:, :-1])
        out = base.model.generate(
            ids, attention_mask=torch.ones_like(ids), past_key_values=before, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False
        )  # fmt: skip
    return out[0, len(prompt) :].tolist()  # type: ignore[no-any-return]


def _unchanged(base: BaseModel, ids: torch.Tensor) -> Any:
    with base.reach.only(torch.zeros_like(ids)):
        return base.model(ids, use_cache=True).past_key_values


def _recall(memory: Memory, questions: Sequence[str], context: int, advance: Callable[[float], None]) -> dict[str, Any]:
    """Seconds from question to answer: from weights; a plain generation of the same length; from retrieved text; from a whole conversation."""
    base = memory.base
    notes, at = "", 0
    said = told()
    while base.count(READ + notes) < context:
        notes += f"Note: {said[at % len(said)].said}\n"
        at += 1
    ways: dict[str, list[float]] = {"weights": [], "plain": [], "text": [], "context": []}
    lengths, known = [], 0
    chosen = [questions[i % len(questions)] for i in range(_AGAIN + 1)]
    for number, question in enumerate(chosen):
        found = memory.recall(question, mode="weights")
        tokens = base.count(found.text) + 1
        weights = _seconds(lambda q=question: memory.recall(q, mode="weights"))  # type: ignore[misc]
        plain = _seconds(lambda q=question, n=tokens: _forced(base, recall_ids(base, q), n))  # type: ignore[misc]
        text = _seconds(lambda q=question: memory.recall(q, mode="text"))  # type: ignore[misc]
        long = base.encode(READ + notes + reading([], question)) if number <= _LONG else []
        whole = _seconds(lambda i=long, n=tokens: _forced(base, i, n)) if long else 0.0  # type: ignore[misc]
        advance((number + 1) / len(chosen))
        if number:  # the first one warms up
            for name, seconds in zip(ways, (weights, plain, text, whole), strict=True):
                ways[name] += [seconds] if seconds else []
            lengths.append(tokens)
            known += found.known
    median = {name: float(np.median(some)) for name, some in ways.items()}
    return {
        "seconds": {name: round(value, 3) for name, value in median.items()}, "answer_tokens": float(np.mean(lengths)),
        "answered": round(known / len(lengths), 3), "context_tokens": base.count(READ + notes),
        "weights_over_plain": round(float(np.median(np.array(ways["weights"]) / ways["plain"])), 3),
        "text_over_weights": round(median["text"] / median["weights"], 2), "context_over_weights": round(median["context"] / median["weights"], 2),
    }  # fmt: skip


def _forced(base: BaseModel, prompt: Sequence[int], tokens: int) -> list[int]:
    """So many tokens after a prompt, without an end among them; the module acts from the prompt's last token on."""
    ends = torch.tensor(sorted(base.end_ids))
    said: list[Tensor] = []
    with base.lock, torch.inference_mode():
        ids = torch.tensor([list(prompt)])
        with base.reach.only(last(ids)):
            out = base.model(ids, use_cache=True, logits_to_keep=1)
        steps, logits = base.steps(out.past_key_values, torch.ones_like(ids), tokens), out.logits[:, -1]
        for _ in range(tokens):
            likely = torch.log_softmax(logits.float(), -1).index_fill_(1, ends, -torch.inf)
            said.append(likely.argmax(-1))
            if len(said) < tokens:
                logits = steps.step(said[-1])
    return [int(token) for token in said]


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def table(result: dict[str, Any]) -> str:
    """The result for a terminal or a page, in Markdown."""
    lines = ["| modules | probes | p50 | p95 | of it encoding |", "|---|---|---|---|---|"]
    for many, one in result["router"].items():
        lines.append(f"| {many} | {one['probes']} | {one['p50_ms']:.1f} ms | {one['p95_ms']:.1f} ms | {one['of_it_encoding_ms']:.1f} ms |")
    bank, recall = result["bank"], result["recall"]
    seconds = recall["seconds"]
    lines += [
        "",
        f"A module is loaded and checked in {bank['load_ms']:.1f} ms (PEFT's load_adapter: {bank['peft']['load_ms']} ms) and put on in "
        + ", ".join(f"{ms:.3f} ms among {many}" for many, ms in bank["activate_ms"].items())
        + " (PEFT's set_adapter: "
        + ", ".join(f"{ms:.1f} ms among {many}" for many, ms in bank["peft"]["set_ms"].items())
        + ").",
        "",
        *(
            f"Decoding, {name}: {one['ours_tokens_per_second']:.0f} tokens a second, {one['times_generate']:.1f} times transformers' generate; "
            f"{'the same tokens' if one['same_tokens'] else 'other tokens'}."
            for name, one in result["decoding"].items()
        ),
        "",
        f"An answer of {recall['answer_tokens']:.0f} tokens from weights takes {seconds['weights']:.2f} s, {recall['weights_over_plain']:.2f} times "
        f"a plain generation of the same length; from retrieved text {recall['text_over_weights']:.1f} times as long, with a conversation of "
        f"{recall['context_tokens']} tokens in the prompt {recall['context_over_weights']:.1f} times.",
    ]
    return "\n".join(lines)
