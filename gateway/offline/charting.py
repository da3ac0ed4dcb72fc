"""Messages that want figures: what is counted, for each what, and the statement that counts it."""

from typing import Final

from gateway.offline.when import pattern
from gateway.offline.wishes import Chart

_CHARTED: Final = pattern(
    r"(?:(?:show|draw|make|create|give|plot|see)(?: me)? )?(?:an? |the |my )?(?:(?P<kind>bar|line|pie)[ -]?)?"
    r"(?:charts?|graphs?|plot|diagram|statistics|stats)\b.*"
)
_COUNTED: Final = pattern(
    r"(?:how many|(?:the )?number of|count|(?:show|give)(?: me)?(?: my| the| all)?"
    r"|(?:my )?(?:(?:open|finished|overdue) )?tasks)\b.*"
)
_PER: Final = pattern(
    r"\b(?:per|by|each|every|for each|across|a(?= day| week| month))(?: (?:the|due|my))?"
    r" (?P<day>week ?day|day of the week|day|week|month"
    r"|list|project|tag|label|priority|priorities|status|state)s?\b"
)
_TASKS: Final = pattern(r"\b(?:tasks?|to-?dos?|lists?|open|finished|overdue|done|added|completed)\b")
_MEASURES: Final = (
    (pattern(r"\b(?:finish(?:ed)?|complet(?:e|ed|ions?)|done)\b"), "finished"),
    (pattern(r"\b(?:add(?:ed)?|creat(?:e|ed)|new)\b"), "added"),
    (pattern(r"\b(?:overdue|late)\b"), "overdue"),
)
_WHERE: Final = {
    "open": "status = 'open'",
    "finished": "status = 'done'",
    "added": "created NOT NULL",
    "overdue": "status = 'open' AND overdue = 1",
}
# For each: the label, what it is counted in, and the order.
_GROUPS: Final = {
    "list": ("list", "tasks", "2 DESC, 1"),
    "tag": ("tag", "tags JOIN tasks ON id = task", "2 DESC, 1"),
    "priority": ("'p' || priority AS priority", "tasks", "1"),
    "status": ("status", "tasks", "1"),
}
_SAME: Final = {"project": "list", "label": "tag", "priorities": "priority", "state": "status"}
# What is counted over time: in which table, by which day.
_DAYS: Final = {
    "open": ("tasks", "due"),
    "overdue": ("tasks", "due"),
    "finished": ("completions", "done_date"),
    "added": ("tasks", "created_date"),
}
_TODAY: Final = "(SELECT today FROM me)"
_SINCE: Final = {"day": "-13 days", "week": "-83 days", "month": "-11 months"}


def charted(said: str, *, is_chosen: bool = False) -> Chart | None:
    """The chart that is asked for. If one was chosen to be drawn, the message need not say so."""
    text = said.rstrip("? ")
    chart, per = _CHARTED.fullmatch(text), _PER.search(text)
    if is_chosen and not (chart or per or _TASKS.search(text)):
        return None
    if not is_chosen and chart is None and not (per and _COUNTED.fullmatch(text)):
        return None
    measure = next((name for form, name in _MEASURES if form.search(text)), "open")
    group = per["day"].lower().replace(" ", "") if per else "day" if measure in ("finished", "added") else "list"
    group = _SAME.get(group, group)
    kind = (chart["kind"] or "").lower() if chart else ""
    if group in _GROUPS:
        return Chart(_by_group(measure, group), kind or "bar", _about(measure, group))
    if group in _SINCE:
        return Chart(_over_time(measure, group), kind or "line", _about(measure, group))
    return Chart(_by_weekday(measure), kind or "bar", _about(measure, "weekday"))


def _by_group(measure: str, group: str) -> str:
    label, source, order = _GROUPS[group]
    if group == "status":
        return _select(label, "tasks", source, "", order)
    return _select(label, measure, source, _WHERE[measure], order)


def _over_time(measure: str, group: str) -> str:
    table, day = _DAYS[measure]
    label = {"day": day, "week": f"{day.removesuffix('_date')}_week", "month": f"substr({day}, 1, 7)"}[group]
    where = f"{_WHERE[measure]} AND {day} NOT NULL"
    if measure in ("finished", "added"):
        where += f" AND {day} >= date({_TODAY}, '{_SINCE[group]}')"
    return _select(f"{label} AS {group}", measure, table, where, "1")


def _by_weekday(measure: str) -> str:
    table, day = _DAYS[measure]
    number = f"strftime('%w', {day})"
    label = f"substr('SunMonTueWedThuFriSat', 1 + 3 * {number}, 3) AS weekday"
    return _select(label, measure, table, f"{_WHERE[measure]} AND {day} NOT NULL", f"({number} + 6) % 7")


def _select(label: str, counted: str, source: str, where: str, order: str) -> str:
    """A statement of words of this file alone."""
    parts = ("SELECT", f"{label},", f"count(*) AS {counted}", "FROM", source, where and f"WHERE {where}")
    return " ".join(filter(None, (*parts, "GROUP BY 1 ORDER BY", order)))


def _about(measure: str, group: str) -> str:
    return f"{'all' if group == 'status' else measure} tasks per {group}"
