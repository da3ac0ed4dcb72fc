"""The sign-ins of browsers: each one row, found by a random id, ended by time, and proven anew at the issuer when due.

Two processes never use one refresh token at the same time. To an issuer that gives a new one each time, that is theft.
"""

import asyncio
import secrets
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeVar

from anyio import CancelScope
from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update

from gateway.oidc import LoginIssuer, SignInOver
from gateway.sealing import Sealing
from gateway.tables import sessions
from shared.db import AnyRow, Database
from shared.errors import Problem
from shared.tokens import Caller, restored, service

T = TypeVar("T")

LONGEST_S: Final = 12 * 3600
IDLE_S: Final = 3600
TOUCH_S: Final = 60  # a session that is used is written no more often than this
EARLY_S: Final = 30  # so long before its end a proof is renewed
SPARE_S: Final = 3  # a proof that ends sooner is of no use for a call
LEASE_S: Final = 20  # longer than the issuer may take to answer and the database to write it down
PAUSE_S: Final = 2  # after an issuer that did not answer
LOOK_AGAIN_S: Final = 0.1
SECOND: Final = 1_000_000
SELF: Final = service("gateway")


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's sign-in as it stands now. Its caller expires with the proof, not with the session."""

    key: str
    caller: Caller
    name: str
    ends_at: int
    refresh_token: str | None
    is_due: bool
    is_proven: bool


class Sessions:
    """Every sign-in of a browser, whichever process serves it."""

    def __init__(self, database: Database, sealing: Sealing, issuer: LoginIssuer | None) -> None:
        self._database = database
        self._sealing = sealing
        self._issuer = issuer

    async def start(
        self,
        caller: Caller,
        name: str,
        lifetime_s: int,
        *,
        refresh_token: str | None = None,
        instead_of: str = "",
    ) -> str:
        """A new id for somebody who has just proven who he is. Without a refresh token that counts to the end.

        The browser's session before this one is over, and so are those that nobody will use again.
        """
        session_id = secrets.token_urlsafe(32)
        key = _key(session_id)
        async with self._database.begin(SELF, write=True) as tx:
            now_us = tx.now_us
            await tx.execute(delete(sessions).where(or_(is_over(now_us), sessions.c.id_hash == _key(instead_of))))
            await tx.execute(
                insert(sessions),
                {
                    "id_hash": key,
                    "issuer": caller.issuer,
                    "subject": caller.subject,
                    "name": name,
                    "scopes": " ".join(sorted(caller.scopes)),
                    "client_id": caller.client_id,
                    "session_id": caller.session_id,
                    "token_id": caller.token_id,
                    "created_us": now_us,
                    "expires_us": now_us + lifetime_s * SECOND,
                    "idle_us": now_us,
                    "issued_us": caller.issued_at * SECOND,
                    "verified_until_us": None if refresh_token is None else caller.expires_at * SECOND,
                    "refresh_token": None if refresh_token is None else self._sealing.seal(refresh_token, about=key),
                },
            )
        return session_id

    async def current(self, session_id: str) -> Session | None:
        """The session of this id, proven anew where that is due; None if there is none any more.

        Raises `Problem` while the issuer does not answer and the last proof has run out.
        """
        first = session = await self._find(_key(session_id))
        if first is None or not first.is_due:
            return first
        token = self._token(first)
        if token is None:
            return first if first.is_proven else None
        looks = 0
        # Until the token has moved: by us, or by another process that was quicker.
        while session is not None and session.refresh_token == first.refresh_token:
            if await self._lease(session):
                try:
                    return await _to_the_end(self._renew(session, token))
                except Problem:
                    if not session.is_proven:
                        raise
            if session.is_proven:
                return session
            looks += 1
            if looks * LOOK_AGAIN_S > LEASE_S + PAUSE_S:
                raise Problem("unavailable", "your sign-in could not be renewed", "try again in a moment")
            await asyncio.sleep(LOOK_AGAIN_S)
            session = await self._find(session.key)
        return session

    async def end(self, session_id: str) -> bool:
        """Forget a session; whether there was one that began at the issuer."""
        ended = delete(sessions).where(sessions.c.id_hash == _key(session_id))
        async with self._database.begin(SELF, write=True) as tx:
            row = await tx.one(ended.returning(sessions.c.issuer, sessions.c.client_id))
        return row is not None and self._began_at_issuer(row.issuer, row.client_id)

    async def _find(self, key: str) -> Session | None:
        mine = sessions.c.id_hash == key
        async with self._database.begin(SELF) as tx:
            row = await tx.one(select(sessions).where(mine, ~is_over(tx.now_us)))
            now_us = tx.now_us
        if row is None:
            return None
        if now_us - row.idle_us < TOUCH_S * SECOND:
            return _session(row, row.idle_us, now_us)
        async with self._database.begin(SELF, write=True) as tx:
            await tx.execute(update(sessions).where(mine).values(idle_us=now_us))
        return _session(row, now_us, now_us)

    async def _lease(self, session: Session) -> bool:
        """Whether this process alone may use this refresh token now."""
        async with self._database.begin(SELF, write=True) as tx:
            taken = await tx.execute(
                update(sessions)
                .where(_still(session), sessions.c.renewing_until_us <= tx.now_us)
                .values(renewing_until_us=tx.now_us + LEASE_S * SECOND)
            )
        return taken.rowcount == 1

    def _token(self, session: Session) -> str | None:
        """The refresh token of a session, if we can read it and it is of the issuer in today's settings."""
        if session.refresh_token is None or not self._began_at_issuer(session.caller.issuer, session.caller.client_id):
            return None
        return self._sealing.open(session.refresh_token, about=session.key)

    async def _renew(self, session: Session, token: str) -> Session | None:
        """The session with a new proof; None if the issuer gives none, or if somebody has signed out meanwhile."""
        assert self._issuer is not None
        try:
            grant = await self._issuer.renew(token)
        except SignInOver:
            async with self._database.begin(SELF, write=True) as tx:
                await tx.execute(delete(sessions).where(_still(session)))
            return None
        except Problem:
            async with self._database.begin(SELF, write=True) as tx:
                pause_us = tx.now_us + PAUSE_S * SECOND
                await tx.execute(update(sessions).where(_still(session)).values(renewing_until_us=pause_us))
            raise
        scopes = session.caller.scopes if grant.scopes is None else session.caller.scopes & grant.scopes
        async with self._database.begin(SELF, write=True) as tx:
            await tx.execute(
                update(sessions)
                .where(_still(session))
                .values(
                    scopes=" ".join(sorted(scopes)),
                    verified_until_us=tx.now_us + grant.lifetime_s * SECOND,
                    # Also where it stays the same: sealed anew, so that others see that it has been used.
                    refresh_token=self._sealing.seal(grant.refresh_token or token, about=session.key),
                    renewing_until_us=0,
                )
            )
        return await self._find(session.key)

    def _began_at_issuer(self, issuer: str, client_id: str) -> bool:
        ours = self._issuer
        return ours is not None and (ours.issuer, ours.client_id) == (issuer, client_id)


