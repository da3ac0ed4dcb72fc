"""The development issuer's page in a browser: what no request by hand can show of it."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Page, ViewportSize, async_playwright

from shared.tokens import IssuerProfile, build_verifier
from tests.end_to_end.browser import ARGUMENTS, PATIENCE_MS, REPORT_VIOLATIONS
from tests.issuer import Issuing, dev_issuer
from tests.web import web

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

GATEWAY_URL: Final = "http://127.0.0.1:8000"
VERIFIER: Final = "a-verifier-that-is-long-enough-for-the-rule-of-43"
NARROW: Final = ViewportSize(width=320, height=640)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody whom the chat has just sent to the issuer."""

    page: Page
    issuing: Issuing
    callback: str
    complaints: list[str]

    async def brought_back(self) -> dict[str, list[str]]:
        """What the browser brings back to the chat, which lies on another origin."""
        await self.page.wait_for_url(f"{self.callback}?*")
        assert self.complaints == []
        return parse_qs(urlsplit(self.page.url).query)

    async def signed_in(self) -> str:
        """Who has signed in, as the token says."""
        form = {
            "grant_type": "authorization_code",
            "code": (await self.brought_back())["code"][0],
            "client_id": "taskgate-gateway",
            "redirect_uri": self.callback,
            "code_verifier": VERIFIER,
        }
        async with web() as http:
            tokens = (await http.post(f"{self.issuing.url}/token", data=form)).json()
            profile = IssuerProfile(issuer=self.issuing.url, jwks=self.issuing.jwks)
            return (await build_verifier([profile], GATEWAY_URL, http).verify(tokens["access_token"])).subject


@pytest.fixture(scope="module")
async def issuers(anyio_backend: str) -> AsyncGenerator[tuple[Issuing, Issuing]]:  # noqa: ARG001
    """One to sign in at, and one in the place of the chat, where any answer will do."""
    async with dev_issuer([GATEWAY_URL]) as issuing, dev_issuer([GATEWAY_URL]) as chat:
        yield issuing, chat


@pytest.fixture
async def visit(chromium: str, issuers: tuple[Issuing, Issuing]) -> AsyncGenerator[Visit]:
    """A small phone on which the page is open."""
    issuing, chat = issuers
    query = {
        "response_type": "code",
        "client_id": "taskgate-gateway",
        "redirect_uri": f"{chat.url}/auth/callback",
        "state": "a state",
        "code_challenge": urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        context = await browser.new_context(viewport=NARROW)
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(REPORT_VIOLATIONS)
        complaints: list[str] = []
        page = await context.new_page()
        # What it says of the place where it ends is not the page's doing.
        page.on("console", lambda message: complaints.append(message.text) if issuing.url in page.url else None)
        await page.goto(f"{issuing.url}/authorize?{urlencode(query)}")
        yield Visit(page, issuing, query["redirect_uri"], complaints)
        await browser.close()


async def test_a_person_is_chosen_by_pressing_a_button(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Continue as bob").click()
    assert await visit.signed_in() == "bob"


async def test_a_name_and_enter_sign_in_whoever_was_named(visit: Visit) -> None:
    await visit.page.get_by_label("Somebody else").fill("Grace Hopper")
    await visit.page.get_by_label("Somebody else").press("Enter")
    assert await visit.signed_in() == "Grace Hopper"


async def test_saying_no_leads_back_as_well(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Deny").click()
    assert (await visit.brought_back())["error"] == ["access_denied"]


async def test_it_fits_on_a_small_phone_in_its_own_style(visit: Visit) -> None:
    width = await visit.page.evaluate("document.documentElement.scrollWidth")
    assert width == NARROW["width"]
    radius = await visit.page.locator("main").evaluate("card => getComputedStyle(card).borderRadius")
    assert radius == "16px"
    assert visit.complaints == []
