"""Any program of writes can be taken back and done again, in any order, without losing what came later."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest

from tests.living import Living, ToolClient
from tests.mcp_server.invariants import faults
from tests.mcp_server.past import Look, State, look_of, recorded

pytestmark = pytest.mark.anyio

STEPS: Final = 20
# What may follow when something else is taken back, or is taken back element by element.
FOLLOWING: Final = frozenset({"list_no", "parent_no", "deleted_us", "tags", "blocked_by", "reminders", "fields"})
WORDS: Final = ("Milk", "Bank", "Plan", "Letter", "Fence", "Bike")
TAGS: Final = ("home", "urgent", "deep", "phone")
LISTS: Final = ("Work", "Garden", "Trip", "Inbox")
DUES: Final = ("2030-01-05", "2030-02-01 09:00", "2030-03-01 18:30 America/New_York", "2030-12-24")
REPEATS: Final = ("every day", "every 2 weeks", "every! month", "every day for 3 times")

Call = tuple[str, dict[str, Any]]


class Program:
    """Random calls, most of which make sense."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._refs = 1

    def remember(self, number: int) -> None:
        """So many numbers have been given out."""
        self._refs = max(self._refs, number)

    def next(self) -> Call:
        """The next call."""
        makers: list[Callable[[], Call]] = [
            *[self._add] * 4,
            *[self._edit] * 8,
            *[self._complete] * 4,
            *[self._delete] * 3,
            *[self._organize] * 4,
        ]
        return self._random.choice(makers)()

    def _ref(self) -> str:
        return f"T{self._random.randint(1, self._refs)}"

    def _some(self, words: tuple[str, ...], most: int) -> list[str]:
        return self._random.sample(words, self._random.randint(1, most))

    def _add(self) -> Call:
        task: dict[str, Any] = {"title": f"{self._random.choice(WORDS)} {self._random.randint(1, 999)}"}
        extras: dict[str, Any] = {
            "tags": self._some(TAGS, 2),
            "due": self._random.choice(DUES),
            "list": self._random.choice(LISTS),
            "subtasks": self._some(WORDS, 3),
            "repeat": self._random.choice(REPEATS),
            "notes": "A note",
            "priority": self._random.choice(["p1", "p2", "p3"]),
        }
        chosen = self._random.sample(sorted(extras), self._random.randint(0, 4))
        return "tasks_add", {"tasks": [task | {name: extras[name] for name in chosen}, {"title": "Another"}]}

    def _edit(self) -> Call:
        sign = self._random.choice(["", "-"])
        change: dict[str, Any] = self._random.choice(
            [
                {"title": f"{self._random.choice(WORDS)} {self._random.randint(1, 999)}"},
                {"due": self._random.choice(DUES)},
                {"due": self._random.choice(DUES), "remind": ["30m before"]},
                {"tags": [f"{sign}{tag}" for tag in self._some(TAGS, 2)]},
                {"list": self._random.choice(LISTS)},
                {"parent": self._ref()},
                {"blocked_by": [f"{sign}{self._ref()}"]},
                {"priority": self._random.choice(["p1", "p2", "p3", "p4"]), "estimate": "45m"},
                {"append_notes": "More"},
                {"comment": "Said"},
                {"repeat": self._random.choice(REPEATS)},
                {"clear": [self._random.choice(["due", "time", "tags", "parent", "repeat", "notes", "remind"])]},
                {"position": self._random.choice(["top", "bottom"])},
                {"fields": {"Effort": self._random.randint(1, 9)}},
            ]
        )
        return "tasks_edit", {"changes": [{"refs": [self._ref()], **change}]}

    def _complete(self) -> Call:
        return "tasks_complete", {"refs": [self._ref()], "done": self._random.random() < 0.7}

    def _delete(self) -> Call:
        return "tasks_delete", {"refs": [self._ref()], "restore": self._random.random() < 0.5}

    def _organize(self) -> Call:
        kind, action, name, *more = self._random.choice(
            [
                ("list", "create", self._random.choice(LISTS[:3])),
                ("list", "delete", self._random.choice(LISTS[:3])),
                ("list", "delete", self._random.choice(LISTS[:3]), "inbox"),
                ("list", "rename", self._random.choice(LISTS[:3]), self._random.choice(LISTS[:3])),
                ("list", "archive", self._random.choice(LISTS[:3])),
                ("list", "unarchive", self._random.choice(LISTS[:3])),
                ("list", "merge", *self._random.sample(LISTS[:3], 2)),
                ("section", "create", f"{self._random.choice(LISTS[:3])}/Later"),
                ("tag", "delete", self._random.choice(TAGS)),
                ("tag", "rename", *self._random.sample(TAGS, 2)),
                ("tag", "merge", *self._random.sample(TAGS, 2)),
                ("setting", "set", "day start", self._random.choice(["08:00", "10:00"])),
                ("setting", "set", "time zone", self._random.choice(["Europe/Berlin", "Asia/Tokyo"])),
            ]
        )
        return "organize", {"kind": kind, "action": action, "name": name, **({"to": more[0]} if more else {})}


async def run(ada: ToolClient, seed: int, look: Look) -> list[tuple[int, State]]:
    """Run a program. Returns its operations, each with what there was after it."""
    program = Program(seed)
    for name in LISTS[:3]:
        await ada.values("organize", kind="list", action="create", name=name)
    await ada.values("organize", kind="field", action="create", name="Effort", options={"type": "number"})
    done: list[tuple[int, State]] = []
    while len(done) < STEPS:
        tool, arguments = program.next()
        result = await ada.call(tool, **arguments)
        values = result.structured_content or {}
        if result.is_error or "op" not in values:
            continue
        program.remember(max((int(ref[1:]) for ref in values["refs"] if ref.startswith("T")), default=1))
        done.append((values["op"], await look()))
    return done


@pytest.mark.parametrize("seed", range(2))
async def test_undoing_all_backwards_gives_every_earlier_state_and_redoing_forwards_gives_it_again(
    living: Living, seed: int
) -> None:
    look = look_of(living, "ada")
    async with living.client("ada") as ada:
        done = await run(ada, seed, look)
        undos = []
        for (op, _), (_, earlier) in zip(done[:0:-1], done[-2::-1], strict=True):
            values = await ada.values("undo", op=str(op))
            assert "conflicts" not in values, (op, values)
            assert await look() == earlier, op
            undos.append(values["op"])
        assert await faults(look.database, look.person) == []
        for undone, (op, later) in zip(reversed(undos), done[1:], strict=True):
            values = await ada.values("undo", op=f"op {undone}")
            assert "conflicts" not in values, (op, values)
            assert await look() == later, op
        assert await faults(look.database, look.person) == []


@pytest.mark.parametrize("seed", range(100, 102))
async def test_undoing_in_any_order_never_overwrites_what_came_later(living: Living, seed: int) -> None:
    look = look_of(living, "ada")
    async with living.client("ada") as ada:
        done = [op for op, _ in await run(ada, seed, look)]
        Random(seed).shuffle(done)
        for op in done:
            before = await look()
            result = await ada.call("undo", op=str(op))
            if result.is_error:
                assert await look() == before, op
                continue
            assert result.structured_content is not None
            changed = await recorded(look.database, look.person, op)
            for no, (was, is_now) in (
                await recorded(look.database, look.person, result.structured_content["op"])
            ).items():
                earlier, later = changed.get(no, ({}, {}))
                for name in is_now.keys() - FOLLOWING:
                    assert was[name] == later[name], (op, no, name)
                    assert is_now[name] == earlier[name], (op, no, name)
            assert await faults(look.database, look.person) == []
