"""What people mean, found by rules: a message, and what the answer before it showed, become one wish."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gateway.offline.when import DUE, ENDS, due_at_end, pattern, words_of

LONGEST_REQUEST: Final = 500  # what is longer can only be things to add
SEARCH_WORDS: Final = 12
SEARCH_WORD_LENGTH: Final = 60


class Outcome(Enum):
    """What can become of a task; each value asks which of several it is."""

    DONE = "Which one did you finish?"
    CANCELLED = "Which one shall I cancel?"
    OPEN = "Which one shall I reopen?"


class Topic(Enum):
    """What is answered without looking at any task."""

    HELLO = "hello"
    THANKS = "thanks"
    HELP = "help"
    WHAT_TO_ADD = "what to add"
    WHICH_TASK = "which task"
    KEPT = "kept"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A task as it was said; `whole` is its title if the due words turn out to be no date."""

    title: str
    due: str
    priority: str
    whole: str


@dataclass(frozen=True, slots=True)
class Add:
    """Add these tasks."""

    tasks: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True)
class Find:
    """Show the tasks that match a filter; `about` completes "two tasks are"."""

    filter: str
    about: str


@dataclass(frozen=True, slots=True)
class Show:
    """Show exactly these tasks."""

    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """Finish, cancel or reopen these tasks or, if none is named, the one that the words find."""

    outcome: Outcome
    refs: tuple[str, ...]
    words: str = ""


Wish = Add | Find | Show | Close | Topic


@dataclass(frozen=True, slots=True)
class Listed:
    """A task that the answer before showed, and the words of its line."""

    ref: str
    text: str


def understand(text: str, before: Sequence[Listed] = (), asked: Outcome | None = None) -> Wish:
    """What `text` wishes for, after an answer that showed the tasks `before` and perhaps asked to choose among them."""
    text = _TAGGED.sub(r"\1", text)
    said = _without_courtesy(text)
    if len(said) > LONGEST_REQUEST:
        return _added(text, _ADD) or _added(text, _INTENT) or Topic.UNKNOWN
    if asked and _DISMISSAL.fullmatch(said):
        return Topic.KEPT
    if asked and (refs := _chosen(said, before)):
        return Close(asked, refs)
    if topic := next((topic for topic, form in _TALK if form.fullmatch(said)), None):
        return topic
    wish: Wish | None = _added(text, _ADD) or _shown(said) or _listed(_WONDERING.sub("", said))
    # "Can you finish T3?" asks for it; without the courtesy it only asks about it.
    if wish is None and not (said.endswith("?") and said == " ".join(text.split())):
        wish = _closed(said.rstrip("? "), before)
    if wish is None and asked and (refs := _described(said, before)):
        wish = Close(asked, refs if len(refs) == 1 else (), said)
    return wish or _searched(said) or _added(text, _INTENT) or Topic.UNKNOWN


def search_terms(words: str) -> str:
    """A filter for tasks with all of these words; "buying" finds "buy" too. Empty if no word can be searched for."""
    named = [word.strip(".,!?:;'") for word in re.split(r'[\s"“”]+', words)]
    telling = [word for word in named if any(map(str.isalnum, word)) and not _FILLER.fullmatch(word)]
    return " ".join(_term(word[:SEARCH_WORD_LENGTH]) for word in telling[:SEARCH_WORDS])


def _term(word: str) -> str:
    if word.isalpha() and len(word) > 5 and word.lower().endswith("ing"):
        stem = word[:-3]
        return f"{stem[:-1] if stem[-1] == stem[-2] else stem}*"
    return f'"{word}"'


_FILLER: Final = pattern(r"the|an?|my|our|to|with|of|it|one|tasks?|to-?dos?|is|are|was|were")
_TAGGED: Final = re.compile(r'@[^@<]* <TASK id="(T\d{1,15})"/>')
_QUOTES: Final = " \"'“”‘’"

# ---- courtesy and small talk ----

