"""Components of the conformance suite that ask the person or their client something before they answer."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastmcp import Context
from fastmcp.dependencies import CurrentContext
from fastmcp.prompts.function_prompt import FunctionPrompt
from fastmcp.tools.base import ToolResult
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    InputResponses,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

from mcp_server.tools.surface import TaskTool
from tests.interop.components import Run, component, said

TheContext: Final[Context] = CurrentContext()


def form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    """A question with one field, which has to be filled in."""
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampling(text: str, max_tokens: int = 100) -> CreateMessageRequest:
    said_by_user = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[said_by_user], max_tokens=max_tokens))


def _lacking(requests: Mapping[str, InputRequest], context: Context) -> bool:
    answers = context.input_responses or {}
    return not requests.keys() <= answers.keys()


def _ask(requests: Mapping[str, InputRequest], state: str | None = None) -> InputRequiredResult:
    return InputRequiredResult(input_requests=dict(requests), request_state=state)


def asking(
    requests: Mapping[str, InputRequest], answer: Callable[[InputResponses], str], state: str | None = None
) -> Run:
    """Asks until there is an answer to everything, then says what it makes of the answers."""

    async def run(context: Context = TheContext) -> ToolResult | InputRequiredResult:
        if _lacking(requests, context) or context.request_state != state:
            return _ask(requests, state)
        return said(answer(context.input_responses or {}))

    return run


async def _two_steps(context: Context = TheContext) -> ToolResult | InputRequiredResult:
    first = {"step1": form("Step 1: What is your name?", "name")}
    second = {"step2": form("Step 2: What is your favorite color?", "color")}
    match context.request_state:
        case "first" if not _lacking(first, context):
            return _ask(second, "second")
        case "second" if not _lacking(second, context):
            return said(f"Your color is {_field(context.input_responses or {}, 'step2', 'color')}.")
    return _ask(first, "first")


async def _what_it_can(context: Context = TheContext) -> ToolResult | InputRequiredResult:
    can = context.session.client_capabilities
    requests: dict[str, InputRequest] = {}
    if can is not None and can.elicitation is not None:
        requests["user_name"] = form("What is your name?", "name")
    if can is not None and can.sampling is not None:
        requests["greeting"] = _sampling("Generate a greeting")
    if requests and _lacking(requests, context):
        return _ask(requests)
    return said(f"{len(requests)} answers came.")


def _field(answers: InputResponses, key: str, field: str) -> Any:
    answer = answers[key]
    assert isinstance(answer, ElicitResult)
    return (answer.content or {}).get(field)


def _sampled(answers: InputResponses) -> str:
    answer = answers["capital_question"]
    assert isinstance(answer, CreateMessageResult)
    assert isinstance(answer.content, TextContent)
    return answer.content.text


def _roots(answers: InputResponses) -> str:
    answer = answers["client_roots"]
    assert isinstance(answer, ListRootsResult)
    return ", ".join(str(root.uri) for root in answer.roots)


def asking_tools() -> list[TaskTool]:
    """The tools that need an answer."""
    name = {"user_name": form("What is your name?", "name")}
    capital = {"capital_question": _sampling("What is the capital of France?")}
    roots = {"client_roots": ListRootsRequest()}
    confirm = {"confirm": form("Please confirm", "ok", "boolean")}
    greeting = {"greeting": _sampling("Generate a greeting", 50)}
    runs: dict[str, Run] = {
        "elicitation": asking(name, lambda answers: f"Hello, {_field(answers, 'user_name', 'name')}!"),
        "sampling": asking(capital, _sampled),
        "list_roots": asking(roots, _roots),
        "request_state": asking(confirm, lambda _: "state-ok", "the first round"),
        "multiple_inputs": asking({**name, **greeting, **roots}, lambda answers: f"{len(answers)} answers", "one"),
        "multi_round": _two_steps,
        "tampered_state": asking(confirm, lambda _: "Nobody touched it.", "untouched"),
        "capabilities": _what_it_can,
    }
    return [
        *(component(f"test_input_required_result_{name}", run) for name, run in runs.items()),
        component("test_streaming_elicitation", asking(name, lambda _: "You were asked.")),
    ]


async def _asking_prompt(context: Context = TheContext) -> Any:
    requests = {"user_context": form("What context should the prompt use?", "context")}
    if _lacking(requests, context):
        return _ask(requests)
    return f"Use this: {_field(context.input_responses or {}, 'user_context', 'context')}"


def asking_prompt() -> FunctionPrompt:
    """The prompt that needs an answer."""
    return FunctionPrompt.from_function(
        _asking_prompt, name="test_input_required_result_prompt", description="Asks for a context first."
    )
