"""Counting a remote model's tokens without ever waiting for a download.

tiktoken fetches its vocabulary at first use. A turn must not wait for that: the vocabulary is used where it already lies on
disk, fetched in the background for later turns otherwise, and until then a safe estimate serves.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

ENCODING = "o200k_base"
_LOCK = threading.Lock()
_state: dict[str, Any] = {"fetching": False}


def count_remote(text: str) -> int:
    """Tokens of a text by tiktoken's `o200k_base`, or the estimate of `estimate`."""
    encoding = _encoding()
    return len(encoding.encode(text, disallowed_special=())) if encoding is not None else estimate(text)


def estimate(text: str) -> int:
    """At least as many tokens as most tokenizers give: a token for every three bytes."""
    return math.ceil(len(text.encode()) / 3)


def _encoding() -> Any:
    if _on_disk():
        return _load()
    with _LOCK:
        if not _state["fetching"]:
            _state["fetching"] = True
            threading.Thread(target=_fetch, name="engrain-tiktoken", daemon=True).start()
    return None


@lru_cache(maxsize=1)
def _load() -> Any:
    import tiktoken

    return tiktoken.get_encoding(ENCODING)


def _fetch() -> None:
    try:
        _load()
    except Exception:  # noqa: BLE001 - no network: the estimate goes on serving
        return


def _on_disk() -> bool:
    """Whether tiktoken finds its vocabulary in its cache folder, without asking it."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    place = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    return any((place / hashlib.sha1(source.encode()).hexdigest()).exists() for source in _sources())  # noqa: S324 - tiktoken's naming


@lru_cache(maxsize=1)
def _sources() -> tuple[str, ...]:
    """The addresses that tiktoken names its cache files after, read from tiktoken itself."""
    import inspect
    import re

    from tiktoken_ext import openai_public

    return tuple(re.findall(r'"(https://[^"]+\.tiktoken)"', inspect.getsource(openai_public.o200k_base)))
