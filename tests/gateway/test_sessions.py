"""The sessions of browsers by a clock of our own: how they end, and how they are proven anew with each token once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs

import httpx2
import pytest
from sqlalchemy import Executable, delete, insert, select, update

from gateway.oidc import LoginIssuer
from gateway.sealing import Sealing
from gateway.sessions import Session, Sessions
from gateway.tables import sessions as table
from shared.db import AnyRow, Database
from shared.errors import Problem
from shared.tokens import SCOPES, IssuerMetadata, IssuerProfile, Signer, SigningKey, build_verifier, restored, service
from tests.living import Living
from tests.web import web

pytestmark = pytest.mark.anyio

ISSUER: Final = "https://login.example.test"
US: Final = "https://chat.example.test"
OLD, NEW = "the older of the two sealing keys", "the newer of the two sealing keys"
DAY_S: Final = 24 * 3600


@dataclass
class Renewing:
    """An issuer that renews: each answer brings the next refresh token, and an old one is never taken again."""

    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    used: list[str] = field(default_factory=list)
    # What the next answers wait for, and whether they have begun to.
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 200
    scope: str | None = None
    rotates: bool = True
    # What passes with each look at the clock.
    tick_s: float = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def clock(self) -> datetime:
        self.pass_s(self.tick_s)
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def respond(self, request: httpx2.Request) -> httpx2.Response:
        [token] = parse_qs(request.content.decode())["refresh_token"]
        is_known = token == f"r{len(self.used)}" or not self.rotates
        self.used.append(token)
        self.asked.set()
        await self.gate.wait()
        if self.status != 200:
            return httpx2.Response(self.status)
        if not is_known:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        answer: dict[str, Any] = {"expires_in": 600}
        if self.rotates:
            answer["refresh_token"] = f"r{len(self.used)}"
        if self.scope is not None:
            answer["scope"] = self.scope
        return httpx2.Response(200, json=answer)


@dataclass(frozen=True, slots=True)
class Place:
    """A database, an issuer, and the processes in front of them."""

    url: str
    renewing: Renewing

    @asynccontextmanager
    async def process(self, *, keys: Sequence[str] = (OLD,), client_id: str = "us") -> AsyncGenerator[Sessions]:
        """What one process holds."""
        async with (
            opened(Database(self.url, pool_size=3, now=self.renewing.clock)) as database,
            web(transport=httpx2.MockTransport(self.renewing.respond)) as http,
        ):
            metadata = IssuerMetadata(issuer=ISSUER, token_endpoint=f"{ISSUER}/token")
            jwks = Signer(ISSUER, [SigningKey.generate()]).jwks
            verifier = build_verifier([IssuerProfile(issuer=ISSUER, jwks=jwks)], US, http)
            issuer = LoginIssuer(
                metadata, http, verifier, client_id=client_id, client_secret="", scopes=tuple(SCOPES), gateway_url=US
            )
            yield Sessions(database, Sealing(keys, "refresh tokens"), issuer)

    async def start(self, sessions: Sessions, *, refresh_token: str | None = "r0", instead_of: str = "") -> str:
        """Ada signs in, proven for ten minutes."""
        now = int(self.renewing.now.timestamp())
        caller = restored(ISSUER, "ada", SCOPES, now + 600, "us", issued_at=now, session_id="s1")
        return await sessions.start(caller, "Ada L.", DAY_S // 2, refresh_token=refresh_token, instead_of=instead_of)

    async def rows(self) -> Sequence[AnyRow]:
        async with opened(Database(self.url, pool_size=1)) as database, database.begin(service("tests")) as tx:
            return await tx.all(select(table))

    async def change(self, **columns: Any) -> None:
        await self.run(update(table).values(columns))

    async def run(self, statement: Executable) -> None:
        async with (
            opened(Database(self.url, pool_size=1)) as database,
            database.begin(service("tests"), write=True) as tx,
        ):
            await tx.execute(statement)


@asynccontextmanager
async def opened(database: Database) -> AsyncGenerator[Database]:
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def place(house: Living) -> Place:
    """The table on either engine, with nobody signed in."""
    found = Place(house.databases.gateway, Renewing())
    await found.run(delete(table))
    return found


async def current(sessions: Sessions, session_id: str) -> Session:
    found = await sessions.current(session_id)
    assert found is not None
    return found


# How they end -------------------------------------------------------------------------------------------------------


async def test_a_session_is_who_signed_in_and_the_table_signs_nobody_in(place: Place) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        found = await current(sessions, session_id)
        assert (found.caller.key, found.name) == (f"{ISSUER}|ada", "Ada L.")
        assert (found.caller.scopes, found.caller.session_id) == (frozenset(SCOPES), "s1")
        assert found.caller.expires_at == place.renewing.now.timestamp() + 600
        [row] = await place.rows()
        assert session_id not in str(row)
        assert "'r0'" not in str(row)
        for other in ("", "x", row.id_hash, session_id + "x", "\ud800"):
            assert await sessions.current(other) is None


@pytest.mark.parametrize(("idle_s", "is_there"), [(3599, True), (3600, False)])
async def test_a_session_that_nobody_uses_for_an_hour_is_over(place: Place, idle_s: int, is_there: bool) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions, refresh_token=None)
        place.renewing.pass_s(idle_s)
        assert (await sessions.current(session_id) is not None) == is_there


async def test_use_keeps_a_session_alive_until_its_twelve_hours_are_over(place: Place) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions, refresh_token=None)
        end = place.renewing.now.timestamp() + DAY_S // 2
        for _ in range(23):
            place.renewing.pass_s(1800)
            found = await current(sessions, session_id)
            assert found.ends_at == min(end, place.renewing.now.timestamp() + 3600)
            assert found.caller.expires_at == end
        place.renewing.pass_s(1799)
        assert await sessions.current(session_id) is not None
        place.renewing.pass_s(1)
        assert await sessions.current(session_id) is None
        assert place.renewing.used == []


async def test_using_a_session_writes_at_most_once_a_minute(place: Place) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        seen = set()
        for _ in range(12):
            place.renewing.pass_s(10)
            await current(sessions, session_id)
            [row] = await place.rows()
            seen.add(row.idle_us)
        assert len(seen) == 3  # the start, and two minutes


async def test_sessions_that_are_over_are_removed_when_somebody_signs_in(place: Place) -> None:
    async with place.process() as sessions:
        for _ in range(3):
            await place.start(sessions)
        place.renewing.pass_s(3600)
        await place.start(sessions)
        assert len(await place.rows()) == 1


async def test_a_new_sign_in_of_the_same_browser_ends_the_session_before_it(place: Place) -> None:
    async with place.process() as sessions:
        first, other = await place.start(sessions), await place.start(sessions)
        second = await place.start(sessions, instead_of=first)
        assert await sessions.current(first) is None
        for kept in (other, second):
            assert await sessions.current(kept) is not None


async def test_a_session_that_the_program_before_this_one_wrote_goes_on_to_its_end(place: Place) -> None:
    now_us = int(place.renewing.now.timestamp() * 1_000_000)
    old = {"issuer": ISSUER, "subject": "ada", "scopes": "tasks:read", "client_id": "x", "created_us": now_us}
    key = sha256(b"an id").hexdigest()
    await place.run(insert(table).values(id_hash=key, **old, expires_us=now_us + 90_000_000, idle_us=now_us))
    async with place.process() as sessions:
        place.renewing.pass_s(89)
        found = await current(sessions, "an id")
        assert (found.name, found.caller.subject, found.is_due) == ("ada", "ada", False)
        assert found.caller.issued_at == 0  # whoever is revoked at all is revoked here
        place.renewing.pass_s(1)
        assert await sessions.current("an id") is None


# How they are proven anew -------------------------------------------------------------------------------------------


async def test_a_proof_is_renewed_shortly_before_its_end_and_nobody_changes(place: Place) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        before = await current(sessions, session_id)
        place.renewing.pass_s(569)
        await current(sessions, session_id)
        assert place.renewing.used == []
        place.renewing.pass_s(1)
        after = await current(sessions, session_id)
        assert place.renewing.used == ["r0"]
        assert after.caller.expires_at == place.renewing.now.timestamp() + 600
        assert after.caller.key == before.caller.key
        assert (after.caller.issued_at, after.caller.session_id) == (before.caller.issued_at, "s1")
        place.renewing.pass_s(599)
        await current(sessions, session_id)
        assert place.renewing.used == ["r0", "r1"]


async def test_a_refresh_token_that_stays_the_same_renews_again(place: Place) -> None:
    place.renewing.rotates = False
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        sealed = set()
        for _ in range(3):
            place.renewing.pass_s(590)
            await current(sessions, session_id)
            sealed.add((await place.rows())[0].refresh_token)
        assert place.renewing.used == ["r0"] * 3
        assert len(sealed) == 3


async def test_a_proof_that_reaches_the_end_of_the_session_needs_no_renewal(place: Place) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        start = place.renewing.now
        for _ in range(13):
            place.renewing.pass_s(3300)
            await sessions.current(session_id)
        used = len(place.renewing.used)
        assert used == 13
        place.renewing.now = start + timedelta(seconds=DAY_S // 2 - 5)
        assert (await current(sessions, session_id)).caller.expires_at == (start.timestamp() + DAY_S // 2)
        assert len(place.renewing.used) == used


@pytest.mark.parametrize("left_s", [20, -20])
async def test_many_requests_in_two_processes_use_a_refresh_token_once(place: Place, left_s: int) -> None:
    async with place.process() as one, place.process() as two:
        session_id = await place.start(one)
        place.renewing.pass_s(600 - left_s)
        place.renewing.gate.clear()
        asking = [asyncio.create_task(current(sessions, session_id)) for sessions in (one, two) * 8]
        await place.renewing.asked.wait()
        place.renewing.gate.set()
        found = await asyncio.gather(*asking)
        assert place.renewing.used == ["r0"]
        now = place.renewing.now.timestamp()
        renewed = [session.caller.expires_at == now + 600 for session in found]
        # Whose proof still holds need not wait for the new one.
        assert all(renewed) if left_s < 0 else any(renewed)
        assert {session.caller.key for session in found} == {f"{ISSUER}|ada"}


async def test_a_process_that_died_with_the_lease_is_waited_for_and_then_replaced(place: Place) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        place.renewing.pass_s(610)
        free_at = place.renewing.now.timestamp() + 20
        await place.change(renewing_until_us=int(free_at * 1_000_000))
        place.renewing.tick_s = 4
        assert (await current(sessions, session_id)).is_proven
        assert place.renewing.used == ["r0"]
        assert place.renewing.now.timestamp() >= free_at


async def test_somebody_who_leaves_during_a_renewal_takes_no_token_along(place: Place) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        place.renewing.pass_s(610)
        place.renewing.gate.clear()
        leaving = asyncio.create_task(current(sessions, session_id))
        await place.renewing.asked.wait()
        for _ in range(3):
            leaving.cancel()
            await asyncio.sleep(0)
        assert not leaving.done()
        place.renewing.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert (await current(sessions, session_id)).is_proven
        assert place.renewing.used == ["r0"]


async def test_an_issuer_that_says_no_ends_the_session(place: Place) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions, refresh_token="stolen and used already")
        place.renewing.pass_s(580)
        assert await sessions.current(session_id) is None
        assert await place.rows() == []


async def test_an_issuer_that_is_away_ends_nothing(place: Place) -> None:
    place.renewing.status = 503
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        place.renewing.pass_s(580)
        assert (await current(sessions, session_id)).is_proven
        await current(sessions, session_id)
        assert place.renewing.used == ["r0"]  # it is not asked again at once
        place.renewing.pass_s(19)
        with pytest.raises(Problem) as away:
            await sessions.current(session_id)
        assert away.value.code == "unavailable"
        place.renewing.used.clear()
        place.renewing.status = 200
        place.renewing.pass_s(3)
        assert (await current(sessions, session_id)).is_proven


async def test_signing_out_during_a_renewal_wins(place: Place) -> None:
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        place.renewing.pass_s(590)
        place.renewing.gate.clear()
        renewing = asyncio.create_task(sessions.current(session_id))
        await place.renewing.asked.wait()
        assert await sessions.end(session_id)
        place.renewing.gate.set()
        assert await renewing is None
        assert await place.rows() == []


@pytest.mark.parametrize(
    ("scope", "left"),
    [(None, set(SCOPES)), ("tasks:read openid", {"tasks:read"}), ("", set())],
)
async def test_a_renewal_may_take_permissions_away(place: Place, scope: str | None, left: set[str]) -> None:
    place.renewing.scope = scope
    async with place.process() as sessions:
        session_id = await place.start(sessions)
        place.renewing.pass_s(590)
        assert (await current(sessions, session_id)).caller.scopes == left
        place.renewing.scope = " ".join(SCOPES)
        place.renewing.pass_s(590)
        assert (await current(sessions, session_id)).caller.scopes == left  # and never gives them back


async def test_a_refresh_token_is_never_sent_to_another_issuer_or_as_another_client(place: Place) -> None:
    async with place.process() as sessions, place.process(client_id="another client") as others:
        session_id = await place.start(sessions)
        place.renewing.pass_s(590)
        assert (await current(others, session_id)).is_proven
        place.renewing.pass_s(10)
        assert await others.current(session_id) is None
        assert place.renewing.used == []
        assert (await current(sessions, session_id)).is_proven


# Keys ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "is_renewed"),
    [((OLD,), True), ((NEW, OLD), True), ((OLD, NEW), True), ((NEW,), False), ((), False)],
)
async def test_what_an_older_key_sealed_is_opened_as_long_as_the_key_is_kept(
    place: Place,
    keys: tuple[str, ...],
    is_renewed: bool,
) -> None:
    async with place.process() as before, place.process(keys=keys) as after:
        session_id = await place.start(before)
        place.renewing.pass_s(605)
        assert (await after.current(session_id) is not None) == is_renewed
        assert place.renewing.used == (["r0"] if is_renewed else [])


async def test_what_is_renewed_is_sealed_with_the_newest_key(place: Place) -> None:
    async with place.process() as before, place.process(keys=(NEW, OLD)) as during, place.process(keys=(NEW,)) as after:
        session_id = await place.start(before)
        for sessions in (during, after):
            place.renewing.pass_s(605)
            assert (await current(sessions, session_id)).is_proven
        assert place.renewing.used == ["r0", "r1"]


async def test_a_token_that_was_put_into_another_row_does_not_open(place: Place) -> None:
    async with place.process() as sessions:
        await place.start(sessions, refresh_token="r0")
        [row] = await place.rows()
        session_id = await place.start(sessions, refresh_token="another")
        await place.change(refresh_token=row.refresh_token, verified_until_us=0)
        assert await sessions.current(session_id) is None
        assert place.renewing.used == []


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "AAAA",
        lambda _: "é",
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + "A",
        lambda sealed: ("A" if sealed[0] != "A" else "B") + sealed[1:],
    ],
)
async def test_sealed_text_opens_only_as_it_was_sealed(change: Callable[[str], str]) -> None:
    sealing = Sealing([NEW, OLD], "a purpose")
    sealed = sealing.seal("日本", about="this")
    assert sealing.open(sealed, about="this") == "日本"
    assert sealing.open(sealed) is None
    assert Sealing([NEW, OLD], "another purpose").open(sealed, about="this") is None
    assert sealing.seal("日本", about="this") != sealed
    assert sealing.open(change(sealed), about="this") is None
