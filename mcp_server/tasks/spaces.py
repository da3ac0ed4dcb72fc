"""Whose rows: every person has one space, and its key follows from his identity without a lookup."""

from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from mcp_server.tasks.calendar.dates import Habits, zone_named
from shared.db import Tx
from shared.revocations import own_rows
from shared.tokens import Caller

_ID_LENGTH: Final = 27
_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz234567")


def space_of(caller: Caller) -> str:
    """The key of the caller's own space: only `[a-z2-7]`, so it is safe in lists and literals, and nobody can guess
    their way along a row of them. It also stands for the person wherever one is named: author, assignee, member."""
    return person_of(caller.key)


def person_of(identity: str) -> str:
    """The same for an identity as `Caller.key` and the journal write it."""
    return "u" + b32encode(sha256(identity.encode()).digest()).decode().lower()[: _ID_LENGTH - 1]


def is_space_id(text: str) -> bool:
    """Whether a text has the form of such a key."""
    return len(text) == _ID_LENGTH and text[0] == "u" and _LETTERS.issuperset(text)


def row_policies(caller: Caller) -> dict[str, str]:
    """What each transaction tells PostgreSQL's row policies: the spaces that this caller may see."""
    return {"taskgate.spaces": space_of(caller), "taskgate.user": space_of(caller), **own_rows(caller)}


@dataclass(frozen=True, slots=True)
class Space:
    """A person's space as a transaction sees it."""

    id: str
    rev: int
    tz: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone the person lives in."""
        return zone_named(self.tz)

    @property
    def habits(self) -> Habits:
        """How this person's date words are to be read."""
        known = {name: value for name, value in self.settings.items() if name in _HABITS}
        return Habits(self.zone, **known)


# The settings that say how dates are read, as `Habits` calls them.
_HABITS: Final = frozenset({"order", "week_start", "day_start", "morning", "afternoon", "evening", "tonight"})


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
