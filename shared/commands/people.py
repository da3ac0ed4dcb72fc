"""What is run for `user export` and `user delete`: all that the services keep of a person, given out or erased."""

import sys
from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TextIO

from shared.commands.installed import every_service, installed
from shared.commands.outcome import CHECK_FAILED, exit_code, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from shared.commands.reach import Reached
    from shared.tokens import Caller

# So soon an answer notices that it has lost its lease.
NOTICE_S: Final = 2.0
MOST_PASSES: Final = 5


def export(arguments: "argparse.Namespace") -> int:
    import asyncio

    from shared.errors import Problem
    from shared.private import written_privately

    services = _reached(arguments)
    person = _person(arguments, services)
    try:
        with written_privately(arguments.out) if arguments.out else nullcontext(sys.stdout) as file:
            counts = asyncio.run(_write(file, person, services))
    except OSError as error:
        if arguments.out is None:
            raise
        raise Problem("bad_argument", f"the file cannot be written: {error.strerror}", "name another one") from error
    for name, count in counts.items():
        say(f"{name}: {count} exported" if count else f"{name}: nothing is kept of this person")
    return _completed("exported", services)


def delete(arguments: "argparse.Namespace") -> int:
    import asyncio

    from shared.commands.credentials import whole_person, withdraw
    from shared.errors import Problem
    from shared.revocations import PAUSE_S

    services = _reached(arguments)
    person = _person(arguments, services)
    if _said_again(arguments) != person.subject:
        raise Problem("bad_argument", "that is another subject; nothing was erased", "repeat it as it stands")
    outcome = asyncio.run(withdraw(whole_person(person.subject, person.issuer, services), services))
    for name, problem in outcome.items():
        if problem is not None:
            say(f"{name}: NOT erased, {problem.message}.\n  Fix: {problem.hint}. Then repeat this command.")
            return exit_code(problem)
    say(f"Access is withdrawn, which running services know within {PAUSE_S:.0f} s. Erasing until nothing comes after.")
    counts = asyncio.run(erased(person, services, settle_s=PAUSE_S + NOTICE_S))
    for name, rows in counts.items():
        print(f"{name}: {'erased' if rows else 'nothing was kept of this person'}")
        for what, count in rows.items():
            print(f"  {what}: {count}")
    return _completed("erased", services)


async def erased(
    person: "Caller", services: "Sequence[Reached]", *, settle_s: float
) -> "Mapping[str, Mapping[str, int]]":
    """Erase a person whose access has been withdrawn, again and again until what runs has come to rest.

    Returns how many rows of which table went, by service. Raises `Problem` when somebody goes on writing.
    """
    import asyncio

    from shared.errors import Problem

    total: dict[str, Counter[str]] = {reached.name: Counter() for reached in services if reached.service.records}
    await _erase(person, services, total)
    for _ in range(MOST_PASSES):
        await asyncio.sleep(settle_s)
        if not await _erase(person, services, total):
            return total
    raise Problem("busy", "something still writes for this person", "stop the services, and repeat this command")


async def _erase(person: "Caller", services: "Sequence[Reached]", total: "Mapping[str, Counter[str]]") -> bool:
    """Erase once; whether there was anything."""
    before = sum(rows.total() for rows in total.values())
    for reached in services:
        if reached.service.records is not None:
            async with reached.opened() as database:
                rows = await reached.service.records.erase(database, reached.settings, person)
            total[reached.name].update({what: count for what, count in rows.items() if count})
    return sum(rows.total() for rows in total.values()) > before


async def _write(file: TextIO, person: "Caller", services: "Sequence[Reached]") -> "Mapping[str, int]":
    """One line of JSON for everything that is kept, and how many lines that were, by service."""
    import json

    counts = {}
    for reached in services:
        if reached.service.records is not None:
            counts[reached.name] = 0
            async with reached.opened() as database:
                async for record in reached.service.records.export(database, person):
                    file.write(json.dumps({"service": reached.name, **record}) + "\n")
                    counts[reached.name] += 1
    return counts


def _completed(done: str, services: "Sequence[Reached]") -> int:
    """Say for which services it was not done. What a service here cannot do is a failure."""
    unable = [reached.name for reached in services if reached.service.records is None]
    for name in unable:
        say(f"{name}: NOT {done}, this release of it has no way to.")
    for absent in sorted(installed().keys() - {reached.name for reached in services}):
        say(f"{absent}: NOT {done}, its settings are not here. Repeat this command where they are.")
    return CHECK_FAILED if unable else 0


def _said_again(arguments: "argparse.Namespace") -> str:
    if arguments.yes is not None:
        return str(arguments.yes)
    say("This erases everything that is kept of this person, for ever. Type the subject again and press Enter.")
    return sys.stdin.readline().rstrip("\r\n")


def _person(arguments: "argparse.Namespace", services: "Sequence[Reached]") -> "Caller":
    """Whose rows are meant. An operator may do so; no token is asked for and no scope is given."""
    from shared.commands.credentials import known_issuer
    from shared.tokens import restored

    return restored(known_issuer(arguments.issuer, services), arguments.subject, (), 0, "taskgate")


def _reached(arguments: "argparse.Namespace") -> "list[Reached]":
    """The services that may keep something."""
    from shared.commands.reach import reach

    return reach(every_service(), arguments.data, arguments.usual)
