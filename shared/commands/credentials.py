"""What the command line does about tokens and people: say who accepts a token and why not, withdraw what was given.

No private key is needed for either, and to withdraw something no issuer has to be reached.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import httpx2

from shared.commands.reach import Reached
from shared.errors import Problem
from shared.revocations import RevocationList, revoke
from shared.tokens import (
    IssuerProfile,
    KeysUnavailable,
    Refused,
    Revocation,
    Undiscoverable,
    Unproven,
    build_verifier,
    read_unproven,
    service,
    with_known_keys,
)
from shared.tokens.verifier import LEEWAY_S

# Longer than any token or session lives: what was withdrawn must not come back.
KEPT_S: Final = 400 * 86_400
LATEST_S: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
MOMENTS: Final = frozenset({"auth_time", "exp", "iat", "nbf"})
UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))

# The rule that refuses a token -> what it says. The first six are the names our JWT library has for its own.
REASONS: Final = MappingProxyType(
    {
        "DecodeError": "it cannot be read",
        "InvalidAudienceError": "it is made out to another audience than {audience}",
        "InvalidJTIError": "its jti is no text",
        "InvalidSignatureError": "its signature does not fit the key it names",
        "InvalidSubjectError": "its sub is no text",
        "MissingRequiredClaimError": "it lacks one of exp, iat, sub, aud and iss",
        "algorithm": "its alg is not one that its issuer uses",
        "delegation": "it acts for somebody, which its issuer may not, or it does not say who acts for whom",
        "expired": "it has expired",
        "form": "it is not three parts of ASCII, at most 8192 bytes long",
        "future": "its iat or nbf is still to come",
        "header": "its header asks for an extension",
        "issuer": "its iss is not one of the accepted issuers",
        "key": "its issuer has no key of that name for that alg",
        "kid": "it names no key",
        "lifetime": "it lives for longer than its issuer's tokens may",
        "revoked": "it has been revoked",
        "scope": "its scopes are neither a text nor a list of texts",
        "subject": "its sub is not 1 to 255 printable characters",
        "time": "one of its times is no number",
        "type": "its typ is not one that its issuer uses",
    }
)
UNREADABLE: Final = "it cannot be read"


# Looking at a token


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a service says to a token; nobody knows when its keys or its database are away."""

    service: str
    accepted: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a token says, and what the services say to it."""

    token: Unproven
    verdicts: tuple[Verdict, ...]

    def sentences(self) -> Iterator[str]:
        """For people: claims first, then the verdicts."""
        now = time.time()
        rows = [*self.token.header.items(), *self.token.claims.items()]
        width = max(len(_plain(name)) for name, _ in [*rows, *((verdict.service, "") for verdict in self.verdicts)])
        for name, value in rows:
            moment = _moment(value, now) if name in MOMENTS else ""
            yield f"{_plain(name):{width}}  {moment or _plain(value)}"
        yield ""
        for verdict in self.verdicts:
            said = {True: "accepted", False: "refused", None: "unknown"}[verdict.accepted]
            yield f"{verdict.service:{width}}  {said}: {verdict.words}"

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "header": self.token.header,
            "claims": self.token.claims,
            "services": {
                verdict.service: {"accepted": verdict.accepted, "words": verdict.words} for verdict in self.verdicts
            },
        }


async def inspect(token: str, services: Iterable[Reached]) -> Inspection:
    """Read a token and ask each service's rules about it. Raises `Problem` for what is no token."""
    unproven = _read(token)
    async with httpx2.AsyncClient() as http:
        verdicts = [await _verdict(token, unproven.claims.get("iss"), reached, http) for reached in services]
    return Inspection(unproven, tuple(verdicts))


async def _verdict(token: str, issuer: object, reached: Reached, http: httpx2.AsyncClient) -> Verdict:
    profiles = [profile for profile in reached.issuers if profile.issuer == issuer]
    try:
        verifier = build_verifier(await with_known_keys(profiles, http), reached.audience, http)
        caller = await verifier.verify(token)
        async with reached.opened() as database:
            revocations = RevocationList(reached.name, reached.revocations, database)
            await revocations.load()
        if revocations.in_force.cover(caller):
            raise Refused("revoked")
    except Refused as refused:
        return Verdict(
            reached.name, False, REASONS.get(refused.rule, UNREADABLE).format(audience=_audience(profiles, reached))
        )
    except (KeysUnavailable, Undiscoverable):
        return Verdict(reached.name, None, "the keys of its issuer cannot be fetched from here")
    except Problem as problem:
        return Verdict(reached.name, None, problem.message)
    scopes = " ".join(sorted(caller.scopes)) or "nothing"
    return Verdict(reached.name, True, f"as {caller.subject} of {caller.issuer}, permitting {scopes}")


