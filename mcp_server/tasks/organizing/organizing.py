"""Making, changing and arranging lists, sections, tags, views and custom fields; only the caller's own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from mcp_server.tasks.names import INBOX_NAME, Kind, Named, checked
from mcp_server.tasks.organizing.converting import convert
from mcp_server.tasks.organizing.options import checked_options
from mcp_server.tasks.organizing.owned import is_inbox, own_list, own_name
from mcp_server.tasks.organizing.removing import Removal, delete, merge
from mcp_server.tasks.organizing.views import canonical, following, require_filter
from mcp_server.tasks.positions import after, before, between
from mcp_server.tasks.words import fold
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.naming import new_name, save_names
from shared.errors import Problem

TRASHED: Final = "tasks moved to the trash"  # as it is counted
PLACES: Final = 'one of "top", "bottom", "after X"'


class Action(StrEnum):
    """What can be done about a name."""

    CREATE = "create"
    SET = "set"
    RENAME = "rename"
    MOVE = "move"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    MERGE = "merge"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to do, in the words of who asks for it."""

    kind: Kind
    action: Action
    name: str
    to: str = ""
    filter: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Organized:
    """Names as they were and are, the one that was asked about first; and how many tasks that moved or changed."""

    names: Sequence[tuple[Named | None, Named]]
    tasks: Mapping[str, int] = field(default_factory=dict)


async def organize(op: Op, order: Order) -> Organized:
    """Do what is asked for. What is that way already is not written again."""
    _require_fitting(order)
    return await _DOING[order.action](op, order)


async def _create(op: Op, order: Order) -> Organized:
    name, parent_no = _new_place(op, order)
    text = canonical(order.filter)
    existing = op.area.names.find(order.kind, name, parent_no)
    if existing is not None:
        return _existing(existing, text, order)
    _require_free(op, order.kind, name, parent_no)
    options = checked_options(order.kind, order.options, {})
    made = new_name(op, order.kind, name, parent_no, filter=text, options=options)
    if order.kind is Kind.VIEW:
        await require_filter(op, made, order.filter)
    return await _saved(op, [(None, made)])


async def _set(op: Op, order: Order) -> Organized:
    row = own_name(op.sight, order.kind, order.name)
    options = checked_options(row.kind, order.options, row.options)
    now = replace(row, options=options, filter=canonical(order.filter) if order.filter else row.filter)
    if now.filter != row.filter:
        await require_filter(op, now, order.filter)
    converted = await convert(op, row, now) if row.kind is Kind.FIELD and options != row.options else 0
    return await _saved(op, [(row, now)], {"values changed": converted})


async def _rename(op: Op, order: Order) -> Organized:
    row = own_name(op.sight, order.kind, order.name)
    name = checked(row.kind, order.to)
    now = replace(row, name=name)
    if now.key != row.key:
        _require_free(op, row.kind, name, row.parent_no)
    return await _saved(op, [(row, now), *following(op.area.names, [now])])


async def _move(op: Op, order: Order) -> Organized:
    row = own_name(op.sight, order.kind, order.name)
    place = _place(op, row, order.to)
    if place is not None:
        return await _saved(op, [(row, replace(row, position=place))])
    if row.kind is not Kind.SECTION:
        raise Problem("bad_argument", f'"{order.to[:40]}" is no place for a {row.kind.value}', PLACES)
    above = own_list(op.sight, order.to)
    if above.no != row.parent_no:
        _require_free(op, row.kind, row.name, above.no)
    now = replace(row, parent_no=above.no)
    return await _saved(op, [(row, now), *following(op.area.names, [now])])


async def _archive(op: Op, order: Order) -> Organized:
    row = own_name(op.sight, order.kind, order.name)
    at_us = None if order.action is Action.UNARCHIVE else row.archived_us or op.tx.now_us
    return await _saved(op, [(row, replace(row, archived_us=at_us))])


async def _merge(op: Op, order: Order) -> Organized:
    return await _removed(op, await merge(op, own_name(op.sight, order.kind, order.name), order.to))


async def _delete(op: Op, order: Order) -> Organized:
    return await _removed(op, await delete(op, own_name(op.sight, order.kind, order.name), order.to))


async def _removed(op: Op, removal: Removal) -> Organized:
    views = following(op.area.names, [now for _, now in removal.names], removal.heirs)
    counts = {"tasks moved": removal.moved, TRASHED: removal.trashed}
    return await _saved(op, [*removal.names, *views], counts)


async def _saved(
    op: Op, pairs: Sequence[tuple[Named | None, Named]], tasks: Mapping[str, int] | None = None
) -> Organized:
    await save_names(op, pairs)
    return Organized(pairs, {what: count for what, count in (tasks or {}).items() if count})


_DOING: Final[Mapping[Action, Callable[[Op, Order], Awaitable[Organized]]]] = {
    Action.CREATE: _create,
    Action.SET: _set,
    Action.RENAME: _rename,
    Action.MOVE: _move,
    Action.ARCHIVE: _archive,
    Action.UNARCHIVE: _archive,
    Action.MERGE: _merge,
    Action.DELETE: _delete,
}
_ONLY: Final[Mapping[Action, tuple[Kind, ...]]] = {
    Action.ARCHIVE: (Kind.LIST,),
    Action.UNARCHIVE: (Kind.LIST,),
    Action.MERGE: (Kind.LIST, Kind.SECTION, Kind.TAG),
}
_MAY_HAVE_TO: Final = frozenset(
    {(Action.CREATE, Kind.SECTION), (Action.DELETE, Kind.LIST), (Action.DELETE, Kind.SECTION)}
)
_NEED_TO: Final[Mapping[Action, str]] = {
    Action.RENAME: "the new name",
    Action.MOVE: '"top", "bottom", "after X", or the list of a section',
    Action.MERGE: "what takes the tasks",
}


