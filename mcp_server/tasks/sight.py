"""What a caller sees: his own space, and in other people's spaces the lists that they share with him.

Whoever reads or writes rows asks a `Sight` which ones he may. It is read anew in each transaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    or_,
    select,
)

from mcp_server.tasks.names import Kind, Named, Names, unknown_name
from mcp_server.tasks.spaces import Space, require_owner, space_of
from mcp_server.tasks.tables import aliases, lists, members, memberships, spaces, task_tags, tasks
from mcp_server.tasks.task import SEVERAL, Task
from mcp_server.tasks.words import closest, fold
from shared.db import AnyRow, Tx
from shared.errors import Problem


class Role(StrEnum):
    """What a member may do with a list."""

    VIEW = "view"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class Area:
    """One space as the caller sees it: all of his own, or some lists of somebody else's."""

    space: Space
    names: Names
    alias: str = ""  # the caller's name for the owner; empty for his own space
    roles: Mapping[int, Role] = field(default_factory=dict)  # by list, in other people's spaces

    @property
    def is_own(self) -> bool:
        """Whether the space belongs to the caller."""
        return not self.alias

    @property
    def list_numbers(self) -> tuple[int, ...]:
        """The shared lists and their sections."""
        return tuple(number for shared in self.roles for number in self.names.with_sections(shared))

    def rows(self) -> ColumnElement[bool]:
        """The condition that every statement on tasks of this area carries."""
        mine = tasks.c.space_id == self.space.id
        return mine if self.is_own else and_(mine, tasks.c.list_no.in_(self.list_numbers))

    def may_see(self, list_no: int) -> bool:
        """Whether tasks of that list or section are the caller's to see."""
        return self.is_own or self.names.list_of(list_no) in self.roles

    def require_edit(self, list_no: int) -> None:
        """Raise `read_only` unless the caller may change tasks of that list or section."""
        if self.is_own:
            return
        if not self.may_see(list_no):
            raise Problem("read_only", f"{self.alias} shares single lists with you", "name one of them as list")
        if self.roles[self.names.list_of(list_no)] is not Role.EDIT:
            name = self.names.path(list_no)
            raise Problem("read_only", f'you may only view "{name}"', f"ask {self.alias} for the role edit")

    def label(self, letter_and_number: str) -> str:
        """A reference as the caller writes it: `T12`, in somebody else's space `ann:T12`."""
        return f"{self.alias}:{letter_and_number}" if self.alias else letter_and_number


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything a caller sees. His own area comes first."""

    areas: tuple[Area, ...]
    people: Mapping[str, str]  # person -> the caller's name for him

    @property
    def own(self) -> Area:
        """The caller's own area."""
        return self.areas[0]

    @property
    def shared(self) -> Sequence[Area]:
        """What others share with the caller."""
        return self.areas[1:]

    def rows(self) -> ColumnElement[bool]:
        """The condition for tasks of all areas."""
        return or_(*(area.rows() for area in self.areas))

    def area(self, space_id: str) -> Area:
        """The area of that space."""
        return next(area for area in self.areas if area.space.id == space_id)

    def including(self, area: Area) -> "Sight":
        """The same sight with this area as it is now."""
        return replace(self, areas=tuple(area if one.space.id == area.space.id else one for one in self.areas))

    def area_called(self, alias: str) -> Area:
        """The area whose owner the caller calls that."""
        for area in self.shared:
            if fold(area.alias) == fold(alias):
                return area
        raise unknown_person(alias, (area.alias for area in self.shared))

    def ref(self, task: Task) -> str:
        """How the caller refers to a task."""
        return self.area(task.space_id).label(f"T{task.no}")

    def places(self, path: str) -> Sequence[tuple[Area, int]]:
        """The lists or sections of that name: the caller's own, else shared ones; `ann:List` says whose is meant."""
        area, name = self._named(path)
        areas = self.shared if area is None and self.own.names.find_place(path) is None else [area or self.own]
        return [(one, number) for one in areas if (number := _place_in(one, name)) is not None]

    def place(self, path: str) -> tuple[Area, int]:
        """The one list or section of that name. Raises a `Problem` with the nearest names unless there is one."""
        found = self.places(path)
        if len(found) > 1:
            choice = ", ".join(f'"{area.label(path.strip())}"' for area, _ in found)
            raise Problem("ambiguous_ref", f'several people share a list "{path[:40]}"', choice)
        if not found:
            area, name = self._named(path)
            return area or self.own, _place_seen(area or self.own, name)
        return found[0]

    def _named(self, path: str) -> tuple[Area | None, str]:
        """Whose list a path says that it means, and what is left of it."""
        alias, colon, rest = path.partition(":")
        if colon:
            for area in self.shared:
                if fold(area.alias) == fold(alias):
                    return area, rest
        return None, path

    def person(self, name: str) -> str:
        """The person whom the caller calls that; `me` is himself."""
        if fold(name) == "me":
            return self.own.space.id
        for person, alias in self.people.items():
            if fold(alias) == fold(name):
                return person
        raise unknown_person(name, self.people.values())

    def name_of(self, person: str | None) -> str:
        """What the caller calls a person; empty for himself and for nobody."""
        if person is None or person == self.own.space.id:
            return ""
        return SEVERAL if person == SEVERAL else self.people.get(person, "somebody")


