"""Messages that change what is there: finish, delete, move, rename, lists, and taking it back."""

import re
from collections.abc import Sequence
from typing import Final

from gateway.offline.looking import all_of
from gateway.offline.naming import QUOTES, Listed, list_name, refs_in, search_terms, target_of
from gateway.offline.when import due_alone, due_at_end, pattern, span_of, words_of
from gateway.offline.wishes import Arrange, Close, Delete, Edit, Import, Outcome, Restore, Span, Target, Topic, Undo

Changing = Close | Delete | Edit | Restore | Undo | Topic

ASKING: Final = pattern(r"(?:is|are|was|were|whats?|which|when|did|do|does|have|has|how|why|who|where)\b")

# ---- taking back ----

_UNDO: Final = pattern(
    r"(?:undo|revert|take back)(?: (?:that|it|this|(?:the |my )?last (?:one|change|thing|step|action|operation)))?"
    r"|take (?:that|it) back|undo (?:op |operation )?(?P<op>\d{1,15})"
)

# ---- files ----

_IMPORT: Final = pattern(
    r"(?:import|read|load|add)(?: in)? (?:(?:all )?(?:the )?tasks (?:from|in|of) )?(?:this|that|it|these|them"
    r"|(?:(?:the|my|this|that) )?(?:attached )?(?:file|attachment|csv|calendar|ics|export))(?: file)?"
    r"(?: (?:in|into|to|onto) (?P<list>.+))?|import(?: (?:in|into|to) (?P<place>.+))?"
)

# ---- lists ----

_NAME: Final = r"(?P<name>[^\s].*)"
_LISTS: Final = (
    (
        "create",
        pattern(rf"(?:new|create|make)(?: me)?(?: an?)?(?: new)? (?:list|project)(?: (?:called|named|for))?:? {_NAME}"),
    ),
    ("create", pattern(rf"add (?:an? )?(?:new )?list(?: called| named|:) {_NAME}")),
    ("create", pattern(rf"add an? (?:new )?list {_NAME}")),
    ("create", pattern(r"(?:new|create|make)(?: an?| the)?(?: new)? (?P<name>.+) list")),
    ("rename", pattern(r"rename (?:the |my )?list (?P<name>.+?) (?:to|as|into) (?P<to>.+)")),
    ("rename", pattern(r"rename (?:the |my )?(?P<name>.+?) list (?:to|as|into) (?P<to>.+)")),
    ("delete", pattern(rf"(?:delete|remove) (?:the |my )?list(?: called| named)? {_NAME}")),
    ("delete", pattern(r"(?:delete|remove) (?:the |my )?(?P<name>.+) list")),
    ("create", pattern(r"(?:new|create|make|add)(?: an?)?(?: new)? list(?P<name>)")),
)  # fmt: skip

_NO_LIST: Final = pattern(r"all\b|every|(?:to-?do|task)$|.* (?:from|in|on|to) ")  # of tasks is spoken then

# ---- finishing ----

_IS_DONE: Final = pattern(
    r"(?P<what>.+?),?(?: (?:is|are|was|were|has been|have been))?(?: (?:all|now|already|finally))?"
    r" (?:done|finished|completed?)"
)
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
    (Outcome.DONE, _IS_DONE),
)

# ---- deleting ----

_DELETE: Final = pattern(r"(?:delete|remove|erase|trash|get rid of|throw away) (?P<what>.+)")
_RESTORE: Final = pattern(
    r"(?:restore|undelete|recover) (?P<what>.+?)(?: from (?:the )?trash)?|bring back (?P<back>.+)|bring (?P<it>.+) back"
)

# ---- editing ----

