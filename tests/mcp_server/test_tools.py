"""The task tools, as a client meets them: over HTTP, in both eras of the protocol, on both databases."""

import asyncio

import pytest

from tests.living import LEGACY, MODERN, Living, text_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_a_task_is_added_found_and_completed(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        added = await ada.text("tasks_add", tasks=[{"title": "Buy milk", "due": "2030-01-05 09:00", "priority": "p1"}])
        assert added == "op 1: 1 added\nT1 p1 Sat 2030-01-05 09:00 | Buy milk"
        found = await ada.text("tasks_find")
        assert found.startswith("1 of 1 is:open, smart order.")
        assert "T1 p1 Sat 2030-01-05 09:00 | Buy milk" in found
        assert await ada.text("tasks_complete", refs=["buy MILK"]) == (
            "op 2: 1 completed\nT1 done p1 Sat 2030-01-05 09:00 | Buy milk"
        )
        assert await ada.titles() == []
        assert await ada.titles("is:done") == ["Buy milk"]


async def test_bob_neither_sees_nor_touches_what_is_adas(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        [ref] = await ada.add("A secret")
        assert await bob.titles("is:all") == []
        unknown = await bob.text("tasks_complete", refs=["T4711"])
        foreign = await bob.text("tasks_complete", refs=[ref])
        assert foreign == unknown.replace("T4711", ref)
        assert "secret" not in await bob.text("tasks_complete", refs=["A secre"])
        assert await ada.titles() == ["A secret"]


async def test_numbers_mean_something_else_in_another_persons_space(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.add("Hers")
        await bob.add("His")
        assert (await bob.values("tasks_find", refs=["T1"]))["tasks"][0]["title"] == "His"


async def test_one_bad_task_in_a_batch_leaves_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        refused = await ada.call("tasks_add", tasks=[{"title": "Good"}, {"title": "Bad", "due": "banana"}])
        assert refused.is_error
        assert text_of(refused).startswith('bad_date: tasks[1]: "banana" is no date.')
        assert await ada.titles("is:all") == []
        assert await ada.add("Next") == ["T1"]


async def test_equal_calls_at_once_are_done_once(living: Living) -> None:
    async with living.client("ada") as ada:
        answers = await asyncio.gather(
            *(ada.values("tasks_add", tasks=[{"title": "Once"}], request_id="r1") for _ in range(20))
        )
        assert sum(not answer.get("replayed", False) for answer in answers) == 1
        assert {answer["op"] for answer in answers} == {1}
        assert await ada.titles() == ["Once"]


async def test_different_calls_at_once_are_all_done(living: Living) -> None:
    async with living.client("ada") as ada:
        refs = await asyncio.gather(*(ada.add(f"Task {number}") for number in range(20)))
        assert sorted(ref for [ref] in refs) == sorted(f"T{number}" for number in range(1, 21))


async def test_a_request_id_cannot_be_used_for_something_else(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "One"}], request_id="r1")
        refused = await ada.text("tasks_add", tasks=[{"title": "Two"}], request_id="r1")
        assert refused.startswith("request_reused:")
        assert await ada.titles() == ["One"]


async def test_two_people_may_use_the_same_request_id(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.values("tasks_add", tasks=[{"title": "Hers"}], request_id="r1")
        values = await bob.values("tasks_add", tasks=[{"title": "His"}], request_id="r1")
        assert "replayed" not in values
        assert await bob.titles() == ["His"]


async def test_a_dry_run_says_what_would_happen_and_writes_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        text = await ada.text("tasks_add", tasks=[{"title": "Maybe"}], dry_run=True, request_id="r1")
        assert text == "dry run, nothing written: 1 added\nnew1 | Maybe"
        assert await ada.titles("is:all") == []
        done = await ada.values("tasks_add", tasks=[{"title": "Maybe"}], request_id="r1")
        assert done["op"] == 1
        assert done["refs"] == ["T1"]


async def test_completing_what_is_done_changes_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.values("tasks_complete", refs=["T1"])
        assert await ada.text("tasks_complete", refs=["T1"]) == "nothing to change\nT1 done | Milk"
        assert (await ada.values("tasks_find"))["rev"] == 2


async def test_a_task_is_reopened_and_cancelled(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.values("tasks_complete", refs=["T1"])
        assert (await ada.text("tasks_complete", refs=["T1"], done=False)).startswith("op 3: 1 reopened")
        assert await ada.titles() == ["Milk"]
        assert (await ada.text("tasks_complete", refs=["T1"], cancelled=True)).startswith("op 4: 1 cancelled")
        assert await ada.titles("is:cancelled") == ["Milk"]


async def test_pages_hold_every_task_once_and_those_without_a_date_last(living: Living) -> None:
    tasks = [{"title": f"Task {number}"} for number in range(20)]
    tasks += [{"title": f"Dated {number}", "due": f"2030-01-{1 + number % 9:02d}"} for number in range(20)]
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=tasks)
        seen: list[str] = []
        cursor = ""
        while True:
            page = await ada.values("tasks_find", limit=7, **({"cursor": cursor} if cursor else {}))
            assert page["total"] == 40
            seen += [task["title"] for task in page["tasks"]]
            cursor = page.get("cursor", "")
            if not cursor:
                break
        assert len(seen) == len(set(seen)) == 40
        assert all(title.startswith("Dated") for title in seen[:20])


async def test_finished_tasks_come_newest_first_page_by_page(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("First", "Second", "Third")
        for ref in ("T2", "T1", "T3"):
            await ada.values("tasks_complete", refs=[ref])
        first = await ada.values("tasks_find", filter="is:done", limit=2)
        assert [task["title"] for task in first["tasks"]] == ["Third", "First"]
        rest = await ada.values("tasks_find", filter="is:done", limit=2, cursor=first["cursor"])
        assert [task["title"] for task in rest["tasks"]] == ["Second"]


async def test_a_cursor_is_good_only_for_its_own_question_and_person(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.add("One", "Two", "Three")
        await bob.add("Four", "Five", "Six")
        cursor = (await ada.values("tasks_find", limit=1))["cursor"]
        assert (await ada.text("tasks_find", filter="is:done", cursor=cursor)).startswith("bad_cursor:")
        assert (await bob.text("tasks_find", cursor=cursor)).startswith("bad_cursor:")
        forged = ("A" if cursor[0] != "A" else "B") + cursor[1:]
        for bad in (forged, cursor[:-4], "x", "%%%", "é", "[]"):
            assert (await ada.text("tasks_find", cursor=bad)).startswith("bad_cursor:"), bad


async def test_a_page_says_when_something_changed_since_the_first(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two", "Three")
        cursor = (await ada.values("tasks_find", limit=1))["cursor"]
        await ada.add("Four")
        assert "note: changed since page 1" in await ada.text("tasks_find", limit=1, cursor=cursor)


@pytest.mark.parametrize(
    ("filter", "titles"),
    [
        ("", ["Pay rent", "Buy milk", "Call Zoë", "Read 100%_done"]),
        ("milk", ["Buy milk"]),
        ("MILK buy", ["Buy milk"]),
        ('"buy milk"', ["Buy milk"]),
        ("zoe", ["Call Zoë"]),
        ("mil*", ["Buy milk"]),
        ("ilk*", []),
        ("ilk", ["Buy milk"]),
        ("-milk", ["Pay rent", "Call Zoë", "Read 100%_done"]),
        ("100%_", ["Read 100%_done"]),
        ("p1", ["Pay rent"]),
        ("p1 p2", ["Pay rent", "Buy milk"]),
        ("p:1,2", ["Pay rent", "Buy milk"]),
        ("-p1", ["Buy milk", "Call Zoë", "Read 100%_done"]),
        ("due:none", ["Call Zoë", "Read 100%_done"]),
        ("due:any", ["Pay rent", "Buy milk"]),
        ("due:2030-01-02", ["Pay rent"]),
        ("due:<=2030-01-02", ["Pay rent"]),
        ("due:>2030-01-02", ["Buy milk"]),
        ("due:2030-01-01..2030-12-31", ["Pay rent", "Buy milk"]),
        ("due:..2030-01-02,none", ["Pay rent", "Call Zoë", "Read 100%_done"]),
        ("is:done", ["Old thing"]),
        ("is:all thing", ["Old thing"]),
        ("is:open,done old", ["Old thing"]),
        ("notes:whatever", []),
        ("hidden", ["Call Zoë"]),
    ],
)
async def test_a_filter_finds_what_it_says(living: Living, filter: str, titles: list[str]) -> None:  # noqa: A002
    async with living.client("ada") as ada:
        tasks = [
            {"title": "Pay rent", "due": "2030-01-02", "priority": "p1"},
            {"title": "Buy milk", "due": "2030-03-01", "priority": "p2"},
            {"title": "Call Zoë", "notes": "a hidden word"},
            {"title": "Read 100%_done"},
            {"title": "Old thing"},
        ]
        await ada.values("tasks_add", tasks=tasks)
        await ada.values("tasks_complete", refs=["Old thing"])
        assert await ada.titles(filter) == titles


@pytest.mark.parametrize(
    ("filter", "answer"),
    [
        ('say "hello', "bad_filter: the quote at 5 is not closed."),
        ("is:opne", 'bad_filter: unknown "is:opne" at 1.'),
        ("p:7", 'bad_filter: unknown priority "7" at 1.'),
        ("due:banana", 'bad_filter: at 1: "banana" is no date.'),
        ('due:"next week"', 'bad_filter: "next week" at 1 is a period.'),
        ("duee:today", 'bad_filter: unknown key "duee:" at 1. Fix: due:'),
        ("x " * 41, "bad_filter: a filter has at most 40 terms."),
        ("x" * 1_001, "bad_filter: a filter has at most 1,000 characters."),
    ],
)
async def test_a_filter_that_is_not_understood_says_where(living: Living, filter: str, answer: str) -> None:  # noqa: A002
    async with living.client("ada") as ada:
        assert (await ada.text("tasks_find", filter=filter)).startswith(answer)


@pytest.mark.parametrize(
    ("tool", "arguments", "answer"),
    [
        ("tasks_add", {}, "missing_argument: tasks is missing. Fix: give tasks"),
        ("tasks_add", {"tasks": []}, "missing_argument: tasks is empty."),
        ("tasks_add", {"tasks": [{"title": " "}]}, "missing_argument: tasks[0] has no title."),
        ("tasks_add", {"tasks": [{"titel": "x"}]}, "missing_argument: tasks[0].title is missing."),
        ("tasks_add", {"tasks": [{"title": "x", "user_id": "bob"}]}, 'unknown_argument: "tasks[0].user_id".'),
        ("tasks_add", {"tasks": [{"title": "x", "priority": "p9"}]}, "bad_argument: tasks[0].priority does not fit."),
        ("tasks_add", {"tasks": [{"title": "x" * 501}]}, "too_long: tasks[0] has a title of 501 characters."),
        ("tasks_add", {"tasks": [{"title": "a\x00b"}]}, "bad_argument: title holds a character that cannot"),
        ("tasks_find", {"filter": "a\x00b"}, "bad_argument: filter holds a character that cannot be stored."),
        ("tasks_find", {"refs": ["a\x00b"]}, "bad_argument: refs holds a character that cannot be stored."),
        ("tasks_add", {"tasks": [{"title": "a\nb"}]}, "bad_argument: the title of tasks[0] holds a control"),
        ("tasks_add", {"tasks": [{"title": "x"}] * 101}, "too_many: tasks has 101 entries."),
        ("tasks_add", {"tasks": [{"title": "x"}], "request_id": "é"}, "bad_argument: request_id is not usable."),
        ("tasks_complete", {"refs": []}, "missing_argument: refs is empty."),
        (
            "tasks_complete",
            {"refs": ["T1"], "done": False, "cancelled": True},
            "bad_argument: cancelled and done=false",
        ),
        ("tasks_find", {"limit": 0}, "bad_argument: limit does not fit."),
        ("tasks_find", {"limit": 201}, "bad_argument: limit does not fit."),
        ("tasks_find", {"filter": "x", "refs": ["T1"]}, "bad_argument: refs and filter exclude each other."),
        ("tasks_find", {"token": "eyJ"}, 'unknown_argument: "token".'),
        ("tasks_find", {"tx": {}}, 'unknown_argument: "tx".'),
    ],
)
async def test_bad_arguments_get_one_sentence_with_the_remedy(
    living: Living, tool: str, arguments: dict[str, object], answer: str
) -> None:
    async with living.client("ada") as ada:
        refused = await ada.call(tool, **arguments)
        assert refused.is_error
        assert text_of(refused).startswith(answer)
        assert len(text_of(refused)) < 240
        assert await ada.titles("is:all") == []


async def test_an_unknown_reference_names_the_nearest_titles(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum")
        assert await ada.text("tasks_complete", refs=["Cal mum"]) == (
            'unknown_ref: no task "Cal mum". Closest: T1 Call mum. Fix: use an id from tasks_find'
        )


async def test_a_title_two_tasks_have_is_not_guessed(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call", "Call")
        assert await ada.text("tasks_complete", refs=["call"]) == (
            'ambiguous_ref: "call" is T1 Call, T2 Call. Fix: use the id'
        )
        assert await ada.titles() == ["Call", "Call"]


async def test_a_title_that_is_there_already_is_noted(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Buy milk")
        text = await ada.text("tasks_add", tasks=[{"title": "buy  MILK"}])
        assert text.endswith("note: T1 has the same title")


@pytest.mark.parametrize(
    "title", ["<script>x</script> | T9 p1", "¡ñandú! 😀😀", "مرحبا", "it's 100% \\ _ %", "T12", "a\u200bb", "x" * 500]
)
async def test_a_title_comes_back_as_it_was_given(living: Living, title: str) -> None:
    async with living.client("ada") as ada:
        await ada.add(title)
        assert await ada.titles() == [title]
        lines = (await ada.text("tasks_find")).splitlines()
        assert len(lines) == 2
        assert lines[1].startswith("T1 | ")


async def test_the_clients_time_zone_is_kept_from_the_first_write(living: Living) -> None:
    async with living.client("ada") as ada:
        meta = {"taskgate/tz": "Pacific/Auckland"}
        result = await ada.client.call_tool("tasks_add", {"tasks": [{"title": "x"}]}, meta=meta)  # type: ignore[arg-type]
        assert result.structured_content is not None
        assert result.structured_content["tz"] == "Pacific/Auckland"
        assert (await ada.values("tasks_find"))["tz"] == "Pacific/Auckland"
        wrong = await ada.client.call_tool("tasks_find", {}, meta={"taskgate/tz": "Mars/Base"})  # type: ignore[typeddict-unknown-key]
        assert text_of(wrong).startswith('bad_argument: "Mars/Base" is no time zone.')
