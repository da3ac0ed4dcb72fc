"""The ChatKit server: a message comes in, the agent answers, and what people saw is what is stored."""

import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import chatkit.agents
import chatkit.server
from agents import MaxTurnsExceeded, RunConfig, RunContextWrapper, RunHooks, Runner
from agents import Tool as AgentTool
from agents.tool_context import ToolContext
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.store import StoreItemType
from chatkit.types import (
    AssistantMessageItem,
    ChatKitReq,
    HiddenContextItem,
    NoticeEvent,
    ProgressUpdateEvent,
    StreamingReq,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)
from pydantic import TypeAdapter

from gateway.agent import Assistant, ChatAgent
from gateway.connection import Connection
from gateway.history import model_input, run_item
from gateway.running import LEFT, Answer
from gateway.store import ThreadStore
from gateway.toolbox import UNKNOWN_OUTCOME, SignInNeeded, Toolbox, ToolFront
from gateway.turn import Turn
from shared.db import clock
from shared.errors import Problem
from shared.tokens import Signer

log = logging.getLogger(__name__)

# Built once: the SDK builds it on every request, two milliseconds in which the process answers nobody.
REQUEST: Final[TypeAdapter[ChatKitReq]] = TypeAdapter(ChatKitReq)
MAX_STEPS: Final = 12
TITLE_LENGTH: Final = 60


class UtcDatetime(datetime):
    """The SDK's clock with a zone: its own is naive, and browsers would show the server's local time as theirs."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz or UTC)


def use_utc() -> None:
    """Give the SDK that clock. Once per process, when the application is built."""
    for module in (chatkit.server, chatkit.agents):
        module.datetime = UtcDatetime  # type: ignore[attr-defined]


class TaskChat(ChatKitServer[Turn]):
    """Conversations about tasks."""

    store: ThreadStore

    def __init__(
        self,
        store: ThreadStore,
        assistant: Assistant,
        front: ToolFront,
        connection: Connection,
        signer: Signer,
        audience: str,
    ) -> None:
        super().__init__(store)
        self._assistant = assistant
        self._front = front
        self._connection = connection
        self._signer = signer
        self._audience = audience

    def events(self, request: StreamingReq, turn: Turn) -> AsyncIterator[bytes]:
        """The answer to a request that streams. Whatever may refuse it has been asked before."""
        return self._process_streaming(request, turn)

    async def reply(self, request: Any, turn: Turn) -> bytes:
        """The answer to a request that does not stream."""
        return await self._process_non_streaming(request, turn)

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Turn
    ) -> AsyncIterator[ThreadStreamEvent]:
        turn, answer = context, context.answer
        assert answer is not None  # every streaming request has one
        if input_user_message is not None and thread.title is None:
            thread.title = title_of(input_user_message)
        thread.allowed_image_domains = []
        # Without the parameter: with it, pydantic would take the turn apart and build another one.
        agent_context: AgentContext[Turn] = AgentContext(thread=thread, store=self.store, request_context=turn)
        anchor = f"{thread.id} {input_user_message.id if input_user_message else turn.id}"
        toolbox = Toolbox(self._connection, self._signer, self._audience, turn, anchor)
        tools = _ToolLog(agent_context, toolbox)
        failure: CustomStreamError | None = None
        self._front.admit(turn.id, toolbox)
        try:
            agent, notice = await self._agent_for(toolbox)
            if notice is not None:
                yield notice
            async for event in self._written(agent, agent_context, answer, tools):
                yield event
        except Exception as error:  # noqa: BLE001 (it becomes the last event, and is logged there)
            failure = _failure(error, turn)
        finally:
            self._front.dismiss(turn.id)
        for item in self._left_over(agent_context, answer, tools, failed=failure is not None):
            yield ThreadItemDoneEvent(item=item)
        if answer.reason is not None and answer.reason != LEFT:
            raise CustomStreamError("The service is restarting. Please try again in a moment.", allow_retry=True)
        if failure is not None and answer.reason is None:
            raise failure

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Turn
    ) -> None:
        """Nothing is left to do: a stopped answer ends on the ordinary path, in its own task."""
        log.info("an answer's task was cancelled")

    async def _agent_for(self, toolbox: Toolbox) -> tuple[ChatAgent, NoticeEvent | None]:
        try:
            tools = await toolbox.tools()
        except Problem as problem:
            away = NoticeEvent(level="warning", message=f"Tasks are unavailable: {problem.message}. Chat goes on.")
            return self._assistant.without_tools(), away
        return await self._assistant.with_tools(tools, self._connection.instructions), None

    async def _written(
        self, agent: ChatAgent, context: AgentContext[Turn], answer: Answer, tools: "_ToolLog"
    ) -> AsyncIterator[ThreadStreamEvent]:
        recent = await self.store.recent(context.thread.id, context.request_context)
        run = answer.run = Runner.run_streamed(
            agent,
            await model_input(recent, context.request_context, clock()),
            context=context,
            max_turns=MAX_STEPS,
            hooks=tools,
            run_config=RunConfig(tracing_disabled=True),
        )
        if answer.reason is not None:
            run.cancel()
        try:
            async for event in with_own_ids(stream_agent_response(context, run), context.generate_id):
                answer.follow(event)
                yield event
        finally:
            run.cancel()
            # After a failure a task of the SDK still waits for an event of ours; an unread one lets it end in peace.
            await context.stream(ProgressUpdateEvent(text=""))

    def _left_over(
        self, context: AgentContext[Turn], answer: Answer, tools: "_ToolLog", *, failed: bool
    ) -> list[ThreadItem]:
        """What an answer that did not end by itself leaves: the text seen, the tools that were cut, and why."""
        items: list[ThreadItem] = []
        if answer.partial is not None and any(part.text.strip() for part in answer.partial.content):
            items.append(answer.partial)
        items += [hidden(context, run_item(*call, UNKNOWN_OUTCOME)) for call in tools.unfinished]
        if answer.reason == LEFT:
            items.append(hidden(context, "The user stopped this answer."))
        elif answer.reason is not None:
            items.append(hidden(context, "This answer was interrupted by a restart."))
        elif failed:
            items.append(hidden(context, "This answer failed before its end."))
        return items


class _ToolLog(RunHooks[AgentContext[Turn]]):
    """Writes each tool call into the thread the moment it ends: that is the model's memory of it.

    A hook that raised would make the model repeat a write that succeeded, so none ever does.
    """

    def __init__(self, context: AgentContext[Turn], toolbox: Toolbox) -> None:
        self._context = context
        self._toolbox = toolbox
        self._started: dict[str, tuple[str, str, str]] = {}

    @property
    def unfinished(self) -> list[tuple[str, str, str]]:
        """Call id, tool and arguments of the calls that began and did not end."""
        return list(self._started.values())

    async def on_tool_start(self, context: RunContextWrapper[AgentContext[Turn]], agent: Any, tool: AgentTool) -> None:
        try:
            if isinstance(context, ToolContext):
                self._started[context.tool_call_id] = (context.tool_call_id, tool.name, context.tool_arguments)
            await self._context.stream(ProgressUpdateEvent(text=f"{self._toolbox.title(tool.name)}..."))
        except Exception:
            log.exception("a tool's start was not shown")

    async def on_tool_end(
        self, context: RunContextWrapper[AgentContext[Turn]], agent: Any, tool: AgentTool, result: object
    ) -> None:
        try:
            if isinstance(context, ToolContext) and (call := self._started.pop(context.tool_call_id, None)):
                await self._context.stream(
                    ThreadItemDoneEvent(item=hidden(self._context, run_item(*call, _text_of(result))))
                )
        except Exception:
            log.exception("a tool's result was not kept")


def hidden(context: AgentContext[Turn], content: Any) -> HiddenContextItem:
    """An item for the model's eyes only."""
    return HiddenContextItem(
        id=context.generate_id("message"), thread_id=context.thread.id, created_at=clock(), content=content
    )


