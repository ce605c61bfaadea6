"""Clauses by a dependency parser: who does what, without what is said beside it.

People do not talk in main clauses. spaCy's small English pipeline (Honnibal et al., MIT) finds the predicates of a sentence and what
belongs to each; here every one becomes a plain clause of its own, its time last: *Next October I'm finally walking Hadrian's Wall with my old
flatmate Gwen* is *I am walking Hadrian's Wall with my old flatmate Gwen, next October*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engrain.memory.clauses import COPULA, MODAL, PREPOSITIONS, Clause, clause_of, is_time, main_clause
from engrain.memory.parser import parsed
from engrain.memory.phrases import end_of, is_aside, is_done_by, joined_words, phrase_of, without_relative, words_of
from engrain.memory.talk import plainly
from engrain.memory.voice import capital, is_adverb, lemma

_SUBJECTS, _AUXILIARIES = {"nsubj", "nsubjpass"}, {"aux", "auxpass"}
_RELATIVE = {"who", "which", "that"}
_SHORT = {"'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "ca": "can", "wo": "will"}
"""Verbs as they are cut off and cut short."""
_TIMES = {"when", "since", "before", "after", "until", "till"}
"""With these a clause begins that tells a time."""
_IF = {"if", "unless", "whether"}
"""With these what follows is not said to be so."""
_FIRST = {"last", "next", "this", "every", "each", "the", "one", "two", "three", "some", "all", "a"}
"""With these a time begins."""
_IDLE = {"again", "maybe", "perhaps", "anyway", "though", "instead", "soon", "ideally", "better", "so", "far", "up", "ever", "yet", "only"}
"""Adverbs that nothing asks for, beside those of `voice`."""
_ONE = re.compile(r"\b(?:out\0of|as\0well\0as)\b")
"""Words that do the work of one."""
_OF_SEVERAL = {"are", "were", "have"}
"""What one alone does not do, but for `_GROUPS`."""
_GROUPS = {"family", "team", "band", "staff", "couple", "police", "crew", "council", "club", "firm", "class", "choir", "group", "lot", "number"}
"""They *are*, though one."""
_HARDLY = {"hardly", "scarcely", "barely", "seldom", "rarely", "longer"}
_NOBODY = {"nobody", "nothing", "none", "neither"}
"""With these what is said is hardly so, and nothing that could be told as a fact."""


def clauses_in(text: str) -> list[Clause]:
    """The clauses of a text, in order; of a sentence without a predicate what its words alone tell (`clause_of`).

    >>> [clause.subject for clause in clauses_in("My passport runs out in March, so Ines worries. She travels a lot.")]
    ['My passport', 'Ines', 'She']
    """
    out: list[Clause] = []
    for sentence in parsed(plainly(text)).sents:
        found = [clause for predicate in sentence for clause in _clauses(predicate)]
        plain = clause_of(sentence.text.rstrip(".!? ")) if not found else None
        out += found or ([plain] if plain else [])
    return out


def _clauses(predicate: Any) -> Iterator[Clause]:
    """The clause of a predicate, once for each name of its subject, and what is said of the subject between commas."""
    if is_done_by(predicate):
        yield _done_by(predicate)
        return
    subject, finite = _subject(predicate), _finite(predicate)
    if subject is None and finite is not None:
        yield from _there_is(predicate)
    if subject is None or finite is None or _tells_when(predicate) or _is_supposed(predicate) or _is_of_another(predicate, subject, finite[0]):
        return
    verb, behind = finite
    rest = () if _is_hardly_so(predicate, subject) else _rest(predicate, subject, behind)
    if verb in {"don't", "doesn't", "didn't"} and rest:  # *never answers*
        rest = (lemma(rest[0]) or rest[0], *rest[1:])
    if predicate.dep_ == "relcl" and subject.text.lower() not in _RELATIVE:  # *the man I met in Rome*
        met = words_of(phrase_of(_all_that(predicate.head)))
        rest = (*met, *rest) if verb == predicate.text.lower() else (*rest[:1], *met, *rest[1:])
    times = tuple(_lowered(joined_words(words)) for words in _times(predicate))
    if verb in COPULA and not rest and times:
        rest, times = tuple(times[0].split()), times[1:]
    rest = tuple("have" if word == "'ve" else word for word in rest)  # *must've seen*
    if verb in {"have", "has"} and rest[:1] == ("got",):  # *I've got a cat*
        rest = rest[1:]
    if len(rest) == 1 and verb in MODAL and any(child.dep_ == "ccomp" for child in predicate.children):
        rest = ()  # *may indicate*, *has said* (*that it was so*)
    names = _names_of(subject, predicate)
    for name in names:
        yield Clause(capital(name), verb, rest, name in {"I", "We", "we"} or name.endswith(" and I"), times)
    yield from _asides(subject, names[0])
    for thing in (child for child in predicate.children if child.dep_ == "dobj"):
        yield from _asides(thing, joined_words(word for word in phrase_of(thing) if word.i <= thing.i))


def _asides(noun: Any, name: str) -> Iterator[Clause]:
    """What is said of a noun between commas: *our twins, Jonah and Bea,*."""
    several = noun.tag_ in {"NNS", "NNPS"}
    for apposed in (child for child in noun.children if is_aside(child)):
        called = ("called",) if several and apposed.pos_ == "PROPN" else ()
        yield Clause(
            capital(re.sub("^an? ", "the ", name)),
            "are" if several else "is",
            (*called, *words_of([word for word in phrase_of(apposed) if word.i < end_of(apposed)])),
            False,
        )


def _done_by(participle: Any) -> Clause:
    """*The jumper was knitted by Rosa in Galway* of *a jumper knitted by Rosa in Galway*."""
    noun = participle.head
    name = re.sub("^an? ", "the ", joined_words(phrase_of(noun)))
    rest = words_of([word for word in without_relative(participle) if word.i >= participle.i and word.text not in {".", "!", "?"}])
    return Clause(capital(name), "were" if noun.tag_ in {"NNS", "NNPS"} else "was", main_clause(rest), False)


def _there_is(predicate: Any) -> Iterator[Clause]:
    """*There are nine of us in the team*: *nine of us are in the team*."""
    thing = next((child for child in predicate.children if child.dep_ == "attr"), None)
    if thing is None or not _is_there(predicate):
        return
    inside = [word for word in phrase_of(thing) if word.lower_ not in _IDLE]
    stop = next((child.left_edge.i for child in thing.rights if child.dep_ != "prep" or child.lower_ != "of"), len(thing.doc))
    name = [word for word in inside if word.i < stop]
    end = predicate.right_edge.i + 1
    rest = words_of([word for word in thing.doc[name[-1].i + 1 : end] if word.text not in {".", "!", "?"}])
    yield Clause(
        capital(joined_words(name)), "are" if name[0].pos_ == "NUM" and name[0].lower_ not in {"1", "one"} else "is", main_clause(rest), False
    )


def _is_there(predicate: Any) -> bool:
    """*there are*"""
    return any(child.dep_ == "expl" for child in predicate.children)


def _tells_when(predicate: Any) -> bool:
    """Whether a clause tells the time of another: *when I was a kid*."""
    return predicate.dep_ == "advcl" and predicate.pos_ == "AUX" and any(child.lower_ in _TIMES for child in predicate.lefts)


def _is_supposed(predicate: Any) -> bool:
    """*if I lived in Rome*, *whether she comes*"""
    return any(child.dep_ == "mark" and child.lower_ in _IF for child in predicate.lefts)


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
    if own is None and predicate.dep_ == "conj" and predicate.head.pos_ in {"VERB", "AUX"} and not _is_there(predicate):
        return _subject(predicate.head)
    return own


def _names_of(subject: Any, predicate: Any) -> list[str]:
    """What the subject may be called: *the cat* and *Pickle* of *Pickle the cat*."""
    if subject.text.lower() in _RELATIVE and predicate.dep_ == "relcl":
        return [joined_words(phrase_of(_said_to_be(predicate.head)))]
    before = subject.doc[subject.left_edge.i - 1] if subject.left_edge.i else None
    if subject.text == "I" and before is not None and before.text == "and" and before.head.text[:1].isupper():
        return [subject.doc[before.head.left_edge.i : subject.i + 1].text]
    whole = joined_words(word for word in phrase_of(subject) if not (word.dep_ == "case" and word.head == subject))
    if before is not None and before.dep_ == "npadvmod" and before.pos_ == "NOUN" and before.head == predicate and subject.pos_ == "PROPN":
        return [subject.doc[before.left_edge.i : subject.i + 1].text]  # *My nephew Rory*
    return [before.text, whole] if before is not None and _names(before, predicate) else [whole]


def _is_of_another(predicate: Any, subject: Any, verb: str) -> bool:
    """Whether a relative clause belongs to another noun than the parser says: no Mingo, but *a chief of the Mingo, who were driven west*."""
    if predicate.dep_ != "relcl" or subject.text.lower() not in _RELATIVE or verb not in _OF_SEVERAL:
        return False
    noun = predicate.head
    alone = noun.tag_ in {"NN", "NNP"} and noun.lower_ not in _GROUPS and not any(child.dep_ == "conj" for child in noun.children)
    return bool(alone)


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
    if any(child.dep_ == "neg" and _is_beside(predicate, child) for child in predicate.children):
        if not auxiliaries and verb not in COPULA:  # *never eat*
            return {"VBD": "didn't", "VBZ": "doesn't"}.get(predicate.tag_, "don't"), predicate.i
        verb = {"can": "can't", "will": "won't", "am": "aren't"}.get(verb, f"{verb}n't")
    behind = first.i + 1 if not auxiliaries else min([one.i for one in auxiliaries[1:] if one.i > first.i] + [predicate.i])
    return verb, behind


def _is_beside(predicate: Any, denying: Any) -> bool:
    """Whether a *not* stands before a verb, or behind it with nothing but an adverb between: *is really not*."""
    return denying.i < predicate.i or all(word.pos_ == "ADV" for word in predicate.doc[predicate.i + 1 : denying.i])


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
    words = [word for word in without_relative(predicate) if word.i not in dropped and word.text not in {".", "!", "?"}]
    front = words_of([word for word in words if word.i < min(subject.left_edge.i, predicate.i) and word.text != ","])
    front = (front[0].lower(), *front[1:]) if front and front[0].lower() in PREPOSITIONS | _TIMES else ()
    beside = {word.i for child in predicate.children if child.dep_ == "prep" and child.i - 1 in commas for word in child.subtree}
    if predicate.pos_ == "AUX":  # *on the fifth floor, by the window*: the first will do
        beside = set()
    to = min(commas, default=len(subject.doc))
    after = words_of([word for word in words if behind <= word.i < to or word.i in beside])
    while after and after[-1] in {",", "and", "but", "or"}:
        after = after[:-1]
    return (*_ONE.sub(lambda words: words[0].replace("\0", " "), "\0".join(after)).split("\0"), *front) if after else front


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
            words = phrase_of(child)
            after = next((one for one in predicate.children if one.dep_ == "prep" and one.i == words[-1].i + 1), None)
            more = list(after.subtree) if after is not None and is_time(joined_words(after.subtree)) else []
            found.append([*words, *more])
    return found


def _is_idle(child: Any) -> bool:
    """Whether nothing asks for it: *finally*, *so far*."""
    if child.dep_ in {"neg", "cc", "intj", "mark"}:
        return True
    words = [word.text.lower() for word in child.subtree]
    return child.dep_ == "advmod" and all(is_adverb(word) or word in _IDLE for word in words)


def _is_break(word: Any) -> bool:
    """A comma or a dash; not the one in *921-818-8375*."""
    return word.text in {",", ";", "–"} or (word.text == "-" and bool(word.nbor(-1).whitespace_))
