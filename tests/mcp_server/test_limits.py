"""What one person may ask for in a minute: told in words at first, unheard in the end, and nobody else notices."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import pytest
from mcp import MCPError
from mcp_types import CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from mcp_server.offered import offered
from mcp_server.settings import LIMITS, McpSettings
from mcp_server.tasks.spaces import row_policies
from mcp_server.tasks.tables import limits
from shared.db import Database
from shared.limits import Limits, SharedPermits
from shared.settings import SettingsFault, load
from shared.tokens import service
from tests.living import LEGACY, MODERN, Databases, Living
from tests.mcp_server.statements import statements
from tests.mcp_server.wire import ERAS, FIND, GREETING, OPEN, answer, ask
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio

LEFT: Final = 17
USED_UP: Final = f"busy: 5 calls in this minute are used up. Fix: go on in {LEFT} s, or do more in one call"
ADD_TEA: Final = {"tasks": [{"title": "Tea"}]}
COMPLETE: Final = {"ref": {"type": "ref/prompt", "name": "plan_day"}, "argument": {"name": "day", "value": ""}}


class Clock:
    """A clock that is set by hand; the minute it shows has 17 seconds left."""

    def __init__(self) -> None:
        self.now = 1_700_000_023.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Start = Callable[..., AbstractAsyncContextManager[Living]]


@pytest.fixture
def limited(databases: Databases, clock: Clock) -> Start:
    """Starts both services with these limits, by the clock of the test."""

    @asynccontextmanager
    async def start(some: str, **more: Any) -> AsyncGenerator[Living]:
        unlimited = " ".join(f"{name}=0" for name in LIMITS)
        async with Living(databases, limits=f"{unlimited} {some}", counts=Limits(now=clock), **more) as living:
            yield living

    return start


async def test_who_has_used_his_minute_up_is_told_when_to_go_on(limited: Start, clock: Clock) -> None:
    async with limited("calls=5") as living:
        token = living.token("ada", scopes=["tasks:read"])
        async with living.client("ada") as one, living.client("ada", mode=LEGACY, token=token) as other:
            for _ in range(2):
                await one.values("overview")
                await other.values("overview")
            await one.values("tasks_find")
            for client in (one, other):
                refused = await client.call("overview")
                assert refused.is_error
                assert await client.text("overview") == USED_UP

            clock.now += LEFT - 1
            assert await one.text("overview") == USED_UP.replace("17 s", "1 s")
            clock.now += 1
            await one.values("overview")


async def test_writes_have_a_smaller_limit_and_reading_goes_on(limited: Start) -> None:
    async with limited("calls=50 writes=3") as living, living.client("ada") as ada:
        await ada.add("One")
        await ada.values("tasks_add", tasks=[{"title": "Never"}], dry_run=True)
        await ada.values("undo")
        for tool, arguments in (("tasks_add", ADD_TEA), ("tasks_delete", {"refs": ["One"]}), ("undo", {})):
            assert await ada.text(tool, **arguments) == (
                f"busy: 3 writes in this minute are used up. Fix: go on in {LEFT} s; up to 100 tasks fit one call"
            )
        assert await ada.titles() == []


async def test_queries_are_counted_wherever_they_run_and_nothing_else_is(limited: Start) -> None:
    sql = "SELECT 1"
    refusal = f"busy: 4 queries in this minute are used up. Fix: go on in {LEFT} s, or ask for more in one query"
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n"
    async with limited("queries=4") as living, living.client("ada") as ada:
        for _ in range(5):
            await ada.values("data_query")
            await ada.values("data_export")
        await ada.values("data_query", sql=sql)
        await ada.values("data_export", sql_query=sql, format="csv")
        [uri] = (await ada.values("data_export", sql=many, format="csv"))["uri"]
        read = {"uri": uri}
        assert "result" in answer(await ask(living, MODERN, living.token("ada"), "resources/read", read))

        assert await ada.text("data_query", sql=sql) == refusal
        assert await ada.text("data_export", sql=sql) == refusal
        error = answer(await ask(living, MODERN, living.token("ada"), "resources/read", read))["error"]
        assert error == {"code": -31429, "message": refusal}
        await ada.values("data_export")


async def complete(
    _: PromptReference | ResourceTemplateReference, __: CompletionArgument, ___: CompletionContext | None
) -> list[str]:
    return ["found"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("method", "params", "name", "instead"),
    [
        ("resources/read", {"uri": "tasks://nowhere"}, "calls", ", or do more in one call"),
        ("prompts/get", {"name": "nobody"}, "calls", ", or do more in one call"),
        ("completion/complete", COMPLETE, "completions", ""),
    ],
)
async def test_what_is_no_tool_is_refused_as_an_error_of_the_protocol(
    limited: Start, era: str, method: str, params: dict[str, Any], name: str, instead: str
) -> None:
    async with limited(f"{name}=2", offer=replace(offered(), complete=complete)) as living:
        token = living.token("ada")
        for _ in range(2):
            heard = answer(await ask(living, era, token, method, params))
            assert heard.get("error", {}).get("code") != -31429
        refused = answer(await ask(living, era, token, method, params))
        assert refused["error"] == {
            "code": -31429,
            "message": f"busy: 2 {name} in this minute are used up. Fix: go on in {LEFT} s{instead}",
        }


async def test_a_stream_costs_a_call_when_it_is_opened(limited: Start) -> None:
    async with limited("calls=3") as living, living.client("ada") as ada:
        for _ in range(2):
            async with ada.client.listen(resource_subscriptions=["tasks://today"]):
                pass
        await ada.values("tasks_find")
        with pytest.raises(MCPError) as refused:
            async with ada.client.listen(resource_subscriptions=["tasks://today"]):
                pass
        assert refused.value.error.code == -31429
        assert refused.value.error.message.startswith("busy: 3 calls in this minute are used up. Fix: go on in 17 s")


async def test_lists_and_greetings_are_never_counted(limited: Start) -> None:
    async with limited("calls=1 writes=1 queries=1 completions=1") as living:
        token = living.token("ada")

        async def all_free() -> None:
            for method, eras in OPEN.items():
                for era in eras:
                    params = GREETING if method == "initialize" else {}
                    assert "result" in answer(await ask(living, era, token, method, params)), method

        for _ in range(3):
            await all_free()
        assert not answer(await ask(living, MODERN, token, params=FIND))["result"]["isError"]
        for _ in range(3):
            flooding = await ask(living, MODERN, token, params=FIND)
        assert flooding.status_code == 429
        await all_free()


@pytest.mark.parametrize("era", ERAS)
async def test_who_goes_on_all_the_same_is_not_heard_until_the_minute_is_over(
    limited: Start, clock: Clock, era: str
) -> None:
    async with limited("calls=5") as living:
        token = living.token("ada")
        for _ in range(5):
            assert (await ask(living, era, token, params=FIND)).status_code == 200
        for _ in range(5):
            told = answer(await ask(living, era, token, params=FIND))["result"]
            assert (told["isError"], told["content"][0]["text"]) == (True, USED_UP)

        for _ in range(3):
            unheard = await ask(living, era, token, params=FIND)
            assert unheard.status_code == 429
            assert unheard.headers["retry-after"] == str(LEFT)
            assert unheard.json() == {"jsonrpc": "2.0", "id": None, "error": {"code": -31429, "message": USED_UP}}
        async with living.client("bob") as bob:
            await bob.add("Undisturbed")
            assert await bob.titles() == ["Undisturbed"]

        clock.now += int(unheard.headers["retry-after"])
        assert not answer(await ask(living, era, token, params=FIND))["result"]["isError"]


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_a_client_that_was_not_heard_can_go_on_later(limited: Start, clock: Clock, mode: str) -> None:
    async with limited("calls=1") as living, living.client("ada", mode=mode) as ada:
        await ada.values("overview")
        assert (await ada.call("overview")).is_error
        with pytest.raises(MCPError) as unheard:
            await ada.call("overview")
        assert unheard.value.code == -31429
        clock.now += LEFT
        await ada.values("overview")


@pytest.mark.parametrize(
    ("some", "params"),
    [
        ("writes=1", {"name": "tasks_add", "arguments": ADD_TEA}),
        ("queries=1", {"name": "data_query", "arguments": {"sql": "SELECT 1"}}),
    ],
)
async def test_a_flood_of_one_kind_leaves_the_other_calls_alone(
    limited: Start, some: str, params: dict[str, Any]
) -> None:
    async with limited(some) as living:
        token = living.token("ada")
        statuses = [(await ask(living, MODERN, token, params=params)).status_code for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        assert not answer(await ask(living, MODERN, token, params=FIND))["result"]["isError"]


async def test_a_refused_call_asks_the_database_nothing(limited: Start) -> None:
    async with limited("calls=2 queries=1") as living, living.client("ada") as ada:
        await ada.add("One")
        await ada.values("data_query", sql="SELECT 1")
        with statements(living) as seen:
            for _ in range(2):
                assert (await ada.text("tasks_add", **ADD_TEA)).startswith("busy:")
            assert (await ask(living, MODERN, living.token("ada"))).status_code == 429
        assert seen == []


async def test_an_unknown_tool_and_a_bad_call_are_counted_too(limited: Start) -> None:
    async with limited("calls=2") as living:
        for params in ({"name": "nothing", "arguments": {}}, {"name": "tasks_find", "arguments": {"filter": 1}}):
            await ask(living, MODERN, living.token("ada"), params=params)
        refused = answer(await ask(living, MODERN, living.token("ada"), params=FIND))
        assert refused["result"]["content"][0]["text"].startswith("busy: 2 calls")


async def test_the_chat_and_a_client_of_ones_own_share_one_budget(limited: Start, clock: Clock) -> None:
    add = 'call tasks_add {"tasks": [{"title": "Milk"}]}'
    refusal = f"busy: 2 writes in this minute are used up. Fix: go on in {LEFT} s; up to 100 tasks fit one call"
    async with (
        limited("writes=2", model=ObedientModel()) as living,
        living.client("ada") as ada,
        living.chat("ada") as chat,
        living.chat("bob") as bob,
    ):
        await ada.add("Tea")
        assert "Milk" in (await chat.say(add)).text
        assert (await chat.say(add)).text == refusal
        assert await ada.text("tasks_add", **ADD_TEA) == refusal
        # From now on she is not heard; the model gets words of the gateway's in place of the server's.
        assert (await chat.say(add)).text == "busy: too many calls. Fix: wait, or do less per turn."
        assert "Milk" in (await bob.say(add)).text
        clock.now += LEFT
        assert "Milk" in (await chat.say(add)).text


@pytest.mark.parametrize("databases", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_replicas_share_a_budget_of_which_people_see_nothing(databases: Databases, clock: Clock) -> None:
    leased: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("INSERT INTO mcp_limits"):
            leased.append(statement)

    database = Database(databases.mcp, scope=row_policies)
    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    here, there = (Limits(SharedPermits("mcp", limits, database), now=clock) for _ in range(2))
    async with Living(databases, limits="calls=240", counts=here) as living, living.client("ada") as ada:
        for _ in range(40):
            await ada.values("tasks_find", limit=1)
        assert len(leased) == 4
        other = Living(databases, limits="calls=240", counts=there)
        other.issuer = living.issuer
        await other.start_mcp()
        try:
            async with other.client("ada") as elsewhere:
                heard = 0
                while not (await elsewhere.call("tasks_find", limit=1)).is_error:
                    heard += 1
            assert heard == 240 - 48
        finally:
            await other.mcp.stop()
        for who, count in ((living.person("ada"), 0), (service("gateway"), 0), (service("mcp"), 1)):
            async with database.begin(who, write=True) as tx:
                assert len(await tx.all(select(limits))) == count
                assert (await tx.execute(limits.update().values(taken=0))).rowcount == count
        with pytest.raises(DBAPIError, match="row-level security"):
            async with database.begin(living.person("ada"), write=True) as tx:
                await tx.execute(limits.insert().values(key="mine", minute=1, taken=0))
        async with database.begin(service("mcp")) as tx:
            logged = text("SELECT relpersistence FROM pg_class WHERE relname = 'mcp_limits'")
            assert (await tx.execute(logged)).scalar_one() in ("u", b"u")
    await database.close()


REQUIRED: Final = {
    "TASKGATE_MCP_URL": "https://tasks.example.test/mcp",
    "TASKGATE_GATEWAY_URL": "https://chat.example.test",
    "TASKGATE_MCP_ISSUERS": '[{"issuer": "https://login.example.test", "jwks_uri": "https://login.example.test/jwks"}]',
    "TASKGATE_MCP_STATE_KEYS": "0123456789abcdef0123456789abcdef",
}


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ("", {}),
        ("queries=0", {"queries": 0}),
        ("calls=1000 writes=500", {"calls": 1_000, "writes": 500}),
        (" calls=1000,  completions=0 ", {"calls": 1_000, "completions": 0}),
    ],
)
def test_limits_that_are_not_named_keep_their_default(given: str, changed: dict[str, int]) -> None:
    found = load(McpSettings, environ={**REQUIRED, "TASKGATE_MCP_LIMITS": given}).settings
    assert found.per_minute == {"calls": 240, "writes": 120, "queries": 30, "completions": 120, **changed}


@pytest.mark.parametrize(
    "given", ["call=3", "calls", "calls=many", "calls=-1", "calls=1.5", "calls = 3", "calls=9999999"]
)
def test_a_limit_that_cannot_be_is_told_with_the_names_that_can(given: str) -> None:
    with pytest.raises(SettingsFault) as refused:
        load(McpSettings, environ={**REQUIRED, "TASKGATE_MCP_LIMITS": given})
    [fault] = refused.value.faults
    assert fault.startswith("TASKGATE_MCP_LIMITS (environment): ")
    assert "calls, writes, queries, completions" in fault
