"""What is proposed while somebody fills in an argument: his own things, few of them, soon, and never an error."""

import logging
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Final

import pytest
from mcp import MCPError
from mcp_types import Completion, PromptReference, ResourceTemplateReference

from mcp_server.completions import completing
from mcp_server.offered import offered
from mcp_server.prompts.menu import task_prompts
from shared.telemetry import caller_mark
from tests.living import LEGACY, MODERN, Databases, Living, ToolClient
from tests.mcp_server.guests import HIDDEN, home
from tests.mcp_server.statements import statements
from tests.mcp_server.wire import ERAS, answer, ask

pytestmark = pytest.mark.anyio

MODES: Final = (MODERN, LEGACY)
TASK, LIST = ("break_down", "task"), ("clean_up", "list")
TASK_URI, SHORT_URI, LIST_URI = ("tasks://task/{ref}", "ref"), ("tasks://{ref}", "ref"), ("tasks://list/{name}", "name")
REFS: Final = (TASK, TASK_URI, SHORT_URI)
PLACES: Final = (LIST, LIST_URI)


@pytest.fixture
async def patient(databases: Databases) -> AsyncGenerator[Living]:
    """A server that takes its time: the usual budget may be too short for a machine that runs tests."""
    offer = replace(offered(), complete=completing(task_prompts(), budget_s=30))
    async with Living(databases, offer=offer) as living:
        yield living


async def proposed(person: ToolClient, where: tuple[str, str], typed: str) -> Completion:
    """What is proposed for an argument of a prompt or of an address."""
    name, argument = where
    ref = ResourceTemplateReference(uri=name) if ":" in name else PromptReference(name=name)
    return (await person.client.complete(ref, {"name": argument, "value": typed})).completion


async def values(person: ToolClient, where: tuple[str, str], typed: str) -> list[str]:
    """The same, all of which has to fit."""
    found = await proposed(person, where, typed)
    assert found.total == len(found.values)
    assert found.has_more is False
    return found.values


@pytest.mark.parametrize("mode", MODES)
async def test_tasks_are_found_by_title_and_number_and_lists_by_name(patient: Living, mode: str) -> None:
    async with patient.client("ada", mode=mode) as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("organize", kind="section", action="create", name="Work/Résumé")
        await ada.values("organize", kind="list", action="create", name="Homework")
        await ada.values("organize", kind="list", action="create", name="Old work")
        await ada.values("organize", kind="section", action="create", name="Old work/Worn")
        await ada.values("organize", kind="list", action="archive", name="Old work")
        for where in PLACES:
            assert await values(ada, where, "") == ["Inbox", "Work", "Work/Résumé", "Homework"]
            assert await values(ada, where, "WO") == ["Work", "Work/Résumé", "Homework"]
            assert await values(ada, where, "resume") == ["Work/Résumé"]
            assert await values(ada, where, "none of them") == []
        buy, recall, call, done, gone = await ada.add("Buy milk", "Recall 100%", "Call Zoë", "Call done", "Call gone")
        await ada.values("tasks_edit", changes=[{"refs": [buy], "notes": "Call first"}])
        await ada.values("tasks_complete", refs=[done])
        await ada.values("tasks_delete", refs=[gone])
        for where in REFS:
            assert await values(ada, where, "call") == [call, recall]
            assert await values(ada, where, "zoe") == [call]
            assert await values(ada, where, "%") == [recall]
            assert await values(ada, where, "_") == []
            assert set(await values(ada, where, "")) == {buy, recall, call}
            for typed in (call, call.lower(), call.removeprefix("T"), f"#{call.removeprefix('T')}"):
                assert (await values(ada, where, typed))[0] == call


async def test_at_most_twenty_are_proposed_and_the_rest_is_counted(patient: Living) -> None:
    async with patient.client("ada") as ada:
        await ada.add(*(f"Task {number}" for number in range(30)))
        for number in range(25):
            await ada.values("organize", kind="list", action="create", name=f"List {number}")
        for where, typed, total in ((TASK, "task", 30), (LIST, "li", 25), (LIST_URI, "", 26)):
            found = await proposed(ada, where, typed)
            assert (len(found.values), found.total, found.has_more) == (20, total, True)
            assert len(set(found.values)) == 20


async def test_days_are_proposed_as_they_are_written_and_nothing_where_nothing_is_known(patient: Living) -> None:
    async with patient.client("ada") as ada:
        assert (await values(ada, ("plan_day", "date"), "to"))[:2] == ["today", "tomorrow"]
        assert await values(ada, ("plan_day", "date"), "wed") == ["wednesday"]
        assert await values(ada, ("weekly_review", "week"), "LAST") == ["last 7 days", "last week"]
        assert (await values(ada, ("catch_up", "since"), "y"))[0] == "yesterday"
        for where in (
            ("capture", "notes"),
            ("plan_day", "nothing"),
            ("tasks://list/{name}", "ref"),
            ("tasks://export/{sealed}{?part}", "sealed"),
            ("tasks://nowhere/{x}", "x"),
            ("file:///etc/passwd", "x"),
        ):
            assert await values(ada, where, "") == []


