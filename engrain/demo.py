"""The demo: the main job on a real model, measured in front of the user's eyes."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from engrain.agent.loop import Agent, Reply
from engrain.agent.models.local import LocalChat
from engrain.cli.shared import consolidate_once, prepare, progress
from engrain.consolidation.daemon import describe
from engrain.consolidation.job import Outcome
from engrain.errors import EngrainError
from engrain.evals.scorers import contains, declined, overlap
from engrain.memory.facts import probes_of
from engrain.memory.memory import Memory
from engrain.memory.recall import Recollection
from engrain.memory.schema import Probe
from engrain.settings import Settings, load_settings

OWNER = "demo"
SESSIONS = {
    "monday": (
        "Hi! We adopted a dog on Saturday, a beagle called Biscuit.",
        "My sister Ines lives in Porto and my dentist is Dr. Okafor.",
        "By the way, I'm allergic to cashews.",
        "My locker code at the gym is 4417.",
    ),
    "tuesday": (
        "I work as a lighting engineer at the Halvorsen Theatre.",
        "The grant report is due on 14 March.",
        "My wife Marta is a cardiologist. Can you say something nice about that?",
        "I drive a green Skoda Fabia.",
    ),
    "wednesday": (
        "My piano lesson is every Thursday at six.",
        "We are flying to Reykjavik in June.",
        "My favourite tea is lapsang souchong.",
        "I'm training for the Leeds half marathon, and my landlord is Mr. Pereira.",
    ),
}
QUESTIONS = (
    ("Which city is my sister in?", "Porto"),
    ("Which dentist looks after me?", "Okafor"),
    ("What food am I allergic to?", "cashews"),
    ("What's the code for my locker?", "4417"),
    ("Which theatre do I work for?", "Halvorsen"),
    ("What's the deadline of the grant report?", "14 March"),
    ("Which profession does Marta have?", "cardiologist"),
    ("What car do I have?", "Skoda"),
    ("What day do I have piano?", "Thursday"),
    ("Where are we flying this summer?", "Reykjavik"),
    ("Which tea do I enjoy most?", "lapsang souchong"),
    ("Which race am I training for?", "Leeds"),
    ("What's our dog's name?", "Biscuit"),
    ("What's the name of my landlord?", "Pereira"),
)
"""(question, words that a right answer holds); none is worded like a training probe, and the demo checks that."""
UNKNOWN = ("What is my blood type?", "Where did I go to school?", "Which phone do I have?", "What is my bank card PIN?", "What is my uncle's name?")
"""About things that were never said."""


@dataclass(frozen=True)
class Asked:
    """A question about something that was said."""

    question: str
    expected: str
    without_memory: str
    from_weights: str
    correct: bool
    correct_without: bool
    abstained: bool
    module: str | None
    episode: str | None
    """The session the supporting fact was said in."""
    closest_probe: str
    probe_overlap: float
    """Shared words of the question and the closest training probe, as a share of all their words."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo showed."""

    facts: list[str]
    questions: list[Asked]
    unknown: list[dict[str, Any]]
    train_seconds: float
    """The whole consolidation, in seconds."""
    total_seconds: float
    module: str

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def right(self) -> float:
        """Share answered rightly from the weights."""
        return sum(q.correct for q in self.questions) / len(self.questions)

    def right_without(self) -> float:
        """Share answered rightly without memory."""
        return sum(q.correct_without for q in self.questions) / len(self.questions)


def run_demo(console: Console, keep: Path | None = None) -> DemoResult:
    """Talk, consolidate, ask; in a memory of its own that is thrown away unless `keep` names a folder for it."""
    started = time.perf_counter()
    with ExitStack() as stack:
        home = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="engrain-demo-")))
        settings = load_settings(
            home=home, owner=OWNER, database_url="", mode="weights", recall="auto", reply_tokens=48, memory_model="smollm2-135m", chat_model=""
        )
        memory = Memory(settings, advance=stack.enter_context(progress()))
        prepare(memory.base, settings, memory.advance)
        _talk(console, memory)
        asked_before = [q for q, _ in QUESTIONS]
        before = dict(zip(asked_before, (a.text for a in memory.bank.ask(asked_before, max_tokens=32)), strict=True))
        outcome, seconds = _consolidate(console, settings)
        probes = _trained_probes(memory, outcome)
        asked = [_ask(memory, q, expected, before[q], probes) for q, expected in QUESTIONS]
        unknown = [_ask_unknown(memory, q) for q in UNKNOWN]
        facts = [f.text for f in memory.facts(OWNER)]
        result = DemoResult(facts, asked, unknown, seconds, time.perf_counter() - started, outcome.module_id or "")
        _show(console, result)
        _new_session(console, memory)
        memory.store.close()
        return result


