"""The tasks by name."""

from __future__ import annotations

from engrain.errors import InputError
from engrain.evals.tasks.ability import GeneralAbility
from engrain.evals.tasks.conversations import Conversations
from engrain.evals.tasks.needle import Needle
from engrain.evals.tasks.passages import PASSAGES
from engrain.evals.tasks.phonebook import PHONEBOOKS, Revised
from engrain.evals.tasks.statements import CounterFact, Edits
from engrain.evals.tasks.task import Task
from engrain.evals.tasks.told import TOLD

_ALL: tuple[Task, ...] = (
    *PHONEBOOKS,
    *(CounterFact(f"counterfact-{n}k", f"counterfact-{n}k.jsonl") for n in (1, 2, 4)),
    *PASSAGES,
    *TOLD,
    Conversations(),
    Edits(),
    Revised(),
    Needle(),
    GeneralAbility(),
)
TASKS: dict[str, Task] = {task.name: task for task in _ALL}


def task_of(name: str) -> Task:
    """The task; raises InputError with the names there are."""
    if name not in TASKS:
        raise InputError(f"task {name!r} is unknown; there are {', '.join(TASKS)}")
    return TASKS[name]
