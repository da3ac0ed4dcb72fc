"""Files on their way in: one operation adds the tasks that are new and changes those that came before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import select

from mcp_server.tasks.calendar.dates import shown
from mcp_server.tasks.names import Kind
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import deps
from mcp_server.tasks.task import INBOX, Task
from mcp_server.tasks.transfer.document import Document, Fault, TaskRecord
from mcp_server.tasks.transfer.faults import Faults
from mcp_server.tasks.transfer.filling import Filling
from mcp_server.tasks.transfer.identity import Identity, identities, identity_named
from mcp_server.tasks.transfer.links import hang, parents_first, wait_for
from mcp_server.tasks.transfer.matching import LookAlikes, known_identities
from mcp_server.tasks.transfer.namesakes import Place, make_missing, place_called
from mcp_server.tasks.transfer.past import add_comments, add_completions
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.relations import load_lines

_STEP: Final = 200


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file: how much of what, the tasks as they were and are, and what was not understood."""

    counts: Mapping[str, int]
    changed: Sequence[tuple[Task | None, Task]]
    faults: Sequence[Fault]


async def import_document(op: Op, document: Document, list_path: str) -> Imported:
    """Bring a file into the caller's own space. `list_path` is where tasks go that the file puts nowhere.

    Telling about the progress also gives others a turn, because much of this is not waiting.
    """
    default = place_called(op, list_path) if list_path else Place()
    faults = Faults()
    names = await make_missing(op, document, default, faults)
    arrival = _Arrival(op, document, default, faults)
    size = len(document.tasks)

    async def written(done: int, total: int) -> None:
        await op.progress((size + size * done // total) // 2, size)

    await arrival.find()
    for done in arrival.filled():
        await op.progress(done // 2, size)
    await arrival.link()
    saved = await arrival.bench.save(written)
    finished = [now for before, now in saved if now.completed_us is not None and (before is None or before.is_open)]
    done = await add_completions(op, document.completions, finished, arrival.numbers, arrival.filling, faults)
    said = await add_comments(op, document.comments, arrival.numbers, arrival.filling, faults)
    counts = {
        "added": sum(before is None for before, _ in saved),
        "updated": sum(before is not None and before.deleted_us is None for before, _ in saved),
        "restored": sum(before is not None and before.deleted_us is not None for before, _ in saved),
        "unchanged": len(arrival.numbers) - len({now.no for _, now in saved} & set(arrival.numbers.values())),
        "skipped": document.left_out + faults.left_out,
        **names,
        "comments added": said,
        "completions added": done,
    }
    found = sorted((*document.faults, *faults.found), key=lambda fault: fault.line)
    return Imported({name: count for name, count in counts.items() if count}, saved, found)


class _Arrival:
    """The tasks of one file and what they become."""

    def __init__(self, op: Op, document: Document, default: Place, faults: Faults) -> None:
        self.bench = Bench(op)
        self.filling = Filling(op, faults)
        self.numbers: dict[str, int] = {}
        self._op = op
        self._document = document
        self._default = default
        self._faults = faults
        self._identities = identities(document.tasks, document.format, default)
        self._known: dict[Identity, int] = {}
        self._records: dict[int, TaskRecord] = {}  # by the number of their task

    async def find(self) -> None:
        """Find the tasks that came before, and number those that are new in the order of the file."""
        records = self._document.tasks
        named = {name for record in records for name in (record.parent, *record.blocked_by)}
        outside = [identity for name in named - self._identities.keys() if (identity := identity_named(name))]
        self._known = await known_identities(self._op, [*self._identities.values(), *outside])
        met = await self._meet()
        await self.bench.load(number for number in met.values() if number is not None)
        for record in records:
            number = met[record.ref] if record.ref in met else self._begin(record)
            if number is not None:
                self.numbers[record.ref] = number
                self._records[number] = record

    def filled(self) -> Iterator[int]:
        """Put on each task what the file says about it alone; gives how many are done, from time to time."""
        for count, (number, record) in enumerate(self._records.items()):
            if count % _STEP == 0:
                yield count
            task = self.bench[number]
            list_no = self._place(task, record)
            if task.deleted_us is not None or task.list_no != list_no:
                task = replace(task, deleted_us=None, list_no=list_no)
            self.bench.put(self.filling.fill(task, record))

    async def link(self) -> None:
        """Put the tasks under their parents, and let them wait for their blockers."""
        parents = self._parents()
        moved = [number for number in self._records if self._is_moved(number, parents)]
        if moved:
            near = {*moved, *filter(None, parents.values())}
            await load_lines(self.bench, [number for number in near if not self._is_new(number)])
            hang(self.bench, parents, self._records, self._faults)
        blockers = {
            number: [
                other for name in record.blocked_by if (other := self._called(name, record, "a task it waits for"))
            ]
            for number, record in self._records.items()
            if "blocked_by" in record.given
        }
        if any(blockers.values()):
            await self.bench.load({other for others in blockers.values() for other in others})
            rows = await self._op.tx.all(
                select(deps.c.task_no, deps.c.blocked_by).where(deps.c.space_id == self._op.space.id)
            )
            known = [(row.task_no, row.blocked_by) for row in rows]
        else:
            known = []
        wait_for(self.bench, blockers, known, self._records, self._faults)

    async def _meet(self) -> dict[str, int | None]:
        """The task that each record means, if it was there before; nothing for one that comes twice in the file."""
        records = self._document.tasks
        is_unknown = any(not one.source_id and self._identities[one.ref] not in self._known for one in records)
        alikes = await LookAlikes.read(self._op) if is_unknown else LookAlikes(())
        met: dict[str, int | None] = {}
        lines: dict[int, int] = {}
        for record in parents_first(records):
            number = self._known.get(self._identities[record.ref])
            if number is None and not record.source_id:
                number = self._look_alike(alikes, record, met)
            if number is None:
                continue
            if number in lines:
                self._faults.leave_out(record.line, f"the same task as in line {lines[number]}")
            met[record.ref] = None if number in lines else number
            lines.setdefault(number, record.line)
        return met

    def _look_alike(self, alikes: LookAlikes, record: TaskRecord, met: Mapping[str, int | None]) -> int | None:
        parent_no = met.get(record.parent) or self._outside(record.parent)
        if record.parent in self._identities and parent_no is None:  # nothing of ours lies under what is new
            return None
        return alikes.take(record, self._default.of(record).number(self._op.area.names), parent_no)

    def _begin(self, record: TaskRecord) -> int:
        op = self._op
        source, source_id = self._identities[record.ref]
        created_us = self.filling.instant_us(record.created, record.line) if record.created else None
        task = Task(
            op.space.id,
            op.number(),
            record.title,
            list_no=self._default.of(record).number(op.area.names),
            author=space_of(op.tx.caller),
            ext_src=source,
            ext_id=source_id,
            created_us=op.tx.now_us if created_us is None else created_us,
        )
        self.bench.add(task)
        return task.no

    def _place(self, task: Task, record: TaskRecord) -> int:
        """The list or section that a task goes to, or stays in."""
        names = self._op.area.names
        list_no = names.list_of(task.list_no)
        if "list_name" in record.given or self._is_new(task.no):
            number = self._default.of(record).number(names)
            stays = number == list_no and "section" not in record.given
            return task.list_no if stays else number
        if list_no != INBOX and names.get(list_no) is None:
            return INBOX  # it comes back from the trash, its list does not
        if "section" in record.given:
            section = names.find(Kind.SECTION, record.section, list_no) if record.section else None
            return section.no if section else list_no
        return task.list_no

    def _parents(self) -> dict[int, int | None]:
        found: dict[int, int | None] = {}
        for number, record in self._records.items():
            if "parent" in record.given:
                parent_no = self._called(record.parent, record, "its parent") if record.parent else None
                if parent_no is not None or not record.parent:
                    found[number] = parent_no
        return found

    def _is_moved(self, number: int, parents: Mapping[int, int | None]) -> bool:
        before, now = self.bench.before(number), self.bench[number]
        if before is None:
            return parents.get(number) is not None
        return (before.list_no, before.deleted_us) != (now.list_no, now.deleted_us) or parents.get(
            number, now.parent_no
        ) != now.parent_no

    def _is_new(self, number: int) -> bool:
        return self.bench.get(number) is not None and self.bench.before(number) is None

    def _called(self, name: str, record: TaskRecord, what: str) -> int | None:
        """The task that another one names, in this file or from an earlier one."""
        number = self.numbers.get(name) or self._outside(name)
        if number is None:
            self._faults.add(record.line, f'{what}, "{shown(name)}", is not in this file')
        return number

    def _outside(self, name: str) -> int | None:
        identity = identity_named(name)
        return self._known.get(identity) if identity else None
