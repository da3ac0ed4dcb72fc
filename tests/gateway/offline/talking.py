"""A conversation with the offline model, whose tools answer what a test lets them answer."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from agents import Agent, FunctionTool, RunConfig, Runner
from agents.tool_context import ToolContext

from gateway.offline import OfflineModel

UNTRACED: Final = RunConfig(tracing_disabled=True)
ALL_TOOLS: Final = (
    "tasks_find", "tasks_add", "tasks_complete", "tasks_edit", "tasks_delete", "undo", "organize", "overview",
    "data_query", "data_import",
)  # fmt: skip

EMPTY: Final = "0 of 0 is:open, smart order. Fri 2026-11-20 10:40 Europe/Berlin, rev 1"
OPEN: Final = """\
2 of 2 is:open, smart order. Fri 2026-11-20 10:40 Europe/Berlin, rev 7
T12 p1 Fri 11-20 09:00 | Call mum
T40 | Buy oat milk"""
ONE: Final = """\
1 of 1 is:open milk, smart order. Fri 2026-11-20 10:40 Europe/Berlin, rev 7
T40 | Buy oat milk"""
TWO_MILKS: Final = """\
2 of 2 is:open milk, smart order. Fri 2026-11-20 10:40 Europe/Berlin, rev 7
T3 Sat 11-21 | Buy milk
T40 | Buy oat milk"""
ADDED: Final = """\
op 4712: 1 added
T105 p1 Sat 11-21 09:00 | Call mum"""
FINISHED: Final = """\
op 4713: 1 completed
T40 done | Buy oat milk"""


@dataclass
class World:
    """Tools that note what they are asked and answer what they were told to, the last answer for ever."""

    answers: list[str]
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def tool(self, name: str) -> FunctionTool:
        async def invoke(_: ToolContext[Any], arguments: str) -> dict[str, str]:
            self.calls.append((name, json.loads(arguments)))
            text = self.answers[min(len(self.calls), len(self.answers)) - 1]
            return {"type": "text", "text": text}  # as a tool of an MCP server arrives

        return FunctionTool(name, name, {"type": "object"}, invoke, strict_json_schema=False)


class Chat:
    """A conversation of one person with an agent that thinks by rules."""

    def __init__(self, *answers: str, tools: tuple[str, ...] = ALL_TOOLS) -> None:
        self.world = World(list(answers))
        self.events: list[Any] = []
        self._agent = Agent(name="assistant", model=OfflineModel(), tools=[self.world.tool(name) for name in tools])
        self.history: list[Any] = []

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        return self.world.calls

    async def say(self, text: str, *, notes_before: str = "", notes_after: str = "") -> str:
        said = [{"role": "user", "content": part} for part in (notes_before, text, notes_after) if part]
        run = Runner.run_streamed(self._agent, [*self.history, *said], run_config=UNTRACED)
        self.events = [event.data async for event in run.stream_events() if event.type == "raw_response_event"]
        self.history = run.to_input_list()
        assert "".join(event.delta for event in self.events if event.type == "response.output_text.delta")
        assert isinstance(run.final_output, str)
        return run.final_output


def added(title: str, due: str = "", priority: str = "") -> dict[str, str]:
    return {name: value for name, value in (("title", title), ("due", due), ("priority", priority)) if value}
