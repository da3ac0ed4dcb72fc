"""The page in a browser, against both services: what people see, press and never see."""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from agents.items import TResponseStreamEvent
from playwright.async_api import Browser, Locator, expect

from gateway.offline import OfflineModel
from tests.end_to_end.browser import PATIENCE_MS, Tab, Tabs, printed
from tests.end_to_end.legible import readable, sideways
from tests.living import Databases, Living
from tests.models import BrokenModel, ObedientModel

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

# The engine is below everything a browser can see; the other tests drive both.
in_the_house = pytest.mark.parametrize("house", ["sqlite"], indirect=True)
on_its_own = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

ADD_MILK: Final = "Add buy milk tomorrow"


class HesitantModel(OfflineModel):
    """The offline model, which says no more words than it was allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self._words: float = 0
        self._allowed = asyncio.Event()
        self.stopped = asyncio.Event()

    def allow(self, words: float) -> None:
        """Let it say so many more words."""
        self._words += words
        self._allowed.set()

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        async for event in super().stream_response(*args, **kwargs):
            if event.type == "response.output_text.delta":
                await self._take_breath()
            yield event

    async def _take_breath(self) -> None:
        try:
            while self._words < 1:
                self._allowed.clear()
                await self._allowed.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        self._words -= 1


@pytest.fixture
def tabs(browser: Browser, tmp_path: Path) -> Tabs:
    """Opens the page for people."""
    return Tabs(browser, tmp_path)


async def stopped(living: Living, model: HesitantModel) -> None:
    """Until the model says no more and what it said is stored."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        await model.stopped.wait()
    await living.running.finish_or_stop(30)


async def shown_again(tab: Tab) -> None:
    """Reload the page; the conversation must be the same afterwards."""
    before = await tab.items.text_content()
    assert before
    await tab.page.reload()
    await expect(tab.items).to_have_text(before)


# ---- signing in ----


@in_the_house
async def test_a_printed_address_signs_in_and_its_token_stays_nowhere(living: Living, tabs: Tabs) -> None:
    token = living.token("ada", living.gateway_url)
    carriers: list[str] = []
    async with tabs.open(living, expected=["401"]) as tab:
        tab.page.on(
            "request",
            lambda request: carriers.append(request.url) if token in f"{request.headers}{request.post_data}" else None,
        )
        await tab.page.goto(f"{living.gateway_url}/#token={token}")
        await expect(tab.message).to_be_visible()
        await expect(tab.page.get_by_text(living.subject("ada"))).to_be_visible()
        assert tab.page.url == f"{living.gateway_url}/"
        assert carriers == [f"{living.gateway_url}/auth/session"]
        kept = await tab.page.evaluate("[{...localStorage}, {...sessionStorage}, document.cookie, history.state]")
        assert kept == [{}, {}, "", None]
        assert token not in await tab.everything()
        [cookie] = await tab.page.context.cookies()
        assert cookie.get("httpOnly") is True
        assert token not in str(cookie)
        await tab.page.go_back()
        assert token not in tab.page.url


@in_the_house
async def test_somebody_who_is_not_signed_in_sees_the_way_in_and_nothing_else(living: Living, tabs: Tabs) -> None:
    async with tabs.open(living, expected=["401"]) as tab:
        await expect(tab.page.get_by_role("heading", name="You are not signed in")).to_be_visible()
        await expect(tab.sign_in).to_be_focused()
        for thing in (tab.message, tab.send, tab.page.get_by_role("navigation"), tab.page.get_by_role("log")):
            await expect(thing).to_be_hidden()
        await tab.page.goto(f"{living.gateway_url}/#token=eyJ.no.token")
        await expect(tab.sign_in).to_contain_text("you are not signed in")
        assert tab.page.url == f"{living.gateway_url}/"
        await tab.page.goto(printed(living, "ada"))
        await tab.say("hello")
        await expect(tab.sign_in).to_be_hidden()


