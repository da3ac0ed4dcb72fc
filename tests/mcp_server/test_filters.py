"""Filters find exactly what they say: random ones compared with a search in plain Python, and each rule by itself."""

import random
from collections.abc import AsyncGenerator
from typing import Final

import pytest

from mcp_server.tasks.cursors import Cursors
from mcp_server.tasks.finding.find import find, matching
from mcp_server.tasks.names import Kind
from mcp_server.tasks.sight import read_sight
from mcp_server.tasks.task import TaskPage
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.naming import new_name, save_names
from shared.errors import Problem
from shared.tokens import Caller
from tests.living import Living
from tests.mcp_server.filled import DAYS, World, filled, written
from tests.mcp_server.plain_search import PlainSearch

pytestmark = pytest.mark.anyio

CURSORS: Final = Cursors([b"a key of these tests"])
EVERYTHING: Final = "(is:all OR is:trash)"

DAY_VALUES: Final = (
    *DAYS, "<today", "<=mon", ">yesterday", ">=7d", ">last week", "<2026-11", "yesterday..7d", "..today", "mon..",
    "any", "none",
)  # fmt: skip
TERMS: Final = (
    *(f'{key}:"{value}"' for key in ("due", "start", "deadline", "done", "created", "changed") for value in DAY_VALUES),
    *(f"is:{value}" for value in ("open", "done", "cancelled", "closed", "all", "trash", "open,cancelled")),
    *(f"is:{value}" for value in ("blocked", "blocking", "repeating", "subtask", "top", "shared", "mine")),
    *(f"has:{value}" for value in ("notes", "comments", "subtasks", "reminders", "notes,comments")),
    *("list:Work", "list:Work/Design", "list:Work/Past", 'list:"Big Project"', 'list:"Big Project"/Design', "list:Old"),
    *("list:Inbox", "list:Old/Cellar", "list:bob:Team", "list:bob:Team/Alpha", "list:Work,Inbox"),
    *("tag:home", "tag:home*", "tag:urgent,home", "tag:none", "tag:any", "p1", "p2,p3", "p4"),
    *("with:me", "with:bob", "with:none", "with:any", "by:me", "by:bob", "due:overdue", "deadline:overdue"),
    *("view:Focus", "view:Finished", "view:Nested", "view:Stale", "view:Focus,Finished"),
    *("milk", "call", "call*", "all", "cafe", "100%", "%", "_", '"buy milk"', "ubung*", "牛奶", '"10:30"', '"\\"'),
    *("field:Effort=3", "field:Effort>=2.5", "field:Effort<3", "field:Effort=2..9", "field:Effort=..1"),
    *("field:Effort=1,10", 'field:"Story Points">1', "field:effort=any", "field:Client=none", "field:Client=acme"),
    "field:Client=Zürich",
    *("field:Signed>=today", 'field:Signed="this week"', "field:Billable=yes", "field:Billable=no", "field:Size=LARGE"),
)  # fmt: skip


@pytest.fixture
async def world(living: Living) -> AsyncGenerator[World]:
    async with filled(living) as made:
        yield made


async def asked(world: World, text: str, who: Caller | None = None) -> TaskPage:
    """Everything a filter finds."""
    async with world.database.begin(who or world.ada) as tx:
        return await find(tx, await read_sight(tx, "UTC"), text, limit=1_000, cursors=CURSORS)


async def found(world: World, text: str) -> set[tuple[str, int]]:
    return {(task.space_id, task.no) for task in (await asked(world, text)).tasks}


async def refusal(world: World, text: str) -> Problem:
    with pytest.raises(Problem) as refused:
        await asked(world, text)
    return refused.value


async def test_any_filter_finds_what_a_search_through_all_tasks_finds(world: World) -> None:
    plain = PlainSearch(world)
    dice = random.Random(3)
    denied = (f"-({one} OR {other}) is:all" for one, other in zip(TERMS[::2], TERMS[1::2], strict=False))
    filters = [*TERMS, *denied, *(random_filter(dice, 3) for _ in range(60))]
    matched = 0
    async with world.database.begin(world.ada) as tx:
        sight = await read_sight(tx, "UTC")
        for text in filters:
            page = await find(tx, sight, text, limit=1_000, cursors=CURSORS)
            keys = [(task.space_id, task.no) for task in page.tasks]
            assert set(keys) == plain.keys(text), text
            assert len(keys) == len(set(keys)) == page.total, text
            matched += bool(keys)
    assert matched > len(filters) / 2


