"""Writes that surprise or that nobody can take back ask the person first, if the client can ask: once, and only him."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.server.request_state import AESGCMRequestStateCodec
from mcp_types import (
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    InputRequiredResult,
    InputResponses,
)

from tests.living import LEGACY, MODERN, STATE_KEY, Databases, Living, text_of
from tests.web import web

pytestmark = pytest.mark.anyio

INVALID_PARAMS: Final = -32602
YES: Final = ElicitResult(action="accept", content={"ok": True})
EVERYTHING: Final = "is:open"
ASKING: Final = {"tasks_edit", "tasks_delete", "organize", "data_import", "share"}
FILE: Final = "- [ ] Water the plants\n- [ ] Feed the cat\n"


@dataclass
class Asked:
    """A person whose client can ask them, and the questions so far. They answer the same to each."""

    client: Client
    answer: ElicitResult = field(default_factory=lambda: YES)
    questions: list[str] = field(default_factory=list)

    async def ask(self, _: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        self.questions.append(params.message)
        return self.answer

    async def call(self, tool: str, /, **arguments: Any) -> CallToolResult:
        return await self.client.call_tool(tool, arguments)

    async def text(self, tool: str, /, **arguments: Any) -> str:
        return text_of(await self.call(tool, **arguments))

    async def add(self, count: int, prefix: str = "Task") -> None:
        tasks = [{"title": f"{prefix} {number}"} for number in range(count)]
        assert not (await self.call("tasks_add", tasks=tasks)).is_error

    async def total(self, filter: str = EVERYTHING) -> int:  # noqa: A002 (the tool's own word)
        found = (await self.call("tasks_find", filter=filter)).structured_content
        assert found is not None
        return int(found["total"])

    async def round(
        self, tool: str, /, responses: InputResponses | None = None, state: str | None = None, **arguments: Any
    ) -> CallToolResult | InputRequiredResult:
        """One single request, whose questions are not answered."""
        return await self.client.session.call_tool(
            tool, arguments, input_responses=responses, request_state=state, allow_input_required=True
        )

    async def state(self, tool: str, /, **arguments: Any) -> str:
        """The sealed state that comes with the question."""
        asked = await self.round(tool, **arguments)
        assert isinstance(asked, InputRequiredResult)
        assert asked.request_state is not None
        return asked.request_state

    async def done(self, state: str, tool: str, /, **arguments: Any) -> CallToolResult:
        """The second round, agreed to."""
        result = await self.round(tool, {"confirm": YES}, state, **arguments)
        assert isinstance(result, CallToolResult)
        return result


@asynccontextmanager
async def person(living: Living, name: str, *, mode: str = MODERN, answer: ElicitResult = YES) -> AsyncGenerator[Asked]:
    """Somebody with a client that can ask."""
    headers = {"Authorization": f"Bearer {living.token(name)}"}
    asked: list[Asked] = []

    async def ask(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return await asked[0].ask(context, params)

    async with (
        web(headers=headers) as http,
        Client(
            streamable_http_client(living.mcp_url, http_client=http), mode=mode, cache=None, elicitation_callback=ask
        ) as client,
    ):
        asked.append(Asked(client, answer))
        yield asked[0]


async def test_deleting_many_by_filter_is_asked_once_and_done_when_the_person_agrees(living: Living) -> None:
    async with person(living, "ada") as ada:
        await ada.add(11)
        assert "11 deleted" in await ada.text("tasks_delete", filter=EVERYTHING)
        [question] = ada.questions
        assert question.startswith('Move 11 tasks to the trash, all that match "is:open"?')
        assert "Task 0" in question
        assert "... and 6 more" in question
        assert await ada.total() == 0
        assert "11 reverted" in await ada.text("undo")


@pytest.mark.parametrize(
    "answer",
    [
        ElicitResult(action="decline"),
        ElicitResult(action="cancel"),
        ElicitResult(action="accept", content={"ok": False}),
        ElicitResult(action="accept", content={}),
        ElicitResult(action="accept", content={"ok": "yes"}),
    ],
    ids=["decline", "cancel", "no", "nothing", "words"],
)
async def test_whoever_does_not_agree_keeps_everything(living: Living, answer: ElicitResult) -> None:
    async with person(living, "ada", answer=answer) as ada:
        await ada.add(11)
        declined = await ada.call("tasks_delete", filter=EVERYTHING)
        assert not declined.is_error
        assert text_of(declined).startswith("declined: the person said no; nothing was changed.")
        assert len(ada.questions) == 1
        assert await ada.total() == 11


async def test_what_undo_repairs_and_surprises_nobody_is_not_asked(living: Living) -> None:
    async with person(living, "ada") as ada:
        await ada.add(20)
        await ada.add(10, "Small")
        edit = {"changes": [{"priority": "p1"}], "filter": EVERYTHING}
        assert "30 edited" in await ada.text("tasks_edit", **edit, dry_run=True)
        assert "30 deleted" in await ada.text("tasks_delete", filter=EVERYTHING, dry_run=True)
        assert "11 deleted" in await ada.text("tasks_delete", refs=[f"T{number}" for number in range(1, 12)])
        assert "10 deleted" in await ada.text("tasks_delete", filter="Small")
        assert "21 restored" in await ada.text("tasks_delete", filter="is:trash", restore=True)
        assert "nothing to change" in await ada.text("tasks_delete", filter="nobody wrote this")
        assert ada.questions == []


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_a_client_that_cannot_ask_gets_what_undo_takes_back(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        await ada.add(*(f"Task {number}" for number in range(11)))
        assert "11 deleted" in await ada.text("tasks_delete", filter=EVERYTHING)
        assert "11 reverted" in await ada.text("undo")


async def test_a_client_of_the_older_era_is_never_asked_whatever_it_declares(living: Living) -> None:
    async with person(living, "ada", mode=LEGACY) as ada:
        await ada.add(11)
        assert "11 deleted" in await ada.text("tasks_delete", filter=EVERYTHING)
        assert ada.questions == []


async def test_each_kind_of_surprise_is_asked_in_words_of_its_own(living: Living) -> None:
    async with person(living, "ada") as ada, person(living, "bob") as bob:
        await ada.call("organize", kind="list", action="create", name="Home")
        assert not ada.questions

        assert "2 added" in await ada.text("data_import", content=FILE, list="Home", dry_run=False)
        assert ada.questions.pop().startswith("Import this file? 2 added.")

        await ada.call("tasks_add", tasks=[{"title": f"Task {number}", "list": "Home"} for number in range(11)])
        assert "13 edited" in await ada.text("tasks_edit", changes=[{"priority": "p1"}], filter="list:Home")
        assert ada.questions.pop().startswith('Change 13 tasks, all that match "list:Home"?')

        invited = (await ada.call("share", list="Home", action="invite", who="bob", role="edit")).structured_content
        assert invited is not None
        assert ada.questions.pop().startswith('Let "bob" edit all tasks of "Home", earlier ones too?')

        assert "joined" in await bob.text("share", action="accept", code=invited["code"], who="ada")
        assert bob.questions.pop().startswith('Join "ada:Home"?')

        await ada.call("share", list="Home", action="role", who="bob", role="view")
        assert ada.questions.pop().startswith('Let "bob" view the tasks of "Home" from now on?')

        await bob.call("share", list="ada:Home", action="leave")
        assert bob.questions.pop().startswith('Leave "ada:Home"?')

        await ada.call("share", list="Home", action="invite", who="cleo")
        ada.questions.pop()
        await ada.call("share", list="Home", action="revoke", who="cleo")
        assert ada.questions.pop().startswith('Take "Home" away from "cleo"?')

        await ada.call("organize", kind="list", action="delete", name="Home")
        assert ada.questions.pop().startswith('Delete the list "Home", and move its 13 tasks to the trash')
        assert (ada.questions, bob.questions) == ([], [])
        assert await ada.total() == 0


async def test_tools_that_may_ask_say_so(living: Living) -> None:
    async with person(living, "ada") as ada:
        listed = (await ada.client.list_tools()).tools
        assert {tool.name for tool in listed if (tool.meta or {}).get("taskgate/confirms")} == ASKING


async def test_nobody_is_asked_about_what_cannot_be_done(living: Living) -> None:
    async with person(living, "ada") as ada:
        assert "unknown_list" in await ada.text("share", list="Nowhere", action="invite", who="bob")
        assert "bad_filter" in await ada.text("tasks_delete", filter="due:someday")
        assert ada.questions == []


async def test_an_answer_counts_for_the_person_the_arguments_and_the_tool_it_was_asked_for(living: Living) -> None:
    async with person(living, "ada") as ada, person(living, "bob") as bob:
        for someone in (ada, bob):
            await someone.add(11)
        state = await ada.state("tasks_delete", filter=EVERYTHING)
        others: Sequence[tuple[Asked, str, str, dict[str, Any]]] = [
            (bob, state, "tasks_delete", {"filter": EVERYTHING}),
            (ada, state, "tasks_delete", {"filter": "is:all"}),
            (ada, state, "tasks_edit", {"filter": EVERYTHING, "changes": [{"due": "today"}]}),
            (ada, state[:-2] + ("AA" if not state.endswith("AA") else "BB"), "tasks_delete", {"filter": EVERYTHING}),
            (ada, "nonsense", "tasks_delete", {"filter": EVERYTHING}),
        ]
        for someone, used, tool, arguments in others:
            with pytest.raises(MCPError) as refused:
                await someone.done(used, tool, **arguments)
            assert refused.value.error.code == INVALID_PARAMS
        assert (await ada.total(), await bob.total()) == (11, 11)
        assert "11 deleted" in text_of(await ada.done(state, "tasks_delete", filter=EVERYTHING))


async def test_an_answer_comes_too_late_after_some_minutes(living: Living) -> None:
    async with person(living, "ada") as ada:
        await ada.add(11)
        codec = AESGCMRequestStateCodec([STATE_KEY])
        claims = json.loads(codec.unseal(await ada.state("tasks_delete", filter=EVERYTHING)))
        assert claims["exp"] - claims["iat"] == 300
        late = codec.seal(json.dumps({**claims, "iat": claims["iat"] - 301, "exp": claims["exp"] - 301}).encode())
        with pytest.raises(MCPError) as refused:
            await ada.done(late, "tasks_delete", filter=EVERYTHING)
        assert refused.value.error.code == INVALID_PARAMS
        assert await ada.total() == 11


async def test_an_answer_that_comes_again_does_nothing_again(living: Living) -> None:
    async with person(living, "ada") as ada:
        await ada.add(11)
        state = await ada.state("tasks_delete", filter=EVERYTHING)
        first = await ada.done(state, "tasks_delete", filter=EVERYTHING)
        await ada.call("undo")
        again = await ada.done(state, "tasks_delete", filter=EVERYTHING)
        assert first.structured_content is not None
        assert again.structured_content is not None
        assert again.structured_content["replayed"]
        assert again.structured_content["op"] == first.structured_content["op"]
        assert await ada.total() == 11


async def test_a_request_id_of_the_client_counts_after_the_question_too(living: Living) -> None:
    async with person(living, "ada") as ada:
        await ada.add(11)
        for answer in ("op ", "replayed: op "):
            text = await ada.text("tasks_delete", filter=EVERYTHING, request_id="once")
            assert text.startswith(answer)
        assert len(ada.questions) == 1


async def test_who_agreed_to_something_else_is_asked_again(living: Living) -> None:
    async with person(living, "ada") as ada:
        await ada.add(11)
        state = await ada.state("tasks_delete", filter=EVERYTHING)
        await ada.add(2, "Later")
        asked = await ada.round("tasks_delete", {"confirm": YES}, state, filter=EVERYTHING)
        assert isinstance(asked, InputRequiredResult)
        assert asked.input_requests is not None
        assert asked.request_state is not None
        params = asked.input_requests["confirm"].params
        assert isinstance(params, ElicitRequestFormParams)
        assert params.message.startswith("This is no longer what you were asked before. Move 13 tasks to the trash")
        assert await ada.total() == 13
        assert "13 deleted" in text_of(await ada.done(asked.request_state, "tasks_delete", filter=EVERYTHING))


@pytest.mark.parametrize(
    ("responses", "with_state"),
    [({}, True), ({"else": YES}, True), ({"confirm": YES}, False)],
    ids=["no answer", "another question", "no state"],
)
async def test_a_round_without_the_answer_asks_again(
    living: Living, responses: InputResponses, with_state: bool
) -> None:
    async with person(living, "ada") as ada:
        await ada.add(11)
        state = await ada.state("tasks_delete", filter=EVERYTHING)
        asked = await ada.round("tasks_delete", responses, state if with_state else None, filter=EVERYTHING)
        assert isinstance(asked, InputRequiredResult)
        assert await ada.total() == 11


async def test_an_answer_survives_a_restart_of_the_server(databases: Databases) -> None:
    async with Living(databases) as living:
        async with person(living, "ada") as ada:
            await ada.add(11)
            state = await ada.state("tasks_delete", filter=EVERYTHING)
        await living.mcp.stop()
        await living.start_mcp()
        async with person(living, "ada") as ada:
            assert "11 deleted" in text_of(await ada.done(state, "tasks_delete", filter=EVERYTHING))