@in_the_house
@pytest.mark.parametrize("way", ["Enter", "start button"])
async def test_a_session_that_ended_keeps_the_text_until_it_can_be_sent(living: Living, tabs: Tabs, way: str) -> None:
    async with tabs.open(living, "ada", expected=["401"]) as tab:
        await tab.say("hello")
        other = Tab(await tab.page.context.new_page(), tab.watch)
        await other.page.goto("/")
        await other.button("Sign out").click()
        await expect(other.page.get_by_role("heading", name="You are not signed in")).to_be_visible()
        await other.page.close()

        if way == "Enter":
            await tab.ask(ADD_MILK)
        else:
            await tab.button("New chat").click()
            await tab.button(ADD_MILK).click()
        await expect(tab.page.get_by_role("heading", name="Your sign-in has ended")).to_be_visible()
        await expect(tab.message).to_have_value(ADD_MILK)
        await expect(tab.questions.filter(has_text=ADD_MILK)).to_have_count(0)
        await tab.page.goto(printed(living, "ada", urlpath(tab)))
        await expect(tab.sign_in).to_be_hidden()
        await expect(tab.message).to_have_value(ADD_MILK)
        await tab.message.press("Enter")
        await expect(tab.answers.last).to_have_text(words("Added: T1 buy milk"))
        await expect(tab.send).to_be_visible()
        await expect(tab.message).to_have_value("")


def urlpath(tab: Tab) -> str:
    """Where a tab is, below the host."""
    return "/" + tab.page.url.split("/", 3)[3]


# ---- an answer ----


@on_its_own
async def test_an_answer_grows_after_its_tool_ran_and_is_still_there_after_a_reload(
    databases: Databases, tabs: Tabs
) -> None:
    model = HesitantModel()
    async with Living(databases, model=model) as living, tabs.open(living, "ada") as tab:
        await tab.ask(ADD_MILK)
        await expect(tab.questions).to_have_text([ADD_MILK])
        await expect(tab.message).to_have_value("")
        await expect(tab.page.locator("#tail")).to_have_text("Add tasks...")
        await expect(tab.spoken).to_have_text("Add tasks...")
        await expect(tab.answers).to_have_count(0)

        model.allow(1)
        await expect(tab.answers).to_have_text(["Added:"])
        async with living.client("ada") as client:
            assert await client.titles() == ["buy milk"]
        model.allow(3)
        await expect(tab.answers).to_have_text([words("Added: T1 buy", "$")])
        await expect(tab.stop).to_be_visible()
        model.allow(math.inf)
        await expect(tab.answers).to_have_text([words("Added: T1 buy milk", r" \(.+\)$")])
        await expect(tab.send).to_be_visible()
        await expect(tab.spoken).to_contain_text("buy milk")
        await expect(tab.message).to_be_focused()
        await shown_again(tab)


@in_the_house
async def test_the_start_buttons_add_find_and_finish(living: Living, tabs: Tabs) -> None:
    async with tabs.open(living, "ada") as tab:
        for button, answer in (
            ("Add buy milk tomorrow", "Added: T1 buy milk"),
            ("What is open?", "1 task is open: T1 buy milk"),
            ("Done with milk", "Well done! Finished: T1 buy milk"),
        ):
            await tab.button("New chat").click()
            await tab.button(button).click()
            await expect(tab.questions).to_have_text([button])
            await expect(tab.answers).to_have_text([words(answer)])
            await expect(tab.send).to_be_visible()
            await expect(tab.button(button)).to_be_hidden()
        await expect(tab.conversations).to_have_count(3)


def words(text: str, rest: str = "") -> re.Pattern[str]:
    """These words first, with any space between them: paragraphs have none."""
    return re.compile("^" + r"\s*".join(re.escape(word) for word in text.split()) + rest)


