"""All wiring of the gateway: settings in, an ASGI application out, and the process around it."""

import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx2
from agents import set_tracing_disabled
from starlette.applications import Starlette
from starlette.types import ASGIApp

from gateway.actions import Actions
from gateway.agent import Assistant
from gateway.answering.running import Running
from gateway.asking import Asking
from gateway.assets import Assets
from gateway.attachments import UPLOADS, Attachments, FileReading, Keeping, Proofs, open_keeping
from gateway.beginning import Beginning
from gateway.chat import TaskChat, use_utc
from gateway.connection import Connection
from gateway.dictation import BODY_LIMIT as SPEECH_LIMIT
from gateway.dictation import Dictation
from gateway.endpoints import Endpoints
from gateway.endpoints.api import Api
from gateway.endpoints.chatkit import BODY_LIMIT, ChatKitEndpoint
from gateway.entities import Entities
from gateway.front import ToolFront
from gateway.login import SignIn
from gateway.migrations import SCHEMA
from gateway.models import Models, choose, client_of
from gateway.oidc import LoginIssuer, find_issuer
from gateway.people import kept_tidy
from gateway.sealing import Sealing
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.store import Feedback, Leases, ThreadStore, Waiting
from gateway.tables import revocations
from gateway.toolbox import Toolboxes
from gateway.usage import Usage
from gateway.writing import Rooms, Writer
from shared.asgi import Drain, Probes, protected
from shared.db import Database, clock
from shared.migrate import require_schema
from shared.readiness import checks
from shared.revocations import RevocationList
from shared.serve import serve, settle
from shared.telemetry import configure_logs
from shared.tokens import Signer, Verifier, build_verifier, with_known_keys

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the gateway reaches: the tool server, the models, and what may be missing."""

    connection: Connection
    models: Models
    dictation: Dictation
    keeping: Keeping | None = None  # without it, attachments are off
    issuer: LoginIssuer | None = None  # without it, browsers bring a token instead of signing in


def create_app(
    settings: GatewaySettings,
    database: Database,
    verifier: Verifier,
    around: Surroundings,
    drain: Drain,
    running: Running,
) -> ASGIApp:
    """The gateway as one ASGI application."""
    use_utc()
    # Otherwise the SDK sends prompts and tool data to its vendor, with whatever provider's key it finds.
    set_tracing_disabled(True)
    signer = Signer(settings.gateway_url, settings.keys)
    limits = settings.chat_limits
    session_keys = [key.get_secret_value() for key in settings.session_keys]
    attachments = files = None
    if around.keeping is not None:
        attachments = Attachments(database, around.keeping, Proofs(session_keys, settings.gateway_url, clock))
        files = FileReading(attachments, images=settings.model_images)
    front = ToolFront()
    toolboxes = Toolboxes(around.connection, signer, settings.mcp_url, limits.calls, files)
    shown = {"shown": attachments.shown} if attachments is not None else {}
    store = ThreadStore(database, threads=limits.threads, items=limits.items, **shown)
    leases = Leases(database, limit=limits.streams)
    asking = Asking(Waiting(database), store, limits.output)
    usage = Usage(database, turns_per_minute=limits.turns, tokens_per_day=limits.tokens)
    rooms = Rooms(
        store=store,
        usage=usage,
        models=around.models,
        assistant=Assistant(around.models.default.model, front),
        front=front,
        toolboxes=toolboxes,
        asking=asking,
        files=files,
        limits=limits,
    )
    chat = TaskChat(store, Writer(rooms), asking, Actions(toolboxes, store), Feedback(database))
    sessions = Sessions(database, Sealing(session_keys, "refresh tokens"), around.issuer)
    sign_in = SignIn(verifier, sessions, around.issuer, Sealing(session_keys, "sign-in"), settings.gateway_url, clock)
    published = {
        "jwks.json": signer.jwks,
        "oauth-authorization-server": signer.metadata(f"{settings.gateway_url}/.well-known/jwks.json"),
    }
    chatkit = ChatKitEndpoint(
        chat,
        sign_in,
        running,
        leases,
        Beginning(store, toolboxes, asking),
        usage,
        around.dictation,
        attachments,
        limits,
        drain,
    )
    api = Api(chatkit, leases, Entities(lambda turn: toolboxes.open(turn, turn.id)), database)
    features = {"dictation": around.dictation.is_on, "attachments": attachments is not None}
    endpoints = Endpoints(chatkit, api, sign_in, Assets(), published, around.models, features, attachments)
    app = protected(
        Starlette(routes=endpoints.routes()),
        public_url=settings.gateway_url,
        hosts=settings.hosts,
        origins=settings.origins,
        headers=["X-Taskgate-Client", "X-Taskgate-Page"],
        body_limit=BODY_LIMIT,
        larger={
            **(UPLOADS if attachments is not None else {}),
            **({("POST", "/chatkit"): SPEECH_LIMIT} if around.dictation.is_on else {}),
        },
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
        limits = settings.chat_limits
        key = settings.model_key.get_secret_value() if settings.model_key is not None else ""
        models = await choose(
            settings.model,
            settings.model_url,
            key,
            first_s=limits.model_first_s,
            silence_s=limits.model_silence_s,
            choices=settings.model_choices,
            fallback=settings.model_fallback,
        )
        stack.push_async_callback(models.close)
        dictation = Dictation(
            client_of(settings.model_url, key, read_s=limits.model_silence_s), settings.transcription_model
        )
        s3_key = settings.s3_key.get_secret_value() if settings.s3_key is not None else ""
        keeping = open_keeping(settings.attachments, http, s3_key)
        await stack.enter_async_context(kept_tidy(database, settings.kept, keeping))
        log.info("model chosen", extra={"model": models.default.label})
        around = Surroundings(connection, models, dictation, keeping, issuer)
        drain, running = Drain(), Running()
        settle()
        await serve(
            create_app(settings, database, verifier, around, drain, running),
            bind=settings.bind,
            fd=fd,
            drain=drain,
            drain_s=settings.drain_s,
            notice_s=0 if settings.env == "dev" else 3,
            finish=running.finish_or_stop,
        )
