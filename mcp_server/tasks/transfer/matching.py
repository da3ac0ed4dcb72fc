"""Which task of a space a file means: the one that came from there, or one that looks the same."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from sqlalchemy import select

from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import Status
from mcp_server.tasks.transfer.document import TaskRecord
from mcp_server.tasks.transfer.identity import Identity, native_number
from mcp_server.tasks.words import fold
from mcp_server.tasks.writing.journal import Op

T = TypeVar("T")

_PORTION: Final = 1_000

# What two tasks have in common that look the same: parent or, without one, list; and title.
_Look = tuple[int | None, int, str]


async def known_identities(op: Op, identities: Sequence[Identity]) -> dict[Identity, int]:
    """The tasks of the space that have these identities, also those in the trash."""
    natives = {identity: number for identity in identities if (number := native_number(op.space.id, identity))}
    numbers = sorted(set(natives.values()))
    there = {
        row.no
        for some in portions(numbers)
        for row in await op.tx.all(select(tasks.c.no).where(op.area.rows(), tasks.c.no.in_(some)))
    }
    found = {identity: number for identity, number in natives.items() if number in there}
    by_source: dict[str, list[str]] = {}
    for source, source_id in identities:
        by_source.setdefault(source, []).append(source_id)
    for source, ids in by_source.items():
        for some in portions(sorted(set(ids))):
            rows = await op.tx.all(
                select(tasks.c.ext_id, tasks.c.no).where(
                    op.area.rows(), tasks.c.ext_src == source, tasks.c.ext_id.in_(some)
                )
            )
            found |= {(source, ext_id): number for ext_id, number in rows if (source, ext_id) not in found}
    return found


class LookAlikes:
    """The tasks of a space that came from nowhere, by what they look like. Each is found once."""

    def __init__(self, rows: Sequence[tuple[int, int, int | None, Status, str]]) -> None:
        self._by_look: dict[_Look, list[tuple[int, bool]]] = {}
        for number, list_no, parent_no, status, title in rows:
            self._by_look.setdefault(_look(list_no, parent_no, title), []).append((number, status == Status.OPEN))

    @classmethod
    async def read(cls, op: Op) -> "LookAlikes":
        """All that are not in the trash."""
        columns = (tasks.c.no, tasks.c.list_no, tasks.c.parent_no, tasks.c.status, tasks.c.title)
        living = (op.area.rows(), tasks.c.deleted_us.is_(None), tasks.c.ext_src.is_(None))
        return cls([tuple(row) for row in await op.tx.all(select(*columns).where(*living).order_by(tasks.c.no))])

    def take(self, record: TaskRecord, list_no: int, parent_no: int | None) -> int | None:
        """The next one that looks like this record. What is finished is only found by what is finished."""
        candidates = self._by_look.get(_look(list_no, parent_no, record.title), [])
        is_open = record.status == "open"
        fitting = [one for one in candidates if one[1] or not is_open]
        if not fitting:
            return None
        best = next((one for one in fitting if one[1] == is_open), fitting[0])
        candidates.remove(best)
        return best[0]


def _look(list_no: int, parent_no: int | None, title: str) -> _Look:
    return (parent_no, list_no if parent_no is None else 0, fold(title))


def portions(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Values for one statement after the other."""
    for start in range(0, len(values), _PORTION):
        yield values[start : start + _PORTION]
