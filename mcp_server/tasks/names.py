"""The names of a space: lists, sections, tags, views and custom fields, found as people write them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from mcp_server.tasks.task import INBOX
from mcp_server.tasks.words import checked_name, closest, fold
from shared.errors import Problem

INBOX_NAME: Final = "Inbox"
_ASKED_FOR: Final = ("any", "none")  # what `tag:` takes besides names


class Kind(StrEnum):
    """What a name can be the name of."""

    LIST = "list"
    SECTION = "section"
    TAG = "tag"
    VIEW = "view"
    FIELD = "field"


@dataclass(frozen=True, slots=True)
class Named:
    """One list, section, tag, view or field. `parent_no` is the list of a section and 0 otherwise."""

    no: int
    kind: Kind
    name: str
    parent_no: int = 0
    position: str = ""
    filter: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    archived_us: int | None = None
    deleted_us: int | None = None
    rev: int = 0

    @property
    def key(self) -> str:
        """What must be unique: the name as people compare it."""
        return name_key(self.kind, self.name)


def name_key(kind: Kind, name: str) -> str:
    """A name as it is compared: without case and accents, a tag also without the sign in front."""
    return fold(name.lstrip("@#") if kind is Kind.TAG else name)


def checked(kind: Kind, name: str) -> str:
    """A name as it can be kept; a tag without the sign in front, and none that a filter takes for something else."""
    if kind is not Kind.TAG:
        return checked_name(name, kind.value)
    clean = checked_name(name.lstrip("@#"), kind.value)
    if clean[0] in "+-":
        raise Problem("bad_name", f'a tag cannot begin with "{clean[0]}"', "leave it out")
    if fold(clean) in _ASKED_FOR:
        raise Problem("bad_name", f'in filters "{clean}" says whether there is a tag', "another name")
    return clean


class Names:
    """What is there under which name. What was deleted is not there."""

    def __init__(self, rows: Iterable[Named] = ()) -> None:
        ordered = sorted(rows, key=lambda row: (row.position, row.no))
        self._by_no = {row.no: row for row in ordered if row.deleted_us is None}
        self._by_name = {(row.kind, row.parent_no, row.key): row for row in self._by_no.values()}

    def including(self, changed: Iterable[Named]) -> "Names":
        """The same names, but for these: new, renamed or deleted."""
        return Names((self._by_no | {row.no: row for row in changed}).values())

    def get(self, no: int) -> Named | None:
        """The thing with that number."""
        return self._by_no.get(no)

    def of(self, kind: Kind, parent_no: int | None = None) -> Sequence[Named]:
        """All of a kind, in their order; the sections of one list if that is said."""
        return [
            row
            for row in self._by_no.values()
            if row.kind is kind and (parent_no is None or row.parent_no == parent_no)
        ]

    def find(self, kind: Kind, name: str, parent_no: int = 0) -> Named | None:
        """The one of that name."""
        return self._by_name.get((kind, parent_no, name_key(kind, name)))

    def require(self, kind: Kind, name: str, parent_no: int = 0) -> Named:
        """The one of that name; a `Problem` with the nearest names if there is none."""
        found = self.find(kind, name, parent_no)
        if found is None:
            raise unknown_name(kind, name, (row.name for row in self.of(kind, parent_no)))
        return found

    def find_place(self, path: str) -> int | None:
        """The number of a list or section written as `List` or `List/Section`; the Inbox is 0."""
        name, slash, section = _parts(path)
        if not slash and fold(name) == fold(INBOX_NAME):
            return INBOX
        found = self.find(Kind.LIST, name)
        if found is not None and slash:
            found = self.find(Kind.SECTION, section, found.no)
        return None if found is None else found.no

    def place(self, path: str) -> int:
        """The same. Raises `unknown_list` or `unknown_section` with the nearest names, which takes a while."""
        found = self.find_place(path)
        if found is not None:
            return found
        name, _, section = _parts(path)
        above = self.require(Kind.LIST, name)
        return self.require(Kind.SECTION, section, above.no).no

    def with_sections(self, list_no: int) -> tuple[int, ...]:
        """A list and its sections."""
        return (list_no, *(row.no for row in self.of(Kind.SECTION, list_no)))

    def path(self, list_no: int) -> str:
        """A list or section as `place` reads it; nothing for the Inbox or for what is gone."""
        row = self.get(list_no)
        if row is None:
            return ""
        above = self.get(row.parent_no) if row.kind is Kind.SECTION else None
        return f"{above.name}/{row.name}" if above else row.name

    def list_of(self, list_no: int) -> int:
        """The list in which a list or section lies; itself for a list and for the Inbox."""
        row = self.get(list_no)
        return row.parent_no if row is not None and row.kind is Kind.SECTION else list_no

    def tags(self, numbers: Iterable[int]) -> list[str]:
        """The names of these tags, in their order; one that was deleted has none any more."""
        there = {number: row.name for number in numbers if (row := self.get(number))}
        return sorted(there.values(), key=fold)


def _parts(path: str) -> tuple[str, str, str]:
    name, slash, section = path.partition("/")
    return name.strip(), slash, section.strip()


def unknown_name(kind: Kind, name: str, known: Iterable[str]) -> Problem:
    """The refusal of a name that nothing has."""
    near = ", ".join(f'"{one}"' for one in closest(name, known))
    what = f'no {kind.value} "{name[:40]}"'
    if near:
        return Problem(f"unknown_{kind.value}", f"{what}. Closest: {near}", f"use one, or {_create(kind)}")
    return Problem(f"unknown_{kind.value}", what, _create(kind))


def _create(kind: Kind) -> str:
    return f"organize(kind={kind.value}, action=create)"