_GREETING: Final = r"(?:hi|hello|hey|good (?:morning|afternoon|evening|day))(?: there)?"
_LEAD: Final = pattern(
    rf"^(?:(?:{_GREETING}|ok(?:ay)?|so|well|and|also|then|now|please|pls|just|let me|(?:can|could|would|will) you"
    r"|i(?:'d like| would like| want) you to)[\s,.!]+)+(?!there\b)(?=\S)"
)
_TRAIL: Final = pattern(r"(?:[ ,]+(?:please|pls)|[,.!] ?(?:thanks|thank you))$")
_DISMISSAL: Final = pattern(r"no|none(?: of (?:them|these|those))?|neither|nothing|never ?mind|cancel|forget it|stop")
_TALK: Final = (
    (Topic.HELLO, pattern(_GREETING)),
    (
        Topic.THANKS,
        pattern(r"(?:many |ok |great )?(?:thanks|thank you|cheers|ok|okay|great|perfect)(?: a lot| so much)?"),
    ),
    (Topic.WHAT_TO_ADD, pattern(r"(?:add|create|new|remind me)(?: (?:to|an?|new|another|tasks?|to-?dos?))*:?")),
    (Topic.WHICH_TASK, pattern(r"(?:(?:i'm|i am|all) )?(?:done|finished|complete|cancel|reopen)")),
    (
        Topic.HELP,
        pattern(
            r"\?*|help(?: me)?|i need help|what (?:can|do) (?:you|i) (?:do|say|ask|understand)(?: here)?\??"
            r"|how (?:does this|do you|can i|do i) .+|who are you\??|what are you\??|are you .+|(?:what|which) model.*"
        ),
    ),
)


def _without_courtesy(text: str) -> str:
    return _without_ending(_LEAD.sub("", " ".join(text.split()), count=1))


def _without_ending(said: str) -> str:
    while True:
        shorter = said.rstrip(ENDS)
        if courtesy := _TRAIL.search(shorter, max(0, len(shorter) - 12)):
            shorter = shorter[: courtesy.start()]
        if shorter in ("", said):
            return said
        said = shorter


# ---- adding ----

_NOUN: Final = r"(?:tasks?|to-?dos?|items?|reminders?)"
_LIST: Final = r"(?:on|to|in|onto) (?:my|the) (?:list|tasks|to-?dos?|task list|to-?do list)"
_ADD: Final = pattern(
    rf"(?:(?:add|create|make|set|new|another)(?: me)?(?: (?:an?|the|some|another|these))?(?: new)?"
    rf"(?: (?P<weight>urgent|important))? {_NOUN}\b(?: (?:to|called|named|for|about)\b)?"
    rf"|(?:add|write down|note down|put down)\b|(?:{_NOUN}|note):|put\b(?=.* {_LIST}\b)|remember to\b"
    r"|remind me\b(?: (?:to|that|about|of)\b)?|(?:don't|do not) forget\b(?: (?:to|about)\b)?)[ :,-]*"
)
_INTENDING: Final = (
    r"(?:(?:(?:i|we) )?(?:(?:still|really|also) )?(?:need|have|want|ought|would like)|(?:i|we)(?:'ve| have)? got"
    r"|(?:i|we)'d like) to\b[ :]*|(?:i|we) (?:must|should|gotta)\b[ :]*"
)
_INTENT: Final = pattern(_INTENDING)
_ONTO_LIST: Final = pattern(rf" {_LIST}$")
_BULLET: Final = re.compile(r"^\s*(?:[-*•+]|\d{1,3}[.)]|\[[ xX]?\])\s+")
_QUOTED: Final = re.compile(r'["“]\s*(?P<title>[^\s"“”][^"“”]*)["”](?P<rest>.*)')
_LINK: Final = pattern(r" (?:to|that|about|of) ")
_FIRST_PRIORITY: Final = pattern(r"(?P<weight>p[1-4](?=[:, ])|(?:urgent|important)(?= ?[:,]))[ :,]+(?=\S)")
_LAST_PRIORITY: Final = pattern(r"(?:^|[ ,(]+)(?P<weight>p[1-4]|urgent|important)\)?$")
_PRIORITIES: Final = {"urgent": "p1", "important": "p2"}
# A title that would end in one of these has lost a part of its own: "every monday", "presents for tomorrow".
_DANGLING: Final = pattern(
    r"(?:^| )(?:an?|about|after|and|are|as|at|before|between|by|each|every|for|from|in|is|last|less|more|most|next|not"
    r"|of|on|or|past|since|than|that|the|this|till|to|until|very|was|with|without)$"
)


