"""What people think of answers: kept with the request the answer came from, the last vote of each item."""

from typing import Any

import pytest

from tests.gateway.operations.behind import Behind
from tests.gateway.operations.refusals import alike, assert_refused
from tests.gateway.operations.table import ADD, begun, send, visible
from tests.living import Living, Said, message

pytestmark = pytest.mark.anyio


async def votes(inside: Behind, name: str = "ada") -> dict[str, tuple[str, str]]:
    """What is kept: the vote and the trace of each item."""
    return {row[2]: (row[3], row[5]) for row in (await inside.rows(name))["chat_feedback"]}


async def test_a_vote_is_kept_with_the_request_of_the_answer_it_is_about(place: Living, inside: Behind) -> None:
    async with place.chat("ada") as ada:
        first = await send(ada, "threads.create", {"input": message("one")})
        thread = Said.read(first.text).thread_id
        second = await send(ada, "threads.add_user_message", {"thread_id": thread, "input": message("two")})
        answers = [row["id"] for row in await visible(ada, thread) if row["type"] == "assistant_message"]
        kept = await send(ada, "items.feedback", {"thread_id": thread, "item_ids": answers, "kind": "positive"})
        assert (kept.status_code, kept.json()) == (200, {})
        traces = [response.headers["x-request-id"] for response in (first, second)]
        assert await votes(inside) == {
            answer: ("positive", trace) for answer, trace in zip(answers, traces, strict=True)
        }


async def test_a_later_vote_replaces_the_earlier_one(place: Living, inside: Behind) -> None:
    async with place.chat("ada") as ada:
        thread = (await begun(ada)).thread_id
        answer = (await visible(ada, thread))[1]["id"]
        for kind in ("positive", "negative", "negative"):
            await send(ada, "items.feedback", {"thread_id": thread, "item_ids": [answer, answer], "kind": kind})
            assert [vote for vote, _ in (await votes(inside)).values()] == [kind]
        refused = await send(ada, "items.feedback", {"thread_id": thread, "item_ids": [answer], "kind": "meh"})
        assert_refused(refused, 400, "bad_request")
        assert [vote for vote, _ in (await votes(inside)).values()] == ["negative"]


async def test_one_item_that_is_not_there_refuses_all_votes(place: Living, inside: Behind) -> None:
    async with place.chat("ada") as ada, place.chat("bob") as bob:
        thread = (await begun(ada, ADD)).thread_id
        elsewhere = (await begun(ada)).thread_id
        bobs = (await begun(bob)).thread_id
        mine = [row["id"] for row in await visible(ada, thread)]
        other = (await visible(ada, elsewhere))[1]["id"]
        his = (await visible(bob, bobs))[1]["id"]
        hidden = next(row[2] for row in (await inside.rows("ada"))["chat_items"] if row[5] == "hidden_context_item")

        async def vote(*ids: str) -> Any:
            return await send(ada, "items.feedback", {"thread_id": thread, "item_ids": list(ids), "kind": "positive"})

        unknown = await vote(*mine, "msg_0")
        assert_refused(unknown, 404, "not_found")
        for wrong in (other, his, hidden, "", "\0", thread):
            assert alike(await vote(*mine, wrong), unknown)
            assert alike(await vote(wrong), unknown)
        assert await votes(inside) == {}
        assert (await vote(*mine)).status_code == 200
        assert set(await votes(inside)) == set(mine)
        stolen = {"thread_id": thread, "item_ids": mine, "kind": "negative"}
        assert alike(await send(bob, "items.feedback", stolen), unknown)
        assert {vote for vote, _ in (await votes(inside)).values()} == {"positive"}
        assert await votes(inside, "bob") == {}


async def test_no_vote_reaches_the_model(place: Living) -> None:
    async with place.chat("ada") as ada:
        thread = (await begun(ada)).thread_id
        answer = (await visible(ada, thread))[1]["id"]
        await send(ada, "items.feedback", {"thread_id": thread, "item_ids": [answer], "kind": "negative"})
        await ada.say("and now?", thread)
        assert "negative" not in str(place.model.inputs[-1])  # type: ignore[attr-defined]
