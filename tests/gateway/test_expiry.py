"""Sign-ins that end, or are proven anew, in the middle of an answer: what becomes of the next call and of the rest."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from shared.tokens import Revocation
from tests.living import ChatClient, Databases, Living, Said, message
from tests.signing_in import House, TwoErrands, Visitor, open_house

pytestmark = pytest.mark.anyio

ENDED: Final = "Your sign-in has ended. Sign in again."


@dataclass(frozen=True, slots=True)
class Home:
    """The house with that model in it."""

    house: House
    model: TwoErrands

    async def ask(self, chat: ChatClient, between: Callable[[], Awaitable[object]]) -> Said:
        """Both errands, and what happens between them."""
        asking = asyncio.create_task(chat.say("milk and bread, please"))
        await self.model.between.wait()
        await between()
        self.model.go_on.set()
        return await asking

    async def titles(self) -> set[str]:
        return set(await self.house.titles("ada"))


@pytest.fixture(scope="module")
async def opened(house: Living) -> AsyncGenerator[Home]:
    model = TwoErrands()
    async with open_house(house.databases, model=model) as found:
        yield Home(found, model)


@pytest.fixture
def home(opened: Home) -> Home:
    opened.house.begin_test()
    opened.model.begin()
    return opened


async def assert_ended(home: Home, said: Said) -> None:
    """The second errand was refused; the first one, and all that was said, is still there."""
    [error] = said.of("error")
    assert (error["message"], error["allow_retry"]) == (ENDED, True)
    assert await home.titles() == {"milk"}
    async with home.house.visitor("ada") as ada:
        stored = (await ada.chat.reply("items.list", thread_id=said.thread_id, order="asc"))["data"]
        texts = [part["text"] for item in stored for part in item.get("content", [])]
        assert texts == ["milk and bread, please", "First the milk.", "Now the bread."]

        # Trying again repeats both errands under the keys they had: milk was bought, and is not bought twice.
        retried = await ada.chat.post("threads.retry_after_item", thread_id=said.thread_id, item_id=stored[0]["id"])
        assert retried.status_code == 200
        assert await home.titles() == {"milk", "bread"}
        assert len(await home.house.titles("ada")) == 2


async def sign_out_elsewhere(home: Home, ada: Visitor) -> None:
    async with home.house.visitor() as other_tab:
        other_tab.http.cookies.update(ada.http.cookies)
        await other_tab.sign_out()


async def sign_in_as_bob(home: Home, ada: Visitor) -> None:
    async with home.house.visitor() as other_tab:
        other_tab.http.cookies.update(ada.http.cookies)
        await other_tab.sign_in(home.house.living.subject("bob"))


async def twelve_hours_later(home: Home, _: Visitor) -> None:
    await home.house.let_time_pass(expires_us=0)


async def an_idle_hour_later(home: Home, _: Visitor) -> None:
    await home.house.let_time_pass(idle_us=-3600)


async def revoke_person(home: Home, _: Visitor) -> None:
    row = await home.house.row()
    later = row.issued_us // 1_000_000 + 1
    revoke(home, subject=row.subject, not_before=later)


async def revoke_sign_in(home: Home, _: Visitor) -> None:
    revoke(home, session_id=(await home.house.row()).session_id)


async def renewal_refused(home: Home, _: Visitor) -> None:
    home.house.issuer.end_grants()
    await home.house.let_time_pass(verified_until_us=20)


def revoke(home: Home, **what: Any) -> None:
    gone = Revocation(home.house.issuer.url, keep_until=2**40, **what)
    home.house.living.gateway_revocations.replace([gone])


@pytest.mark.parametrize(
    "event",
    [
        sign_out_elsewhere,
        sign_in_as_bob,
        twelve_hours_later,
        an_idle_hour_later,
        revoke_person,
        revoke_sign_in,
        renewal_refused,
    ],
    ids=lambda event: event.__name__,
)
async def test_a_browsers_sign_in_that_ends_in_mid_answer_stops_the_next_call(
    home: Home, event: Callable[[Home, Visitor], Awaitable[None]]
) -> None:
    async with home.house.visitor("ada") as ada:
        said = await home.ask(ada.chat, lambda: event(home, ada))
        assert await ada.status() == 401
    home.house.living.gateway_revocations.replace([])
    await assert_ended(home, said)


@pytest.mark.parametrize("event", ["expired", "token revoked", "person revoked"])
async def test_a_token_that_ends_in_mid_answer_stops_the_next_call(home: Home, event: str) -> None:
    token = home.house.token("ada")
    living = home.house.living

    async def end() -> None:
        if event == "expired":
            living.gateway_ahead_s = 3600
        elif event == "token revoked":
            revoke(home, token_id=claims(token)["jti"])
        else:
            revoke(home, subject=claims(token)["sub"], not_before=claims(token)["iat"] + 1)

    try:
        async with living.chat("ada", token=token) as ada:
            said = await home.ask(ada, end)
            assert (await ada.post("threads.list")).status_code == 401
    finally:
        living.gateway_ahead_s = 0
        living.gateway_revocations.replace([])
    await assert_ended(home, said)


def claims(token: str) -> dict[str, Any]:
    """What a token says, to somebody who need not believe it."""
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


async def test_a_proof_that_is_renewed_in_mid_answer_is_noticed_by_nobody(home: Home) -> None:
    async with home.house.visitor("ada") as ada:
        before = home.house.renewals
        said = await home.ask(ada.chat, lambda: home.house.let_time_pass(verified_until_us=10))
        assert said.of("error") == []
        assert await home.titles() == {"milk", "bread"}
        assert home.house.renewals == before + 1
        assert await ada.status() == 200
        assert home.house.renewals == before + 1


async def test_an_issuer_that_is_away_stops_nothing_that_is_still_proven(home: Home) -> None:
    async with home.house.visitor("ada") as ada:

        async def leave() -> None:
            await home.house.issuer.stop()
            await home.house.let_time_pass(verified_until_us=25)

        said = await home.ask(ada.chat, leave)
        assert said.of("error") == []
        assert await ada.status() == 200
        await home.house.issuer.start()
        assert await home.titles() == {"milk", "bread"}


async def test_an_issuer_that_is_away_for_longer_is_an_outage_and_no_lost_sign_in(home: Home) -> None:
    async with home.house.visitor("ada") as ada:

        async def leave() -> None:
            await home.house.issuer.stop()
            await home.house.let_time_pass(verified_until_us=0)

        said = await home.ask(ada.chat, leave)
        assert said.of("error") == []
        assert "unavailable: the sign-in service is away" in said.text
        asked = await ada.http.get("/auth/me")
        assert (asked.status_code, asked.json()["code"]) == (503, "unavailable")
        assert asked.headers["retry-after"]
        assert await home.titles() == {"milk"}
        await home.house.issuer.start()
        await home.house.let_time_pass(renewing_until_us=0)
        assert await ada.status() == 200


@pytest.mark.parametrize("left_s", [20, -20])
async def test_two_gateways_and_many_requests_ask_the_issuer_once(databases: Databases, left_s: int) -> None:
    async with open_house(databases, replicas=1) as house, house.visitor("ada") as ada:
        addresses = [house.living.gateway_url, house.replicas[0].gateway_url]
        for _ in range(2):
            await house.let_time_pass(verified_until_us=left_s)
            before = house.renewals
            answers = await asyncio.gather(*(ada.http.get(f"{address}/auth/me") for address in addresses * 4))
            assert {answer.status_code for answer in answers} == {200}
            assert {answer.json()["subject"] for answer in answers} == {"ada"}
            assert house.renewals == before + 1


async def test_a_message_of_somebody_whose_sign_in_has_ended_is_not_stored(home: Home) -> None:
    async with home.house.visitor("ada") as ada:
        home.house.issuer.end_grants()
        await home.house.let_time_pass(verified_until_us=20)
        refused = await ada.chat.post("threads.create", input=message("planted"))
        assert (refused.status_code, refused.json()["login"]) == (401, "/auth/login")
    async with home.house.visitor("ada") as ada:
        assert (await ada.chat.reply("threads.list"))["data"] == []
