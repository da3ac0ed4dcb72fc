"""Models for tests: the one thing in the world that is not ours and not real."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call


class ObedientModel(Model):
    """Does what the newest message says, line by line, and then repeats what the tools answered.

    `call NAME JSON` calls a tool, `both NAME JSON` calls it together with the next line, anything else is said back.
    All its messages and calls carry the same ids, as those of many providers do.
    """

    def __init__(self) -> None:
        self.inputs: list[list[Any]] = []
        self.instructions: list[str] = []
        self.tools: list[list[str]] = []

    @property
    def seen(self) -> str:
        """Everything any turn ever put before the model."""
        return json.dumps([self.inputs, self.instructions], default=str)

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        raise AssertionError("the gateway always streams")

    async def stream_response(
        self,
        system_instructions: Any,
        input: Any,  # noqa: A002 (the SDK's name)
        *args: Any,
        **kwargs: Any,
    ) -> AsyncIterator[TResponseStreamEvent]:
        self.inputs.append(list(input))
        self.instructions.append(system_instructions or "")
        tools = kwargs.get("tools") or args[1]
        self.tools.append([tool.name for tool in tools])
        model = ScriptedModel([await self.step(list(input))])
        async for event in model.stream_response(system_instructions, input, *args, **kwargs):
            yield event

    async def step(self, items: list[Any]) -> ModelStep:
        """What comes next, from the conversation alone."""
        last = max(index for index, item in enumerate(items) if is_question(item))
        lines = text_of(items[last]).splitlines()
        outputs = [
            text_of({"content": item["output"]}) for item in items[last:] if item.get("type") == "function_call_output"
        ]
        done = len(outputs)
        calls = [line.split(" ", 2) for line in lines if line.startswith(("call ", "both "))]
        if done < len(calls):
            now = [calls[done]]
            while now[-1][0] == "both" and done + len(now) < len(calls):
                now.append(calls[done + len(now)])
            return ModelStep(
                output=[
                    function_call(name, json.loads(arguments), call_id=f"call-{last}-{done + index}")
                    for index, (_, name, arguments) in enumerate(now)
                ]
            )
        said = "\n".join(outputs) if outputs else "\n".join(lines)
        return ModelStep(output=[assistant_message(said)])


class PatientModel(ObedientModel):
    """Says two words, and the rest only after it was told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        words = 0
        try:
            async for event in super().stream_response(*args, **kwargs):
                yield event
                words += event.type == "response.output_text.delta"
                if event.type == "response.output_text.delta" and not self.go_on.is_set():
                    self.begun.set()
                    await self.go_on.wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise


class BrokenModel(PatientModel):
    """Breaks after its first words, once it was told to go on; the next time it speaks to the end."""

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        broken = self.go_on.is_set()
        async for event in super().stream_response(*args, **kwargs):
            if self.go_on.is_set() and not broken:
                raise RuntimeError("the provider's own words, with a key sk-12345")
            yield event


def is_question(item: dict[str, Any]) -> bool:
    """Whether an item is a message of the person, and none of our notes, which stand in one mark from end to end."""
    return item.get("role") == "user" and not re.fullmatch(r"<([A-Z_]+)>[^<]*</\1>", text_of(item))


def text_of(item: dict[str, Any]) -> str:
    content = item.get("content")
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or [])
