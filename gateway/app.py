"""All wiring of the gateway: settings in, an ASGI application out, and the process around it."""

import logging
from contextlib import AsyncExitStack
from typing import Final

import httpx2
from agents import Model, set_tracing_disabled
from starlette.applications import Starlette
from starlette.types import ASGIApp

from gateway.agent import Assistant, choose_model
from gateway.assets import Assets
from gateway.chat import TaskChat, use_utc
from gateway.connection import Connection
from gateway.endpoints import Endpoints
from gateway.login import SignIn
from gateway.migrations import SCHEMA
from gateway.oidc import LoginIssuer, find_issuer
from gateway.running import Running
from gateway.sealing import Sealing
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.store import ThreadStore
from gateway.tables import revocations
from gateway.toolbox import ToolFront
from shared.asgi import Drain, Probes, protected
from shared.db import Database, clock
from shared.migrate import require_schema
from shared.readiness import checks
from shared.revocations import RevocationList
from shared.serve import serve, settle
from shared.telemetry import configure_logs
from shared.tokens import Signer, Verifier, build_verifier, with_known_keys

log = logging.getLogger(__name__)

BODY_LIMIT: Final = 256 * 1024


def create_app(
    settings: GatewaySettings,
    database: Database,
    verifier: Verifier,
    connection: Connection,
    model: Model,
    model_name: str,
    drain: Drain,
    running: Running,
    issuer: LoginIssuer | None,
) -> ASGIApp:
    """The gateway as one ASGI application; without an issuer, browsers bring a token instead of signing in."""
    use_utc()
    # Otherwise the SDK sends prompts and tool data to its vendor, with whatever provider's key it finds.
    set_tracing_disabled(True)
    signer = Signer(settings.gateway_url, settings.keys)
    front = ToolFront()
    chat = TaskChat(
        ThreadStore(database), Assistant(model, front), front, connection, signer, audience=settings.mcp_url
    )
    session_keys = [key.get_secret_value() for key in settings.session_keys]
    sessions = Sessions(database, Sealing(session_keys, "refresh tokens"), issuer)
    sign_in = SignIn(verifier, sessions, issuer, Sealing(session_keys, "sign-in"), settings.gateway_url, clock)
    published = {
        "jwks.json": signer.jwks,
        "oauth-authorization-server": signer.metadata(f"{settings.gateway_url}/.well-known/jwks.json"),
    }
    endpoints = Endpoints(chat, sign_in, running, drain, Assets(), published, model_name)
    app = protected(
        Starlette(routes=endpoints.routes()),
        public_url=settings.gateway_url,
        hosts=settings.hosts,
        origins=settings.origins,
        headers=["X-Taskgate-Client"],
        body_limit=BODY_LIMIT,
        trusted_proxies=settings.trusted_proxies,
    )
    # The tool server is not among what has to be ready: history works without it.
    return Probes(app, checks(database, SCHEMA, verifier), drain)


async def login_issuer(settings: GatewaySettings, http: httpx2.AsyncClient, verifier: Verifier) -> LoginIssuer | None:
    """Where browsers sign in, if the settings name a client of that issuer. Raises `Problem`."""
    if not settings.oidc_client_id:
        return None
    secret = settings.oidc_client_secret
    return LoginIssuer(
        await find_issuer(settings.login_issuer, http),
        http,
        verifier,
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value() if secret is not None else "",
        scopes=settings.login_scopes,
        gateway_url=settings.gateway_url,
    )


async def run(settings: GatewaySettings, fd: int | None) -> None:
    """Serve until told to stop."""
    configure_logs("gateway", settings.log_level, settings.secrets)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient())
        database = Database(settings.database_url.get_secret_value(), pool_size=settings.pool_size)
        stack.push_async_callback(database.close)
        await database.open()
        await require_schema(database, SCHEMA)
        issuers = await with_known_keys(settings.issuers, http)
        revoked = await stack.enter_async_context(RevocationList("gateway", revocations, database).kept_fresh())
        verifier = build_verifier(issuers, settings.gateway_url, http, revoked)
        issuer = await login_issuer(settings, http, verifier)
        connection = await stack.enter_async_context(Connection(settings.mcp_address or settings.mcp_url))
        model_name, model = await choose_model(settings)
        log.info("model chosen", extra={"model": model_name})
        drain, running = Drain(), Running()
        settle()
        await serve(
            create_app(settings, database, verifier, connection, model, model_name, drain, running, issuer),
            bind=settings.bind,
            fd=fd,
            drain=drain,
            drain_s=settings.drain_s,
            notice_s=0 if settings.env == "dev" else 3,
            finish=running.finish_or_stop,
        )
