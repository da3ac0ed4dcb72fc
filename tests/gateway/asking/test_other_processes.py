"""What one process asked, another goes on with: a second gateway on the same database, or the same one restarted."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from shared.tokens import IssuerProfile, Signer
from tests.asking_server import AskingServer
from tests.gateway.asking.conftest import Asked, Person, asked, asking_house, pressing, replaced
from tests.living import ISSUER, Databases, Living, Served
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def two_gateways(databases: Databases) -> AsyncGenerator[tuple[Asked, Person, Person]]:
    """Two gateways with one database and one tool server between them, and ada at both."""
    server, model = AskingServer(), ObedientModel()
    first = Living(databases, model=model, offer=server.offer())
    second = Living(databases, model=model, start_mcp=False)
    second.mcp = Served(first.mcp.port)
    second.issuer = first.issuer
    first.mcp_issuers.append(
        IssuerProfile(
            issuer=second.gateway_url,
            jwks=Signer(second.gateway_url, [second.gateway_key]).jwks,
            delegates_for=frozenset({ISSUER}),
            max_lifetime_s=120,
            interactive=False,
        )
    )
    async with first, second, first.chat("ada") as here, second.chat("ada") as there:
        yield Asked(first, server, model), Person(here), Person(there)


async def test_a_second_process_takes_the_approval(databases: Databases) -> None:
    async with two_gateways(databases) as (house, here, there):
        async with house.living.client("ada") as client:
            await client.add(*(f"Task {number}" for number in range(12)))
            card = asked(await here.say('call tasks_delete {"filter": "is:open"}'))
            done = await there.press(card, "approve")
            assert "12 deleted" in done.text
            assert replaced(done)[0]["copy_text"].startswith("Approved at ")
            assert await client.titles("is:open") == []
        late = await here.chat.post("threads.custom_action", **pressing(card, "approve"))
        assert late.status_code == 409


async def test_a_second_process_takes_the_answers(databases: Databases) -> None:
    async with two_gateways(databases) as (house, here, there):
        item = asked(await here.say("call book {}"))
        again = asked(await there.fill_in(item, "Ada", "nine", None, None))
        assert "('seats', 2)" in (await here.fill_in(again, "2")).text
        assert house.server.done == {"book": 1}


async def test_a_second_process_closes_what_a_new_message_leaves_behind(databases: Databases) -> None:
    async with two_gateways(databases) as (house, here, there):
        said = await here.say("call wipe {}")
        talked = await there.say("never mind", said.thread_id)
        assert replaced(talked)[0]["id"] == asked(said)["id"]
        late = await here.chat.post("threads.custom_action", **pressing(asked(said), "approve"))
        assert late.status_code == 409
        assert house.server.done["wipe"] == 0


async def test_a_restarted_process_takes_approvals_and_answers(databases: Databases) -> None:
    async with asking_house(databases) as house:
        async with house.person("ada") as ada:
            card = asked(await ada.say("call wipe {}"))
            item = asked(await ada.say("call book {}"))
        await house.living.gateway.stop()
        await house.living.start_gateway()
        async with house.person("ada") as ada:
            assert "wipe is done" in (await ada.press(card, "approve")).text
            assert "('name', 'Ada')" in (await ada.fill_in(item, "Ada", "1", None, None)).text
        assert house.server.done == {"wipe": 1, "book": 1}


async def test_a_tool_that_is_gone_fails_on_the_card_and_the_model_knows(databases: Databases) -> None:
    async with asking_house(databases) as house:
        async with house.person("ada") as ada:
            card = asked(await ada.say("call wipe {}"))
        house.living.offer = None
        for service in (house.living.gateway, house.living.mcp):
            await service.stop()
        await house.living.start_mcp()
        await house.living.start_gateway()
        async with house.person("ada") as ada:
            done = await ada.press(card, "approve")
            assert "but it failed" in replaced(done)[-1]["copy_text"]
            assert "unknown_tool" in done.text


async def test_an_approval_while_the_tool_server_is_away_changes_nothing(databases: Databases) -> None:
    async with asking_house(databases) as house, house.person("ada") as ada:
        card = asked(await ada.say("call wipe {}"))
        await house.living.mcp.stop()
        done = await ada.press(card, "approve")
        assert "unavailable" in done.text
        assert house.server.done["wipe"] == 0
        await house.living.start_mcp()
        # It was not made, so asking for it again is safe, and asks again.
        said = await ada.say("call wipe {}", card["thread_id"])
        assert "wipe is done" in (await ada.press(asked(said), "approve")).text
        assert house.server.done["wipe"] == 1


async def test_an_approval_before_the_tool_server_was_ever_reached_can_be_given_later(databases: Databases) -> None:
    async with asking_house(databases) as house:
        async with house.person("ada") as ada:
            card = asked(await ada.say("call wipe {}"))
        for service in (house.living.gateway, house.living.mcp):
            await service.stop()
        await house.living.start_gateway()
        async with house.person("ada") as ada:
            refused = await ada.press(card, "approve")
            assert refused.of("notice")[0]["message"].startswith("Tasks cannot be reached")
            assert not replaced(refused)
            assert refused.text == ""
            await house.living.start_mcp()
            assert "wipe is done" in (await ada.press(card, "approve")).text
        assert house.server.done["wipe"] == 1
