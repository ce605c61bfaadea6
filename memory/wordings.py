"""Other words for the same question: what is asked for and of whom stays, the words for it change.

A small model knows an answer in the words in which it was taught. Everyday relations have many: who is afraid of something is scared by
it, who lives somewhere has a home there (frames and their lexical units, Fillmore; FrameNet, Baker et al. 1998). They stand here as a
table, so that a question can be taught, and asked, in words that a statement does not have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from engrain.memory.voice import capital

_FRAMES = """
What does S do for a living? | What is P job? | What is P profession? | What is P occupation? | What does S work as? | What kind of work does S do? | What line of work is S in? | How does S earn a living? | What is P trade? | What is P line of work?
Where does S work? | Who does S work for? | Who is P employer? | Which company does S work for? | What is P workplace? | Where is P job? | Who employs O? | Where is S employed?
Where does S live? | Where is P home? | Which city does S live in? | Which town does S live in? | What is P home town? | Where does S reside? | Where is P house? | In which place does S live? | Which country does S live in?
Where does S come from? | Where is S from? | What is P home town? | Where does S originally come from? | Which town does S come from? | Which country is S from? | Where are P roots?
How old is S? | What is P age? | How many years old is S?
When is P birthday? | When was S born? | What is P date of birth? | On what day was S born? | When does S turn a year older?
Where was S born? | What is P birthplace? | In which town was S born?
Where did S grow up? | Where did S spend P childhood? | Where was S raised? | What is P childhood home?
What is S afraid of? | What scares O? | What frightens O? | What does S fear? | What is S scared of? | What is P fear?
What is S allergic to? | What is P allergy? | What allergy does S have? | What must S not eat? | What does S have to avoid? | What can't S eat? | Which food makes O ill?
What does S like? | What does S love? | What does S enjoy? | What is S fond of? | What is S keen on? | What is S into? | What is S crazy about? | What does S adore?
What can't S stand? | What does S hate? | What does S dislike? | What annoys O? | What does S loathe? | What can S not bear? | What gets on P nerves?
What does S drive? | What car does S drive? | What is P car? | Which car does S have? | What kind of car does S own? | What make is P car? | What vehicle does S use?
What does S ride? | What bike does S have? | What does S travel on?
What does S play? | What instrument does S play? | What is P instrument? | Which instrument does S play?
What does S speak? | What language does S speak? | Which languages does S know? | What is P language?
What is S learning? | What does S learn? | What subject is S learning? | What is S being taught? | What is S taking lessons in?
What is S studying? | What does S study? | What is P subject? | What is P degree in? | What is P major? | Which subject is S reading at university?
What did S study? | What was P subject? | What is P degree in? | Which subject did S study? | What did S learn at university?
Where does S study? | Which university does S go to? | Which university does S attend? | What is P university? | Where is S a student? | Where does S go to university?
Where did S study? | Which university did S go to? | Where did S go to university? | What was P university?
Where does S go to school? | Which school does S go to? | Which school does S attend? | What is P school? | What school is S at?
What does S collect? | What is P collection? | What does S have a collection of? | What is P hobby?
What is P hobby? | What does S do in P free time? | How does S spend P free time? | What is P pastime? | What does S do for fun?
Who is S married to? | Who is P spouse? | Who is P husband? | Who is P wife? | Who did S marry? | Who is P partner?
When is S getting married? | When is P wedding? | When will S get married? | What day is P wedding? | When does S marry?
Where is S getting married? | Where is P wedding? | Where will S get married? | Where does S marry?
When is S due? | When is P baby due? | When will P baby be born? | When is S having a baby? | When is P baby coming?
What is S expecting? | What is S pregnant with?
Who is P landlord? | Who is P landlady? | Who does S rent from? | Who owns P flat? | Who does S pay rent to?
Who is P boss? | Who is P manager? | Who is P supervisor? | Who does S report to? | Who does S work under? | Who is in charge of O at work?
Who is P dentist? | Which dentist does S go to? | Who looks after P teeth? | Who takes care of P teeth?
Who is P doctor? | Who is P GP? | Which doctor does S see? | Who does S see when S is ill? | Which doctor does S go to?
Who is P vet? | Which vet does S go to? | Who treats P pets? | Who treats P animals?
Who is P hairdresser? | Who is P barber? | Who cuts P hair? | Who does P hair?
Who is P accountant? | Who does P taxes? | Who prepares P tax return? | Who handles P accounts?
Who is P cleaner? | Who cleans P house? | Who cleans for O?
Who is P babysitter? | Who looks after P children? | Who minds P children? | Who is P childminder?
Who is P pet sitter? | Who looks after P pets? | Who looks after P animals? | Who feeds P pets when S is away?
Who is P neighbour? | Who lives next door to O? | Who lives next door? | Who is S living next to?
Who is P flatmate? | Who is P roommate? | Who does S live with? | Who shares P flat? | Who does S share a flat with?
Who is P coach? | Who coaches O? | Who trains O?
Who is P N teacher? | Who teaches O N? | Who gives O N lessons? | Who does S learn N from?
Who is P teacher? | Who teaches O? | Who gives O lessons?
Who does S owe X to? | Who is S in debt to?
How much does S owe T? | What does S owe T? | What is P debt to T? | How much must S pay T back? | How much money must S give T?
How much does T owe O? | What does T owe O? | How much money will S get back from T? | How much must T pay O back?
How much does T cost? | What does T cost? | What is the price of T? | How much is T? | How much is paid for T? | What does S pay for T? | How expensive is T?
How much did T cost? | What did T cost? | What was the price of T? | How much was T? | How much did S pay for T? | What did S pay for T? | How expensive was T?
How much is P rent? | What is P rent? | How much rent does S pay? | What does S pay for rent? | What is the rent of P flat?
How much does S earn? | What does S earn? | What is P salary? | What is P wage? | How much is S paid? | How much money does S make?
How tall is S? | What is P height?
How heavy is S? | What does S weigh? | What is P weight? | How much does S weigh?
What size shoe does S wear? | What is P shoe size? | What size are P shoes? | How big are P feet?
Where does S keep T? | Where is T? | Where is T kept? | Where is T stored? | Where can S find T? | Where does S store T? | What does S keep T in?
Where did S put T? | Where is T? | Where did S leave T? | Where can S find T? | Where did T end up?
Where did S hide T? | Where is T hidden? | Where is T? | What is the hiding place of T?
Where did S lose T? | Where did T go missing? | Where was T lost? | Where did S last have T?
Who did S lend T to? | Who has T? | Who borrowed T? | Who did S give T to? | Who has S lent T to?
What did S lend T? | What did T borrow from O? | What did T borrow? | Which of P things does T have?
Who did S borrow T from? | Who lent O T? | Who does T belong to?
Who did S buy T from? | Who sold O T? | Who sold T to O? | Who did S get T from?
Where did S buy T? | Where did S get T? | Where does T come from? | In which shop did S buy T?
Who did S sell T to? | Who bought T? | Who has T now? | Who bought T from O?
Who gave O T? | Who did S get T from? | Who is T from? | Who is T a present from?
When did S buy T? | When did S get T? | Since when has S had T?
When was T built? | How old is T? | What year was T built? | When was T made?
Where did S meet X? | Where did S get to know X? | How did S get to know X? | How did S meet X? | Where does S know X from? | Where did X and I meet?
When did S meet X? | When did S get to know X? | Since when has S known X?
When did S move in? | Since when has S lived here? | When did S move?
When is T? | What day is T? | What time is T? | On what date is T? | When does T take place? | When does T start? | When does T happen? | What is the date of T?
Where is T? | Where does T take place? | What is the venue of T? | Where is T held? | In which place is T?
When does T expire? | When does T run out? | Until when is T valid? | When does S have to renew T? | When does T end?
When does T open? | What time does T open? | When does T start? | From when is T open?
When is T due? | What is the deadline for T? | By when must T be done? | When must S hand in T? | When does S have to finish T?
When does S fly to X? | When is P flight to X? | When does S leave for X? | When is S going to X? | When is S travelling to X?
When is S flying to X? | When is P flight to X? | When is S leaving for X? | When is S going to X? | When does S travel to X?
Where is S going? | Where is S travelling? | What is P destination? | Where is P trip to? | Where will S go?
Where did S go on holiday? | Where did S spend P holiday? | Where was P holiday? | What was P holiday destination?
What does S take? | What medicine does S take? | What medication is S on? | Which pills does S take? | Which supplement does S take?
What is S training for? | What is S preparing for? | What is S getting ready for?
What is S training to be? | What will S become? | What does S want to become? | Which job is S learning? | What is S training as?
What does S want to be? | What does S want to become? | What is P dream job?
What is S reading? | Which book is S reading? | What book is S in the middle of? | What is P current book?
What does S support? | Who does S support? | Which team does S support? | What is P team?
What is P favourite N? | Which N does S like best? | Which N does S prefer? | What N does S like most? | What is the N that S likes best?
What is the password of T? | What is the T password? | How does S get into T? | How does S log in to T?
What is P N code? | What number opens P N? | What is the code of P N? | What is the combination of P N? | How does S open P N?
What is the code of T? | What number opens T? | What is the combination of T? | How does S open T? | Which digits open T?
What is P phone number? | What is P telephone number? | How can S be reached by phone? | On which number can S be called?
What is the name of T? | What is T called? | What is T's name? | How is T called?
What did S name T? | What is T called? | What is the name of T? | What did S call T?
What colour is T? | What is the colour of T? | Which shade is T? | In which colour is T painted?
What colour did S paint T? | What colour is T? | Which shade is T? | What colour did T become?
What breed is T? | What kind of dog is T? | What is P dog's breed?
What did S break? | What got broken? | What did S damage? | What got damaged?
What did S win? | What was P prize? | Which prize did S get? | What was S awarded?
What did S plant? | What grows in P garden? | What did S put in the garden?
What did S get promoted to? | What was S promoted to? | What position does S hold? | What is P new position? | What is P role now?
What does S sing? | What voice does S sing? | What part does S sing?
How long has S worked at X? | Since when has S worked at X? | When did S start at X?
How often does S go to X? | How many times does S go to X? | When does S go to X?
How did S get X? | Where did S get X from?
What does S eat? | What food does S eat? | What is S fed with? | What is P food?
What does S drink? | What is P drink? | Which drink does S have?
What does S sleep on? | Where does S sleep? | What is P bed? | Where does S spend the night?
Who sponsors T? | Who pays for T? | Who funds T? | Who finances T?
Who runs T? | Who is in charge of T? | Who manages T? | Who leads T? | Who owns T?
Who wrote T? | Who is the author of T? | Who is T by?
Who painted T? | Who is the painter of T? | Who is T by?
Who built T? | Who made T? | Who constructed T?
Who repairs T? | Who fixes T? | Who mends T? | Who looks after T?
Where does S park? | Where is P parking space? | Where does S leave the car?
"""
"""A line holds questions with one answer. S is somebody as the subject, O as the object, P as the owner; T is something, N its kind, X the rest."""
_SYNONYMS = """
flat apartment | hall hallway corridor | boss manager supervisor | kid child | kids children | mum mother mom | dad father | bike bicycle | car vehicle | photo picture
film movie | doctor physician GP | physio physiotherapist | lawyer solicitor attorney | holiday vacation trip | shop store | autumn fall | sofa couch | phone mobile | fridge refrigerator
lesson class | course class | exam test | lecture talk | choir chorus | orchestra ensemble | rehearsal practice | concert performance | garden yard | cellar basement | attic loft
password passcode | code combination | wifi internet | laptop computer | suitcase luggage | bag rucksack backpack | trousers pants | jumper sweater | glasses spectacles | pub bar
landlady landlord | flatmate roommate housemate | colleague co-worker workmate | hairdresser barber | plane flight | dog hound | cat kitten | medicine medication pills | tablet pill
operation surgery | illness disease | salary pay wage | price cost fee | gift present | wedding marriage | baby newborn | grandma grandmother | grandpa grandfather | aunt auntie
husband spouse partner | wife spouse partner | book novel | magazine journal | song tune | team club side | match game | trainer coach | client customer | firm company employer
station stop | street road | town city | village hamlet | buy purchase | bought purchased | fix repair mend | start begin | end finish | hate dislike | adore love | collect gather
teach instruct | practise rehearse | cook prepare make | made built | hide conceal | lose misplace | break damage | broke damaged smashed | scared frightened afraid | big large
"""
"""Words that may stand for each other in a question."""
_NAME = r"[A-ZÀ-Þ][\w.-]*(?: [A-ZÀ-Þ][\w.-]*)*"
_DESCRIBED = r"(?:my|our|the|his|her|their|your) (?:[\w-]+(?:['’]s)? ){0,3}?[\w-]+"
_SLOTS = {
    "S": rf"(?:I|we|{_DESCRIBED}|{_NAME})", "O": rf"(?:me|us|{_DESCRIBED}|{_NAME})", "P": rf"(?:my|our|his|her|their|{_DESCRIBED}['’]s?|{_NAME}['’]s?)",
    "T": rf"(?:{_DESCRIBED}|{_NAME})(?: (?:of|at|in|on|for|to|from|with) [\w'’. -]+?)?", "N": r"[\w-]+(?: [\w-]+)?", "X": r"[\w'’.-]+(?: [\w'’.-]+){0,7}?",
}  # fmt: skip
_SEVERAL = re.compile(r"(?:my|our|his|her|their) (?:[\w-]+ )*[\w-]*[^s]s")
_UNFINISHED = re.compile(
    r"\b(?:(?!bed\b|shed\b|seed\b|feed\b|weed\b)\w+ed|over|up|out|off|in|at|to|on|for|with|from|taken|made|held|kept|sold|due|born|ready|open|closed|back|free|ill|available)$"
)
"""No thing, but one that something is done with."""
_SUBJECT = {"me": "I", "us": "we", "my": "I", "our": "we"}
_OBJECT, _OWNER = {"I": "me", "we": "us"}, {"I": "my", "we": "our"}
_PLURAL = {"does": "do", "is": "are", "has": "have", "was": "were"}
_SINGULAR = {plural: singular for singular, plural in _PLURAL.items()}
_VERBS = r"\b(do|does|is|are|am|has|have|was|were) "


@dataclass(frozen=True)
class _Template:
    """A question with slots."""

    text: str
    pattern: re.Pattern[str]


def other_words(question: str) -> list[str]:
    """The same question in other words, as far as the tables go; the first ones change the whole question, the last a word.

    >>> other_words("What scares my dog?")[0]
    'What is my dog afraid of?'
    >>> "Who is my landlady?" in other_words("Who do we rent from?") or other_words("Who do we rent from?")[1]
    'Who is our landlady?'
    """
    plain = _plain(question)
    found = [*_framed(plain), *_worded(question)]
    return [one for one in dict.fromkeys(found) if one.lower() not in (question.lower(), plain.lower())]


def _plain(question: str) -> str:
    """Without contractions, *which* as *what*."""
    text = re.sub(r"^(What|Who|Where|When|How)['’]s\b", r"\1 is", question.strip())
    return re.sub(r" (?:now|currently|nowadays|these days|at the moment|again|today)$", "", text.rstrip("?.! ")) + "?"


def _framed(question: str) -> list[str]:
    """What the frames give."""
    asked, plural = _singular(question)
    out = []
    for frame in _frames():
        for template in frame:
            match = template.pattern.fullmatch(asked)
            slots = _filled(match) if match else None
            if slots is not None:
                out += [_spoken(other.text, slots, plural) for other in frame if other is not template and _letters(other.text) <= set(slots)]
                break
    return out


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
    for at, word in enumerate(words[1:], 1):
        bare = re.match(r"[\w-]+", word)
        for other in _synonyms().get(bare[0].lower(), ()) if bare and bare[0].islower() else ():
            out.append(" ".join([*words[:at], other + word[bare.end() :], *words[at + 1 :]]))  # type: ignore[union-attr]
    return out


@lru_cache(maxsize=1)
def _frames() -> list[list[_Template]]:
    return [[_template(text.strip()) for text in line.split("|")] for line in _FRAMES.strip().splitlines()]


def _template(text: str) -> _Template:
    seen: dict[str, int] = {}

    def slot(match: re.Match[str]) -> str:
        letter = match[0]
        seen[letter] = seen.get(letter, 0) + 1
        return f"(?P<{letter}{seen[letter]}>{_SLOTS[letter]})"

    pattern = re.sub(r"\b[SOPTNX]\b", slot, re.escape(_singular(text)[0]).replace(r"\ ", " "))
    return _Template(text, re.compile(re.sub(r"^(?:What|Which)\b", "(?:What|Which)", pattern)))


def _letters(template: str) -> set[str]:
    return set(re.findall(r"\b[SOPTNX]\b", template))


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for line in _SYNONYMS.strip().splitlines():
        for group in line.split("|"):
            words = group.split()
            for word in words:
                found.setdefault(word, []).extend(w for w in words if w != word)
    return {word: tuple(dict.fromkeys(others)) for word, others in found.items()}
