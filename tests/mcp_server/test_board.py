"""The task list as hosts get it: one document, said to be what it is, that needs nothing and nobody but the host."""

import re
from itertools import product
from typing import Any, Final

import pytest
from mcp_types import TextResourceContents

from mcp_server.board.board import MIME_TYPE, NOWHERE, URI, document
from tests.living import LEGACY, MODERN, Living
from tests.mcp_server.wire import ERAS, answer, ask

pytestmark = pytest.mark.anyio

SIZE_BYTES: Final = 40_000
# What would run somebody's words, reach beyond the host, or not work in a sandbox.
FORBIDDEN: Final = (
    "eval(",
    "new Function",
    "innerHTML",
    "outerHTML",
    "insertAdjacent",
    "document.write",
    "srcdoc",
    "fetch(",
    "XMLHttpRequest",
    "WebSocket",
    "import(",
    "import ",
    "http:",
    "https:",
    "url(",
    "@import",
    "<link",
    "<form",
    "<iframe",
    "localStorage",
    "sessionStorage",
    "document.cookie",
    "alert(",
    "confirm(",
    "javascript:",
)
# Which text stands on which ground, in the names of the style.
GROUNDS: Final = (
    *product(("text", "muted", "danger", "accent", "warning"), ("ground",)),
    *product(("text", "muted", "danger"), ("sunken",)),
    *product(("on-raised", "hint"), ("raised",)),
    *product(("on-raised", "accent"), ("tint",)),
    ("on-accent", "accent"),
    ("danger", "danger-ground"),
)
EDGES: Final = (("edge", "ground"), ("edge", "sunken"), ("edge", "raised"))


async def test_the_tools_that_list_tasks_say_what_shows_them(living: Living) -> None:
    async with living.client("ada") as ada:
        tools = (await ada.client.list_tools()).tools
    shown = {tool.name: tool.meta or {} for tool in tools if "ui" in (tool.meta or {})}
    assert set(shown) == {"overview", "tasks_find"}
    for meta in shown.values():
        assert meta["ui"] == {"resourceUri": URI}
        assert meta["ui/resourceUri"] == URI


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_the_document_may_load_nothing_and_is_what_hosts_look_for(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        [listed] = [one for one in (await ada.client.list_resources()).resources if str(one.uri) == URI]
        [content] = (await ada.client.read_resource(URI)).contents
    assert isinstance(content, TextResourceContents)
    assert (listed.mime_type, content.mime_type) == (MIME_TYPE, MIME_TYPE)
    assert MIME_TYPE == "text/html;profile=mcp-app"
    for meta in (listed.meta, content.meta):
        assert meta is not None
        assert meta["ui"] == {"csp": NOWHERE, "prefersBorder": True}
    assert not any(NOWHERE.values())


async def test_the_document_is_the_same_for_everybody_and_holds_no_task(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.add("Something of ada's")
        documents = [await person.client.read_resource(URI) for person in (ada, bob)]
    assert documents[0].contents == documents[1].contents
    assert "Something of ada's" not in str(documents)


async def test_who_may_not_read_tasks_does_not_get_the_document(living: Living) -> None:
    for era in ERAS:
        token = living.token("bob", scopes=[])
        refused = await ask(living, era, token, "resources/read", {"uri": URI})
        assert refused.status_code == 403
        assert "doctype" not in refused.text


async def test_the_server_says_that_it_has_something_to_show(living: Living) -> None:
    said = answer(await ask(living, MODERN, living.token("ada"), "server/discover", {}))
    assert "io.modelcontextprotocol/ui" in said["result"]["capabilities"]["extensions"]


def test_the_document_is_small_and_whole() -> None:
    whole = document()
    assert len(whole.encode()) < SIZE_BYTES
    assert "{{" not in whole
    assert whole.lower().startswith("<!doctype html>")
    assert whole.count("<script") == whole.count("</script>") == 1
    assert whole.count("<style") == whole.count("</style>") == 1


def test_nothing_in_the_document_runs_words_or_reaches_beyond_its_host() -> None:
    whole = document()
    assert [word for word in FORBIDDEN if word in whole] == []
    assert re.findall(r"\son[a-z]+\s*=\s*[\"']", whole) == []
    assert re.findall(r"\s(?:src|href|action|style)\s*=", whole) == []


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_all_text_is_readable_in_both_colour_schemes(scheme: int) -> None:
    colours = _colours(scheme)
    for least, pairs in ((4.5, GROUNDS), (3.0, EDGES)):
        weak = {pair: _contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
        assert {pair: contrast for pair, contrast in weak.items() if contrast < least} == {}


def _colours(scheme: int) -> dict[str, str]:
    found: list[Any] = re.findall(r"--([a-z-]+): .*?light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", document())
    return {name: values[scheme] for name, *values in found}


def _contrast(first: str, second: str) -> float:
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
