"""People in front of the page: a browser profile each, held to what no visit may cause."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, Request

from tests.living import Living

ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No other host is even looked up: a request to one is found out by its address, not by its effect.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
# How long a state may take to come on a busy machine; no test waits for this on its way to success.
PATIENCE_MS: Final = 20_000

REPORT_VIOLATIONS: Final = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.effectiveDirective} refused ${event.blockedURI} ${event.sample}`);
});
"""
FAILED_TO_LOAD: Final = "Failed to load resource: "


@dataclass
class Watch:
    """What one profile asked for and complained about."""

    hosts: Sequence[str]
    expected: Sequence[str]
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def begin(self, context: BrowserContext) -> None:
        """Listen to all tabs of the profile."""
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(f"page error: {error.error}"))
        context.on("request", self._asked)
        context.on("dialog", self._interrupted)

    def _heard(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")
        is_expected = message.text.startswith(FAILED_TO_LOAD) and any(why in message.text for why in self.expected)
        if message.type in {"error", "warning", "assert"} and not is_expected:
            self.complaints.append(self.console[-1])

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme == "data":
            return
        self.requests.append(f"{request.method} {url.path}")
        if url.scheme != "http" or url.netloc not in self.hosts:
            self.complaints.append(f"request to another host: {request.url}")

    async def _interrupted(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        await dialog.dismiss()


@dataclass(frozen=True, slots=True)
class Tab:
    """The page as a person finds it: by what things are called."""

    page: Page
    watch: Watch

    @property
    def message(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message")

    @property
    def send(self) -> Locator:
        return self.button("Send")

    @property
    def stop(self) -> Locator:
        return self.button("Stop")

    @property
    def items(self) -> Locator:
        """The conversation without what surrounds it."""
        return self.page.locator("#items")

    @property
    def questions(self) -> Locator:
        return self.page.get_by_role("article", name="You")

    @property
    def answers(self) -> Locator:
        return self.page.get_by_role("article", name="Assistant").locator("> .prose")

    @property
    def spoken(self) -> Locator:
        """What a screen reader reads out."""
        return self.page.locator("#live")

    @property
    def conversations(self) -> Locator:
        return self.page.get_by_role("navigation", name="Conversations").get_by_role("link")

    @property
    def sign_in(self) -> Locator:
        """The panel that stands there for somebody who is not signed in."""
        return self.page.locator("#sign-in")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def ask(self, text: str) -> None:
        """Write a message and send it."""
        await self.message.fill(text)
        await self.message.press("Enter")

    async def say(self, text: str) -> None:
        """Write a message, send it, and wait until it has been answered."""
        asked = await self.questions.count()
        await self.ask(text)
        await self.questions.nth(asked).wait_for()
        await self.answers.nth(asked).wait_for()
        await self.send.wait_for()

    async def everything(self) -> str:
        """All text in the document, seen or not, with the attributes."""
        return await self.page.content()


class Tabs:
    """Opens the page for people, and fails the test if a visit caused anything that none may cause."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder

    @asynccontextmanager
    async def open(
        self,
        living: Living,
        name: str = "",
        path: str = "/",
        *,
        expected: Sequence[str] = (),
        elsewhere: Sequence[str] = (),
        **options: Any,
    ) -> AsyncGenerator[Tab]:
        """The page in a profile of its own, signed in as `name`; requests may fail for the reasons `expected`.

        People may be led to the addresses `elsewhere`, and to no others.
        """
        watch = Watch([urlsplit(url).netloc for url in (living.gateway_url, *elsewhere)], expected)
        context = await self._browser.new_context(base_url=living.gateway_url, **options)
        try:
            context.set_default_timeout(PATIENCE_MS)
            await context.add_init_script(REPORT_VIOLATIONS)
            watch.begin(context)
            tab = Tab(await context.new_page(), watch)
            await tab.page.goto(printed(living, name, path) if name else path)
            try:
                if name:
                    await tab.message.wait_for()
                yield tab
            except BaseException:
                await self._keep_evidence(context, name or "nobody", watch)
                raise
        finally:
            await context.close()
        assert watch.complaints == []

    async def _keep_evidence(self, context: BrowserContext, name: str, watch: Watch) -> None:
        log = [*watch.console, "", "complaints:", *watch.complaints, "", "requests:", *watch.requests]
        (self._folder / f"{name}.log").write_text("\n".join(log), "utf-8")
        for number, page in enumerate(context.pages):
            await page.screenshot(path=self._folder / f"{name}-{number}.png")


def printed(living: Living, name: str, path: str = "/") -> str:
    """The address that signs a person in."""
    return f"{living.gateway_url}{path}#token={living.token(name, living.gateway_url)}"
