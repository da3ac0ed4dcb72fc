"""Clients nobody here wrote, in both eras: they find out by themselves how to sign in, and ask for more when needed."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from fastmcp import Context
from fastmcp.dependencies import CurrentContext
from fastmcp.tools.base import ToolResult
from mcp_types import TextContent
from sqlalchemy import select

from gateway.migrations import SCHEMA as GATEWAY_SCHEMA
from mcp_server.access import CallMeta, ThisCall, WriteTx
from mcp_server.migrations import SCHEMA as MCP_SCHEMA
from mcp_server.offered import offered
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import tasks
from mcp_server.tools.offered import offered_tools
from mcp_server.tools.surface import TaskTool, adds, changes, make_tool
from mcp_server.tools.tasks import TaskToAdd, tasks_add
from mcp_server.tools.wire import Face, closed
from shared.db import Tx
from shared.migrate import upgrade
from shared.tokens import SCOPES, IssuerProfile, restored
from tests.end_to_end.clients import SDKS, Sdk
from tests.end_to_end.sdk import Unanswered
from tests.issuer import Issuing, approve, dev_issuer
from tests.javascript import Ended, Node
from tests.living import LEGACY, Databases, Living

pytestmark = pytest.mark.anyio

TOOLS: Final = [*(tool.name for tool in offered_tools()), "empty_trash", "add_slowly"]
INVALID_PARAMS: Final = -32602
PATIENCE_S: Final = 20

# Exit codes of the Inspector.
REFUSED, AUTHENTICATION, TOOL_ERROR = 1, 3, 5
INSPECTOR: Final = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"


def parameters(sdks: Iterable[Sdk]) -> list[Any]:
    """These SDKs in turn."""
    return [pytest.param(sdk, id=str(sdk), marks=[pytest.mark.node] if sdk.program else []) for sdk in sdks]


IN_TYPESCRIPT: Final = parameters(sdk for sdk in SDKS if sdk.program)
LISTENING: Final = parameters(sdk for sdk in SDKS if sdk.listens)

TheContext: Context = CurrentContext()

_numbers: Final = count(1)


def empty_trash_tool() -> TaskTool:
    """A tool for the one permission that comes last, which has something to tell while it works."""

    async def empty_trash(context: Context = TheContext) -> ToolResult:
        for done in (1, 2, 3):
            await context.report_progress(done, 3)
        return ToolResult(content=[TextContent(type="text", text="The trash is empty.")], structured_content={})

    return make_tool(
        empty_trash,
        hints=changes,
        scope="tasks:delete",
        view="receipt",
        face=Face("Empty the trash", "Delete for good what lies in the trash.", closed({}), {}),
    )


def add_slowly_tool(left: asyncio.Event) -> TaskTool:
    """A tool that writes a task, says so, and then waits for nothing."""

    async def add_slowly(tx: Tx = WriteTx, call: CallMeta = ThisCall, context: Context = TheContext) -> ToolResult:
        await tasks_add([TaskToAdd(title="Half done")], tx=tx, call=call)
        await context.report_progress(1, 2)
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError

    face = Face("Add slowly", "Never comes to its end.", closed({}), {})
    return make_tool(add_slowly, hints=adds, scope="tasks:write", view="receipt", face=face)


@dataclass
class Person:
    """Somebody with a browser, and what programs asked them for."""

    name: str
    asked: list[set[str]] = field(default_factory=list)
    denies: bool = False

    async def browse(self, address: str) -> str:
        """Sign in, and say yes or no."""
        [scopes] = parse_qs(urlsplit(address).query)["scope"]
        self.asked.append(set(scopes.split()))
        return await approve(address, self.name, deny=self.denies)


@dataclass(frozen=True, slots=True)
class Town:
    """The tool server and the issuer where its people sign in."""

    living: Living
    issuer: Issuing
    # Somebody has left `add_slowly`.
    left: asyncio.Event

    def person(self, name: str) -> Person:
        """Somebody who was never there before."""
        self.issuer.requests.clear()
        self.living.requests.clear()
        self.left.clear()
        return Person(f"{name} {next(_numbers)}")

    def token(self, person: Person, *scopes: str) -> str:
        """As if they had signed in somewhere else and said yes to these."""
        return self.issuer.signer.issue(
            person.name, self.living.mcp_url, scopes, lifetime_s=600, client_id="a client of the tests"
        )

    async def left_alone(self) -> None:
        """Wait until the server has noticed that nobody waits for `add_slowly`."""
        async with asyncio.timeout(PATIENCE_S):
            await self.left.wait()

    async def titles_of(self, person: Person) -> list[str]:
        """A person's rows, straight from the database."""
        assert self.living.mcp_database is not None
        caller = restored(self.issuer.url, person.name, SCOPES, 2**40, "the tests")
        async with self.living.mcp_database.begin(caller) as tx:
            rows = await tx.all(select(tasks.c.title).where(tasks.c.space_id == space_of(caller)))
        return [title for (title,) in rows]


