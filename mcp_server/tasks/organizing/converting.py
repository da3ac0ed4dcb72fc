"""Another type or other choices for a custom field: every value that tasks have in it is carried over, or none is."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from mcp_server.tasks.custom import field_value, shown, type_of
from mcp_server.tasks.names import Named
from mcp_server.tasks.schedule import Here
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import Task
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.journal import Op
from shared.errors import Problem

_ANOTHER_DAY: Final = timedelta(days=400)


async def convert(op: Op, before: Named, now: Named) -> int:
    """Carry the values of all tasks over, those in the trash too. Returns how many changed.

    Raises a `Problem` about the first value that the field would not take any more.
    """
    key = str(before.no)
    bench = Bench(op)
    for task in await bench.load_where(tasks.c.fields[key].as_string().is_not(None)):
        value = _converted(op, task, task.fields[key], before, now)
        bench.put(replace(task, fields={**task.fields, key: value}))
    return len(await bench.save())


def _converted(op: Op, task: Task, value: Any, before: Named, now: Named) -> Any:
    text = shown(before, value)
    own = op.space.habits
    try:
        converted = field_value(now, text, Here(op.tx.now, own, own))
        # "fri" was written on another day, and nobody knows on which.
        if field_value(now, text, Here(op.tx.now + _ANOTHER_DAY, own, own)) != converted:
            raise Problem("bad_argument", "words like these mean another day each day")
    except Problem:
        where = op.area.label(f"T{task.no}") + (" in the trash" if task.deleted_us is not None else "")
        wanted = f"of the type {type_of(now)}" if type_of(now) != "choice" else "one of the choices"
        message = f'"{now.name}" of {where} is "{text[:40]}", which is not {wanted}'
        raise Problem("bad_argument", message, "change that value first, or clear it") from None
    return converted
