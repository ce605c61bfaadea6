"""Whether two questions may have one answer: *Who is Goran?* and *What business does Goran have?* may not.

A question asks for a part of what somebody said. What was the answer to another part is no answer to it, however near the words.
"""

from __future__ import annotations

import re

from engrain.memory.answer_type import NAMED, NUMBERED, PLACES, AnswerType, answer_type, timely
from engrain.memory.voice import KIN, TITLES

_BE = r"(?:['’]s| is| are| was| were)"
_AUXILIARY = r"(?:is|are|was|were|do|does|did|has|have|had|will|can|may|might|must|should|would|could)\b"
_AFTER_WHAT = rf"(?:which|what) (?:(?!(?:{_AUXILIARY}|my|our|the|his|her|their)\b)[\w'’-]+ ){{0,2}}?"
_ITS = rf"(?:what|which|who){_BE} (?:(?:my|our|the|that|his|her|their|[\w-]+['’]s?) )(?:(?!of\b|to\b|for\b|at\b|in\b|on\b|with\b)[\w'’-]+ ){{0,2}}?"
"""How questions begin that name at once what they ask for: *Which garage …, What is our new garage …*"""
_INSTITUTIONS = r"company|firm|organi[sz]ation|institution|school|college|university|bank|agency|trust|club|team|band|group|charity|garage|clinic"
_SOMEBODY = re.compile(
    rf"(?:{_AFTER_WHAT}|{_ITS})(?:{KIN}|{TITLES}|{_INSTITUTIONS}|\w+(?:er|or|ist|ian|mate|people)s?|\w*(?:men|women)|brand|saint|celebrity|guest|host|"
    r"patient|client|child|kid|baby|student|chef|cook|guide|god\w+|parent)s?\b(?!['’])",
    re.IGNORECASE,
)
_SITE = re.compile(
    rf"\b(?:{PLACES}|{_INSTITUTIONS}|venue|spot|site|destination|origin|home|whereabouts|way|route|hospital|hotel|restaurant|caf\w+|pub|bar|church|gym|office|"
    r"library|theatre|cinema|museum|farm|garden|shelter|market|bed|seat|desk|shelf|drawer|cupboard|hiding|stop|platform|hall|studio|centre|center|camp)s?\b"
    rf"|\b(?:in|on|at|from|under|behind|near) (?:which|what)\b"
)
_SOMEWHERE = re.compile(r"^(?:what|which)\b.* (?:in|at|to|from|on|near|through)\?$")
"""*What did I adopt him from?* may be asked with *where*."""
_DEED = re.compile(r"\b(?:what|which [\w-]+) (?:do|does|did) |\bwhat (?:is|are|was|were|am)\b.* \w+ing\b")
"""What somebody does something to: *What does Olivier eat?*"""
_DOES = re.compile(rf"(?:what|which) (?!{_AUXILIARY})[a-z]+(?:s|ed)\b(?! {_AUXILIARY})")
"""*What lives under our heap?* asks for whoever does something."""
_HANDED = re.compile(r"\b(?:lend|give|leave|send|keep|hand|entrust|lent|gave|left|sent|kept)\b")
_WHICH = re.compile(rf"\b(?:which|what) (?!{_AUXILIARY})[a-z]")
_PAID = re.compile(r"\b(?:costs?|charges?|pay|pays|paid|earns?|owes?|weighs?|spend|spent|worth|debt|bill|deposit|fine|loan)\b")
_THING = r"(?P<what>(?:(?:my|our|the|his|her|their) )?[\w'’.-]+(?: [\w'’.-]+){0,5}?)"
_NAMING = [
    re.compile(pattern) for pattern in (
        rf"who{_BE} {_THING}\?", rf"what{_BE} {_THING}(?:['’]s name| called| named)\?", rf"what{_BE} the name of {_THING}\?"
    )
]  # fmt: skip
"""*Who is Goran? What is our cat called?*"""
_BEFORE = r"(?:of|at|in|on|for|from|with|to)"
_AFTER_HEAD = r"(?:called|named|again|now|at|in|of|for|on|with|that|who|which|i|we|my|our|these)\b"
_MEASURES = {
    "many": r"how many|what number of", "long": r"how long|how much time", "old": r"how old|what age", "far": r"how far|distance",
    "size": r"how (?:tall|big|high|large|wide|deep|small)|size", "heavy": r"how heavy|weighs?|weight", "fast": r"how fast|speed",
    "often": r"how often", "mark": r"(?:what|which)\b.* (?:code|pin|combination|password|number(?! of))",
    "much": r"how much(?! time| do(?:es)? \w+ weigh)|costs?|price|fee|rent|salary|wages?|budget|earn|charge",
}  # fmt: skip