_WEIGHT: Final = (
    r"(?P<weight>p[1-4]|urgent|important|(?:not|no longer|less) (?:urgent|important)|unimportant"
    r"|(?:a |the )?(?:highest|top|high|medium|normal|lowest|low|no) priority"
    r"|priority (?:high|medium|low|normal|p?[1-4]))"
)
_WEIGHTS: Final = (
    (pattern(r"not .*|no longer .*|less .*|unimportant|.*\b(?:p4|4|low|lowest|no|none|normal)\b.*"), "p4"),
    (pattern(r"urgent|.*\b(?:p1|1|highest|top|high)\b.*"), "p1"),
    (pattern(r"important|.*\b(?:p2|2)\b.*"), "p2"),
    (pattern(r".*"), "p3"),
)
_WEIGHING: Final = (
    pattern(rf"(?:make|mark|set|flag|change|give) (?P<what>.+?) (?:as |to )?{_WEIGHT}"),
    pattern(
        r"(?:set|change|make) (?:the )?priority (?:of|for) (?P<what>.+?) to "
        r"(?P<weight>p[1-4]|urgent|important|highest|high|medium|normal|lowest|low|none|no)"
    ),
    pattern(rf"(?P<what>.+?) (?:is|are|has|have)(?: now| very| really)? {_WEIGHT}"),
    pattern(r"(?P<what>(?:task #?t?|#?t)\d{1,15}) (?P<weight>p[1-4]|urgent|important)"),
)
_UNDATED: Final = (
    pattern(
        r"(?:remove|clear|delete|drop) (?:the )?(?:due )?(?:date|day|deadline|due) (?:of|from|for|on) (?P<what>.+)"
    ),
    pattern(r"(?P<what>.+?) (?:has|have|needs?) no (?:due )?date"),
)
_RENAMED: Final = pattern(r"(?:rename|retitle|reword) (?P<what>.+?) (?:to|as|into) (?P<title>.+)")
_TITLED: Final = pattern(r"(?:change|set) (?:the )?(?:title|name) of (?P<what>.+?) (?:to|into) (?P<title>.+)")
_UNNAMED: Final = pattern(r"(?:rename|retitle|reword) (?P<what>.+)")
_MOVED: Final = pattern(
    r"(?P<verb>move|shift|reschedule|re-schedule|postpone|push(?: back)?|delay|defer|put off|snooze|bring forward)"
    r"(?: (?:the )?(?:due )?date of)? (?P<rest>.+)"
)
_DATED: Final = (
    pattern(r"(?:set|change|make) (?:the )?(?:due )?(?:date|day) (?:of|for) (?P<what>.+?) to (?P<when>.+)"),
    pattern(r"(?:set|make|change) (?P<what>.+?)(?:'s)? due(?: date)?(?: to| on| by| for)? (?P<when>.+)"),
    pattern(r"(?P<what>.+?) (?:is|are) (?:now )?due(?: on| by| at)? (?P<when>.+)"),
    pattern(
        r"(?:(?:set|change|put|do) )?(?P<what>(?:task #?t?|#?t)\d{1,15})(?: due)?(?: to| on| by| for| at)? (?P<when>.+)"
    ),
)
_ONTO: Final = pattern(r"(?P<what>.+) (?:to|into|onto) (?P<list>.+)")
_EARLIER: Final = pattern(r"bring forward")


def changed(said: str, shown: Sequence[Listed]) -> Changing | None:
    """What the message changes, after an answer that showed these tasks."""
    if ASKING.match(said):
        return None
    if undo := _UNDO.fullmatch(said):
        return Undo(undo["op"] or "")
    return (
        _weighed(said, shown)
        or _dated(said, shown)
        or _closed(said, shown)
        or _deleted(said, shown)
        or _renamed(said, shown)
        or _moved(said, shown)
    )


def imported(said: str) -> Import | None:
    """The file that was attached, read for tasks."""
    found = _IMPORT.fullmatch(said)
    return Import(list_name(found["list"] or found["place"] or "")) if found else None


def arranged(said: str) -> Arrange | Topic | None:
    """A list that is created, renamed or deleted."""
    for action, form in _LISTS:
        found = form.fullmatch(said)
        if found is None or _NO_LIST.match(found["name"]):
            continue
        name, to = found["name"].strip(QUOTES), (found.groupdict().get("to") or "").strip(QUOTES)
        if not name or (action == "rename" and not to):
            return Topic.WHICH_LIST
        match action:
            case "create" | "rename" | "delete":
                return Arrange(action, name, to)
    return None


def moved_to(target: Target, words: str) -> Edit | None:
    """The change that "tomorrow", "by a week" or "to the Work list" makes; None if it says nothing."""
    if when := due_alone(words):
        return Edit(target, {"due": when})
    if span := span_of(words):
        return Edit(target, span=span)
    name = list_name(re.sub(r"^(?:to|into|onto) ", "", words.strip(QUOTES), flags=re.IGNORECASE))
    return Edit(target, {"list": name}) if name else None


