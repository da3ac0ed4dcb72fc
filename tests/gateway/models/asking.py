"""One answer of a model, run as the gateway runs it: what was said and called, how it ended, and what is left of it."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from agents import Agent, FunctionTool, Model, RunConfig, Runner, RunResultStreaming
from agents.tool_context import ToolContext
from openai.types.responses import ResponseTextDeltaEvent

from gateway.models import Choice, ModelFailed, choose, refused_call
from tests.faults.model_server import FaultyModelServer

LONG_S: Final = 30.0
SPEECHES: Final = ("x", "openai:x")  # Chat Completions, Responses
QUESTION: Final = "three little words"


@dataclass
class Answer:
    """What came of a question."""

    text: str = ""
    failed: ModelFailed | None = None
    # What the tool was called with, and the run, for a closer look.
    calls: list[Any] = field(default_factory=list)
    run: RunResultStreaming | None = None

    @property
    def kind(self) -> str:
        """How it failed; nothing if it did not."""
        return self.failed.kind if self.failed is not None else ""

    @property
    def outputs(self) -> list[str]:
        """What the model was told of its calls."""
        assert self.run is not None
        return [str(item.get("output")) for item in self.run.to_input_list() if "output" in item]


@asynccontextmanager
async def asked_of(
    server: FaultyModelServer, name: str, *, first_s: float = LONG_S, silence_s: float = LONG_S, **more: Any
) -> AsyncGenerator[Choice]:
    """The model of this name on the server, as the settings would choose it."""
    models = await choose(name, server.url, "sk-of-the-tests", first_s=first_s, silence_s=silence_s, **more)
    try:
        yield models.default
    finally:
        await models.close()


def begin(model: Model, question: str = QUESTION, calls: list[Any] | None = None) -> RunResultStreaming:
    """Put a question to the model, which has one tool."""
    return Runner.run_streamed(
        Agent(name="assistant", instructions="Be brief.", model=model, tools=[_tool([] if calls is None else calls)]),
        question,
        max_turns=12,
        run_config=RunConfig(
            tracing_disabled=True, tool_not_found_behavior="return_error_to_model", tool_error_formatter=refused_call
        ),
    )


async def ask(model: Model, question: str = QUESTION) -> Answer:
    """Put a question to the model, and read the answer to its end. Nothing may go on after it."""
    answer = Answer()
    before = asyncio.all_tasks()
    run = answer.run = begin(model, question, answer.calls)
    try:
        async for event in run.stream_events():
            if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent):
                answer.text += event.data.delta
    except ModelFailed as failed:
        answer.failed = failed
    if left := asyncio.all_tasks() - before:
        _, still_running = await asyncio.wait(left, timeout=5)
        assert not still_running
    return answer


def _tool(calls: list[Any]) -> FunctionTool:
    async def invoke(_: ToolContext[Any], arguments: str) -> str:
        calls.append(json.loads(arguments))
        return "1 added"

    schema = {"type": "object", "properties": {"title": {"type": "string"}}}
    return FunctionTool("tasks_add", "Adds a task.", schema, invoke, strict_json_schema=False)
