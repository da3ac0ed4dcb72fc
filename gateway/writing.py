"""One answer from its first event to its last: the agent runs on the conversation as it is stored.

However it ends, nothing is half done: what was seen is kept, every tool call has a record, and the last event says what
happened and whether to try again.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from agents import RunConfig, Runner, TResponseInputItem
from chatkit.agents import stream_agent_response
from chatkit.errors import CustomStreamError
from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    HiddenContextItem,
    NoticeEvent,
    ProgressUpdateEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

from gateway import composer
from gateway.agent import Assistant, ChatAgent, narrowed
from gateway.answering.answer import Answer
from gateway.answering.cards import Cards
from gateway.answering.context import AnswerContext
from gateway.answering.ending import last_words, left_over
from gateway.answering.ids import with_own_ids
from gateway.answering.naming import Naming
from gateway.answering.steps import Steps
from gateway.asking import Asking
from gateway.front import ToolFront
from gateway.history import Files, model_input, within_budget
from gateway.limits import ChatLimits
from gateway.models import Choice, Models, refused_call, tokens_used
from gateway.sources import cited
from gateway.store import ThreadStore
from gateway.toolbox import SignInNeeded, Toolboxes
from gateway.turn import Turn
from gateway.usage import Usage
from gateway.widgets import named
from shared.db import clock
from shared.errors import Problem

# What happens before the model is asked: calls that waited for the person are made, or he is asked again.
Prelude = Callable[[AnswerContext, Cards], AsyncIterator[ThreadStreamEvent]]


@dataclass(frozen=True, slots=True)
class Rooms:
    """What answers stand on."""

    store: ThreadStore
    usage: Usage
    models: Models
    assistant: Assistant
    front: ToolFront
    toolboxes: Toolboxes
    asking: Asking
    files: Files | None
    limits: ChatLimits


class Writer:
    """Writes answers."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def answer(
        self, thread: ThreadMetadata, turn: Turn, *, title_from: str | None = None, first: Prelude | None = None
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Answer what the conversation ends with. With `title_from`, a question, it also gets a title."""
        rooms, answer = self._rooms, turn.answer
        assert answer is not None  # every streaming request has one
        for event in _opening(answer):
            yield event
        newest_first = await rooms.store.recent(thread.id, turn)
        toolbox = rooms.toolboxes.open(turn, _anchor(thread, newest_first, turn))
        context = AnswerContext(thread=thread, store=rooms.store, request_context=turn, toolbox=toolbox)
        cards = Cards(context)
        steps = Steps(context, answer, cards, rooms.limits.output)
        failure: Exception | None = None
        naming: Naming | None = None
        choice = rooms.models.default
        rooms.front.admit(turn.id, toolbox)
        try:
            agent, notice = await self._agent_for(context)
            if notice is not None:
                yield notice
            if first is not None:
                async for event in first(context, cards):
                    yield event
                newest_first = await rooms.store.recent(thread.id, turn)
            if not context.asked:
                choice, mode = self._chosen(newest_first)
                agent = narrowed(agent, mode.tools if mode is not None else None, turn.client_tools)
                start = await self._remembered(thread, newest_first, mode, turn)
                async for event in self._run(agent, start, context, answer, cards, steps, choice):
                    if title_from is not None and naming is None and answer.seen is not None:
                        # Only once there is an answer: nothing is asked about an empty turn.
                        naming = Naming(choice.model, title_from, turn)
                    yield event
            if toolbox.signed_out:
                raise SignInNeeded
            if answer.reason is None:
                await cards.read_again()
                for shown in await cards.due():
                    yield shown
                async for event in rooms.asking.pause(context):
                    yield event
        except Exception as error:  # noqa: BLE001 (it becomes the last event, and is logged there)
            failure = error
        finally:
            rooms.front.dismiss(turn.id)
            ended = failure is None and answer.reason is None
            if naming is not None and not ended:
                await naming.drop()
        for item in left_over(context, answer, steps, rooms.limits.output, failed=failure is not None):
            yield ThreadItemDoneEvent(item=item)
        tokens = await naming.finish(thread, rooms.store) if naming is not None and ended else 0
        if answer.run is not None and not choice.is_free:
            await rooms.usage.after(turn, tokens + tokens_used(answer.run))
        match last_words(answer, failure, turn):
            case CustomStreamError() as ending:
                raise ending
            case NoticeEvent() as ending:
                yield ending

    async def _run(
        self,
        agent: ChatAgent,
        start: list[TResponseInputItem],
        context: AnswerContext,
        answer: Answer,
        cards: Cards,
        steps: Steps,
        choice: Choice,
    ) -> AsyncIterator[ThreadStreamEvent]:
        """The run as events: our ids, sources under what it says, and cards before the text that speaks of them."""
        run = answer.run = Runner.run_streamed(
            agent,
            start,
            context=context,
            max_turns=self._rooms.limits.steps,
            hooks=steps,
            run_config=RunConfig(
                tracing_disabled=True,
                model=choice.model,
                # A tool that does not exist, or arguments that are none, come back to the model as text.
                tool_not_found_behavior="return_error_to_model",
                tool_error_formatter=refused_call,
            ),
        )
        if answer.reason is not None:
            run.cancel()
        try:
            async for event in with_own_ids(stream_agent_response(context, run), context):
                if _begins_text(event) or _asks_the_page(event):
                    for shown in await cards.due():
                        yield shown
                if isinstance(event, ThreadItemDoneEvent) and isinstance(event.item, AssistantMessageItem):
                    _cite(event.item, context)
                if isinstance(event, ThreadItemDoneEvent) and isinstance(event.item, ClientToolCallItem):
                    # The answer of the page is looked for at the very end of the conversation.
                    event.item.created_at = clock()
                answer.follow(event)
                yield event
        finally:
            run.cancel()
            # After a failure a task of the SDK still waits for an event of ours; an unread one lets it end in peace.
            await context.stream(ProgressUpdateEvent(text=""))

    async def _agent_for(self, context: AnswerContext) -> tuple[ChatAgent, NoticeEvent | None]:
        try:
            tools = await context.toolbox.tools()
        except Problem:
            words = context.turn.say("Tasks cannot be reached at the moment. The conversation goes on.")
            return self._rooms.assistant.without_tools(), NoticeEvent(level="warning", message=words)
        return await self._rooms.assistant.with_tools(tools, self._rooms.toolboxes.instructions), None

    def _chosen(self, newest_first: Sequence[ThreadItem]) -> tuple[Choice, composer.ComposerTool | None]:
        """The model and the way of working that the question asks for, if they are offered."""
        question = next((item for item in newest_first if isinstance(item, UserMessageItem)), None)
        if question is None:
            return self._rooms.models.default, None
        options = question.inference_options
        mode = options.tool_choice.id if options.tool_choice is not None else None
        return self._rooms.models.choose(options.model), composer.chosen(mode)

    async def _remembered(
        self,
        thread: ThreadMetadata,
        newest_first: Sequence[ThreadItem],
        mode: composer.ComposerTool | None,
        turn: Turn,
    ) -> list[TResponseInputItem]:
        """What the model reads of the conversation."""
        remembered, begins_at = within_budget(newest_first, self._rooms.limits.history)
        if begins_at is not None:
            await self._rooms.store.forget_before(thread.id, begins_at, turn)
        instruction = mode.instruction if mode is not None else ""
        return await model_input(remembered, turn, clock(), instruction, self._rooms.files)


def _opening(answer: Answer) -> list[ThreadStreamEvent]:
    """What the person sees, and the model is told, before anything else."""
    events: list[ThreadStreamEvent] = [
        ThreadItemDoneEvent(item=item) if isinstance(item, HiddenContextItem) else ThreadItemReplacedEvent(item=item)
        for item in answer.opening
    ]
    if answer.warning:
        events.append(NoticeEvent(level="info", message=answer.warning))
    return events


def _anchor(thread: ThreadMetadata, newest_first: Sequence[ThreadItem], turn: Turn) -> str:
    """What the calls of this answer are done once for: the newest thing that the person or the page has said."""
    said = next((item for item in newest_first if item.type in {"user_message", "client_tool_call"}), None)
    return f"{thread.id} {said.id if said is not None else turn.id}"


def _begins_text(event: ThreadStreamEvent) -> bool:
    return isinstance(event, ThreadItemAddedEvent) and isinstance(event.item, AssistantMessageItem)


def _asks_the_page(event: ThreadStreamEvent) -> bool:
    return isinstance(event, ThreadItemDoneEvent) and isinstance(event.item, ClientToolCallItem)


def _cite(message: AssistantMessageItem, context: AnswerContext) -> None:
    """Name the tasks that the text speaks of as its sources: those only that a tool returned in this answer."""
    known: dict[str, str] = {}
    for finished in context.toolbox.results:
        known |= named(finished.result)
    for part in message.content:
        part.annotations += cited(part.text, known)
