"""Cards and questions on the page, in a browser against both services: pressed, filled in and answered."""

import json
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from mcp_types import ToolAnnotations
from playwright.async_api import Browser, Locator, expect
from sqlalchemy import update

from gateway.attachments.disk import Disk
from gateway.tables import chat_threads
from shared.db import Database
from tests.asking_server import AskingServer
from tests.end_to_end.browser import Tab, Tabs
from tests.end_to_end.legible import readable, sideways
from tests.gateway.asking.conftest import Asked
from tests.living import Databases, Living, Said, message
from tests.models import ObedientModel

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.parametrize("databases", ["sqlite"], indirect=True)]

LIST: Final = 'call tasks_find {"filter": ""}'
BOOK: Final = "call book {}"


@pytest.fixture
def tabs(browser: Browser, tmp_path: Path) -> Tabs:
    """Opens the page for people."""
    return Tabs(browser, tmp_path)


@pytest.fixture
async def house(databases: Databases) -> AsyncGenerator[Asked]:
    """Both services, with tools that ask, and one that lingers without being asked about."""
    server, model = AskingServer(), ObedientModel()
    offer = server.offer()
    harmless = {"annotations": ToolAnnotations(read_only_hint=True)}
    tools = [tool.model_copy(update=harmless) if tool.name == "linger" else tool for tool in offer.tools]
    async with Living(databases, model=model, offer=replace(offer, tools=tools)) as living:
        yield Asked(living, server, model)


def cards(tab: Tab) -> Locator:
    return tab.page.get_by_role("article", name=re.compile("^Card"))


def questions(tab: Tab) -> Locator:
    return tab.page.get_by_role("article", name="Question")


def calling(tool: str, **arguments: Any) -> str:
    """The message after which the model calls a tool."""
    return f"call {tool} {json.dumps(arguments)}"


# ---- cards ----


