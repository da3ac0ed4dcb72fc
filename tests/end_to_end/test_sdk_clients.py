"""Clients nobody here wrote, in both eras: they find out by themselves how to sign in, and ask for more when needed."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
from fastmcp import Context
from fastmcp.dependencies import CurrentContext
from fastmcp.tools.base import ToolResult
from mcp_types import TextContent
from sqlalchemy import select

from gateway.migrations import SCHEMA as GATEWAY_SCHEMA
from mcp_server.migrations import SCHEMA as MCP_SCHEMA
from mcp_server.offered import Offer
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import tasks
from mcp_server.tools.offered import offered_tools
from mcp_server.tools.surface import TaskTool, changes, make_tool
from mcp_server.tools.wire import Face, closed
from shared.migrate import upgrade
from shared.tokens import SCOPES, IssuerProfile, restored
from tests.end_to_end.clients import SDKS, Sdk, Unanswered
from tests.issuer import Issuing, approve, dev_issuer
from tests.javascript import Ended, Node
from tests.living import LEGACY, Databases, Living

pytestmark = pytest.mark.anyio

TOOLS: Final = [*(tool.name for tool in offered_tools()), "empty_trash"]
INVALID_PARAMS: Final = -32602

# Exit codes of the Inspector.
REFUSED, AUTHENTICATION = 1, 3
INSPECTOR: Final = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"

IN_PYTHON: Final = [pytest.param(sdk, id=str(sdk)) for sdk in SDKS if not sdk.program]
IN_TYPESCRIPT: Final = [pytest.param(sdk, id=str(sdk), marks=pytest.mark.node) for sdk in SDKS if sdk.program]

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

    def person(self, name: str) -> Person:
        """Somebody who was never there before."""
        self.issuer.requests.clear()
        self.living.requests.clear()
        return Person(f"{name} {next(_numbers)}")

    def token(self, person: Person, *scopes: str) -> str:
        """As if they had signed in somewhere else and said yes to these."""
        return self.issuer.signer.issue(
            person.name, self.living.mcp_url, scopes, lifetime_s=600, client_id="a client of the tests"
        )

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
    living = Living(databases, offer=Offer([*offered_tools(), empty_trash_tool()]))
    async with dev_issuer([living.mcp_url]) as issuer:
        living.mcp_issuers = [IssuerProfile(issuer=issuer.url)]
        async with living:
            yield Town(living, issuer)


@pytest.fixture(params=[*IN_PYTHON, *IN_TYPESCRIPT])
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


@pytest.mark.node
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_the_inspector_finds_nothing_to_object_to_and_is_told_what_it_lacks(
    town: Town, node: Node, era: str
) -> None:
    ada = town.person("ada")
    add = ("tools/call", "--tool-name", "tasks_add", "--tool-arg", 'tasks=[{"title": "Buy milk"}]')

    async def inspect(token: str, *arguments: str) -> Ended:
        how = ("--transport", "http", "--protocol-era", era, "--header", f"Authorization: Bearer {token}")
        return await node.ended(
            INSPECTOR, "--cli", town.living.mcp_url, *how, "--format", "json", "--method", *arguments
        )

    listed = await inspect(town.token(ada, "tasks:read"), "tools/list", "--strict")
    assert (listed.code, listed.errors) == (0, "")
    assert [tool["name"] for tool in json.loads(listed.output)["result"]["tools"]] == TOOLS
    assert (await inspect("nonsense", *add)).code == AUTHENTICATION
    assert (await inspect(town.token(ada, "tasks:read"), *add)).code == REFUSED
    assert await town.titles_of(ada) == []
    added = await inspect(town.token(ada, "tasks:write"), *add)
    assert json.loads(added.output)["result"]["structuredContent"]["counts"] == {"added": 1}
    assert await town.titles_of(ada) == ["Buy milk"]
    assert ("tools/call" in town.living.requests) == (era == "modern")
