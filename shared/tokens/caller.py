"""`Caller`: the identity of one request, and the permissions a token can carry."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

# Scope -> what it lets a program do, in words for the person. The names never change meaning: clients store them.
SCOPES: Final = MappingProxyType(
    {
        "tasks:read": "see your tasks",
        "tasks:write": "create and change tasks",
        "tasks:delete": "delete tasks",
        "tasks:share": "share lists with other people",
        "data:read": "run queries over your data and export it",
    }
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, proven by a token. Made by `Verifier` and the two functions below; nothing else is identity."""

    subject: str
    issuer: str
    scopes: frozenset[str]
    expires_at: int
    client_id: str
    issued_at: int = 0
    actor: str | None = None
    session_id: str | None = None
    token_id: str | None = None

    @property
    def key(self) -> str:
        """Issuer and subject in one string: an issuer holds no `|`, so the first one splits it without doubt."""
        return f"{self.issuer}|{self.subject}"

    def may(self, scope: str) -> bool:
        """Whether the token permits this. Every scope includes looking; nothing includes anything else."""
        return scope in self.scopes or (scope == "tasks:read" and bool(self.scopes))


def restored(
    issuer: str,
    subject: str,
    scopes: Iterable[str],
    expires_at: int,
    client_id: str,
    *,
    issued_at: int = 0,
    session_id: str | None = None,
    token_id: str | None = None,
) -> Caller:
    """The caller of a session: a token proved him when it was started, and it ends when that token would."""
    return Caller(
        subject,
        issuer,
        frozenset(scopes) & SCOPES.keys(),
        expires_at,
        client_id,
        issued_at=issued_at,
        session_id=session_id,
        token_id=token_id,
    )


def service(name: str) -> Caller:
    """A service at work on its own rows. It has no permission and owns nobody's data."""
    return Caller(subject=name, issuer="taskgate", scopes=frozenset(), expires_at=0, client_id=f"taskgate-{name}")
