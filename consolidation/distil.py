"""Facts become probes: the questions and answers a module is trained on, gated by and routed with.

The self distiller needs nothing but the base model. Grammar gives cues; the model itself rewords them and writes further
questions, and each must survive a round trip: the question leads an embedder back to its own fact, and the model, asked it
with the fact in view, answers with words of the fact that the question did not hold (round-trip consistency: Alberti et
al., arXiv 1906.05416). Of grammar's questions those are left out that the model does not expect (`expected`), or whose answer is of another
kind (`asked_for`).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Protocol

import numpy as np

from engrain.consolidation.asked_for import asked_for
from engrain.consolidation.expected import as_expected, expected
from engrain.consolidation.question_words import named_kinds
from engrain.consolidation.unknowns import QUESTIONS
from engrain.memory import voice
from engrain.memory.akin import akin
from engrain.memory.answer_type import CALENDAR, AnswerType, answer_type, fits
from engrain.memory.bank.base import BaseModel
from engrain.memory.bank.prompt import READ, UNKNOWN, reading
from engrain.memory.cue import Cue
from engrain.memory.cues import cues, topics
from engrain.memory.embed import Embedder
from engrain.memory.evidence import fills
from engrain.memory.schema import ProbeKind
from engrain.memory.statements import content_words
from engrain.memory.strangers import strangers
from engrain.memory.wordings import other_words

_WRITE = """Note: I bought a red kayak from Tom for 300 dollars.
Answer: Tom
Question: Who did I buy my kayak from?

Note: My brother Luis is a nurse in Madrid.
Answer: a nurse
Question: What does my brother Luis do for a living?

Note: Anna's chemistry exam is on 9 May at noon.
Answer: 9 May at noon
Question: When is Anna's chemistry exam?

Note: I bought a red kayak from Tom for 300 dollars.
Answer: red
Question: Which colour is the kayak I bought?

Note: Paul moved to a flat in Gdansk in 2019.
Answer: Gdansk
Question: Which city did Paul move to?

"""
_REWORD = """Question: Where does my brother work?
In other words: Which place is my brother's job at?

Question: When is my exam?
In other words: What date do I have my exam on?

Question: What is my cat called?
In other words: Which name did I give to my cat?

Question: Who is my teacher?
In other words: Who gives me lessons?

Question: What do I cook?
In other words: Which dish do I make?

Question: Where does Anna study?
In other words: Which university does Anna go to?

"""
_STEMS = ("What", "Who", "When", "Where", "Which")
_TELLING = ("Who", "When", "Where")
"""Those that tell the kind of answer."""
_OTHER_STEMS = {
    "What": ("Which", "What", "How"),
    "Who": ("Who", "Which", "What"),
    "When": ("When", "What", "On what"),
    "Where": ("Where", "Which", "In what"),
}
"""How a question may begin when it is reworded, by how it began."""
_INDIRECT = ("Do you remember {}?", "Can you tell me {}?", "Tell me {}.", "I forgot {}.", "Do you know {}?", "Remind me {}.", "I'd like to know {}.")
_ABOUT = ("What do you know about {}?", "Tell me about {}.", "What did I say about {}?")
_PHRASINGS = 8
"""What a fact's phrasings are filled up to with further forms, where its grammar gives fewer."""
_OTHER_WORDS = 6
"""So many further ones of a fact are its cues in other words (`wordings`)."""
_RECITED = 12
"""A fact of more words is not learnt to be told whole: of what a module of long facts did not learn that was three quarters."""
_TRIED = 10
"""So many of these the base model is asked about."""
_DATE_WORD = re.compile(rf"\d|day\b|month|week|year|noon|morning|evening|{CALENDAR}", re.IGNORECASE)
_NO_UNIT = "is|are|was|were|will|has|had|and|or|of|to|for|at|in|on|from|we|my|our"
"""Words behind a number that do not belong to it."""
_WRITTEN = 2
"""Of so many parts of a fact the base model writes and rewords questions: most of what it writes is thrown away."""
_COVERED = 4
"""A fact with fewer questions than this, grammar's and the model's together, is gone over again with other words to ask for."""
_LEAST = 3
"""So many of a fact's cues are kept, the likeliest, however little the base model expects them."""
_NEAR = 0.40
"""Least cosine similarity of a written question with its fact."""
_ALIKE = 0.65
"""Least cosine similarity of a reworded question with what it rewords."""
_REWORDED = 4
"""At most so many reworded questions of a fact, those with the fewest words of the original first."""
_LEAST_UNKNOWN = 8
"""Unknown questions trained, however few the facts: with three, a module of four facts answered most of such questions; with twelve it
declined known ones too."""
_STRANGE = 10
"""Unknown questions that are never trained: enough for the gate to tell a module that can say no from one that cannot."""
_SAME = 0.6
"""Cosine similarity with a real probe above which an unknown question might have an answer, or teaches to decline one that has."""


