"""The gateway as the command line knows it: cheap to import, because the gateway itself is loaded only to run."""

from pathlib import Path

from gateway.settings import GatewaySettings
from shared.migrate import Schema
from shared.service import Service

SCHEMA = Schema(service="gateway", head="0001", versions=Path(__file__).parent / "migrations" / "versions")


async def _run(settings: GatewaySettings, fd: int | None) -> None:
    from gateway.app import run

    await run(settings, fd)


SERVICE = Service(name="gateway", settings=GatewaySettings, schema=SCHEMA, run=_run)
