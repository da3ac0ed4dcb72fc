"""A snapshot, and what it was made from as a short text: while that stays the same, so does everything in it."""

import json
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from mcp_server.tasks.sight import Sight


@dataclass(frozen=True, slots=True)
class Version:
    """Whose snapshot, of which spaces and lists, and made from what. Two different contents never share a key."""

    person: str
    scope: str  # which spaces and shared lists are in it
    key: str  # everything its content depends on


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A database with one person's rows, as bytes. `partial` says that some are left out because there are too many."""

    version: Version
    image: bytes
    partial: bool
    has_others: bool  # whether text of other people is in it


def version_of(sight: Sight, today: date) -> Version:
    """The version of what this person sees on this day of his."""
    own = sight.own.space
    shared = sorted(sight.shared, key=lambda area: area.space.id)
    seen = [[area.space.id, sorted(area.roles)] for area in shared]
    depends_on = [
        [own.id, own.rev, own.tz, own.settings, today.isoformat()],
        [[area.space.id, area.space.rev, area.space.tz, area.alias, sorted(area.list_numbers)] for area in shared],
        sorted(sight.people.items()),
    ]
    return Version(own.id, _short([own.id, seen]), _short(depends_on))


def _short(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True, default=dict).encode()).hexdigest()[:32]
