"""Into the trash, and back: a task takes its subtasks along, and comes back with what went with it."""

from collections.abc import Sequence
from dataclasses import replace

from mcp_server.tasks.task import INBOX, Task
from mcp_server.tasks.writing.adding import ROW_LIMIT
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.naming import read_names, save_names
from mcp_server.tasks.writing.relations import below, load_lines
from shared.errors import Problem


async def delete(op: Op, chosen: Sequence[Task]) -> Sequence[Task]:
    """Move tasks and all below them into the trash. Returns what went there now."""
    bench = Bench(op)
    bench.take(chosen)
    family = await bench.load_family([task.no for task in chosen])
    leaving = [task for task in family if task.deleted_us is None]
    require_rows(len(leaving))
    for task in leaving:
        bench.put(replace(task, deleted_us=op.tx.now_us))
    await bench.save()
    return [bench[task.no] for task in leaving]


async def restore(op: Op, chosen: Sequence[Task]) -> tuple[Sequence[Task], Sequence[str]]:
    """Bring tasks back from the trash with what went with them: subtasks, and their list if that was deleted as well.

    Returns what came back, and notes about what could not be as before.
    """
    bench = Bench(op)
    bench.take(chosen)
    await load_lines(bench, [task.no for task in chosen])
    family = await bench.load_family([task.no for task in chosen])
    numbers = {
        one.no
        for task in chosen
        for one in (task, *below(bench, task.no))
        if one.deleted_us is not None and one.deleted_us == task.deleted_us
    }
    coming = [task for task in family if task.no in numbers]
    require_rows(len(coming))
    gone = await _bring_lists_back(op, coming)
    notes = []
    for task in coming:
        list_no = INBOX if task.list_no in gone else task.list_no
        parent = bench.get(task.parent_no) if task.parent_no is not None else None
        orphan = parent is None or (parent.deleted_us is not None and parent not in coming)
        parent_no = None if orphan else task.parent_no
        if list_no != task.list_no:
            notes.append(f"the list of {op.area.label(f'T{task.no}')} is gone; it lies in the Inbox now")
        elif parent_no != task.parent_no:
            notes.append(f"the parent of {op.area.label(f'T{task.no}')} is gone")
        bench.put(replace(task, deleted_us=None, list_no=list_no, parent_no=parent_no))
    await bench.save()
    return [bench[task.no] for task in coming], notes


def require_rows(count: int) -> None:
    """Refuse to change more tasks at once than a person can look over."""
    if count > ROW_LIMIT:
        hint = "narrow the filter, e.g. add list:Work"
        raise Problem("too_many", f"{count:,} tasks match; one write changes at most {ROW_LIMIT}", hint)


async def _bring_lists_back(op: Op, coming: Sequence[Task]) -> set[int]:
    """Restore lists that were deleted together with these tasks. Returns the lists that stay gone."""
    missing = {task.list_no for task in coming if task.list_no != INBOX and op.area.names.get(task.list_no) is None}
    if not missing:
        return set()
    rows = await read_names(op, sorted(missing))
    parents = {row.parent_no for row in rows.values() if row.parent_no and op.area.names.get(row.parent_no) is None}
    rows |= await read_names(op, sorted(parents))
    moments = {task.deleted_us for task in coming}
    back = {
        number: row
        for number, row in rows.items()
        if row.deleted_us in moments and op.area.names.find(row.kind, row.name, row.parent_no) is None
    }
    back = {
        number: row
        for number, row in back.items()
        if not row.parent_no or row.parent_no in back or op.area.names.get(row.parent_no) is not None
    }
    await save_names(op, [(row, replace(row, deleted_us=None)) for row in back.values()])
    return missing - back.keys()
