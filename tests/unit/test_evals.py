"""Evaluations: data is checked, scores mean what they say, a run that is killed goes on to the same summary."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from engrain.consolidation.distil import Source as Source_
from engrain.errors import ChatError, IngestError, InputError
from engrain.evals import writing
from engrain.evals.data import Data, Document, Question, Taught, checked, documents_in
from engrain.evals.formats import FORMS, examples
from engrain.evals.judge import RUBRIC, judge_run
from engrain.evals.report import report, table
from engrain.evals.runs import AS_TRAINED, Order, run
from engrain.evals.scorers import normalized, score
from engrain.evals.study import read_study, run_study
from engrain.evals.summary import calibration, interval, summarise
from engrain.evals.tasks import TASKS, task_of
from engrain.evals.tasks.task import Source
from engrain.lines import append, mend, read_lines
from engrain.memory.memory import Memory
from engrain.memory.schema import ProbeKind
from engrain.settings import Settings
from tests.conftest import WHOLE
from tests.endpoint import Server, sse, status, text

DATA = Path(__file__).parents[3] / "shared" / "data"
RECORD = {"id": "d1", "text": "Ines lives in Porto.", "train_qa": [{"question": "Where is Ines?", "answer": "Porto"}],
          "questions": [{"question": "Which city is Ines in?", "answers": ["Porto"], "kind": "recall"}]}  # fmt: skip


def write(path: Path, *records: object) -> Path:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records) + "\n")
    return path


def test_a_users_file_is_read_and_bad_records_are_named(tmp_path: Path) -> None:
    found = documents_in(write(tmp_path / "good.jsonl", RECORD))
    assert [d.id for d in found.documents] == ["d1"]
    assert found.questions[0].answers == ("Porto",)
    bad = write(tmp_path / "bad.jsonl", RECORD, {"id": "d2", "questions": []}, {**RECORD, "questions": [{"question": "", "answers": []}]})
    with pytest.raises(IngestError) as caught:
        documents_in(bad)
    assert [p.split(":")[0] for p in caught.value.problems] == ["line 2", "line 3"]
    assert "'text' is missing" in caught.value.problems[0]
    with pytest.raises(IngestError, match="line 1"):
        documents_in(write(tmp_path / "worse.jsonl", "{no json"))
    with pytest.raises(InputError, match="'d1' more than once"):
        checked(documents_in(write(tmp_path / "twice.jsonl", RECORD, RECORD)), "mine")
    with pytest.raises(IngestError, match="line 1: questions must be a list of objects, not 'None'"):
        documents_in(write(tmp_path / "none.jsonl", {**RECORD, "questions": None}))
    odd = documents_in(write(tmp_path / "odd.jsonl", json.dumps({**RECORD, "text": "Ines\u2028lives."}, ensure_ascii=False)))
    assert odd.documents[0].text == "Ines\u2028lives."
    with pytest.raises(InputError, match="--data"):
        task_of("squad").load(Source())


def test_a_question_that_is_trained_is_not_asked() -> None:
    taught = Taught("Ines lives in Porto.", "Which city is Ines in?", "Porto")
    data = Data((Document("d", "x", (taught,)),), (Question("q", "which city is Ines in", ("Porto",), "", "d"),))
    with pytest.raises(InputError, match="trains 1 of its test questions"):
        checked(data, "mine")
    assert checked(replace(data, questions=()), "mine").documents


def test_generators_make_the_same_for_the_same_seed_and_no_trained_phrasing_is_asked() -> None:
    book = TASKS["phonebook"]
    one, two, other = (book.load(Source(size=8, seed=s)) for s in (1, 1, 2))
    assert one == two
    assert one != other
    assert len({q.text for q in one.questions}) == len(one.questions)
    checked(one, "phonebook")
    needle = TASKS["needle"].load(Source(size=1))
    for document, question in zip(needle.documents, needle.questions, strict=True):
        assert document.text.count(question.answers[0]) == 1
    with pytest.raises(InputError, match="choose 1 to"):
        book.load(Source(size=10_000))


def test_a_choice_of_documents_keeps_only_their_questions() -> None:
    whole = TASKS["needle"].load(Source(size=1))
    part = whole.chosen(3, 2, seed=5)
    assert (len(part.documents), len(part.questions)) == (3, 2)
    assert {q.document for q in part.questions} <= {d.id for d in part.documents}
    assert part == whole.chosen(3, 2, seed=5)


@pytest.mark.skipif(not DATA.is_dir(), reason="the evaluation data is not beside the project")
@pytest.mark.parametrize("name", TASKS)
def test_every_task_reads_its_data(name: str) -> None:
    data = checked(TASKS[name].load(Source(DATA, size=8)), name)
    assert data.documents
    assert data.questions
    assert all(q.text and q.kind for q in data.questions)
    known = {d.id for d in data.documents}
    assert all(q.document in known for q in data.questions if q.document)


@pytest.mark.parametrize(
    ("name", "answer", "expected", "value"),
    [
        ("exact", "The 555-1234.", ["555-1234"], 1.0),
        ("exact", "It is 555-1234", ["555-1234"], 0.0),
        ("contains", "It is in Porto, I think", ["Porto"], 1.0),
        ("token_f1", "red kayak", ["a red kayak of wood"], 2 / 3),
        ("rouge_l", "the cat sat", ["the cat sat"], 1.0),
        ("choice", "blue", ["red", "blue"], 1.0),
        ("exact", "A", ["A"], 1.0),
        ("token_f1", "a", ["A"], 1.0),
        ("contains", "a cat", ["A"], 0.0),
        ("token_f1", "I don't know.", ["Porto"], 0.0),
        ("token_f1", "I don't know.", [], 1.0),
        ("token_f1", "Porto", [], 0.0),
    ],
)
def test_scores(name: str, answer: str, expected: list[str], value: float) -> None:
    assert score(name, answer, expected).value == pytest.approx(value)


def test_an_interval_holds_the_mean_and_shrinks_with_more_items() -> None:
    few, many = [1.0, 0.0] * 5, [1.0, 0.0] * 200
    low, high = interval(few, 0)
    assert low < 0.5 < high
    assert interval(many, 0)[1] - interval(many, 0)[0] < (high - low) / 3
    assert interval(few, 0) == interval(few, 0)


def test_calibration_is_exact_where_confidence_is_what_answers_are_worth() -> None:
    said = [(0.25, 1.0), (0.25, 0.0), (0.25, 0.0), (0.25, 0.0), (0.95, 1.0), (1.0, 0.9)]
    found = calibration(said)
    assert found is not None
    assert [(b["n"], b["score"]) for b in found["bins"]] == [(4, 0.25), (2, pytest.approx(0.95))]
    assert found["error"] == pytest.approx(2 / 6 * 0.025)
    overrated = calibration([(0.9, 0.0)])
    assert overrated is not None
    assert overrated["error"] == pytest.approx(0.9)
    assert calibration([]) is None


OPENINGS = ("Say", "Now", "So", "Well", "Then", "Please", "Quickly")
SHORT = {**WHOLE, "epochs": 160, "settle": 0}
ARMS = (
    "base",
    "context",
    "text",
    "weights-one",
    "weights",
    "weights-oracle",
    "weights-planned",
    "hybrid",
    "bare-module",
    "wrong-module",
    "raw",
    "qa",
)
Make = Callable[..., tuple[Order, Settings]]


@pytest.fixture
def order(tiny_settings: Callable[..., Settings], tmp_path: Path) -> tuple[Order, Settings]:
    """Two documents, each with a statement taught in seven phrasings and asked in another."""
    said = {
        "a": ("My dog is called Biscuit.", "what is my dog called", "Biscuit"),
        "b": ("My locker code is 4417.", "what is my locker code", "4417"),
    }
    records = [
        {
            "id": name,
            "text": text,
            "train_qa": [{"question": f"{opening} {question}?", "answer": answer} for opening in OPENINGS],
            "questions": [{"question": f"Tell me {question}?", "answers": [answer], "kind": "k"}],
        }
        for name, (text, question, answer) in said.items()
    ]
    file = write(tmp_path / "mine.jsonl", *records)
    settings = tiny_settings(threshold=0.1, threads=1, facts_per_module=1)
    return Order("squad", ARMS, str(file), None, None, 24, 1, 0, SHORT, "cues", settings.memory_model), settings


def test_every_arm_answers_and_a_run_that_is_done_is_not_done_again(memory: Memory, order: tuple[Order, Settings], tmp_path: Path) -> None:
    ordered, settings = order
    whole = run(ordered, tmp_path / "whole", settings, memory)
    assert {arm: found["all"]["n"] for arm, found in whole["arms"].items()} == dict.fromkeys(ARMS, 2)
    means = {arm: found["all"]["mean"] for arm, found in whole["arms"].items()}
    assert means["weights-oracle"] == means["bare-module"] == means["qa"] == 1, means
    assert means["wrong-module"] == means["base"] == 0, means
    assert whole["costs"]["weights"]["modules"] == whole["costs"]["weights-planned"]["modules"] == 2
    assert whole["costs"]["weights-one"]["modules"] == whole["costs"]["raw"]["modules"] == 1
    assert whole["arms"]["weights"]["router_recall"]["1"] == 1.0
    assert (tmp_path / "whole" / "context.txt").read_text().endswith("Note: My dog is called Biscuit.\nNote: My locker code is 4417.\n")
    assert whole["costs"]["context"]["seconds_to_write"] > 0
    assert whole["arms"]["weights-oracle"]["router_recall"] is None
    assert whole["arms"]["weights"]["calibration"]["bins"][0]["score"] == 1.0
    assert "calibration error" in report([whole], tmp_path / "page")
    assert (tmp_path / "page" / "reliability.png").exists()
    assert whole["costs"]["context"]["prompt_tokens_a_question"] > whole["costs"]["base"]["prompt_tokens_a_question"]
    answers = (tmp_path / "whole" / "answers.jsonl").read_bytes()
    assert run(ordered, tmp_path / "whole", settings, memory) == whole
    assert (tmp_path / "whole" / "answers.jsonl").read_bytes() == answers
    with pytest.raises(InputError, match="seed = 0, not 1"):
        run(replace(ordered, seed=1), tmp_path / "whole", settings, memory)


def test_a_question_that_a_distiller_hit_upon_is_told_apart(memory: Memory, order: tuple[Order, Settings], tmp_path: Path) -> None:
    asked = [{"question": q, "answers": ["Biscuit"], "kind": "k"} for q in ("What is my dog called?", "Biscuit is which animal's name?")]
    file = write(tmp_path / "hit.jsonl", {"id": "a", "text": "My dog is called Biscuit.", "train_qa": [], "questions": asked})
    found = run(replace(order[0], data=str(file), arms=("text", "weights-one")), tmp_path / "hit", order[1], memory)["arms"]
    assert {kind: one["n"] for kind, one in found["text"]["kinds"].items()} == {"k": 2}
    assert {kind: one["n"] for kind, one in found["weights-one"]["kinds"].items()} == {"k": 1, AS_TRAINED: 1}


def test_an_interval_draws_together_what_is_about_one_thing() -> None:
    values, clusters = [1.0, 1.0, 0.0, 0.0] * 10, [f"{i // 2}" for i in range(40)]
    apart, together = interval(values, 0), interval(values, 0, clusters)
    assert together[1] - together[0] > 1.2 * (apart[1] - apart[0])
    assert interval(values * 2, 0, list(range(40)) * 2) == pytest.approx(apart, abs=0.03)  # the same questions again are no new ones


def test_a_line_that_was_cut_short_is_passed_over_and_only_its_writer_mends_it(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    append(file, {"text": "one\u2028line"})
    with file.open("a") as broken:
        broken.write('{"half')
    assert list(read_lines(file)) == [{"text": "one\u2028line"}]
    assert file.read_text().endswith("half")
    mend(file)
    append(file, {"text": "two"})
    assert [r["text"] for r in read_lines(file)] == ["one\u2028line", "two"]


def test_two_processes_do_not_write_one_folder(memory: Memory, order: tuple[Order, Settings], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / ".lock"), pytest.raises(InputError, match="another process runs"):
        run(order[0], tmp_path / "run", order[1], memory)


def test_what_decides_the_answers_may_not_change_in_the_middle_but_arms_may_be_added(
    memory: Memory, order: tuple[Order, Settings], tmp_path: Path
) -> None:
    ordered, settings = order
    out = tmp_path / "run"
    run(replace(ordered, arms=("base",)), out, settings, memory)
    assert list(run(replace(ordered, arms=("context",)), out, settings, memory)["arms"]) == ["base", "context"]
    with pytest.raises(InputError, match="targets = 'q_proj' is no list"):
        run(replace(ordered, recipe={"targets": "q_proj"}), out, settings, memory)
    with pytest.raises(InputError, match=r"threshold = 0\.1, not 0\.9"):
        run(ordered, out, settings.model_copy(update={"threshold": 0.9}), memory)
    with pytest.raises(InputError, match="facts_per_module"):
        run(ordered, out, settings.model_copy(update={"facts_per_module": 7}), memory)
    file = Path(ordered.data)
    file.write_text(file.read_text().replace("4417", "4418"))
    with pytest.raises(InputError, match="data_sha256"):
        run(ordered, out, settings, memory)


def test_an_arm_that_the_data_cannot_give_is_refused_before_anything_is_written(
    memory: Memory, order: tuple[Order, Settings], tmp_path: Path
) -> None:
    ordered, settings = order
    for arm, why in (("cloze", "completes statements"), ("wrong-module", "at least two documents")):
        with pytest.raises(InputError, match=why):
            run(replace(ordered, arms=("base", arm), documents=1), tmp_path / arm, settings, memory)
        assert not (tmp_path / arm).exists()


def test_what_is_told_again_is_not_stored_again(memory: Memory) -> None:
    statement = "Harry S. Truman is a citizen of Japan. He lives in Osaka."
    told = Document("d", statement, (Taught(statement, "Where does Truman live?", "Osaka"),))
    writing.tell(memory, told)
    before = [f.text for f in memory.facts()]
    writing.tell(memory, told)
    assert [f.text for f in memory.facts()] == before


def test_given_questions_go_to_the_fact_that_they_are_about(memory: Memory) -> None:
    sources = [Source_(1, "Ines lives in Porto.", "Ines lives in Porto.", "user"), Source_(2, "The kayak is red.", "The kayak is red.", "user")]
    taught = [Taught("", "Which colour has the kayak?", "red"), Taught("", "Where is Ines?", "Porto")]
    drafts = writing.GivenDistiller(memory, taught, writes=False).probes(sources)
    assert {(d.fact_id, d.answer) for d in drafts if d.kind is ProbeKind.QUESTION} >= {(2, "red"), (1, "Porto")}


def test_questions_about_facts_of_other_modules_are_left_to_these(memory: Memory) -> None:
    memory.remember("My sister Ines lives in Porto.")
    memory.remember("My kayak is red.")
    ines, _ = memory.facts()
    taught = [Taught("", "Which colour has my kayak?", "red"), Taught("", "Where is my sister Ines?", "Porto")]
    sources = [Source_(ines.id or 0, ines.text, ines.asked, "user")]
    drafts = writing.GivenDistiller(memory, taught, False, memory.facts()).probes(sources)
    assert [(d.fact_id, d.answer) for d in drafts if d.kind is ProbeKind.QUESTION] == [(ines.id, "Porto")]


def test_a_conversations_question_is_asked_only_where_its_sessions_were_told(tmp_path: Path) -> None:
    session = {"date": "1:56 pm on 8 May, 2023", "turns": [{"id": "D1:1", "speaker": "A", "text": "I live in Porto."}]}
    evidence = [["D1:1"], ["D1:1; D2:1"], ["D2:1"], []]
    questions = [{"question": f"q{i}?", "answers": ["a"], "kind": "k", "evidence": e} for i, e in enumerate(evidence)]
    never = {"question": "never said?", "answers": [], "kind": "adversarial", "evidence": []}
    record = {"id": "c", "speakers": ["A", "B"], "sessions": [{"id": "D1", **session}, {"id": "D2", **session}], "questions": [*questions, never]}
    data = TASKS["locomo"].load(Source(write(tmp_path / "c.jsonl", record)))
    assert [q.document for q in data.questions] == ["c/D1", "", "c/D2", "", ""]
    (told,) = data.chosen(1, None, seed=0).documents
    asked = {q.text for q in data.chosen(1, None, seed=0).questions}
    assert asked == {"q0?" if told.id == "c/D1" else "q2?", "never said?"}


def test_a_crash_is_a_failure_record_and_scoring_can_be_done_again(memory: Memory, order: tuple[Order, Settings], tmp_path: Path) -> None:
    ordered, settings = order
    out = tmp_path / "run"
    run(replace(ordered, arms=("base",)), out, settings, memory)
    lines = list(read_lines(out / "answers.jsonl"))
    lines[0] |= {"said": None, "error": "RuntimeError: out of memory"}
    lines[1]["said"]["text"] = lines[1]["answers"][0]
    (out / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = summarise(out)["arms"]["base"]
    assert (found["failed"], found["all"]["n"], found["all"]["mean"]) == (1, 1, 1.0)
    page = report([summarise(out)], tmp_path / "page")
    assert "1.00 [1.00, 1.00]" in page
    assert {p.name for p in (tmp_path / "page").iterdir()} == {"report.md", "report.json", "accuracy.png", "cost.png"}
    larger = {**summarise(out), "order": {**summarise(out)["order"], "size": 99}}
    report([summarise(out), larger], tmp_path / "loads")
    assert (tmp_path / "loads" / "load.png").exists()
    (tmp_path / "passed on").mkdir()
    shutil.copy(out / "summary.json", tmp_path / "passed on")
    assert summarise(tmp_path / "passed on") == summarise(out)  # a run passed on without its answers
    shutil.rmtree(out)
    with pytest.raises(InputError, match="holds no run"):
        summarise(out)


def verdict(words: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return sse(text(words))


def test_a_judge_says_which_answers_are_right_and_goes_on_where_it_broke_off(memory: Memory, order: tuple[Order, Settings], tmp_path: Path) -> None:
    ordered, settings = order
    out = tmp_path / "run"
    run(replace(ordered, arms=("base", "context")), out, settings, memory)
    server = Server()
    try:
        server.scripts = [verdict("It names the dog. VERDICT: right"), status(400)]
        with pytest.raises(ChatError):
            judge_run(out, server.chat())
        server.scripts = [verdict("No. VERDICT: wrong"), verdict("Hard to say."), verdict("Is it right? VERDICT: WRONG\nNo: verdict: right")]
        summary = judge_run(out, server.chat())
        asked = len(server.bodies)
        server.scripts = [verdict("Hard to say.")]
        judge_run(out, server.chat())
        assert len(server.bodies) == asked + 1, "that without a verdict is asked for again"
    finally:
        server.http.shutdown()
        server.http.server_close()
    assert summary["arms"]["base"]["judged"] == {"n": 2, "mean": 0.5}
    assert summary["arms"]["context"]["judged"] == {"n": 1, "mean": 1.0}  # what has no verdict counts for nothing
    kept = list(read_lines(out / "judged.jsonl"))
    assert [k["value"] for k in kept] == [1.0, 0.0, None, 1.0, None]
    assert kept[2]["reply"] == "Hard to say."
    assert json.loads((out / "judge.json").read_text()) == {"model": "m", "rubric": RUBRIC}
    asked = server.bodies[0]["messages"]
    assert asked[0] == {"role": "system", "content": RUBRIC}
    assert "Right answers: Biscuit" in asked[1]["content"]
    assert "| judged right (of) |" in table([summary])
    assert "| 0.50 (2) |" in table([summary])
    with pytest.raises(InputError, match="its rubric differs"):
        judge_run(out, server.chat(), "Be kind.")


HUB = {"mine.jsonl": json.dumps(RECORD) + "\n", "README.md": "not asked for"}


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download of a data set needs."""

    def do_GET(self) -> None:
        if self.path.startswith("/api/datasets/me/set/revision/"):
            body = json.dumps({"id": "me/set", "sha": "a" * 40, "siblings": [{"rfilename": name} for name in HUB]}).encode()
        elif self.path.startswith("/api/datasets/me/set/tree/"):
            body = json.dumps([{"type": "file", "path": name, "size": len(HUB[name]), "oid": "e"} for name in HUB]).encode()
        elif self.path.startswith("/datasets/me/set/resolve/"):
            body = HUB[self.path.rsplit("/", 1)[1]].encode()
        else:
            self.send_response(404)
            self.end_headers()
            return
        self.send_response(200)
        for name, value in {"content-length": str(len(body)), "etag": '"e"', "x-repo-commit": "a" * 40, "content-type": "application/json"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def test_a_data_set_of_the_hub_is_fetched_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    program = "import sys; from pathlib import Path; from engrain.evals.hub import place_of; print(place_of(Path(sys.argv[1])))"
    env = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path)}
    try:
        calls = [subprocess.run([sys.executable, "-c", program, f"hub:me/{n}"], env=env, capture_output=True, text=True) for n in ("set", "other")]
    finally:
        server.shutdown()
        server.server_close()
    folder = Path(calls[0].stdout.strip())
    assert [p.name for p in folder.iterdir()] == ["mine.jsonl"], calls[0].stderr
    assert documents_in(folder / "mine.jsonl").documents[0].id == "d1"
    assert "data set 'me/other' could not be fetched from the hub" in calls[1].stderr


