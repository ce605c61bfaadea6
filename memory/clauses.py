"""A statement taken apart: subject, verb, object and prepositional phrases, clauses of time. Verb forms come from lemminflect."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engrain.memory.answer_type import CALENDAR, MONEY
from engrain.memory.voice import COMPANY, capital, inflect, is_adverb, lemma

COPULA = {"is", "are", "was", "were", "am"}
MODAL = {"can", "could", "will", "would", "should", "must", "may", "might", "has", "have", "had", "can't", "cannot", "won't", "couldn't"}
PREPOSITIONS = {
    "in", "on", "at", "to", "for", "with", "from", "about", "of", "as", "by", "near", "into", "after", "before",
    "since", "until", "during", "under", "out of", "above", "below", "beside", "beneath", "inside", "outside",
    "opposite", "along", "within", "onto", "over", "through", "around", "between", "every", "against", "behind", "towards",
}  # fmt: skip
_TIME_WORD = (
    rf"{CALENDAR}|noon|midnight|morning|afternoon|evening|night|week|weekend|month|year|summer|winter|spring|"
    r"autumn|days?|o'clock|am|pm|christmas|easter|\d{1,2}:\d\d|(?<![\d-])(?:19|20)\d\d(?![\d-]\d)"
)
_TIME = re.compile(rf"\b(?:{_TIME_WORD})s?\b", re.IGNORECASE)
_PERIOD = re.compile(
    r"\b(?:in|within|during|under|for|since|over) (?:an?|the|his|her|its|their) (?:[\w-]+ )?(?:decade|century|centuries|reign)\b"
    r"|\bat (?:various|different|other) times\b"
    r"|\b(?:in|since|until|before|after|around) 1[0-8]\d\d$"
)
_UNITS = r"(?:minute|hour|day|night|weekend|week|month|year|spring|summer|autumn|winter)s?"
_BARE_TIME = re.compile(
    rf"(?:^|(?P<before>.+?) )(?P<time>(?:(?:last|next|this|every|each)(?: other| second| first)? (?:{_TIME_WORD})s?"
    r"(?: (?:morning|afternoon|evening|night))?"
    rf"|(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d+|some|a few|a couple of) {_UNITS} (?:ago|from now)"
    r"|yesterday|today|tonight|tomorrow)(?: (?:at|in|on) .+)?)$",
    re.IGNORECASE,
)
"""A time that no preposition begins, at the end of a phrase."""
_ACTIVITY = re.compile(r"^(?P<object>(?:my|our|his|her|the|an?) .+?) (?P<doing>[a-z]{2,}ing)$")
"""*my left wrist skiing*: what was being done stands behind the object."""
NAMED_KIN = re.compile(r"^(?P<owner>My|Our|[A-ZÀ-Þ]\w+'s) (?P<noun>(?:[a-z]+ ){0,2}[a-z]+),? (?P<name>[A-ZÀ-Þ]\w+(?: [A-ZÀ-Þ]\w+)?),?$")
_WAYS = {"ferry", "train", "bus", "plane", "flight", "boat", "road", "way", "ship", "trip", "drive", "path", "entrance", "key", "door"}
"""*The ferry to Corsica* is one thing."""
_HERE = re.compile(r"(?<=\w) (?:there|here|too|again|together|as well)$")
DETERMINERS = {
    "a", "an", "the", "my", "our", "his", "her", "their", "some", "any", "every", "this", "that", "these", "those",
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
}  # fmt: skip
_SPLIT = re.compile(r"\d{1,3}(?:,\d{3})+|(?:Dr|Mr|Mrs|Ms|Prof|St)\.|[\w'’.:-]*[\w'’]|[,;–&-]")
_FRONTED = re.compile(
    r"(?P<front>(?:(?:In|On|At|During|After|Before|By|For)(?! (?:I|we|he|she|they|it)\b) (?:[\w'’]+ ){0,3}?[\w'’]+"
    r"|(?:Last|Next|This|Every) (?:week|month|year|spring|summer|autumn|fall|winter|morning|evening|night|weekend|\w+day)))"
    r",? (?P<rest>(?:I|we|my|our|the|he|she|they)\b.+)$"
)
_STRAIGHT = re.compile(
    r"\b(?:right|just|directly|straight|immediately) (?=(?:in|at|on|next|behind|opposite|under|above|by|across|after|before|outside)\b)"
    r"|,? (?:at the moment|at present|right now|these days|ages ago)(?=[.!?]|$)"
)
"""Words that nothing asks for."""
_NO_SUBJECT = {
    "it", "now", "really", "here", "here's", "there", "there's", "then", "gonna", "totally", "it's", "lately", "at", "during", "within", "after",
    "before", "until", "since", "when", "while", "if", "once", "although", "though", "despite", "because", "however", "nevertheless", "to", "in",
    "on", "for", "as", "by", "from", "with", "without", "unlike", "upon", "given", "based", "using", "how", "why", "whether", "whenever", "wherever",
    "others", "whoever",
}  # fmt: skip
"""Words that no subject begins with."""
_LOWERED = {
    "Its", "These", "Those", "Some", "Several", "Many", "Most", "Both", "All", "Any", "No", "Each", "Every", "Another", "Other", "Such", "One", "Two",
    "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten",
}  # fmt: skip
"""Words that have a capital only at the beginning of a sentence, or of a name: *Five Guys*."""


@dataclass(frozen=True)
class Clause:
    subject: str
    verb: str
    rest: tuple[str, ...]
    pronoun: bool
    times: tuple[str, ...] = ()
    """Times that no preposition begins, as far as they were told apart."""

    @property
    def asked_subject(self) -> str:
        """The subject inside a question, without an apposed name: `my sister Ines` is asked for as `my sister`."""
        kin = NAMED_KIN.match(self.subject)
        return lower_first(f"{kin['owner']} {kin['noun']}" if kin else self.subject)


def first_sentence(asked: str) -> str:
    """The first sentence, what stands before its subject moved behind: *In May I'm flying to Rome* is *I'm flying to Rome in May*."""
    sentence = re.split(r"(?<!Dr)(?<!Mr)(?<!Mrs)(?<!Ms)[.!?] (?=[A-ZÀ-Þ])", asked)[0].rstrip(".!? ")
    sentence = straight(sentence)
    fronted = _FRONTED.match(sentence)
    return f"{capital(fronted['rest'])} {fronted['front'][0].lower()}{fronted['front'][1:]}" if fronted else sentence


def straight(text: str) -> str:
    """Without words that nothing asks for: *right in front of our house*, *at the moment*."""
    return _STRAIGHT.sub("", text)


def clause_of(sentence: str) -> Clause | None:
    text = sentence.replace("’", "'")
    for short, full in (("I'm ", "I am "), ("We're ", "We are "), ("I've ", "I have "), ("We've ", "We have ")):
        if text.startswith(short):
            text = full + text[len(short) :]
    tokens = _SPLIT.findall(text)
    if len(tokens) < 3 or tokens[0].lower() in _NO_SUBJECT:
        return None
    pronoun = tokens[0] in {"I", "We"} or _with_me(tokens) > 0
    at = _verb_position(tokens, pronoun)
    if at is None:
        return None
    subject = tokens[: at - 1] if is_adverb(tokens[at - 1]) and at > 1 else tokens[:at]
    rest = tokens[at + 1 :]
    while rest and is_adverb(rest[0]):
        rest = rest[1:]
    if not rest or {",", "–", "&"} & set(subject[:-1]) or {"who", "which"} & set(subject):
        return None
    return Clause(joined(subject).rstrip(","), tokens[at].lower(), tuple(rest), pronoun)


def _verb_position(tokens: list[str], pronoun: bool) -> int | None:
    if together := _with_me(tokens):
        at = together
        while at < len(tokens) - 1 and is_adverb(tokens[at]):
            at += 1
        return at if lemma(tokens[at]) or tokens[at].lower() in MODAL | COPULA else None
    named = tokens[0][:1].isupper() and not tokens[0].endswith("'s") and tokens[0].lower() not in DETERMINERS
    if pronoun or tokens[0] == "They" or (named and finite(tokens[1])):
        at = 1
        while at < len(tokens) - 1 and is_adverb(tokens[at]):
            at += 1
        return at if lemma(tokens[at]) or tokens[at].lower() in MODAL else None
    for at, token in enumerate(tokens[1:9], 1):
        if token in COPULA | MODAL:  # not *May*
            return at
    start = 2 if tokens[0] in {"My", "Our", "The", "A", "An"} or tokens[0].endswith("'s") else 1
    for at in range(start, min(5, len(tokens) - 1)):  # *The twins learn Spanish*
        before = tokens[at - 1]
        plural = before.islower() and before.endswith("s") and not before.endswith(("ss", "'s")) and before not in {"us", "this", "his", "its"}
        if plural and tokens[at].islower() and lemma(tokens[at]) == tokens[at] and tokens[at] not in PREPOSITIONS:
            return at
    for at in range(start, min(9, len(tokens))):
        if finite(tokens[at]) or ("and" in tokens[:at] and tokens[at - 1][:1].isupper() and tokens[at].islower() and lemma(tokens[at]) == tokens[at]):
            return at
    return None


def _with_me(tokens: list[str]) -> int:
    """Where the verb is looked for after *my brother and I*; 0 where there is no such subject."""
    and_i = next((at for at in range(2, min(8, len(tokens) - 2)) if tokens[at] == "I" and tokens[at - 1] == "and"), 0)
    return and_i + 1 if and_i and COMPANY.fullmatch(joined(tokens[: and_i - 1])) else 0


def main_clause(rest: tuple[str, ...]) -> tuple[str, ...]:
    """Up to a comma, dash or a conjunction that opens another clause."""
    for at, token in enumerate(rest):
        if (at and (token in {",", ";", "–", "-"} or token.lower() in {"because", "which", "who", "who's", "while", "but"})) or _opens_time(rest, at):
            return rest[:at]
        if at and token.lower() == "and" and at + 1 < len(rest) and _opens_clause(rest, at):
            return rest[:at]
    return rest


def _opens_clause(rest: tuple[str, ...], at: int) -> bool:
    """Whether another clause begins behind an *and*; *maps* of *stamps, coins and maps* is no verb."""
    listed = any(one.endswith(",") for one in rest[:at])
    return rest[at + 1].lower() in {"i", "it", "he", "she"} or (finite(rest[at + 1]) and not listed)


def _opens_time(rest: tuple[str, ...], at: int) -> bool:
    """*when I was eleven*, *before we moved*: a clause that tells a time."""
    low, after = rest[at].lower(), rest[at + 1].lower() if at + 2 < len(rest) else ""
    return (low == "when" and bool(after)) or (low in {"since", "until", "after", "before"} and after in {"i", "we", "he", "she", "they", "it"})


def time_clause(rest: tuple[str, ...]) -> str:
    return next((joined(rest[at:]) for at in range(len(rest)) if _opens_time(rest, at)), "")


def phrases_of(rest: tuple[str, ...]) -> tuple[str, list[tuple[str, str]]]:
    """(object, [(preposition, its object)]); *of* and a preposition right after another stay inside."""
    groups: list[list[str]] = [[]]
    for at, token in enumerate(rest):
        low = token.lower()
        time_continues = len(groups) > 1 and is_time(joined(groups[-1])) and low in {"at", "in", "on", "of", "before", "after"}
        if (
            low in PREPOSITIONS
            and low != "of"
            and at + 1 < len(rest)
            and not time_continues
            and (at == 0 or rest[at - 1].lower() not in PREPOSITIONS)
            and not (at and low == "to" and rest[at - 1].lower() in _WAYS)
        ):
            groups.append([])
        groups[-1].append(token)
    obj, phrases = joined(groups[0]), list[tuple[str, str]]()
    obj, when = _timed(_HERE.sub("", obj))
    doing = _ACTIVITY.match(obj)
    if doing and when:
        obj = doing["object"]
    if when:
        phrases.append(("", when))
    for group in groups[1:]:
        inner, when = _timed(_HERE.sub("", joined(group[1:])))
        phrases += [(group[0].lower(), inner)] if inner else []
        phrases += [("", when)] if when else []
    return obj, phrases


def _timed(phrase: str) -> tuple[str, str]:
    """(what stands before a time that no preposition begins, that time): *Lisbon next spring* is in Lisbon and next spring."""
    found = _BARE_TIME.match(phrase)
    before = (found["before"] or "") if found else phrase
    if found is None or before.rsplit(" ", 1)[-1].lower() in PREPOSITIONS | DETERMINERS:  # "on the last Monday", "the 25th of every month"
        return phrase, ""
    return before, found["time"]


def first_phrase(rest: tuple[str, ...]) -> tuple[str, str]:
    """(what stands before, the rest from the first preposition on); ("", all) where no phrase follows a head."""
    for at, token in enumerate(rest):
        if token.lower() in PREPOSITIONS - {"of"} and at < len(rest) - 1:
            return joined(rest[:at]), joined(rest[at:])
    return "", joined(rest)


def is_time(phrase: str) -> bool:
    """Whether a phrase tells a time; *to nine hundred pounds a month* does not."""
    if MONEY.search(phrase):
        return False
    return bool(_TIME.search(phrase)) or bool(
        _PERIOD.search(phrase)
        or re.search(r"\b(?:on|by|until) the (?:first|second|third|\w+th|\d+(?:st|nd|rd|th))$", phrase)
        or re.search(r"\bat (?:(?!number\b)\w+ )?(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b", phrase)
    )


def is_participle(word: str) -> bool:
    """Whether a word is a past participle: *painted*, *taught*, *stolen*."""
    base = lemma(word) if word.islower() else None
    return base is not None and base != word and word == inflect(base, "VBN")


def finite(word: str) -> bool:
    low = word.lower()
    base = lemma(low)
    if word in COPULA | MODAL:
        return True
    return base is not None and low != base and not low.endswith("ing") and word.islower()


def lower_first(text: str) -> str:
    first, _, rest = text.partition(" ")
    if first in {"My", "Our", "The", "A", "An", "We", "He", "She", "They", "His", "Her", "Their", "This", "That"}:
        return text[0].lower() + text[1:]
    return text[0].lower() + text[1:] if first in _LOWERED and rest[:1].islower() else text


def joined(tokens: tuple[str, ...] | list[str]) -> str:
    return re.sub(r" ([,;])", r"\1", " ".join(tokens)).strip(" ,;–-")