async def test_every_day_that_is_proposed_is_one_that_the_tools_read(patient: Living) -> None:
    async with patient.client("ada") as ada:
        for where in (("plan_day", "date"), ("weekly_review", "week"), ("catch_up", "since")):
            for day in await values(ada, where, ""):
                await ada.values("tasks_find", filter=f'changed:"{day}"')


@pytest.mark.parametrize("mode", MODES)
async def test_an_unknown_prompt_has_invalid_parameters(patient: Living, mode: str) -> None:
    async with patient.client("ada", mode=mode) as ada:
        with pytest.raises(MCPError) as refused:
            await proposed(ada, ("nope", "x"), "")
        assert refused.value.error.code == -32602
        assert refused.value.error.message == "not_found: there is no prompt 'nope'. Fix: see prompts/list"


async def test_bob_is_proposed_nothing_of_adas(patient: Living) -> None:
    async with patient.client("ada") as ada, patient.client("bob") as bob:
        await ada.values("organize", kind="list", action="create", name="Secret")
        await ada.add("Secret plan")
        for where in (*REFS, *PLACES):
            assert await values(ada, where, "secret") != []
            for typed in ("secret", "", "T", "1", "ada:", "ada:secret", "ada:T1"):
                assert set(await values(bob, where, typed)) <= {"Inbox"}


async def test_a_guest_is_proposed_what_is_shared_and_no_more(patient: Living) -> None:
    async with home(patient, "bob") as house:
        await house.let_in("bob")
        for where in PLACES:
            assert await values(house["bob"], where, "") == ["Inbox", "ada:Team", "ada:Team/Now"]
            assert await values(house["bob"], where, HIDDEN) == []
        everything = {house.ref(title) for title in ("Fence", "Gate", "Hinge", "Wait")}
        for where in REFS:
            for typed in ("", "ada:"):
                assert set(await values(house["bob"], where, typed)) == everything
            for typed in ("fen", "ada:fen", house.ref("Fence"), "ADA:Fence"):
                assert await values(house["bob"], where, typed) == [house.ref("Fence")]
            for typed in (HIDDEN, f"ada:{HIDDEN}", house.ref("Zebra plan")):
                assert await values(house["bob"], where, typed) == []


@pytest.mark.parametrize("era", ERAS)
async def test_nothing_that_can_be_typed_is_an_error(patient: Living, era: str) -> None:
    token = patient.token("ada")
    for typed in ("\0", "a\nb", "\x1b", "x" * 10_000, "%", "\\", "'", '"', "ada:", ":", "T" + "9" * 300):
        for name, argument in (TASK, LIST):
            params = {"ref": {"type": "ref/prompt", "name": name}, "argument": {"name": argument, "value": typed}}
            found = answer(await ask(patient, era, token, "completion/complete", params))
            assert found["result"]["completion"]["values"] == []


async def test_a_proposal_costs_at_most_two_statements_and_a_usual_one_none(patient: Living) -> None:
    async with patient.client("ada") as ada:
        await ada.add(*(f"Task {number}" for number in range(50)))
        for where, cost in ((TASK, 2), (TASK_URI, 2), (LIST, 1), (("plan_day", "date"), 0), (("clean_up", "x"), 0)):
            with statements(patient) as seen:
                await proposed(ada, where, "t")
            assert len(seen) == cost


async def test_whoever_waits_gets_an_empty_answer_in_time(databases: Databases) -> None:
    """With no time at all, because nobody can say how long a machine that runs tests takes."""
    offer = replace(offered(), complete=completing(task_prompts(), budget_s=0))
    async with Living(databases, offer=offer) as living, living.client("ada") as ada:
        await ada.add("Task 1")
        assert await values(ada, TASK, "") == []
        assert await ada.titles() == ["Task 1"]


async def test_a_proposal_leaves_one_line_without_its_words(patient: Living, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mcp_server")
    async with patient.client("ada") as ada:
        await ada.add("Secret plan")
        await proposed(ada, TASK, "secret")
    person = patient.person("ada")
    [line] = [vars(record) for record in caplog.records if record.name == "mcp_server.answering"]
    facts: dict[str, Any] = {name: line[name] for name in ("message", "outcome", "caller")}
    assert facts == {"message": "completion", "outcome": "ok", "caller": caller_mark(person.issuer, person.subject)}
    assert "ecret" not in str(line)