@dataclass(frozen=True)
class Source:
    """What a distiller needs to know of a fact."""

    fact_id: int
    text: str
    asked: str
    speaker: str


@dataclass(frozen=True)
class Draft:
    """A probe before it is stored; `fact_id` is None for questions about things never said."""

    fact_id: int | None
    kind: ProbeKind
    question: str
    answer: str
    held_out: bool = False


@dataclass(frozen=True)
class _Asked:
    """A question about one of the sources, and the words of the source that are to answer it."""

    source: int
    question: str
    answer: str


class Distiller(Protocol):
    """Writes the probes of a module's facts."""

    def probes(self, sources: Sequence[Source], advance: Callable[[str, float], None]) -> list[Draft]:
        """The probes of all sources, and unknown ones; `advance` is told what is going on and how far it is (0–1)."""
        ...


class SelfDistiller:
    """Grammar and the base model itself; the same facts and seed give the same probes."""

    def __init__(
        self, base: BaseModel, embedder: Embedder, seed: int = 0, *, held_out: float = 0.15, unknown: float = 0.1, writes: bool = True
    ) -> None:
        self.base, self.embedder, self.seed = base, embedder, seed
        self.writes = writes
        """Whether the base model writes questions, and it and the embedder weigh those of the grammar; without, there are only these, at once."""
        self.held_out = held_out
        """Share of each fact's phrasings that is never trained."""
        self.unknown = unknown
        """Unknown probes trained, as a share of all trained ones; `_STRANGE` more are held out for the gate."""
        self.counts: Counter[str] = Counter()
        """How many questions the model has `written`, and how many `survived` the round trip."""

    def probes(self, sources: Sequence[Source], advance: Callable[[str, float], None] = lambda *_: None) -> list[Draft]:
        """See `Distiller`."""
        found: list[list[Cue]] = []
        for source in sources:
            advance("grammar", len(found) / len(sources))
            found.append(self._cues(source))
        written = []
        if self.writes:
            every = range(len(sources))
            written = self._reworded(sources, found, lambda done: advance("rewording", done / 2))
            written += self._written(sources, lambda i: _asked_for(sources[i], found[i]), lambda done: advance("questions", 0.5 + done / 2), every)
            missing = [i for i in every if sum(d.fact_id == sources[i].fact_id for d in written) + len(found[i]) < _COVERED]
            written += self._written(sources, lambda i: _spans(sources[i]), lambda done: advance("what is not covered yet", done), missing)
        taken = {cue.question.lower() for source in sources for cue in cues(source.asked)}
        drafts = [
            draft for source, its in zip(sources, found, strict=True)
            for draft in self._phrasings(source, its, [d for d in written if d.fact_id == source.fact_id], taken)
        ]  # fmt: skip
        drafts = self.hold_out(unambiguous(drafts))
        advance("unknowns", 1.0)
        return drafts + self.unknowns(sources, drafts)

    def _cues(self, source: Source) -> list[Cue]:
        """What grammar asks of a fact; where the models judge it, what has an answer of the kind and the base model expects."""
        found = cues(source.asked)
        if not self.writes:
            return found
        found = [found[i] for i in asked_for(self.embedder, [(cue.question, cue.answer) for cue in found])]
        asked = [(cue.question, voice.part(cue.answer, source.speaker)) for cue in found]
        return [found[i] for i in expected(self.base, source.asked, asked, _LEAST)]

    def _phrasings(self, source: Source, found: Sequence[Cue], written: list[Draft], taken: set[str]) -> list[Draft]:
        """Cues and what the model wrote, filled up to `_PHRASINGS` with further forms of the cues in a random order, and some of the cues
        in other words, but for what another fact's grammar asks (`taken`)."""
        rng = random.Random(f"{self.seed}:{source.asked}")
        drafts = [Draft(source.fact_id, _kind(cue), cue.question, voice.part(cue.answer, source.speaker)) for cue in found] + written
        further = [Draft(source.fact_id, ProbeKind.PARAPHRASE, form, answer) for form, answer in _forms(source, found, rng)]
        reworded = [
            (cue.question, other, voice.part(cue.answer, source.speaker))
            for cue in found if not cue.reversed for other in other_words(cue.question, sure=True)
            if other.lower() not in taken and akin(other, cue.question) and fits(other, cue.answer)
        ]  # fmt: skip
        wanted = max(_PHRASINGS - len(drafts), 3)
        reworded = rng.sample(reworded, min(len(reworded), _TRIED))
        sound: list[tuple[str, str, str]] = []
        while reworded and (missing := _OTHER_WORDS - len(sound)):
            some, reworded = reworded[:missing], reworded[missing:]
            sound += [some[i] for i in as_expected(self.base, source.asked, some)] if self.writes else some
        drafts += further[:wanted] + [Draft(source.fact_id, ProbeKind.PARAPHRASE, other, answer) for _, other, answer in sound]
        return list({draft.question.lower(): draft for draft in drafts}.values())

    def _reworded(self, sources: Sequence[Source], found: Sequence[Sequence[Cue]], advance: Callable[[float], None]) -> list[Draft]:
        """Cues in the base model's own words, those that survive the round trip."""
        asks = [
            (_Asked(index, cue.question, cue.answer), stem)
            for index, its in enumerate(found)
            for cue in its[:_WRITTEN]
            for stem in _OTHER_STEMS.get(cue.question.split(" ", 1)[0], ())
        ]
        done = _Count(2 * len(asks), advance)
        texts = self.base.complete(_REWORD, [f"Question: {ask.question}\nIn other words: {stem}" for ask, stem in asks], 16, enough="?", advance=done)
        rewords = {replace(ask, question=_question(stem, text)): ask.question for (ask, stem), text in zip(asks, texts, strict=True)}
        self.counts["written"] += len(rewords)
        fitting = [ask for ask in rewords if ask.question and ask.question != rewords[ask] and in_voice(sources[ask.source], ask.question)]
        near = self._leading_back(sources, fitting, 0.0)
        if not near:
            return []
        alike = (self.embedder([ask.question for ask in near]) * self.embedder([rewords[ask] for ask in near])).sum(1)
        near = [ask for ask, similarity in zip(near, alike, strict=True) if similarity >= _ALIKE]
        survivors = self._round_trip(sources, near, done)
        survivors.sort(key=lambda ask: len(set(voice.words(ask.question)) & set(voice.words(rewords[ask]))))
        return _drafts(sources, [ask for i in range(len(sources)) for ask in [s for s in survivors if s.source == i][:_REWORDED]])

    def _written(
        self, sources: Sequence[Source], spans: Callable[[int], list[str]], advance: Callable[[float], None], chosen: Sequence[int]
    ) -> list[Draft]:
        """Questions the base model writes about the spans of the chosen sources, those that survive the round trip."""
        asks = [
            (_Asked(index, "", span), stem) for index in chosen for span in spans(index) for stem in _STEMS if _may_ask(sources[index], stem, span)
        ]
        prompts = [f"Note: {sources[ask.source].asked}\nAnswer: {ask.answer}\nQuestion: {stem}" for ask, stem in asks]
        done = _Count(2 * len(prompts), advance)
        texts = self.base.complete(_WRITE, prompts, 18, enough="?", advance=done)
        written = [replace(ask, question=_question(stem, text)) for (ask, stem), text in zip(asks, texts, strict=True)]
        unique = list({(ask.source, ask.question): ask for ask in reversed(written)}.values())[::-1]
        self.counts["written"] += len(unique)
        fitting = [ask for ask in unique if ask.question and in_voice(sources[ask.source], ask.question)]
        return _drafts(sources, self._round_trip(sources, self._leading_back(sources, fitting, _NEAR), done))

    def _leading_back(self, sources: Sequence[Source], asks: list[_Asked], least: float) -> list[_Asked]:
        """The questions whose nearest fact is their own."""
        if not asks:
            return []
        similarity = self.embedder([ask.question for ask in asks]) @ self.embedder([s.asked for s in sources]).T
        return [ask for row, ask in zip(similarity, asks, strict=True) if row[ask.source] >= max(least, float(row.max()))]

    def _round_trip(self, sources: Sequence[Source], asks: list[_Asked], advance: Callable[[int], None]) -> list[_Asked]:
        """The questions that the model, with the fact in view, answers from it as they are meant; `advance` is told of others too."""
        every, asks = len(asks), [ask for ask in asks if _is_about(sources[ask.source], ask)]
        advance(every - len(asks))
        readings = [reading([sources[ask.source].asked], ask.question) for ask in asks]
        answers = self.base.complete(READ, readings, 14, advance=advance)
        survivors = [ask for ask, answer in zip(asks, answers, strict=True) if _survives(sources[ask.source], ask, answer)]
        self.counts["survived"] += len(survivors)
        return survivors

    def hold_out(self, drafts: list[Draft]) -> list[Draft]:
        """Mark a share of each fact's phrasings, never a fact's only ones, as held out."""
        rng = random.Random(f"{self.seed}:held out")
        out = list(drafts)
        for fact_id in dict.fromkeys(d.fact_id for d in drafts):
            mine = [i for i, d in enumerate(drafts) if d.fact_id == fact_id]
            eligible = [i for i in mine if drafts[i].kind is not ProbeKind.CUE] if len(mine) >= 4 else []
            for i in rng.sample(eligible, min(len(eligible), max(1, round(self.held_out * len(mine))))):
                out[i] = replace(out[i], held_out=True)
        return out

    def unknowns(self, sources: Sequence[Source], drafts: Sequence[Draft]) -> list[Draft]:
        """Questions near the facts, but not answered by them; the nearer half first."""
        trained = sum(not d.held_out for d in drafts)
        wanted = max(_LEAST_UNKNOWN, round(self.unknown * trained))
        speakers = list(dict.fromkeys(s.speaker for s in sources))
        questions = [q for speaker in speakers for q in (_for_speaker(q, speaker) for q in QUESTIONS)]
        usable = strange(self.embedder, questions, [d.question for d in drafts] + [s.asked for s in sources])
        rng = random.Random(f"{self.seed}:unknown")
        pool = usable[: 2 * wanted + _STRANGE]
        chosen = rng.sample(pool, min(len(pool), wanted + _STRANGE))
        wanted = max(0, min(wanted, len(chosen) - _STRANGE))  # what the gate asks comes first
        return [Draft(None, ProbeKind.UNKNOWN, questions[i], UNKNOWN, held_out=n >= wanted) for n, i in enumerate(chosen)]