@pytest.fixture(scope="module")
async def town(
    tmp_path_factory: pytest.TempPathFactory,
    anyio_backend: str,  # noqa: ARG001
) -> AsyncGenerator[Town]:
    """One town for all tests of this file."""
    folder = tmp_path_factory.mktemp("town")
    databases = Databases(mcp=f"sqlite:///{folder}/mcp.db", gateway=f"sqlite:///{folder}/gateway.db")
    await upgrade(MCP_SCHEMA, databases.mcp)
    await upgrade(GATEWAY_SCHEMA, databases.gateway)
    left = asyncio.Event()
    everything = offered()
    offer = replace(everything, tools=[*everything.tools, empty_trash_tool(), add_slowly_tool(left)])
    living = Living(databases, offer=offer)
    async with dev_issuer([living.mcp_url]) as issuer:
        living.mcp_issuers = [IssuerProfile(issuer=issuer.url)]
        async with living:
            yield Town(living, issuer, left)


@pytest.fixture(params=parameters(SDKS))
def sdk(request: pytest.FixtureRequest) -> Sdk:
    """Each SDK in turn."""
    found: Sdk = request.param
    return replace(found, node=request.getfixturevalue("node")) if found.program else found


async def test_a_client_is_given_what_it_needs_when_it_needs_it_and_keeps_it(town: Town, sdk: Sdk) -> None:
    ada = town.person("ada")
    async with sdk.client(town.living.mcp_url, ada.browse) as client:
        assert await client.tools() == TOOLS
        assert "0 of 0" in (await client.call("tasks_find")).text
        assert ada.asked == [{"tasks:read"}]

        added = await client.call("tasks_add", tasks=[{"title": "Water the plants"}])
        assert "1 added" in added.text
        assert ada.asked[1:] == [{"tasks:read", "tasks:write"}]
        assert await client.tools() == TOOLS

        emptied = await client.call("empty_trash")
        assert emptied.text == "The trash is empty."
        assert emptied.progress == [1, 2, 3]
        assert ada.asked[2:] == [{"tasks:read", "tasks:write", "tasks:delete"}]
        assert await client.tools() == TOOLS

        await client.call("tasks_add", tasks=[{"title": "Feed the cat"}])
        assert "Water the plants" in (await client.call("tasks_find")).text
        assert len(ada.asked) == 3
    assert town.issuer.requests.count("POST /register") == 1
    # Five calls, two of which had to be made again. The legacy era does not name them in a header.
    assert town.living.requests.count("tools/call") == (0 if sdk.mode == LEGACY else 7)
    assert await town.titles_of(ada) == ["Water the plants", "Feed the cat"]


async def test_a_client_whose_token_has_ended_gets_another_without_asking_anybody(town: Town, sdk: Sdk) -> None:
    ada = town.person("ada")
    async with sdk.client(town.living.mcp_url, ada.browse) as client:
        await client.call("tasks_find")
        await client.call("tasks_add", tasks=[{"title": "Water the plants"}])
        tokens = town.issuer.requests.count("POST /token")
        await client.spoil_access_token()
        assert "Water the plants" in (await client.call("tasks_find")).text
        await client.call("tasks_add", tasks=[{"title": "Feed the cat"}])
    assert len(ada.asked) == 2
    assert town.issuer.requests.count("POST /token") == tokens + 1
    assert await town.titles_of(ada) == ["Water the plants", "Feed the cat"]


