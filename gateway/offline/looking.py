"""Messages that want to see tasks: questions, searches, lists, what a day holds."""

import re
from typing import Final

from gateway.offline.adding import INTENDING
from gateway.offline.naming import QUOTES, in_list, list_name, plain_refs_in, search_terms
from gateway.offline.when import due_at_end, pattern, words_of
from gateway.offline.wishes import Find, Overview, Plan, Show, Target

_SHOW: Final = r"(?:show|list|display|view|see|give|get|find)(?: me)?"
_QUESTION: Final = pattern(
    r"(?:whats?|which|show|list|display|view|see|give|tell|any|anything|(?:is|are) (?:there|any|anything)|do i|did i"
    r"|have i|am i|how many)\b"
)
_THINGS: Final = r"(?:tasks?|to-?dos?|(?:to-?do |task )?list|agenda|things|items|anything|everything|all)"
_STATE: Final = (
    r"(?:open|pending|remaining|due|overdue|late|urgent|important|p[1-4]|done|finished|completed|closed|cancell?ed)"
)
_PHRASING: Final = rf"(?:{_SHOW} )?(?:(?:all|any|my|the|of) )*(?:{_STATE}(?: {_THINGS})?|{_THINGS})"
_PHRASE: Final = pattern(_PHRASING)
# "I want to see my tasks" and "I need to know what is due" are questions; "I have to see Ann" is a task.
_WONDERING: Final = pattern(
    rf"^(?:{INTENDING})(?:(?:see|know) (?=what|which|how)|(?={_PHRASING}(?: for| due| today| tomorrow|$)))"
)
_TIME_ONLY: Final = pattern(
    r"(?:|whats?(?:'s| is)?(?: up| on| planned)?|(?:what|how) about|what do i have(?: planned)?|anything(?: planned)?)"
)
_OPEN_WORDS: Final = rf"\b(?:open|pending|remaining|to do|what (?:do|have) i|should i|next|{_THINGS})\b"
_MEANINGS: Final = (
    (pattern(r"\b(?:not (?:yet )?(?:done|finished)|to be done|left|still|have to)\b"), "", "open"),
    (pattern(r"\bcancell?(?:ed)?\b"), "is:cancelled", "cancelled"),
    (pattern(r"\bclosed\b"), "is:closed", "closed"),
    (pattern(r"\b(?:finish(?:ed)?|completed?|done|did (?:i|we))\b"), "is:done", "finished"),
    (pattern(r"\b(?:overdue|late)\b"), "due:overdue", "overdue"),
    (pattern(r"\b(?:p1|urgent)\b"), "p1", "open and marked p1"),
    (pattern(r"\b(?:p2|important)\b"), "p2", "open and marked p2"),
    (pattern(r"\bp3\b"), "p3", "open and marked p3"),
    (pattern(r"\bp4\b"), "p4", "open and marked p4"),
    (pattern(r"\bdue\b"), "due:any", "open with a date"),
    (pattern(_OPEN_WORDS), "", "open"),
)
_CLOSED: Final = ("is:done", "is:cancelled", "is:closed")  # of these, the due date is not what people ask for
_PAST: Final = pattern(
    r" (?P<when>today|yesterday|this week|last week|this month|last month|(?:in )?the last \d{1,3} days)$"
)
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
_ASKED_ABOUT: Final = pattern(r"(?:is|are|was|when(?:'s| is| are)?|(?:what|how) about) (?P<what>\S*t\d{1,15})\b.*")

_IN_LIST: Final = pattern(rf"(?P<rest>.*\b(?:{_THINGS}|{_STATE})) (?:in|on|from|under) (?P<list>.+)")
_OPEN_LIST: Final = r"(?:(?:show|open|view|display|see)(?: me)?|list)"
_INSIDE: Final = pattern(
    r"(?:whats?(?:'s| is)?(?: left| open)? (?:in|on)|what do i have (?:in|on)|is (?:there )?anything (?:in|on))"
    rf" (?P<list>.+)|{_OPEN_LIST} (?P<said>(?:the |my )?list .+|.+ list)"
)
_NAMED: Final = pattern(rf"{_OPEN_LIST} (?P<list>.+)")
_ALL: Final = pattern(
    rf"(?:all|every|each)(?: of)?(?: (?:my|the|these|those))?(?P<states>(?: {_STATE})*)"
    r"(?: (?:tasks?|to-?dos?|things|items|ones?))?(?: (?:(?:that|which) )?(?:is|are) (?P<is>.+))?"
    rf"|everything(?: (?:(?:that|which) )?is (?P<all>.+)| (?P<state>{_STATE}))?"
)
_STATES: Final = pattern(_STATE)
_ALL_ABOUT: Final = pattern(
    r"(?:all|every|each)(?: of)?(?: (?:my|the|these|those))?(?: tasks?)?(?: (?:about|with|called))?"
    r" (?P<words>.+?)(?: tasks?)?"
)
_TRASH: Final = pattern(r"(?:(?:whats?(?:'s| is)?|show|list|open|see)(?: me)? )?(?:tasks )?(?:in )?(?:the |my )?trash")
_OVERVIEW: Final = pattern(
    rf"(?:{INTENDING})?(?:(?:show|give|see)(?: me)? )?(?:an? |the |my )?(?:overview|summary|status)"
    rf"|(?:{INTENDING})?(?:show|list|what are|which are|see)(?: me)?(?: all)?(?: of)? ?(?:my|the)? lists"
    r"|(?:what|which|how many) lists (?:do i have|are there|exist)|(?:my )?lists|how am i doing"
)
_PLAN: Final = pattern(
    r"(?:(?:help me )?plan|organi[sz]e) (?:(?:for )?(?:my|the|this|a) )?(?:day|(?P<day>today|tomorrow|week))(?: .*)?"
    r"|what (?:should|shall|can) i do(?: (?:next|now|first|today|(?P<then>tomorrow)))?|whats?(?:'s| is)? next"
)


