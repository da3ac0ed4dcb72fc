"""HTTP to `Turn` and back: who asks, whether he may, whether it exists; only then the conversation is touched.

After the first byte of a stream nothing can be refused any more, so every check comes before it.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from chatkit.store import NotFoundError
from chatkit.types import (
    ItemsListReq,
    ThreadMetadata,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsRetryAfterItemReq,
    ThreadsUpdateReq,
    UserMessageInput,
    is_streaming_req,
)
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.assets import Assets
from gateway.chat import REQUEST, TaskChat
from gateway.login import NotSignedIn, SignIn, permitted
from gateway.running import Answer, EventStream, Running
from gateway.store import ThreadStore
from gateway.turn import CallerNow, Turn
from shared.asgi import Drain, problem_response
from shared.errors import Problem
from shared.telemetry import REQUEST_ID
from shared.tokens import Caller

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

TEXT_LIMIT: Final = 16_000
PARTS_LIMIT: Final = 50
QUOTE_LIMIT: Final = 2_000
TITLE_LIMIT: Final = 200
PAGE_KEYS: Final = ("url", "title", "headings", "selection", "entities")
PAGE_VALUE_LIMIT: Final = 2_000
SERVED: Final = (
    ItemsListReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsRetryAfterItemReq,
    ThreadsUpdateReq,
)


class Endpoints:
    """What the gateway answers over HTTP."""

    def __init__(
        self,
        chat: TaskChat,
        sign_in: SignIn,
        running: Running,
        drain: Drain,
        assets: Assets,
        published: Mapping[str, Mapping[str, Any]],
        model: str,
    ) -> None:
        self._chat = chat
        self._store: ThreadStore = chat.store
        self._sign_in = sign_in
        self._running = running
        self._drain = drain
        self._assets = assets
        self._published = dict(published)
        self._model = model

    def routes(self) -> list[BaseRoute]:
        """Every route, each with its problems turned into answers."""
        to_the_issuer = [
            Route("/auth/login", _answering(self._sign_in.begin), methods=["GET"]),
            Route("/auth/callback", _answering(self._sign_in.finish), methods=["GET"]),
        ]
        return [
            *(to_the_issuer if self._sign_in.has_issuer else ()),
            Route("/", _answering(self._assets.start_page), methods=["GET"]),
            Route("/page/{name}", _answering(self._assets.file), methods=["GET"]),
            Route("/chatkit", _answering(self._chatkit), methods=["POST"]),
            Route("/auth/me", _answering(self._me), methods=["GET"]),
            Route("/auth/session", _answering(self._sign_in.start_session), methods=["POST"]),
            Route("/auth/logout", _answering(self._sign_in.end_session), methods=["POST"]),
            Route("/.well-known/{name}", _answering(self._known), methods=["GET"]),
        ]

    async def _me(self, request: Request) -> Response:
        return await self._sign_in.me(request, self._model)

    async def _known(self, request: Request) -> Response:
        """What the tool server may read of the issuer that we are for it."""
        found = self._published.get(request.path_params["name"])
        if found is None:
            raise Problem("not_found", "there is no such document")
        return JSONResponse(found, headers={"Cache-Control": "max-age=60"})

    async def _chatkit(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem("wrong_type", "the body is not JSON", "send Content-Type: application/json")
        body = await request.body()
        caller_now = self._sign_in.caller_now(request)
        caller = permitted(await caller_now())
        asked = _parsed(body)
        if not isinstance(asked, SERVED):
            raise Problem("disabled", f"{asked.type} is not offered here")
        turn = _turn(caller, caller_now, asked.metadata)
        try:
            if is_streaming_req(asked):
                return await self._stream(asked, turn, ping=request.headers.get("x-taskgate-client") == "page")
            return Response(await self._reply(asked, turn), media_type="application/json")
        except NotFoundError:
            raise Problem("not_found", "there is no such conversation or message") from None

    async def _stream(self, asked: Any, turn: Turn, *, ping: bool) -> Response:
        if self._drain.draining:
            raise Problem("unavailable", "the service is restarting", "try again in a moment")
        if isinstance(asked, ThreadsCreateReq | ThreadsAddUserMessageReq):
            _require_message(asked.params.input)
        if isinstance(asked, ThreadsAddUserMessageReq | ThreadsRetryAfterItemReq):
            _require_open(await self._store.load_thread(asked.params.thread_id, context=turn))
        if isinstance(asked, ThreadsRetryAfterItemReq):
            await self._make_room(asked, turn)
        answer = Answer()
        streaming = turn.answered_by(answer)
        self._running.start(self._chat.events(asked, streaming), answer)
        return EventStream(answer, ping=ping)

    async def _reply(self, asked: Any, turn: Turn) -> bytes:
        if isinstance(asked, ThreadsUpdateReq):
            title = " ".join(asked.params.title.split())
            if not 1 <= len(title) <= TITLE_LIMIT:
                raise Problem("bad_argument", "a title has 1 to 200 characters", "choose another")
            # Not the SDK's way: it would write the whole thread back as it was before.
            thread: ThreadMetadata = await self._store.rename(asked.params.thread_id, title, turn)
            return thread.model_dump_json(exclude_none=True, exclude={"metadata"}).encode()
        return await self._chat.reply(asked, turn)

    async def _make_room(self, asked: ThreadsRetryAfterItemReq, turn: Turn) -> None:
        """Remove what followed the message that is to be answered again. The SDK would do it one row at a time."""
        item = await self._store.load_item(asked.params.thread_id, asked.params.item_id, context=turn)
        if item.type != "user_message":
            raise Problem("bad_argument", "only a message of yours can be answered again", "choose one")
        await self._store.truncate_after(asked.params.thread_id, item.id, turn)


def _answering(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except NotSignedIn as problem:
            log.info("refused", extra={"code": problem.code})
            where = {"login": problem.login} if problem.login else {}
            return problem_response(problem, {"WWW-Authenticate": problem.challenge}, where)
        except Problem as problem:
            log.info("refused", extra={"code": problem.code})
            return problem_response(problem, headers=_advice(problem))
        except ClientDisconnect:
            return Response(status_code=400)

    return answer


def _advice(problem: Problem) -> dict[str, str]:
    return {"Retry-After": "2"} if problem.code in {"busy", "unavailable"} else {}


def _parsed(body: bytes) -> Any:
    try:
        return REQUEST.validate_json(body)
    except ValidationError as error:
        broken = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if broken["type"] == "json_invalid":
            raise Problem("bad_request", "the body is not JSON", "send a ChatKit request") from None
        place = ".".join(str(step) for step in broken["loc"][1:])[:80]
        raise Problem("bad_request", "this is no ChatKit request we know", f"check {place or 'type'}") from None


def _turn(caller: Caller, caller_now: CallerNow, metadata: Mapping[str, Any]) -> Turn:
    return Turn(
        caller=caller,
        caller_now=caller_now,
        request_id=REQUEST_ID.get(),
        page=_page(metadata.get("page")),
        time_zone=_zone(metadata.get("time_zone")),
        visible_only=True,
    )


def _page(sent: object) -> dict[str, Any]:
    """What we want to know of the page the person looks at; the rest is dropped without a word."""
    if not isinstance(sent, Mapping):
        return {}
    page: dict[str, Any] = {}
    for key in PAGE_KEYS:
        match sent.get(key):
            case str(text) if text:
                page[key] = (text.partition("?")[0].partition("#")[0] if key == "url" else text)[:PAGE_VALUE_LIMIT]
            case list(values):
                page[key] = [value[:200] for value in values[:PARTS_LIMIT] if isinstance(value, str)]
    return page


def _zone(sent: object) -> str:
    if not isinstance(sent, str) or not sent or len(sent) > 64:
        return ""
    try:
        return ZoneInfo(sent).key
    except (ValueError, OSError, KeyError):
        return ""


def _require_message(message: UserMessageInput) -> None:
    text = "".join(part.text for part in message.content)
    if not text.strip():
        raise Problem("missing_argument", "the message is empty", "write something")
    if len(text) > TEXT_LIMIT:
        raise Problem("too_long", f"the message has {len(text):,} characters", f"at most {TEXT_LIMIT:,}")
    if len(message.content) > PARTS_LIMIT or len(message.quoted_text or "") > QUOTE_LIMIT:
        raise Problem("too_long", "the message has too many parts or too long a quote", "shorten it")
    if message.attachments:
        raise Problem("disabled", "attachments are not offered here", "paste the text instead")


def _require_open(thread: ThreadMetadata) -> None:
    if thread.status.type != "active":
        raise Problem("conflict", f"this conversation is {thread.status.type}", "start another one")
