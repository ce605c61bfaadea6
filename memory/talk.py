"""How people talk, put as a small parser takes it better: *Oh, and got my results* is *I got my results*."""

from __future__ import annotations

import re

from engrain.memory.clauses import DETERMINERS, straight
from engrain.memory.voice import is_past, lemma

_GOING_ON = re.compile(r",? and (?P<who>he|she|it|they|his|her|its|their)(?= (?:[a-z]+ ){0,2}?(?:is|was|are|were|has|had)\b)")
"""*... and her office is*: where a small parser takes what follows for a part of what came before."""
_WORDS = r"(?i:so|oh|and|well|anyway|okay|ok|btw|by the way|also|yeah|yes|hey|honestly|actually|apparently|turns out)"
_LINKS = (
    r"(?:In (?:contrast|addition|fact|particular|general|short|summary|other words|turn)|As a (?:result|consequence)"
    r"|For (?:example|instance)|On the (?:other hand|contrary|one hand)|By contrast|To (?:this|that) end"
    r"|However|Moreover|Furthermore|Nevertheless|Nonetheless|Therefore|Thus|Hence|Consequently|Additionally|Remarkably|Notably|Specifically|Similarly"
    r"|Instead|Meanwhile|Indeed|Overall|First|Second|Third|Lastly)"
)
_OPENING = re.compile(rf"(?:^|(?<=[.!?] ))(?:{_WORDS}(?:, | (?=I\b|[a-z]))|{_LINKS}, )+(?P<next>\w)")
"""How somebody begins to talk, or goes on in writing."""
_LINKED = re.compile(r", (?:however|therefore|for example|for instance|in turn|in particular),")
"""The same inside a sentence."""
_BEHIND = "|".join([*sorted(DETERMINERS), "it", "him", "her", "us", "them", "back", "up", "off", "out", "to", "rid"])
_NO_SUBJECT = re.compile(rf"(?:^|(?<=[.!?] ))(?:(?:Just|Finally) )?(?P<verb>[A-Za-z]+) (?=(?:{_BEHIND})\b|[A-Z]|\d)")
"""*Got Monty on the scales*: who talks leaves out who it was."""
_BRACKETS = re.compile(r" \((?:[a-z][^()]*|[^()]* et al\.[^()]*)\)|(?<=[.,;)\"”]):\d+(?:[–-]\d+)?\b")
"""What is remarked in brackets, and references; it tears a sentence apart. A name or a number stays: *My sister (Ines)*."""
_SHORTEST = 3
"""A sentence has so many words."""


def plainly(text: str) -> str:
    """Without what nobody asks for, with the subject that was left out, a sentence for each thing that is said."""
    told = straight(_BRACKETS.sub("", text.replace("’", "'")))
    told = _LINKED.sub("", _OPENING.sub(lambda more: more["next"].upper(), told))
    told = _NO_SUBJECT.sub(lambda more: f"I {more[0][0].lower()}{more[0][1:]}" if _is_deed(more["verb"].lower()) else more[0], told)
    return _GOING_ON.sub(lambda more: f". {more['who'].capitalize()}" if _is_whole(told[: more.start()]) else more[0], told)


def _is_whole(before: str) -> bool:
    """Whether what stands before may be a sentence; *Beatriz* (*and her husband are ...*) is none."""
    return len(re.split(r"[.!?] ", before)[-1].split()) >= _SHORTEST


def _is_deed(verb: str) -> bool:
    base = lemma(verb)
    return base is not None and verb != base and is_past(verb, base)
