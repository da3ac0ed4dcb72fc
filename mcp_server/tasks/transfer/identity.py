"""How a task is known again when it comes back: by where it came from and its id there, or by what it looks like."""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from mcp_server.tasks.transfer.document import TaskRecord
from mcp_server.tasks.transfer.namesakes import Place
from mcp_server.tasks.words import fold

SOURCE: Final = "taskgate"  # of tasks that were written here and came from nowhere
Identity = tuple[str, str]


def native_id(space_id: str, no: int) -> str:
    """The id of a task that was written here. It tells spaces apart without telling whose they are."""
    return f"{_mark(space_id)}-{no}"


def native_number(space_id: str, identity: Identity) -> int | None:
    """The number of the task if this identity is one of that space's own."""
    source, (mark, _, number) = identity[0], identity[1].rpartition("-")
    is_ours = (source, mark) == (SOURCE, _mark(space_id)) and re.fullmatch(r"\d{1,15}", number, re.ASCII)
    return int(number) if is_ours else None


def named(identity: Identity) -> str:
    """An identity as one text, for tasks that a file speaks of without holding them."""
    return ":".join(identity)


def identity_named(text: str) -> Identity | None:
    """The identity in such a text."""
    source, _, source_id = text.partition(":")
    return (source, source_id) if source and source_id else None


def identities(records: Sequence[TaskRecord], origin: str, default: Place) -> dict[str, Identity]:
    """The identity of each record by its ref. Without an id of its own it is a mark of what it looks like: list,
    section, parent, title, and which of several that look alike it is. `default` is where tasks lie otherwise."""
    by_ref = {record.ref: record for record in records}
    looks: dict[str, str] = {}
    seen: dict[str, int] = {}
    found: dict[str, Identity] = {}
    for record in records:
        if record.source_id:
            found[record.ref] = (record.source, record.source_id)
            continue
        look = _look(record, by_ref, looks, default)
        seen[look] = seen.get(look, 0) + 1
        found[record.ref] = (origin, sha256(f"{look}\n{seen[look]}".encode()).hexdigest()[:32])
    return found


def _look(record: TaskRecord, by_ref: dict[str, TaskRecord], looks: dict[str, str], default: Place) -> str:
    """A mark of what a record and all above it look like, as far as the file goes."""
    line = {record.ref: record}
    while (above := by_ref.get(record.parent)) and above.ref not in line and above.ref not in looks:
        line[above.ref] = record = above
    for ref, one in reversed(line.items()):
        parent = looks.get(one.parent, one.parent)
        place = default.of(one)
        text = "\n".join(map(fold, (place.list_name, place.section, one.title)))
        looks[ref] = record_look = sha256(f"{parent}\n{text}".encode()).hexdigest()
    return record_look


def _mark(space_id: str) -> str:
    return sha256(f"export of {space_id}".encode()).hexdigest()[:12]
