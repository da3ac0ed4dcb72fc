"""The one address of ChatKit: every request is checked in full before a byte of it is stored or answered."""

from typing import Any, Final

from chatkit.types import (
    AttachmentsCreateReq,
    AttachmentsDeleteReq,
    InputTranscribeReq,
    ItemsListReq,
    ThreadMetadata,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsGetByIdReq,
    ThreadsRetryAfterItemReq,
    ThreadsSyncCustomActionReq,
    ThreadsUpdateReq,
    is_streaming_req,
)
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.answer import Answer
from gateway.answering.running import Running
from gateway.answering.stream import EventStream
from gateway.attachments import Attachments
from gateway.beginning import Beginning, require_card
from gateway.chat import TaskChat
from gateway.dictation import Dictation, read_body
from gateway.endpoints.page_context import client_tools_of, page_of, zone_of
from gateway.endpoints.requests import measured, parsed
from gateway.limits import ChatLimits
from gateway.login import SignIn, permitted
from gateway.store import Leases, ThreadStore
from gateway.turn import Turn
from gateway.usage import Usage
from gateway.words import language_of
from shared.asgi import Drain
from shared.errors import Problem
from shared.telemetry import REQUEST_ID

BODY_LIMIT: Final = 256 * 1024
# Requests after which the model answers, which is what costs something.
ANSWERED_BY_A_MODEL: Final = (
    ThreadsCreateReq,
    ThreadsAddUserMessageReq,
    ThreadsRetryAfterItemReq,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
)


class ChatKitEndpoint:
    """POST /chatkit."""

    def __init__(
        self,
        chat: TaskChat,
        sign_in: SignIn,
        running: Running,
        leases: Leases,
        beginning: Beginning,
        usage: Usage,
        dictation: Dictation,
        attachments: Attachments | None,
        limits: ChatLimits,
        drain: Drain,
    ) -> None:
        self._chat = chat
        self._store: ThreadStore = chat.store
        self._sign_in = sign_in
        self._running = running
        self._leases = leases
        self._beginning = beginning
        self._usage = usage
        self._dictation = dictation
        self._attachments = attachments
        self._limits = limits
        self._drain = drain

    async def answer(self, request: Request) -> Response:
        """One request of a ChatKit client."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem("wrong_type", "the body is not JSON", "send Content-Type: application/json")
        # Who asks comes first: only for somebody who is signed in do we keep a whole recording.
        turn = await self.turn(request)
        body = await read_body(request, BODY_LIMIT, takes_speech=self._dictation.is_on)
        asked = parsed(body)
        if len(body) > BODY_LIMIT and not isinstance(asked, InputTranscribeReq):
            raise Problem("too_big", "the request is too large", "send less at a time")
        measured(asked, self._limits)
        turn = turn.on_page(page_of(request, asked.metadata), zone_of(asked.metadata), client_tools_of(asked.metadata))
        if is_streaming_req(asked):
            return await self._stream(asked, turn, ping=request.headers.get("x-taskgate-client") == "page")
        return Response(await self._reply(asked, turn), media_type="application/json")

    async def turn(self, request: Request) -> Turn:
        """Who asks, in which language."""
        caller_now = self._sign_in.caller_now(request)
        return Turn(
            caller=permitted(await caller_now()),
            caller_now=caller_now,
            request_id=REQUEST_ID.get(),
            language=language_of(request.headers.get("accept-language")),
            visible_only=True,
        )

    async def _stream(self, asked: Any, turn: Turn, *, ping: bool) -> Response:
        if self._drain.draining:
            raise Problem("unavailable", "the service is restarting", "try again in a moment")
        if isinstance(asked, ThreadsCreateReq):
            turn = turn.beginning(self._store.generate_thread_id(turn))
            thread_id = turn.new_thread_id
        else:
            thread_id = asked.params.thread_id
            require_open(await self._store.load_thread(thread_id, turn))
        if isinstance(asked, ThreadsCreateReq | ThreadsAddUserMessageReq) and asked.params.input.attachments:
            await self._files.check(asked.params.input.attachments, thread_id, turn)
        answer = Answer()
        if isinstance(asked, ANSWERED_BY_A_MODEL) and (await self._usage.before(turn)).near:
            answer.warning = turn.say("You have used most of what the assistant may do for you today.")
        streaming = turn.answered_by(answer)
        await self._leases.take(thread_id, streaming)
        try:
            answer.opening = await self._beginning.prepare(asked, streaming)
        except BaseException:
            await self._leases.release(thread_id, streaming)
            raise
        events = self._chat.events(asked, streaming)
        self._running.start(events, answer, self._leases, thread_id, streaming, self._limits.turn_s)
        return EventStream(answer, ping=ping)

    async def _reply(self, asked: Any, turn: Turn) -> bytes:
        match asked:
            case ThreadsUpdateReq():
                # Not the SDK's way: it would write the whole thread back as it was before.
                title = " ".join(asked.params.title.split())
                thread: ThreadMetadata = await self._store.rename(asked.params.thread_id, title, turn)
                return self._chat.as_response(thread)
            case ThreadsSyncCustomActionReq():
                require_open(await self._store.load_thread(asked.params.thread_id, turn))
                require_card(await self._store.load_item(asked.params.thread_id, asked.params.item_id or "", turn))
            case ThreadsGetByIdReq() | ItemsListReq():
                await self._leases.recover(asked.params.thread_id, turn)
            case AttachmentsCreateReq() | AttachmentsDeleteReq():
                return await self._files.answer(asked, turn)
            case InputTranscribeReq():
                await self._usage.before(turn)
                heard = await self._dictation.transcribe(asked.params)
                return heard.model_dump_json().encode()
        return await self._chat.reply(asked, turn)

    @property
    def _files(self) -> Attachments:
        if self._attachments is None:
            raise Problem("disabled", "attachments are not offered here", "paste the text instead")
        return self._attachments


def require_open(thread: ThreadMetadata) -> None:
    """Refuse what a locked or closed conversation does not take."""
    match thread.status.type:
        case "locked":
            raise Problem("conflict", "this conversation is locked", "start another one")
        case "closed":
            raise Problem("conflict", "this conversation is closed", "start another one")
