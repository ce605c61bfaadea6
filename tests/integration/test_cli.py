"""The command line as a user runs it, on the tiny models: output, JSON, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engrain.cli import main
from engrain.cli.app import app
from engrain.consolidation.worker import _environment
from engrain.errors import EngrainError
from engrain.settings import Settings
from tests.conftest import GATE, RECIPE, SAID


class Ran:
    """A finished command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(tiny_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `engrain ARGUMENTS`; every setting travels by environment, as a user's would."""
    for name, value in _environment(tiny_settings(threads=1)).items():
        if name.startswith("ENGRAIN_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")

    def go(*arguments: str, **options: Any) -> Ran:
        result = CliRunner().invoke(app, list(arguments), **options)
        if isinstance(result.exception, EngrainError):
            return Ran(result.exception.exit_code, result.stdout, str(result.exception))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return go


def test_a_dry_run_tells_what_would_be_learnt_and_writes_nothing(run: Run) -> None:
    assert "Nothing fresh" in run("consolidate", "--dry-run").out
    for note in SAID[:2]:
        run("remember", note)
    rows = run("consolidate", "--dry-run", "--json").json
    assert [(r["text"], r["speaker"], r["trust"]) for r in rows] == [
        ("Your dog is called Biscuit.", "user", "user"),
        ("Your sister Ines lives in Porto.", "user", "user"),
    ]
    assert "forget --fact" in run("consolidate", "--dry-run").out
    run("forget", "--fact", str(rows[0]["id"]), "--yes")
    assert [r["text"] for r in run("consolidate", "--dry-run", "--json").json] == ["Your sister Ines lives in Porto."]
    assert run("modules", "list", "--json").json == []
    assert len(run("facts", "--fresh", "--json").json) == 1


def test_from_a_note_to_a_module_and_out_again(run: Run) -> None:
    for note in SAID:
        assert run("remember", note).code == 0
    assert "known already" in run("remember", SAID[0]).out
    assert run("facts", "--fresh", "--json").json[0]["text"] == "Your dog is called Biscuit."
    (outcome,) = run("consolidate", "--json").json
    assert (outcome["result"], outcome["facts"]) == ("published", 4)
    assert "4 facts" not in run("consolidate").out  # nothing is done twice
    (module,) = run("modules", "list", "--json").json
    assert (module["id"], module["state"], module["facts"]) == (outcome["module_id"], "live", 4)
    shown = run("modules", "show", module["id"][:6]).out
    assert "Your dentist is Dr. Okafor." in shown
    assert "rank 32" in shown
    found = run("recall", "Who is my dentist?", "--mode", "weights", "--json")
    assert (found.code, found.json["source"], found.json["modules"]) == (0, "weights", [module["id"]])
    assert "Dr. Okafor" in run("recall", "Who is my dentist?", "--mode", "weights").out
    status = run("status", "--json").json
    assert status["facts"] == {"fresh": 0, "engrained": 4}
    assert status["modules"] == {"live": 1, "rejected": 0, "retired": 0}
    assert "4 engrained, 0 fresh" in run("status").out
    dentist = next(f["id"] for f in run("facts", "--json").json if "dentist" in f["text"])
    erased = run("forget", "--fact", str(dentist), "--yes", "--json").json
    assert erased["modules"] == [module["id"]]
    assert "Okafor" not in run("facts").out
    assert run("recall", "Who is my dentist?", "--mode", "weights").code == 3


def test_what_looks_like_markup_is_told_as_it_was_said(run: Run) -> None:
    kept = run("remember", "[/b] closes a tag")
    assert (kept.code, "[/b] closes a tag" in kept.out) == (0, True)
    assert "[/b] closes a tag" in run("facts").out


def test_an_unknown_question_ends_with_code_3(run: Run) -> None:
    found = run("recall", "What is my dog called?", "--mode", "weights")
    assert (found.code, "I don't know." in found.out, "no module serves" in found.out) == (3, True, True)


def test_a_rejected_module_ends_with_code_7_and_the_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGRAIN_GATE", json.dumps({**GATE, "trained": 1.01}))
    monkeypatch.setenv("ENGRAIN_RECIPE", json.dumps({**RECIPE, "epochs": 2}))
    monkeypatch.setenv("ENGRAIN_ATTEMPTS", "1")
    run("remember", SAID[0])
    done = run("consolidate")
    assert done.code == 7
    assert "needs 101%" in done.out
    assert "needs 101%" in run("modules", "list").out
    assert "1 given up" in run("status").out


def test_forget_asks_first_and_needs_one_thing(run: Run) -> None:
    run("remember", SAID[0])
    assert run("forget", "--everything", input="n\n").code == 1
    assert len(run("facts", "--json").json) == 1
    nothing = run("forget", "--yes")
    assert (nothing.code, "exactly one of fact, episode, session" in nothing.err) == (2, True)
    missing = run("forget", "--fact", "99", "--yes")
    assert (missing.code, "99" in missing.err) == (4, True)
    assert run("forget", "--everything", "--yes").code == 0
    assert run("facts", "--json").json == []


def test_where_no_module_is_left_none_can_know_what_was_forgotten(run: Run) -> None:
    run("remember", "My locker code is 4417.")
    assert run("forget", "--subject", "locker", "--yes", "--prove").out.endswith("there is nothing to prove.\n")
    run("remember", "My dog is called Biscuit.")
    assert run("consolidate").code == 0
    forgotten = run("forget", "--everything", "--yes", "--prove")
    assert (forgotten.code, forgotten.out.splitlines()[-1]) == (0, "No module serves any more, so none knows of it.")


def test_bad_lines_are_named_and_nothing_is_kept(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    file.write_text('{"role": "user", "content": "My dog is called Biscuit."}\n{"role": "user"}\nno json\n')
    done = run("ingest", str(file))
    assert done.code == 2
    assert "line 2" in done.err
    assert "line 3" in done.err
    assert run("facts", "--json").json == []
    file.write_text('{"role": "user", "content": "My dog is called Biscuit."}\n')
    assert run("ingest", str(file), "--json").json["facts"] == 1


def test_a_chat_streams_remembers_and_resumes(run: Run) -> None:
    first = run("chat", "--session", "monday", input="My dog is called Biscuit.\n/memory\n/recall What is my dog called?\n/help\n/nonsense\n/quit\n")
    assert first.code == 0
    assert "/consolidate" in first.out
    assert "0 live modules" in first.out
    again = run("chat", "--session", "monday", input="/consolidate\n/memory\n")
    assert "goes on after 2 messages" in again.out
    assert "My dog is called Biscuit." in again.out
    assert "1 live modules" in again.out


def test_with_the_memory_model_comes_the_text_that_its_modules_leave_alone(
    run: Run, tiny_folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ENGRAIN_RECIPE", json.dumps({"locality": 1.0}))
    for _ in range(2):
        assert f"ready in {tiny_folders[0]}" in run("models", "fetch", str(tiny_folders[0])).out
        assert len(list((tmp_path / "cache" / "ordinary").glob("*.safetensors"))) == 1
    assert run("models", "fetch", str(tiny_folders[1])).code == 0, "the encoder writes nothing"
    assert len(list((tmp_path / "cache" / "ordinary").glob("*.safetensors"))) == 1


def test_models_are_listed_and_shown(run: Run, tiny_folders: tuple[Path, Path]) -> None:
    assert {m["name"] for m in run("models", "list", "--json").json} == {"smollm2-135m", "minilm"}
    assert "not fetched" in run("models", "list").out
    assert "next: engrain models fetch minilm" in run("models", "show", "minilm").out
    assert run("models", "show", str(tiny_folders[0]), "--json").json["folder"] == str(tiny_folders[0])
    unknown = run("models", "show", "nosuch")
    assert (unknown.code, "smollm2-135m, minilm" in unknown.err) == (5, True)


def test_a_wrong_setting_is_named_on_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ENGRAIN_THRESHOLD", "high")
    monkeypatch.setattr("sys.argv", ["engrain", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "ENGRAIN_THRESHOLD" in capsys.readouterr().err


def test_a_memory_is_compacted_moved_and_forgotten(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGRAIN_FAN_IN", "1")
    for note in SAID[:2]:
        run("remember", note)
        assert run("consolidate", "--json").json[0]["result"] == "published"
    planned = run("compact", "--dry-run", "--json").json
    assert (len(planned["modules"]), len(planned["facts"]), planned["level"]) == (2, 2, 1)
    assert "would become one module of 2 facts" in run("compact", "--dry-run").out
    done = run("compact", "--json").json
    assert [o["result"] for o in done["outcomes"]] == ["published"]
    assert done["shape"]["modules"] == {"1": 1}
    assert "1 on level 1" in run("status").out
    assert "Nothing is to be compacted: 1 on level 1" in run("compact").out
    file = str(tmp_path / "me.zip")
    assert "2 facts of 2 messages and 1 modules are in" in run("export", file).out
    assert "are now eve's" in run("import", file, "--owner", "eve").out
    assert run("import", file, "--owner", "eve").code == 2
    assert run("import", __file__, "--owner", "ann").code == 2
    found = run("recall", "What is my dog called?", "--mode", "weights", "--owner", "eve", "--json").json
    assert "Biscuit" in found["text"]
    assert run("forget", "--subject", "Ines", "--yes", "--json").json["facts"]
    assert run("forget", "--said", "soon", "--yes").code == 2
    assert run("forget", "--said", "1999-01-01..1999-12-31", "--yes").code == 4
    assert [f["text"] for f in run("facts", "--json").json] == ["Your dog is called Biscuit."]
    assert len(run("facts", "--json", "--owner", "eve").json) == 2


def test_what_was_said_is_printed_as_it_was_and_what_is_asked_is_no_part_of_json(run: Run) -> None:
    assert "4:100:7" in run("remember", "My locker code is 4:100:7.").out
    (fact,) = run("facts", "--json").json
    forgotten = run("forget", "--fact", str(fact["id"]), "--json", input="y\n")
    assert "Erase it?" in forgotten.err
    assert "Erase it?" not in forgotten.out
    assert "or it was forgotten" in run("remember", "My locker code is 4:100:7.").out


def test_a_setting_that_is_no_json_and_a_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from engrain.cli.status import collect
    from engrain.memory.memory import Memory
    from engrain.settings import load_settings

    memory = Memory(load_settings())
    memory.settings = memory.settings.model_copy(update={"database_url": "postgresql+psycopg://u:geheim@db/x"})
    assert collect(memory, "me")["database"] == "postgresql+psycopg://u:***@db/x"
    monkeypatch.setenv("ENGRAIN_RECIPE", "{rank: 8}")
    ended = run("status")
    assert ended.code == 2
    assert "recipe" in ended.err
    assert "JSON" in ended.err


def test_a_file_that_is_not_there_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rubric = str(tmp_path / "missing.txt")
    monkeypatch.setattr("sys.argv", ["engrain", "eval", "judge", str(tmp_path), "--model", "m", "--rubric", rubric])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert rubric in capsys.readouterr().err
