"""Thread items become what the model reads: newest first within a budget, cut only at a question.

When the budget is used up, the older part goes at once, down to well below it: what remains begins at the same place
for many turns, and the caches of providers hit.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, cast
from zoneinfo import ZoneInfo

from agents import TResponseInputItem
from chatkit.agents import ThreadItemConverter
from chatkit.types import (
    AssistantMessageItem,
    Attachment,
    ClientToolCallItem,
    GeneratedImageItem,
    HiddenContextItem,
    SDKHiddenContextItem,
    StructuredInput,
    StructuredInputItem,
    TaskItem,
    ThreadItem,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
    WidgetItem,
    WorkflowItem,
)
from openai.types.responses import EasyInputMessageParam, ResponseFunctionToolCallParam, ResponseInputContentParam
from openai.types.responses.response_input_item_param import FunctionCallOutput, Message

from gateway.turn import Turn

BYTES_PER_TOKEN: Final = 3.5
KEPT_OF_BUDGET: Final = 0.6
PAGE_OUTPUT_LIMIT: Final = 16_384
# Whose task it is may stand before a colon.
TASK_ID: Final = re.compile(r"""(?:[^":|,/<>\x00-\x1f]{1,60}:)?T[0-9]{1,15}""")
LIST_TAG: Final = "list:"


class Files(Protocol):
    """What reads attachments."""

    async def as_input(self, attachment: Attachment, turn: Turn) -> Sequence[ResponseInputContentParam]:
        """An attachment as parts of a message."""
        ...


class Converter(ThreadItemConverter):
    """One thread item as model input. Text of the person's or of others is never more than quoted data."""

    def __init__(self, turn: Turn, newest_question: str, files: Files | None) -> None:
        self._turn = turn
        self._newest_question = newest_question
        self._files = files

    async def user_message_to_input(
        self, item: UserMessageItem, is_last_message: bool = True
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        # Not the SDK's way: it forgets the quote as soon as the message is no longer the last one.
        text = "".join(_words(part) for part in item.content)
        if item.quoted_text:
            text = f"{note('QUOTE', item.quoted_text)}\n{text}"
        parts: list[ResponseInputContentParam] = []
        for attachment in item.attachments:
            if self._files is not None and item.id == self._newest_question:
                parts += await self._files.as_input(attachment, self._turn)
            else:
                text = f"{note('FILE', f'{attachment.id} {attachment.name}')}\n{text}"
        return Message(type="message", role="user", content=[*parts, {"type": "input_text", "text": text}])

    async def assistant_message_to_input(
        self, item: AssistantMessageItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        # Not the SDK's way: servers that only know Chat Completions are never sent a part of its kind.
        text = "".join(part.text for part in item.content)
        return EasyInputMessageParam(type="message", role="assistant", content=text)

    async def hidden_context_to_input(
        self, item: HiddenContextItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        if isinstance(item.content, dict) and isinstance(item.content.get("run_items"), list):
            return cast("list[TResponseInputItem]", item.content["run_items"])
        return _user(note("NOTE", str(item.content)))

    async def sdk_hidden_context_to_input(
        self, item: SDKHiddenContextItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        return _user(note("NOTE", item.content))

    async def widget_to_input(self, item: WidgetItem) -> TResponseInputItem | list[TResponseInputItem] | None:
        return _user(note("SHOWN", item.copy_text)) if item.copy_text else None

    async def client_tool_call_to_input(
        self, item: ClientToolCallItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        if item.status == "pending":
            return None
        output = json.dumps(item.output, ensure_ascii=False, default=str)
        return _call_and_output(item.call_id, item.name, json.dumps(item.arguments), output, PAGE_OUTPUT_LIMIT)

    async def structured_input_to_input(
        self, item: StructuredInputItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        asked = [f"{question.question} -> {_answer_to(question)}" for question in item.inputs]
        return _user(note("ASKED", "\n".join(asked)))

    async def generated_image_to_input(
        self, item: GeneratedImageItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        return _user(note("SHOWN", "an image"))

    async def task_to_input(self, item: TaskItem) -> TResponseInputItem | list[TResponseInputItem] | None:
        return None

    async def workflow_to_input(self, item: WorkflowItem) -> TResponseInputItem | list[TResponseInputItem] | None:
        return None  # its steps stand in the run items already


async def model_input(
    remembered: Sequence[ThreadItem], turn: Turn, now: datetime, mode: str = "", files: Files | None = None
) -> list[TResponseInputItem]:
    """The conversation, oldest item first, with what is true at this moment before the last question."""
    newest = next((item.id for item in reversed(remembered) if isinstance(item, UserMessageItem)), "")
    converter = Converter(turn, newest, files)
    flat: list[TResponseInputItem] = []
    last = 0
    for item in remembered:
        if item.id == newest:
            last = len(flat)
        flat += await converter.to_agent_input(item)
    here = [_user(moment(turn, now))]
    if mode:
        here.append(_user(f"<MODE>{mode}</MODE>"))
    return [*flat[:last], *here, *flat[last:]]


def within_budget(newest_first: Sequence[ThreadItem], budget: int) -> tuple[list[ThreadItem], str | None]:
    """What the model still remembers, oldest first; and where it begins from now on, when that place has moved.

    It begins at a question, so that no answer stands without one, and no tool's output without its call. The newest
    question is always kept, however long it is.
    """
    if _fits(newest_first, budget) == len(newest_first):
        return list(reversed(newest_first)), None
    kept = _fits(newest_first, budget * KEPT_OF_BUDGET)
    oldest_first = list(reversed(newest_first[:kept]))
    return oldest_first, oldest_first[0].id if oldest_first else None


def _fits(newest_first: Sequence[ThreadItem], budget: float) -> int:
    """How many of the newest items fit, counted up to the oldest question among them."""
    size, fitting = 0.0, 0
    for index, item in enumerate(newest_first):
        size += _tokens(item)
        if size > budget and fitting:
            return fitting
        if isinstance(item, UserMessageItem):
            fitting = index + 1
    return fitting or len(newest_first)


def run_item(call_id: str, name: str, arguments: str, output: str, limit: int) -> dict[str, Any]:
    """What a hidden item keeps of one tool call. Without the model's own item ids: another model may read it."""
    return {"run_items": _call_and_output(call_id, name, arguments, output, limit)}


def _call_and_output(call_id: str, name: str, arguments: str, output: str, limit: int) -> list[TResponseInputItem]:
    if len(output) > limit:
        output = f"{output[:limit]}\n[cut: {len(output) - limit:,} more characters]"
    return [
        ResponseFunctionToolCallParam(type="function_call", call_id=call_id, name=name, arguments=arguments),
        FunctionCallOutput(type="function_call_output", call_id=call_id, output=output),
    ]


def moment(turn: Turn, now: datetime) -> str:
    """Now, the person's zone and the page they look at: for this turn only, never stored, never instructions."""
    zone = ZoneInfo(turn.time_zone) if turn.time_zone else UTC
    here: dict[str, Any] = {"now": f"{now.astimezone(zone):%A %Y-%m-%d %H:%M}", "time_zone": turn.time_zone or "UTC"}
    if turn.page:
        here["page"] = turn.page
    return note("PAGE_CONTEXT", json.dumps(here, ensure_ascii=False))


def note(kind: str, text: str) -> str:
    """Text that is data: it cannot close the mark it stands in."""
    return f"<{kind}>{text.replace('<', '&lt;')}</{kind}>"


def _words(part: UserMessageTextContent | UserMessageTagContent) -> str:
    """A piece of a message. Of a tag the id counts; what the client says besides about the thing is not asked for."""
    if isinstance(part, UserMessageTextContent):
        return part.text
    if TASK_ID.fullmatch(part.id):
        return f'@{part.text} <TASK id="{part.id}"/>'
    if part.id.startswith(LIST_TAG):
        return f"@{part.text} {note('LIST', part.id.removeprefix(LIST_TAG))}"
    return f"@{part.text}"


def _answer_to(question: StructuredInput) -> str:
    answer = question.answer
    if answer is None:
        return "not answered"
    return "skipped" if answer.skipped or not answer.values else ", ".join(answer.values)


def _tokens(item: ThreadItem) -> float:
    match item:
        case UserMessageItem():
            text = "".join(part.text for part in item.content) + (item.quoted_text or "")
        case ClientToolCallItem():
            text = json.dumps(item.output, default=str)
        case StructuredInputItem():
            text = "".join(question.question + _answer_to(question) for question in item.inputs)
        case AssistantMessageItem():
            text = "".join(part.text for part in item.content)
        case HiddenContextItem():
            text = json.dumps(item.content, default=str)
        case WidgetItem():
            text = item.copy_text or ""
        case _:
            text = ""
    return len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN


def _user(text: str) -> TResponseInputItem:
    return Message(type="message", role="user", content=[{"type": "input_text", "text": text}])