def strange(embedder: Embedder, questions: Sequence[str], known: Sequence[str]) -> list[int]:
    """The places of the questions that nothing known is as near to as if it answered them, the nearest first."""
    if not questions or not known:
        return list(range(len(questions)))
    closest = (embedder(questions) @ embedder(known).T).max(1)
    return [int(i) for i in np.argsort(-closest) if closest[i] < _SAME]


class _Count:
    """Turns finished rows into a share of all."""

    def __init__(self, total: int, advance: Callable[[float], None]) -> None:
        self.total, self.done, self.advance = max(1, total), 0, advance

    def __call__(self, rows: int) -> None:
        self.done += rows
        self.advance(min(1.0, self.done / self.total))


def in_voice(source: Source, question: str) -> bool:
    """Whether a question speaks of its subject as the asker would: users say *my*, others are named."""
    said = set(voice.words(question))
    if said & {"you", "your", "yours"}:
        return False
    return source.speaker == voice.USER or not said & {"i", "my", "me", "we", "our"}


def _kind(cue: Cue) -> ProbeKind:
    return ProbeKind.REVERSED if cue.reversed else ProbeKind.CUE


def _drafts(sources: Sequence[Source], asks: Sequence[_Asked]) -> list[Draft]:
    return [Draft(sources[a.source].fact_id, ProbeKind.QUESTION, a.question, voice.part(a.answer, sources[a.source].speaker)) for a in asks]


