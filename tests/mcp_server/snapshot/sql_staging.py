"""Puts the tasks of the stage into somebody's space, with the days on which things happened."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from mcp_server.tasks.names import Kind, Named
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.task import INBOX, Status, Task
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.comments import Comment, insert_comments
from mcp_server.tasks.writing.completions import Completion, insert_completions
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.naming import new_name, save_names
from shared.db import microseconds
from tests.living import Living, ToolClient
from tests.mcp_server.filled import opened, written
from tests.mcp_server.snapshot.sql_stage import PLACES, TAGS, ZONE, Item, Stage, items, stage, turns

HISTORY: Final = ("op", "at", "actor", "agent", "client", "tool", "task", "field", "before", "after")
STATUS: Final = {"open": Status.OPEN, "done": Status.DONE, "cancelled": Status.CANCELLED}


async def put_on_stage(living: Living, name: str, begun: date) -> None:
    """Fill the empty space of this person, and then change a few things and change them back."""
    async with opened(living, datetime.now(UTC)) as database:
        await written(database, living.person(name), lambda op: _fill(op, items(begun)))
    async with living.client(name) as client:
        for change in ({"priority": 3}, {"deadline": "2030-01-05"}, {"deadline": None}, {"notes": "for a moment"}):
            await client.values("tasks_edit", changes=[{"refs": ["T1"], **change}])
        first = items(begun)[0]
        await client.values("tasks_edit", changes=[{"refs": ["T1"], "priority": first.priority, "notes": first.notes}])


async def account(client: ToolClient, begun: date) -> Stage:
    """What the tables must hold now."""
    found = await client.values(
        "data_query", sql=f"SELECT {', '.join(HISTORY)}, (SELECT today FROM me) FROM history", limit=1000
    )
    assert not found["truncated"]
    history: Sequence[dict[str, Any]] = [dict(zip(HISTORY, row, strict=False)) for row in found["rows"]]
    return stage(begun, date.fromisoformat(found["rows"][0][-1]), history)


async def _fill(op: Op, wanted: Sequence[Item]) -> None:
    assert [op.number() for _ in wanted] == [one.no for one in wanted], "the space is new"
    names: dict[str, Named] = {}
    for path, is_archived in PLACES.items():
        above, slash, name = path.partition("/")
        kind = Kind.SECTION if slash else Kind.LIST
        names[path] = new_name(
            op, kind, name or above, names[above].no if slash else 0, archived_us=1 if is_archived else None
        )
    names |= {tag: new_name(op, Kind.TAG, tag) for tag in TAGS}
    fields = {name: new_name(op, Kind.FIELD, name, options={"type": kind}) for name, kind in FIELDS.items()}
    await save_names(op, [(None, name) for name in (*names.values(), *fields.values())])
    bench = Bench(op)
    for one in wanted:
        bench.add(_task(op, one, names, fields))
    await bench.save()
    me = space_of(op.tx.caller)
    said = [(one, text) for one in wanted for text in one.comments]
    await insert_comments(op, [Comment(op.number(), one.no, me, text, instant(one.created)) for one, text in said])
    ends = [(one, one.done, STATUS[one.status]) for one in wanted if one.done]
    ends += [(one, again, Status.DONE) for one in wanted for again in turns(one)]
    await insert_completions(
        op, [Completion(op.number(), one.no, one.due, instant(at), at.date(), status) for one, at, status in ends]
    )


FIELDS: Final = {"Effort": "number", "Client": "text"}


def _task(op: Op, one: Item, names: dict[str, Named], fields: dict[str, Named]) -> Task:
    held = {"Effort": one.effort, "Client": one.client}
    return Task(
        op.space.id,
        one.no,
        one.title,
        one.notes,
        list_no=names[one.place].no if one.place else INBOX,
        parent_no=one.parent,
        status=STATUS[one.status],
        priority=one.priority,
        due_date=one.due,
        due_min=one.due_time.hour * 60 + one.due_time.minute if one.due_time else None,
        estimate_min=one.estimate,
        fields={str(fields[name].no): value for name, value in held.items() if value is not None},
        created_us=instant(one.created),
        completed_us=instant(one.done) if one.done else None,
        tags=tuple(names[tag].no for tag in one.tags),
        blocked_by=one.blocked_by,
    )


def instant(local: datetime) -> int:
    """The instant of a moment in the person's zone."""
    return microseconds(local.replace(tzinfo=ZONE).astimezone(UTC))
