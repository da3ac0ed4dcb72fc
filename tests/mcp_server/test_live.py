"""Who listens hears of what changed for him, under the addresses he watches, and of nothing else."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from mcp import MCPDeprecationWarning, MCPError

from mcp_server.live.streams import ADDRESS_BYTES, ADDRESSES
from tests.living import LEGACY, Living
from tests.mcp_server.listening import listening, listening_once_there_is_room

pytestmark = pytest.mark.anyio


async def test_a_change_reaches_the_listeners_of_its_owner_and_nobody_elses(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.add("Her first")
        await bob.add("His first")
        async with (
            listening(ada, "tasks://today", "tasks://T1") as hers,
            listening(ada, "tasks://overview") as hers_too,
            listening(bob, "tasks://T1", "tasks://list/Inbox") as his,
        ):
            await ada.values("tasks_edit", changes=[{"refs": ["T1"], "title": "Changed"}])
            assert await hers.hears(2) == ["tasks://today", "tasks://T1"]
            assert await hers_too.hears() == ["tasks://overview"]
            await bob.add("His second")
            assert await his.hears() == ["tasks://list/Inbox"]


async def test_a_listener_hears_of_the_first_thing_he_ever_does(living: Living) -> None:
    async with living.client("ada") as ada, listening(ada, "tasks://T1", "tasks://overview", "tasks://inbox") as heard:
        await ada.add("First")
        assert await heard.hears(3) == ["tasks://T1", "tasks://overview", "tasks://inbox"]


WATCHED = (
    "tasks://inbox",
    "tasks://list/Work",
    "tasks://list/Work%2FNow",
    "tasks://list/Home",
    "tasks://task/T10",
    "tasks://T11",
    "tasks://task/T12",
    "tasks://task/T13",
)


@pytest.mark.parametrize(
    ("tool", "arguments", "heard"),
    [
        ("tasks_add", {"tasks": [{"title": "New", "tags": ["fresh"]}]}, {"tasks://inbox"}),
        ("tasks_add", {"tasks": [{"title": "New", "list": "Home"}]}, {"tasks://list/Home"}),
        (
            "tasks_edit",
            {"changes": [{"refs": ["T10"], "comment": "Look"}]},
            {"tasks://task/T10", "tasks://T11", "tasks://list/Work"},
        ),
        (
            "tasks_edit",
            {"changes": [{"refs": ["T10"], "list": "Home"}]},
            {"tasks://task/T10", "tasks://T11", "tasks://list/Work", "tasks://list/Home"},
        ),
        (
            "tasks_edit",
            {"changes": [{"refs": ["T11"], "title": "Else"}]},
            {"tasks://T11", "tasks://task/T10", "tasks://list/Work", "tasks://list/Work%2FNow"},
        ),
        # Its subtask is part of it, and what waits for it is blocked no more.
        ("tasks_complete", {"refs": ["T13"]}, {"tasks://task/T12", "tasks://task/T13", "tasks://list/Home"}),
        (
            "tasks_complete",
            {"refs": ["T10"]},
            {"tasks://task/T10", "tasks://list/Work", "tasks://T11", "tasks://list/Work%2FNow"},
        ),
        ("tasks_delete", {"refs": ["T12"]}, {"tasks://task/T12", "tasks://task/T13", "tasks://list/Home"}),
        (
            "organize",
            {"kind": "list", "action": "rename", "name": "Work", "to": "Job"},
            {"tasks://list/Work", "tasks://list/Work%2FNow"},
        ),
        (
            "organize",
            {"kind": "section", "action": "rename", "name": "Work/Now", "to": "Later"},
            {"tasks://list/Work", "tasks://list/Work%2FNow"},
        ),
        ("organize", {"kind": "tag", "action": "rename", "name": "paint", "to": "colour"}, set(WATCHED)),
        ("organize", {"kind": "view", "action": "create", "name": "Soon", "filter": "due:today"}, set()),
    ],
)
async def test_a_change_is_heard_where_it_shows(
    living: Living, tool: str, arguments: Mapping[str, Any], heard: set[str]
) -> None:
    async with living.client("ada") as ada:
        for kind, name in (("list", "Work"), ("section", "Work/Now"), ("list", "Home"), ("tag", "paint")):
            await ada.values("organize", kind=kind, action="create", name=name)
        await ada.values("tasks_add", tasks=[{"title": f"Filling {number}"} for number in range(5)])
        added = await ada.values(
            "tasks_add",
            tasks=[
                {"title": "Plan", "list": "Work"},
                {"title": "Do", "list": "Work/Now", "blocked_by": ["#1"]},
                {"title": "House", "list": "Home", "subtasks": ["Roof"]},
            ],
        )
        assert added["refs"] == ["T10", "T11", "T12", "T13"]
        # The overview comes last, and whatever happens shows there: after it there is nothing more to wait for.
        async with listening(ada, *WATCHED, "tasks://overview") as listener:
            await ada.values(tool, **arguments)
            said = await listener.hears(len(heard) + 1)
            assert said == [*(uri for uri in WATCHED if uri in heard), "tasks://overview"]


async def test_undoing_is_a_change_like_any_other(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("First")
        await ada.values("tasks_delete", refs=["T1"])
        async with listening(ada, "tasks://T1") as heard:
            await ada.values("undo")
            assert await heard.hears() == ["tasks://T1"]


async def test_what_is_too_much_to_tell_apart_is_told_as_a_change_of_everything(living: Living) -> None:
    async with living.client("ada") as ada:
        for name in ("Work", "Home"):
            await ada.values("organize", kind="list", action="create", name=name)
        lines = "\n".join(f"- [ ] Task {number}" for number in range(520))
        async with listening(ada, "tasks://list/Home", "tasks://inbox", "tasks://T4711") as heard:
            await ada.values("data_import", content=lines, format="markdown", dry_run=False)
            assert await heard.hears(2) == ["tasks://list/Home", "tasks://inbox"]


async def test_what_was_only_tried_or_asked_is_no_change(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("First")
        async with listening(ada, "tasks://T1", "tasks://T2", "tasks://inbox") as heard:
            await ada.values("tasks_edit", changes=[{"refs": ["T1"], "title": "Tried"}], dry_run=True)
            assert (await ada.call("tasks_edit", changes=[{"refs": ["T4711"], "title": "Wrong"}])).is_error
            await ada.titles()
            await ada.add("Second")
            assert await heard.hears(2) == ["tasks://T2", "tasks://inbox"]


async def test_an_address_that_names_nothing_is_accepted_and_never_fires(living: Living) -> None:
    odd = ["tasks://T4711", "tasks://list/None", "tasks://export/1/2", "https://example.test/", "", "tasks://list/%ff"]
    async with living.client("ada") as ada, listening(ada, *odd, "tasks://inbox") as heard:
        assert heard.stream.honored.resource_subscriptions == [*odd, "tasks://inbox"]
        await ada.add("First")
        assert await heard.hears() == ["tasks://inbox"]


async def test_clients_that_ask_are_told_that_they_can_listen(living: Living) -> None:
    async with living.client("ada", mode="auto") as ada:
        assert ada.client.server_capabilities.resources is not None
        assert ada.client.server_capabilities.resources.subscribe is True


async def test_the_lists_of_what_is_offered_may_be_watched_and_never_change(living: Living) -> None:
    async with (
        living.client("ada") as ada,
        ada.client.listen(tools_list_changed=True, resource_subscriptions=["tasks://inbox"]) as stream,
    ):
        assert stream.honored.tools_list_changed is True
        await ada.add("First")
        assert (await anext(stream)) is not None


@pytest.mark.parametrize(
    "uris", [["tasks://inbox"] * (ADDRESSES + 1), [f"tasks://list/{'x' * ADDRESS_BYTES}"]], ids=["many", "long"]
)
async def test_there_is_a_limit_to_what_one_stream_watches(living: Living, uris: list[str]) -> None:
    async with living.client("ada") as ada:
        with pytest.raises(MCPError, match=r"^too_big: ") as refused:
            async with listening(ada, *uris):
                pass
        assert refused.value.error.code == -32602


async def test_a_ninth_stream_of_one_person_is_refused_and_places_are_given_back(living: Living) -> None:
    """There are more streams here than SQLite has connections: none of them keeps one."""
    async with living.client("ada") as ada, living.client("bob") as bob:
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(listening(ada, "tasks://inbox")) for _ in range(8)]
            with pytest.raises(MCPError, match=r"^busy: too many streams: 8 of yours are open. Fix: ") as refused:
                async with listening(ada, "tasks://inbox"):
                    pass
            assert refused.value.error.code == -32603
            async with listening(bob, "tasks://inbox") as his:
                await bob.add("His")
                assert await his.hears() == ["tasks://inbox"]
            await ada.add("Hers")
            for stream in streams:
                assert await stream.hears() == ["tasks://inbox"]
        async with AsyncExitStack() as stack:
            for _ in range(8):
                await stack.enter_async_context(listening_once_there_is_room(ada, "tasks://inbox"))


async def test_a_listener_without_permission_is_refused(living: Living) -> None:
    async with living.client("ada", token=living.token("ada", scopes=())) as ada:
        with pytest.raises(MCPError, match=r"403|scope"):
            async with listening(ada, "tasks://inbox"):
                pass


async def test_the_older_protocol_says_that_it_cannot_be_listened_with(living: Living) -> None:
    async with living.client("ada", mode=LEGACY) as ada:
        assert ada.client.server_capabilities.resources is not None
        assert not ada.client.server_capabilities.resources.subscribe
        with pytest.raises(MCPError) as refused, pytest.warns(MCPDeprecationWarning):
            await ada.client.subscribe_resource("tasks://inbox")
        assert refused.value.error.code == -32601