def _asked_for(source: Source, found: Sequence[Cue]) -> list[str]:
    """What the cues of a fact ask for; the whole where its grammar is not understood."""
    return list(dict.fromkeys(c.answer for c in found if not c.reversed))[:_WRITTEN] or [source.asked.rstrip(".")]


def _spans(source: Source) -> list[str]:
    """Names, numbers and the last words of a fact, where its grammar gives too little."""
    text = source.asked.rstrip(".!? ")
    names = re.findall(rf"(?<=[a-z,] )[A-Z][\w'.]+(?: [A-Z][\w']+)*|\d[\d.,:]*(?: (?!(?:{_NO_UNIT})\b)[a-z]+)?", text)
    tail = " ".join(text.split()[-3:])
    return list(dict.fromkeys([*names, tail]))[:4]


def _forms(source: Source, found: Sequence[Cue], rng: random.Random) -> list[tuple[str, str]]:
    """Other ways to ask for a fact and their answers, a round of every kind at a time: subordinate, by topic, by type.

    By topic only once where there are others: it teaches to tell all of a fact, also to those who ask for a part of it; and of a fact of more than
    `_RECITED` words only where there is nothing else.
    """
    answers = {cue.question: voice.part(cue.answer, source.speaker) for cue in found}
    indirect = _spread([(form, cue) for form in rng.sample(_INDIRECT, len(_INDIRECT)) for cue in found if cue.indirect])
    abouts = [t for t in topics(source.asked)[:3] if t != source.speaker] or [" ".join(content_words(source.asked)[:4])]
    named = [(voice.capital(form.format(topic)), source.text) for form in rng.sample(_ABOUT, len(_ABOUT)) for topic in abouts]
    typed = [
        (f"{word}{cue.question.removeprefix(stem)}", answers[cue.question])
        for cue in found for stem in (cue.question.split(" ", 1)[0],) for word in named_kinds(stem, cue.answer)
    ]  # fmt: skip
    subordinate = [(form.format(cue.indirect), answers[cue.question]) for form, cue in indirect]
    if found and len(source.text.split()) > _RECITED:
        named = []
    elif subordinate:
        named = named[:1]
    rounds = zip_longest(subordinate, named, rng.sample(typed, len(typed)))
    return [form for round_ in rounds for form in round_ if form]


