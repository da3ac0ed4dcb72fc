"""Who is at the door: a bearer token, or the session cookie a browser got for one.

No script ever holds a token: the page exchanges it for an httpOnly cookie whose value is worth nothing in the table.
"""

import secrets
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import delete, insert, select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.tables import sessions
from shared.db import Database, microseconds
from shared.errors import Problem
from shared.tokens import Caller, KeysUnavailable, Refused, Verifier, restored, service

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_S: Final = 12 * 3600
SELF: Final = service("gateway")


class SignIn:
    """Checks the credential of each request, and keeps the sessions of browsers."""

    def __init__(self, verifier: Verifier, database: Database, origin: str, now: Callable[[], datetime]) -> None:
        self._verifier = verifier
        self._database = database
        self._origin = origin
        self._now = now
        self._https = origin.startswith("https://")
        # Browsers refuse the prefix without https, which only a loopback address may do without.
        self._cookie = "__Host-taskgate" if self._https else "taskgate"

    async def caller(self, request: Request) -> Caller:
        """Who sent this. Raises `Problem`: not signed in, no permission to look, or keys away."""
        bearers = request.headers.getlist("authorization")
        if len(bearers) > 1:
            raise Problem("bad_request", "two Authorization headers were sent", "send one")
        # A bearer request neither needs nor reads cookies, so no other site can lend it one.
        found = await self._by_bearer(bearers[0]) if bearers else await self._by_cookie(request)
        if not found.may("tasks:read"):
            raise Problem("forbidden", "this sign-in does not permit looking at tasks", "sign in again")
        return found

    async def start_session(self, request: Request) -> Response:
        """Exchange the bearer token of this request for a session cookie that lives no longer than the token."""
        if not request.headers.get("authorization"):
            raise _sign_in()
        caller = await self.caller(request)
        session_id = secrets.token_urlsafe(32)
        now = self._now()
        life_s = min(caller.expires_at - int(now.timestamp()), LONGEST_S)
        now_us = microseconds(now)
        async with self._database.begin(SELF, write=True) as tx:
            await tx.execute(delete(sessions).where(sessions.c.expires_us < now_us))
            await tx.execute(
                insert(sessions),
                {
                    "id_hash": _hash(session_id),
                    "issuer": caller.issuer,
                    "subject": caller.subject,
                    "scopes": " ".join(sorted(caller.scopes)),
                    "client_id": caller.client_id,
                    "created_us": now_us,
                    "expires_us": now_us + life_s * 1_000_000,
                    "idle_us": now_us,
                },
            )
        response = Response(status_code=204)
        response.set_cookie(
            self._cookie, session_id, max_age=life_s, path="/", secure=self._https, httponly=True, samesite="lax"
        )
        return response

    async def end_session(self, request: Request) -> Response:
        """Forget the session and its cookie."""
        self._require_same_site(request)
        if session_id := request.cookies.get(self._cookie):
            async with self._database.begin(SELF, write=True) as tx:
                await tx.execute(delete(sessions).where(sessions.c.id_hash == _hash(session_id)))
        response = Response(status_code=204)
        # Browsers ignore the deletion of a __Host- cookie that is not marked secure.
        response.delete_cookie(self._cookie, path="/", secure=self._https, httponly=True, samesite="lax")
        return response

    async def me(self, request: Request, model: str) -> Response:
        """Who is signed in, until when, and which model answers."""
        caller = await self.caller(request)
        return JSONResponse({"subject": caller.subject, "expires_at": caller.expires_at, "model": model})

    async def _by_bearer(self, header: str) -> Caller:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise _sign_in()
        try:
            return await self._verifier.verify(token.strip())
        except Refused:
            raise _sign_in() from None
        except KeysUnavailable:
            raise Problem("unavailable", "the keys that sign tokens cannot be loaded", "try again in 5 s") from None

    async def _by_cookie(self, request: Request) -> Caller:
        session_id = request.cookies.get(self._cookie)
        if not session_id:
            raise _sign_in()
        self._require_same_site(request)
        async with self._database.begin(SELF) as tx:
            row = await tx.one(select(sessions).where(sessions.c.id_hash == _hash(session_id)))
        if row is None or row.expires_us <= microseconds(self._now()):
            raise _sign_in()
        return restored(row.issuer, row.subject, row.scopes.split(), row.expires_us // 1_000_000, row.client_id)

    def _require_same_site(self, request: Request) -> None:
        """Browsers send the cookie along with what other sites start; only our own page may change anything."""
        if request.method in SAFE_METHODS:
            return
        site = request.headers.get("sec-fetch-site")
        same = site == "same-origin" if site is not None else request.headers.get("origin") == self._origin
        if not same:
            raise Problem("forbidden", "this request did not come from our page", "use a bearer token instead")


def _sign_in() -> Problem:
    return Problem("sign_in", "you are not signed in", "sign in and try again")


def _hash(session_id: str) -> str:
    return sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
