"""What is run for `db`: schema changes, and how far they have come."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from shared.commands.installed import every_service, named_service
from shared.commands.outcome import CHECK_FAILED

if TYPE_CHECKING:
    import argparse

    from pydantic import SecretStr

    from shared.service import Service, ServiceSettings


@runtime_checkable
class _KeepsData(Protocol):
    """The settings of a service with a database of its own."""

    @property
    def database_url(self) -> "SecretStr": ...
    @property
    def database_direct_url(self) -> "SecretStr | None": ...


def upgrade(arguments: "argparse.Namespace") -> int:
    import asyncio
    import json

    from shared.migrate import upgrade

    chosen = [named_service(arguments.service)] if arguments.service else every_service()
    done = {}
    for service, url in _databases(chosen):
        before, after = asyncio.run(upgrade(service.schema, url))
        done[service.name] = {"before": before, "after": after}
        if not arguments.json:
            print(f"{service.name}: {after}" + (", as it was" if before == after else f", was {before or 'empty'}"))
    if arguments.json:
        print(json.dumps(done))
    return 0


def status(_: "argparse.Namespace") -> int:
    import asyncio

    from shared.migrate import status

    worst = 0
    for service, url in _databases(every_service()):
        found = asyncio.run(status(service.schema, url))
        needed = service.schema.head
        old = found is None or found < needed
        worst = CHECK_FAILED if old else worst
        advice = f"; run: taskgate db upgrade {service.name}" if old else ""
        print(f"{service.name}: {found or 'empty'}, this program needs {needed}{advice}")
    return worst


def _databases(services: Iterable["Service"]) -> list[tuple["Service", str]]:
    """Where each service's schema is changed: past any pooler. Raises every fault in the settings of all of them."""
    from shared.settings import SettingsFault, load

    found: list[tuple[Service, str]] = []
    faults: dict[str, None] = {}
    for service in services:
        try:
            found.append((service, _direct_url(load(service.settings).settings)))
        except SettingsFault as fault:
            faults |= dict.fromkeys(fault.faults)
    if faults:
        raise SettingsFault(tuple(faults))
    return found


def _direct_url(settings: "ServiceSettings") -> str:
    assert isinstance(settings, _KeepsData)
    return (settings.database_direct_url or settings.database_url).get_secret_value()