def random_filter(dice: random.Random, depth: int) -> str:
    """Some terms, and more of them inside."""
    parts = []
    for _ in range(dice.randrange(1, 4)):
        inner = random_filter(dice, depth - 1) if depth and dice.random() < 0.3 else ""
        term = f"({inner})" if inner else dice.choice(TERMS)
        parts.append(f"-{term}" if dice.random() < 0.25 else term)
    return dice.choice((" ", " OR ", " | ", " AND ")).join(parts)


async def test_an_empty_filter_means_open_tasks_and_is_shown_so(world: World) -> None:
    assert await found(world, "") == await found(world, "is:open")
    assert (await asked(world, "")).filter == "is:open"
    assert (await asked(world, "p1 or p2")).filter == "is:open (p1 OR p2)"
    assert (await asked(world, "p2 p1 is:done")).filter == "p2,p1 is:done"


async def test_the_trash_appears_only_where_it_is_named(world: World) -> None:
    gone = {known.key for known in world.known if known.task.deleted_us is not None}
    assert gone
    assert not gone & await found(world, "is:all")
    assert await found(world, "is:trash") == gone
    assert not gone & await found(world, "-is:trash")


async def test_a_filter_can_range_over_the_trash_instead(world: World) -> None:
    plain = PlainSearch(world)
    async with world.database.begin(world.ada) as tx:
        sight = await read_sight(tx, "UTC")
        matches = await matching(tx, sight, sight.own, "tag:home", trash=True)
    expected = {key for key in plain.keys("is:trash tag:home") if key[0] == sight.own.space.id}
    assert [task.no for task in matches] == sorted(no for _, no in expected)
    assert matches


async def test_a_write_by_filter_reaches_one_space_and_never_a_part(world: World) -> None:
    plain = PlainSearch(world)
    async with world.database.begin(world.ada) as tx:
        sight = await read_sight(tx, "UTC")
        own = await matching(tx, sight, sight.own, "is:all")
        shared = await matching(tx, sight, sight.shared[0], "is:all")
        assert {(task.space_id, task.no) for task in (*own, *shared)} == plain.keys("is:all")
        assert {task.space_id for task in own} == {sight.own.space.id}
        assert {task.space_id for task in shared} == {sight.shared[0].space.id}
        with pytest.raises(Problem) as refused:
            await matching(tx, sight, sight.own, "is:all", most=len(own) - 1)
    assert str(refused.value) == (
        f"too_many: {len(own)} tasks match; one write changes at most {len(own) - 1}. "
        "Fix: narrow the filter, e.g. add list:Work"
    )


async def test_what_is_archived_is_found_only_by_its_name(world: World) -> None:
    places = {known.key: known.place for known in world.known}
    assert not {places[key] for key in await found(world, "is:all")} & {"Old", "Old/Cellar", "Work/Past"}
    assert {places[key] for key in await found(world, "is:all list:Old")} == {"Old", "Old/Cellar"}
    assert {places[key] for key in await found(world, "is:all list:Old/Cellar")} == {"Old/Cellar"}
    assert {places[key] for key in await found(world, "is:all list:Work")} == {"Work", "Work/Design"}
    assert {places[key] for key in await found(world, "is:all list:Work/Past")} == {"Work/Past"}


async def test_under_finds_every_descendant_and_no_others(world: World) -> None:
    plain = PlainSearch(world)
    parents = {known.task.parent_no for known in world.known if not known.alias and known.task.parent_no}
    deepest = 0
    for number in sorted(parents):
        for ref in (f"T{number}", f"#{number}", str(number)):
            keys = await found(world, f"under:{ref} {EVERYTHING}")
            assert keys == plain.keys(f"under:T{number} {EVERYTHING}")
        deepest = max(deepest, *(len(plain.above(plain.by_key[key])) for key in keys))
    assert deepest == 5


async def test_a_number_of_another_space_is_not_mistaken_for_an_own_one(world: World) -> None:
    shared = [known for known in world.known if known.alias and known.task.parent_no]
    known = next(
        one for one in shared if (one.task.space_id, one.task.parent_no) in {other.key for other in world.known}
    )
    keys = await found(world, f"under:bob:T{known.task.parent_no} {EVERYTHING}")
    assert known.key in keys
    assert {space_id for space_id, _ in keys} == {known.task.space_id}