async def test_a_button_of_a_card_acts_without_the_model_and_keeps_the_place(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab, house.living.client("ada") as client:
        await client.add("sweep", "cook")
        await tab.say(LIST)
        await listen(tab, "tasks.changed")
        rows = cards(tab).get_by_role("listitem")
        await expect(rows).to_have_count(2)
        tab.watch.requests.clear()
        complete = rows.filter(has_text="sweep").get_by_role("button", name="Complete")
        await expect(complete).to_have_accessible_description("sweep")
        await complete.focus()
        await tab.page.keyboard.press("Enter")
        await expect(cards(tab)).to_contain_text("1 completed: T1")
        await expect(rows.filter(has_text="sweep")).to_have_count(0)
        await expect(cards(tab)).to_be_focused()
        assert await client.titles() == ["cook"]
        assert tab.watch.requests == ["POST /chatkit"]
        assert await heard(tab) == 1
        assert len(house.model.inputs) == 2

        await cards(tab).get_by_role("button", name="Undo").click()
        await expect(rows.filter(has_text="sweep")).to_have_count(1)
        assert sorted(await client.titles()) == ["cook", "sweep"]
        await tab.page.reload()
        await expect(rows.filter(has_text="sweep")).to_have_count(1)


async def test_a_button_pressed_twice_is_pressed_once(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab:
        await tab.say(calling("tasks_add", tasks=[{"title": "sweep"}]))
        tab.watch.requests.clear()
        # Both presses in one go: no reply can come between them.
        await cards(tab).get_by_role("button", name="Undo").evaluate("(node) => (node.click(), node.click())")
        await expect(cards(tab).get_by_role("button", name="Redo")).to_be_visible()
        assert tab.watch.requests == ["POST /chatkit"]


async def test_a_form_sends_what_was_typed_and_the_card_shows_it(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab, house.living.client("ada") as client:
        await client.add("sweep")
        await tab.say(calling("tasks_find", refs=["T1"]))
        title = cards(tab).get_by_role("textbox", name="Title", exact=True)
        subtask = cards(tab).get_by_role("textbox", name="Title of a subtask")
        await title.fill("sweep <b>well</b>")
        await cards(tab).get_by_role("combobox", name="Priority").select_option("1, urgent")
        await title.press("Enter")
        await expect(cards(tab)).to_contain_text("priority 1")
        await expect(title).to_have_value("sweep <b>well</b>")
        await expect(title).to_be_focused()
        assert await client.titles() == ["sweep <b>well</b>"]

        await subtask.fill("buy a broom")
        await subtask.press("Enter")
        await expect(cards(tab).get_by_text("buy a broom")).to_be_visible()
        await expect(subtask).to_have_value("")
        assert sorted(await client.titles()) == ["buy a broom", "sweep <b>well</b>"]


async def test_an_action_that_fails_says_so_on_its_card_and_works_later(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada", expected=["503", "400"]) as tab:
        await tab.say(calling("tasks_add", tasks=[{"title": "sweep"}]))
        await house.living.mcp.stop()
        undo = cards(tab).get_by_role("button", name="Undo")
        await undo.click()
        await expect(cards(tab).get_by_role("alert")).not_to_be_empty()
        await expect(undo).to_be_enabled()
        await expect(undo).to_be_focused()
        await house.living.start_mcp()
        await undo.click()
        await expect(cards(tab).get_by_role("button", name="Redo")).to_be_visible()
        await expect(cards(tab).get_by_role("alert")).to_be_hidden()


async def test_a_card_can_be_used_while_an_answer_is_written(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab, house.living.client("ada") as client:
        await client.add("sweep")
        await tab.say(LIST)
        await tab.ask("call linger {}")
        await house.server.begun.wait()
        await cards(tab).get_by_role("button", name="Complete").click()
        await expect(cards(tab)).to_contain_text("1 completed: T1")
        await expect(tab.stop).to_be_visible()
        await tab.stop.click()
        await expect(tab.send).to_be_visible()
        await expect(cards(tab)).to_contain_text("1 completed: T1")


async def test_a_task_is_opened_from_a_card_and_from_a_source(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab, house.living.client("ada") as client:
        await client.add("sweep")
        await tab.say(LIST)
        dialog = tab.page.get_by_role("dialog", name="Task")
        for opener in (
            cards(tab).get_by_role("button", name="Open"),
            tab.page.get_by_role("article", name="Assistant").get_by_role("button", name="T1 sweep"),
        ):
            await opener.click()
            await expect(dialog).to_contain_text("sweep")
            await tab.page.keyboard.press("Escape")
            await expect(dialog).to_be_hidden()
            await expect(opener).to_be_focused()
        await listen(tab, "open_task")
        await cards(tab).get_by_role("button", name="Open").click()
        assert await heard(tab) == 1
        await expect(dialog).to_be_hidden()


async def test_markup_in_a_task_is_text_on_every_card(house: Asked, tabs: Tabs) -> None:
    title = "<img src=/x onerror=alert(1)> **bold** [x](javascript:alert(1))"
    async with tabs.open(house.living, "ada") as tab:
        await tab.say(calling("tasks_add", tasks=[{"title": title}]))
        await tab.say(LIST)
        await tab.say(calling("tasks_find", refs=["T1"]))
        await expect(cards(tab)).to_have_count(3)
        for card in await cards(tab).all():
            await expect(card).to_contain_text(title)
        assert await cards(tab).locator("img, a, b, strong, script").count() == 0


async def test_a_chart_is_drawn_as_bars_with_their_numbers(databases: Databases, tabs: Tabs) -> None:
    async with Living(databases, model=ObedientModel()) as living, tabs.open(living, "ada") as tab:
        async with living.client("ada") as client:
            await client.add("sweep", "cook", "wash")
            await client.values("tasks_complete", refs=["T1"])
        sql = "SELECT status, count(*) AS n FROM tasks GROUP BY 1 ORDER BY 2 DESC"
        await tab.say(calling("data_query", sql=sql, chart="bar"))
        await expect(cards(tab).get_by_role("row").first).to_have_text(re.compile("open.*2"))
        assert await cards(tab).locator("progress").evaluate_all("all => all.map((bar) => bar.position)") == [1, 0.5]


# ---- approvals ----


async def test_nothing_is_done_before_it_is_approved_and_then_once(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab:
        await tab.ask("call wipe {}")
        approve, reject = tab.button("Approve: Wipe"), tab.button("Reject")
        await expect(approve).to_be_visible()
        await expect(tab.send).to_be_visible()
        await expect(tab.spoken).to_contain_text("May this be done?")
        await expect(approve).not_to_be_focused()
        await tab.page.reload()
        await expect(approve).to_be_enabled()
        assert house.server.done["wipe"] == 0

        tab.watch.requests.clear()
        disabled = await approve.evaluate("""(node) => {
            node.click();
            node.click();
            return [...node.parentElement.children].map((one) => one.getAttribute("aria-disabled"));
        }""")
        assert disabled == ["true", "true"]
        await expect(cards(tab)).to_contain_text("Approved at")
        await expect(tab.answers).to_contain_text("wipe is done")
        await expect(approve.or_(reject)).to_have_count(0)
        assert house.server.done["wipe"] == 1


async def test_a_rejected_call_is_not_made(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab:
        await tab.ask("call wipe {}")
        await tab.button("Reject").click()
        await expect(cards(tab)).to_contain_text("Rejected at")
        await expect(tab.send).to_be_visible()
        assert house.server.done["wipe"] == 0


async def test_an_approval_answered_in_another_window_is_shown_as_it_is_there(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada", expected=["409"]) as tab:
        await tab.ask("call wipe {}")
        await expect(tab.send).to_be_visible()
        other = Tab(await tab.page.context.new_page(), tab.watch)
        await other.page.goto(tab.page.url)
        await other.button("Approve: Wipe").click()
        await expect(cards(other)).to_contain_text("Approved at")
        await expect(other.send).to_be_visible()
        await tab.button("Approve: Wipe").click()
        await expect(cards(tab)).to_contain_text("Approved at")
        await expect(cards(tab).get_by_role("alert")).to_contain_text("this card does not offer that")
        assert house.server.done["wipe"] == 1


async def test_a_page_to_be_visited_is_a_link_that_says_where_it_leads(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab:
        await tab.ask("call pay {}")
        link = cards(tab).get_by_role("link", name="pay.example.com")
        await expect(link).to_have_attribute("href", "https://pay.example.com/cart?id=7")
        await expect(link).to_have_attribute("rel", "noopener noreferrer")
        await expect(tab.button("Continue")).to_be_enabled()


# ---- questions ----


async def test_questions_are_answered_in_a_form_that_can_only_be_read_afterwards(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab:
        await tab.ask(BOOK)
        await expect(questions(tab)).to_be_visible()
        await expect(tab.send).to_be_visible()
        await tab.page.reload()
        form = questions(tab)
        await tab.button("Answer").click()
        await expect(form.get_by_role("alert")).to_have_text("Answer at least one question, or skip them.")

        await form.get_by_role("textbox", name="Your name").fill("Ada <b>")
        await form.get_by_role("textbox", name="How many seats?").fill("2")
        await form.get_by_role("group", name="meal").get_by_role("radio", name="Meat").check()
        window = form.get_by_role("group", name="At the window?")
        await window.get_by_role("textbox", name="Another answer").fill("no")
        await expect(window.get_by_role("radio", name="Something else")).to_be_checked()
        await tab.button("Answer").click()
        booked = "booked: [('meal', 'm'), ('name', 'Ada <b>'), ('seats', 2), ('window', False)]"
        await expect(tab.answers).to_contain_text(booked)
        assert await form.get_by_role("definition").all_text_contents() == ["Ada <b>", "2", "Meat", "no"]
        await expect(form.get_by_role("textbox")).to_have_count(0)


async def test_questions_can_be_skipped(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab:
        await tab.ask(BOOK)
        await tab.button("Skip").click()
        await expect(tab.answers).to_contain_text("not booked: declined")
        await expect(questions(tab).get_by_role("definition")).to_have_text(["Skipped"] * 4)


async def test_what_does_not_fit_is_asked_again_with_the_reason(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab:
        await tab.ask(BOOK)
        await questions(tab).get_by_role("textbox", name="Your name").fill("Ada")
        await questions(tab).get_by_role("textbox", name="How many seats?").fill("nine")
        await tab.button("Answer").click()
        again = questions(tab).last.get_by_role("textbox", name="Write a number. How many seats?")
        await again.fill("3")
        await again.press("Enter")
        await expect(tab.answers).to_contain_text("('seats', 3)")


async def test_a_question_answered_in_another_window_keeps_that_answer(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada", expected=["409"]) as tab:
        await tab.ask(BOOK)
        await expect(tab.send).to_be_visible()
        other = Tab(await tab.page.context.new_page(), tab.watch)
        await other.page.goto(tab.page.url)
        await other.button("Skip").click()
        await expect(other.send).to_be_visible()
        await questions(tab).get_by_role("textbox", name="Your name").fill("Ada")
        await tab.button("Answer").click()
        await expect(questions(tab).get_by_role("definition")).to_have_text(["Skipped"] * 4)
        assert house.server.done["book"] == 0


# ---- while an answer is written ----


async def test_steps_say_what_runs_and_what_was_not_finished(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada") as tab:
        await tab.ask("call linger {}")
        await house.server.begun.wait()
        steps = tab.page.get_by_role("article", name="Steps")
        await expect(steps.locator("summary")).to_have_text("Linger")
        await steps.locator("summary").click()
        await expect(steps.get_by_role("listitem")).to_have_text("Linger (running)")
        await expect(tab.page.locator("#tail")).to_have_text("Linger...")
        await tab.stop.click()
        await expect(steps.locator("summary")).to_have_text("1 step")
        await expect(tab.page.get_by_text("Linger...")).to_have_count(0)
        await expect(tab.send).to_be_visible()


async def test_a_second_window_says_that_an_answer_is_written_and_can_stop_it(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada", expected=["409"]) as tab:
        await tab.ask("call linger {}")
        await house.server.begun.wait()
        other = Tab(await tab.page.context.new_page(), tab.watch)
        await other.page.goto(tab.page.url)
        await other.ask("me too")
        await expect(other.page.get_by_role("alert")).to_contain_text("an answer is being written in this conversation")
        await expect(other.message).to_have_value("me too")
        await expect(other.page.get_by_text("The answer is being written in another window.")).to_be_visible()
        await other.button("Stop it there").click()
        await expect(tab.page.get_by_text("This answer was stopped.")).to_be_visible()
        await house.server.cut.wait()
        await expect(other.button("Stop it there")).to_have_count(0)
        await other.message.press("Enter")
        await expect(other.answers).to_have_text(["me too"])


async def test_a_locked_conversation_says_why_and_takes_no_message(house: Asked, tabs: Tabs) -> None:
    async with tabs.open(house.living, "ada", expected=["409"]) as tab:
        await tab.say(calling("tasks_add", tasks=[{"title": "sweep"}]))
        await lock(house.living, tab.page.url.split("=", 1)[1], "Reading only, for today.")
        await cards(tab).get_by_role("button", name="Undo").click()
        await expect(cards(tab).get_by_role("alert")).to_contain_text("this conversation is locked")
        await expect(tab.page.get_by_text("Reading only, for today.")).to_be_visible()
        await expect(tab.message).to_be_hidden()
        await tab.button("New chat").click()
        await expect(tab.message).to_be_enabled()


async def test_files_of_a_message_are_links_to_their_owners_copy(
    databases: Databases, tabs: Tabs, tmp_path: Path
) -> None:
    house = Living(databases, model=ObedientModel())
    house.keeping = Disk(tmp_path / "files")
    async with house as living, living.chat("ada") as chat, tabs.open(living, "ada") as tab:
        made = await chat.reply("attachments.create", name="<b>.txt", size=5, mime_type="text/plain")
        target = made["upload_descriptor"]
        sent = await chat.http.request(target["method"], target["url"], headers=target["headers"], content=b"sweep")
        assert sent.status_code == 204
        said = Said.read(
            (await chat.post("threads.create", input=message("look") | {"attachments": [made["id"]]})).text
        )
        await tab.page.goto(f"/?thread={said.thread_id}")
        async with tab.page.expect_download() as download:
            await tab.questions.get_by_role("link", name="<b>.txt").click()
        assert (await (await download.value).path()).read_text("utf-8") == "sweep"


# ---- for everybody ----


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_cards_and_questions_can_be_read_in_every_scheme_and_on_320_pixels(
    house: Asked, tabs: Tabs, scheme: str
) -> None:
    size = {"width": 320, "height": 568}
    async with (
        tabs.open(house.living, "ada", viewport=size, has_touch=True, color_scheme=scheme) as tab,
        house.living.client("ada") as client,
    ):
        late = {"title": "sweep_" * 30, "due": "2020-01-01", "priority": "p1", "notes": "many words " * 20}
        await client.values("tasks_add", tasks=[late, {"title": "cook", "due": "today"}])
        await tab.say(LIST)
        await tab.say(calling("tasks_find", refs=["T1"]))
        for asking, answer in (("call wipe {}", "Approve: Wipe"), ("call pay {}", "Continue"), (BOOK, "Answer")):
            await tab.ask(asking)
            await expect(tab.button(answer)).to_be_visible()
            await expect(tab.send).to_be_visible()
            await readable(tab, scheme)
            assert await sideways(tab) == []


async def lock(living: Living, thread_id: str, reason: str) -> None:
    """What an operator does to a conversation of ada's."""
    database = Database(living.databases.gateway, pool_size=1)
    try:
        async with database.begin(living.person("ada"), write=True) as tx:
            status = json.dumps({"type": "locked", "reason": reason})
            chosen = (chat_threads.c.owner == tx.caller.key, chat_threads.c.id == thread_id)
            await tx.execute(update(chat_threads).where(*chosen).values(status=status))
    finally:
        await database.close()


async def listen(tab: Tab, name: str) -> None:
    """Count the events of this name, and do what they ask for in the page's place."""
    await tab.page.evaluate(
        """(name) => {
            window.heard = 0;
            addEventListener(`taskgate:${name}`, (event) => {
                window.heard += 1;
                event.preventDefault();
            });
        }""",
        name,
    )


async def heard(tab: Tab) -> int:
    count: int = await tab.page.evaluate("heard")
    return count
