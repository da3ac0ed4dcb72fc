"""Signing in by pressing a button: the page, the issuer and back, in a real browser."""

import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Locator, async_playwright, expect

from tests.end_to_end.browser import ARGUMENTS, PATIENCE_MS, Tab, Tabs
from tests.living import Databases
from tests.signing_in import COOKIE, House, TwoErrands, open_house

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    # The engine is below everything a browser can see.
    pytest.mark.parametrize("databases", ["sqlite"], indirect=True),
]

ADD_MILK: Final = "Add buy milk tomorrow"
# Everything that a script of the page could read.
READABLE: Final = """
() => JSON.stringify([
  location.href, document.cookie, history.state, {...localStorage}, {...sessionStorage},
  document.documentElement.outerHTML, performance.getEntries().map((entry) => entry.name),
])
"""


@dataclass(frozen=True, slots=True)
class Visits:
    """The house, and tabs in front of it."""

    house: House
    tabs: Tabs

    def open(self, *expected: str) -> AbstractAsyncContextManager[Tab]:
        """The page in the browser of somebody who is not signed in."""
        return self.tabs.open(self.house.living, expected=["401", *expected], elsewhere=[self.house.issuer.url])


@pytest.fixture
async def tabs(chromium: str, tmp_path: Path, anyio_backend: str) -> AsyncGenerator[Tabs]:  # noqa: ARG001
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield Tabs(browser, tmp_path)
        await browser.close()


@pytest.fixture
async def visits(databases: Databases, tabs: Tabs) -> AsyncGenerator[Visits]:
    async with open_house(databases) as house:
        yield Visits(house, tabs)


def login(tab: Tab) -> Locator:
    return tab.page.get_by_role("link", name="Sign in", exact=True)


async def sign_in(tab: Tab, person: str = "ada") -> None:
    """Press the button, say who it is, and come back."""
    await login(tab).click()
    await tab.button(f"Continue as {person}").click()
    await expect(tab.message).to_be_visible()


async def test_a_person_signs_in_chats_stays_and_signs_out_without_any_script_seeing_a_token(visits: Visits) -> None:
    async with visits.open() as tab:
        seen = []
        await expect(tab.page.get_by_role("heading", name="You are not signed in")).to_be_visible()
        await expect(tab.page.get_by_text("taskgate dev")).to_be_hidden()
        await sign_in(tab)
        assert tab.page.url == f"{visits.house.living.gateway_url}/"
        await expect(tab.page.get_by_role("navigation")).to_contain_text("ada")
        seen.append(await tab.page.evaluate(READABLE))

        await tab.say(ADD_MILK)
        assert await visits.house.titles("ada") == ["buy milk"]
        place = tab.page.url
        await tab.page.reload()
        await expect(tab.questions).to_have_text([ADD_MILK])
        seen.append(await tab.page.evaluate(READABLE))

        before = visits.house.renewals
        await visits.house.let_time_pass(verified_until_us=10)
        await tab.say("What is open?")
        assert visits.house.renewals == before + 1
        await expect(tab.sign_in).to_be_hidden()
        seen.append(await tab.page.evaluate(READABLE))

        cookies = await tab.page.context.cookies(visits.house.living.gateway_url)
        [cookie] = [cookie for cookie in cookies if cookie.get("name", "").startswith(COOKIE)]
        assert (cookie.get("name"), cookie.get("httpOnly"), cookie.get("sameSite")) == (COOKIE, True, "Lax")
        hidden = [str(cookie.get("value")), "eyJ", "code=", "state="]
        assert [word for word in hidden if word in json.dumps(seen)] == []
        assert "eyJ" not in str(cookies)

        await tab.button("Sign out").click()
        await expect(tab.page.get_by_role("heading", name="You are not signed in")).to_be_visible()
        assert tab.page.url == f"{visits.house.living.gateway_url}/"
        assert "GET /end-session" in visits.house.issuer.requests
        assert await visits.house.rows() == []
        await tab.page.goto(place)
        await expect(tab.page.get_by_role("heading", name="You are not signed in")).to_be_visible()
        await expect(tab.questions).to_have_count(0)


async def test_a_sign_in_that_ended_leads_back_to_the_conversation_and_to_the_text(visits: Visits) -> None:
    async with visits.open() as tab:
        await sign_in(tab)
        await tab.say(ADD_MILK)
        place = tab.page.url
        assert "?thread=" in place
        await visits.house.let_time_pass(expires_us=0)
        await tab.ask("What is open?")
        await expect(tab.page.get_by_role("heading", name="Your sign-in has ended")).to_be_visible()
        await expect(tab.message).to_have_value("What is open?")
        await sign_in(tab)
        assert tab.page.url == place
        await expect(tab.questions).to_have_text([ADD_MILK])
        await expect(tab.message).to_have_value("What is open?")
        await tab.message.press("Enter")
        await expect(tab.questions).to_have_text([ADD_MILK, "What is open?"])


async def test_a_sign_in_that_ends_in_mid_answer_keeps_the_answer_and_shows_the_way_in(
    databases: Databases, tabs: Tabs
) -> None:
    model = TwoErrands()
    async with open_house(databases, model=model) as house, Visits(house, tabs).open() as tab:
        await sign_in(tab)
        await tab.ask("milk and bread, please")
        await model.between.wait()
        await house.let_time_pass(expires_us=0)
        model.go_on.set()
        await expect(
            tab.page.get_by_role("alert").filter(has_text="Your sign-in has ended. Sign in again.")
        ).to_be_visible()
        await expect(tab.page.get_by_role("heading", name="Your sign-in has ended")).to_be_visible()
        await expect(tab.answers).to_have_text(["First the milk.", "Now the bread."])
        await sign_in(tab)
        await expect(tab.answers).to_have_text(["First the milk.", "Now the bread."])
        assert await house.titles("ada") == ["milk"]


async def test_somebody_who_declines_is_told_so_and_may_change_their_mind(visits: Visits) -> None:
    async with visits.open("400") as tab:
        await login(tab).click()
        await tab.button("Deny").click()
        await expect(tab.page.get_by_role("heading", name="You are not signed in")).to_be_visible()
        await expect(tab.page.get_by_role("alert")).to_contain_text("This sign-in did not work: it was declined.")
        await expect(login(tab)).to_be_in_viewport(ratio=1)
        await sign_in(tab, "bob")
        await expect(tab.page.get_by_role("navigation")).to_contain_text("bob")
