"""Terms on custom fields as SQL. Values lie in one JSON document per task, under the number of their field."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, cast, false, func

from mcp_server.tasks.custom import field_value, type_of
from mcp_server.tasks.filtering.bounds import bounds
from mcp_server.tasks.filtering.tree import Value
from mcp_server.tasks.names import Named
from mcp_server.tasks.schedule import Here
from mcp_server.tasks.tables import KEY, tasks
from mcp_server.tasks.words import fold
from shared.errors import Problem

_COMPARISONS: Final[Mapping[str, Callable[[Any, float], Any]]] = {
    "": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def custom_condition(field: Named, value: Value, here: Here, *, on_sqlite: bool) -> ColumnElement[bool]:
    """Whether a task has such a value in this field; for tasks of the field's own space."""
    stored = tasks.c.fields[str(field.no)]
    # In byte order, as the dates of one form are ordered, and so that only ASCII letters lose their case below.
    text = cast(stored.as_string(), KEY)
    if not value.sign and fold(value.text) == "any":
        return text.is_not(None)
    kind = type_of(field)
    if kind == "number":
        # A text would break the cast on PostgreSQL; one may be left from before the field became a number.
        found = func.json_type(tasks.c.fields, f'$."{field.no}"') if on_sqlite else func.jsonb_typeof(stored)
        fits = _number_fits(field, value, stored.as_float(), here)
        return case((found.in_(("number", "integer", "real")), fits), else_=false())
    if kind == "date":
        days = bounds(value, here.now, here.habits)
        ends = [text >= days.first.isoformat()] if days.first else []
        ends += [text <= days.last.isoformat()] if days.last else []
        return and_(text.is_not(None), *ends)
    if value.sign:
        hint = f"{field.name}={value.text or value.last}, in quotes if it holds two dots"
        raise Problem("bad_argument", f'"{field.name}" is a {kind}, which cannot be compared', hint)
    wanted = field_value(field, value.text, here)
    if kind == "bool":
        return and_(text.is_not(None), text.in_(("true", "1") if wanted else ("false", "0")))
    return and_(text.is_not(None), func.lower(text) == _lower(wanted))


def _number_fits(field: Named, value: Value, stored: ColumnElement[float], here: Here) -> ColumnElement[bool]:
    def number(text: str) -> float:
        return float(field_value(field, text, here))

    if value.sign == "..":
        first, last = number(value.text or "-1e15"), number(value.last or "1e15")
        return stored.between(first, last)
    fits: ColumnElement[bool] = _COMPARISONS[value.sign](stored, number(value.text))
    return fits


def _lower(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)
