"""What a statement says in passing, as statements of its own: the first stage of Heilman & Smith, "Good Question!" (NAACL 2010)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engrain.memory.voice import KIN, TITLES, capital

_NAME = rf"(?:(?:{TITLES})\.? )?[A-ZÀ-Þ][\w'-]+(?: [A-ZÀ-Þ][\w'-]+)*"
_APPOSED = re.compile(rf"^(?P<who>(?:My|Our|The|[A-ZÀ-Þ]\w+'s) (?:[a-z-]+ ){{0,3}}?[a-z-]+), (?P<name>{_NAME}), (?P<rest>[a-z].+)$")
"""*My boss, Ingrid Solheim, comes from Stavanger.*"""
_RELATIVE = re.compile(rf"\b(?P<who>{_NAME}|(?:[Mm]y|[Oo]ur) (?:[a-z-]+ )?(?:{KIN})(?: [A-ZÀ-Þ][\w'-]+)?),? who(?P<rest> [a-z]+ .+|'s .+)$")
"""*... with a guy called Tobias who collects pens.*"""
_BESIDE = re.compile(
    rf"^(?P<who>(?:(?:My|Our) (?:[a-z-]+ )?[a-z-]+ )?{_NAME}|(?:My|Our) (?:[a-z-]+ )?[a-z-]+), (?:who|which)(?:'s)? [^,]+, (?P<main>[a-z].+)$"
)
"""*My friend Ann, who works at the zoo, has a parrot.*"""
_HAVING = re.compile(rf"^(?P<we>I|We) have (?:got )?an? (?P<who>(?:[a-z-]+ )?(?:{KIN})) who(?P<rest> [a-z]+ .+|'s .+)$")
"""*I have a neighbour who's a beekeeper.*"""
_ON_IT = re.compile(r"^(?P<thing>.+?) (?:has|have|had) (?P<what>.+) (?P<where>on|in|inside|under|behind) (?:it|them)$")
"""*My suitcase has a flamingo on it.*"""


def simpler(sentence: str) -> Iterator[str]:
    """Statements that a sentence holds beside its main one, or in its place where something is put in between commas.

    >>> list(simpler("My boss, Ingrid Solheim, comes from Stavanger"))
    ['My boss is Ingrid Solheim', 'My boss comes from Stavanger', 'Ingrid Solheim comes from Stavanger']
    """
    if apposed := _APPOSED.match(sentence):
        yield f"{apposed['who']} is {apposed['name']}"
        yield f"{apposed['who']} {apposed['rest']}"
        yield f"{apposed['name']} {apposed['rest']}"
    if beside := _BESIDE.match(sentence):
        yield f"{beside['who']} {beside['main']}"
    if relative := _RELATIVE.search(sentence):
        yield f"{capital(relative['who'])}{_said(relative['rest'])}"
    if having := _HAVING.match(sentence):
        yield f"{'My' if having['we'] == 'I' else 'Our'} {having['who']}{_said(having['rest'])}"
    if holding := _ON_IT.match(sentence):
        yield f"{capital(holding['what'])} is {holding['where']} {holding['thing'][0].lower()}{holding['thing'][1:]}"


def _said(rest: str) -> str:
    """What a relative clause says, behind the one that it is said of."""
    return re.sub("^'s ", " is ", rest).split(",")[0]