def _added(text: str, form: re.Pattern[str]) -> Add | None:
    """The tasks of a message, one on each line or between semicolons, if its beginning has this form."""
    first, *others = re.split(r"[;\r\n]+", text.strip())
    first = _without_courtesy(first)
    verb = form.match(first)
    if verb is None:
        return None
    said = [first[verb.end() :]]
    for line in others:
        item = _without_ending(" ".join(_BULLET.sub("", line).split()))
        said.append(item[again.end() :] if (again := _ADD.match(item)) else item)
    weight = (verb.groupdict().get("weight") or "").lower()
    tasks = tuple(_spoken(words, weight) for words in said if words.strip(ENDS))
    return Add(tasks) if tasks else None


def _spoken(words: str, weight: str) -> Spoken:
    whole = _ONTO_LIST.sub("", words.strip())
    if quoted := _QUOTED.fullmatch(whole):
        rest, due, priority = _without_details(quoted["rest"].strip())
        if not rest:  # quotation marks keep due words inside a title
            title = quoted["title"].strip()
            return Spoken(title, due, priority or _PRIORITIES.get(weight, ""), title)
    if first := _FIRST_PRIORITY.match(whole):
        weight, whole = first["weight"].lower(), whole[first.end() :]
    title, due, priority = _without_details(*_without_due_in_front(whole))
    if not title:
        title, due = whole, ""
    return Spoken(_ONTO_LIST.sub("", title), due, priority or _PRIORITIES.get(weight, weight), whole)


def _without_due_in_front(words: str) -> tuple[str, str]:
    """The title and the due words of "tomorrow to call mum", as people say it after "remind me"."""
    for link in _LINK.finditer(words[:LONGEST_REQUEST]):
        if due := DUE.fullmatch(words[: link.start()]):
            return words[link.end() :], words_of(due)
    return words, ""


def _without_details(words: str, due: str = "") -> tuple[str, str, str]:
    """The title, the due words and the priority, which end the text in either order."""
    priority = ""
    while True:
        mark = None if priority else _LAST_PRIORITY.search(words, max(0, len(words) - 14))
        if mark and not _DANGLING.search(words[: mark.start()]):
            words, priority = words[: mark.start()], mark["weight"].lower()
        elif not due and (found := due_at_end(words)) and not _DANGLING.search(found[0]):
            words, due = found[0], words_of(found[1])
        else:
            return words, due, _PRIORITIES.get(priority, priority)


# ---- looking ----

