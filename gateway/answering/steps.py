"""What happens around each tool call of an answer: the step people see, the record the model keeps, effects and cards.

A hook that raised would make the model repeat a write that succeeded, so none ever does.
"""

import logging
from collections.abc import Awaitable
from typing import Any

from agents import RunContextWrapper, RunHooks
from agents import Tool as AgentTool
from agents.tool_context import ToolContext
from chatkit.types import (
    ClientEffectEvent,
    CustomSummary,
    CustomTask,
    NoticeEvent,
    ProgressUpdateEvent,
    ThreadItemDoneEvent,
)

from gateway.answering.answer import Answer
from gateway.answering.cards import Cards
from gateway.answering.context import AnswerContext
from gateway.approvals import WAITING
from gateway.history import run_item
from gateway.toolbox import Finished
from gateway.widgets import effect

log = logging.getLogger(__name__)


class Steps(RunHooks[AnswerContext]):
    """The tool calls of one answer."""

    def __init__(self, context: AnswerContext, answer: Answer, cards: Cards, output_limit: int) -> None:
        self._context = context
        self._answer = answer
        self._cards = cards
        self._output_limit = output_limit
        self._started: dict[str, tuple[str, str, str]] = {}
        self._tasks: dict[str, CustomTask] = {}
        self._told_that_away = False

    @property
    def unfinished(self) -> list[tuple[str, str, str]]:
        """Call id, tool and arguments of the calls that began and did not end."""
        return list(self._started.values())

    async def on_tool_start(self, context: RunContextWrapper[AnswerContext], agent: Any, tool: AgentTool) -> None:
        await _quietly(self._begin(context, tool))

    async def on_tool_end(
        self, context: RunContextWrapper[AnswerContext], agent: Any, tool: AgentTool, result: object
    ) -> None:
        await _quietly(self._end(context, tool, result))

    async def _begin(self, context: RunContextWrapper[AnswerContext], tool: AgentTool) -> None:
        if not isinstance(context, ToolContext) or self._context.toolbox.described(tool.name) is None:
            return
        call_id = context.tool_call_id
        self._started[call_id] = (call_id, tool.name, context.tool_arguments)
        title = self._title(tool.name)
        await self._context.stream(ProgressUpdateEvent(text=f"{title}..."))
        self._tasks[call_id] = CustomTask(title=title, status_indicator="loading")
        await self._context.add_workflow_task(self._tasks[call_id])
        if self._context.workflow_item is not None:
            # Set at once: whoever closes the workflow finds it, also the SDK.
            count = len(self._context.workflow_item.workflow.tasks)
            summary = self._context.turn.say(("{count} step", "{count} steps"), count=count)
            self._context.workflow_item.workflow.summary = CustomSummary(title=summary)
        self._answer.checkpoint.set()

    async def _end(self, context: RunContextWrapper[AnswerContext], tool: AgentTool, result: object) -> None:
        if not isinstance(context, ToolContext) or (call := self._started.pop(context.tool_call_id, None)) is None:
            return
        # First of all the record: it is what the model remembers.
        record = run_item(*call, text_of(result), self._output_limit)
        await self._context.stream(ThreadItemDoneEvent(item=self._context.hidden(record)))
        finished = self._context.toolbox.finished(call[0])
        title = self._title(tool.name)
        if finished is None or finished.result.is_error:
            title = self._context.turn.say("{title} failed", title=title)
        elif text_of(result) == WAITING:
            title = self._context.turn.say("{title}: waiting for you", title=title)
        await self._close_step(call[0], title)
        if finished is not None:
            await self._show(finished)

    async def _show(self, finished: Finished) -> None:
        if finished.away and not self._told_that_away:
            self._told_that_away = True
            message = self._context.turn.say("Tasks cannot be reached at the moment. The conversation goes on.")
            await self._context.stream(NoticeEvent(level="warning", message=message))
        if finished.result.is_error:
            return
        described = self._context.toolbox.described(finished.tool)
        if described is not None and (changed := effect(described, finished.result)) is not None:
            await self._context.stream(ClientEffectEvent(name="tasks.changed", data=changed))
        self._cards.take(finished.tool, finished.arguments, finished.result)

    async def _close_step(self, call_id: str, title: str) -> None:
        task = self._tasks.pop(call_id, None)
        workflow = self._context.workflow_item
        if task is None or workflow is None or task not in workflow.workflow.tasks:
            return
        done = CustomTask(title=title, status_indicator="complete")
        index = next(index for index, other in enumerate(workflow.workflow.tasks) if other is task)
        await self._context.update_workflow_task(done, index)

    def _title(self, tool: str) -> str:
        return self._context.toolbox.title(tool)


async def _quietly(doing: Awaitable[None]) -> None:
    try:
        await doing
    except Exception:
        log.exception("what happened around a tool call was not shown")


def text_of(result: object) -> str:
    """What the model was given as the tool's output."""
    match result:
        case str():
            return result
        case {"text": str(text)}:
            return text
        case list():
            return "\n".join(text_of(part) for part in result)
    return str(getattr(result, "text", result))