def unknown_person(name: str, known: Iterable[str]) -> Problem:
    """The refusal of a name that the caller has given nobody."""
    names = list(known)
    near = ", ".join(closest(name, names)) or ", ".join(sorted(names)[:5])
    hint = f"one of those you share lists with: {near}" if near else "share a list with that person first"
    return Problem("unknown_person", f'you know nobody as "{name[:40]}"', hint)


def _place_seen(area: Area, path: str) -> int:
    """The shared list or section of that name; the owner's Inbox is never one."""
    number = area.names.place(path)
    if not area.may_see(number):
        raise unknown_name(Kind.LIST, path, (row.name for row in area.names.of(Kind.LIST)))
    return number


def _place_in(area: Area, path: str) -> int | None:
    number = area.names.find_place(path)
    return number if number is not None and area.may_see(number) else None


_ME: Final = bindparam("me", type_=String)
_NAMED: Final = (
    lists.c.no,
    lists.c.kind,
    lists.c.name,
    lists.c.parent_no,
    lists.c.position,
    lists.c.filter,
    lists.c.options,
    lists.c.archived_us,
    lists.c.rev,
)
# Both sides have to agree on a membership. Roles and numbers hold no comma and no colon.
_SHARED_WITH_ME: Final = (
    select(
        func.aggregate_strings(
            memberships.c.space_id + ":" + cast(memberships.c.list_no, String) + ":" + members.c.role, ","
        )
    )
    .join_from(
        memberships,
        members,
        and_(
            members.c.space_id == memberships.c.space_id,
            members.c.list_no == memberships.c.list_no,
            members.c.user_key == memberships.c.user_key,
        ),
    )
    .where(memberships.c.user_key == _ME)
    .scalar_subquery()
)
_PEOPLE: Final = (
    select(func.aggregate_strings(aliases.c.space_id + ":" + aliases.c.alias, ","))
    .where(aliases.c.user_key == _ME)
    .scalar_subquery()
)
_OWN: Final = (
    select(
        spaces.c.rev,
        spaces.c.tz,
        spaces.c.settings,
        spaces.c.owner_iss,
        spaces.c.owner_sub,
        _SHARED_WITH_ME,
        _PEOPLE,
        *_NAMED,
    )
    .outerjoin_from(spaces, lists, and_(lists.c.space_id == spaces.c.id, lists.c.deleted_us.is_(None)))
    .where(spaces.c.id == _ME)
)


async def read_sight(tx: Tx, default_tz: str) -> Sight:
    """What the caller sees now; before his first write an empty space in the zone his client named.

    One statement, and a second one for people with whom lists are shared.
    """
    me = space_of(tx.caller)
    rows = await tx.all(_OWN, {"me": me})
    if not rows:
        return Sight((Area(Space(me, 0, default_tz), Names()),), {})
    rev, tz, settings, issuer, subject, shared, people = rows[0][:7]
    require_owner(tx, issuer, subject)
    own = Area(Space(me, rev, tz, settings), Names(_named(row[7:]) for row in rows if row[7] is not None))
    known = dict(entry.split(":", 1) for entry in people.split(",")) if people else {}
    others = await _others(tx, _roles(shared), known) if shared else ()
    return Sight((own, *others), known)


