"""What a file names and what is called so here: lists, sections, tags, fields and views. What is missing is made."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mcp_server.tasks.names import INBOX_NAME, Kind, Named, Names, name_key
from mcp_server.tasks.organizing.options import checked_options
from mcp_server.tasks.organizing.views import canonical, require_filter
from mcp_server.tasks.task import INBOX
from mcp_server.tasks.transfer.document import Document, NameRecord, TaskRecord
from mcp_server.tasks.transfer.faults import Faults
from mcp_server.tasks.words import fold
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.naming import new_name, save_names
from shared.errors import Problem


@dataclass(frozen=True, slots=True)
class Place:
    """A list and perhaps one of its sections, by name. Without a list it is the Inbox."""

    list_name: str = ""
    section: str = ""

    def of(self, record: TaskRecord) -> "Place":
        """Where a file puts a task; this place holds for what the file does not say."""
        if record.list_name:
            return Place(record.list_name, record.section)
        return Place(self.list_name, record.section or self.section)

    def number(self, names: Names) -> int:
        """The number of the section or list."""
        above = names.find(Kind.LIST, self.list_name) if self.list_name else None
        if above is None:
            return INBOX
        section = names.find(Kind.SECTION, self.section, above.no) if self.section else None
        return section.no if section else above.no


def place_called(op: Op, path: str) -> Place:
    """The place that `List` or `List/Section` means. An import goes into the caller's own lists, which may be new."""
    name, _, section = (part.strip() for part in path.partition("/"))
    try:
        area, _ = op.sight.place(path)
    except Problem:
        return Place(name, section)
    if not area.is_own:
        raise Problem("mixed_spaces", f'"{path[:40]}" is of {area.alias}', "import into a list of your own")
    return Place() if fold(name) == fold(INBOX_NAME) else Place(name, section)


async def make_missing(op: Op, document: Document, default: Place, faults: Faults) -> Mapping[str, int]:
    """Make what the file names and is not there yet. Returns how many of each kind were made."""
    made: dict[tuple[Kind, int, str], Named] = {}
    for record in _wanted(document, default):
        kind = Kind(record.kind)
        above = made.get((Kind.LIST, 0, fold(record.list_name))) or op.area.names.find(Kind.LIST, record.list_name)
        parent_no = above.no if kind is Kind.SECTION and above else 0
        key = (kind, parent_no, name_key(kind, record.name))
        if key in made or op.area.names.find(kind, record.name, parent_no):
            continue
        try:
            made[key] = _made(op, kind, record, parent_no)
        except Problem as problem:
            faults.add_once(1, f'the {kind.value} "{record.name}" is not made: {problem.message}')
    await save_names(op, [(None, one) for one in made.values()])
    views = await _make_views(op, [one for one in document.names if one.kind == "view"], faults)
    counts = Counter(f"{one.kind.value}s added" for one in made.values())
    return {**counts, **({"views added": views} if views else {})}


def _wanted(document: Document, default: Place) -> Iterator[NameRecord]:
    """All names of a file, each first as it describes it itself, lists before their sections."""
    places = dict.fromkeys([default, *(default.of(record) for record in document.tasks)])
    if any(place.section and not place.list_name for place in places):
        message = "this file has sections but names no list, and the Inbox has no sections"
        raise Problem("missing_argument", message, "give list, the name of a list to put them into")
    described = [one for one in document.names if fold(one.name) != fold(INBOX_NAME) or one.kind != "list"]
    for kind in (Kind.LIST, Kind.SECTION, Kind.TAG, Kind.FIELD):
        yield from (one for one in described if one.kind == kind.value)
        if kind is Kind.LIST:
            yield from (NameRecord("list", place.list_name) for place in places if place.list_name)
        elif kind is Kind.SECTION:
            yield from (NameRecord("section", place.section, place.list_name) for place in places if place.section)
        elif kind is Kind.TAG:
            tags = dict.fromkeys(tag for record in document.tasks for tag in record.tags)
            yield from (NameRecord("tag", tag) for tag in tags)


def _made(op: Op, kind: Kind, record: NameRecord, parent_no: int) -> Named:
    options = checked_options(kind, record.options, {})
    archived_us = op.tx.now_us if record.is_archived else None
    return new_name(op, kind, record.name, parent_no, options=options, archived_us=archived_us)


async def _make_views(op: Op, records: Sequence[NameRecord], faults: Faults) -> int:
    """One after the other, and again those that name another view which came later."""
    waiting = [one for one in records if op.area.names.find(Kind.VIEW, one.name) is None]
    made = 0
    while waiting:
        refused: list[tuple[NameRecord, str]] = []
        for record in waiting:
            try:
                options = checked_options(Kind.VIEW, record.options, {})
                view = new_name(op, Kind.VIEW, record.name, filter=canonical(record.filter), options=options)
                await require_filter(op, view, record.filter)
            except Problem as problem:
                refused.append((record, problem.message))
                continue
            await save_names(op, [(None, view)])
        made += len(waiting) - len(refused)
        if len(refused) == len(waiting):
            for record, why in refused:
                faults.add_once(1, f'the view "{record.name}" is not made: {why}')
            break
        waiting = [record for record, _ in refused]
    return made
