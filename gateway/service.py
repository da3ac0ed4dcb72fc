"""The gateway as the command line knows it: cheap to import, because the gateway itself is loaded only to run."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from gateway.migrations import SCHEMA
from gateway.settings import GatewaySettings
from shared.service import Service
from shared.tokens import Caller

if TYPE_CHECKING:
    from gateway.attachments import Keeping
    from shared.db import Database


async def _run(settings: GatewaySettings, fd: int | None) -> None:
    from gateway.app import run

    await run(settings, fd)


class _Records:
    """Conversations, sign-ins, and whatever else the gateway keeps of people."""

    needs: tuple[str, ...] = ("attachments", "s3_key")

    async def prune(self, database: "Database", settings: Any, *, dry_run: bool) -> Mapping[str, int]:
        from gateway.people import prune

        async with _keeping(settings) as keeping:
            return await prune(database, settings.kept, keeping, dry_run=dry_run)

    async def export(self, database: "Database", person: Caller) -> AsyncGenerator[Mapping[str, Any]]:
        from gateway.people import export

        async for record in export(database, person):
            yield record

    async def erase(self, database: "Database", settings: Any, person: Caller) -> Mapping[str, int]:
        from gateway.people import erase

        async with _keeping(settings) as keeping:
            return await erase(database, person, keeping)


@asynccontextmanager
async def _keeping(settings: Any) -> AsyncGenerator["Keeping | None"]:
    """Where attachments are kept, if they are."""
    import httpx2

    from gateway.attachments import open_keeping

    s3_key = settings.s3_key.get_secret_value() if settings.s3_key is not None else ""
    async with httpx2.AsyncClient() as http:
        yield open_keeping(settings.attachments, http, s3_key)


SERVICE = Service(name="gateway", settings=GatewaySettings, schema=SCHEMA, run=_run, records=_Records())
