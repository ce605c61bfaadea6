"""Unit tests run tiny models: more than one thread costs more than it brings."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """For torch, in this process."""
    import torch

    torch.set_num_threads(1)
