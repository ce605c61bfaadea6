"""A judge: a chat model that reads question, reference and answer of a finished run and says whether the answer is right.

It sees neither the arm's name nor the other answers. The rubric, its model's name and every word it said are kept in the
run's folder; a judging that was interrupted goes on where it was. How far a judge's verdicts can be trusted depends on the
judge (arXiv 2306.05685); they stand beside the run's own score and never replace it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engrain.agent.models.chat import ChatMessage, ChatModel, TextDelta
from engrain.errors import InputError
from engrain.evals.summary import summarise
from engrain.lines import append, mend, read_lines

RUBRIC = """You grade answers. You get a question, the right answers and a given answer.
The given answer is right if it says what one of the right answers says, in any words; more detail is fine, a contradiction is not.
Give one sentence of reason. Then write a last line that is exactly "VERDICT: right" or "VERDICT: wrong"."""
_VERDICT = re.compile(r"VERDICT:\s*(right|wrong)\b", re.IGNORECASE)


def judge_run(out: Path, chat: ChatModel, rubric: str = RUBRIC, progress: Callable[[str, float], None] = lambda *_: None) -> dict[str, Any]:
    """Judge what is not yet judged of a run; writes `judge.json` and `judged.jsonl`, and returns the new summary.

    Raises InputError where the folder holds no run, or one that another judge or rubric has begun; ChatError where the judge
    cannot be reached. A reply without a verdict is kept, counts neither as right nor as wrong, and is asked for again next time.
    Questions that have no answer are not judged: whether one was declined is exact already.
    """
    if not (out / "answers.jsonl").exists():
        raise InputError(f"{str(out)!r} holds no answers to judge; make them with `engrain eval run TASK --out {out}`")
    _claim(out / "judge.json", {"model": chat.name, "rubric": rubric})
    mend(out / "judged.jsonl")
    done = {(r["arm"], r["question_id"]) for r in read_lines(out / "judged.jsonl") if r["value"] is not None}
    items = [r for r in read_lines(out / "answers.jsonl") if r["said"] and r["answers"]]
    for number, record in enumerate(items):
        progress(f"judged by {chat.name}", number / len(items))
        if (record["arm"], record["question_id"]) not in done:
            reply = _asked(chat, rubric, record)
            said = _VERDICT.findall(reply)
            value = None if not said else float(said[-1].lower() == "right")
            append(out / "judged.jsonl", {"arm": record["arm"], "question_id": record["question_id"], "value": value, "reply": reply})
    return summarise(out)


def _asked(chat: ChatModel, rubric: str, record: dict[str, Any]) -> str:
    item = f"Question: {record['text']}\nRight answers: {' / '.join(record['answers'])}\nGiven answer: {record['said']['text']}"
    deltas = chat.stream([ChatMessage("system", rubric), ChatMessage("user", item)], [], 1000)
    return "".join(d.text for d in deltas if isinstance(d, TextDelta))


def _claim(path: Path, judge: dict[str, str]) -> None:
    """Note who judges by what, or see that it is the same as before."""
    if not path.exists():
        staging = path.with_suffix(".part")
        staging.write_text(json.dumps(judge, indent=1) + "\n")
        staging.rename(path)
        return
    held = json.loads(path.read_text())
    if held != judge:
        key = next(k for k in judge if held.get(k) != judge[k])
        raise InputError(f"{str(path)!r} is of another judge: its {key} differs; remove it and 'judged.jsonl' beside it to judge anew")
