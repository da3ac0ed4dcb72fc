"""How many tokens an answer took: as the provider reports it, else as far as its texts tell."""

import json
from collections.abc import Iterable
from typing import Any, Final

from agents import Agent, FunctionTool, ModelResponse, RunResultStreaming, ToolCallOutputItem

BYTES_PER_TOKEN: Final = 3.5


def tokens_used(run: RunResultStreaming) -> int:
    """The tokens of all requests of a run, whatever became of it; those read from a provider's cache count as reported.

    A request that failed or was stopped has no response: what was sent with it counts all the same.
    """
    reported = run.context_wrapper.usage
    sent = _bytes_of_agent(run.last_agent) + _bytes(run.input)
    outputs = _outputs(run)
    guessed = 0
    for response in run.raw_responses:
        answered = sum(_bytes(item.model_dump()) for item in response.output)
        if not response.usage.total_tokens:
            guessed += sent + answered
        sent += answered + sum(outputs.get(call_id, 0) for call_id in _calls(response))
    answers = max(reported.requests, len(run.raw_responses))
    unanswered = min(run.current_turn, run.max_turns or run.current_turn) - answers
    guessed += max(0, unanswered) * sent
    return reported.total_tokens + round(guessed / BYTES_PER_TOKEN)


def _outputs(run: RunResultStreaming) -> dict[str, int]:
    """The size of what the tools said, by call."""
    items = [item.to_input_item() for item in run.new_items if isinstance(item, ToolCallOutputItem)]
    return {str(item.get("call_id")): _bytes(item) for item in items}


def _calls(response: ModelResponse) -> Iterable[str]:
    return (item.call_id for item in response.output if item.type == "function_call")


def _bytes_of_agent(agent: Agent[Any]) -> int:
    words = agent.instructions if isinstance(agent.instructions, str) else ""
    tools = (tool for tool in agent.tools if isinstance(tool, FunctionTool))
    return len(words.encode()) + sum(_bytes([tool.name, tool.description, tool.params_json_schema]) for tool in tools)


def _bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str).encode(errors="replace"))
