"""What a statement says in passing, as statements of its own: the first stage of Heilman & Smith, "Good Question!" (NAACL 2010)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engrain.memory.clauses import lower_first
from engrain.memory.voice import KIN, TITLES, capital

_NAME = rf"(?:(?:{TITLES})\.? )?[A-ZÀ-Þ][\w'-]+(?: [A-ZÀ-Þ][\w'-]+)*"
_APPOSED = re.compile(rf"^(?P<who>(?:My|Our|The|[A-ZÀ-Þ]\w+'s) (?:[a-z-]+ ){{0,3}}?[a-z-]+), (?P<name>{_NAME}), (?P<rest>[a-z].+)$")
"""*My boss, Ingrid Solheim, comes from Stavanger.*"""
_RELATIVE = re.compile(rf"\b(?P<who>{_NAME}|(?:[Mm]y|[Oo]ur) (?:[a-z-]+ )?(?:{KIN})(?: [A-ZÀ-Þ][\w'-]+)?),? who(?P<rest> [a-z]+ .+|'s .+)$")
"""*... with a guy called Tobias who collects pens.*"""
_OF_OTHERS = re.compile(r"(?!My |Our )[A-ZÀ-Þ].* (?:are|were|have) ")
"""*... a chief of the Mingo, who were driven west*, *Lena and Tom, who are late*: it is not said of the one name."""
_HAVING = re.compile(rf"^(?P<we>I|We) have (?:got )?an? (?P<who>(?:[a-z-]+ )?(?:{KIN})) who(?P<rest> [a-z]+ .+|'s .+)$")
"""*I have a neighbour who's a beekeeper.*"""
_ON_IT = re.compile(r"^(?P<thing>.+?) (?:has|have|had) (?P<what>.+) (?P<where>on|in|inside|under|behind) (?:it|them)$")
"""*My suitcase has a flamingo on it.*"""
_WHO_IS = re.compile(
    rf"^(?P<who>(?:The|My|Our) (?:[a-z-]+ ){{0,2}}?[a-z-]+) (?:who|that)(?P<rest> [a-z]+ .+?) (?:is|was)(?: called| named)? (?P<name>{_NAME})$"
)
"""*The guy who sells coffee at the station is called Demetrios.*"""
_AMONG = re.compile(
    rf"^(?P<before>(?P<we>I|We)\b.+?) (?:an?|my|our|the) (?P<who>(?:[a-z-]+ ){{0,2}}?(?:{KIN})), (?P<name>{_NAME})(?:,(?P<rest> .+)|$)"
)
"""*I'm seeing a dermatologist, Dr. Ferreira, on 12 August.*"""
_USED_TO_BE = re.compile(r"^(?P<who>.+?) used to be (?P<what>.+)$")


def simpler(sentence: str) -> Iterator[str]:
    """Statements that a sentence holds beside its main one, or in its place where something is put in between commas.

    >>> list(simpler("My boss, Ingrid Solheim, comes from Stavanger"))
    ['My boss is Ingrid Solheim', 'My boss comes from Stavanger', 'Ingrid Solheim comes from Stavanger']
    """
    if apposed := _APPOSED.match(sentence):
        yield f"{apposed['who']} is {apposed['name']}"
        yield f"{apposed['who']} {apposed['rest']}"
        yield f"{apposed['name']} {apposed['rest']}"
    if (relative := _RELATIVE.search(sentence)) and not _OF_OTHERS.match(f"{relative['who']}{relative['rest']}"):
        yield f"{capital(relative['who'])}{_said(relative['rest'])}"
    if having := _HAVING.match(sentence):
        yield f"{'My' if having['we'] == 'I' else 'Our'} {having['who']}{_said(having['rest'])}"
    if holding := _ON_IT.match(sentence):
        yield f"{capital(holding['what'])} is {holding['where']} {lower_first(holding['thing'])}"
    if who := _WHO_IS.match(sentence):
        yield f"{who['name']}{who['rest']}"
        yield f"{who['who']} is {who['name']}"
    if among := _AMONG.match(sentence):
        yield f"{among['before']} {among['name']}{among['rest'] or ''}"
        yield f"{'My' if among['we'] == 'I' else 'Our'} {among['who']} is {among['name']}"
    if used := _USED_TO_BE.match(sentence):
        yield f"{used['who']} was {used['what']}"


def _said(rest: str) -> str:
    """What a relative clause says, behind the one that it is said of."""
    return re.sub("^'s ", " is ", rest).split(",")[0]
