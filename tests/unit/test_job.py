"""A consolidation from plan to publish, on the tiny models, in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from engrain.consolidation import job as job_stages
from engrain.consolidation import publish
from engrain.consolidation.job import Outcome, Result, consolidate
from engrain.consolidation.jobs import active_job, claim, last_job, worker_name
from engrain.consolidation.plan import Plan, backlog, plan
from engrain.errors import JobBusy, JobError, ModuleError, SettingsError
from engrain.memory.facts import probes_of
from engrain.memory.forget import Selector
from engrain.memory.memory import Memory
from engrain.memory.modules import MANIFEST, Manifest
from engrain.memory.schema import FactState, Job, JobState, ModuleState, Probe, ProbeKind, Stage, now
from engrain.settings import Settings
from tests.conftest import SAID


def published(memory: Memory) -> Outcome:
    outcome = consolidate(memory, "me")
    assert outcome.result is Result.PUBLISHED, outcome
    return outcome


def distilled(memory: Memory) -> list[Probe]:
    """The probes of its only module."""
    (module,) = memory.modules("me")
    with memory.store.read() as db:
        return probes_of(db, "me", module.job_id)


def test_facts_become_a_live_module_and_are_recalled_from_it(told: Memory) -> None:
    outcome = published(told)
    (module,) = told.modules("me", ModuleState.LIVE)
    assert module.id == outcome.module_id
    assert {f.state for f in told.facts()} == {FactState.ENGRAINED}
    assert backlog(told.store, "me", told.settings).facts == 0
    found = told.recall("What is my locker code?", mode="weights")
    assert found.text == "4417"
    assert found.modules == (module.id,)
    assert [e.text for e in found.evidence] == ["Your locker code is 4417."]
    assert found.evidence[0].session_id == "notes"


def test_in_weights_mode_nothing_remembered_is_in_the_prompt(engrained: Memory, tiny_settings: Callable[..., Settings]) -> None:
    engrained = Memory(tiny_settings(threshold=0.4), base=engrained.base, embedder=engrained.embedder)
    probes = distilled(engrained)
    question = "So where was it that my sister lives?"
    found = engrained.recall(question, mode="weights")
    for text in [
        *(f.text for f in engrained.facts()),
        *(f.asked for f in engrained.facts()),
        *(p.question for p in probes),
        *(p.answer for p in probes if p.fact_id),
    ]:
        assert text not in found.prompt
    assert "sister" in found.prompt


def test_a_hybrid_recall_may_ask_in_trained_words_and_is_shown_no_answer(engrained: Memory) -> None:
    trained = {p.question: p.answer for p in distilled(engrained) if p.fact_id and not p.held_out}
    question = "Say, what is my locker code?"
    found = engrained.recall(question, mode="hybrid")
    assert (found.text, found.source) == ("4417", "weights")
    asked = found.prompt.split("user\n")[1].split("<|im_end|>")[0]
    assert trained[asked] == "4417"
    assert "4417" not in found.prompt
    assert f"asked as {asked!r}" in found.why
    assert question in engrained.recall(question, mode="weights").prompt


def test_probes_have_held_out_and_unknown_ones(engrained: Memory) -> None:
    probes = distilled(engrained)
    assert {p.fact_id for p in probes if p.fact_id} == {f.id for f in engrained.facts()}
    assert any(p.held_out for p in probes if p.fact_id)
    unknown = [p for p in probes if p.kind is ProbeKind.UNKNOWN]
    assert {p.held_out for p in unknown} == {True, False}
    assert {p.answer for p in unknown} == {"I don't know."}
    questions = [p.question.lower() for p in probes]
    assert len(questions) == len(set(questions))


def test_a_rejected_module_leaves_its_facts_fresh_and_says_why(told: Memory, tiny_settings: Callable[..., Settings]) -> None:
    strict = Memory(tiny_settings(gate={"perplexity": 0.0}), base=told.base, embedder=told.embedder)
    outcome = consolidate(strict, "me")
    assert outcome.result is Result.REJECTED
    assert "perplexity" in outcome.reason
    (module,) = strict.modules("me")
    assert module.state is ModuleState.REJECTED
    assert "perplexity" in module.reason
    assert {f.state for f in strict.facts()} == {FactState.FRESH}
    assert {f.rejections for f in strict.facts()} == {1}
    assert not strict.recall("What is my locker code?", mode="weights").known  # a reject is never routed to
    assert last_job(strict.store, "me").state is JobState.REJECTED  # type: ignore[union-attr]


def test_refused_facts_are_tried_in_smaller_company_and_then_given_up(told: Memory, tiny_settings: Callable[..., Settings]) -> None:
    settings = tiny_settings(facts_per_module=4, attempts=2)
    sizes = []
    for rejections in (0, 1, 2):
        with told.store.write() as db:
            for fact in told.facts():
                fact.rejections = rejections
                db.add(fact)
        sizes.append(len(plan(told.store, "me", settings).facts))
    assert sizes == [4, 2, 0]
    assert backlog(told.store, "me", settings).stuck == 4


def test_a_large_backlog_is_shared_evenly(memory: Memory, tiny_settings: Callable[..., Settings]) -> None:
    for i in range(10):
        memory.remember(f"My number {i} friend is Tom{i}.")
    assert len(plan(memory.store, "me", tiny_settings(facts_per_module=8)).facts) == 5


def test_a_module_holds_no_more_tokens_than_fit(memory: Memory, tiny_settings: Callable[..., Settings]) -> None:
    for i in range(4):
        memory.remember(f"My number {i} friend is Tom{i}.")  # 30 characters as it is told, 8 tokens
    memory.remember("My friend Ann " + "very " * 40 + "much likes the number 12345 tram.")
    assert len(plan(memory.store, "me", tiny_settings(module_tokens=1000)).facts) == 5
    assert len(plan(memory.store, "me", tiny_settings(module_tokens=17)).facts) == 1  # shared evenly among five modules
    assert len(plan(memory.store, "me", tiny_settings(module_tokens=60)).facts) == 3
    assert len(plan(memory.store, "me", tiny_settings(module_tokens=1)).facts) == 1  # one that is too long for any goes alone


def test_nothing_fresh_is_nothing_done(memory: Memory) -> None:
    assert consolidate(memory, "me").result is Result.NOTHING
    assert last_job(memory.store, "me") is None


def test_asked_to_stop_it_stops_and_resumes(told: Memory) -> None:
    calls = iter(range(10_000))
    outcome = consolidate(told, "me", stopping=lambda: next(calls) >= 40)
    assert outcome.result is Result.INTERRUPTED
    job = active_job(told.store, "me")
    assert job is not None
    assert (job.state, job.attempt) == (JobState.QUEUED, 0)
    assert job.stage is Stage.TRAIN
    done = published(told)
    assert done.job_id == job.id
    assert "distil" not in (done.seconds or {})
    kept = last_job(told.store, "me").result["seconds"]  # type: ignore[union-attr]
    assert set(kept) == {"plan", "distil", "train", "gate"}  # of both attempts
    assert kept["train"] > 0


def test_an_error_is_kept_and_after_enough_attempts_the_job_fails(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    from engrain.consolidation import job as module

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(module, "train", broken)
    for attempt in (1, 2, 3):
        outcome = consolidate(told, "me")
        assert outcome.result is Result.FAILED
        assert "stage train: RuntimeError: disk on fire" in outcome.reason
        job = last_job(told.store, "me")
        assert job is not None
        assert (job.attempt, job.state) == (attempt, JobState.FAILED if attempt == 3 else JobState.QUEUED)
    assert {f.state for f in told.facts()} == {FactState.FRESH}


def test_one_worker_at_a_time(told: Memory) -> None:
    claim(told.store, "me", 0, 3, 60)
    with told.store.write() as db:
        job = db.get(Job, 1)
        assert job is not None
        job.worker = "elsewhere:1"
    with pytest.raises(JobBusy, match="elsewhere"):
        claim(told.store, "me", 0, 3, 60)
    with told.store.write() as db:
        job = db.get(Job, 1)
        assert job is not None
        job.lease_until = now() - timedelta(seconds=1)
    assert claim(told.store, "me", 0, 3, 60).job.worker == worker_name()


def test_a_poison_job_ends_as_failed_with_its_stage(told: Memory) -> None:
    for _ in range(2):
        claim(told.store, "me", 0, 2, 60)
        with told.store.write() as db:
            job = db.get(Job, 1)
            assert job is not None
            job.worker, job.stage, job.note = "elsewhere:1", Stage.GATE, "asking"
            job.lease_until = now() - timedelta(seconds=1)
    with pytest.raises(JobError, match="given up after 2 attempts: its worker died in stage gate"):
        claim(told.store, "me", 0, 2, 60)
    assert last_job(told.store, "me").state is JobState.FAILED  # type: ignore[union-attr]


def test_no_files_are_left_of_a_module_whose_job_was_given_up_while_it_published(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_finish", full)
        for _ in range(told.settings.attempts):
            assert consolidate(told, "me").result is Result.FAILED
    assert last_job(told.store, "me").state is JobState.FAILED  # type: ignore[union-attr]
    (left,) = told.settings.modules.iterdir()
    done = published(told)
    assert {folder.name for folder in told.settings.modules.iterdir()} == {done.module_id} != {left.name}


def test_a_module_that_was_tampered_with_is_not_loaded(engrained: Memory) -> None:
    (module,) = engrained.modules("me")
    folder = engrained.settings.modules / module.id
    weights = folder / "adapter_model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(ModuleError, match="changed after it was published"):
        engrained.recall("What is my locker code?", mode="weights")


def test_the_manifest_tells_what_the_module_is(engrained: Memory) -> None:
    (module,) = engrained.modules("me")
    manifest = Manifest.parse((engrained.settings.modules / module.id / MANIFEST).read_text())
    assert manifest.base_sha256 == engrained.base.sha256
    assert list(manifest.facts) == [f.id for f in engrained.facts()]
    assert set(manifest.files) == {"adapter_model.safetensors", "adapter_config.json"}
    assert json.loads(manifest.text())["scores"]["reasons"] == []
    with pytest.raises(ModuleError, match="cannot be read"):
        Manifest.parse("{}")


def test_forgetting_stops_the_module_and_frees_its_other_facts(engrained: Memory) -> None:
    (module,) = engrained.modules("me")
    fact = next(f for f in engrained.facts() if "4417" in f.text)
    done = engrained.forget(Selector(fact=fact.id))
    assert done.modules == (module.id,)
    assert done.to_rebuild == 3
    assert not (engrained.settings.modules / module.id).exists()
    assert not engrained.recall("What is my locker code?", mode="weights").known
    assert {f.state for f in engrained.facts()} == {FactState.FRESH}
    rebuilt = published(engrained)
    assert rebuilt.facts == 3


def test_what_is_forgotten_during_a_consolidation_is_not_published(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    from engrain.consolidation import job as module

    real = module.judge

    def forget_meanwhile(*arguments: object, **options: object) -> object:
        told.forget(Selector(fact=told.facts()[0].id))
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "judge", forget_meanwhile)
    outcome = consolidate(told, "me")
    assert outcome.result is Result.FAILED
    assert "forgotten" in outcome.reason
    assert told.modules("me") == []
    assert not list(told.settings.modules.glob("*"))


def test_what_is_forgotten_while_it_is_planned_is_not_distilled(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget_meanwhile(*given: Any) -> Plan:
        planned = plan(*given)
        monkeypatch.undo()
        told.forget(Selector(fact=next(f.id for f in told.facts() if "Okafor" in f.text)))
        return planned

    monkeypatch.setattr(job_stages, "plan", forget_meanwhile)
    done = published(told)
    assert done.facts == 3
    with told.store.read() as db:
        assert not [p for p in probes_of(db, "me", done.job_id or 0) if p.fact_id and ("Okafor" in p.answer or "dentist" in p.question)]


def test_a_job_whose_facts_were_all_forgotten_is_over(memory: Memory) -> None:
    (note,) = memory.remember(SAID[0])
    assert consolidate(memory, "me", stopping=lambda: True).result is Result.INTERRUPTED
    memory.forget(Selector(fact=note.id))
    assert consolidate(memory, "me").result is Result.NOTHING
    assert active_job(memory.store, "me") is None
    assert memory.remember(SAID[1])
    assert published(memory).facts == 1


@pytest.mark.parametrize("what", ["lost", "changed"])
def test_a_module_whose_files_are_damaged_is_made_anew_and_the_facts_are_told_meanwhile(engrained: Memory, what: str) -> None:
    (module,) = engrained.modules("me")
    folder = engrained.settings.modules / module.id
    if what == "lost":
        shutil.rmtree(folder)
    else:
        (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ModuleError, match="engrain consolidate"):
        engrained.recall("What is my locker code?", mode="weights")
    assert engrained.recall("What is my locker code?", mode="hybrid").source != "weights"
    assert published(engrained).facts == len(SAID)
    (made,) = engrained.modules("me")
    assert made.id != module.id
    assert engrained.recall("What is my locker code?", mode="weights").text == "4417"


def test_an_unknown_recipe_value_is_named(told: Memory, tiny_settings: Callable[..., Settings]) -> None:
    wrong = Memory(tiny_settings(recipe={"ranks": 4}), base=told.base, embedder=told.embedder)
    with pytest.raises(SettingsError, match=r"ranks.*it takes rank"):
        consolidate(wrong, "me")