async def test_an_unknown_tool_is_told_from_one_that_failed(town: Town, sdk: Sdk) -> None:
    ada = town.person("ada")
    async with sdk.client(town.living.mcp_url, ada.browse) as client:
        with pytest.raises(Unanswered, match="unknown_tool") as refused:
            await client.call("tasks_destroy")
        assert refused.value.code == INVALID_PARAMS
        assert (await client.call("tasks_find", filter="due:someday")).is_error
        assert len(ada.asked) == 1


async def test_who_leaves_has_stopped_the_work_and_nothing_of_it_stays(town: Town, sdk: Sdk) -> None:
    ada = town.person("ada")
    async with sdk.client(town.living.mcp_url, ada.browse) as client:
        await client.tools()
        await client.call("tasks_add", tasks=[{"title": "Water the plants"}])
        await client.leave("add_slowly")
        await town.left_alone()
        assert (await client.call("tasks_find")).values["total"] == 1
        # The work that was left used no number up, and its transaction holds nobody back.
        assert (await client.call("tasks_add", tasks=[{"title": "Feed the cat"}])).values["op"] == 2
    assert await town.titles_of(ada) == ["Water the plants", "Feed the cat"]


async def test_a_client_reads_asks_with_and_completes_what_is_offered(town: Town, sdk: Sdk) -> None:
    ada = town.person("ada")
    async with sdk.client(town.living.mcp_url, ada.browse) as client:
        await client.tools()
        await client.call("tasks_add", tasks=[{"title": "Water the plants", "due": "today"}])
        assert "tasks://today" in await client.resources()
        assert "Water the plants" in await client.read("tasks://today")
        assert "Water the plants" in await client.read("tasks://task/T1")
        with pytest.raises(Unanswered) as refused:
            await client.read("tasks://task/T2")
        assert refused.value.code == INVALID_PARAMS
        assert "plan_day" in await client.prompts()
        assert "tomorrow" in await client.prompt("plan_day", date="tomorrow")
        assert await client.completed("clean_up", "list", "In") == ["Inbox"]


async def test_a_client_checks_what_programs_read_and_finds_it_as_described(town: Town, sdk: Sdk) -> None:
    ada = town.person("ada")
    async with sdk.client(town.living.mcp_url, ada.browse) as client:
        # With the list it learns what to expect of each tool.
        await client.tools()
        added = await client.call("tasks_add", tasks=[{"title": "Water the plants"}])
        assert (added.values["op"], added.values["refs"]) == (1, ["T1"])
        assert (await client.call("tasks_find")).values["total"] == 1
        assert (await client.call("overview")).values["rev"] == 1


@pytest.mark.parametrize("sdk", LISTENING, indirect=True)
async def test_a_listener_hears_what_becomes_of_its_persons_tasks_and_of_nobody_elses(town: Town, sdk: Sdk) -> None:
    ada, bob = town.person("ada"), town.person("bob")
    async with (
        sdk.client(town.living.mcp_url, bob.browse) as his,
        sdk.client(town.living.mcp_url, ada.browse) as client,
    ):
        for each in (his, client):
            await each.tools()
            await each.call("tasks_add", tasks=[{"title": "Water the plants"}, {"title": "Feed the cat"}])

        async def write() -> None:
            await his.call("tasks_complete", refs=["T2"])
            await client.call("tasks_complete", refs=["T1"])

        assert await client.heard(["tasks://task/T2", "tasks://task/T1"], write) == "tasks://task/T1"


@pytest.mark.parametrize(
    ("said", "left"), [(("accept", {"ok": True}), 0), (("accept", {"ok": False}), 11), (("decline", None), 11)]
)
async def test_a_person_is_asked_before_much_is_deleted(
    town: Town, sdk: Sdk, said: tuple[str, dict[str, Any] | None], left: int
) -> None:
    ada = town.person("ada")
    questions: list[str] = []

    def answer(question: str) -> tuple[str, dict[str, Any] | None]:
        questions.append(question)
        return said

    asked = sdk.asks
    async with sdk.client(town.living.mcp_url, ada.browse, answer) as client:
        await client.tools()
        await client.call("tasks_add", tasks=[{"title": f"Task {number}"} for number in range(11)])
        deleted = await client.call("tasks_delete", filter="is:open")
        assert not deleted.is_error
        assert len(questions) == asked
        # Who cannot be asked gets what was asked for, and a way back.
        assert deleted.text.startswith("declined:" if asked and left else "op 2: 11 deleted")
        assert (await client.call("tasks_find")).values["total"] == (left if asked else 0)


