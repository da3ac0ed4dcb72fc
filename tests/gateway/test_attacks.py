"""Tokens that the gateway must refuse: nothing is stored, and the tool server hears nothing of them."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx2
import pytest

from shared.tokens import Revocation, Signer
from tests.attacks import DELEGATED, HOSTILE, Forge
from tests.living import ISSUER, Living, message
from tests.web import web

pytestmark = pytest.mark.anyio

CREATE: Final = {"type": "threads.create", "params": {"input": message("add Planted")}}
FOR_EVER: Final = 2**40


def client(living: Living, token: str) -> httpx2.AsyncClient:
    # Nothing here is encrypted, and loading certificates takes longer than the rest.
    headers = [(b"Authorization", f"Bearer {token}".encode())]
    return web(base_url=living.gateway_url, headers=headers)


async def answers(living: Living, token: str) -> list[httpx2.Response]:
    """What a message and a look at oneself are answered with this token."""
    async with client(living, token) as http:
        return [await http.post("/chatkit", json=CREATE), await http.get("/auth/me")]


async def assert_refused(living: Living, token: str) -> None:
    for response in await answers(living, token):
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["code"] == "sign_in"
        assert "set-cookie" not in response.headers


async def assert_nothing_happened(living: Living) -> None:
    assert living.requests == []
    async with client(living, living.token("ada", living.gateway_url)) as http:
        listed = await http.post("/chatkit", json={"type": "threads.list", "params": {}})
    assert listed.json()["data"] == []


async def test_the_tokens_of_the_attacks_are_good_but_for_one_thing(living: Living) -> None:
    forge = Forge.against_gateway(living)
    for token in (forge.token(), forge.token(aud=[forge.elsewhere, forge.here])):
        message_sent, me = await answers(living, token)
        assert message_sent.status_code == 200
        assert me.json()["subject"] == living.subject("ada")
    assert "tools/call" in living.requests


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_token_is_refused(living: Living, case: str) -> None:
    await assert_refused(living, HOSTILE[case](Forge.against_gateway(living)))
    await assert_nothing_happened(living)


@pytest.mark.parametrize("case", DELEGATED)
async def test_nobody_may_act_for_a_person_here(living: Living, case: str) -> None:
    await assert_refused(living, DELEGATED[case](Forge.against_gateway(living)))
    await assert_nothing_happened(living)


async def test_a_good_token_for_something_else_opens_nothing(living: Living) -> None:
    """A tool server's token, the tokens that the gateway itself makes for tool calls, and an ID token."""
    own = Signer(living.gateway_url, [living.gateway_key])
    person, ada = living.subject("ada"), living.person("ada")
    for token in (
        living.token("ada"),
        own.delegate(ada, living.mcp_url, ["tasks:read"]),
        own.delegate(ada, living.gateway_url, ["tasks:read"]),
        Forge.against_gateway(living).delegated(),
        living.issuer.identify(person, "a client of the tests", nonce=None, session_id="s"),
        living.issuer.identify(person, living.gateway_url, nonce=None, session_id="s"),
    ):
        await assert_refused(living, token)
    await assert_nothing_happened(living)


@pytest.fixture
def revoke(living: Living) -> Iterator[Callable[..., None]]:
    """Revoke what is named, until the end of the test."""

    def only(**named: Any) -> None:
        living.gateway_revocations.replace([Revocation(issuer=ISSUER, keep_until=FOR_EVER, **named)])

    yield only
    living.gateway_revocations.replace([])


@pytest.mark.parametrize("what", ["token", "session", "person"])
async def test_what_was_revoked_is_refused_at_the_next_request(
    living: Living, revoke: Callable[..., None], what: str
) -> None:
    forge = Forge.against_gateway(living)
    good = forge.token(jti="the token", sid="the session")
    async with living.chat("ada", token=good) as ada:
        assert (await ada.reply("threads.list"))["data"] == []
    match what:
        case "token":
            revoke(token_id="the token")
        case "session":
            revoke(session_id="the session")
        case "person":
            revoke(subject=forge.subject, not_before=FOR_EVER)
    await assert_refused(living, good)
    async with living.chat("bob") as bob:
        assert (await bob.reply("threads.list"))["data"] == []
    revoke()
    await assert_nothing_happened(living)
