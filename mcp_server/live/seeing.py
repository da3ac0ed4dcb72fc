"""What a listener saw when he last looked: his sight, his day, and what the addresses he watches named then."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import and_, or_, select

from mcp_server.addresses import Address
from mcp_server.tasks.names import INBOX_NAME
from mcp_server.tasks.refs import NUMBER, split_alias
from mcp_server.tasks.sight import Area, Sight, read_sight
from mcp_server.tasks.tables import tasks
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Target:
    """A task or a list that the listener sees."""

    kind: Literal["task", "list"]
    space_id: str
    no: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. An address that named nothing has no target."""

    sight: Sight
    today: date
    targets: Mapping[Address, Target]

    @property
    def areas(self) -> Mapping[str, Area]:
        """The areas by space."""
        return {area.space.id: area for area in self.sight.areas}

    @property
    def revs(self) -> Mapping[str, int]:
        """The last write of every space in sight."""
        return {area.space.id: area.space.rev for area in self.sight.areas}

    def is_past(self, now: datetime) -> bool:
        """Whether another day has begun where the listener lives."""
        return day_of(self.sight, now) != self.today


async def look(tx: Tx, addresses: Mapping[str, Address | None], default_tz: str) -> Seen:
    """What the caller sees now of these addresses."""
    sight = await read_sight(tx, default_tz)
    meant = {address: target for address in addresses.values() if address and (target := _meant(sight, address))}
    there = await _there(tx, sight, [target for target in meant.values() if target.kind == "task"])
    targets = {address: target for address, target in meant.items() if target.kind == "list" or target in there}
    return Seen(sight, day_of(sight, tx.now), targets)


def day_of(sight: Sight, now: datetime) -> date:
    """The day it is where the listener lives."""
    return now.astimezone(sight.own.space.zone).date()


def _meant(sight: Sight, address: Address) -> Target | None:
    match address.kind:
        case "inbox":
            return _list(sight, INBOX_NAME)
        case "list":
            return _list(sight, address.name)
        case "task":
            area, name = split_alias(sight, address.name)
            number = NUMBER.fullmatch(name)
            return Target("task", area.space.id, int(number[1])) if number else None
    return None


def _list(sight: Sight, path: str) -> Target | None:
    """Without a refusal for each that is not there: those look for names that are alike, which takes long."""
    found = sight.places(path)
    return Target("list", found[0][0].space.id, found[0][1]) if len(found) == 1 else None


async def _there(tx: Tx, sight: Sight, targets: list[Target]) -> set[Target]:
    """Those of the tasks that the caller may see."""
    if not targets:
        return set()
    conditions = [
        and_(area.rows(), tasks.c.no.in_(sorted({one.no for one in targets if one.space_id == area.space.id})))
        for area in sight.areas
        if any(one.space_id == area.space.id for one in targets)
    ]
    rows = await tx.all(select(tasks.c.space_id, tasks.c.no).where(or_(*conditions)))
    return {Target("task", row.space_id, row.no) for row in rows}