# The Python SDK gives up its whole connection when a person says no.
@pytest.mark.parametrize("sdk", IN_TYPESCRIPT, indirect=True)
async def test_who_says_no_keeps_what_they_gave(town: Town, sdk: Sdk) -> None:
    ada = town.person("ada")
    async with sdk.client(town.living.mcp_url, ada.browse) as client:
        await client.call("tasks_find")
        ada.denies = True
        with pytest.raises(Unanswered):
            await client.call("tasks_add", tasks=[{"title": "Water the plants"}])
        assert "0 of 0" in (await client.call("tasks_find")).text
    assert await town.titles_of(ada) == []


@dataclass(frozen=True, slots=True)
class Inspector:
    """The Inspector on the command line, in one era."""

    node: Node
    url: str
    era: str

    async def __call__(self, token: str, *arguments: str) -> Ended:
        how = ("--transport", "http", "--protocol-era", self.era, "--header", f"Authorization: Bearer {token}")
        return await self.node.ended(INSPECTOR, "--cli", self.url, *how, "--format", "json", "--method", *arguments)

    async def result(self, token: str, *arguments: str) -> dict[str, Any]:
        """What a request that must succeed results in."""
        ended = await self(token, *arguments)
        assert ended.code == 0, ended.errors
        found: dict[str, Any] = json.loads(ended.output)["result"]
        return found


@pytest.fixture(params=["modern", "legacy"])
def inspect(request: pytest.FixtureRequest, town: Town, node: Node) -> Inspector:
    """The Inspector in each era."""
    return Inspector(node, town.living.mcp_url, request.param)


@pytest.mark.node
async def test_the_inspector_finds_nothing_to_object_to_and_is_told_what_it_lacks(
    town: Town, inspect: Inspector
) -> None:
    ada = town.person("ada")
    add = ("tools/call", "--tool-name", "tasks_add", "--tool-arg", 'tasks=[{"title": "Buy milk"}]')
    listed = await inspect(town.token(ada, "tasks:read"), "tools/list", "--strict")
    assert (listed.code, listed.errors) == (0, "")
    assert [tool["name"] for tool in json.loads(listed.output)["result"]["tools"]] == TOOLS
    assert (await inspect("nonsense", *add)).code == AUTHENTICATION
    assert (await inspect(town.token(ada, "tasks:read"), *add)).code == REFUSED
    assert await town.titles_of(ada) == []
    added = await inspect.result(town.token(ada, "tasks:write"), *add)
    assert added["structuredContent"]["counts"] == {"added": 1}
    assert await town.titles_of(ada) == ["Buy milk"]
    assert ("tools/call" in town.living.requests) == (inspect.era == "modern")


@pytest.mark.node
async def test_the_inspector_reads_and_asks_with_what_is_offered_and_tells_an_error_from_a_result(
    town: Town, inspect: Inspector
) -> None:
    ada = town.person("ada")
    token = town.token(ada, "tasks:read")
    addresses = [resource["uri"] for resource in (await inspect.result(token, "resources/list"))["resources"]]
    assert "tasks://today" in addresses
    [content] = (await inspect.result(token, "resources/read", "--uri", "tasks://today"))["contents"]
    assert content["text"].startswith("# Today")
    day = ("--prompt-name", "plan_day", "--prompt-args", "date=tomorrow")
    [message] = (await inspect.result(token, "prompts/get", *day))["messages"]
    assert "tomorrow" in message["content"]["text"]
    wrong = ("tools/call", "--tool-name", "tasks_find", "--tool-arg", "filter=due:someday")
    assert (await inspect(token, *wrong)).code == TOOL_ERROR
