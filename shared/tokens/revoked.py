"""What is no longer accepted although it was signed: kept in memory, because every request asks."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.tokens.caller import Caller


@dataclass(frozen=True, slots=True)
class Revocation:
    """One token, one session, or everything a person was given before a moment; whichever of them is named."""

    issuer: str
    keep_until: int
    token_id: str | None = None
    session_id: str | None = None
    subject: str | None = None
    not_before: int = 0


class Revocations:
    """The revocations in force. Somebody who can reach the database replaces them now and then."""

    def __init__(self) -> None:
        self._tokens: frozenset[tuple[str, str]] = frozenset()
        self._sessions: frozenset[tuple[str, str]] = frozenset()
        self._people: dict[tuple[str, str], int] = {}

    def replace(self, entries: Iterable[Revocation]) -> None:
        """From now on these hold and no others."""
        known = tuple(entries)
        people: dict[tuple[str, str], int] = {}
        for entry in known:
            if entry.subject is not None:
                person = (entry.issuer, entry.subject)
                people[person] = max(people.get(person, 0), entry.not_before)
        self._tokens = frozenset((entry.issuer, entry.token_id) for entry in known if entry.token_id is not None)
        self._sessions = frozenset((entry.issuer, entry.session_id) for entry in known if entry.session_id is not None)
        self._people = people

    def cover(self, caller: Caller) -> bool:
        """Whether what proved this caller has been revoked."""
        issuer = caller.issuer
        return (
            (issuer, caller.token_id) in self._tokens
            or (issuer, caller.session_id) in self._sessions
            or caller.issued_at < self._people.get((issuer, caller.subject), 0)
        )
