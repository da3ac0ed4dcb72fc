"""What people have granted to programs: codes for one minute, then families of refresh tokens, kept in a file."""

import hmac
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict

from shared.development.issuer.clients import GATEWAY, OAuthClient
from shared.development.issuer.refusals import OAuthRefusal
from shared.private import write_privately

CODE_S: Final = 60
# A code is remembered for longer than it is good: who brings it a second time has stolen it, or was stolen from.
CODE_KEPT_S: Final = 600
ASKED_S: Final = 600
REFRESH_S: Final = 30 * 86_400
MOST_ASKED: Final = 200
MOST_CLIENTS: Final = 200
MOST_FAMILIES: Final = 1_000

T = TypeVar("T")

_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program asked a person for, once everything about it was found in order."""

    client: OAuthClient
    redirect_uri: str
    state: str
    scopes: tuple[str, ...]
    resource: str
    challenge: str
    nonce: str
    until: float


@dataclass(slots=True)
class _Code:
    asked: Asked
    subject: str
    since: float
    spent: bool = False
    family: str = ""


class Family(BaseModel):
    """One grant with the refresh token that is good now; every earlier one betrays a theft."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    subject: str
    scopes: tuple[str, ...]
    resource: str
    session_id: str
    refresh_hash: str
    until: float


@dataclass(frozen=True, slots=True)
class Granted:
    """What a program gets now: the scopes may be fewer than the family's, the nonce is of its first request."""

    family: Family
    refresh_token: str
    scopes: tuple[str, ...]
    nonce: str


class _Kept(BaseModel):
    clients: dict[str, OAuthClient] = {}
    families: dict[str, Family] = {}


class Grants:
    """Everything that was asked for and granted. Clients and families outlive the process, in order of their use."""

    def __init__(self, file: Path, *, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now
        self._asked: dict[str, Asked] = {}
        self._codes: dict[str, _Code] = {}
        self._kept = _Kept.model_validate_json(file.read_bytes()) if file.exists() else _Kept()

    def add_client(self, client: OAuthClient) -> None:
        """Keep a client; the one not used for longest gives way."""
        self._kept.clients[client.id] = client
        _limit(self._kept.clients, MOST_CLIENTS)
        self._save()

    def client(self, client_id: str) -> OAuthClient | None:
        """A registered client, or the gateway."""
        return GATEWAY if client_id == GATEWAY.id else self._kept.clients.get(client_id)

    def ask(self, asked: Asked) -> str:
        """Wait for the person's answer; returns the name of the question, which is good for one."""
        name = secrets.token_urlsafe(32)
        self._asked[name] = asked
        _limit(self._asked, MOST_ASKED)
        return name

    def answered(self, name: str) -> Asked | None:
        """The question of that name, once."""
        asked = self._asked.pop(name, None)
        return asked if asked is not None and self._now() < asked.until else None

    def grant(self, asked: Asked, subject: str) -> str:
        """The code for a person's yes."""
        code = secrets.token_urlsafe(32)
        now = self._now()
        self._codes = {known: found for known, found in self._codes.items() if now < found.since + CODE_KEPT_S}
        self._codes[_hash(code)] = _Code(asked, subject, now)
        return code

    def redeem(self, code: str, *, client: OAuthClient, redirect_uri: str, verifier: str, resource: str) -> Granted:
        """What a code is good for. Raises `OAuthRefusal`; there is only one try."""
        found = self._codes.get(_hash(code))
        if found is None or found.asked.client.id != client.id:
            raise OAuthRefusal("invalid_grant", "this code is unknown")
        if found.spent:
            self._forget(found.family)
            raise OAuthRefusal("invalid_grant", "this code was used before")
        found.spent = True
        asked = found.asked
        if self._now() >= found.since + CODE_S:
            raise OAuthRefusal("invalid_grant", "this code is too old")
        if redirect_uri != asked.redirect_uri:
            raise OAuthRefusal("invalid_grant", "redirect_uri is another one than before")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(_challenge(verifier), asked.challenge):
            raise OAuthRefusal("invalid_grant", "code_verifier does not fit")
        if resource not in ("", asked.resource):
            raise OAuthRefusal("invalid_target", "resource is another one than before")
        found.family = secrets.token_urlsafe(16)
        family = Family(
            client_id=client.id,
            subject=found.subject,
            scopes=asked.scopes,
            resource=asked.resource,
            session_id=secrets.token_urlsafe(16),
            refresh_hash="",
            until=0,
        )
        return self._rotated(found.family, family, asked.scopes, nonce=asked.nonce)

    def refresh(self, token: str, *, client: OAuthClient, resource: str, scopes: Sequence[str]) -> Granted:
        """What a refresh token is good for, or the part of it that is wanted.

        Raises `OAuthRefusal`; a token that was used before ends its family.
        """
        name, _, _ = token.partition(".")
        family = self._kept.families.get(name)
        if family is None or family.client_id != client.id:
            raise OAuthRefusal("invalid_grant", "this refresh token is unknown")
        if self._now() >= family.until:
            self._forget(name)
            raise OAuthRefusal("invalid_grant", "this refresh token is too old")
        if not hmac.compare_digest(_hash(token), family.refresh_hash):
            self._forget(name)
            raise OAuthRefusal("invalid_grant", "this refresh token was used before, so its sign-in has ended")
        if resource not in ("", family.resource):
            raise OAuthRefusal("invalid_target", "resource is another one than was granted")
        if not set(scopes) <= set(family.scopes):
            raise OAuthRefusal("invalid_scope", "scope asks for more than was granted")
        return self._rotated(name, family, tuple(scopes) or family.scopes)

    def revoke(self, token: str, *, client: OAuthClient) -> None:
        """End the family of a refresh token, if it is one of this client's."""
        name, _, _ = token.partition(".")
        family = self._kept.families.get(name)
        if family is not None and family.client_id == client.id:
            self._forget(name)

    def end_families(self) -> None:
        """End every grant; clients stay registered."""
        self._kept.families.clear()
        self._save()

    def _rotated(self, name: str, family: Family, scopes: tuple[str, ...], *, nonce: str = "") -> Granted:
        token = f"{name}.{secrets.token_urlsafe(32)}"
        current = family.model_copy(update={"refresh_hash": _hash(token), "until": self._now() + REFRESH_S})
        self._kept.families.pop(name, None)
        self._kept.families[name] = current
        _limit(self._kept.families, MOST_FAMILIES)
        if (client := self._kept.clients.pop(family.client_id, None)) is not None:
            self._kept.clients[client.id] = client
        self._save()
        return Granted(current, token, scopes, nonce)

    def _forget(self, name: str) -> None:
        if self._kept.families.pop(name, None) is not None:
            self._save()

    def _save(self) -> None:
        write_privately(self._file, self._kept.model_dump_json(indent=2))


def _limit(known: dict[str, T], most: int) -> None:
    while len(known) > most:
        del known[next(iter(known))]


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