def _require_fitting(order: Order) -> None:
    """Refuse what the action does not take: dropping it silently would promise something."""
    kind, action = order.kind, order.action
    if kind not in _ONLY.get(action, tuple(Kind)):
        able = " or ".join(one.value for one in _ONLY[action])
        raise Problem("bad_argument", f"{kind.value} and {action.value} do not go together", f"name a {able}")
    if action in _NEED_TO and not order.to:
        raise Problem("missing_argument", f"{action.value} to what?", f"add to: {_NEED_TO[action]}")
    if order.to and action not in _NEED_TO and (action, kind) not in _MAY_HAVE_TO:
        hint = "merge gives its tasks another tag" if kind is Kind.TAG else "leave it out"
        raise Problem("bad_argument", f"{action.value} of a {kind.value} takes no to", hint)
    writes = action in (Action.CREATE, Action.SET)
    if order.filter and not (kind is Kind.VIEW and writes):
        raise Problem("bad_argument", "a filter is saved with a view", "create or set a view")
    if order.options and not writes:
        raise Problem("bad_argument", f"{action.value} takes no options", "action=set changes them")
    if kind is Kind.VIEW and action is Action.CREATE and not order.filter:
        raise Problem("missing_argument", "a view saves a filter", 'add filter, e.g. "p1 due:<=fri"')
    if action is Action.SET and not (order.options or order.filter):
        raise Problem("missing_argument", "nothing is set", "add options" + (" or filter" if kind is Kind.VIEW else ""))


def _new_place(op: Op, order: Order) -> tuple[str, int]:
    """The name of what is to be made, and the number of the list it belongs to."""
    name = _bare(order.kind, order.name)
    if order.kind is not Kind.SECTION:
        return name, 0
    above, slash, below = (part.strip() for part in name.partition("/"))
    if slash and order.to and fold(above) != fold(order.to):
        raise Problem("bad_argument", f'"{above[:40]}" and "{order.to[:40]}" are two lists', "give one of them")
    if not slash and not order.to:
        raise Problem("missing_argument", "a section of which list?", f'name it as "List/{name[:40]}"')
    return (below, own_list(op.sight, above).no) if slash else (name, own_list(op.sight, order.to).no)


def _bare(kind: Kind, name: str) -> str:
    return name.strip().lstrip("@#") if kind is Kind.TAG else name.strip()


def _existing(existing: Named, text: str, order: Order) -> Organized:
    """Making what is there already is no error, unless it was meant to be another thing."""
    kind, name = existing.kind.value, existing.name
    if existing.archived_us is not None:
        hint = f"organize(kind={kind}, action=unarchive, name={name})"
        raise Problem("archived", f'{kind} "{name}" exists and is archived', hint)
    if text not in ("", existing.filter) or checked_options(existing.kind, order.options, existing.options) != dict(
        existing.options
    ):
        raise Problem("name_taken", f'{kind} "{name}" exists, and is otherwise', "change it with action=set")
    return Organized([(existing, existing)])


def _require_free(op: Op, kind: Kind, name: str, parent_no: int) -> None:
    if kind is Kind.LIST and is_inbox(name):
        raise Problem("name_taken", f"{INBOX_NAME} is where tasks without a list lie", "another name")
    if there := op.area.names.find(kind, name, parent_no):
        hint = "use it, merge into it, or another name" if kind in _ONLY[Action.MERGE] else "use it, or another name"
        raise Problem("name_taken", f'{kind.value} "{there.name}" exists', hint)


def _place(op: Op, row: Named, to: str) -> str | None:
    """The place in the order that the words mean; nothing if they mean none. A list of that name comes first."""
    if row.kind is Kind.SECTION and op.area.names.find(Kind.LIST, to):
        return None
    order = op.area.names.of(row.kind, row.parent_no)
    others = [one for one in order if one.no != row.no]
    words, _, anchor = to.strip().partition(" ")
    match fold(words), anchor.strip():
        case "top", "":
            is_there = order[0] is row
            return row.position if is_there else before(others[0].position)
        case "bottom", "":
            is_there = order[-1] is row
            return row.position if is_there else after(others[-1].position)
        case "after", name if name:
            upper = _sibling(op, row, name)
            if order.index(row) == order.index(upper) + 1:
                return row.position
            lower = next((one.position for one in others if one.position > upper.position), None)
            return between(upper.position, lower) if lower else after(upper.position)
    return None


def _sibling(op: Op, row: Named, name: str) -> Named:
    found = op.area.names.find(row.kind, name, row.parent_no) or own_name(op.sight, row.kind, name)
    if found.no == row.no or found.parent_no != row.parent_no:
        raise Problem("bad_argument", f'"{name[:40]}" is not another {row.kind.value} beside it', PLACES)
    return found