def _audience(profiles: Sequence[IssuerProfile], reached: Reached) -> str:
    return next((profile.audience for profile in profiles if profile.audience), reached.audience)


def _read(token: str) -> Unproven:
    try:
        return read_unproven(token)
    except ValueError as error:
        raise Problem("bad_argument", "this is no token", "give the whole of it: three parts with dots") from error


def _moment(value: object, now: float) -> str:
    """A time in a token as people read it; nothing for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST_S:
        return ""
    away = int(value - now)
    size, unit = next(((size, unit) for size, unit in UNITS if abs(away) >= 2 * size), UNITS[-1])
    distance = f"{abs(away) // size} {unit}"
    return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC, " + (
        f"in {distance}" if away > 0 else f"{distance} ago"
    )


def _plain(value: object) -> str:
    """A value of a token that nobody has proven, fit for a terminal."""
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)


# Withdrawing


def whole_token(token: str, services: Sequence[Reached]) -> Revocation:
    """The revocation of one token, for as long as anybody would accept it. Raises `Problem` if it cannot be named."""
    claims = _read(token).claims
    # A token of the gateway stands for a person of another issuer.
    issuer, token_id, expires = claims.get("sub_iss", claims.get("iss")), claims.get("jti"), claims.get("exp")
    if not isinstance(token_id, str) or not token_id:
        raise Problem(
            "bad_argument",
            "this token has no jti, so nothing tells it from others",
            "withdraw all that its person was given: `taskgate user revoke`",
        )
    if isinstance(expires, bool) or not isinstance(expires, int | float) or not 0 <= expires < LATEST_S:
        raise Problem("bad_argument", "this token never was accepted: its exp is no time", "check that it is whole")
    if not isinstance(issuer, str):
        issuer = ""
    return Revocation(known_issuer(issuer, services), int(expires) + LEEWAY_S, token_id=token_id)


def whole_session(session_id: str, issuer: str | None, services: Sequence[Reached]) -> Revocation:
    """The revocation of every token of one sign-in at an issuer, also of those to come."""
    return Revocation(known_issuer(issuer, services), int(time.time()) + KEPT_S, session_id=session_id)


def whole_person(subject: str, issuer: str | None, services: Sequence[Reached]) -> Revocation:
    """The revocation of everything that a person was given until now."""
    now = int(time.time())
    # Tokens count whole seconds: one made earlier within this second is meant as well.
    return Revocation(known_issuer(issuer, services), now + KEPT_S, subject=subject, not_before=now + 1)


def known_issuer(issuer: str | None, services: Iterable[Reached]) -> str:
    """The issuer of people that is meant; raises `Problem` for an unknown one, whose revocation would do nothing."""
    people = [profile.issuer for reached in services for profile in reached.issuers if not profile.delegates_for]
    known = list(dict.fromkeys(people))
    if issuer in known:
        return issuer
    if issuer is None and len(known) == 1:
        return known[0]
    what = "there is more than one issuer" if issuer is None else "no service accepts tokens of that issuer"
    raise Problem("bad_argument", what, f"choose from {', '.join(known)}")


async def withdraw(entry: Revocation, services: Iterable[Reached]) -> dict[str, Problem | None]:
    """Write a revocation into the table of each service, also when another one's cannot be reached: service -> why not.

    Services that run take notice within `shared.revocations.PAUSE_S`.
    """
    outcome: dict[str, Problem | None] = {}
    for reached in services:
        try:
            async with (
                reached.opened() as database,
                database.begin(service(reached.name), write=True) as tx,
            ):
                await revoke(tx, reached.revocations, entry)
            outcome[reached.name] = None
        except Problem as problem:
            outcome[reached.name] = problem
    return outcome
