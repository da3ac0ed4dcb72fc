"""Whose rows: every person has one space, and its key follows from his identity without a lookup."""

from base64 import b32encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from mcp_server.tasks import tables
from mcp_server.tasks.calendar.dates import Habits, zone_named
from shared.db import Tx
from shared.errors import Problem
from shared.revocations import own_rows
from shared.tokens import Caller


def space_of(caller: Caller) -> str:
    """The key of the caller's own space: only `[a-z2-7]`, so it is safe in lists and literals, and nobody can guess
    their way along a row of them."""
    return "u" + b32encode(sha256(caller.key.encode()).digest()).decode().lower()[:26]


def row_policies(caller: Caller) -> dict[str, str]:
    """What each transaction tells PostgreSQL's row policies: the spaces that this caller may see."""
    return {"taskgate.spaces": space_of(caller), "taskgate.user": space_of(caller), **own_rows(caller)}


@dataclass(frozen=True, slots=True)
class Space:
    """A person's space as a transaction sees it."""

    id: str
    rev: int
    tz: str

    @property
    def zone(self) -> ZoneInfo:
        """The time zone the person lives in."""
        return zone_named(self.tz)

    @property
    def habits(self) -> Habits:
        """How this person's date words are to be read."""
        return Habits(zone=self.zone)


_READ = select(tables.spaces.c.rev, tables.spaces.c.tz, tables.spaces.c.owner_iss, tables.spaces.c.owner_sub)


async def read_space(tx: Tx, default_tz: str) -> Space:
    """The caller's space; before his first write it is empty, unchanged and in the zone his client named."""
    space_id = space_of(tx.caller)
    row = await tx.one(_READ.where(tables.spaces.c.id == space_id))
    if row is None:
        return Space(space_id, 0, default_tz)
    require_owner(tx, row.owner_iss, row.owner_sub)
    return Space(space_id, row.rev, row.tz)


def require_owner(tx: Tx, issuer: str, subject: str) -> None:
    """Stop if a space key ever belonged to two people: better no answer than somebody else's."""
    if (issuer, subject) != (tx.caller.issuer, tx.caller.subject):
        raise RuntimeError("two people share the key of one space")


def new_space(tx: Tx, tz: str) -> dict[str, Any]:
    """The row of a space that is about to be created."""
    return {
        "id": space_of(tx.caller),
        "owner_iss": tx.caller.issuer,
        "owner_sub": tx.caller.subject,
        "tz": tz,
        "created_us": tx.now_us,
    }


def require_zone(name: str) -> str:
    """The name of a time zone a client gave, if it is one; otherwise a `Problem`."""
    try:
        return zone_named(name).key
    except Problem:
        raise Problem("bad_argument", f'"{name[:40]}" is no time zone', "e.g. Europe/Berlin") from None
