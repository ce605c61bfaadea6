"""Long-term memory for assistants, trained into LoRA modules.

The public names; each is imported when it is first used, so that importing engrain costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engrain.agent.build import chat_model
    from engrain.agent.loop import Agent, Reply
    from engrain.agent.models.openai import OpenAIChat
    from engrain.agent.models.scripted import ScriptedChat
    from engrain.consolidation.daemon import Daemon
    from engrain.consolidation.job import Outcome, Result
    from engrain.consolidation.worker import run_worker
    from engrain.endpoint import Endpoint
    from engrain.errors import EngrainError
    from engrain.memory.evidence import Evidence
    from engrain.memory.forget import Erasure, Selector
    from engrain.memory.memory import Memory
    from engrain.memory.recall import Recollection
    from engrain.settings import Settings, load_settings
    from engrain.tools.memory import memory_tools
    from engrain.tools.protocol import Tool, tool

_PLACES = {
    "Agent": "agent.loop",
    "Daemon": "consolidation.daemon",
    "Endpoint": "endpoint",
    "EngrainError": "errors",
    "Erasure": "memory.forget",
    "Evidence": "memory.evidence",
    "Memory": "memory.memory",
    "OpenAIChat": "agent.models.openai",
    "Outcome": "consolidation.job",
    "Recollection": "memory.recall",
    "Reply": "agent.loop",
    "Result": "consolidation.job",
    "ScriptedChat": "agent.models.scripted",
    "Selector": "memory.forget",
    "Settings": "settings",
    "Tool": "tools.protocol",
    "chat_model": "agent.build",
    "load_settings": "settings",
    "memory_tools": "tools.memory",
    "run_worker": "consolidation.worker",
    "tool": "tools.protocol",
}

__all__ = [
    "Agent", "Daemon", "Endpoint", "EngrainError", "Erasure", "Evidence", "Memory", "OpenAIChat", "Outcome", "Recollection", "Reply", "Result",
    "ScriptedChat", "Selector", "Settings", "Tool", "chat_model", "load_settings", "memory_tools", "run_worker", "tool",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'engrain' has no attribute {name!r}")
    return getattr(import_module(f"engrain.{_PLACES[name]}"), name)
