"""The chat REPL."""

from __future__ import annotations

from rich.console import Console

from engrain.agent.build import chat_model
from engrain.agent.loop import Agent, Recalled, Reply, ToolUsed
from engrain.agent.models.chat import TextDelta
from engrain.cli.shared import console, consolidate_once, memory_of, ready
from engrain.consolidation.daemon import describe
from engrain.errors import EngrainError
from engrain.memory.log import messages_of
from engrain.memory.memory import Memory
from engrain.memory.recall import Recollection
from engrain.settings import Settings

HELP = """/recall QUESTION   ask the memory alone
/memory            what is remembered
/consolidate       end this session and train what is fresh into modules
/help              this list
/quit              leave (Ctrl-D does the same)"""


def repl(settings: Settings, session: str) -> None:
    """Talk until the user leaves; the session ends with it, so that its facts are fresh for the next consolidation."""
    with memory_of(settings) as memory:
        ready(memory)
        agent = Agent(chat_model(memory), memory)
        _resume(memory, settings.owner, session)
        while (line := _read()) is not None:
            try:
                if line.startswith("/"):
                    if not _command(memory, settings, line):
                        break
                elif line:
                    _turn(agent, line, session)
            except EngrainError as error:
                console.print(str(error), style="red", highlight=False)
        memory.close(session, settings.owner)


def _read() -> str | None:
    try:
        return console.input("[bold cyan]you>[/] ").strip()
    except (EOFError, KeyboardInterrupt):
        console.print()
        return None


def _resume(memory: Memory, owner: str, session: str) -> None:
    with memory.store.read() as db:
        earlier = messages_of(db, owner, session)
    if earlier:
        console.print(f"Session {session!r} goes on after {len(earlier)} messages.", style="dim")
        for message in earlier[-4:]:
            console.print(f"{message.speaker}> {message.content}", style="dim", highlight=False, markup=False)
    else:
        console.print(f"Session {session!r}. /help lists the commands.", style="dim")


def _turn(agent: Agent, line: str, session: str) -> None:
    for event in agent.stream(line, session):
        if isinstance(event, TextDelta):
            console.print(event.text, end="", highlight=False, markup=False, soft_wrap=True)
        elif isinstance(event, Recalled) and event.recollection.known:
            console.print(f"(recalled: {event.recollection.text})", style="dim", highlight=False, markup=False)
        elif isinstance(event, ToolUsed):
            console.print(f"({event.call.name}: {event.result})", style="dim", highlight=False, markup=False)
        elif isinstance(event, Reply):
            console.print()


def _command(memory: Memory, settings: Settings, line: str) -> bool:
    """Do what a line that begins with / asks for; False to leave."""
    name, _, rest = line.partition(" ")
    if name in ("/quit", "/exit", "/q"):
        return False
    if name == "/recall":
        show_recollection(console, memory.recall(rest, settings.owner))
    elif name == "/memory":
        facts = memory.facts(settings.owner)
        if not facts:
            console.print("No facts yet: what is said becomes facts when the session ends.", style="dim", highlight=False)
        for fact in facts:
            console.print(f"{fact.id:>4} {fact.state.value:9} {fact.said_on} {fact.text}", highlight=False, markup=False)
        live = [m.id for m in memory.modules(settings.owner) if m.state.value == "live"]
        console.print(f"{len(live)} live modules {' '.join(live)}", style="dim", highlight=False)
    elif name == "/consolidate":
        memory.close(owner=settings.owner)
        console.print(describe(consolidate_once(settings, settings.owner)), highlight=False)
    else:
        console.print(HELP, highlight=False, markup=False)
    return True


def show_recollection(console: Console, found: Recollection) -> None:
    """A recollection in a line or two."""
    console.print(found.text, style="bold", highlight=False, markup=False)
    console.print(f"from {found.source}, confidence {found.confidence:.2f}; {found.why}", style="dim", highlight=False, markup=False)
    for e in found.evidence:
        console.print(f"  {e.said_on} {e.session_id}: {e.text}", highlight=False, markup=False)
