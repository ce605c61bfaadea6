"""Whose words are these? Statements turned from the speaker's voice into the memory's.

The memory speaks to its user: what the user said of themselves becomes *you* (`my dog` → `your dog`); what anybody
else said becomes the third person by name (`my dog` → `Caroline's dog`). Inflection comes from lemminflect.
"""

from __future__ import annotations

import re

from lemminflect import getAllLemmas, getInflection

USER = "user"
"""The speaker name that stands for the owner of the memory."""

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+|\s+|.")

_TO_SECOND = {
    "i": "you",
    "me": "you",
    "my": "your",
    "mine": "yours",
    "myself": "yourself",
    "we": "you",
    "us": "you",
    "our": "your",
    "ours": "yours",
    "ourselves": "yourselves",
    "i'm": "you are",
    "i've": "you have",
    "i'd": "you'd",
    "i'll": "you will",
    "we're": "you are",
    "we've": "you have",
    "we'd": "you'd",
    "we'll": "you will",
}
_COUNTRY = "US"
"""No pronoun."""
_CONTRACTED = {"i'm": "am", "i've": "have", "i'll": "will", "we're": "are", "we've": "have", "we'll": "will"}
_ADVERBS = {
    "just", "also", "really", "never", "always", "often", "still", "already", "only", "even", "usually", "sometimes",
    "now", "then", "last", "mostly", "kinda", "totally", "once", "currently", "actually", "ever", "so",
}  # fmt: skip
_UNINFLECTED = {
    "can", "could", "will", "would", "shall", "should", "may", "might", "must", "had", "did", "was", "used",
    "put", "set", "cut", "hit", "let", "quit", "hurt", "spread", "read", "cost", "wanna", "gonna", "gotta",
}  # fmt: skip


KIN = (
    "sister|brother|mother|father|mom|mum|dad|son|daughter|wife|husband|partner|boyfriend|girlfriend|cousin|aunt|uncle|niece|nephew|"
    "friend|boss|manager|dentist|doctor|teacher|landlord|landlady|neighbour|neighbor|colleague|coach|therapist|tutor|supervisor|"
    "grandmother|grandfather|grandma|grandpa|grandad|granddad|gran|granny|nan|auntie|physio|vet|mechanic|lawyer|accountant|roommate|flatmate|mentor|fiancé|fiancée|"
    r"\w+(?:ologist|therapist|trician|dresser|sitter|keeper|trainer|instructor)|plumber|builder|barber|gardener|cleaner|nanny|nurse|surgeon|"
    r"guy|man|woman|girl|boy|lady|person"
)
"""Words for a person, as a pattern: kin, friends, trades."""
TITLES = "Dr|Mr|Mrs|Ms|Miss|Madame|Prof"
"""What may stand before a name, as a pattern."""
_NAME = r"[A-ZÀ-Þ][\w'-]+(?: [A-ZÀ-Þ][\w'-]+)?"
_SOMEBODY = rf"(?:(?:[Mm]y|[Oo]ur|[Tt]he) (?:(?:[a-z]+ )?(?:{KIN})|[a-z]+)(?: {_NAME})?|{_NAME})"
COMPANY = re.compile(rf"{_SOMEBODY}(?:, {_SOMEBODY})*")
"""Those who come before *and I* in one subject: *my brother and I*, *Sunniva and I*; not *it rained and I*."""


