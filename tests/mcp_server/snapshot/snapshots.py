"""Snapshots as a test reads them: made as the product makes them, each table as a list of its rows."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from mcp_server.snapshot.copying.building import IMAGE_LIMIT, build
from mcp_server.snapshot.copying.reading import READ_LIMIT, Rows, read_rows
from mcp_server.snapshot.version import Snapshot
from mcp_server.tasks.sight import Sight, read_sight
from shared.db import Database
from shared.tokens import Caller

Row = Mapping[str, Any]


async def sight_of(database: Database, person: Caller, tz: str = "") -> Sight:
    """What a person sees; from another time zone, if one is named."""
    async with database.begin(person) as tx:
        return in_zone(await read_sight(tx, "UTC"), tz)


async def rows_of(database: Database, person: Caller, tz: str = "", *, room: int = READ_LIMIT) -> Rows:
    """The rows of a person's snapshot."""
    async with database.begin(person, steady=True) as tx:
        return await read_rows(tx, in_zone(await read_sight(tx, "UTC"), tz), room=room)


async def snapshot_of(database: Database, person: Caller, tz: str = "", *, limit: int = IMAGE_LIMIT) -> Snapshot:
    """The snapshot of a person."""
    return build(await rows_of(database, person, tz), limit=limit)


def in_zone(sight: Sight, tz: str) -> Sight:
    """The same sight of somebody who lives there."""
    own = sight.own
    return sight.including(replace(own, space=replace(own.space, tz=tz))) if tz else sight


@contextmanager
def opened(snapshot: Snapshot) -> Iterator[sqlite3.Connection]:
    """The snapshot as a database."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        connection.deserialize(snapshot.image)
        yield connection


def table(snapshot: Snapshot, name: str) -> list[Row]:
    """All rows of one table."""
    with opened(snapshot) as connection:
        return [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]


def tables(snapshot: Snapshot) -> dict[str, list[Row]]:
    """All tables, also those that are not for the person."""
    with opened(snapshot) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: table(snapshot, name) for name in names}


def minute(moment: datetime | None) -> str | None:
    """A moment as the tables have it."""
    return moment and f"{moment:%Y-%m-%d %H:%M}"


def week(day: date | None) -> str | None:
    """The ISO week of a day as the tables have it."""
    return day and "{}-W{:02}".format(*day.isocalendar()[:2])
