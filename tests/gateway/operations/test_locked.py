"""Locked and closed conversations: nothing is said or done in them any more; they can be read, named and deleted."""

from typing import Final

import pytest
from chatkit.types import ActiveStatus, ClosedStatus, LockedStatus, ThreadStatus

from tests.gateway.operations.behind import Behind
from tests.gateway.operations.refusals import CANARY, alike, assert_refused
from tests.gateway.operations.table import NAMING, OPERATIONS, STREAMS, UNKNOWN, begun, send, visible
from tests.living import Living

pytestmark = pytest.mark.anyio

ENDED: Final[dict[str, ThreadStatus]] = {
    "locked": LockedStatus(reason="paid until yesterday"),
    "closed": ClosedStatus(reason="done with"),
}
IN_THREADS: Final = [kind for kind in NAMING if "thread_id" in OPERATIONS[kind].ids]
SAYING: Final = [kind for kind in IN_THREADS if kind in STREAMS or kind == "threads.sync_custom_action"]
OTHERS: Final = [kind for kind in IN_THREADS if kind not in SAYING]


@pytest.mark.parametrize("kind", SAYING)
@pytest.mark.parametrize("ended", ENDED)
async def test_nothing_is_said_or_done_in_it_until_it_is_opened(
    place: Living, inside: Behind, kind: str, ended: str
) -> None:
    async with place.chat("ada") as ada, place.chat("bob") as bob, place.client("ada") as tasks:
        params = await OPERATIONS[kind].ready(ada)
        titles = await tasks.titles()
        await inside.store.set_status(params["thread_id"], ENDED[ended], inside.turn("ada"))
        before = await inside.rows("ada")
        refused = assert_refused(await send(ada, kind, params), 409, "conflict")
        assert ended in refused["message"]
        # Bob is not told that there is something locked.
        stolen = await send(bob, kind, params)
        assert alike(stolen, await send(bob, kind, {**params, "thread_id": UNKNOWN}))
        assert await inside.rows("ada") == before
        assert await tasks.titles() == titles
        await inside.store.set_status(params["thread_id"], ActiveStatus(), inside.turn("ada"))
        assert (await send(ada, kind, params)).status_code == 200


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("ended", ENDED)
async def test_it_is_read_named_judged_and_deleted_as_before(
    place: Living, inside: Behind, kind: str, ended: str
) -> None:
    async with place.chat("ada") as ada:
        params = await OPERATIONS[kind].ready(ada)
        await inside.store.set_status(params["thread_id"], ENDED[ended], inside.turn("ada"))
        assert (await send(ada, kind, params)).status_code == 200


@pytest.mark.parametrize("ended", ENDED)
async def test_people_see_that_it_ended_and_why(place: Living, inside: Behind, ended: str) -> None:
    async with place.chat("ada") as ada:
        thread_id = (await begun(ada)).thread_id
        await inside.store.set_status(thread_id, ENDED[ended], inside.turn("ada"))
        status = {"type": ended, "reason": ENDED[ended].reason}  # type: ignore[union-attr]
        assert (await ada.reply("threads.get_by_id", thread_id=thread_id))["status"] == status
        assert [thread["status"] for thread in (await ada.reply("threads.list"))["data"]] == [status]
        assert (await ada.reply("threads.update", thread_id=thread_id, title="Mine"))["status"] == status
        assert len(await visible(ada, thread_id)) == 2
        assert (await begun(ada, CANARY)).text == CANARY