_SHOW: Final = r"(?:show|list|display|view|see|give|get|find)(?: me)?"
_QUESTION: Final = pattern(
    r"(?:whats?|which|show|list|display|view|see|give|tell|any|anything|(?:is|are) (?:there|any|anything)|do i|did i"
    r"|have i|am i|how many)\b"
)
_THINGS: Final = r"(?:tasks?|to-?dos?|(?:to-?do |task )?list|agenda|things|items|anything|everything|all)"
_STATE: Final = (
    r"(?:open|pending|remaining|due|overdue|late|urgent|important|p[1-4]|done|finished|completed|cancell?ed)"
)
_PHRASING: Final = rf"(?:{_SHOW} )?(?:(?:all|any|my|the|of) )*(?:{_STATE}(?: {_THINGS})?|{_THINGS})"
_PHRASE: Final = pattern(_PHRASING)
# "I want to see my tasks" and "I need to know what is due" are questions; "I have to see Ann" is a task.
_WONDERING: Final = pattern(
    rf"^(?:{_INTENDING})(?:(?:see|know) (?=what|which|how)|(?={_PHRASING}(?: for| due| today| tomorrow|$)))"
)
_TIME_ONLY: Final = pattern(
    r"(?:|whats?(?:'s| is)?(?: up| on| planned)?|(?:what|how) about|what do i have(?: planned)?|anything(?: planned)?)"
)
_OPEN_WORDS: Final = rf"\b(?:open|pending|remaining|to do|what (?:do|have) i|should i|next|{_THINGS})\b"
_MEANINGS: Final = (
    (pattern(r"\b(?:not (?:yet )?(?:done|finished)|to be done|left|still|have to)\b"), "", "open"),
    (pattern(r"\bcancell?(?:ed)?\b"), "is:cancelled", "cancelled"),
    (pattern(r"\b(?:finish(?:ed)?|completed?|done|did (?:i|we))\b"), "is:done", "finished"),
    (pattern(r"\b(?:overdue|late)\b"), "due:overdue", "overdue"),
    (pattern(r"\b(?:p1|urgent)\b"), "p1", "open and marked p1"),
    (pattern(r"\b(?:p2|important)\b"), "p2", "open and marked p2"),
    (pattern(r"\bdue\b"), "due:any", "open with a date"),
    (pattern(_OPEN_WORDS), "", "open"),
)
_CLOSED: Final = ("is:done", "is:cancelled")  # of these, the due date is not what people ask for
_PERIOD: Final = pattern(
    r"(?:^| )(?:due )?(?:(?:for|on|in) )?(?P<when>(?:this|next) (?:week|month)|(?:(?:the|this|next) )?weekend)$"
)
_WEEKEND: Final = "this sat..this sun"
_PERIODS: Final = {
    "this week": "today..eow",
    "this month": "today..eom",
    "next week": "next mon..next sun",
    "next month": "first day of next month..end of next month",
    "next weekend": "next sat..next sun",
}
_ABOUT: Final = pattern(
    rf"(?:{_SHOW}|any|anything|which|what|are there|is there|do i have)\b.*? (?:about|with|called) (?P<words>.+)"
)
_FIND: Final = pattern(
    r"(?:find|search(?: for)?|look(?: up| for)|where(?:'s| is| are)|show(?: me)?|do i (?:still )?have) (?P<words>.+)"
)
_OPENED: Final = pattern(rf"(?:(?:{_SHOW}|open|whats?(?:'s| is)?|details? (?:of|for|on)|tell me about) )?(?P<what>.+)")
_PLAIN_REFS: Final = pattern(r"t\d{1,15}(?:(?:,? (?:and )?|,)t\d{1,15})*")
_REFS: Final = pattern(r"(?:tasks? )?#?t?\d{1,15}(?:(?:,? (?:and |& )?|,)#?t?\d{1,15})*")


def _shown(said: str) -> Show | None:
    opened = _OPENED.fullmatch(said.rstrip("? "))
    refs = _refs(opened["what"], _PLAIN_REFS) if opened else ()
    return Show(refs) if refs else None


def _refs(text: str, form: re.Pattern[str]) -> tuple[str, ...]:
    numbers = re.findall(r"\d+", text) if form.fullmatch(text) else []
    return tuple(dict.fromkeys(f"T{int(number)}" for number in numbers))


def _listed(said: str) -> Find | None:
    text = said.rstrip("? ")
    rest, due, time = _asked_time(text)
    if time and _TIME_ONLY.fullmatch(rest):
        return Find(due, time)
    if about := _ABOUT.fullmatch(text):
        return _matching(about["words"])
    if not (_PHRASE.fullmatch(rest) or _QUESTION.match(rest)):
        return None
    found = next(((terms, state) for form, terms, state in _MEANINGS if form.search(rest)), None)
    if found is None or not time or found[0] in _CLOSED:
        return Find(*found) if found else None
    return Find(due, time) if found[0] in ("", "due:any") else Find(f"{found[0]} {due}", f"{found[1]} and {time}")


def _asked_time(text: str) -> tuple[str, str, str]:
    """What stands before the time asked for, the filter of that time, and its words."""
    if period := _PERIOD.search(text):
        when = period["when"].lower()
        rest, days, words = text[: period.start()], _PERIODS.get(when, _WEEKEND), f"due {when}"
    elif found := due_at_end(text):
        rest, when = found[0], words_of(found[1])
        is_limit = (found[1]["how"] or "").lower() == "by"
        days, words = (f"<={when}", f"due by {when}") if is_limit else (when, f"due {when}")
    else:
        return text, "", ""
    return re.sub(r" (?:for|on|at|in)$", "", rest), f'due:"{days}"' if " " in days else f"due:{days}", words


def _searched(said: str) -> Find | None:
    found = _FIND.fullmatch(said.rstrip("? "))
    return _matching(found["words"]) if found else None


def _matching(words: str) -> Find | None:
    terms = search_terms(words)
    return Find(terms, f'open and about "{words.strip(_QUOTES)}"') if terms else None


# ---- finishing ----

