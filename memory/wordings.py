"""Other words for the same question: what is asked for and of whom stays, the words for it change.

A small model knows an answer in the words in which it was taught. Everyday relations have many: who is afraid of something is scared by
it, who lives somewhere has a home there (frames and their lexical units; FrameNet, Baker et al., COLING 1998). `frames.txt` holds them, a
block of questions with one answer each: S is somebody as the subject, O as the object, P as the owner; T is something, N its kind, X the
rest. What begins with ~ may ask for something else, too. `synonyms.txt` has words that may stand for each other in a question, a group a line;
behind *to* a verb, and what may stand for it in whatever form it has there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files

from lemminflect import getAllLemmas

from engrain.memory.clauses import DETERMINERS, PREPOSITIONS
from engrain.memory.voice import capital, inflect, lemma

_NAME = r"[A-ZÀ-Þ][\w.-]*(?: [A-ZÀ-Þ][\w.-]*)*"
_DESCRIBED = r"(?:my|our|the|his|her|their|your) (?:[\w-]+(?:['’]s)? ){0,3}?[\w-]+"
_SLOTS = {
    "S": rf"(?:I|we|{_DESCRIBED}|{_NAME})",
    "O": rf"(?:me|us|{_DESCRIBED}|{_NAME})",
    "P": rf"(?:my|our|his|her|their|{_DESCRIBED}['’]s?|{_NAME}['’]s?)",
    "T": rf"(?:{_DESCRIBED}|{_NAME})(?: (?:of|at|in|on|for|to|from|with) [\w'’. -]+?)?",
    "N": r"[\w-]+(?: [\w-]+)?",
    "X": r"[\w'’.-]+(?: [\w'’.-]+){0,7}?",
}
_SEVERAL = re.compile(r"(?:my|our|his|her|their) (?:[\w-]+ )*[\w-]*[^s]s")
_UNFINISHED = re.compile(
    r"\b(?:(?!bed\b|shed\b|seed\b|feed\b|weed\b)\w+ed|over|up|out|off|in|at|to|on|for|with|from|"
    r"taken|made|held|kept|sold|due|born|ready|open|closed|back|free|ill|available)$"
)
"""No thing, but one that something is done with."""
_SUBJECT = {"me": "I", "us": "we", "my": "I", "our": "we"}
_OBJECT, _OWNER = {"I": "me", "we": "us"}, {"I": "my", "we": "our"}
_PLURAL = {"does": "do", "is": "are", "has": "have", "was": "were"}
_SINGULAR = {plural: singular for singular, plural in _PLURAL.items()}
_BEFORE_NOUNS = DETERMINERS | PREPOSITIONS | {"our", "my"}
_AUXILIARIES = {"do", "does", "did", "is", "are", "am", "was", "were", "has", "have", "had", "will", "would", "can", "could", "should", "must", "be"}
_BEING = {"is", "are", "am", "was", "were", "be", "been", "being"}
_BEGINNING = {"that", "who", "which", "when", "where", "while", "i", "we", "he", "she", "they", "it"}
_VERBS = r"\b(do|does|is|are|am|has|have|was|were) "


@dataclass(frozen=True)
class _Template:
    """A question with slots."""

    text: str
    shape: str
    """The regular expression of what it matches."""
    words: str
    """The longest of what stands between its slots."""
    letters: frozenset[str]
    """Of its slots."""
    general: bool
    """Whether it may ask for something else, too."""

    def match(self, question: str) -> re.Match[str] | None:
        """What of a question stands in its slots; five hundred expressions are not compiled before they may match."""
        return self._pattern.fullmatch(question) if self.words in question else None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.shape)


def other_words(question: str, sure: bool = False) -> list[str]:
    """The same question in other words, as far as the tables go; the first ones change the whole question, the last a word.

    With `sure` a question that may ask for several things has none: *Where is my drill?* is not who borrowed it.

    >>> other_words("What scares my dog?")[0]
    'What is my dog afraid of?'
    """
    plain = _plain(question)
    found = [*_framed(plain, sure), *_worded(plain)]
    return [one for one in dict.fromkeys(found) if one.lower() not in (question.lower(), plain.lower())]


def _plain(question: str) -> str:
    """Without contractions, *which* as *what*."""
    text = re.sub(r"^(What|Who|Where|When|How)['’]s\b", r"\1 is", question.strip())
    return re.sub(r" (?:now|currently|nowadays|these days|at the moment|again|today)$", "", text.rstrip("?.! ")) + "?"


def _framed(question: str, sure: bool) -> list[str]:
    """What the frames give."""
    asked, plural = _singular(question)
    out = []
    for frame in _frames():
        for template in frame:
            match = None if sure and template.general else template.match(asked)
            slots = _filled(match) if match else None
            if slots is not None:
                others = [other for other in frame if other is not template and other.letters <= set(slots) and _keeps(template, other, slots)]
                out += [_spoken(other.text, slots, plural) for other in others]
                break
    return out


def _keeps(asked: _Template, other: _Template, slots: dict[str, str]) -> bool:
    """Whether another template speaks of all that the one asked speaks of; of the asker it need not."""
    persons = set("SOP")
    somebody = slots.get("S") not in (None, "I", "we") and bool(asked.letters & persons)
    return asked.letters - persons <= other.letters and (not somebody or bool(other.letters & persons))


def _filled(match: re.Match[str]) -> dict[str, str] | None:
    """What stands in the slots; None where two of them are about different people."""
    slots: dict[str, str] = {}
    for name, said in match.groupdict().items():
        if said is None:
            continue
        letter = name[0]
        if letter in "SOP":
            who = _SUBJECT.get(said, re.sub(r"['’]s?$", "", said) if letter == "P" else said)
            if slots.setdefault("who", who) != who:
                return None
        elif letter == "T" and _UNFINISHED.search(said):
            return None
        else:
            slots[letter] = said
    owned = re.match(r"(my|our) ", slots.get("T", ""))
    if owned:
        slots.setdefault("who", _SUBJECT[owned[1]])
    if "who" in slots:
        who = slots.pop("who")
        slots |= {
            "S": who,
            "O": _OBJECT.get(who, who),
            "P": _OWNER.get(who, f"{who}'" if re.search(r"[a-z]s$", who) and who[0].islower() else f"{who}'s"),
        }
    return slots


def _spoken(template: str, slots: dict[str, str], plural: bool) -> str:
    text = re.sub(r"\b([SOPTNX])\b(?!')|\b(T)(?='s)", lambda m: slots[m[1] or m[2]], template)
    who = slots.get("S", "")
    for name in filter(None, (who, slots.get("T", ""))):
        if name in ("I", "we") or plural or _SEVERAL.fullmatch(name):
            text = re.sub(rf"{_VERBS}(?={re.escape(name)}\b(?!['’]))", lambda m: _PLURAL.get(m[1], m[1]) + " ", text)
    text = re.sub(r"\b(?:are|is) I\b", "am I", text)
    text = re.sub(r"\bwere I\b", "was I", text)
    return capital(text)


def _singular(question: str) -> tuple[str, bool]:
    """(the question with the verb forms of the tables, whether somebody else than *I* or *we* had a plural)."""
    plural = bool(re.search(r"\b(?:do|are|have|were) (?!I\b|we\b|you\b)", question))
    text = re.sub(r"\bam I\b", "is I", question)
    return re.sub(
        r"\b(do|are|have|were) (?=(?:I|we|my|our|the|his|her|their|your|[A-ZÀ-Þ][\w-]*)\b)", lambda m: f"{_SINGULAR[m[1]]} ", text, count=1
    ), plural


def _worded(question: str) -> list[str]:
    """What the synonyms give, one word changed at a time."""
    words, out = question.split(" "), []
    for at in range(1, len(words)):
        is_done = _is_done(words, at)
        if words[at].lower() in _AUXILIARIES or (is_done and words[at].startswith("called")):  # what is called something is not phoned
            continue
        for length in (3, 2, 1):
            some = " ".join(words[at : at + length])
            bare = re.match(r"[\w'-]+(?: [\w'-]+)*", some)
            others = _instead(bare[0], words[at - 1], is_done) if bare and bare[0].islower() and len(bare[0].split()) == length else ()
            out += [" ".join([*words[:at], other + some[bare.end() :], *words[at + length :]]) for other in others if bare]
            if others:
                break
    return out


def _is_done(words: Sequence[str], at: int) -> bool:
    """Whether a participle may stand there: *is* or *been* stands before it, and no other clause or subject begins between them."""
    before = (word.lower() for word in reversed(words[:at]))
    return next((word in _BEING for word in before if word in _BEING | _BEGINNING), False)


def _instead(word: str, before: str, is_done: bool) -> list[str]:
    """What may stand for a word, or for a verb with its particle, in the form that it has; `before` stands before it.

    With `is_done` a form that may be the past or the participle is the participle: *When was the course started?*
    """
    first, _, particle = word.partition(" ")
    base = lemma(first)
    if first == "to" and particle:
        return [f"to {other}" for other in _synonyms().get(word, ())]
    if base is None or before.lower() in _BEFORE_NOUNS or before.endswith("'s") or (" " not in word and _describes(before)):
        return list(_synonyms().get(word, ()))
    past = ("VBN", "VBD") if is_done else ("VBD", "VBN")
    tag = next((tag for tag in ("VB", "VBG", *past, "VBZ") if inflect(base, tag) == first), "")
    others = _synonyms().get(f"to {base} {particle}".strip(), ()) if tag else ()
    return [" ".join([inflect(one, tag), *rest]) for one, *rest in (other.split(" ") for other in others)]


def _describes(word: str) -> bool:
    """*little*, *spare*: what stands before a noun."""
    return word.islower() and "ADJ" in getAllLemmas(word) and lemma(word) is None


@lru_cache(maxsize=1)
def _frames() -> list[list[_Template]]:
    return [[_template(text) for text in block.splitlines()] for block in _table("frames").strip().split("\n\n")]


def _table(name: str) -> str:
    return (files(__package__) / f"{name}.txt").read_text(encoding="utf-8")


def _template(line: str) -> _Template:
    text = line.removeprefix("~ ")
    seen: dict[str, int] = {}

    def slot(match: re.Match[str]) -> str:
        letter = match[0]
        seen[letter] = seen.get(letter, 0) + 1
        return f"(?P<{letter}{seen[letter]}>{_SLOTS[letter]})"

    singular = _singular(text)[0]
    words = max(re.split(r"\b[SOPTNX]\b", re.sub(r"^(?:What|Which)\b", "", singular)), key=len)
    shape = re.sub(r"\b[SOPTNX]\b", slot, re.escape(singular).replace(r"\ ", " "))
    return _Template(text, re.sub(r"^(?:What|Which)\b", "(?:What|Which)", shape), words, frozenset(seen), text != line)


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for line in _table("synonyms").splitlines():
        to, words = ("to ", line[3:]) if line.startswith("to ") else ("", line)
        word, *others = words.split(", ")
        found.setdefault(to + word, []).extend(others)
        for other in others if not to else ():
            found.setdefault(other, []).extend(w for w in (word, *others) if w != other)
    return {word: tuple(dict.fromkeys(others)) for word, others in found.items()}
