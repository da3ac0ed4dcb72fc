"""All wiring of the tool server: settings in, an ASGI application out, and the process around it."""

import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from fastmcp import FastMCP
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp.server import NotificationOptions
from mcp.server.caching import CacheHint
from mcp.server.request_state import RequestStateSecurity
from mcp_types import DiscoverRequest, DiscoverResult, SubscriptionsListenRequestParams
from starlette.middleware import Middleware as AsgiLayer
from starlette.types import ASGIApp

from mcp_server.access import EXPORT_SCOPE, Guard, Resources, TaskgateAuth
from mcp_server.budget import Budget
from mcp_server.live.streams import LISTEN, Streams
from mcp_server.migrations import SCHEMA
from mcp_server.offered import Offer, offered
from mcp_server.settings import McpSettings
from mcp_server.snapshot.queries import Queries
from mcp_server.snapshot.running.process import Locks
from mcp_server.snapshot.running.workers import Workers, usual_size
from mcp_server.stepup import StepUp
from mcp_server.tasks.cursors import Cursors
from mcp_server.tasks.spaces import row_policies
from mcp_server.tasks.tables import limits, revocations
from shared import __version__
from shared.asgi import Drain, InFlight, Probes, protected
from shared.db import Database
from shared.errors import Problem
from shared.limits import Limits, SharedPermits
from shared.migrate import require_schema
from shared.readiness import checks
from shared.revocations import RevocationList
from shared.serve import serve, settle
from shared.telemetry import configure_logs
from shared.tokens import Verifier, build_verifier, with_known_keys

log = logging.getLogger(__name__)

BODY_LIMIT: Final = 1024 * 1024
INSTRUCTIONS: Final = (Path(__file__).parent / "instructions.md").read_text(encoding="utf-8").strip()

# The lists are the same for everybody and say so. What belongs to one person is never cached by anyone.
LISTS: Final = CacheHint(ttl_ms=300_000, scope="public")
PRIVATE: Final = CacheHint(ttl_ms=0, scope="private")
CACHE_HINTS: Final = {
    "server/discover": LISTS,
    "tools/list": LISTS,
    "prompts/list": LISTS,
    "resources/templates/list": LISTS,
    "resources/list": PRIVATE,
    "resources/read": PRIVATE,
}


def create_app(
    settings: McpSettings,
    database: Database,
    verifier: Verifier,
    drain: Drain,
    workers: Workers | None = None,
    offer: Offer | None = None,
    counts: Limits | None = None,
) -> ASGIApp:
    """The tool server as one ASGI application; without workers it offers no queries, and by itself it counts alone."""
    if offer is None:
        offer = offered(settings.profile, queries=workers is not None)
    budget = _budget(settings, offer, counts)
    server = build_server(settings, database, verifier, offer, workers, budget, drain)
    assert isinstance(server.auth, TaskgateAuth)
    public = urlsplit(settings.mcp_url)
    hosts = {public.netloc, *settings.hosts}
    origins = {f"{public.scheme}://{public.netloc}", *settings.origins}
    app: ASGIApp = server.http_app(
        path=public.path,
        middleware=[AsgiLayer(StepUp, offer.scopes, server.auth.metadata_url, budget)],
        stateless_http=True,
        json_response=False,  # the other mode goes on working after the client has left
        host_origin_protection=True,
        allowed_hosts=sorted(hosts),
        allowed_origins=sorted(origins),
    )
    app = protected(
        app,
        public_url=settings.mcp_url,
        hosts=settings.hosts,
        origins=settings.origins,
        headers=["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"],
        body_limit=BODY_LIMIT,
        trusted_proxies=settings.trusted_proxies,
    )
    return Probes(app, checks(database, SCHEMA, verifier), drain)


def build_server(
    settings: McpSettings,
    database: Database,
    verifier: Verifier,
    offer: Offer,
    workers: Workers | None = None,
    budget: Budget | None = None,
    drain: Drain | None = None,
) -> FastMCP[Any]:
    """The MCP server with this offer, all of it behind the guard."""
    keys = [key.get_secret_value() for key in settings.state_keys]
    queries = Queries(database, workers) if workers is not None else None
    budget = budget or _budget(settings, offer)
    resources = Resources(database, Cursors([key.encode() for key in keys]), queries, budget)
    streams = Streams(database, verifier, drain or Drain(), resources.default_tz)
    server = FastMCP(
        "taskgate",
        version=__version__,
        instructions=INSTRUCTIONS,
        auth=TaskgateAuth(verifier, settings.issuers, settings.mcp_url),
        lifespan=_lifespan(resources, streams),
        mask_error_details=True,
        list_page_size=50,
        dereference_schemas=False,  # ours refer to nothing, and every list would be searched for that
        request_state_security=RequestStateSecurity(keys=keys, ttl=300),
    )
    for tool in offer.tools:
        server.add_tool(tool)
    for resource in offer.resources:
        server.add_resource(resource)
    for template in offer.templates:
        server.add_template(template)
    for prompt in offer.prompts:
        server.add_prompt(prompt)
    if offer.complete is not None:
        server.completion(offer.complete)
    server.add_middleware(Guard(offer.scopes, budget))
    server.add_middleware(FixedLists())
    low = server._mcp_server  # noqa: SLF001 (no public way yet; a test notices when it goes)
    low.cache_hints = CACHE_HINTS
    low.notification_options = NotificationOptions()  # the same as `FixedLists`, for the older era
    low.add_request_handler(LISTEN, SubscriptionsListenRequestParams, streams)
    # Otherwise every call would run the whole tools/list first, only to learn one schema.
    low.get_tool_input_schema = {tool.name: tool.parameters for tool in offer.tools}.get
    return server


