"""Thread items become what the model reads: newest first within a budget, cut only at a question."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from agents import TResponseInputItem
from chatkit.agents import ThreadItemConverter
from chatkit.types import (
    AssistantMessageItem,
    HiddenContextItem,
    SDKHiddenContextItem,
    ThreadItem,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
    WorkflowItem,
)
from openai.types.responses import EasyInputMessageParam
from openai.types.responses.response_input_item_param import Message

from gateway.turn import Turn

TOKENS_BUDGET: Final = 12_000
BYTES_PER_TOKEN: Final = 3.5
OUTPUT_LIMIT: Final = 8_192
TASK_ID: Final = re.compile(r"T\d{1,15}")


class Converter(ThreadItemConverter):
    """One thread item as model input. Text of the person's or of others is never more than quoted data."""

    async def user_message_to_input(
        self, item: UserMessageItem, is_last_message: bool = True
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        # Not the SDK's way: it forgets the quote as soon as the message is no longer the last one.
        words: list[str] = []
        for part in item.content:
            if isinstance(part, UserMessageTextContent):
                words.append(part.text)
            else:
                marked = f' <TASK id="{part.id}"/>' if TASK_ID.fullmatch(part.id) else ""
                words.append(f"@{part.text}{marked}")
        text = "".join(words)
        if item.quoted_text:
            text = f"{note('QUOTE', item.quoted_text)}\n{text}"
        return _user(text)

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

    async def workflow_to_input(self, item: WorkflowItem) -> TResponseInputItem | list[TResponseInputItem] | None:
        return None  # its steps stand in the run items already


async def model_input(newest_first: Sequence[ThreadItem], turn: Turn, now: datetime) -> list[TResponseInputItem]:
    """The conversation so far, oldest first, with what is true at this moment before the last question."""
    converter = Converter()
    kept = [await converter.to_agent_input(item) for item in reversed(_within_budget(newest_first))]
    flat = [part for parts in kept for part in parts]
    here = _user(moment(turn, now))
    last = next((index for index in range(len(flat) - 1, -1, -1) if flat[index].get("role") == "user"), len(flat))
    return [*flat[:last], here, *flat[last:]]


def run_item(call_id: str, name: str, arguments: str, output: str) -> dict[str, Any]:
    """What a hidden item keeps of one tool call. Without the model's own item ids: another model may read it."""
    if len(output) > OUTPUT_LIMIT:
        output = f"{output[:OUTPUT_LIMIT]}\n[cut: {len(output) - OUTPUT_LIMIT:,} more characters]"
    return {
        "run_items": [
            {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments},
            {"type": "function_call_output", "call_id": call_id, "output": output},
        ]
    }


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


def _within_budget(newest_first: Sequence[ThreadItem]) -> Sequence[ThreadItem]:
    """As many of the newest items as fit, ending at a question, so that no answer stands without one."""
    size, cut = 0.0, 0
    for index, item in enumerate(newest_first):
        size += _tokens(item)
        if size > TOKENS_BUDGET and cut:
            break
        if isinstance(item, UserMessageItem):
            cut = index + 1
    return newest_first[:cut]


def _tokens(item: ThreadItem) -> float:
    match item:
        case UserMessageItem():
            text = "".join(part.text for part in item.content) + (item.quoted_text or "")
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
