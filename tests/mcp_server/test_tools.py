"""The task tools together, as a client meets them: in both eras of the protocol, and when a request comes again."""

from typing import Any

import pytest

from tests.living import LEGACY, MODERN, Living, text_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_a_task_is_added_found_changed_completed_and_deleted(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        added = await ada.text("tasks_add", tasks=[{"title": "Buy milk", "due": "2030-01-05 09:00", "priority": "p1"}])
        assert added == "op 1: 1 added\nT1 p1 Sat 2030-01-05 09:00 | Buy milk"
        head, line = (await ada.text("tasks_find")).splitlines()
        assert head.startswith("1 of 1 is:open, smart order. ")
        assert line == "T1 p1 Sat 2030-01-05 09:00 | Buy milk"
        assert await ada.text("tasks_edit", changes=[{"refs": ["T1"], "clear": ["due"]}]) == (
            "op 2: 1 edited\nT1: due Sat 2030-01-05 09:00 -> none | Buy milk"
        )
        assert await ada.text("tasks_complete", refs=["buy MILK"]) == "op 3: 1 completed\nT1 done p1 | Buy milk"
        assert await ada.titles() == []
        assert await ada.text("tasks_delete", refs=["T1"]) == "op 4: 1 deleted\nT1 trash done p1 | Buy milk"
        assert await ada.titles("is:all") == []


async def test_every_answer_says_when_and_where_it_was_given(living: Living) -> None:
    async with living.client("ada") as ada:
        meta: Any = {"taskgate/tz": "Pacific/Auckland"}
        result = await ada.client.call_tool("tasks_add", {"tasks": [{"title": "x"}]}, meta=meta)
        assert (result.structured_content or {})["tz"] == "Pacific/Auckland"
        for tool in ("tasks_find", "overview"):  # kept from the first write on
            values = await ada.values(tool)
            assert (values["tz"], values["rev"]) == ("Pacific/Auckland", 1)
            assert values["now"].endswith(("+12:00", "+13:00"))
        wrong: Any = {"taskgate/tz": "Mars/Base"}
        refused = await ada.client.call_tool("tasks_find", {}, meta=wrong)
        assert text_of(refused).startswith('bad_argument: no time zone "Mars/Base".')


async def test_a_request_that_comes_again_is_answered_and_not_done_again(living: Living) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("tasks_add", {"tasks": [{"title": "Water", "due": "2030-01-05", "repeat": "every day"}]}),
        ("tasks_edit", {"changes": [{"refs": ["Water"], "append_notes": "More", "comment": "Said"}]}),
        ("tasks_complete", {"refs": ["Water"]}),
        ("organize", {"kind": "list", "action": "create", "name": "Work"}),
        ("tasks_delete", {"refs": ["T1"]}),
        ("undo", {}),
        ("data_import", {"content": "- [ ] Imported", "format": "markdown", "dry_run": False}),
    ]
    async with living.client("ada") as ada:
        for number, (tool, arguments) in enumerate(calls, start=1):
            first = await ada.values(tool, **arguments, request_id=f"r{number}")
            text = await ada.text(tool, **arguments, request_id=f"r{number}")
            assert text.startswith(f"replayed: op {number} was already done at "), tool
            again = await ada.values(tool, **arguments, request_id=f"r{number}")
            assert again.pop("replayed"), tool
            assert {**again, "now": ""} == {**first, "now": ""}, tool
        assert (await ada.values("overview"))["rev"] == len(calls)


async def test_a_request_id_cannot_be_used_for_something_else(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "One"}], request_id="r1")
        for tool, arguments in (
            ("tasks_add", {"tasks": [{"title": "Two"}]}),
            ("tasks_add", {"tasks": [{"title": "One"}], "duplicates": "skip"}),
            ("tasks_complete", {"refs": ["One"]}),
        ):
            refused = await ada.text(tool, **arguments, request_id="r1")
            assert refused.startswith("request_reused: this request_id was used with other arguments."), tool
        assert await ada.titles() == ["One"]


async def test_a_request_that_failed_may_come_again(living: Living) -> None:
    async with living.client("ada") as ada:
        assert (await ada.text("tasks_complete", refs=["One"], request_id="r1")).startswith("unknown_ref:")
        await ada.add("One")
        values = await ada.values("tasks_complete", refs=["One"], request_id="r1")
        assert "replayed" not in values
        assert await ada.titles("is:done") == ["One"]


async def test_what_the_host_sends_beside_the_arguments_wins(living: Living) -> None:
    async with living.client("ada") as ada:
        meta: Any = {"taskgate/request_id": "host 1"}
        for request_id in ("model 1", "model 2"):
            arguments = {"tasks": [{"title": "One"}], "request_id": request_id}
            await ada.client.call_tool("tasks_add", arguments, meta=meta)
        assert await ada.titles() == ["One"]
        # A model that guesses the host's id gets nowhere with it.
        await ada.values("tasks_add", tasks=[{"title": "Two"}], request_id="host 1")
        assert await ada.titles() == ["One", "Two"]


@pytest.mark.parametrize("request_id", ["é", "x" * 129, "a\tb"])
async def test_a_request_id_is_short_and_plain(living: Living, request_id: str) -> None:
    async with living.client("ada") as ada:
        refused = await ada.text("tasks_add", tasks=[{"title": "One"}], request_id=request_id)
        assert refused == "bad_argument: request_id is not usable. Fix: 1-128 printable ASCII characters"
        assert await ada.titles() == []


async def test_a_dry_run_uses_no_request_id_up(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "One"}], request_id="r1", dry_run=True)
        values = await ada.values("tasks_add", tasks=[{"title": "One"}], request_id="r1")
        assert (values["op"], values["refs"]) == (1, ["T1"])
        shown = await ada.text("tasks_add", tasks=[{"title": "One"}], request_id="r1", dry_run=True)
        assert shown.startswith("replayed: op 1 was already done at ")
