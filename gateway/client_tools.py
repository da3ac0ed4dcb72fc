"""Tools that only the page can run: what the person has selected, and which tasks he is looking at.

A page names those it knows; no other is offered, because a call that nobody answers would wait for ever. What comes
back is data from a browser, and no authority.
"""

from typing import Any, Final

from agents import FunctionTool
from agents.tool_context import ToolContext
from chatkit.agents import ClientToolCall

from gateway.answering.context import AnswerContext

_DESCRIPTIONS: Final = {
    "get_selection": "The text that the person has selected on the page beside the chat.",
    "get_visible_tasks": "The ids of the tasks that the person sees on the page beside the chat.",
}
KNOWN: Final = frozenset(_DESCRIPTIONS)


async def _ask_the_page(context: ToolContext[Any], _arguments: str) -> str:
    assert isinstance(context.context, AnswerContext)
    context.context.client_tool_call = ClientToolCall(name=context.tool_name, arguments={})
    context.context.client_call_id = context.tool_call_id
    return ""


CLIENT_TOOLS: Final = {
    name: FunctionTool(
        name=name,
        description=description,
        params_json_schema={"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        on_invoke_tool=_ask_the_page,
    )
    for name, description in _DESCRIPTIONS.items()
}