def words(text: str) -> list[str]:
    """The words of a text, lower case, without punctuation."""
    return [w.lower() for w in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+", text)]


def is_adverb(word: str) -> bool:
    """Whether a word may stand between a subject and its verb."""
    low = word.lower()
    return low in _ADVERBS or (low.endswith("ly") and low not in {"family", "fly", "july", "italy", "reply", "apply"})


ANIMALS = "dog|puppy|cat|kitten|rabbit|hamster|tortoise|parrot|horse|pony"


def is_name(word: str) -> bool:
    """Whether a capitalised word names somebody or something: no dictionary word, or a possessive.

    >>> is_name("Yusra"), is_name("Grandma's"), is_name("Sounds")
    (True, True, False)
    """
    plain = word.strip(",.;:!").replace("’", "'")
    return plain[:1].isupper() and plain.replace("'", "").isalpha() and (plain.endswith("'s") or not getAllLemmas(plain.lower()))


def lemma(word: str) -> str | None:
    """The verb's base form, or None where the word is no verb."""
    found = getAllLemmas(word.lower())
    verb = found.get("VERB") or found.get("AUX")
    return str(verb[0]) if verb else None


def inflect(base: str, tag: str) -> str:
    """A verb's form for a Penn tag (`VBZ`, `VBD`); the base itself where none is known."""
    forms = getInflection(base, tag)
    return str(forms[0]) if forms else base


def is_past(verb: str, base: str) -> bool:
    """Whether a verb is in its past tense: *bought*, *burnt*, *burned*."""
    return verb in getInflection(base, "VBD")


def third_person_of(word: str) -> bool:
    """Whether a word is a verb's form after a name: *sleeps*, not *sleep*, *blue* or *slept*."""
    base = lemma(word) if word.islower() else None
    return base is not None and word != base and word == inflect(base, "VBZ")


def past_of(word: str) -> bool:
    """Whether a word is a verb's past form: *slept*, not *sleep* or *sleeps*; of some it may be something else, too (*left*)."""
    base = lemma(word) if word.islower() else None
    return base is not None and word != base and is_past(word, base)


def third_person(verb: str) -> str:
    """The form a verb takes after a name: *love* → *loves*, *am* → *is*; past forms and modals stay."""
    low = verb.lower()
    fixed = {"am": "is", "are": "is", "were": "was", "have": "has", "do": "does", "don't": "doesn't", "haven't": "hasn't"}
    if low in fixed:
        return fixed[low]
    if low in _UNINFLECTED or lemma(low) != low:
        return verb
    return inflect(low, "VBZ")


def told(text: str, speaker: str, listener: str | None = None) -> str:
    """A statement as the memory tells it.

    >>> told("I drive my sister's car.", "user")
    "You drive your sister's car."
    >>> told("I love my job.", "Gina")
    "Gina loves Gina's job."
    """
    return _second(text) if speaker == USER else _third(text, speaker, listener)


def part(said: str, speaker: str) -> str:
    """A part of a statement as the memory answers with it: in its own voice, and a bare name or date instead of *in Porto*, *on 14 March*.

    >>> part("in Porto", "user")
    'Porto'
    """
    return told(re.sub(r"^(?:in|on|at|to) (?=[A-Z0-9])", "", said.strip(" .,;")), speaker)


def asked(text: str, speaker: str, listener: str | None = None) -> str:
    """A statement in the words its asker would use: the user's own, or the third person by name."""
    return text if speaker == USER else _third(text, speaker, listener)


def _second(text: str) -> str:
    out: list[str] = []
    after_i = False
    pieces = WORD.findall(text)
    for at, piece in enumerate(pieces):
        low = piece.lower().replace("’", "'")
        new = None if _is_nobody(pieces, at) else _TO_SECOND.get(low)
        if new is not None:
            out.append(new)
        elif (low in {"am", "was"} and after_i) or _is_am_i(pieces, at):
            out.append({"am": "are", "was": "were"}[low])
        else:
            out.append(piece)
        if not piece.isspace():
            after_i = low in {"i", "we"} or (after_i and is_adverb(piece))
    return capital("".join(out))


def _third(text: str, speaker: str, listener: str | None) -> str:
    names = {"me": speaker, "my": f"{speaker}'s", "mine": f"{speaker}'s", "myself": speaker, "us": speaker}
    names |= {"our": f"{speaker}'s", "ours": f"{speaker}'s", "ourselves": speaker}
    if listener:
        names |= {"you": listener, "your": f"{listener}'s", "yours": f"{listener}'s", "yourself": listener}
        names |= {"you're": f"{listener} is", "you've": f"{listener} has", "you'll": f"{listener} will"}
        names["you'd"] = f"{listener} would"
    out: list[str] = []
    awaits_verb = False
    pieces = WORD.findall(text)
    for at, piece in enumerate(pieces):
        low = piece.lower().replace("’", "'")
        if _is_nobody(pieces, at):
            out.append(piece)
        elif _is_am_i(pieces, at):
            out.append("is")
        elif low in {"i", "we"}:
            out.append(speaker)
            awaits_verb = True
        elif low in _CONTRACTED:
            out.append(f"{speaker} {third_person(_CONTRACTED[low])}")
        elif low in {"i'd", "we'd"}:
            out.append(f"{speaker} {'had' if _is_done(pieces, at) else 'would'}")
        elif low in names:
            out.append(names[low])
            awaits_verb = False
        elif awaits_verb and piece[0].isalpha() and not is_adverb(piece):
            out.append(third_person(piece))
            awaits_verb = False
        else:
            awaits_verb = awaits_verb and (piece.isspace() or is_adverb(piece) or piece.lower() == "and")
            out.append(piece)
    return capital("".join(out))


def _is_am_i(pieces: list[str], at: int) -> bool:
    """Whether the verb stands before its subject: *as late as am I*."""
    return pieces[at].lower() == "am" and pieces[at + 2 : at + 3] == ["I"]


def _is_done(pieces: list[str], at: int) -> bool:
    """Whether a participle comes next: *I'd been*, *I'd better*, not *I'd go*."""
    after = next((piece for piece in pieces[at + 1 :] if not piece.isspace() and not is_adverb(piece)), "").lower()
    base = lemma(after)
    return after == "better" or (base is not None and after != base and after in getInflection(base, "VBN"))


def _is_nobody(pieces: list[str], at: int) -> bool:
    """Whether a word is no pronoun: *US*, or *My* in *All My Children*."""
    if pieces[at] not in {"My", "Our"} or at < 2:
        return pieces[at] == _COUNTRY
    return pieces[at - 1] == " " and pieces[at - 2].istitle() and "".join(pieces[at + 2 : at + 3]).istitle()


def capital(text: str) -> str:
    """The text with its first letter upper case."""
    return text[:1].upper() + text[1:]
