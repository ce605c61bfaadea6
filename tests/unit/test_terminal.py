"""What a terminal shows beside what is printed."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from engrain.cli import shared
from tests.conftest import MakeSettings


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Everything that is written to a terminal's standard error."""
    written = io.StringIO()
    monkeypatch.setattr(shared, "errors", Console(file=written, force_terminal=True, width=80))
    return written


def test_nothing_moves_on_the_screen_while_somebody_types(screen: io.StringIO, tiny_settings: MakeSettings) -> None:
    with shared.memory_of(tiny_settings()) as memory:
        shared.ready(memory)
        memory.advance("fetching", 0.5)
        assert "fetching" in screen.getvalue()
        memory.advance("ready", 1.0)
        before = screen.getvalue()
        time.sleep(0.4)  # a bar is drawn ten times a second
        assert screen.getvalue() == before
        assert before.endswith("\x1b[?25h\r\x1b[1A\x1b[2K"), "the line is gone, the cursor is back"


def test_a_bar_may_follow_another(screen: io.StringIO, tiny_settings: MakeSettings) -> None:
    with shared.memory_of(tiny_settings()) as memory, shared.progress() as advance:
        memory.advance("fetching", 1.0)
        advance("training", 0.2)
        assert "training" in screen.getvalue()
    assert shared.Bar(quiet=True)("unseen", 0.5) is None
    assert "unseen" not in screen.getvalue()
