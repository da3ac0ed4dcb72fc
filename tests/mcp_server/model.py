"""What a person has, in plain dictionaries: something to compare the product with, and none of its code."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

INBOX: Final = 0

Call = tuple[str, Mapping[str, Any]]
Words = Mapping[str, Any]


class Refusal(Exception):
    """A call that changes nothing, and the code it is refused with."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Place:
    """A list, or a section of the list `above`. `gone` is the call that deleted it."""

    name: str
    above: int = INBOX
    gone: int | None = None


@dataclass(slots=True)
class Item:
    """One task. Other tasks are named by their references, places and tags by their numbers in the model."""

    title: str
    place: int = INBOX
    parent: str = ""
    status: str = ""
    notes: str = ""
    priority: str = "p4"
    due: date | None = None
    time: str = ""
    start: date | None = None
    deadline: date | None = None
    every: int = 0
    from_done: bool = False
    anchor: date | None = None
    estimate: int = 0
    reminders: frozenset[int] = frozenset()
    tags: frozenset[int] = frozenset()
    waits_for: frozenset[str] = frozenset()
    effort: int | None = None
    gone: int | None = None

    @property
    def is_open(self) -> bool:
        return not self.status and self.gone is None


@dataclass(slots=True)
class Model:
    """Everything of one person."""

    items: dict[str, Item] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)
    finished: dict[str, list[str]] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    numbers: int = 0

    def copy(self) -> "Model":
        """The same, to go on from without changing this one."""
        return deepcopy(self)

    def number(self) -> int:
        """A new number for a place or a tag."""
        self.numbers += 1
        return self.numbers

    # what there is

    def living(self) -> list[str]:
        """The tasks that are not in the trash."""
        return [ref for ref, item in self.items.items() if item.gone is None]

    def trash(self) -> list[str]:
        """Those that are."""
        return [ref for ref, item in self.items.items() if item.gone is not None]

    def path(self, number: int) -> tuple[str, str]:
        """The names of a list and of a section in it, as far as they are there."""
        place = self.places.get(number)
        if place is None or place.gone is not None:
            return "", ""
        return (self.places[place.above].name, place.name) if place.above else (place.name, "")

    def sections(self, number: int) -> list[int]:
        """The sections of a list."""
        return [no for no, place in self.places.items() if place.above == number and place.gone is None and number]

    def below(self, ref: str) -> Iterator[str]:
        """All subtasks, whatever their depth, those in the trash too."""
        for child, item in list(self.items.items()):
            if item.parent == ref:
                yield child
                yield from self.below(child)

    def depth(self, ref: str) -> int:
        """On which level a task stands; 1 is the top."""
        parent = self.items[ref].parent
        return 1 + (self.depth(parent) if parent else 0)

    def height(self, ref: str) -> int:
        """How many levels there are from a task downwards."""
        return 1 + max((self.height(child) for child, item in self.items.items() if item.parent == ref), default=0)

    def waits(self, ref: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """Everything that must be done before a task, directly or not."""
        for other in self.items[ref].waits_for - seen:
            yield other
            yield from self.waits(other, seen | {ref, other})

    def matches(self, text: str, *, trash: bool = False) -> list[str]:
        """The tasks that a filter of one term finds."""
        key, _, value = text.partition(":")
        among = [ref for ref in self.items if self.items[ref].is_open] if not trash else self.trash()
        match key:
            case "list":
                number = self.place(value)
                inside = {number, *self.sections(number)}
                return [ref for ref in among if self.items[ref].place in inside]
            case "tag":
                number = self.tag(value)
                return [ref for ref in among if number in self.items[ref].tags]
        return [ref for ref in among if self.items[ref].priority == text]

    def ever_done(self) -> set[str]:
        """The tasks that were done at least once and, if that was not the last time, are not taken back."""
        return {ref for ref in self.living() if "done" in self.finished.get(ref, ())}

    # names

    def place(self, path: str) -> int:
        """The number of a list or section by its path."""
        name, _, section = path.partition("/")
        if name == "Inbox":
            return INBOX
        above = self.find(name)
        if above is None:
            raise Refusal("unknown_list")
        found = self.find(section, above) if section else above
        if found is None:
            raise Refusal("unknown_section")
        return found

    def find(self, name: str, above: int = INBOX) -> int | None:
        """The list of that name, or the section in the list `above`."""
        known = self.places.items()
        return next((no for no, one in known if (one.name, one.above, one.gone) == (name, above, None)), None)

    def tag(self, name: str) -> int:
        """The number of a tag."""
        if name not in self.tags:
            raise Refusal("unknown_tag")
        return self.tags[name]

    def ref(self, ref: str, *, trash: bool = False) -> str:
        """A reference that means something."""
        if ref not in self.items:
            raise Refusal("unknown_ref")
        if self.items[ref].gone is not None and not trash:
            raise Refusal("in_trash")
        return ref


@dataclass(slots=True)
class Done:
    """What a call came to: its counts, references of new tasks in their order, and tasks put to a place by hand."""

    counts: dict[str, int]
    new: list[str] = field(default_factory=list)
    placed: list[tuple[str, str]] = field(default_factory=list)


def counted(what: str, changed: int, total: int) -> dict[str, int]:
    """How many of all changed, and how many stayed as they were."""
    return {what: changed} | ({"unchanged": total - changed} if total > changed else {})