@on_its_own
@pytest.mark.parametrize("way", ["button", "Escape"])
async def test_stop_keeps_the_words_seen_and_the_next_message_works(databases: Databases, tabs: Tabs, way: str) -> None:
    model = HesitantModel()
    async with Living(databases, model=model) as living, tabs.open(living, "ada") as tab:
        await tab.ask("hello")
        model.allow(2)
        await expect(tab.answers).to_have_text(["Hello! I"])
        if way == "button":
            await tab.stop.click()
        else:
            await tab.page.keyboard.press(way)
        await expect(tab.send).to_be_visible()
        await expect(tab.spoken).to_have_text("Stopped")
        await stopped(living, model)
        await expect(tab.items).to_have_text(re.compile("^helloHello! I"))
        await shown_again(tab)

        model.allow(math.inf)
        await tab.say("thanks")
        await expect(tab.answers).to_have_text(["Hello! I", "You are welcome!"])


@on_its_own
async def test_a_message_written_during_an_answer_waits_for_its_end(databases: Databases, tabs: Tabs) -> None:
    model = HesitantModel()
    async with Living(databases, model=model) as living, tabs.open(living, "ada") as tab:
        await tab.ask("hello")
        model.allow(1)
        await expect(tab.answers).to_have_text(["Hello!"])
        await tab.ask("thanks")
        await expect(tab.page.get_by_role("alert")).to_contain_text("The answer is still being written")
        await expect(tab.message).to_have_value("thanks")
        model.allow(math.inf)
        await expect(tab.send).to_be_visible()
        await tab.message.press("Enter")
        await expect(tab.answers.last).to_have_text("You are welcome!")
        await expect(tab.questions).to_have_text(["hello", "thanks"])


@on_its_own
async def test_a_broken_answer_offers_a_retry_that_works(databases: Databases, tabs: Tabs) -> None:
    model = BrokenModel()
    async with Living(databases, model=model) as living, tabs.open(living, "ada") as tab:
        await tab.ask("many words to say")
        await expect(tab.answers).to_have_text(["many words to say"])
        model.go_on.set()
        error = tab.page.get_by_role("alert").filter(has_text="The assistant could not finish its answer")
        await expect(error).to_be_visible()
        await expect(tab.send).to_be_visible()
        assert "sk-12345" not in await tab.everything()

        model.go_on.clear()
        again = error.get_by_role("button", name="Try again")
        assert await again.evaluate("(node) => (node.click(), node.disabled)")
        await expect(tab.stop).to_be_visible()
        await expect(error).to_have_count(0)
        await expect(tab.answers).to_have_text(["many words to say"])
        model.go_on.set()
        await expect(error).to_be_visible()
        await expect(tab.send).to_be_visible()

        await error.get_by_role("button", name="Try again").click()
        await expect(error).to_have_count(0)
        await expect(tab.send).to_be_visible()
        await expect(tab.questions).to_have_text(["many words to say"])
        await expect(tab.answers).to_have_text(["many words to say"])
        await shown_again(tab)
        await expect(tab.button("Try again")).to_have_count(0)


@on_its_own
async def test_an_answer_ended_by_a_restart_is_kept_and_can_be_repeated(databases: Databases, tabs: Tabs) -> None:
    model = HesitantModel()
    async with (
        Living(databases, model=model) as living,
        tabs.open(living, "ada", expected=["ERR_CONNECTION_REFUSED"]) as tab,
    ):
        await tab.ask("hello")
        model.allow(2)
        await expect(tab.answers).to_have_text(["Hello! I"])
        await living.running.finish_or_stop(0)
        await expect(tab.page.get_by_role("alert")).to_have_text(re.compile("^The service is restarting."))
        await living.gateway.stop()
        await tab.button("Try again").click()
        await expect(tab.page.get_by_text("The server cannot be reached.")).to_be_visible()
        await expect(tab.answers).to_have_text(["Hello! I"])

        await living.start_gateway()
        model.allow(math.inf)
        await tab.button("Try again").click()
        await expect(tab.answers).to_have_text([re.compile("^Hello! I am the offline assistant.*Try:")])
        await expect(tab.send).to_be_visible()
        await expect(tab.button("Try again")).to_have_count(0)
        await shown_again(tab)


