"""Denial: what somebody said is not so, or would be so if something else were; nobody may be told that it is."""

from __future__ import annotations

import re

from engrain.memory.spelling import stem
from engrain.memory.voice import words

_NOT = re.compile(r"\b(?:not|never)\b|n['’]t\b|\bno longer\b", re.IGNORECASE)
_NO = re.compile(r"\bno\b(?!\. )", re.IGNORECASE)
"""*no cats*, not *locker no. 9*; it denies nothing of the rest of its clause."""
_BUT_SO = re.compile(
    r"\bnot only\b|\b(?:until|till|before)\b|"
    r"\b(?:can|could)(?:['’]t|n['’]t|not| not) (?:wait|believe|help|be|stand|bear|abide)\b|\b(?:not|n['’]t) (?:forget|miss|mind|far|long|bad)\b",
    re.IGNORECASE,
)
"""With these something is so all the same: *can't wait for*, *not before May*."""
_LESS = re.compile(
    r"\b(?:left out|leave out|without|except|avoid\w*|hat(?:e|es|ed)|dislik\w+|miss(?:es|ing)?|lack\w*|ow(?:e|es|ed)|refus\w+|stop\w*|quit|"
    r"forb\w+|bann\w+|still (?:ha(?:s|ve|d)|need\w*))\b",
    re.IGNORECASE,
)
"""Questions with these ask for what is not so, too."""
_DENYING = {"not", "never", "no", "longer", "anymore", "any", "more", "do", "does", "did", "now", "still", "really", "actually"}
"""Words that a denial has more than what it denies."""
_IF = re.compile(r"\b(?:if|unless|whether)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;.!?:–](?=\s|$)|\s-\s|\b(?:but|although|though|because|so|and (?=(?:I|we|my|our|he|she|it|they)\b))\b", re.IGNORECASE)


def negates(text: str) -> bool:
    """Whether a statement has a word that turns it into its opposite, whatever it is said of."""
    return bool(_NOT.search(text) or _NO.search(text))


def denies(text: str) -> bool:
    """Whether something is said not to be so.

    >>> denies("I'm not allergic to cashews."), denies("I can't wait for Porto.")
    (True, False)
    """
    return bool(_NOT.search(text)) and not _BUT_SO.search(text)


def opposed(one: str, other: str) -> bool:
    """Whether the one statement denies what the other says, in the same words.

    >>> opposed("I don't live in Porto anymore.", "I live in Porto."), opposed("I don't like tea.", "I like green tea.")
    (True, False)
    """
    return negates(one) != negates(other) and affirmed(one) == affirmed(other)


def affirmed(text: str) -> list[str]:
    """The words of a statement, by their stems, without what denies it."""
    plain = re.sub(r"\bcan['’]t\b", "can", re.sub(r"\bwon['’]t\b", "will", text.lower()))
    plain = re.sub(r"['’]m\b", " am", re.sub(r"n['’]t\b", "", plain))
    return [stem(word) for word in words(plain) if word not in _DENYING]


def denied(question: str, part: str, said: str) -> bool:
    """Whether a part of what was said stands only where it is denied or supposed, and a question asks what is so.

    >>> denied("What is my code?", "4417", "My code is not 4417, it's 5521."), denied("What is my code?", "5521", "My code is not 4417, it's 5521.")
    (True, False)
    """
    wanted = {stem(word) for word in words(part)}
    holding = [clause for clause in _CLAUSE.split(said) if clause and wanted <= {stem(word) for word in words(clause)}]
    so, sure = not denies(question) and not _LESS.search(question), not _IF.search(question)
    return bool(wanted and holding) and all((so and denies(c)) or (sure and _IF.search(c) is not None) for c in holding)
