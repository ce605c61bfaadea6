"""Relative dates made absolute: *yesterday*, said on 8 May 2023, is 7 May 2023 for ever."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "couple of": 2, "a couple of": 2,
}  # fmt: skip
_DAYS = [name.lower() for name in calendar.day_name]
_NUMBER = "|".join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True))

_MONTHS = [name.lower() for name in calendar.month_name]
_PERIOD = re.compile(
    r"\b(?:(?P<around>week(?:end)? (?:of|before|after)) )?"
    rf"(?:(?:(?P<day>\d{{1,2}}) )?(?P<month>{'|'.join(_MONTHS[1:])}) )?(?P<year>(?:19|20)\d\d)\b",
    re.IGNORECASE,
)

_FIRST, _LAST = 1000, 9000
_FORMATS = ("%I:%M %p on %d %B, %Y", "%Y-%m-%d", "%d %B %Y", "%d %B, %Y", "%B %d, %Y", "%Y/%m/%d", "%d.%m.%Y")


def parse_date(text: str) -> datetime:
    """A point in time, in UTC, from ISO 8601 or one of the common written forms; this machine's time where it names no zone.

    Raises ValueError, naming the text, when no form fits or nobody can have said anything then.
    """
    moment = _read(text.strip())
    if moment is None:
        raise ValueError(f"{text!r} is no date; write it as 2026-11-23 or 2026-11-23T14:00")
    if not _FIRST <= moment.year <= _LAST:
        raise ValueError(f"{text!r} is not between the years {_FIRST} and {_LAST}")
    return moment.astimezone(UTC)


def _read(text: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    for form in _FORMATS:
        with suppress(ValueError):
            return datetime.strptime(text, form)
    return None


def written(day: date) -> str:
    """A date as people write it: 7 May 2023."""
    return f"{day.day} {day:%B %Y}"


def resolve(text: str, said_on: date) -> str:
    """The text with its relative dates replaced by absolute ones.

    >>> resolve("I went there yesterday.", date(2023, 5, 8))
    'I went there on 7 May 2023.'
    >>> resolve("It is due by tomorrow.", date(2023, 5, 8))
    'It is due by 9 May 2023.'
    """
    capital = text[:1].isupper()
    for pattern, absolute in _RULES:
        text = pattern.sub(lambda match, rule=absolute: _as_begun(match[0], rule(match, said_on)), text)  # type: ignore[misc]
    text = _WHOSE.sub("", _BEHIND.sub(r"\1 ", text))
    return text[:1].upper() + text[1:] if capital else text


def _as_begun(was: str, becomes: str) -> str:
    """With a capital where there was one: *Today I run* begins a sentence."""
    return becomes[:1].upper() + becomes[1:] if was[:1].isupper() else becomes


def period(text: str, said_on: date) -> tuple[date, date] | None:
    """The first and the last day of the first time that a text names, as far as it can be told.

    >>> period("What did I do last month?", date(2023, 5, 8))
    (datetime.date(2023, 4, 1), datetime.date(2023, 4, 30))
    """
    found = _PERIOD.search(resolve(text, said_on))
    if found is None:
        return None
    year = int(found["year"])
    if not found["month"]:
        return date(year, 1, 1), date(year, 12, 31)
    month = _MONTHS.index(found["month"].lower())
    last = calendar.monthrange(year, month)[1]
    if not found["day"]:
        return date(year, month, 1), date(year, month, last)
    day = date(year, month, min(last, max(1, int(found["day"]))))
    around = {"week of": (0, 6), "week before": (-7, -1), "week after": (1, 7), "weekend before": (-7, -1), "weekend after": (1, 7)}
    first, end = around.get((found["around"] or "").lower(), (0, 0))
    return day + timedelta(days=first), day + timedelta(days=end)


def _shift_months(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _ago(match: re.Match[str], day: date) -> str:
    raw = match["n"].lower()
    count = int(raw) if raw.isdigit() else _NUMBERS[raw]
    unit = match["unit"].lower()
    if unit == "day":
        return f"on {written(day - timedelta(days=count))}"
    if unit == "week":
        return f"in the week of {written(day - timedelta(weeks=count))}"
    if unit == "month":
        return f"in {_shift_months(day, -count):%B %Y}"
    return f"in {day.year - count}"


def _weekday(match: re.Match[str], day: date) -> str:
    wanted = _DAYS.index(match["day"].lower())
    if match["which"].lower() == "last":
        back = (day.weekday() - wanted) % 7 or 7
        return f"on {written(day - timedelta(days=back))}"
    ahead = (wanted - day.weekday()) % 7 or 7
    return f"on {written(day + timedelta(days=ahead))}"


def _fixed(rule: Callable[[date], str]) -> Callable[[re.Match[str], date], str]:
    return lambda _match, day: rule(day)


def _rule(pattern: str, rule: Callable[[re.Match[str], date], str]) -> tuple[re.Pattern[str], Callable[[re.Match[str], date], str]]:
    return re.compile(rf"{_ALONE}\b{pattern}\b", re.IGNORECASE), rule


_ALONE = r"(?<![\w.,-])(?<!\bthe )(?<!\bmy )(?<!\bour )(?<!\byour )(?<!\bhis )(?<!\btheir )(?<!\bor )"
"""*the last week*, *my last year of school*, *two or three years ago*: there it is no time of its own, or a part of one. A *Today* with a
capital inside a sentence is a name: *USA Today*."""
_COUNTED = "".join(rf"(?<!{ten} )" for ten in ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred"))
"""*thirty five years ago*"""
_RULES = [
    _rule(r"the day before yesterday", _fixed(lambda d: f"on {written(d - timedelta(days=2))}")),
    _rule(r"the day after tomorrow", _fixed(lambda d: f"on {written(d + timedelta(days=2))}")),
    _rule(r"(?:yesterday|last night)", _fixed(lambda d: f"on {written(d - timedelta(days=1))}")),
    _rule(r"(?:(?-i:today|TODAY|(?<![\w,] )Today)|tonight|this morning|this afternoon|this evening)", _fixed(lambda d: f"on {written(d)}")),
    _rule(r"tomorrow", _fixed(lambda d: f"on {written(d + timedelta(days=1))}")),
    _rule(r"last week", _fixed(lambda d: f"in the week before {written(d)}")),
    _rule(r"next week", _fixed(lambda d: f"in the week after {written(d)}")),
    _rule(r"last weekend", _fixed(lambda d: f"on the weekend before {written(d)}")),
    _rule(r"(?:this|next) weekend", _fixed(lambda d: f"on the weekend after {written(d)}")),
    _rule(r"last month", _fixed(lambda d: f"in {_shift_months(d, -1):%B %Y}")),
    _rule(r"(?<!is )this month", _fixed(lambda d: f"in {d:%B %Y}")),
    _rule(r"next month", _fixed(lambda d: f"in {_shift_months(d, 1):%B %Y}")),
    _rule(r"last year", _fixed(lambda d: f"in {d.year - 1}")),
    _rule(r"(?<!is )this year", _fixed(lambda d: f"in {d.year}")),
    _rule(r"next year", _fixed(lambda d: f"in {d.year + 1}")),
    _rule(rf"{_COUNTED}(?:about )?(?P<n>\d{{1,2}}|{_NUMBER}) (?P<unit>day|week|month|year)s? ago", _ago),
    _rule(rf"(?:on )?(?P<which>last|next|this coming) (?P<day>{'|'.join(_DAYS)})", _weekday),
]
_DATE = r"(?:\d{1,2} )?(?:[A-Z][a-z]+ )?\d{4}\b"
_BEHIND = re.compile(rf"\b(by|of|from|since|until|till|before|after|than) (?:on|in) (?={_DATE}|the week)", re.IGNORECASE)
_WHOSE = re.compile(rf"\b(?:[Oo]n|[Ii]n) (?={_DATE}['’]s\b)")
"""*by on 9 May, on 9 May's news*: there a date has no preposition of its own."""