def akin(question: str, other: str) -> bool:
    """Whether two questions may have one answer, as far as words tell.

    >>> akin("What does Olivier eat?", "Where is Olivier?"), akin("Which garage keeps my tyres?", "Where are the tyres?")
    (False, True)
    >>> akin("Who treats our cat?", "What is our cat called?"), akin("How tall are the trees?", "How many trees are there?")
    (False, False)
    """
    asked, beside = question.lower(), other.lower()
    kinds = _kind(question), _kind(other)
    if AnswerType.WAY in kinds or _same_but_for_who(asked, beside):
        return True
    if _names_what_is_given(asked, beside) or (NAMED.search(asked) and _names_what_is_given(beside, asked)):
        return False
    if NAMED.search(asked) and beside.endswith(" do?"):
        return False
    if kinds[0] is kinds[1]:
        first, second = _measures(asked), _measures(beside)
        return not first or not second or bool(first & second)
    if AnswerType.THING not in kinds:
        return _across(dict(zip(kinds, (asked, beside), strict=True)))
    plain, counted, exact = (asked, beside, kinds[1]) if kinds[0] is AnswerType.THING else (beside, asked, kinds[0])
    if exact is AnswerType.TIME:
        return timely(plain)
    if exact is AnswerType.PLACE:
        return bool(_SOMEWHERE.search(plain)) or bool(_SITE.search(plain) and not NAMED.search(plain))
    if exact is AnswerType.PERSON:
        return bool(NAMED.search(plain) or _SOMEBODY.search(plain) or _DOES.match(plain))
    if exact is AnswerType.AMOUNT and _measures(counted) <= {"mark"} and "how" not in counted:  # a telephone number measures nothing
        return True
    if exact is AnswerType.AMOUNT and "mark" in _measures(plain):
        return False
    if exact is AnswerType.AMOUNT:
        return bool(NUMBERED.search(plain) or _PAID.search(plain)) or not (_WHICH.search(plain) or _DEED.search(plain))
    return True


def _same_but_for_who(asked: str, beside: str) -> bool:
    """*Who do I coach?* and *What do I coach?*: whether a word is somebody, grammar does not know."""
    first, second = (re.sub(r"^(?:who|whom|what) ", "", text) for text in (asked, beside))
    return first == second != asked and second != beside


def _across(asked: dict[AnswerType, str]) -> bool:
    """Whether questions of two exact kinds may have one answer."""
    kinds = set(asked)
    if kinds == {AnswerType.PLACE, AnswerType.AMOUNT}:  # a number may be where something is
        return True
    if kinds == {AnswerType.TIME, AnswerType.AMOUNT}:  # a year tells an age
        return bool(_measures(asked[AnswerType.AMOUNT]) & {"old", "long", "often"})
    return kinds == {AnswerType.PLACE, AnswerType.PERSON} and bool(_HANDED.search(asked[AnswerType.PERSON]))


def _measures(asked: str) -> set[str]:
    """What is measured, as far as words tell."""
    return {name for name, pattern in _MEASURES.items() if re.search(rf"\b(?:{pattern})\b", asked)}


def _kind(question: str) -> AnswerType:
    """What somebody is called is who they are."""
    kind = answer_type(question)
    somebody = kind is AnswerType.THING and re.fullmatch(KIN, noun_named(question.lower()))
    return AnswerType.PERSON if somebody else kind


def noun_named(naming: str) -> str:
    """The noun of what a question asks the name of: *cat*; empty where it asks for something else."""
    name = next((found for pattern in _NAMING if (found := pattern.fullmatch(naming))), None)
    if not name or re.search(rf" {_BEFORE}$", name["what"]):
        return ""
    return re.split(rf" {_BEFORE} ", name["what"])[0].split()[-1].removesuffix("'s")


def _names_what_is_given(asked: str, naming: str) -> bool:
    """Whether one question asks for the name of something that the other speaks of, and asks something else about."""
    head = re.escape(noun_named(naming))
    if not head or not re.search(rf"\b{head}\b", asked):
        return False
    asks_for_it = (
        rf"{_AFTER_WHAT}{head}\b(?!['’])|(?:{_ITS}|(?:what|which|who){_BE} ){head}(?! \w+ing\b| \w+ed\b)(?:,| {_AFTER_HEAD}|\W*$)"
        rf"|\b(?:who|what) (?:[\w'’-]+ ){{0,3}}?{head} (?:is|was|are|were)\b|\b{head}['’]s name|name of (?:[\w'’-]+ ){{0,4}}?{head}\b|\bcall(?:ed)?\b"
    )
    return not re.search(asks_for_it, asked)
