"""Sentence embeddings: a small encoder with mean pooling (Reimers & Gurevych, Sentence-BERT, arXiv 1908.10084)."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engrain.errors import ModelError
from engrain.memory.encode import TOLERANCE, Encoder
from engrain.memory.quiet import quiet
from engrain.memory.vectors import MARK, Vectors

_LONGEST = 256
"""Tokens of a text that are read."""


class Embedder:
    """Texts to unit vectors; the dot product of two is their cosine similarity."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self.mark = _mark(model)
        self.lock = threading.Lock()
        self.alone = self._encoder()
        self._one = lru_cache(maxsize=256)(self.encoded)

    @classmethod
    def load(cls, folder: Path, name: str) -> Embedder:
        """Load an encoder folder; raises ModelError when it is none."""
        from transformers import AutoModel, AutoTokenizer

        try:
            with quiet():
                model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True, add_pooling_layer=False)
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{name!r} could not be loaded from {str(folder)!r}: {error}") from error
        return cls(model, tokenizer, name)

    def one(self, text: str) -> Vectors:
        """The vector of one text, shape (width,); the last few are kept."""
        vector: Vectors = self._one(text)
        return vector

    def drop(self) -> None:
        """Hold none of them."""
        self._one.cache_clear()

    def encoded(self, text: str) -> Vectors:
        """The same, always made anew."""
        vector: Vectors
        if self.alone is None:
            (vector,) = self([text])
        else:
            with self.lock:  # the tokenizer keeps whether it pads
                ids = self.tokenizer.encode(text, truncation=True, max_length=_LONGEST)
            vector = self.alone(ids).numpy()
        return vector

    def stored(self, vector: Vectors) -> bytes:
        """A vector as the database keeps it."""
        return self.mark + vector.astype(np.float32).tobytes()

    def made(self, stored: bytes | None) -> bool:
        """Whether a stored vector is there and of this encoder; vectors of two encoders cannot be compared."""
        return stored is not None and stored.startswith(self.mark)

    def _encoder(self) -> Encoder | None:
        """The quick way for one text, if it gives what the model gives."""
        probe = "Which dentist do I go to?"
        try:
            encoder = Encoder(self.model)
            difference = np.abs(encoder(self.tokenizer.encode(probe)).numpy() - self([probe])[0]).max()
        except (AttributeError, TypeError, RuntimeError):
            return None
        return encoder if difference <= TOLERANCE else None

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (texts, width), float32, unit length."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out: list[Vectors | None] = [None] * len(texts)
        for at in range(0, len(order), 32):
            rows = order[at : at + 32]
            with self.lock, torch.inference_mode():
                batch = self.tokenizer([texts[i] for i in rows], padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt")
                hidden = self.model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None].float()
            pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
            for row, i in enumerate(rows):
                out[i] = pooled[row].numpy()
        vectors = [v for v in out if v is not None]
        return np.stack(vectors) if vectors else np.zeros((0, self.model.config.hidden_size), np.float32)


def _mark(model: Any) -> bytes:
    """Of every weight a few numbers, as a checksum."""
    sum_ = 0
    for parameter in model.parameters():
        sum_ = zlib.crc32(parameter.detach().flatten()[:64].float().numpy().tobytes(), sum_)
    return sum_.to_bytes(MARK, "big")
