"""The tool server as the command line knows it: cheap to import, because the server itself is loaded only to run."""

from mcp_server.migrations import SCHEMA
from mcp_server.settings import McpSettings
from shared.service import Service


async def _run(settings: McpSettings, fd: int | None) -> None:
    from mcp_server.app import run

    await run(settings, fd)


SERVICE = Service(name="mcp", settings=McpSettings, schema=SCHEMA, run=_run)
