"""Addresses: every spelling that means something, every name that can be one, and one answer for all the others."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_server.addresses import INBOX, Address, list_uri, read_address, task_uri
from tests.living import Living
from tests.mcp_server.reading import MODES, assert_not_there, furnish, text
from tests.mcp_server.wire import ERAS, answer, ask

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", MODES)
async def test_a_list_is_found_by_any_spelling_of_its_address(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        await furnish(ada)
        await ada.values("organize", kind="list", action="archive", name="Big Project")
        section = "tasks://list/Big%20Project/Design"
        for uri in (list_uri("Big Project/Design"), section, section.replace("%20", " "), section.lower()):
            shown = await text(ada, uri)
            assert shown.startswith('2 of 2 in "Big Project/Design". ')
            assert " | Sketch\n" in shown
        await ada.values("organize", kind="list", action="unarchive", name="Big Project")
        lines = (await text(ada, list_uri("Big Project"))).split("\n")[1:]
        assert [line.split(" | ")[1] for line in lines] == ["Sketch", "Found", "Rung", "Paper"]
        assert list_uri("Inbox") == INBOX
        for uri in (INBOX, "tasks://list/Inbox", "tasks://list/inbox"):
            assert [line.split(" | ")[1] for line in (await text(ada, uri)).split("\n")[1:]] == ["Late", "Loose"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "uri",
    [
        "",
        "tasks:",
        "tasks://",
        "tasks:///",
        "tasks://T999",
        "tasks://T0",
        "tasks://today/",
        "tasks://today?x=1",
        "tasks://today#x",
        "tasks://TODAY",
        "tasks://task/",
        "tasks://task/T1/x",
        "tasks://task/T999999999999999999999",
        "tasks://task/Task 1",
        "tasks://task/ann%3AT1",
        "tasks://task/%54%31?x",
        "tasks://task/T1%00",
        "tasks://list/",
        "tasks://list/..",
        "tasks://list/../../etc/passwd",
        "tasks://list/%2E%2E%2F%2E%2E%2Fetc%2Fpasswd",
        "tasks://list//etc/passwd",
        "tasks://list/%00",
        "tasks://list/%FF",
        "tasks://list/C:%5C",
        "tasks://list/Inbox/x",
        "tasks://tag/home",
        "tasks://exports/x",
        "TASKS://today",
        "file:///etc/passwd",
        "http://127.0.0.1/",
        "ui://taskgate/none",
        pytest.param(f"tasks://list/{'x' * 10_000}", id="10 kB of a list"),
        pytest.param(f"tasks://task/T{'1' * 10_000}", id="10 kB of a task"),
        pytest.param(f"tasks://list/{'%F0%9F%98%80' * 1_000}", id="10 kB of percent signs"),
    ],
)
async def test_what_is_no_address_of_anything_gets_the_one_answer(living: Living, mode: str, uri: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        await ada.add("Task 1")
        await assert_not_there(ada, uri)


@pytest.mark.parametrize("uri", ["tasks://list/\ud800", "tasks://\0", 7, None, ["tasks://today"], {"a": 1}])
async def test_an_address_that_is_no_text_is_an_error_of_the_protocol(living: Living, uri: object) -> None:
    """Only in the older era, because the newer one wants the address in a header too, where it cannot stand."""
    response = await ask(living, ERAS[1], living.token("ada"), "resources/read", {"uri": uri})
    assert answer(response)["error"]["code"] in (-32602, -32600, -32700)


@given(st.text(min_size=1).filter(lambda path: path != "Inbox"))
@example("Work/Design")
@example("ann:Work")
@example("..")
@example("100% sure? #1 & more")
@example("%2F")
def test_any_name_makes_an_address_that_means_it(path: str) -> None:
    path = path.encode("utf-8", "ignore").decode() or "x"
    uri = list_uri(path)
    assert uri.isascii()
    assert not set(uri.removeprefix("tasks://list/")) & set("/?# ")
    assert read_address(uri) == Address("list", path)
    assert read_address(task_uri(path)) == Address("task", path)


async def test_every_list_that_can_be_made_can_be_read(living: Living) -> None:
    async with living.client("ada") as ada:
        for name in (
            "..", ".", "a..b", "x*", "<=3", ">x", "any", "-x", "100%", "%2F", "a?b#c&d=e", "C:\\x", "ann:Team",
            "(a)", "OR", "it's", "\\", "`", "$1", "名前", "👩‍👩‍👧‍👦", "שלום", "list:x", "Ⅻ", "ﬁ",
        ):  # fmt: skip
            await ada.values("organize", kind="list", action="create", name=name)
            await ada.values("tasks_add", tasks=[{"title": f"In {name}", "list": name}])
            lines = (await text(ada, list_uri(name))).split("\n")
            assert lines[0].startswith("1 of 1 in "), name
            assert lines[1].endswith(f" | In {name}")
