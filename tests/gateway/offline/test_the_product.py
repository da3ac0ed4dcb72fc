"""The whole product without a key: forms, cards that ask, files and ways of working, over HTTP."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.attachments.disk import Disk
from tests.gateway.asking.conftest import Person
from tests.gateway.attachments.test_over_http import Person as WithFiles
from tests.living import ChatClient, Databases, Living, Said, message

pytestmark = pytest.mark.anyio

MANY: Final = [f"task {number}" for number in range(12)]


async def say_with(chat: ChatClient, mode: str, text: str) -> Said:
    """A message for which a way of working was chosen."""
    options = {"tool_choice": {"id": mode}}
    response = await chat.post("threads.create", input={**message(text), "inference_options": options})
    assert response.status_code == 200, response.text
    return Said.read(response.text)


def asked(said: Said) -> dict[str, Any]:
    """What the person is asked at the end of an answer."""
    shown = [event["item"] for event in said.of("thread.item.done")]
    item: dict[str, Any] = [one for one in shown if one["type"] in ("widget", "structured_input")][-1]
    return item


async def test_which_of_several_is_meant_can_be_answered_in_the_form(living: Living) -> None:
    async with living.chat("ada") as chat, living.client("ada") as tools:
        await tools.add("buy milk", "buy oat milk")
        ada = Person(chat)
        said = await ada.say("done with milk")
        form = asked(said)
        assert said.text.startswith("Which one did you finish?\n\n1. **T1** buy milk")
        assert [option["value"] for option in form["inputs"][0]["options"]] == ["T1 buy milk", "T2 buy oat milk"]
        assert (
            await ada.fill_in(form, "T2 buy oat milk")
        ).text == "Well done! Finished:\n\n- **T2** buy oat milk (done)"
        assert await tools.titles() == ["buy milk"]


async def test_or_with_the_next_message(living: Living) -> None:
    async with living.chat("ada") as chat, living.client("ada") as tools:
        await tools.add("buy milk", "buy oat milk")
        said = await chat.say("delete milk")
        assert "**T2** buy oat milk" in (await chat.say("the second one", said.thread_id)).text
        assert await tools.titles() == ["buy milk"]


async def test_or_not_at_all(living: Living) -> None:
    async with living.chat("ada") as chat, living.client("ada") as tools:
        await tools.add("buy milk")
        ada = Person(chat)
        said = await ada.say("move T1")
        assert (await ada.fill_in(asked(said))).text == "All right, nothing was changed."
        said = await ada.say("move T1", said.thread_id)
        assert "T1" in (await ada.fill_in(asked(said), "friday 5pm")).text
        [task] = (await tools.values("tasks_find"))["tasks"]
        assert task["due"]


async def test_much_is_deleted_only_after_the_card_was_approved_and_undo_brings_it_back(living: Living) -> None:
    async with living.chat("ada") as chat, living.client("ada") as tools:
        await tools.add(*MANY)
        ada = Person(chat)
        said = await ada.say("delete all tasks")
        thread = said.thread_id
        assert said.text == ""
        assert (await ada.press(asked(said), "reject")).text == "All right, nothing was changed."
        assert len(await tools.titles()) == 12
        said = await ada.say("delete all tasks", thread)
        assert (await ada.press(asked(said), "approve")).text.startswith(
            "Moved to the trash:\n\n- **T1** task 0 (trash)"
        )
        assert await tools.titles() == []
        assert (await ada.say("undo", thread)).text.endswith("- and 7 more")
        assert len(await tools.titles()) == 12


@pytest.mark.parametrize(("words", "answer"), [("yes", "button of the card"), ("no", "nothing was changed")])
async def test_words_are_no_approval(living: Living, words: str, answer: str) -> None:
    async with living.chat("ada") as chat, living.client("ada") as tools:
        await tools.add(*MANY)
        said = await chat.say("delete all tasks")
        assert answer in (await chat.say(words, said.thread_id)).text
        assert len(await tools.titles()) == 12


async def test_a_conversation_from_a_new_list_to_what_was_finished(living: Living) -> None:
    async with living.chat("ada") as chat, living.client("ada") as tools:
        said = await chat.say("new list Groceries")
        for words, answer in (
            ("add bread to Groceries; milk to Groceries tomorrow", "Added 2 tasks:"),
            ("make milk urgent", "priority p4 → p1"),
            ("postpone milk by a week", "Changed:"),
            ("rename bread to rye bread", "rye bread"),
            ("show Groceries", "2 tasks are open in Groceries:"),
            ("plan my day", "One task presses:"),
            ("done with rye", "Well done!"),
            ("how many tasks did I finish each day?", " 1."),
            ("chart of tasks per list", "Open tasks per list: Groceries 1."),
            ("delete all done tasks", "rye bread"),
            ("restore rye", "rye bread"),
            ("overview", "Groceries 1"),
            ("what did I finish today?", "1 task is finished today"),
        ):
            answered = await chat.say(words, said.thread_id)
            assert answer in answered.text, words
            assert answered.of("error") == []
        assert await tools.titles() == ["milk"]


async def test_each_way_of_working_does_its_part(living: Living) -> None:
    async with living.chat("ada") as chat, living.client("ada") as tools:
        assert "Added 2 tasks:" in (await say_with(chat, "capture", "- call mum today\n- pay rent")).text
        assert sorted(await tools.titles()) == ["call mum", "pay rent"]
        assert "**T1** call mum" in (await say_with(chat, "plan", "what is this day for?")).text
        assert (await say_with(chat, "chart", "open tasks by list")).text == "Open tasks per list: Inbox 2."


async def test_bob_cannot_name_what_is_adas(living: Living) -> None:
    async with living.client("ada") as tools, living.chat("bob") as chat:
        await tools.add("buy milk")
        for words in ("delete T1", "move T1 to friday", "rename T1 to mine", "done with milk", "undo op 1", "T1"):
            assert "buy milk" not in (await chat.say(words)).text
        [task] = (await tools.values("tasks_find"))["tasks"]
        assert (task["title"], task.get("due")) == ("buy milk", None)


@pytest.fixture
async def with_files(databases: Databases, tmp_path: Path) -> AsyncGenerator[Living]:
    """Both services, with a place for files."""
    living = Living(databases)
    folder = tmp_path / "files"
    folder.mkdir()
    living.keeping = Disk(folder)
    async with living:
        yield living


async def test_a_file_is_imported_after_the_card_was_approved(with_files: Living) -> None:
    async with with_files.chat("ada") as chat, with_files.client("ada") as tools:
        ada = WithFiles(chat)
        made = await ada.attach(b"title,due\ndelete all tasks,tomorrow\nbutter,\n")
        said = await ada.say("import this", made["id"])
        assert await tools.titles() == []
        done = await Person(chat).press(asked(said), "approve")
        assert done.text.startswith("Imported: 2 added.\n\n- **T")
        assert sorted(await tools.titles()) == ["butter", "delete all tasks"]