@on_its_own
async def test_the_chat_goes_on_while_the_tool_server_is_away(databases: Databases, tabs: Tabs) -> None:
    async with Living(databases, start_mcp=False) as living, tabs.open(living, "ada") as tab:
        await tab.say("hello")
        notice = tab.page.get_by_text("Tasks cannot be reached at the moment. The conversation goes on.", exact=True)
        await expect(notice).to_be_visible()
        await expect(tab.answers).to_have_text([re.compile("^Hello!")])

        await living.start_mcp()
        await tab.say(ADD_MILK)
        await expect(notice).to_have_count(0)
        await expect(tab.answers.last).to_contain_text("buy milk")
        await living.mcp.stop()
        await tab.say("What is open?")
        await expect(tab.answers.last).to_contain_text("Tasks are unavailable at the moment")


# ---- text is text ----

HOSTILE: Final = {
    "markup": (
        'a <img src=/x onerror="alert(1)"><script>alert(2)</script><svg/onload=alert(3)><b>bold</b>'
        '<a href="//foreign.example/">here</a><style>*{display:none}</style><iframe srcdoc="<p>hi">'
        '<link rel=stylesheet href=//foreign.example/x.css></div></article><!-- &lt;b&gt; &amp; "quoted"'
    ),
    "template syntax": "{{constructor.constructor('alert(1)')()}} ${alert(1)} #{7+7} <%= 7+7 %> {% raw %} %s {0} $&",
    "right to left": "שלום עולם \u202eevil\u202c \u2067<b>مرحبا</b>\u2069 \u200fabc",
    "10,000 characters": "0123456789" * 1_000,
    "10,000 emoji": "\U0001f469\u200d\U0001f680\U0001f1e6\U0001f1f9" * 2_000,
}
# What has no shape of its own; a title has none of it.
UNSEEN: Final = re.compile("[\u200f\u202a-\u202e\u2066-\u2069]")
SHAPE: Final = """
(items) => [...items.querySelectorAll("*")].map((node) => [node.localName, ...node.getAttributeNames()].join(" "))
"""


@on_its_own
async def test_whatever_is_written_is_shown_as_text_and_asks_for_nothing(databases: Databases, tabs: Tabs) -> None:
    async with Living(databases, model=ObedientModel()) as living, tabs.open(living, "ada") as tab:
        await tab.say("plain")
        plain = await tab.items.evaluate(SHAPE)
        for text in HOSTILE.values():
            await tab.button("New chat").click()
            tab.watch.requests.clear()
            await tab.say(text)
            assert await tab.questions.text_content() == text
            assert await tab.answers.text_content() == text
            title = await tab.page.get_by_role("heading", level=1).text_content()
            assert title
            assert UNSEEN.sub("", text).startswith(title.removesuffix("..."))
            assert await tab.page.title() == f"{title} · Taskgate"
            await expect(tab.conversations.first).to_contain_text(title)
            assert await tab.conversations.first.locator("*").evaluate_all("all => all.map((n) => n.localName)") == [
                "span",
                "bdi",
                "time",
            ]
            assert await tab.items.evaluate(SHAPE) == plain
            assert set(tab.watch.requests) == {"POST /chatkit"}
            assert await sideways(tab) == []
            await shown_again(tab)
            assert await tab.items.evaluate(SHAPE) == plain


@on_its_own
async def test_markup_in_a_task_is_text_in_every_answer_about_it(databases: Databases, tabs: Tabs) -> None:
    title = "<img src=/x onerror=alert(1)> **T9** [x](javascript:alert(1)) ![y](/y.png)"
    async with Living(databases) as living, tabs.open(living, "ada") as tab:
        async with living.client("ada") as client:
            await client.add(title)
        tab.watch.requests.clear()
        await tab.say("What is open?")
        await expect(tab.answers).to_contain_text(title)
        assert await tab.answers.locator("img, a, script").count() == 0
        assert set(tab.watch.requests) == {"POST /chatkit"}


