"""What is run for `prune`."""

from typing import TYPE_CHECKING

from shared.commands.installed import every_service
from shared.commands.outcome import exit_code, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from shared.commands.reach import Reached


def prune(arguments: "argparse.Namespace") -> int:
    import asyncio
    import json

    from shared.commands.reach import reach
    from shared.errors import Problem

    worst, done = 0, {}
    for service in reach(every_service(), arguments.data, arguments.usual):
        try:
            done[service.name] = asyncio.run(_pruned(service, dry_run=arguments.dry_run))
        except Problem as problem:
            say(f"{service.name}: NOT pruned, {problem.message}.\n  Fix: {problem.hint}. Then repeat this command.")
            worst = worst or exit_code(problem)
    if arguments.json:
        print(json.dumps(done))
        return worst
    for name, counts in done.items():
        rows = [f"  {what}: {count}" for what, count in counts.items() if count]
        print(f"{name}: {'would go' if arguments.dry_run else 'gone'}" if rows else f"{name}: nothing to prune")
        print(*rows, sep="\n", end="\n" if rows else "")
    return worst


async def _pruned(reached: "Reached", *, dry_run: bool) -> "Mapping[str, int]":
    records = reached.service.records
    if records is None:
        return {}
    async with reached.opened() as database:
        return await records.prune(database, reached.settings, dry_run=dry_run)
