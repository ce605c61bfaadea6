"""From messages to statements: what in a message is worth remembering, in whose voice, said when.

No model is needed here, so a fact can be read back the moment its message is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from engrain.memory import dates, voice

_END = re.compile(r"(?P<word>\S*?)[.!?]+[\"')]*(?=\s|$)|\n")
_ABBREVIATIONS = {"dr", "mr", "mrs", "ms", "st", "prof", "vs", "e.g", "i.e", "a.m", "p.m"}
_CLAUSE = re.compile(
    r"(?:,|;)?\s+(?:and|but|so|because)\s+(?=(?:I|I'm|I've|my|we|we're|our)\b)|;\s+|,\s+(?=(?:my|our)\s+\w+\s+(?:is|are|was)\b)", re.IGNORECASE
)
_NOBODY = {
    "it", "this", "that", "there", "here", "he", "she", "they", "what", "who", "which", "where", "when", "how", "why", "everything", "everyone",
    "everybody", "nothing", "nobody", "something", "someone", "somebody", "anything", "anyone", "one", "everywhere", "life", "love", "time", "work",
    "today", "tomorrow", "yesterday", "thanks", "sounds", "looks", "seems", "weather", "traffic", "music", "art", "nature", "money", "hope", "all",
}  # fmt: skip
"""Of whom or what nothing is worth remembering by itself."""
_MARKER = re.compile(
    r"^(?:(?:hi|hey|hello|oh|ok|okay|well|so|also|anyway|actually|btw|wow|yeah|yes|no|thanks|haha|lol|and|but|plus|honestly|sure|right)\b"
    r"(?:\s+(?:there|mel|again|so much))?|by the way|fyi|just so you know|one more thing|for your information|of course|in fact)\s*[,:!.–-]*\s+",
    re.IGNORECASE,
)
_REQUEST = re.compile(r"^(?:please\s+)?(?:remember|note|don't forget|keep in mind)(?:\s+that|\s*:)?\s+", re.IGNORECASE)
_PHOTO = re.compile(r"\[[^\]]*\]")
_REFERENCE = re.compile(r"\([^()]*(?:\bet al\b|\b(?:19|20)\d\d)[^()]*\)")
"""*(Brown et al., 2020; Tay, 2022)*: one thing, whatever stands in it."""
_NEAR = 60
"""Characters before a full stop that are looked at."""
_CITED = re.compile(r"\bet al\.$")
_NUMBERED, _NUMBER = re.compile(r"\b(?:[Ff]igs?|[Ee]qs?|[Ss]ecs?)\.$"), re.compile(r" \(?\d")
"""*Fig. 3*"""
_INITIAL = re.compile(r"(?:^|\s)[A-ZÀ-Þ][\w'-]* (?!I\.)[A-ZÀ-Þ]\.$")
_SURNAME = re.compile(r" (?!(?:I|It|He|She|We|They|My|Our|His|Her|The|This|That|There|Then|But|And|So|In|On|At|When|You)\b)[A-ZÀ-Þ][a-z]+\b")
"""*Harold L. Neal* is one name."""
_SMILE = re.compile(r"[:;=][-'^]?\)")
_GAP = re.compile(r" (?=[,.;:!?](?: |$))")
"""What a picture or a reference leaves that stood before a comma."""
_FIRST = {"i", "my", "we", "our", "i'm", "i've", "we're", "we've", "me", "mine", "us"}
_CONTINUES = {"he", "she", "it", "they", "his", "her", "its", "their", "that", "this", "these", "those", "it's", "he's", "she's", "they're", "that's"}
_COUNTED = re.compile(
    r"[£$€]?\d|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|ninety|half|both)\b",
    re.IGNORECASE,
)
_PLACED = re.compile(r"(?:in|at|on|by|from|with|behind|under|above|beside|near|opposite|inside|outside|until|since|after|before)\b", re.IGNORECASE)
_NAME_ALONE = re.compile(r"[A-ZÀ-Þ][\w'’-]*(?: [A-ZÀ-Þ][\w'’-]*){1,3}")
_VERBS = {
    "is", "are", "was", "were", "has", "have", "had", "will", "would", "can", "could", "should", "must", "do", "does", "did", "got", "went", "came",
}  # fmt: skip
_OF_KIN = {"can", "can't", "won't", "isn't", "wasn't", "doesn't", "hasn't", "got"}
"""What is said of a relation's person behind the word: *Dad can't have grapefruit.*"""
_FEELING = {"think", "guess", "hope", "wonder", "mean", "bet", "wish", "know", "agree", "appreciate", "see", "understand"}
_FILLER = {
    "a", "an", "the", "is", "are", "was", "were", "be", "been", "am", "to", "of", "in", "on", "at", "for", "and", "or", "so", "it",
    "that", "this", "really", "very", "much", "too", "just", "also", "with", "have", "has", "had", "do", "did", "will", "can", "would",
    "glad", "happy", "great", "good", "nice", "love", "like", "thing", "things", "lot", "some", "all", "sure", "not", "but", "you", "your",
}  # fmt: skip


_APART = 3
"""At most so many characters between two sentences that belong together."""
_SAID = 3
"""Words of a sentence that a fragment may belong to."""
_FEW = 14
"""Words of a fragment, at most, that begins with a place."""
_LONGEST = 150
"""Words of a sentence; what is longer is a list or a log."""


@dataclass(frozen=True)
class Statement:
    """One statement of one speaker."""

    text: str
    """As the memory tells it, with absolute dates: `Your dentist is Dr. Okafor.`"""
    asked: str
    """In the words its asker would use: `My dentist is Dr. Okafor.`"""
    speaker: str
    """`user`, or the speaker's name."""
    said_on: date
    start: int
    """Where in the message it begins, in characters."""
    end: int
    """Where in the message it ends, in characters."""


