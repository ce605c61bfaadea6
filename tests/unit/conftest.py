"""Unit tests run tiny models: more than one thread costs more than it brings. A base model, facts and a recipe to train it with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import Example
from engrain.memory.bank.base import BaseModel
from tests.conftest import RECIPE

EXAMPLES = [
    Example("What is my dog called?", "Biscuit"),
    Example("Who is my dentist?", "Dr Okafor"),
    Example("Where does Ines live?", "in Porto"),
    Example("What is my locker code?", "4417"),
]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """For torch, in this process."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def base(tiny_folders: tuple[Path, Path]) -> BaseModel:
    return BaseModel.load(tiny_folders[0], "tiny", "0" * 64)


@pytest.fixture(params=[1.0, 0.5], ids=["whole", "written-out"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    """Of all layers, which trains through the model's own forward, and of the upper one, which is written out."""
    return replace(Recipe(**RECIPE), top=request.param, rank=16, alpha=32, learning_rate=2e-3, epochs=200, patience=3)