def title_of(message: UserMessageItem) -> str:
    """A title from the first message, cut at a word."""
    words = " ".join("".join(part.text for part in message.content).split())
    if len(words) <= TITLE_LENGTH:
        return words
    return words[:TITLE_LENGTH].rsplit(" ", 1)[0] + "..."


async def with_own_ids(
    events: AsyncIterator[ThreadStreamEvent], new_id: Callable[[StoreItemType], str]
) -> AsyncIterator[ThreadStreamEvent]:
    """The same events with our ids: some models call every message and every call by one and the same name."""
    ids: dict[str, str] = {}
    async for event in events:
        item: ThreadItem | None = getattr(event, "item", None)
        if isinstance(item, AssistantMessageItem):
            if event.type == "thread.item.added" or item.id not in ids:
                ids[item.id] = new_id("message")
            yield event.model_copy(update={"item": item.model_copy(update={"id": ids[item.id]})})
        elif item is not None and item.type == "client_tool_call":
            yield event.model_copy(update={"item": item.model_copy(update={"id": new_id("tool_call")})})
        elif (item_id := getattr(event, "item_id", None)) in ids:
            yield event.model_copy(update={"item_id": ids[item_id]})
        else:
            yield event


def _text_of(result: object) -> str:
    """What the model was given as the tool's output."""
    match result:
        case str():
            return result
        case {"text": str(text)}:
            return text
        case list():
            return "\n".join(_text_of(part) for part in result)
    return str(getattr(result, "text", result))


def _failure(error: BaseException, turn: Turn) -> CustomStreamError:
    """What the person hears of a broken answer. The SDK wraps what tools raise, so the cause is looked for."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SignInNeeded):
            return CustomStreamError("Your sign-in has ended. Sign in again.", allow_retry=True)
        if isinstance(cause, Problem):
            return CustomStreamError(f"{cause.message}. {cause.hint}".strip(), allow_retry=True)
        if isinstance(cause, MaxTurnsExceeded):
            return CustomStreamError("This took too many steps. Ask for a part of it.", allow_retry=True)
        cause = cause.__cause__
    log.error("an answer failed", exc_info=error)
    return CustomStreamError(f"The assistant could not finish its answer. ({turn.request_id})", allow_retry=True)
