"""Question words that name the kind of answer: *On what day is my exam?* for *When is my exam?*"""

from __future__ import annotations

import re

_TYPED = {"Where": ("In which place", "Which place"), "Who": ("Which person",)}
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_TH = r"\d\d?(?:st|nd|rd|th)?"
_HOUR = r"(?:\d\d?(?::\d\d)?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_WHEN = {
    ("On what day", "What date"): rf"\b{_TH} (?:of )?{_MONTH}\b|\b{_MONTH},? {_TH}\b|^(?:on )?the {_TH}$",
    ("On what day",): r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b|\bDay$",
    ("In which month",): rf"^(?:in )?{_MONTH}(?: \d{{4}})?$",
    ("In which year",): r"^(?:in )?\d{4}$",
    ("At what time",): rf"^(?:at )?(?:noon|midnight|{_HOUR}(?: ?(?:am|pm|o'clock))?)$",
}
"""Instead of *When*, by how the answer reads; the first that fits."""


def named_kinds(stem: str, answer: str) -> tuple[str, ...]:
    """What may stand for a question word with this answer; nothing where the kind of answer is not seen.

    >>> named_kinds("When", "on Thursdays")
    ('On what day',)
    """
    if stem != "When":
        return _TYPED.get(stem, ())
    return next((words for words, kind in _WHEN.items() if re.search(kind, answer)), ())