def shown(said: str) -> Show | None:
    """Tasks to be opened by their ids."""
    text = said.rstrip("? ")
    for form in (_OPENED, _ASKED_ABOUT):
        if (opened := form.fullmatch(text)) and (refs := plain_refs_in(opened["what"])):
            return Show(refs)
    return None


def surveyed(said: str) -> Overview | Plan | None:
    """The whole, or what to do of it on a day."""
    text = said.rstrip("? ")
    if _OVERVIEW.fullmatch(text):
        return Overview()
    planned = _PLAN.fullmatch(text)
    if planned is None:
        return None
    day = (planned["day"] or planned["then"] or "").lower()
    return Plan("" if day == "today" else "eow" if day == "week" else day)


def listed(said: str) -> Find | None:
    """The tasks of a kind, a day or a list."""
    text = _WONDERING.sub("", said).rstrip("? ")
    if _TRASH.fullmatch(text):
        return Find("is:trash", "in the trash")
    rest, due, time = _asked_time(text)
    if time and _TIME_ONLY.fullmatch(rest):
        return Find(due, time)
    if about := _ABOUT.fullmatch(text):
        return _matching(about["words"])
    place = _IN_LIST.fullmatch(rest)
    if not (_PHRASE.fullmatch(place["rest"] if place else rest) or _QUESTION.match(rest)):
        return None
    if place and (name := list_name(place["list"])):
        inner = listed(f"{place['rest']} {time}".strip())
        terms, state = (inner.filter, inner.about) if inner else ("", "open")
        return Find(" ".join(filter(None, (terms, in_list(name)))), f"{state} in {name}")
    if (inside := _INSIDE.fullmatch(text)) and not _PHRASE.fullmatch(inside["list"] or inside["said"]):
        return _in_a_list(inside["list"] or inside["said"])
    found = next(((terms, state) for form, terms, state in _MEANINGS if form.search(rest)), None)
    if found is None and (named := _NAMED.fullmatch(text)):
        return _in_a_list(named["list"])
    if found and found[0] in _CLOSED and (past := _PAST.search(text)):
        when = re.sub(r"^(?:in )?the ", "", past["when"].lower())
        return Find(f'{found[0]} done:"{when}"', f"{found[1]} {past['when'].lower()}")
    if found is None or not time or found[0] in _CLOSED:
        return Find(*found) if found else None
    return Find(due, time) if found[0] in ("", "due:any") else Find(f"{found[0]} {due}", f"{found[1]} and {time}")


def searched(said: str) -> Find | None:
    """The tasks with some words."""
    found = _FIND.fullmatch(said.rstrip("? "))
    return _matching(found["words"]) if found else None


def all_of(said: str) -> Target | None:
    """All tasks of a kind, as in "all done tasks in Work"; None where single ones are named."""
    place = _IN_LIST.fullmatch(said)
    name = list_name(place["list"]) if place else ""
    rest, due, time = _asked_time(place["rest"] if place and name else said)
    whole = _ALL.fullmatch(rest)
    if whole is None:
        return _all_about(said)
    given = " ".join(filter(None, (whole["states"], whole["is"], whole["all"], whole["state"]))).split()
    if not all(_STATES.fullmatch(word) for word in given):
        return None
    meant = [next((term, state) for form, term, state in _MEANINGS if form.search(word)) for word in given]
    terms = [*(term for term, _ in meant), due, in_list(name) if name else ""]
    states = [state for _, state in meant]
    about = " and ".join(dict.fromkeys(filter(None, (*(states or ["open"]), time))))
    return Target(filter=" ".join(filter(None, terms)) or "is:open", about=f"{about} in {name}" if name else about)


def _all_about(said: str) -> Target | None:
    found = _ALL_ABOUT.fullmatch(said)
    terms = search_terms(found["words"]) if found else ""
    return Target(filter=terms, about=f'open and about "{found["words"].strip(QUOTES)}"') if found and terms else None


def _in_a_list(words: str) -> Find | None:
    name = list_name(words)
    if not name or not search_terms(name):
        return None
    is_said = re.search(r"\blist\b", words, re.IGNORECASE)
    return Find(in_list(name), f"open in {name}", "" if is_said else words)


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


def _matching(words: str) -> Find | None:
    terms = search_terms(words)
    return Find(terms, f'open and about "{words.strip(QUOTES)}"') if terms else None
