"""What one person may use up: refused before anything is stored, with the time after which it is free again."""

import pytest

from tests.gateway.operations.behind import behind
from tests.gateway.operations.refusals import assert_refused
from tests.gateway.operations.table import ADD, OPERATIONS, STREAMS, begun, send
from tests.living import Databases, Living, message
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio

# A button costs nothing: no model answers.
ANSWERED: tuple[str, ...] = tuple(kind for kind in STREAMS if kind != "threads.custom_action")


@pytest.mark.parametrize("limits", ["turns=1", "turns=1000 tokens=1"])
async def test_whoever_has_used_up_his_share_is_told_when_it_is_free_again(databases: Databases, limits: str) -> None:
    model = ObedientModel()
    living = Living(databases, model=model, chat_limits=limits)
    async with living, behind(living) as inside, living.chat("ada") as ada, living.chat("bob") as bob:
        said = await begun(ada, ADD)
        question = next(item["id"] for item in (await ada.reply("items.list", thread_id=said.thread_id))["data"][::-1])
        before, asked = await inside.rows("ada"), len(model.inputs)
        params = {"thread_id": said.thread_id, "item_id": question, "input": message("more"), "result": "words"}
        for kind in ANSWERED:
            if kind == "threads.add_structured_input":
                params = {**params, "input": {"answers": {}}}
            refused = await send(ada, kind, params)
            assert_refused(refused, 429, "quota")
            assert 1 <= int(refused.headers["retry-after"]) <= 86_400
        assert await inside.rows("ada") == before
        assert len(model.inputs) == asked
        assert (await begun(bob)).text == "hello"


async def test_reading_and_buttons_go_on_without_the_model(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel(), chat_limits="turns=1")
    async with living, living.chat("ada") as ada, living.client("ada") as tasks:
        params = await OPERATIONS["threads.custom_action"].ready(ada)
        assert_refused(await send(ada, "threads.create", {"input": message("more")}), 429, "quota")
        pressed = await send(ada, "threads.custom_action", params)
        assert pressed.status_code == 200
        assert await tasks.titles() == []
        for kind in ("threads.get_by_id", "items.list", "threads.list"):
            assert (await send(ada, kind, {"thread_id": params["thread_id"]})).status_code == 200


async def test_what_is_refused_for_another_reason_is_told_its_own(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel(), chat_limits="turns=1")
    async with living, living.chat("ada") as ada, living.chat("bob") as bob:
        thread = (await begun(ada)).thread_id
        stolen = await send(bob, "threads.add_user_message", {"thread_id": thread, "input": message("hi")})
        assert_refused(stolen, 404, "not_found")
        assert_refused(await send(bob, "threads.create", {"input": message(" ")}), 400, "missing_argument")
        # Neither has cost bob his one turn.
        assert (await begun(bob)).text == "hello"
