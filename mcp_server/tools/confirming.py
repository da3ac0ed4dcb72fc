"""Asking the person before a write that surprises or that nobody can take back, where their client can ask.

The question ends the call, and the transaction with it. The client asks its person and calls again with the answer and
the state that came with the question, which is sealed for this person, tool, arguments and a few minutes. Then the work
is done anew: if it comes to something else than what was shown, the person is asked again. What was agreed to happens
once, because the number of the question is the request id of the write.

A client that cannot ask gets its write at once, as the hints of the tools say, and `undo`.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from fastmcp.server.context import Context
from fastmcp.server.dependencies import get_context
from fastmcp.tools.base import InputRequiredToolResult, ToolResult
from mcp_types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.tasks.writing.journal import Answer, Call, Op, Receipt, write
from shared.db import Tx

ASKED_ABOVE: Final = 10  # tasks: so many may go or change at once without a question
LINES: Final = 5
ANSWER: Final = "confirm"
AGAIN: Final = "This is no longer what you were asked before. "


@dataclass(frozen=True, slots=True)
class Question:
    """What is about to happen, and the words a person says yes to."""

    text: str
    verb: str


class Ended(Exception):  # it ends the transaction as an error does
    """The call ends with a question, or with a no to one; nothing is written."""

    def __init__(self, outcome: str, result: ToolResult) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.result = result


async def write_confirmed(
    tx: Tx,
    call: Call,
    work: Callable[[Op], Awaitable[Answer]],
    question: Callable[[Answer], Question | None],
    queue: Callable[[Tx, Call], Awaitable[Op]] | None = None,
) -> Receipt:
    """`write`, once the person has agreed to what `question` makes of the answer; None needs no agreement.

    Raises `Ended`, with which the transaction is rolled back.
    """
    context = get_context()
    if call.dry_run or not _can_be_asked(context):
        return await write(tx, call, work, queue)
    number, agreed = _agreement(context)
    key = call.request_id or f"c:{number}"

    async def only_if_agreed(op: Op) -> Answer:
        answer = await work(op)
        asked = question(answer) if op.recorded else None
        if asked is None:
            return answer
        plan = _plan(asked, answer)
        if plan != agreed:
            text = f"{AGAIN if agreed else ''}{asked.text}"
            raise _asked(Question(text, asked.verb), answer, {"number": number, "plan": plan})
        return answer

    return await write(tx, replace(call, request_id=key), only_if_agreed, queue)


def end_behind(error: BaseException | None) -> Ended | None:
    """The end of the call that hides behind what a library made of it."""
    while error is not None and not isinstance(error, Ended):
        error = error.__cause__
    return error


def _can_be_asked(context: Context) -> bool:
    """Only in the era of questions that end a call, and with forms."""
    request = context.request_context
    if request is None or request.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return False
    capabilities = context.session.client_capabilities
    asks = capabilities.elicitation if capabilities is not None else None
    return asks is not None and (asks.form is not None or asks.url is None)


def _agreement(context: Context) -> tuple[str, str]:
    """The number of the question, and the plan the person agreed to, if they did."""
    number = secrets.token_urlsafe(12)
    if context.request_state is None:
        return number, ""
    state: dict[str, str] = json.loads(context.request_state)
    answer = (context.input_responses or {}).get(ANSWER)
    if not isinstance(answer, ElicitResult):
        return state["number"], ""
    if answer.action != "accept" or (answer.content or {}).get("ok") is not True:
        raise _declined()
    return state["number"], state["plan"]


def _plan(question: Question, answer: Answer) -> str:
    """What a person agrees to, as a short text: the same only for the same."""
    words = json.dumps([question.text, dict(answer.counts), list(answer.refs)], sort_keys=True)
    return sha256(words.encode()).hexdigest()[:32]


def _asked(question: Question, answer: Answer, state: dict[str, str]) -> Ended:
    shown = list(answer.lines[:LINES])
    if len(answer.lines) > LINES:
        shown.append(f"... and {len(answer.lines) - LINES:,} more")
    form = ElicitRequestFormParams(
        message="\n".join([question.text, *shown]),
        requested_schema={
            "type": "object",
            "properties": {"ok": {"type": "boolean", "title": question.verb}},
            "required": ["ok"],
        },
    )
    result = InputRequiredResult(input_requests={ANSWER: ElicitRequest(params=form)}, request_state=json.dumps(state))
    return Ended("asked", InputRequiredToolResult(result))


def _declined() -> Ended:
    text = "declined: the person said no; nothing was changed. Do not try again unless they ask for it."
    values = {"declined": True, "counts": {}}
    return Ended("declined", ToolResult(content=[TextContent(type="text", text=text)], structured_content=values))