@on_its_own
async def test_an_answer_can_neither_load_an_image_nor_link_to_a_script(databases: Databases, tabs: Tabs) -> None:
    lines = [
        "![tracker](https://foreign.example/pixel.png?secret=1)",
        "[press](javascript:alert(1)) [press](data:text/html,hi) [press](vbscript:x)",
        "[bank](https://foreign.example/login)",
    ]
    async with Living(databases, model=ObedientModel()) as living, tabs.open(living, "ada") as tab:
        tab.watch.requests.clear()
        await tab.say("\n\n".join(lines))
        links = await tab.answers.get_by_role("link").evaluate_all("all => all.map((n) => [n.href, n.rel, n.target])")
        assert links == [
            ["https://foreign.example/pixel.png?secret=1", "noopener noreferrer", "_blank"],
            ["https://foreign.example/login", "noopener noreferrer", "_blank"],
        ]
        await expect(tab.answers).to_contain_text("bank (foreign.example)")
        await expect(tab.answers).to_contain_text(lines[1])
        assert await tab.page.locator("img, iframe, object, embed").count() == 0
        assert set(tab.watch.requests) == {"POST /chatkit"}


@on_its_own
async def test_right_to_left_text_runs_right_to_left_and_the_page_does_not(databases: Databases, tabs: Tabs) -> None:
    async with Living(databases, model=ObedientModel()) as living, tabs.open(living, "ada") as tab:
        await tab.say(HOSTILE["right to left"])
        for text in (
            tab.questions.locator("> *"),
            tab.answers.locator("> p"),
            tab.page.get_by_role("heading", level=1),
            tab.conversations.locator("bdi"),
        ):
            await expect(text).to_have_css("direction", "rtl")
        await expect(tab.page.get_by_role("main")).to_have_css("direction", "ltr")
        await expect(tab.send).to_have_css("direction", "ltr")


# ---- conversations ----


@in_the_house
async def test_the_list_opens_another_conversation_and_back_returns(living: Living, tabs: Tabs) -> None:
    async with tabs.open(living, "ada") as tab:
        await tab.say("hello")
        first = tab.page.url
        await tab.button("New chat").click()
        await expect(tab.questions).to_have_count(0)
        await expect(tab.message).to_be_focused()
        await tab.say("thanks")
        second = tab.page.url
        assert first != second
        await expect(tab.conversations).to_have_text([re.compile("^thanks"), re.compile("^hello")])

        await tab.conversations.nth(1).click()
        await expect(tab.questions).to_have_text(["hello"])
        await expect(tab.answers).to_have_text([re.compile("^Hello!")])
        await expect(tab.conversations.nth(1)).to_have_attribute("aria-current", "page")
        assert tab.page.url == first
        await expect(tab.page.get_by_role("heading", level=1)).to_have_text("hello")
        await tab.page.go_back()
        await expect(tab.questions).to_have_text(["thanks"])
        assert tab.page.url == second
        await tab.page.reload()
        await expect(tab.questions).to_have_text(["thanks"])
        await expect(tab.conversations).to_have_text([re.compile("^thanks"), re.compile("^hello")])


@in_the_house
async def test_two_tabs_of_one_conversation_agree_after_the_next_answer(living: Living, tabs: Tabs) -> None:
    async with tabs.open(living, "ada") as tab:
        await tab.say("hello")
        other = Tab(await tab.page.context.new_page(), tab.watch)
        await other.page.goto(tab.page.url)
        await expect(other.questions).to_have_text(["hello"])
        await other.say("thanks")
        await tab.ask("thank you")
        await expect(tab.questions).to_have_text(["hello", "thanks", "thank you"])
        await expect(tab.answers).to_have_count(3)