class FixedLists(Middleware):
    """Promises no news of lists: what is offered changes only with a restart."""

    async def on_discover(
        self,
        context: MiddlewareContext[DiscoverRequest],
        call_next: CallNext[DiscoverRequest, DiscoverResult | dict[str, Any]],
    ) -> DiscoverResult | dict[str, Any]:
        found = await call_next(context)
        assert isinstance(found, DiscoverResult)
        can = found.capabilities
        for lists in (can.tools, can.prompts, can.resources):
            if lists is not None:
                lists.list_changed = False
        return found


async def run(settings: McpSettings, fd: int | None) -> None:
    """Serve until told to stop."""
    configure_logs("mcp", settings.log_level, settings.secrets)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient())
        database = Database(settings.database_url.get_secret_value(), pool_size=settings.pool_size, scope=row_policies)
        stack.push_async_callback(database.close)
        await database.open()
        await require_schema(database, SCHEMA)
        await _require_row_security(settings, database)
        issuers = await with_known_keys(settings.issuers, http)
        revoked = await stack.enter_async_context(RevocationList("mcp", revocations, database).kept_fresh())
        verifier = build_verifier(issuers, settings.mcp_url, http, revoked)
        workers = await _locked_workers(settings, stack)
        counts = Limits() if database.on_sqlite else Limits(SharedPermits("mcp", limits, database))
        drain = Drain()
        app = InFlight(create_app(settings, database, verifier, drain, workers, counts=counts))
        settle()
        await serve(
            app,
            bind=settings.bind,
            fd=fd,
            drain=drain,
            drain_s=settings.drain_s,
            notice_s=0 if settings.env == "dev" else 3,
            finish=app.finish,
        )


def _budget(settings: McpSettings, offer: Offer, counts: Limits | None = None) -> Budget:
    querying = {name for name, scope in offer.scopes.items() if scope == EXPORT_SCOPE}
    return Budget(counts or Limits(), settings.per_minute, writing=offer.writing, querying=querying)


async def _require_row_security(settings: McpSettings, database: Database) -> None:
    if settings.env != "dev" and await database.bypasses_row_security():
        raise Problem(
            "unavailable",
            "the database role ignores row security",
            "connect as a role without SUPERUSER and BYPASSRLS, see docs/operating.md",
        )


async def _locked_workers(settings: McpSettings, stack: AsyncExitStack) -> Workers | None:
    """The processes for queries, if there shall be any. Raises unless they are locked up as the settings demand."""
    size = usual_size() if settings.sql_workers is None else settings.sql_workers
    if not size:
        return None
    if not hasattr(sqlite3.Connection, "serialize"):
        raise Problem(
            "unavailable",
            "the SQLite of this Python cannot hand a database on",
            "use another build of Python; TASKGATE_MCP_SQL_WORKERS=0 goes without queries",
        )
    workers = await stack.enter_async_context(Workers(size))
    log.info("sql workers are locked by: %s", workers.locks)
    require_locks(settings, workers.locks)
    return workers


def require_locks(settings: McpSettings, locks: Locks) -> None:
    """Raise where the settings demand a lock that this machine does not have; otherwise only say what is missing."""
    missing = list(locks.missing)
    if not locks.landlock:
        missing.append("landlock")
    demanded = {"full": missing, "any": [], "needed": [] if settings.env == "dev" else locks.missing}
    if demanded[settings.sql_locks]:
        raise Problem(
            "unavailable",
            f"queries cannot be locked up on this machine, which lacks: {', '.join(missing)}",
            "read docs/security.md; TASKGATE_MCP_SQL_LOCKS=any accepts that, TASKGATE_MCP_SQL_WORKERS=0 goes without",
        )
    if missing:
        log.warning("sql workers lack: %s", ", ".join(missing))


def _lifespan(resources: Resources, streams: Streams) -> Callable[[FastMCP[Any]], Any]:
    @asynccontextmanager
    async def lifespan(_: FastMCP[Any]) -> AsyncGenerator[dict[str, Any]]:
        async with streams.running():
            yield {"taskgate": resources}

    return lifespan