def test_what_wikipedia_asks_is_told_as_a_statement(tmp_path: Path) -> None:
    file = write(tmp_path / "w.jsonl", {**RECORD, "train_qa": [], "text": "that Ines once lived in Porto?"})
    assert TASKS["wikidyk"].load(Source(file)).documents[0].text == "Ines once lived in Porto."


def test_an_unknown_task_or_arm_lists_those_there_are(order: tuple[Order, Settings]) -> None:
    with pytest.raises(InputError, match=r"task 'nosuch' is unknown; there are phonebook, "):
        replace(order[0], task="nosuch").check()
    with pytest.raises(InputError, match=r"arm 'nosuch' is unknown; choose of base, context"):
        replace(order[0], arms=("nosuch",)).check()


def test_an_order_that_cannot_be_followed_is_refused_at_once(order: tuple[Order, Settings], tmp_path: Path) -> None:
    for wrong, why in (
        ({"limit": -1}, "limit = -1 leaves nothing"), ({"documents": 0}, "documents = 0"), ({"distiller": "teacher"}, "not evaluated yet"),
        ({"recipe": {"rank": "eight"}}, "recipe rank = 'eight' is no int"), ({"recipe": {"rest": 1}}, "recipe rest = 1 is no bool"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=why):
            replace(order[0], **wrong).check()  # type: ignore[arg-type]
    replace(order[0], recipe={"learning_rate": 1, "targets": ["q_proj"]}).check()
    talk = {"id": "c", "sessions": [{"id": "s", "date": "soon", "turns": [{"speaker": "Ann", "text": "Hi."}]}], "questions": []}
    with pytest.raises(IngestError, match="soon"):
        TASKS["locomo"].load(Source(write(tmp_path / "locomo.jsonl", talk)))


def test_every_entry_of_a_large_book_can_be_revised() -> None:
    book = TASKS["revised"].load(Source(size=700))
    assert len({q.about for q in book.questions if q.kind == "revised"}) == 350


def test_a_study_is_checked_before_it_runs_and_leaves_a_page(memory: Memory, order: tuple[Order, Settings], tmp_path: Path) -> None:
    ordered, settings = order
    study = tmp_path / "study.toml"
    study.write_text('title = "T"\n[[run]]\ntask = "squad"\narms = ["base", "context"]\nseeds = [1, 2]\n')
    read = read_study(study, Path(ordered.data), settings)
    assert [c.name for c in read.cells] == ["01-squad-seed1", "01-squad-seed2"]
    page = run_study(read, tmp_path / "out", settings, memory, lambda *_: None)
    assert [" | 4 | " in line for line in page.splitlines() if line.startswith(("| base |", "| context |"))] == [True, True]  # two of each seed
    study.write_text('[[run]]\ntask = "squad"\narm = "base"\n')
    with pytest.raises(InputError, match="run 1: it needs task and arms"):
        read_study(study, Path(ordered.data), settings)


def test_a_study_makes_a_run_for_each_combination_of_what_it_varies(order: tuple[Order, Settings], tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text('x = "size"\n[[run]]\ntask = "phonebook"\narms = ["base"]\nsize = [4, 8]\nparts = 2\nrecipe = {rank = [2, 4], epochs = 3}\n')
    cells = read_study(study, None, order[1]).cells
    assert [c.name for c in cells] == [f"01-phonebook-size{s}-rank{r}-seed0" for s in (4, 8) for r in (2, 4)]
    assert cells[1].varied == {"size": 4, "rank": 4}
    assert cells[1].order.recipe == {"rank": 4, "epochs": 3}
    assert len(cells[3].order.load().documents) == 2
    study.write_text('[[run]]\ntask = "phonebook"\narms = ["base"]\nrecipe = {ranks = 3}\n')
    with pytest.raises(InputError, match="unexpected keyword argument 'ranks'"):
        read_study(study, None, order[1])


def test_every_form_of_training_data_shows_each_statement_equally_often(memory: Memory) -> None:
    (book,) = TASKS["phonebook"].load(Source(size=5)).documents
    for name in FORMS:
        text = "\n".join(f"{e.question} {e.answer}" for e in examples(name, memory.base, [book], seed=0))
        assert all(text.count(t.answer) == 6 for t in book.taught), name
    once = replace(book, taught=book.taught[::6])
    assert [e.answer for e in examples("qa+raw", memory.base, [once], seed=0)][:5] == [t.answer for t in once.taught]
    assert len(examples("qa+raw", memory.base, [once], seed=0)) > 5


def test_edits_ask_for_the_new_fact_prefer_it_to_the_old_and_leave_others_alone(tmp_path: Path) -> None:
    edit = {"prompt": "Ana lives in", "question": "Where does Ana live?", "old": "Rome", "new": "Oslo"}
    other = {**edit, "prompt": "Bo lives in", "question": "Where does Bo live?"}
    file = write(tmp_path / "e.jsonl", {"id": "one", "edits": [edit], "questions": []}, {"id": "two", "edits": [other], "questions": []})
    data = TASKS["mquake"].load(Source(file))
    assert [(q.kind, q.text, q.answers, q.choices) for q in data.questions] == [
        ("edited fact", "Complete: Ana lives in", ("Oslo",), ()),
        ("efficacy", "Complete: Ana lives in", ("Oslo",), ("Rome", "Oslo")),
        ("untouched", "Complete: Bo lives in", ("Rome",), ("Oslo", "Rome")),
    ]
    assert [d.id for d in data.documents] == ["one"]


STRANGERS = ["told-blind", "told-second", "told-third", "told-fourth", "told-fifth", "told-sixth", "told-seventh"]
TAUGHT = ["told-third-taught", "told-fifth-taught", "told-sixth-taught"]


@pytest.mark.parametrize("name", [*STRANGERS, *TAUGHT])
def test_a_strangers_set_is_whole_and_its_teacher_teaches_no_test(name: str) -> None:
    data = task_of(name).load(Source())
    asked = [q for q in data.questions if q.answers]
    assert len(asked) == 80
    assert len(data.questions) - len(asked) == 40
    taught = [one for document in data.documents for one in document.taught]
    assert bool(taught) == name.endswith("taught")
    assert not {" ".join(normalized(t.question)) for t in taught} & {" ".join(normalized(q.text)) for q in asked}
    said = {turn.text for document in data.documents for turn in document.turns}
    assert {t.statement for t in taught} <= said
