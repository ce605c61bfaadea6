"""The teacher distiller against a real HTTP server that also misbehaves."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engrain.consolidation.distil import SelfDistiller, Source
from engrain.consolidation.job import Result, consolidate
from engrain.consolidation.teacher import TeacherDistiller
from engrain.consolidation.worker import _environment
from engrain.errors import SettingsError, TeacherError
from engrain.memory.facts import probes_of
from engrain.memory.forget import Selector
from engrain.memory.memory import Memory
from engrain.memory.schema import ProbeKind
from tests.conftest import SAID, MakeSettings
from tests.endpoint import Server, completion, raw, status

DENTIST = Source(1, "Your dentist is Dr. Okafor.", "My dentist is Dr. Okafor.", "user")
PORTO = Source(2, "Your sister Ines lives in Porto.", "My sister Ines lives in Porto.", "user")
ASKED = {
    1: [
        ("Who is my dentist?", "Dr. Okafor"), ("Which dentist do I go to?", "Dr. Okafor"),
        ("What does Dr. Okafor do for me?", "dentist"), ("Who does my teeth?", "Okafor"),
    ],
    2: [
        ("Where does Ines live?", "Porto"), ("Which sister of mine lives in Porto?", "Ines"),
        ("Who lives in Porto?", "My sister Ines"), ("Ines home town?", "Porto"),
    ],
}  # fmt: skip
TOLD = {1: [(q, a.replace("dentist", "Dentist")) for q, a in ASKED[1]], 2: [(q, a.replace("My", "Your")) for q, a in ASKED[2]]}
"""The same, as the memory tells it."""


def written(fact_id: int) -> str:
    return json.dumps({"pairs": [{"question": q, "answer": a} for q, a in ASKED[fact_id]]})


@pytest.fixture
def distiller(server: Server, memory: Memory, tmp_path: Path) -> TeacherDistiller:
    own = SelfDistiller(memory.base, memory.embedder, writes=False)
    return TeacherDistiller(server.endpoint(timeout=0.5), own, tmp_path / "teacher.jsonl")


def questions(distiller: TeacherDistiller, *sources: Source) -> dict[int | None, set[str]]:
    found: dict[int | None, set[str]] = {}
    for draft in distiller.probes(sources):
        if draft.kind is not ProbeKind.UNKNOWN:
            found.setdefault(draft.fact_id, set()).add(draft.question)
    return found


def test_a_teacher_writes_the_questions_of_each_fact(server: Server, distiller: TeacherDistiller) -> None:
    server.scripts = [completion(written(1)), completion(written(2))]
    drafts = distiller.probes([DENTIST, PORTO])
    assert {(d.fact_id, d.question, d.answer) for d in drafts if d.fact_id} == {(i, q, a) for i in ASKED for q, a in TOLD[i]}
    assert {d.held_out for d in drafts if d.fact_id == 1} == {True, False}
    assert {d.held_out for d in drafts if d.kind is ProbeKind.UNKNOWN} == {True, False}
    assert server.headers[0]["Authorization"] == "Bearer key"
    assert "My dentist is Dr. Okafor." in server.bodies[0]["messages"][1]["content"]
    assert "Porto" not in json.dumps(server.bodies[0])  # a fact is shown by itself
    assert server.bodies[0]["response_format"]["json_schema"]["schema"]["required"] == ["pairs"]


def test_what_the_fact_does_not_say_is_not_believed(server: Server, distiller: TeacherDistiller) -> None:
    wrong = [("Where is my dentist?", "in Lisbon"), ("Is Dr. Okafor my dentist?", "dentist"), ("Who is your dentist?", "Dr. Okafor")]
    pairs = [{"question": q, "answer": a} for q, a in [*wrong, *ASKED[1]]]
    server.scripts = [completion(json.dumps({"pairs": pairs}))]
    assert questions(distiller, DENTIST)[1] == {q for q, _ in ASKED[1]}


@pytest.mark.parametrize(
    "misbehaves",
    [
        status(429, retry_after="0.05"), status(500), status(503), raw("no json"), raw('{"choices": []}'), raw("[]"),
        raw('{"choices": [{"mess', declared=4000),
        completion("Sure! Here are your questions:"), completion('{"pairs": [{"question": "Who?"}]}'), completion('{"pairs": [], "more": 1}'),
        completion('{"pairs": []}'), completion('{"pairs": [{"question": "Who is my dentist?", "answer": "Dr. Okafor"}]}'), lambda _: time.sleep(0.8),
    ],
    ids=["429", "500", "503", "no JSON", "no choice", "a list", "cut", "prose", "half a pair", "more keys", "none", "too few", "slow"],
)  # fmt: skip
def test_a_failure_that_passes_is_tried_again(server: Server, distiller: TeacherDistiller, misbehaves: object) -> None:
    server.scripts = [misbehaves, completion(written(1))]  # type: ignore[list-item]
    assert questions(distiller, DENTIST)[1] == {q for q, _ in ASKED[1]}
    assert len(server.bodies) == 2


def test_what_does_not_pass_says_what_to_do(server: Server, distiller: TeacherDistiller) -> None:
    server.scripts = [status(401)]
    with pytest.raises(TeacherError, match=r"401.*ENGRAIN_TEACHER_KEY"):
        distiller.probes([DENTIST])
    server.scripts = [status(404)]
    with pytest.raises(TeacherError, match=r"404.*ENGRAIN_TEACHER_URL"):
        distiller.probes([DENTIST])
    server.scripts = [completion('{"pairs": []}')] * 4
    with pytest.raises(TeacherError, match="nothing usable for fact 1 in 4 tries"):
        distiller.probes([DENTIST])
    server.scripts = [status(503)] * 4
    with pytest.raises(TeacherError, match=r"did not answer for fact 1 in 4 tries: status 503; try later"):
        distiller.probes([DENTIST])


def test_a_fact_that_a_teacher_finds_nothing_for_is_asked_for_by_grammar(server: Server, distiller: TeacherDistiller) -> None:
    kids = Source(3, "You have two kids.", "I have two kids.", "user")
    wrong = json.dumps({"pairs": [{"question": "How many kids do I have?", "answer": "2"}]})
    for script, number in (
        ([*[completion(wrong)] * 4, completion(written(1))], (3, 1)),
        ([completion(written(1)), *[completion(wrong)] * 4], (1, 3)),
    ):
        server.scripts = list(script)
        found = questions(distiller, *({1: DENTIST, 3: kids}[i] for i in number))
        assert found[1] == {q for q, _ in ASKED[1]}
        assert "How many kids do I have?" in found[3]
        distiller.kept.unlink()


def test_what_endpoints_do_differently_is_understood(server: Server, distiller: TeacherDistiller) -> None:
    no_count = {"choices": [{"message": {"content": written(1)}}], "usage": None}
    server.scripts = [status(400, "max_tokens is not supported, use max_completion_tokens"), raw(json.dumps(no_count))]
    assert questions(distiller, DENTIST)[1] == {q for q, _ in ASKED[1]}
    assert [{"max_tokens", "max_completion_tokens"} & body.keys() for body in server.bodies] == [{"max_tokens"}, {"max_completion_tokens"}]


def test_a_key_that_is_none_is_refused_and_never_told(server: Server, distiller: TeacherDistiller) -> None:
    distiller.endpoint = replace(distiller.endpoint, key="sk-secret\n")
    server.scripts = [completion(written(1))]
    assert questions(distiller, DENTIST)[1]
    assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    for key in ("sk-sec ret", "sk-sec\nret", "sk-sécret"):
        distiller.endpoint = replace(distiller.endpoint, key=key)
        with pytest.raises(SettingsError, match="characters that no key has") as refused:
            distiller.probes([PORTO])
        assert "sk-" not in str(refused.value)


def test_what_was_paid_for_is_not_asked_again(server: Server, distiller: TeacherDistiller) -> None:
    server.scripts = [completion(written(1)), status(401)]
    with pytest.raises(TeacherError):
        distiller.probes([DENTIST, PORTO])
    with distiller.kept.open("a") as file:
        file.write('{"key": "torn')  # the process died in the middle of a line
    server.scripts = [completion(written(2))]
    assert set(questions(distiller, DENTIST, PORTO)) == {1, 2}
    assert len(server.bodies) == 3
    assert set(questions(distiller, DENTIST, PORTO)) == {1, 2}
    assert len(server.bodies) == 3


def test_a_fact_with_few_pairs_is_not_tried_again_after_a_stop(server: Server, distiller: TeacherDistiller) -> None:
    one = json.dumps({"pairs": [{"question": "Who is my dentist?", "answer": "Dr. Okafor"}]})
    server.scripts = [*[completion(one)] * 4, status(401)]
    with pytest.raises(TeacherError):
        distiller.probes([DENTIST, PORTO])
    server.scripts = [completion(written(2))]
    assert questions(distiller, DENTIST, PORTO) == {1: {"Who is my dentist?"}, 2: {q for q, _ in ASKED[2]}}
    assert len(server.bodies) == 6


def test_it_waits_as_long_as_the_endpoint_asks(server: Server, distiller: TeacherDistiller) -> None:
    server.scripts = [status(429, retry_after="0.4"), completion(written(1))]
    started = time.monotonic()
    distiller.probes([DENTIST])
    assert time.monotonic() - started >= 0.4


def test_a_question_that_two_facts_answer_differently_is_taught_for_neither(server: Server, distiller: TeacherDistiller) -> None:
    rome = Source(3, "Your sister Ines lives in Rome.", "My sister Ines lives in Rome.", "user")
    both = [("Where does Ines live?", "Rome"), ("Who lives in Rome?", "Ines"), ("Which sister lives in Rome?", "Ines")]
    server.scripts = [completion(written(2)), completion(json.dumps({"pairs": [{"question": q, "answer": a} for q, a in both]}))]
    found = questions(distiller, PORTO, rome)
    assert "Where does Ines live?" not in found[2] | found[3]
    assert {"Who lives in Porto?"} <= found[2]
    server.scripts = [completion(json.dumps({"pairs": [{"question": q, "answer": a.replace("Rome", "Porto")} for q, a in both[:1]]}))] * 4
    distiller.kept.unlink()
    server.scripts += [completion(json.dumps({"pairs": [{"question": q, "answer": a} for q, a in both]}))]
    assert questions(distiller, PORTO, rome)[2]  # nothing of the teacher's is left for it: the grammar's own


def test_it_never_costs_more_than_it_may(server: Server, distiller: TeacherDistiller) -> None:
    distiller.tokens = 150
    server.scripts = [completion(written(1), 100), completion('{"pairs": []}', 100), completion(written(2), 100)]
    with pytest.raises(TeacherError, match="has cost 200 tokens, at most 150"):
        distiller.probes([DENTIST, PORTO])
    assert len(server.bodies) == 2
    distiller.tokens = 1000
    assert set(questions(distiller, DENTIST, PORTO)) == {1, 2}
    assert len(server.bodies) == 3


def test_a_consolidation_is_taught_from_end_to_end(server: Server, tiny_settings: MakeSettings) -> None:
    memory = Memory(tiny_settings(distiller="teacher", teacher_model="m", teacher_url=server.url))
    memory.remember(SAID[2])
    memory.remember(SAID[1])
    server.scripts = [completion(written(1)), completion(written(2))]
    outcome = consolidate(memory, "me")
    assert outcome.result is Result.PUBLISHED, outcome
    with memory.store.read() as db:
        known = [p for p in probes_of(db, "me", outcome.job_id or 0) if p.fact_id]
    assert {p.question for p in known} == {q for pairs in ASKED.values() for q, _ in pairs}
    assert not (memory.settings.jobs / str(outcome.job_id)).exists()  # its replies are gone with the job
    memory.store.close()


@pytest.mark.parametrize("by", ["forgetting", "the next consolidation"])
def test_what_a_teacher_wrote_for_a_failed_job_does_not_stay(by: str, server: Server, tiny_settings: MakeSettings) -> None:
    memory = Memory(tiny_settings(distiller="teacher", teacher_model="m", teacher_url=server.url, attempts=1))
    memory.remember(SAID[2])
    memory.remember(SAID[1])
    server.scripts = [completion(written(1)), status(401), status(401)]
    outcome = consolidate(memory, "me")
    assert outcome.result is Result.FAILED
    assert "ENGRAIN_TEACHER_KEY" in outcome.reason
    kept = memory.settings.jobs / str(outcome.job_id) / "teacher.jsonl"
    assert not kept.exists()
    kept.parent.mkdir(parents=True)
    kept.write_text("Okafor")  # as a worker leaves it that is killed before it is over
    if by == "forgetting":
        memory.forget(Selector(fact=memory.facts()[0].id))
    else:
        consolidate(memory, "me")
    assert not kept.exists()
    memory.store.close()


def test_the_key_reaches_the_worker(tiny_settings: MakeSettings) -> None:
    settings = tiny_settings(distiller="teacher", teacher_model="m", teacher_key="secret")
    assert _environment(settings)["ENGRAIN_TEACHER_KEY"] == "secret"
    assert "secret" not in repr(settings)


def test_a_teacher_without_a_name_is_refused(tiny_settings: MakeSettings) -> None:
    with pytest.raises(SettingsError, match="teacher_model"):
        tiny_settings(distiller="teacher")
