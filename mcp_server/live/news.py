"""From one look to the next: which of the addresses that a listener watches have changed for him.

When in doubt an address has changed. But nothing depends on what its listener may not see, not even the moment.
"""

from collections.abc import Mapping, Sequence

from mcp_server.addresses import Address
from mcp_server.live.seeing import Seen, Target
from mcp_server.live.touched import Touched, read_touched
from mcp_server.tasks.sight import Area
from shared.db import Tx


async def read_news(tx: Tx, addresses: Mapping[str, Address | None], before: Seen, now: Seen) -> Sequence[str]:
    """The addresses that have changed between two looks, as they are spelled, in their order."""
    touched = await _touched(tx, before, now)
    at_all = (
        before.today != now.today
        or before.sight.own.space != now.sight.own.space
        or any(touched[space_id].anything for space_id in touched)
    )
    return [
        uri
        for uri, address in addresses.items()
        if address and (at_all if address.kind in ("today", "overview") else _is_new(address, before, now, touched))
    ]


async def _touched(tx: Tx, before: Seen, now: Seen) -> Mapping[str, Touched]:
    watched = {target.space_id for seen in (before, now) for target in seen.targets.values()}
    own = now.sight.own.space.id
    found = {}
    for space_id in before.areas.keys() | now.areas.keys():
        was, is_now = before.areas.get(space_id), now.areas.get(space_id)
        if was is None or is_now is None or _looks(was) != _looks(is_now):
            found[space_id] = Touched(everything=True)
        elif was.space.rev == is_now.space.rev or (space_id == own and own not in watched):
            found[space_id] = Touched()
        else:
            found[space_id] = await read_touched(tx, was, is_now)
    return found


def _looks(area: Area) -> object:
    """On what every line of an area depends. The settings of others show only in when their tasks are due."""
    settings = area.space.settings if area.is_own else area.space.settings.get("day_start")
    return (area.alias, area.roles, area.space.tz, settings)


def _is_new(address: Address, before: Seen, now: Seen, touched: Mapping[str, Touched]) -> bool:
    was, target = before.targets.get(address), now.targets.get(address)
    if was is None or target is None or was != target:
        return was != target
    there = touched[target.space_id]
    if target.kind == "task":
        return there.everything or target.no in there.tasks
    return there.everything or not there.lists.isdisjoint({*_places(before, target), *_places(now, target)})


def _places(seen: Seen, target: Target) -> Sequence[int]:
    return seen.areas[target.space_id].names.with_sections(target.no)