def statements(content: str, speaker: str, said_on: date, listener: str | None = None) -> list[Statement]:
    """What a message states and is worth remembering, in order; questions, thanks and chatter are left out."""
    found: list[Statement] = []
    left: tuple[int, int, str] | None = None
    """What was said last and is not worth remembering by itself."""
    for start, end, raw in _clauses(content):
        words, before, left = voice.words(raw), left, None
        if not words or raw.rstrip().endswith("?") or len(words) > _LONGEST:
            continue
        if _is_fragment(raw):
            if before and start - before[1] <= _APART and len(before[2].split()) >= _SAID:
                found.append(_statement(before[2], speaker, said_on, listener, *before[:2]))
            if found and start - found[-1].end <= _APART:
                found[-1] = _joined(found[-1], raw, end, said_on, listener)
                continue
        if words[0].split("'")[0].split("’")[0] in _CONTINUES and found and found[-1].end <= start:
            if len(words) >= 4 and start - found[-1].end <= _APART:
                found[-1] = _joined(found[-1], raw, end, said_on, listener)
            continue
        if _worth(raw, words):
            found.append(_statement(raw, speaker, said_on, listener, start, end))
        else:
            left = start, end, raw
    return found


def _is_fragment(raw: str) -> bool:
    """Whether a sentence without a verb tells more of the one before it: *Booked the boat! Five nights.*

    It is known by how it begins, with an amount or a place, by a number in few words, or by being a name alone.
    """
    plain = raw.rstrip(".!").replace("’", "'").lower()
    words, head = plain.split(), plain.split(", ")[0].split()
    if any(word in _FIRST or _is_verb(word) or "'" in word for word in head) or not re.match(r"[\w£$€]", plain):
        return False
    if _NAME_ALONE.fullmatch(raw.rstrip(".!")) or _COUNTED.match(raw):
        return True
    if len(words) > _FEW or any(map(_is_verb, words)):
        return False
    if _PLACED.match(raw):
        return not any(voice.third_person_of(word) for word in head[1:])
    return len(head) <= _SAID and bool(re.search(r"\d", " ".join(head)))


def _is_verb(word: str) -> bool:
    return word in _VERBS or voice.past_of(word)


def _statement(raw: str, speaker: str, said_on: date, listener: str | None, start: int, end: int) -> Statement:
    resolved = dates.resolve(_sentence(raw), said_on)
    return Statement(
        text=voice.told(resolved, speaker, listener),
        asked=voice.asked(resolved, speaker, listener),
        speaker=speaker,
        said_on=said_on,
        start=start,
        end=end,
    )


def _joined(first: Statement, raw: str, end: int, said_on: date, listener: str | None) -> Statement:
    """A sentence that begins with a pronoun belongs to the one before it."""
    more = dates.resolve(_sentence(raw), said_on)
    return Statement(
        text=f"{first.text} {voice.told(more, first.speaker, listener)}",
        asked=f"{first.asked} {voice.asked(more, first.speaker, listener)}",
        speaker=first.speaker,
        said_on=said_on,
        start=first.start,
        end=end,
    )


