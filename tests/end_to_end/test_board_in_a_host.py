"""The task list inside a host that shows MCP Apps: what people see and do in it, and what it cannot do."""

import re
from typing import Any, Final

import pytest
from mcp_types import CallToolResult
from playwright.async_api import Browser, expect

from tests.end_to_end.apps_host import ABLE, Hosts
from tests.javascript import Node
from tests.living import Living
from tests.mcp_server.guests import home

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.node]

# The engine is below everything a browser can see; the other tests drive both.
in_the_house = pytest.mark.parametrize("house", ["sqlite"], indirect=True)


NO_HOST: Final = "This task list works inside a client that shows MCP Apps."
HOSTILE: Final = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "javascript:alert(3) [x](javascript:alert(4)) https://example.com/",
    "</title></script></style><iframe srcdoc='<script>alert(5)</script>'>",
    "\u202etxt.exe\u2066 {{style}} ${alert(6)} %s",
    "\N{GRINNING FACE}" * 500,
)


@pytest.fixture
def hosts(browser: Browser, node: Node) -> Hosts:
    """Opens hosts for people."""
    return Hosts(browser, node)


@in_the_house
async def test_a_task_can_be_ticked_and_the_tick_taken_back(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum", "Water the plants")
        async with hosts.show(living, "ada") as view:
            await expect(view.names).to_have_text(["Call mum", "Water the plants"])
            await view.box("Call mum").click()
            await expect(view.notice).to_contain_text("Done · Call mum")
            await expect(view.names).to_have_text(["Water the plants"])
            assert await ada.titles("is:done") == ["Call mum"]
            await view.button("Undo").click()
            await expect(view.notice).to_contain_text("Undone")
            await expect(view.names).to_have_text(["Call mum", "Water the plants"])
            assert await ada.titles("is:done") == []


@in_the_house
async def test_adding_takes_a_date_in_words_and_an_error_keeps_what_was_typed(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada, hosts.show(living, "ada") as view:
        await expect(view.state).to_have_text("Nothing here.")
        await view.new_title.fill("Call mum")
        await view.new_due.fill("banana")
        await view.new_due.press("Enter")
        await expect(view.frame.get_by_role("alert")).to_have_text(
            re.compile(r'^bad_date: .*"banana" is no date\. Fix: ')
        )
        await expect(view.new_title).to_have_value("Call mum")
        await expect(view.new_due).to_have_value("banana")
        await view.new_due.fill("2030-01-05 9am")
        await view.button("Add").click()
        await expect(view.names).to_have_text(["Call mum"])
        await expect(view.row("Call mum")).to_contain_text("Sat, Jan 5, 2030, 9:00")
        await expect(view.notice).to_contain_text("Added · Call mum")
        await expect(view.frame.get_by_role("alert")).to_have_count(0)
        await expect(view.new_title).to_have_value("")
        await expect(view.new_title).to_be_focused()
        [task] = (await ada.values("tasks_find"))["tasks"]
        assert (task["title"], task["due"]) == ("Call mum", "2030-01-05T09:00")


@in_the_house
async def test_a_double_click_writes_once(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada, hosts.show(living, "ada") as view:
        await view.new_title.fill("Only once")
        await view.button("Add").dblclick()
        await expect(view.names).to_have_text(["Only once"])
        await view.new_title.fill("Only this once")
        await view.new_title.press("Enter")
        await view.new_title.press("Enter")
        await expect(view.names).to_have_count(2)
        assert sorted(await ada.titles()) == ["Only once", "Only this once"]


@in_the_house
async def test_a_call_that_nobody_answered_is_sent_again_without_writing_twice(living: Living, hosts: Hosts) -> None:
    def lose(tool: str, _: CallToolResult) -> None:
        if tool == "tasks_add":
            raise ConnectionError("the line went dead")

    async with living.client("ada") as ada, hosts.show(living, "ada") as view:
        view.interrupt.append(lose)
        await view.new_title.fill("Buy milk")
        await view.button("Add").click()
        await expect(view.frame.get_by_role("alert")).to_contain_text("the line went dead")
        await expect(view.new_title).to_have_value("Buy milk")
        view.interrupt.clear()
        await view.button("Add").click()
        await expect(view.names).to_have_text(["Buy milk"])
        assert await ada.titles() == ["Buy milk"]
        await view.new_title.fill("Buy milk")
        await view.button("Add").click()
        await expect(view.names).to_have_text(["Buy milk", "Buy milk"])
        first, again, another = [call["request_id"] for call in view.called("tasks_add")]
        assert first == again != another


@in_the_house
async def test_a_task_in_full_shows_everything_and_can_be_changed(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.values(
            "tasks_add",
            tasks=[
                {
                    "title": "Plan the trip",
                    "notes": "By train.\nNot by plane.",
                    "due": "today 23:30",
                    "subtasks": ["Book"],
                }
            ],
        )
        await ada.values("tasks_edit", changes=[{"refs": ["T1"], "comment": "Ask Ann as well."}])
        async with hosts.show(living, "ada") as view:
            await view.open("Plan the trip")
            await expect(view.panel.locator(".notes").first).to_have_text("By train.\nNot by plane.")
            await expect(view.panel).to_contain_text("Ask Ann as well.")
            await view.panel.get_by_label("Book").check()
            await expect(view.notice).to_contain_text("Done · Book")
            await expect(view.names).to_have_text(["Plan the trip"])
            await expect(view.panel.get_by_label("Book")).to_be_checked()
            await expect(view.panel.get_by_label("Book")).to_be_focused()

            await view.panel.get_by_role("button", name="Tomorrow").click()
            await expect(view.notice).to_contain_text("Due Tomorrow, 11:30 PM · Plan the trip")
            await view.panel.get_by_role("textbox", name="Another date").fill("2030-01-05")
            await view.panel.get_by_role("button", name="Set").click()
            await expect(view.row("Plan the trip")).to_contain_text("Sat, Jan 5, 2030")
            await expect(view.panel.get_by_role("textbox", name="Another date")).to_have_value("")
            await view.panel.get_by_role("textbox", name="Another date").fill("someday")
            await view.panel.get_by_role("button", name="Set").click()
            await expect(view.row("Plan the trip").get_by_role("alert")).to_contain_text('"someday" is no date')
            await expect(view.panel.get_by_role("textbox", name="Another date")).to_have_value("someday")

            await view.panel.get_by_role("button", name="p1").click()
            await expect(view.row("Plan the trip").locator(".badge")).to_have_text("p1")
            await expect(view.panel.get_by_role("button", name="p1")).to_have_attribute("aria-pressed", "true")
            await view.panel.get_by_role("button", name="No date").click()
            await expect(view.notice).to_contain_text("No date · Plan the trip")
            [task] = (await ada.values("tasks_find", refs=["T1"]))["tasks"]
            assert "due" not in task
            assert task["priority"] == "p1"


@in_the_house
async def test_a_deleted_task_is_in_the_trash_and_comes_back(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("Old", "New")
        async with hosts.show(living, "ada") as view:
            await view.open("Old")
            await view.button("Delete").click()
            await expect(view.notice).to_contain_text("In the trash · Old")
            await expect(view.names).to_have_text(["New"])
            assert await ada.titles("is:trash") == ["Old"]
            await view.button("Undo").click()
            await expect(view.names).to_have_text(["Old", "New"])
            assert await ada.titles("is:trash") == []


@in_the_house
async def test_a_long_list_comes_in_pages_and_each_task_once(living: Living, hosts: Hosts) -> None:
    titles = [f"Task {number:03}" for number in range(60)]
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": title} for title in titles])
        async with hosts.show(living, "ada", arguments={"sort": "title"}) as view:
            await expect(view.names).to_have_text(titles[:25])
            await expect(view.frame.locator("#count")).to_have_text("25 of 60")
            await view.button("Show 25 more").click()
            await expect(view.names).to_have_text(titles[:50])
            await expect(view.box("Task 025")).to_be_focused()
            await view.box("Task 030").click()
            await expect(view.names).to_have_text([*titles[:30], *titles[31:51]])
            await view.button("Show 9 more").click()
            await expect(view.names).to_have_text([*titles[:30], *titles[31:]])
            await expect(view.frame.locator("#more")).to_be_hidden()
            heights = (await view.seen())["sizes"]
            assert heights == sorted(heights)
            assert heights[-1] > 59 * 40


@in_the_house
async def test_two_hundred_tasks_stay_on_the_page(living: Living, hosts: Hosts) -> None:
    titles = [f"Task {number:03}" for number in range(210)]
    async with living.client("ada") as ada:
        for some in (titles[:100], titles[100:200], titles[200:]):
            await ada.values("tasks_add", tasks=[{"title": title} for title in some])
        async with hosts.show(living, "ada", arguments={"sort": "title", "limit": 200}) as view:
            await expect(view.names).to_have_count(200)
            await view.box("Task 150").click()
            await expect(view.names).to_have_text([*titles[:150], *titles[151:201]])
            await view.button("Show 9 more").click()
            await expect(view.names).to_have_text([*titles[:150], *titles[151:]])
            await view.button("Undo").click()
            await expect(view.names).to_have_text(titles[:200])


@in_the_house
async def test_an_overview_is_shown_as_what_is_due_and_the_chips_show_the_rest(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        tasks = [
            {"title": "Late", "due": "2020-01-01"},
            {"title": "Now", "due": "today", "list": "Work"},
            {"title": "Some day"},
        ]
        await ada.values("tasks_add", tasks=tasks)
        async with hosts.show(living, "ada", "overview") as view:
            for chip, titles in (
                ("Today", ["Late", "Now"]),
                ("Overdue", ["Late"]),
                ("Inbox", ["Late", "Some day"]),
                ("All open", ["Late", "Now", "Some day"]),
                ("This week", ["Late", "Now"]),
            ):
                if chip != "Today":
                    await view.button(chip).click()
                await expect(view.names).to_have_text(titles)
                await expect(view.button(chip)).to_have_attribute("aria-pressed", "true")
                await expect(view.frame.locator("#chips [aria-pressed=true]")).to_have_count(1)


@in_the_house
async def test_a_filter_that_is_none_of_the_chips_becomes_one(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Urgent", "priority": "p1"}, {"title": "Not urgent"}])
        async with hosts.show(living, "ada", arguments={"filter": "p1"}) as view:
            await expect(view.names).to_have_text(["Urgent"])
            await view.button("All open").click()
            await expect(view.names).to_have_text(["Urgent", "Not urgent"])
            await view.button("p1").click()
            await expect(view.names).to_have_text(["Urgent"])


@in_the_house
async def test_what_was_named_is_shown_and_stays_when_it_is_done(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum", "Something else")
        async with hosts.show(living, "ada", arguments={"refs": ["call mum"]}) as view:
            await view.box("Call mum").click()
            await expect(view.notice).to_contain_text("Done · Call mum")
            await expect(view.box("Call mum")).to_be_checked()
            await view.box("Call mum").click()
            await expect(view.notice).to_contain_text("Open again · Call mum")
            await expect(view.box("Call mum")).not_to_be_checked()
            await expect(view.names).to_have_text(["Call mum"])


@in_the_house
async def test_what_changed_elsewhere_is_seen_after_the_next_write(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two", "Three")
        async with hosts.show(living, "ada") as view:
            await expect(view.names).to_have_text(["One", "Two", "Three"])
            await ada.values("tasks_edit", changes=[{"refs": ["T2"], "title": "Two and a half"}])
            await ada.values("tasks_delete", refs=["T3"])
            await ada.add("Four")
            await view.box("One").click()
            await expect(view.names).to_have_text(["Two and a half", "Four"])
            await ada.values("tasks_complete", refs=["T4"])
            await view.button("Refresh").click()
            await expect(view.names).to_have_text(["Two and a half"])


@in_the_house
async def test_an_old_result_is_asked_for_again(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two")

        def age(answer: dict[str, Any]) -> None:
            answer["structuredContent"]["now"] = "2020-01-01T12:00:00+00:00"

        async with hosts.show(living, "ada", result=age) as view:
            await expect(view.rows).to_have_count(2)
            await expect(view.frame.locator("#list[aria-busy]")).to_have_count(0)
            assert view.called("tasks_find") == [{"filter": "", "sort": "smart", "limit": 25}]


@in_the_house
async def test_a_host_that_keeps_the_values_to_itself_still_gets_the_list(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum")
        asked = {"filter": "list:Inbox"}

        def keep(answer: dict[str, Any]) -> None:
            del answer["structuredContent"]

        async with hosts.show(living, "ada", arguments=asked, result=keep) as view:
            await expect(view.names).to_have_text(["Call mum"])
        async with hosts.show(living, "ada", arguments=asked, result=keep, capabilities={}) as view:
            await expect(view.state).to_contain_text("T1 | Call mum")

        def hide(_: str, answer: CallToolResult) -> None:
            answer.structured_content = None

        async with hosts.show(living, "ada") as view:
            view.interrupt.append(hide)
            await view.box("Call mum").click()
            await expect(view.notice).to_contain_text("op 2: 1 completed")
            await expect(view.frame.get_by_role("alert")).to_contain_text("This client keeps to itself")
            assert await ada.titles() == []


@in_the_house
async def test_a_host_that_passes_no_calls_on_gets_a_list_to_read(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum")
        async with hosts.show(living, "ada", capabilities={}) as view:
            await expect(view.names).to_have_text(["Call mum"])
            await expect(view.frame.get_by_text("lets nothing be changed")).to_be_visible()
            await expect(view.box("Call mum")).to_be_disabled()
            for gone in (view.new_title, view.button("Add"), view.button("Refresh"), view.button("Today")):
                await expect(gone).to_be_hidden()
            assert view.calls == []


@in_the_house
async def test_a_token_that_may_only_read_changes_nothing_and_the_view_says_so(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum")
        async with hosts.show(living, "ada", token=living.token("ada", scopes=["tasks:read"])) as view:
            await view.box("Call mum").click()
            await expect(view.row("Call mum").get_by_role("alert")).not_to_be_empty()
            await expect(view.box("Call mum")).not_to_be_checked()
            assert await ada.titles() == ["Call mum"]


@in_the_house
async def test_bobs_host_never_shows_what_is_adas(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.values("tasks_add", tasks=[{"title": "Secret of ada", "due": "today", "notes": "hers"}])
        await bob.values("tasks_add", tasks=[{"title": "Errand of bob", "due": "today"}])
        async with hosts.show(living, "bob", "overview") as view:
            for chip in ("Today", "This week", "Inbox", "All open"):
                await view.button(chip).click()
                await expect(view.names).to_have_text(["Errand of bob"])
            await view.open("Errand of bob")
            await view.box("Errand of bob").click()
            await expect(view.names).to_have_count(0)
            assert "Secret of ada" not in await view.frame.content()
        assert await ada.titles() == ["Secret of ada"]


@in_the_house
async def test_what_is_done_in_a_shared_list_can_be_taken_back_there(living: Living, hosts: Hosts) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", role="edit")
        async with hosts.show(living, "bob", arguments={"filter": "list:ada:Team"}) as view:
            await expect(view.names).to_have_text(["Fence", "Gate", "Wait", "Hinge"])
            await view.box("Gate").click()
            await expect(view.notice).to_contain_text("Done · Gate")
            assert await house["ada"].titles("is:done") == ["Gate"]
            await view.button("Undo").click()
            await expect(view.notice).to_contain_text("Undone")
            assert await house["ada"].titles("is:done") == []
            assert "ebra" not in await view.frame.content()


@in_the_house
async def test_hostile_text_is_nothing_but_text(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        tasks = [{"title": title, "notes": title, "tags": ["<b>tag"]} for title in HOSTILE]
        refs = (await ada.values("tasks_add", tasks=tasks))["refs"]
        await ada.values("tasks_edit", changes=[{"refs": refs, "comment": HOSTILE[0]}])
        titles = await ada.titles()
        for width in (320, 900):
            async with hosts.show(living, "ada", viewport={"width": width, "height": 900}) as view:
                assert await view.names.all_text_contents() == titles
                for number in range(len(HOSTILE)):
                    await view.rows.nth(number).locator(".open").click()
                    await expect(view.panel.locator(".notes").first).to_have_text(titles[number])
                    assert await view.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert await view.frame.locator("img, iframe, a, b, #list script, #list style").count() == 0
                assert view.watch.requests[-1] == "GET /"


@in_the_house
async def test_only_the_host_is_listened_to(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum")
        async with hosts.show(living, "ada") as view:
            await expect(view.names).to_have_text(["Call mum"])
            await view.frame.evaluate(
                """() => new Promise((resolve) => {
                  addEventListener("message", ({ data }) => data === "last" && resolve());
                  const method = "ui/notifications/host-context-changed";
                  postMessage({ jsonrpc: "2.0", method, params: { theme: "dark" } }, "*");
                  postMessage("last", "*");
                })"""
            )
            assert await view.frame.evaluate("document.documentElement.style.colorScheme") == ""


@in_the_house
async def test_the_view_follows_the_looks_and_the_language_of_its_host(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Call mum", "due": "2030-01-05 14:30"}])
        async with hosts.show(
            living, "ada", context={"theme": "dark", "locale": "de-DE"}, color_scheme="light"
        ) as view:
            await expect(view.row("Call mum")).to_contain_text("Sa., 5. Jan. 2030, 14:30")
            await expect(view.frame.locator("body")).to_have_css("background-color", "rgb(20, 23, 22)")
            await view.page.evaluate("host.change({ theme: 'light', locale: 'no such language!' })")
            await expect(view.frame.locator("body")).to_have_css("background-color", "rgb(250, 249, 247)")
            await expect(view.row("Call mum")).to_contain_text("Sat, Jan 5, 2030")
            some = {"--color-background-primary": "rgb(1, 2, 3)"}
            await view.page.evaluate("(variables) => host.change({ theme: 'dark', styles: { variables } })", some)
            await expect(view.frame.locator("body")).to_have_css("background-color", "rgb(20, 23, 22)")
            names = ("background-primary", "background-secondary", "text-primary", "text-secondary", "border-primary")
            every = {f"--color-{name}": "rgb(1, 2, 3)" for name in names}
            await view.page.evaluate("(variables) => host.change({ styles: { variables } })", every)
            await expect(view.frame.locator("body")).to_have_css("background-color", "rgb(1, 2, 3)")


@in_the_house
async def test_the_model_is_told_what_the_person_did_if_the_host_passes_it_on(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum", "Buy milk", "Read")
        async with hosts.show(living, "ada") as view:
            await view.box("Call mum").click()
            await expect(view.names).to_have_text(["Buy milk", "Read"])
            await view.box("Buy milk").click()
            await expect(view.names).to_have_text(["Read"])
            told = (await view.seen())["contexts"]
            assert len(told) == 2
            [block] = told[-1]["content"]
            assert "T1 done | Call mum" in block["text"]
            assert "T2 done | Buy milk" in block["text"]
        async with hosts.show(living, "ada", capabilities={"serverTools": ABLE["serverTools"]}) as view:
            await view.box("Read").click()
            await expect(view.names).to_have_count(0)
            assert (await view.seen())["contexts"] == []


@in_the_house
async def test_everything_can_be_done_with_the_keyboard_and_the_focus_stays(living: Living, hosts: Hosts) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two", "Three")
        async with hosts.show(living, "ada") as view:
            keyboard = view.page.keyboard
            await view.box("One").focus()
            await keyboard.press("Space")
            await expect(view.names).to_have_text(["Two", "Three"])
            await expect(view.box("Two")).to_be_focused()
            await keyboard.press("Tab")
            await keyboard.press("Enter")
            await expect(view.panel.locator("dl")).to_be_visible()
            await keyboard.press("Tab")
            await keyboard.press("Enter")
            await expect(view.names).to_have_text(["Two", "Three"])
            await expect(view.notice).to_contain_text("Due Today · Two")
            await expect(view.panel.get_by_role("button", name="Today")).to_be_focused()
            await keyboard.press("Escape")
            await expect(view.panel).to_have_count(0)
            await expect(view.row("Two").locator(".open")).to_be_focused()
            await view.button("Undo").focus()
            await keyboard.press("Enter")
            await expect(view.notice).to_contain_text("Undone")
            await expect(view.frame.get_by_role("heading", name="Tasks")).to_be_focused()


@in_the_house
async def test_the_view_lets_itself_be_taken_away(living: Living, hosts: Hosts) -> None:
    async with hosts.show(living, "ada") as view:
        assert await view.page.evaluate("host.teardown()") == {}


@in_the_house
async def test_where_nobody_answers_the_view_says_what_it_needs(living: Living, hosts: Hosts) -> None:
    async with hosts.silent(living, "ada") as (page, frame):
        await expect(frame.locator("#state")).to_have_text("Waiting for the client…")
        await page.clock.run_for(5_000)
        await expect(frame.locator("#state")).to_have_text(NO_HOST)


@in_the_house
async def test_a_refused_call_is_shown_as_what_it_says_and_the_list_can_still_be_asked_for(
    living: Living, hosts: Hosts
) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum")
        async with hosts.show(living, "ada", arguments={"filter": "lst:Work"}) as view:
            await expect(view.frame.get_by_role("alert")).to_contain_text("bad_filter: ")
            await view.button("Inbox").click()
            await expect(view.names).to_have_text(["Call mum"])
            await expect(view.frame.get_by_role("alert")).to_have_count(0)
