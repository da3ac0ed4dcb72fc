"""A host of MCP Apps in a browser: its side of the protocol is the extension's own, its calls reach the real server."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from mcp_types import CallToolResult, TextResourceContents
from playwright.async_api import Browser, Frame, Locator, Page, Route

from tests.end_to_end.browser import PATIENCE_MS, REPORT_VIOLATIONS, Watch
from tests.javascript import Node
from tests.living import Living, ToolClient

HOST: Final = "host.localhost"
SANDBOX: Final = "sandbox.localhost"
FILES: Final = Path(__file__).parent / "host_pages"
URI: Final = "ui://taskgate/tasks.html"
ABLE: Final[Mapping[str, Any]] = {"serverTools": {}, "updateModelContext": {"text": {}}}
# What the specification demands of a host for a view that asks for no domains.
POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "media-src 'self' data:",
        "object-src 'none'",
        "connect-src 'none'",
        "frame-src 'none'",
        "base-uri 'self'",
    ]
)

Interrupt = Callable[[str, CallToolResult], None]


@dataclass
class View:
    """The task list in somebody's host: what is seen in it, and what the host heard."""

    page: Page
    frame: Frame
    person: ToolClient
    watch: Watch
    calls: list[tuple[str, dict[str, Any]]]
    # Set by a test to lose an answer, or to hold it back.
    interrupt: list[Interrupt] = field(default_factory=list)

    @property
    def rows(self) -> Locator:
        return self.frame.locator(".row")

    @property
    def names(self) -> Locator:
        return self.frame.locator(".row .name")

    @property
    def notice(self) -> Locator:
        """What was just done, with the way back."""
        return self.frame.locator(".notice")

    @property
    def panel(self) -> Locator:
        """The one task that is shown in full."""
        return self.frame.locator(".panel")

    @property
    def state(self) -> Locator:
        return self.frame.locator("#state")

    @property
    def new_title(self) -> Locator:
        return self.frame.get_by_role("textbox", name="New task")

    @property
    def new_due(self) -> Locator:
        return self.frame.get_by_role("textbox", name="When")

    def button(self, name: str) -> Locator:
        return self.frame.get_by_role("button", name=name, exact=True)

    def row(self, title: str) -> Locator:
        return self.rows.filter(has=self.frame.locator(".name", has_text=title))

    def box(self, title: str) -> Locator:
        return self.frame.get_by_role("checkbox", name=f"Done: {title}", exact=True)

    async def open(self, title: str) -> None:
        """Show one task in full and wait until all of it is there."""
        await self.row(title).locator(".open").click()
        await self.panel.locator("dl").wait_for()

    async def seen(self) -> Any:
        """What the host was told."""
        return await self.page.evaluate("host.seen")

    def called(self, tool: str) -> list[dict[str, Any]]:
        """The arguments of all calls of one tool."""
        return [arguments for name, arguments in self.calls if name == tool]


class Hosts:
    """Opens hosts, and fails the test if a view caused anything that none may cause."""

    def __init__(self, browser: Browser, node: Node) -> None:
        self._browser = browser
        self._packages = node.folder / "node_modules"

    @asynccontextmanager
    async def show(
        self,
        living: Living,
        name: str,
        tool: str = "tasks_find",
        arguments: Mapping[str, Any] | None = None,
        *,
        token: str = "",
        capabilities: Mapping[str, Any] = ABLE,
        context: Mapping[str, Any] | None = None,
        result: Callable[[dict[str, Any]], None] = lambda _: None,
        **options: Any,
    ) -> AsyncGenerator[View]:
        """What `name` sees after a call of this tool; `result` may change what the host hands on of its answer."""
        watch = Watch([HOST, SANDBOX], [])
        browsing = await self._browser.new_context(**options)
        try:
            async with living.client(name, token=token) as person:
                browsing.set_default_timeout(PATIENCE_MS)
                await browsing.add_init_script(REPORT_VIOLATIONS)
                await browsing.route("**/*", self._serve)
                watch.begin(browsing)
                page = await browsing.new_page()
                await page.goto(f"http://{HOST}/")
                view = View(page, page.main_frame, person, watch, [])
                await page.expose_function("callTool", _calls(view))
                document = await _document(person)
                answer = _plain(await person.call(tool, **(arguments or {})))
                result(answer)
                await page.evaluate(
                    "(what) => host.show(what)",
                    {
                        "html": document.text,
                        "csp": (document.meta or {})["ui"]["csp"],
                        "sandbox": f"http://{SANDBOX}/",
                        "capabilities": dict(capabilities),
                        "context": dict(context or {}),
                        "input": dict(arguments or {}),
                        "result": answer,
                    },
                )
                view.frame = await _inside(page.frame_locator("#sandbox").locator("iframe"))
                yield view
        finally:
            await browsing.close()
        assert watch.complaints == [], watch.complaints

    @asynccontextmanager
    async def silent(self, living: Living, name: str) -> AsyncGenerator[tuple[Page, Frame]]:
        """A page that shows the document in a frame and never says a word, with a clock that the test moves."""
        async with living.client(name) as person:
            document = await _document(person)
        page = await self._browser.new_page()
        try:
            await page.clock.install()
            await page.set_content("<iframe sandbox='allow-scripts'></iframe>")
            frame = page.locator("iframe")
            await frame.evaluate("(frame, html) => { frame.srcdoc = html; }", document.text)
            yield page, await _inside(frame)
        finally:
            await page.close()

    async def _serve(self, route: Route) -> None:
        """The host's pages and packages; nothing else is on this network."""
        at = urlsplit(route.request.url)
        if at.netloc == SANDBOX:
            await route.fulfill(path=FILES / "sandbox.html", headers={"Content-Security-Policy": POLICY})
        elif at.path.startswith("/packages/"):
            await route.fulfill(
                path=self._packages / at.path.removeprefix("/packages/"), content_type="text/javascript"
            )
        elif at.netloc == HOST and at.path == "/":
            await route.fulfill(path=FILES / "host.html")
        else:
            await route.abort()


async def _document(person: ToolClient) -> TextResourceContents:
    [document] = (await person.client.read_resource(URI)).contents
    assert isinstance(document, TextResourceContents)
    return document


async def _inside(frame: Locator) -> Frame:
    found = await (await frame.element_handle()).content_frame()
    assert found is not None
    return found


def _calls(view: View) -> Callable[[dict[str, Any]], Any]:
    async def call(params: dict[str, Any]) -> dict[str, Any]:
        arguments = params.get("arguments", {})
        view.calls.append((params["name"], arguments))
        answer = await view.person.call(params["name"], **arguments)
        for interrupt in view.interrupt:
            interrupt(params["name"], answer)
        return _plain(answer)

    return call


def _plain(result: CallToolResult) -> dict[str, Any]:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)
