"""Names that go: merged into another one, or deleted, and what becomes of the tasks that had them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import exists

from mcp_server.tasks.names import Kind, Named
from mcp_server.tasks.organizing.owned import own_name
from mcp_server.tasks.tables import task_tags, tasks
from mcp_server.tasks.task import Task
from mcp_server.tasks.words import fold
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.wording import Wording
from shared.errors import Problem

TRASH = "trash"


@dataclass(frozen=True, slots=True)
class Removal:
    """What went: names as they were and are, which name follows which, and how many tasks went where."""

    names: list[tuple[Named, Named]]
    heirs: Mapping[int, int] = field(default_factory=dict)
    moved: int = 0
    trashed: int = 0


async def merge(op: Op, row: Named, to: str) -> Removal:
    """Let a list, section or tag go up into another one: its tasks have that one then."""
    if row.kind is Kind.TAG:
        return await _merge_tags(op, row, own_name(op.sight, Kind.TAG, to))
    target = _target(op, row, to)
    names = op.area.names
    heirs = {row.no: target}
    changed = [(row, _gone(op, row))]
    above = names.get(target)
    takes_sections = above is not None and above.kind is Kind.LIST
    for section in names.of(Kind.SECTION, row.no) if row.kind is Kind.LIST else ():
        same = names.find(Kind.SECTION, section.name, target) if takes_sections else None
        if takes_sections and same is None:
            changed.append((section, replace(section, parent_no=target)))
        else:
            heirs[section.no] = same.no if same else target
            changed.append((section, _gone(op, section)))
    return Removal(changed, heirs, moved=await _move(op, heirs))


async def delete(op: Op, row: Named, to: str) -> Removal:
    """Delete a name. Tasks of a list or section go to the trash, or `to` the Inbox or another list."""
    names = op.area.names
    if row.kind not in (Kind.LIST, Kind.SECTION):
        return Removal([(row, _gone(op, row))])
    going = [row, *(names.of(Kind.SECTION, row.no) if row.kind is Kind.LIST else ())]
    changed = [(one, _gone(op, one)) for one in going]
    if to and not (fold(to) == TRASH and names.find(Kind.LIST, to) is None):
        heirs = dict.fromkeys((one.no for one in going), _target(op, row, to))
        return Removal(changed, heirs, moved=await _move(op, heirs))
    bench = Bench(op)
    places = [one.no for one in going]
    for task in await bench.load_where(tasks.c.list_no.in_(places), tasks.c.deleted_us.is_(None)):
        bench.put(replace(task, deleted_us=op.tx.now_us))
    return Removal(changed, trashed=len(await bench.save()))


async def _merge_tags(op: Op, row: Named, target: Named) -> Removal:
    if row.no == target.no:
        raise _into_itself(row)
    tagged = exists().where(
        task_tags.c.space_id == op.space.id, task_tags.c.task_no == tasks.c.no, task_tags.c.tag_no == row.no
    )
    bench = Bench(op)
    for task in await bench.load_where(tagged):
        bench.put(replace(task, tags=tuple(sorted({*task.tags, target.no} - {row.no}))))
    moved = _living(now for _, now in await bench.save())
    return Removal([(row, _gone(op, row))], {row.no: target.no}, moved)


async def _move(op: Op, heirs: Mapping[int, int]) -> int:
    """Move all tasks of some lists; parents and subtasks lie in the same one, so they stay together. What is in the
    trash comes along, to be found there when it is restored."""
    bench = Bench(op)
    for task in await bench.load_where(tasks.c.list_no.in_(sorted(heirs))):
        bench.put(replace(task, list_no=heirs[task.list_no]))
    return _living(now for _, now in await bench.save())


def _target(op: Op, row: Named, to: str) -> int:
    target = Wording.at(op, Bench(op)).place(to)
    if target == row.no:
        raise _into_itself(row)
    if op.area.names.list_of(target) == row.no:
        path = op.area.names.path(target)
        raise Problem("cycle", f'"{path}" lies in "{row.name}" and would go with it', "name another list")
    return target


def _gone(op: Op, row: Named) -> Named:
    # The same moment as the tasks': that is how a restored task knows whether its list went with it.
    return replace(row, deleted_us=op.tx.now_us)


def _into_itself(row: Named) -> Problem:
    return Problem("bad_argument", f'{row.kind.value} "{row.name}" cannot take its own tasks', "name another one")


def _living(found: Iterable[Task]) -> int:
    return sum(task.deleted_us is None for task in found)