def _closed(said: str, shown: Sequence[Listed]) -> Close | Topic | None:
    for outcome, closing in _CLOSING:
        if found := closing.fullmatch(said):
            target = _target(found["what"], shown)
            # "Everything is done" is no request to finish it all.
            is_sigh = closing is _IS_DONE and target is not None and target.filter == "is:open"
            return Close(outcome, target) if target and not is_sigh else Topic.WHICH_TASK
    return None


def _deleted(said: str, shown: Sequence[Listed]) -> Delete | Restore | Topic | None:
    if restored := _RESTORE.fullmatch(said):
        target = target_of(restored["what"] or restored["back"] or restored["it"], shown)
        return Restore(target) if target else Topic.WHICH_TASK
    if deleted := _DELETE.fullmatch(said):
        target = _target(deleted["what"], shown)
        return Delete(target) if target else Topic.WHICH_TASK
    return None


def _weighed(said: str, shown: Sequence[Listed]) -> Edit | None:
    for form in _WEIGHING:
        if (found := form.fullmatch(said)) and (target := _target(found["what"], shown)):
            priority = next(level for words, level in _WEIGHTS if words.fullmatch(found["weight"]))
            return Edit(target, {"priority": priority})
    return None


def _dated(said: str, shown: Sequence[Listed]) -> Edit | None:
    for form in _UNDATED:
        if (found := form.fullmatch(said)) and (target := _target(found["what"], shown)):
            return Edit(target, {"clear": ["due"]})
    for form in _DATED:
        found = form.fullmatch(said)
        if found and (when := due_alone(found["when"])) and (target := _target(found["what"], shown)):
            return Edit(target, {"due": when})
    return None


def _renamed(said: str, shown: Sequence[Listed]) -> Edit | Topic | None:
    if found := _RENAMED.fullmatch(said) or _TITLED.fullmatch(said):
        # "Rename go to bed to sleep" can be read in two ways.
        is_clear = bool(refs_in(found["what"])) or found["what"][0] in QUOTES or " to " not in found["title"]
        target, title = _target(found["what"], shown), found["title"].strip(QUOTES)
        return Edit(target, {"title": title}) if is_clear and target and title else Topic.WHICH_TASK
    if found := _UNNAMED.fullmatch(said):
        target = _target(found["what"], shown)
        return Edit(target, lacks="title") if target else Topic.WHICH_TASK
    return None


def _moved(said: str, shown: Sequence[Listed]) -> Edit | Topic | None:
    found = _MOVED.fullmatch(said)
    if found is None:
        return None
    rest, is_earlier = found["rest"], bool(_EARLIER.fullmatch(found["verb"]))
    edit = _moved_in_time(rest, shown, is_earlier=is_earlier)
    if edit is None and (onto := _ONTO.fullmatch(rest)) and (target := _target(onto["what"], shown)):
        edit = moved_to(target, onto["list"])
    if edit is None and (target := _target(rest, shown)):
        edit = Edit(target, lacks="when")
    return edit or Topic.WHICH_TASK


def _moved_in_time(rest: str, shown: Sequence[Listed], *, is_earlier: bool) -> Edit | None:
    """ "T3 to friday", "plants by a week": the day or the span ends the text."""
    for start in [gap.start() for gap in re.finditer(r" ", rest)]:
        what, words = rest[:start], rest[start + 1 :]
        if (span := span_of(words)) and (target := _target(what.removesuffix(" back"), shown)):
            return Edit(target, span=Span(-span.count if is_earlier else span.count, span.unit))
        if (when := due_alone(words)) and (target := _target(_without_link(what), shown)):
            return Edit(target, {"due": when})
    if (dated := due_at_end(rest)) and (target := _target(_without_link(dated[0]), shown)):
        return Edit(target, {"due": words_of(dated[1])})
    return None


def _without_link(words: str) -> str:
    return re.sub(r" (?:to|on|until|till|for|at|by)$", "", words, flags=re.IGNORECASE)


def _target(words: str, shown: Sequence[Listed]) -> Target | None:
    """All of a kind, or those that are named."""
    pointed = target_of(words, shown)
    if pointed and pointed.refs:
        return pointed
    return all_of(words.strip(QUOTES)) or (pointed if search_terms(words) else None)
