"""The gateway as the command line knows it: cheap to import, because the gateway itself is loaded only to run."""

from gateway.migrations import SCHEMA
from gateway.settings import GatewaySettings
from shared.service import Service


async def _run(settings: GatewaySettings, fd: int | None) -> None:
    from gateway.app import run

    await run(settings, fd)


SERVICE = Service(name="gateway", settings=GatewaySettings, schema=SCHEMA, run=_run)
