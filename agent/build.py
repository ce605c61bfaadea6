"""A chat model by its name in the settings."""

from __future__ import annotations

from engrain.agent.models.chat import ChatModel
from engrain.errors import SettingsError
from engrain.memory.memory import Memory

REMOTE = "openai:"


def chat_model(memory: Memory) -> ChatModel:
    """The settings' chat model: the memory model itself, another local model, or `openai:NAME` at `chat_url`."""
    settings = memory.settings
    if settings.chat_model.startswith(REMOTE):
        from engrain.agent.models.openai import OpenAIChat
        from engrain.endpoint import Endpoint

        name = settings.chat_model.removeprefix(REMOTE)
        if not name:
            raise SettingsError(f"chat_model {settings.chat_model!r} names no model; write ENGRAIN_CHAT_MODEL=openai:NAME")
        return OpenAIChat(Endpoint(name, settings.chat_url, settings.chat_key.get_secret_value(), settings.chat_timeout))
    from engrain.agent.models.local import LocalChat

    if settings.chat_model in ("", settings.memory_model):
        return LocalChat(memory.base)
    from engrain.memory import catalog
    from engrain.memory.bank.base import BaseModel

    folder = catalog.resolve(settings.chat_model, settings.cache, memory.advance)
    return LocalChat(BaseModel.load(folder.path, folder.name, folder.sha256))