@on_its_own
async def test_leaving_an_answer_stops_it_and_puts_no_word_of_it_elsewhere(databases: Databases, tabs: Tabs) -> None:
    model = HesitantModel()
    async with Living(databases, model=model) as living, tabs.open(living, "ada") as tab:
        await tab.ask("hello")
        model.allow(2)
        await expect(tab.answers).to_have_text(["Hello! I"])
        await tab.button("New chat").click()
        await expect(tab.send).to_be_visible()
        await stopped(living, model)
        model.allow(math.inf)
        await tab.say("thanks")
        await expect(tab.answers).to_have_text(["You are welcome!"])
        await tab.conversations.nth(1).click()
        await expect(tab.answers).to_have_text(["Hello! I"])


@in_the_house
async def test_two_people_never_see_each_others_conversations(living: Living, tabs: Tabs) -> None:
    async with tabs.open(living, "ada") as ada, tabs.open(living, "bob", expected=["404"]) as bob:
        await ada.say("Add a secret of hers")
        await bob.say("What is open?")
        await expect(bob.answers).to_have_text(["No task is open."])
        await bob.page.reload()
        await ada.page.reload()
        await expect(ada.conversations).to_have_text([re.compile("^Add a secret of hers")])
        await expect(bob.conversations).to_have_text([re.compile("^What is open")])

        for foreign in (urlpath(ada), "/?thread=thr_unknown", "/?thread=%3Cimg%20src%3D%2Fx%3E"):
            await bob.page.goto(foreign)
            await expect(bob.page.get_by_role("alert")).to_contain_text("That conversation was not found.")
            await expect(bob.conversations).to_have_count(1)
            assert bob.page.url == f"{living.gateway_url}/"
            assert "secret" not in await bob.everything()
            await expect(bob.questions).to_have_count(0)
        await bob.say("hello")
        await expect(ada.conversations).to_have_count(1)


@in_the_house
async def test_another_person_in_the_same_tab_finds_nothing_of_the_first(living: Living, tabs: Tabs) -> None:
    async with tabs.open(living, "ada", expected=["404"]) as tab:
        await tab.say("Add a secret of hers")
        await tab.message.fill("another secret")
        await tab.page.goto(printed(living, "bob", urlpath(tab)))
        await expect(tab.page.get_by_text(living.subject("bob"))).to_be_visible()
        await expect(tab.page.get_by_role("alert")).to_contain_text("That conversation was not found.")
        await expect(tab.message).to_have_value("")
        await expect(tab.conversations).to_have_count(0)
        assert "secret" not in await tab.everything()


# ---- for everybody ----


@in_the_house
async def test_everything_can_be_done_by_keyboard_with_the_focus_in_sight(living: Living, tabs: Tabs) -> None:
    async with tabs.open(living, "ada", expected=["401"]) as tab:
        press, write = tab.page.keyboard.press, tab.page.keyboard.type
        await expect(tab.message).to_be_focused()
        await back_to(tab, tab.button(ADD_MILK))
        await press("Enter")
        await expect(tab.answers).to_have_text([words("Added: T1 buy milk")])
        await expect(tab.message).to_be_focused()
        await expect(tab.send).to_be_visible()

        await write("Add two things:")
        await press("Shift+Enter")
        await write("sweep")
        await expect(tab.message).to_have_value("Add two things:\nsweep")
        await press("Enter")
        await expect(tab.questions.last).to_have_text("Add two things: sweep")
        await expect(tab.answers).to_have_count(2)
        await expect(tab.send).to_be_visible()

        await back_to(tab, tab.button("New chat"))
        await press("Enter")
        await expect(tab.message).to_be_focused()
        await write("Done with milk")
        await press("Enter")
        await expect(tab.answers).to_have_text([words("Well done! Finished: T1 buy milk")])
        await expect(tab.send).to_be_visible()

        await back_to(tab, tab.page.get_by_role("log"))
        await back_to(tab, tab.conversations.nth(1))
        await press("Enter")
        await expect(tab.questions).to_have_count(2)
        await expect(tab.message).to_be_focused()
        await back_to(tab, tab.page.get_by_role("link", name="Skip to the message box"))
        await press("Enter")
        await expect(tab.message).to_be_focused()
        await back_to(tab, tab.button("Sign out"))
        await press("Enter")
        await expect(tab.sign_in).to_be_focused()