_ASKING: Final = pattern(r"(?:is|are|was|were|whats?|which|when|did|do|does|have|has|how|why|who|where)\b")
_CLOSING: Final = (
    (Outcome.OPEN, pattern(r"(?:re-?open|uncheck|untick) (?P<what>.+)")),
    (Outcome.OPEN, pattern(r"(?:mark|set) (?P<what>.+?) (?:as |to )?(?:not (?:yet )?(?:done|finished)|undone|open)")),
    (Outcome.OPEN, pattern(r"(?P<what>.+?) (?:is|are)(?:n't| not)(?: yet)? (?:done|finished)(?: yet)?")),
    (Outcome.CANCELLED, pattern(r"(?:cancel|drop|abandon|skip|never ?mind(?: about)?) (?P<what>.+)")),
    (
        Outcome.DONE,
        pattern(
            r"(?:(?:i|we)(?:'ve|'m| have| am| are)? )?(?:(?:just|already|finally) )?(?:done|finish(?:ed)?|completed?"
            r"|closed?|(?:check|tick)(?:ed)? off|did(?<=i did))(?: (?:with|off))?:? (?P<what>.+?)(?: (?:as )?done)?"
        ),
    ),
    (Outcome.DONE, pattern(r"(?:mark|set|check|tick) (?P<what>.+?) (?:as |to )?(?:done|finished|completed?|off)")),
    (
        Outcome.DONE,
        pattern(
            r"(?P<what>.+?),?(?: (?:is|are|was|were|has been|have been))?(?: (?:all|now|already|finally))?"
            r" (?:done|finished|completed?)"
        ),
    ),
)


def _closed(said: str, before: Sequence[Listed]) -> Close | Topic | None:
    if _ASKING.match(said):
        return None
    for outcome, closing in _CLOSING:
        if found := closing.fullmatch(said):
            words = re.sub(r"^(?:the )?task ", "", found["what"].strip(_QUOTES), flags=re.IGNORECASE)
            if refs := _refs(words, _REFS) or _pointed_at(words, before):
                return Close(outcome, refs)
            return Close(outcome, (), words) if search_terms(words) else Topic.WHICH_TASK
    return None


# ---- pointing at what was shown ----

_ORDINALS: Final = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "last": -1}
_NUMBERS: Final = re.compile(r"\d{1,15}(?:(?:,? (?:and |& )?|,)\d{1,15})*")
_POINTER: Final = re.compile(r"(?:the |that )?(?:number |no\.? |task |#)?(.+?)(?: one| task)?")
_EVERY: Final = ("all", "both", "all of them", "both of them", "all of these")
_SAME: Final = ("it", "that", "this", "task", "them")


def _chosen(said: str, before: Sequence[Listed]) -> tuple[str, ...]:
    """The tasks that answer the question which one: "T12", "2", "the first one", "both"."""
    words = _pointer(said)
    shown = [listed.ref for listed in before]
    if words in _EVERY:
        return tuple(shown)
    if _NUMBERS.fullmatch(words):
        numbers = [int(number) for number in re.findall(r"\d+", words)]
        refs = tuple(dict.fromkeys(shown[n - 1] if 1 <= n <= len(shown) else f"T{n}" for n in numbers))
        return refs if set(refs) <= set(shown) else ()
    return _refs(words, _PLAIN_REFS) or _pointed_at(said, before)


def _pointed_at(said: str, before: Sequence[Listed]) -> tuple[str, ...]:
    """The task meant by "the first one" or, if only one was shown, by "it"."""
    words = _pointer(said)
    shown = [listed.ref for listed in before]
    if words in _ORDINALS and len(shown) > max(0, _ORDINALS[words]):
        return (shown[_ORDINALS[words]],)
    return tuple(shown) if len(shown) == 1 and words in _SAME else ()


def _pointer(said: str) -> str:
    pointer = _POINTER.fullmatch(said.lower().strip(_QUOTES))
    return pointer[1] if pointer else ""


def _described(said: str, before: Sequence[Listed]) -> tuple[str, ...]:
    """The tasks shown that have all these words."""
    telling = [word for word in said.lower().strip(_QUOTES).split() if not _FILLER.fullmatch(word)]
    fitting = [listed.ref for listed in before if all(word in listed.text.lower() for word in telling)]
    return tuple(fitting) if telling else ()
