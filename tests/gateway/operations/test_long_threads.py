"""A conversation of two hundred turns: as right at its end as at its beginning, and no dearer."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event

from tests.gateway.operations.table import begun, read, visible
from tests.living import Databases, Living
from tests.models import ObedientModel, is_question, text_of

pytestmark = pytest.mark.anyio

TURNS: Final = 200
BUDGET: Final = 2_000
EARLY, LATE = range(5, 20), range(TURNS - 15, TURNS)


@contextmanager
def statements(living: Living) -> Iterator[list[str]]:
    """What the gateway says to its database meanwhile, but for the signs of life, which come with time."""
    seen: list[str] = []
    ours = living.databases.gateway.rpartition("/")[2]

    def note(connection: Any, _: Any, statement: str, *___: Any) -> None:
        if connection.engine.url.database.endswith(ours) and not statement.startswith(
            ("BEGIN", "PRAGMA", "SELECT set_config", "UPDATE chat_turns")
        ):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_the_two_hundredth_turn_costs_what_the_tenth_did_and_knows_what_was_said(databases: Databases) -> None:
    model = ObedientModel()
    living = Living(databases, model=model, chat_limits=f"history={BUDGET} turns=100000 tokens=1000000000")
    async with living, living.chat("ada") as ada, living.client("ada") as tasks:
        await tasks.add("Water the plants")
        thread = (await begun(ada, "turn 0")).thread_id
        cost: dict[int, Counter[str]] = {}
        for number in range(1, TURNS):
            with statements(living) as seen:
                said = await ada.say(f'turn {number}\ncall tasks_find {{"refs": ["T1"]}}', thread)
            assert not said.of("error")
            assert "Water the plants" in said.text
            cost[number] = Counter(seen)
            assert len(json.dumps(model.inputs[-1])) < 3.5 * BUDGET * 2
        # What is forgotten moves now and then; everything else is the same in every turn.
        moved = [each for number in cost for each in cost[number] if "history_from" in each.partition("WHERE")[0]]
        usual = {number: sum(count for each, count in cost[number].items() if each not in moved) for number in cost}
        assert moved
        assert {usual[number] for number in LATE} <= {usual[number] for number in EARLY}
        assert sum(len(set(cost[number]) & set(moved)) for number in LATE) < len(LATE) / 2
        # The conversation is read once for the model; before that its last entry, which may be a call that waits.
        reads = [
            {each: n for each, n in seen.items() if "history_from" in each and each not in moved}
            for seen in cost.values()
        ]
        assert {sum(read.values()) for read in reads} == {2}
        asked = [text_of(item).split()[1] for item in model.inputs[-1] if is_question(item)]
        assert asked == [str(number) for number in range(int(asked[0]), TURNS)]
        # People still see all of it.
        page = await ada.reply("items.list", thread_id=thread, order="asc", limit=100)
        assert page["has_more"]
        assert page["data"][0]["content"][0]["text"] == "turn 0"
        found = [row["id"] for row in page["data"]]
        while page["has_more"]:
            page = await ada.reply("items.list", thread_id=thread, order="asc", limit=100, after=page["after"])
            found += [row["id"] for row in page["data"]]
        assert len(found) == len(set(found))
        # A question and an answer each, and for all but the first the step and the card of its tool.
        assert len(found) == TURNS * 4 - 2
        assert len(await visible(ada, (await begun(ada)).thread_id)) == 2


async def test_a_question_from_before_what_is_remembered_can_be_answered_anew(databases: Databases) -> None:
    model = ObedientModel()
    living = Living(databases, model=model, chat_limits="history=300 turns=100000 tokens=1000000000")
    async with living, living.chat("ada") as ada:
        thread = (await begun(ada, "the first " + "word " * 30)).thread_id
        for number in range(12):
            await ada.say(f"turn {number} " + "word " * 30, thread)
        assert "the first" not in json.dumps(model.inputs[-1])
        stored = await visible(ada, thread)
        retried = {"thread_id": thread, "item_id": stored[2]["id"]}
        said = await read(ada, "threads.retry_after_item", retried)
        assert said.text.startswith("turn 0 ")
        asked = [text_of(item)[:9] for item in model.inputs[-1] if is_question(item)]
        assert asked[-1].startswith("turn 0")
        assert [row["id"] for row in await visible(ada, thread)][:3] == [row["id"] for row in stored[:3]]
        assert (await ada.say("and now?", thread)).text == "and now?"
        assert "turn 0" in json.dumps(model.inputs[-1])
