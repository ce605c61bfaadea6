"""Files of conversations: read whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engrain.errors import IngestError, InputError
from engrain.memory import ingest, log
from engrain.memory.cue import Cue
from engrain.memory.cues import cues
from engrain.memory.forget import Selector
from engrain.memory.ingest import read_file, session_range, store_conversations
from engrain.memory.memory import Memory

RECORD = {
    "id": "c1",
    "speakers": ["Ann", "Bob"],
    "sessions": [
        {"id": "D1", "date": "1:56 pm on 8 May, 2023", "turns": [{"id": "D1:1", "speaker": "Ann", "text": "I went to Oslo yesterday."}]},
        {"id": "D2", "date": "2023-05-10", "turns": [{"id": "D2:1", "speaker": "Bob", "text": "I bought a boat."}]},
    ],
}


def write(path: Path, *records: object) -> Path:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records))
    return path


def test_a_conversation_becomes_dated_attributed_facts(memory: Memory, tmp_path: Path) -> None:
    file = write(tmp_path / "c.jsonl", RECORD)
    done = store_conversations(memory.store, "me", read_file(file))
    assert (done.sessions, done.messages, done.facts) == (2, 2, 2)
    facts = memory.facts("me")
    assert facts[0].text == "Ann went to Oslo on 7 May 2023."
    assert facts[0].speaker == "Ann"
    assert str(facts[0].said_on) == "2023-05-08"


def test_a_second_time_nothing_is_doubled(memory: Memory, tmp_path: Path) -> None:
    file = write(tmp_path / "c.jsonl", RECORD)
    store_conversations(memory.store, "me", read_file(file))
    again = store_conversations(memory.store, "me", read_file(file))
    assert (again.sessions, again.skipped) == (0, 2)
    assert len(memory.facts("me")) == 2


def test_sessions_can_be_chosen(tmp_path: Path) -> None:
    file = write(tmp_path / "c.jsonl", RECORD)
    assert [c.session_id for c in read_file(file, "c1", ["D2"])] == ["c1/D2"]
    with pytest.raises(InputError, match="no conversation 'c9'"):
        read_file(file, "c9")
    with pytest.raises(InputError, match="no session 'D7'"):
        read_file(file, None, ["D7"])
    assert session_range("D1-D3,D7") == ["D1", "D2", "D3", "D7"]
    with pytest.raises(InputError, match="no range"):
        session_range("D3-D1")


def test_chat_logs_are_read_in_both_forms(memory: Memory, tmp_path: Path) -> None:
    loose = write(tmp_path / "log.jsonl", {"role": "user", "content": "My cat is Misha."}, {"role": "assistant", "content": "I love my cat too."})
    whole = write(tmp_path / "chats.jsonl", {"id": "x", "date": "2024-01-02", "messages": [{"role": "user", "content": "I moved today."}]})
    store_conversations(memory.store, "me", [*read_file(loose), *read_file(whole)])
    assert [f.text for f in memory.facts("me")] == ["Your cat is Misha.", "You moved on 2 January 2024."]


def test_every_bad_line_is_named_and_nothing_is_kept(memory: Memory, tmp_path: Path) -> None:
    bad_session = {**RECORD, "sessions": [{"id": "D1", "date": "soon", "turns": [{"speaker": "A", "text": "x"}]}]}
    file = write(tmp_path / "bad.jsonl", RECORD, "{no json", bad_session, {"role": "wizard", "content": "x"}, [1])
    with pytest.raises(IngestError) as caught:
        read_file(file)
    assert [p.split(":")[0] for p in caught.value.problems] == ["line 2", "line 3", "line 4", "line 5"]
    assert "'soon'" in caught.value.problems[1]
    assert "'wizard'" in caught.value.problems[2]
    assert memory.facts("me") == []


def test_another_conversation_under_the_same_name_is_not_passed_over(memory: Memory, tmp_path: Path) -> None:
    for folder in ("jan", "feb"):
        (tmp_path / folder).mkdir()
    first = write(tmp_path / "jan" / "chat.jsonl", {"role": "user", "content": "My dog is called Biscuit. My locker code is 4417."})
    store_conversations(memory.store, "me", read_file(first))
    other = write(tmp_path / "feb" / "chat.jsonl", {"role": "user", "content": "My dentist is Dr. Okafor."})
    with pytest.raises(InputError, match="session 'chat' is there with 1 messages, and they are not the 1 of the file"):
        store_conversations(memory.store, "me", read_file(other))
    memory.forget(Selector(fact=memory.facts("me")[1].id))
    assert store_conversations(memory.store, "me", read_file(first)).skipped == 1, "what was forgotten of it is no difference"


def test_others_can_write_while_a_file_is_read_in_and_a_bad_name_leaves_nothing(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "c.jsonl", RECORD, {**RECORD, "id": "c2"})

    def slow(asked: str) -> list[Cue]:
        with memory.store.write() as db:  # would wait for a minute, and fail, where the file held the lock
            log.open_session(db, "me", f"meanwhile {asked[:20]}")
        return cues(asked)

    monkeypatch.setattr(ingest, "cues", slow)
    assert store_conversations(memory.store, "me", read_file(file)).sessions == 4
    monkeypatch.undo()
    for last in ({**RECORD, "id": "c3" * 101}, {**RECORD, "id": "c3", "speakers": ["Cleo", "Bob"], "sessions": RECORD["sessions"][:1] * 2}):
        last = json.loads(json.dumps(last))
        last["sessions"][-1]["turns"][0]["text"] = "I sold it."
        with pytest.raises(InputError):
            store_conversations(memory.store, "me", read_file(write(tmp_path / "d.jsonl", {**RECORD, "id": "c4"}, last)))
        with memory.store.read() as db:
            assert not [s for s in log.sessions_of(db, "me") if s.id.startswith(("c3", "c4"))]


@pytest.mark.parametrize(
    "record",
    [
        {"role": ["user"], "content": "x"},
        {"role": "user", "content": "half \ud83d a character"},
        {"role": "user", "content": "x", "date": "0001-01-01T00:00:00+05:00"},
        {**RECORD, "speakers": 5},
    ],
)
def test_a_line_of_another_form_is_named(tmp_path: Path, record: object) -> None:
    with pytest.raises(IngestError) as caught:
        read_file(write(tmp_path / "bad.jsonl", record))
    assert [p.split(":")[0] for p in caught.value.problems] == ["line 1"]


def test_a_part_without_text_is_none(tmp_path: Path) -> None:
    (chat,) = read_file(write(tmp_path / "log.jsonl", {"role": "user", "content": [{"type": "text", "text": None}, {"type": "text", "text": "Hi"}]}))
    assert chat.messages[0].content.strip() == "Hi"
