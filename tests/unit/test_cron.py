"""Times of the daemon are those of crontab(5), by this machine's clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from engrain.consolidation.daemon import cron_trigger
from engrain.errors import SettingsError


@pytest.fixture
def in_los_angeles(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, int], list[str]]]:
    """What the next times of an expression are, from Monday, 30 November 2026 at noon."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()

    def next_times(expression: str, many: int) -> list[str]:
        trigger, at, found = cron_trigger(expression), datetime(2026, 11, 30, 12).astimezone(), list[str]()
        last = None
        for _ in range(many):
            last = trigger.get_next_fire_time(last, at)
            assert last
            at = last
            found.append(f"{last:%a %d %H:%M}")
        return found

    yield next_times
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("30 3 * * *", ["Tue 01 03:30", "Wed 02 03:30"]),
        ("30 3 * * 1-5", ["Tue 01 03:30", "Wed 02 03:30", "Thu 03 03:30", "Fri 04 03:30", "Mon 07 03:30"]),
        ("0 4 * * 0", ["Sun 06 04:00", "Sun 13 04:00"]),
        ("0 4 * * 7", ["Sun 06 04:00", "Sun 13 04:00"]),
        ("0 4 * * sat-1", ["Sat 05 04:00", "Sun 06 04:00", "Mon 07 04:00", "Sat 12 04:00"]),
        ("0 4 * * */3", ["Wed 02 04:00", "Sat 05 04:00", "Sun 06 04:00", "Wed 09 04:00"]),
        ("0 4 15 * 5", ["Fri 04 04:00", "Fri 11 04:00", "Tue 15 04:00", "Fri 18 04:00"]),
    ],
)
def test_times_are_those_of_crontab(in_los_angeles: Callable[[str, int], list[str]], expression: str, times: list[str]) -> None:
    assert in_los_angeles(expression, len(times)) == times


@pytest.mark.parametrize("expression", ["", "often", "* * * *", "61 * * * *", "0 4 * * 8", "0 4 * * mo", "0 4 * * 1-", "0 4 * * 1/0"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(SettingsError, match="is no cron expression"):
        cron_trigger(expression)
