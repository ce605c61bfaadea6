"""A transformers model in this process as a chat model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engrain.agent.models.chat import ChatMessage, Delta, TextDelta
from engrain.memory.bank.base import BaseModel
from engrain.tools.protocol import Tool


class LocalChat:
    """Talks with a base model, no module active; it may be the memory model itself, which then is in memory once."""

    calls_tools = False

    def __init__(self, base: BaseModel, temperature: float = 0.0, seed: int | None = None) -> None:
        self.base = base
        self.temperature = temperature
        """0 decodes greedily."""
        self.seed = seed

    @property
    def name(self) -> str:
        """The base model's name."""
        return self.base.name

    def count(self, text: str) -> int:
        """Tokens by the model's own tokenizer."""
        return self.base.count(text)

    def stream(self, messages: Sequence[ChatMessage], tools: Sequence[Tool], max_tokens: int) -> Iterator[Delta]:
        """The reply, token by token."""
        prompt = self.base.chat_ids(messages)
        for token in self.base.stream(prompt, max_tokens, temperature=self.temperature, seed=self.seed):
            if token.text:
                yield TextDelta(token.text)