def _talk(console: Console, memory: Memory) -> None:
    """The sessions are talked for real: the local model replies to every line."""
    silent = Memory(memory.settings.model_copy(update={"recall": "off"}), base=memory.base)
    agent = Agent(LocalChat(memory.base), silent)
    for session, lines in SESSIONS.items():
        console.rule(f"session {session}", style="dim")
        for line in lines:
            console.print(f"[cyan]you>[/] {line}", highlight=False)
            console.print(agent.run(line, session).text.split("\n")[0], style="dim", highlight=False, markup=False)
        memory.close(session, OWNER)


def _consolidate(console: Console, settings: Settings) -> tuple[Outcome, float]:
    console.rule("consolidation", style="dim")
    started = time.perf_counter()
    outcome = consolidate_once(settings, OWNER)
    seconds = time.perf_counter() - started
    console.print(f"{describe(outcome)} ({seconds:.0f} s: {outcome.seconds})", highlight=False)
    if not outcome.engrained_facts:
        raise EngrainError(f"the demo's consolidation ended as {outcome.result.value}: {outcome.reason}")
    return outcome, seconds


def _trained_probes(memory: Memory, outcome: Outcome) -> list[Probe]:
    assert outcome.job_id is not None
    with memory.store.read() as db:
        return [p for p in probes_of(db, OWNER, outcome.job_id) if not p.held_out]


def _ask(memory: Memory, question: str, expected: str, without: str, probes: list[Probe]) -> Asked:
    found = memory.recall(question, OWNER, "weights")
    _check_prompt(memory, found)
    closest = max(probes, key=lambda p: overlap(question, p.question))
    if overlap(question, closest.question) == 1.0:
        raise EngrainError(f"the demo's question {question!r} is worded like the training probe {closest.question!r}")
    return Asked(
        question=question,
        expected=expected,
        without_memory=without.split("\n")[0],
        from_weights=found.text,
        correct=contains(found.text, expected),
        correct_without=contains(without, expected),
        abstained=declined(found.text),
        module=found.modules[0] if found.modules else None,
        episode=found.evidence[0].session_id if found.evidence else None,
        closest_probe=closest.question,
        probe_overlap=round(overlap(question, closest.question), 2),
    )


def _ask_unknown(memory: Memory, question: str) -> dict[str, Any]:
    found = memory.recall(question, OWNER, "weights")
    return {"question": question, "from_weights": found.text, "abstained": declined(found.text), "why": found.why}


def _check_prompt(memory: Memory, found: Recollection) -> None:
    """The prompt of an answer from weights holds the question and nothing that was ever said."""
    for fact in memory.facts(OWNER):
        if fact.text in found.prompt or fact.asked in found.prompt:
            raise EngrainError(f"the prompt of {found.query!r} holds the text of fact {fact.id}")


def _show(console: Console, result: DemoResult) -> None:
    console.rule("asked in a new session, from the weights alone", style="dim")
    table = Table("", "question", "without memory", "from the weights", "module", "said in", header_style="dim", box=None)
    for q in result.questions:
        mark = "[green]right[/]" if q.correct else "[red]wrong[/]"
        near = f"[dim]trained: {q.closest_probe} ({q.probe_overlap:.2f})[/]"
        table.add_row(mark, f"{q.question}\n{near}", q.without_memory[:40], q.from_weights, (q.module or "–")[:6], q.episode or "–")
    console.print(table, highlight=False)
    console.print("\ntrained: the closest training probe, and the share of words that both have", style="dim")
    console.print("\nNever said:", style="dim")
    for u in result.unknown:
        mark = "[green]declined[/]" if u["abstained"] else "[red]made up[/]"
        console.print(f"  {u['question']} {u['from_weights']} {mark}", highlight=False)
    declined_count = sum(u["abstained"] for u in result.unknown)
    console.print(
        f"\nFrom the weights {result.right():.0%} right, without memory {result.right_without():.0%}; {declined_count} of {len(result.unknown)} "
        f"unknown questions declined. Consolidation {result.train_seconds:.0f} s, everything {result.total_seconds:.0f} s.",
        highlight=False,
        style="bold",
    )


def _new_session(console: Console, memory: Memory) -> None:
    """One turn of a new session through the agent, whose context holds nothing but what the weights said."""
    console.rule("a turn in a new session", style="dim")
    question = QUESTIONS[1][0]
    reply: Reply = Agent(LocalChat(memory.base), memory).run(question, "later")
    console.print(f"[cyan]you>[/] {question}", highlight=False)
    console.print(reply.text, highlight=False, markup=False)