async def require_members(tx: Tx, sight: Sight, area: Area, people: Collection[str]) -> None:
    """Raise unless all of them see a list that somebody else shares with the caller: whom its owner let in, or himself.

    Nobody is named there who is unknown to the owner, or whose name would tell what else the owner shares.
    """
    strangers = set(people) - {area.space.id, sight.own.space.id}
    if area.is_own or not strangers:
        return
    rows = await tx.all(
        select(members.c.user_key).where(
            members.c.space_id == area.space.id,
            members.c.list_no.in_(list(area.roles)),
            members.c.user_key.in_(strangers),
        )
    )
    if strangers := strangers - {row.user_key for row in rows}:
        name = sight.name_of(min(strangers))
        raise Problem("unknown_person", f"{area.alias} does not share this with {name}", f"me, or {area.alias}")


def _roles(shared: str) -> dict[str, dict[int, Role]]:
    roles: dict[str, dict[int, Role]] = {}
    for entry in shared.split(","):
        space_id, list_no, role = entry.split(":")
        roles.setdefault(space_id, {})[int(list_no)] = Role(role)
    return roles


async def _others(tx: Tx, roles: Mapping[str, Mapping[int, Role]], people: Mapping[str, str]) -> Sequence[Area]:
    me = space_of(tx.caller)
    await tx.widen({"taskgate.spaces": ",".join((me, *roles))})
    visible = or_(*(_shows(space_id, tuple(by_list)) for space_id, by_list in roles.items()))
    rows = await tx.all(
        select(spaces.c.id, spaces.c.rev, spaces.c.tz, spaces.c.settings, *_NAMED)
        .join_from(spaces, lists, and_(lists.c.space_id == spaces.c.id, lists.c.deleted_us.is_(None)))
        .where(spaces.c.deleted_us.is_(None), visible)
        .order_by(spaces.c.id)
    )
    by_space: dict[str, list[AnyRow]] = {}
    for row in rows:
        by_space.setdefault(row[0], []).append(row)
    areas = []
    for space_id, own in by_space.items():
        names = Names(_named(row[4:]) for row in own)
        living = {list_no: role for list_no, role in roles[space_id].items() if names.get(list_no)}
        if living:
            _, rev, tz, settings = own[0][:4]
            areas.append(Area(Space(space_id, rev, tz, settings), names, people.get(space_id, "somebody"), living))
    return areas


def _shows(space_id: str, list_numbers: tuple[int, ...]) -> ColumnElement[bool]:
    """The names of a space that its guests may know: of the shared lists, and of the tags in use there."""
    section = lists.alias("section")
    places = select(section.c.no).where(
        section.c.space_id == space_id,
        or_(
            section.c.no.in_(list_numbers),
            and_(section.c.kind == Kind.SECTION, section.c.parent_no.in_(list_numbers)),
        ),
    )
    used = exists().where(
        task_tags.c.space_id == space_id,
        task_tags.c.tag_no == lists.c.no,
        tasks.c.space_id == space_id,
        tasks.c.no == task_tags.c.task_no,
        tasks.c.deleted_us.is_(None),
        tasks.c.list_no.in_(places),
    )
    return and_(
        lists.c.space_id == space_id,
        case(
            (lists.c.kind == Kind.LIST, lists.c.no.in_(list_numbers)),
            (lists.c.kind == Kind.SECTION, lists.c.parent_no.in_(list_numbers)),
            (lists.c.kind == Kind.TAG, used),
            else_=false(),
        ),
    )


def _named(row: Sequence[Any]) -> Named:
    no, kind, name, parent_no, position, filter_text, options, archived_us, rev = row
    return Named(no, Kind(kind), name, parent_no, position, filter_text, options, archived_us, None, rev)
