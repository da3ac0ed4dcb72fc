"""Messages that add tasks: one on each line or between semicolons, with a day, a priority and a list."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gateway.offline.manners import without_courtesy, without_ending
from gateway.offline.naming import QUOTES, list_name
from gateway.offline.when import DUE, ENDS, due_at_end, pattern, words_of
from gateway.offline.wishes import Add, Spoken

LONGEST_IN_FRONT: Final = 500
LONGEST_LIST: Final = 60

_NOUN: Final = r"(?:tasks?|to-?dos?|items?|reminders?)"
_NOT_ONE: Final = r"(?! #?t?\d+ (?:urgent|important|as|due|to|p[1-4])\b)"  # "set task 3 to friday" adds nothing
_LIST: Final = r"(?:on|to|in|onto) (?:my|the) (?:list|tasks|to-?dos?|task list|to-?do list)"
_ADD: Final = pattern(
    rf"(?:(?:add|create|make|set|new|another)(?: me)?(?: (?:an?|the|some|another|these))?(?: new)?"
    rf"(?: (?P<weight>urgent|important))? {_NOUN}\b{_NOT_ONE}(?: (?:to|called|named|for|about)\b)?"
    rf"|(?:add|write down|note down|put down)\b|(?:{_NOUN}|note):|put\b(?=.* {_LIST}\b)|remember to\b"
    r"|remind me\b(?: (?:to|that|about|of)\b)?|(?:don't|do not) forget\b(?: (?:to|about)\b)?)[ :,-]*"
)
INTENDING: Final = (
    r"(?:(?:(?:i|we) )?(?:(?:still|really|also) )?(?:need|have|want|ought|would like)|(?:i|we)(?:'ve| have)? got"
    r"|(?:i|we)'d like) to\b[ :]*|(?:i|we) (?:must|should|gotta)\b[ :]*"
)
_INTENT: Final = pattern(INTENDING)
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
_ALL_TASKS: Final = pattern(rf" {_LIST}$")
_LAST_LIST: Final = pattern(
    r" (?:(?:to|on|in|onto|into|under) (?P<named>(?:the |my )?list [\"“]?[^\s\"“”][^\"“”]*[\"”]?|(?:the |my )?\S+ list)"
    r"|(?:to|into|onto) (?P<name>(?:[\"“][^\"“”]+[\"”]|\S+(?: \S+)?)))$"
)
# "Talk to Ann" and "go to work" are no lists.
_TOWARDS: Final = pattern(
    r"(?:^|.* )(?:talk|speak|reply|respond|write|listen|go|get|travel|send|drive|walk|run|ride|cycle|fly|come|back|up"
    r"|return|next|according|move|give|say|apologi[sz]e|trip|train|bus|flight|way|invite|invitation|letter|answer"
    r"|visit|subscribe|sign|listening|going|trying|try|forget|remember|need|want|have|agree|close|due|from .*)"
)
_SENTENCE: Final = re.compile(r"(?<=[^\s\d.][.!?;])\s+(?=\S)")


def added(text: str) -> Add | None:
    """The tasks of a message that begins as one that adds."""
    return _tasks(text, _ADD)


def intended(text: str) -> Add | None:
    """The tasks of a message that says what somebody has to do."""
    return _tasks(text, _INTENT)


def captured(text: str) -> Add | None:
    """Each line of the text as a task or, if there is only one, each sentence."""
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    pieces = lines if len(lines) > 1 else _SENTENCE.split(text.strip())
    said = [without_courtesy(_BULLET.sub("", piece)) for piece in pieces]
    return _spoken_tasks([_without_verb(words) for words in said], "")


def _tasks(text: str, form: re.Pattern[str]) -> Add | None:
    first, *others = re.split(r"[;\r\n]+", text.strip())
    first = without_courtesy(first)
    verb = form.match(first)
    if verb is None:
        return None
    said = [first[verb.end() :]]
    for line in others:
        item = without_ending(" ".join(_BULLET.sub("", line).split()))
        said.append(item[again.end() :] if (again := _ADD.match(item)) else item)
    return _spoken_tasks(said, (verb.groupdict().get("weight") or "").lower())


def _spoken_tasks(said: Sequence[str], weight: str) -> Add | None:
    tasks = tuple(_spoken(words, weight) for words in said if words.strip(ENDS))
    return Add(tasks) if tasks else None


def _without_verb(words: str) -> str:
    verb = _ADD.match(words) or _INTENT.match(words)
    return words[verb.end() :] if verb and words[verb.end() :].strip(ENDS) else words


def _spoken(words: str, weight: str) -> Spoken:
    whole = _ALL_TASKS.sub("", words.strip())
    if quoted := _QUOTED.fullmatch(whole):
        details = _without_details(quoted["rest"].strip())
        if not details.title:  # quotation marks keep such words inside a title
            title = quoted["title"].strip()
            return replace(details, title=title, priority=details.priority or _PRIORITIES.get(weight, ""), whole=title)
    if first := _FIRST_PRIORITY.match(whole):
        weight, whole = first["weight"].lower(), whole[first.end() :]
    spoken = _without_details(*_without_due_in_front(whole))
    priority = spoken.priority or _PRIORITIES.get(weight, weight)
    if not spoken.title:
        return Spoken(whole, "", priority, whole)
    title = _ALL_TASKS.sub("", spoken.title)
    if (quoted := _QUOTED.fullmatch(title)) and not quoted["rest"]:
        title = quoted["title"].strip()
    return replace(spoken, title=title, priority=priority, whole=whole)


def _without_due_in_front(words: str) -> tuple[str, str]:
    """The title and the due words of "tomorrow to call mum", as people say it after "remind me"."""
    for link in _LINK.finditer(words[:LONGEST_IN_FRONT]):
        if due := DUE.fullmatch(words[: link.start()]):
            return words[link.end() :], words_of(due)
    return words, ""


def _without_details(words: str, due: str = "") -> Spoken:
    """The title, and the due words, the priority and the list, which end the text in any order."""
    priority = name = place = ""
    while True:
        mark = None if priority else _LAST_PRIORITY.search(words, max(0, len(words) - 14))
        if mark and not _DANGLING.search(words[: mark.start()]):
            words, priority = words[: mark.start()], mark["weight"].lower()
        elif not due and (found := due_at_end(words)) and not _DANGLING.search(found[0]):
            words, due = found[0], words_of(found[1])
        elif not name and (named := _named_list(words)):
            place = words[len(named[0]) :].strip(" ,:-–")
            words, name = named
        else:
            return Spoken(words, due, _PRIORITIES.get(priority, priority), "", name, place)


def _named_list(words: str) -> tuple[str, str] | None:
    """What stands before "to Groceries", and that name; "on the Groceries list" says it more clearly."""
    found = _LAST_LIST.search(f" {words}", max(0, len(words) - LONGEST_LIST))
    if found is None:
        return None
    before = words[: max(0, found.start() - 1)].rstrip(" ,:-–")
    name = list_name(found["named"] or found["name"])
    if not name or _DANGLING.search(before) or (found["name"] and (not before or _TOWARDS.fullmatch(before))):
        return None
    return before, name.strip(QUOTES)