def _spread(pairs: list[tuple[str, Cue]]) -> list[tuple[str, Cue]]:
    """Each cue with another opening first, then the rest."""
    width = len({cue for _, cue in pairs})
    first = [pairs[(i * width + i) % len(pairs)] for i in range(width)]
    return list(dict.fromkeys([*first, *pairs]))


def _question(stem: str, text: str) -> str:
    head, mark, _ = text.partition("?")
    return f"{stem}{head}?" if mark and 2 <= len(head.split()) <= 14 else ""


def _survives(source: Source, ask: _Asked, answer: str) -> bool:
    """The answer adds words of the fact that the question did not hold, dated where the question is, and as it is meant."""
    given = set(content_words(answer.split(".")[0] if not answer.strip().startswith(("Dr", "Mr", "Ms")) else answer))
    asked = set(voice.words(ask.question))
    stem = ask.question.split(" ", 1)[0]
    if stem in _TELLING and (stem == "When") != bool(_DATE_WORD.search(answer)):
        return False
    meant = set(content_words(ask.answer)) - asked
    agrees = 2 * len(given & meant) >= max(1, min(len(given - asked), len(meant)))
    return bool(given - asked) and agrees and given <= set(voice.words(source.asked))


def _is_about(source: Source, ask: _Asked) -> bool:
    """Whether a question has a word of the fact, names nothing that it does not, and asks for the part that it is meant to ask for."""
    if not set(voice.words(ask.question)) & set(content_words(source.asked)):
        return False
    return _asks_for_it(source, ask) and not strangers(ask.question, [source])


def _asks_for_it(source: Source, ask: _Asked) -> bool:
    """Whether a question asks for the kind of answer that the fact's grammar sees in its part, and says it not: not *Who stole it?* of a place."""
    if set(content_words(ask.answer)) <= set(content_words(ask.question.replace("'s", ""))):
        return False
    return _of_its_kind(source, ask.question, ask.answer) and fills(ask.question, ask.answer, source)


def _of_its_kind(source: Source, question: str, answer: str) -> bool:
    """Whether an answer is of the kind that is asked for, as the fact's grammar has it and as its own words do."""
    meant, kind = content_words(answer), answer_type(question)
    kinds = {answer_type(cue.question) for cue in cues(source.asked) if content_words(cue.answer) == meant}
    names = {AnswerType.PERSON, AnswerType.THING}  # *Who is ...?*, *What is ... called?*
    if kind in kinds:
        return True
    return fits(question, answer) and (not kinds or bool(kind in names and kinds & names) or kind is AnswerType.COLOUR)


def _may_ask(source: Source, stem: str, span: str) -> bool:
    """Whether any question that begins so asks for such a part of the fact."""
    return stem not in _TELLING or _of_its_kind(source, f"{stem}?", span)


def unambiguous(drafts: list[Draft]) -> list[Draft]:
    """Without questions that two facts answer differently."""
    answers: dict[str, set[str]] = {}
    for draft in drafts:
        answers.setdefault(draft.question.lower(), set()).add(draft.answer)
    seen: set[str] = set()
    out = []
    for draft in drafts:
        key = draft.question.lower()
        if len(answers[key]) == 1 and key not in seen:
            seen.add(key)
            out.append(draft)
    return out


def _for_speaker(question: str, speaker: str) -> str:
    if speaker == voice.USER:
        return question
    question = re.sub(r"\b(?:am|do|have) I\b", lambda m: {"am": "is", "do": "does", "have": "has"}[m[0].split()[0]] + f" {speaker}", question)
    return voice.capital(voice.asked(question, speaker))