def _sentence(raw: str) -> str:
    text = _GAP.sub("", " ".join(raw.split())).rstrip(",;:-–").strip()
    if text.count("(") > text.count(")"):  # a remark of several sentences begins, or ends
        text = text.removeprefix("(")
    elif text.count(")") > text.count("(") and not _SMILE.search(text):
        text = re.sub(r"\)\.?$", "", text)
    text = voice.capital(text)
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _clauses(content: str) -> list[tuple[int, int, str]]:
    """(start, end, text) of every clause, without its discourse markers."""
    masked = _PHOTO.sub(lambda match: " " * len(match[0]), content)
    whole = _REFERENCE.sub(lambda match: "_" * len(match[0]), masked)
    out = []
    for start, end in _sentences(whole):
        sentence = masked[start:end]
        question = sentence.rstrip().endswith("?")
        cuts = _cuts(whole[start:end])
        for begin, stop in zip(cuts[::2], cuts[1::2], strict=True):
            text = sentence[begin:stop]
            if question and not text.rstrip().endswith("?"):
                text += "?"
            lead = _lead(text)
            if text[lead:].strip():
                out.append((start + begin + lead, start + stop, text[lead:].strip()))
    return out


def _cuts(sentence: str) -> list[int]:
    """Where each clause of a sentence begins and ends; *my brother and I* stay together."""
    cuts = [0]
    for joint in _CLAUSE.finditer(sentence):
        begun = sentence[cuts[-1] : joint.start()]
        if not voice.COMPANY.fullmatch(begun[_lead(begun) :].strip()):
            cuts += [joint.start(), joint.end()]
    return [*cuts, len(sentence)]


def _sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of every sentence; a full stop after an abbreviation ends none."""
    out, start = [], 0
    for match in _END.finditer(text):
        if (match["word"] or "").lower() not in _ABBREVIATIONS and not _goes_on(text, match.end()):
            out.append((start, match.end()))
            start = match.end()
    return [*out, (start, len(text))] if text[start:].strip() else out


def _goes_on(text: str, end: int) -> bool:
    """Whether a full stop ends no sentence because of what stands around it: *et al.*, *Fig. 3*, *Harold L. Neal*."""
    before = text[max(0, end - _NEAR) : end]
    named = _INITIAL.search(before) and _SURNAME.match(text, end)
    return bool(named or _CITED.search(before) or (_NUMBERED.search(before) and _NUMBER.match(text, end)))


def _lead(text: str) -> int:
    """How many characters of greeting, marker or request stand before the statement."""
    at = len(text) - len(text.lstrip())
    while True:
        rest = text[at:]
        match = _MARKER.match(rest) or _REQUEST.match(rest)
        if match is None or match.end() == 0:
            return at
        at += match.end()


def _worth(raw: str, words: list[str]) -> bool:
    """A statement worth keeping tells of the speaker, of something with a name or a number, or of a certain thing, in enough words."""
    content = [w for w in words if w not in _FILLER and w not in _FIRST]
    personal = any(w in _FIRST for w in words)
    specific = bool(re.search(r"\d|(?<=[a-z,] )[A-ZÀ-Þ][a-z]", raw))
    if words[0] in {"you", "you're", "your", "let's", "what", "how", "that's", "thanks", "congrats"}:
        return False
    if words[0] == "i" and len(words) > 1 and words[1] in _FEELING and not specific:
        return False
    if personal or specific:
        return len(words) >= 3 and len(content) >= (1 if personal else 2)
    return (len(content) >= 3 and (words[0] == "the" or voice.is_name(raw.split()[0]))) or _of_somebody(raw.split())


def _of_somebody(words: list[str]) -> bool:
    """*Nimbus is afraid of umbrellas*: a dictionary word may be a name where it stands alone before its verb."""
    if len(words) < 4 or not words[0][:1].isupper() or not words[0].isalpha() or words[0].lower() in _NOBODY:
        return False
    kin = re.fullmatch(voice.KIN, words[0].lower())
    at = 3 if words[1] == "the" and re.fullmatch(voice.ANIMALS, words[2]) else 1  # *Pickle the cat weighs*
    if at == len(words):
        return False
    return words[at] in {"is", "was", "has", "had"} or voice.third_person_of(words[at]) or bool(kin and words[at].replace("’", "'") in _OF_KIN)


def content_words(text: str) -> list[str]:
    """The words of a text that carry its meaning, in order, once each."""
    return [w for w in dict.fromkeys(voice.words(text)) if w not in _FILLER and w not in _FIRST]