def _key(session_id: str) -> str:
    return sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()


def is_over(now_us: int) -> ColumnElement[bool]:
    """The sessions that nobody can use any more."""
    return or_(sessions.c.expires_us <= now_us, sessions.c.idle_us <= now_us - IDLE_S * SECOND)


def _still(session: Session) -> ColumnElement[bool]:
    """The row of a session, unless it has been renewed since."""
    return and_(sessions.c.id_hash == session.key, sessions.c.refresh_token == session.refresh_token)


def _session(row: AnyRow, idle_us: int, now_us: int) -> Session:
    until_us = row.expires_us if row.verified_until_us is None else min(row.verified_until_us, row.expires_us)
    is_renewable = row.refresh_token is not None and until_us < row.expires_us
    left_us = until_us - now_us
    caller = restored(
        row.issuer,
        row.subject,
        row.scopes.split(),
        until_us // SECOND,
        row.client_id,
        issued_at=row.issued_us // SECOND,
        session_id=row.session_id,
        token_id=row.token_id,
    )
    return Session(
        key=row.id_hash,
        caller=caller,
        name=row.name or row.subject,
        ends_at=min(row.expires_us, idle_us + IDLE_S * SECOND) // SECOND,
        refresh_token=row.refresh_token,
        is_due=is_renewable and left_us <= EARLY_S * SECOND,
        is_proven=left_us > SPARE_S * SECOND,
    )


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of work that goes on when the one who waits for it leaves, and is waited for all the same.

    A refresh token that was used and whose successor was not written down would end the sign-in.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with CancelScope(shield=True):
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # somebody has to have looked at it
        raise
