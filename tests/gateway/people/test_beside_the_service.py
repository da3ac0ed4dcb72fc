"""Erasing and pruning beside a gateway that serves, as people see it."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from gateway.people import erase, prune
from shared.db import Database, clock
from shared.retention import Retention
from shared.tokens import Revocation
from tests.gateway.people.place import Place
from tests.living import ISSUER, Databases, Living, Said
from tests.models import PatientModel

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def looking(databases: Databases) -> AsyncGenerator[Place]:
    """A second process at the gateway's database."""
    database = Database(databases.gateway, pool_size=2)
    try:
        yield Place(database, databases.gateway)
    finally:
        await database.close()


def told_of(subject: str, rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The tables in which anything is said of a person."""
    return [name for name, found in rows.items() if subject in json.dumps(found, default=str)]


async def test_who_is_erased_in_the_middle_of_an_answer_is_gone_and_bob_is_not(databases: Databases) -> None:
    model = PatientModel()
    async with (
        Living(databases, model=model) as living,
        looking(databases) as place,
        living.chat("ada") as ada,
        living.chat("bob") as bob,
    ):

        async def say(chat: Any, text: str) -> Said:
            return await asyncio.wait_for(chat.say(text), 30)

        asking = asyncio.create_task(say(ada, "of ada"))
        await asyncio.wait_for(model.begun.wait(), 20)
        assert told_of("of ada", await place.everything())
        person, other = living.person("ada"), living.person("bob")
        living.gateway_revocations.replace([Revocation(ISSUER, 2**40, subject=person.subject, not_before=2**40)])
        await erase(place.database, person)
        said = await asking
        assert said.events[-1]["type"] == "error"
        model.go_on.set()
        await erase(place.database, person)
        said_by_bob = await say(bob, "of bob")
        assert (await ada.post("threads.list")).status_code == 401
        rows = await place.everything()
        assert told_of(person.key, rows) == told_of("of ada", rows) == []
        assert said_by_bob.text
        assert told_of(other.key, rows)


async def test_who_is_pruned_away_finds_an_empty_list_and_goes_on(databases: Databases) -> None:
    async with (
        Living(databases) as living,
        looking(databases) as place,
        living.chat("ada") as ada,
        living.chat("bob") as bob,
    ):
        old = (await ada.say("hello")).thread_id
        new = (await bob.say("hello")).thread_id
        later = Database(databases.gateway, pool_size=2, now=lambda: clock() + timedelta(days=2))
        try:
            counts = await prune(later, Retention(threads=1))
        finally:
            await later.close()
        assert counts["conversations"] == 2
        for chat, thread in ((ada, old), (bob, new)):
            assert (await chat.reply("threads.list"))["data"] == []
            assert (await chat.post("threads.get_by_id", thread_id=thread)).status_code == 404
        assert (await ada.say("hello again")).text
        assert not any((await prune(place.database, Retention())).values())
