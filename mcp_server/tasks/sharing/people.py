"""What a person calls other people: short names of his own choice, written under the lock of his space."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import insert, select

from mcp_server.tasks.tables import aliases
from mcp_server.tasks.words import fold
from shared.db import Tx
from shared.errors import Problem

NAME_LIMIT: Final = 30
# Words that mean somebody, or nobody in particular, wherever a person may be named.
_TAKEN: Final = ("me", "agent", "any", "none", "nobody", "somebody", "several")
_FRIEND: Final = "friend"


def checked_person(name: str) -> str:
    """A name for a person: it stands before a colon, so it is one plain word."""
    clean = name.strip()
    if not clean or len(clean) > NAME_LIMIT or not all(one.isalnum() or one in "-_" for one in clean):
        raise Problem("bad_name", f'"{clean[:40]}" cannot name a person', f"1 to {NAME_LIMIT} letters, digits, - or _")
    if fold(clean) in _TAKEN:
        raise Problem("bad_name", f'"{clean}" has another meaning', "another name")
    return clean


def free_name(known: Iterable[str]) -> str:
    """A name for somebody of whom nothing is known."""
    taken = {fold(name) for name in known}
    number = 1
    while (name := f"{_FRIEND}{number if number > 1 else ''}") in taken:
        number += 1
    return name


async def read_people(tx: Tx, person: str) -> dict[str, str]:
    """Whom this person knows, and by which name."""
    rows = await tx.all(select(aliases.c.space_id, aliases.c.alias).where(aliases.c.user_key == person))
    return {row.space_id: row.alias for row in rows}


async def remember(tx: Tx, person: str, other: str, name: str) -> None:
    """Let this person call another by that name."""
    await tx.execute(insert(aliases), {"user_key": person, "alias": name, "space_id": other})