async def test_bob_finds_nothing_of_adas(world: World) -> None:
    page = await asked(world, EVERYTHING, world.bob)
    assert page.total > 0
    assert {task.space_id for task in page.tasks} == {known.task.space_id for known in world.known if known.alias}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("list:Wrok", "unknown_list", '"Work"'),
        ("list:Work/Desing", "unknown_section", '"Design"'),
        ("list:Private", "unknown_list", "no list"),
        ("list:bob:Private", "unknown_list", "no list"),
        ("tag:hoem", "unknown_tag", '"home"'),
        ("tag:x*", "unknown_tag", "no tag"),
        ("tag:gone", "unknown_tag", "no tag"),
        ("view:Fokus", "unknown_view", '"Focus"'),
        ("with:bbo", "unknown_person", "bob"),
        ("by:carl", "unknown_person", "bob"),
        ("field:Efort=3", "unknown_field", '"Effort"'),
        ("under:T9999", "unknown_ref", "T9999"),
        ('under:"No such title"', "unknown_ref", "No such title"),
        ("p1 due:banana", "bad_filter", '"banana" is no date at 4'),
        ("due:12/01/2026", "bad_filter", "Jan 12 or Dec 1 at 1"),
        ("due:mon..today", "bad_filter", "mon..today ends before it begins at 1"),
        ("start:overdue", "bad_filter", '"overdue" is no date at 1'),
        ("field:Effort=many", "bad_filter", 'cannot be "many" at 1'),
        ("field:Client>3", "bad_filter", '"Client" is a text, which cannot be compared at 1'),
        ("field:Client=a..b", "bad_filter", "cannot be compared at 1"),
        ("field:Size=Medium", "bad_filter", "one of Small, Large"),
        ("field:Billable=perhaps", "bad_filter", "true or false"),
        ("lst:Work", "bad_filter", 'unknown key "lst:" at 1'),
    ],
)
async def test_what_is_unknown_or_not_understood_is_refused_with_a_remedy(
    world: World, text: str, code: str, words: str
) -> None:
    refused = await refusal(world, text)
    assert refused.code == code
    assert words in str(refused)


async def test_a_view_with_unknown_names_says_so_and_matches_nothing_there(world: World) -> None:
    page = await asked(world, "view:Stale")
    assert {task.priority for task in page.tasks} == {2}
    assert [note.split(":")[0] for note in page.notes] == ['view "Stale"'] * 4
    assert all(note.endswith("; it matches nothing there") for note in page.notes)


async def test_views_may_stand_in_views_but_not_in_themselves_or_without_end(world: World) -> None:
    chain = {"A1": "view:A2", "A2": "view:A3", "A3": "view:A4", "A4": "view:A5", "A5": "view:A6 p1", "A6": "p2 OR p1"}
    cycle = {"B1": "p1 view:B2", "B2": "-view:B1"}
    wide = {f"C{level}": " OR ".join([f"view:C{level + 1}"] * 39) for level in range(4)} | {"C4": "p1"}
    broken = {"D1": "p1 OR"}

    async def save(op: Op) -> None:
        views = chain | cycle | wide | broken
        await save_names(op, [(None, new_name(op, Kind.VIEW, name, filter=text)) for name, text in views.items()])

    await written(world.database, world.ada, save)
    assert await found(world, "view:A2") == await found(world, "p1")
    assert "at most 5 deep" in (await refusal(world, "p2 view:A1")).hint
    assert 'in the view "B2", the view "B1" contains itself at 2' in (await refusal(world, "p2 view:B1")).message
    assert (await refusal(world, "view:C0")).code == "bad_filter"
    assert 'in the view "D1", nothing follows "OR" at 4' in (await refusal(world, "view:D1")).message


async def test_a_repeated_value_of_something_single_widens_and_is_shown(world: World) -> None:
    page = await asked(world, "p1 p2")
    assert page.filter == "is:open p1,p2"
    assert {task.priority for task in page.tasks} == {1, 2}


async def test_hostile_text_gives_a_page_or_a_refusal(world: World) -> None:
    dice = random.Random(5)
    pieces = ("'", '"', ";", "--", "%", "_", "\\", "*", "(", ")", "|", "&", ":", "OR", "\0", "\ud800", "\u202e", "💥")
    starts = ("list:", "tag:", "due:", "field:Effort=", "field:Client=", "view:", "under:", "with:", "is:", "-", "")
    for _ in range(300):
        text = "".join(dice.choice(starts) + dice.choice((*pieces, "1e999", "nan", "9" * 30)) for _ in range(3))
        try:
            await asked(world, text)
        except Problem as problem:
            assert problem.code == "bad_filter" or problem.code.startswith("unknown_"), (text, problem)