FOCUS_IS_VISIBLE: Final = """
() => {
  const node = document.activeElement;
  const { top, bottom, left, right } = node.getBoundingClientRect();
  const ring = getComputedStyle(node.closest(".composer") && node.matches("textarea") ? node.form : node);
  const isInside = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
  return isInside && ring.outlineStyle !== "none" && parseFloat(ring.outlineWidth) >= 1;
}
"""


async def back_to(tab: Tab, goal: Locator) -> None:
    """Go back with the keyboard until the focus is there; each stop on the way must be seen to have it."""
    stops: list[str] = []
    for _ in range(30):
        await tab.page.keyboard.press("Shift+Tab")
        stops.append(await tab.page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))
        assert await tab.page.evaluate(FOCUS_IS_VISIBLE), stops[-1]
        if await goal.evaluate("(node) => node === document.activeElement"):
            return
    raise AssertionError(f"the focus came only to {stops}")


WIDE: Final = "\n".join(
    (
        "a_very_long_word_" * 20,
        "",
        "| one | two | three | four | five |",
        "|---|---|---|---|---|",
        "| " + " | ".join(["somewhat_long_cells"] * 5) + " |",
        "",
        "```python",
        "print('" + "long line " * 30 + "')",
        "```",
        "",
        "https://foreign.example/" + "path/" * 40,
    )
)


@on_its_own
async def test_a_window_of_320_pixels_needs_no_scrolling_sideways(databases: Databases, tabs: Tabs) -> None:
    size = {"width": 320, "height": 568}
    async with (
        Living(databases, model=ObedientModel()) as living,
        tabs.open(living, "ada", viewport=size, has_touch=True, reduced_motion="reduce") as tab,
    ):
        assert await sideways(tab) == []
        await tab.say(WIDE)
        assert await sideways(tab) == []
        await tab.message.fill(WIDE)
        assert await sideways(tab) == []
        await expect(tab.send).to_be_in_viewport(ratio=1)
        for own_scroller in (tab.answers.locator("pre"), tab.answers.locator(".table")):
            assert await own_scroller.evaluate("(node) => (node.scrollBy(9999, 0), node.scrollLeft > 0)")

        await expect(tab.button("Sign out")).to_be_hidden()
        await tab.button("Show conversations").tap()
        await expect(tab.button("Hide conversations")).to_be_focused()
        await expect(tab.conversations.first).to_be_in_viewport(ratio=1)
        assert await sideways(tab) == []
        await tab.page.keyboard.press("Escape")
        await expect(tab.conversations.first).to_be_hidden()
        await expect(tab.button("Show conversations")).to_be_focused()
        await tab.button("Show conversations").tap()
        await tab.conversations.first.tap()
        await expect(tab.conversations.first).to_be_hidden()
        await expect(tab.questions).to_have_count(1)


MARKS: Final = """\
# Head

> quote

- **bold** `code` [link](https://foreign.example)

```js
let x
```

| a |
|---|
| b |"""


@on_its_own
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_text_is_readable_in_both_colour_schemes(databases: Databases, tabs: Tabs, scheme: str) -> None:
    model = BrokenModel()
    async with (
        Living(databases, model=model, start_mcp=False) as living,
        tabs.open(living, expected=["401"], color_scheme=scheme) as tab,
    ):
        await expect(tab.sign_in).to_be_visible()
        await readable(tab, scheme)
        await tab.page.goto(printed(living, "ada"))
        await expect(tab.button(ADD_MILK)).to_be_visible()
        await readable(tab, scheme)
        await tab.ask(MARKS)
        await expect(tab.answers.get_by_role("table")).to_be_visible()
        await tab.ask("more")
        await expect(tab.page.get_by_text("The answer is still being written")).to_be_visible()
        await readable(tab, scheme)
        model.go_on.set()
        await expect(tab.button("Try again")).to_be_visible()
        await readable(tab, scheme)
