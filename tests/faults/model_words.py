"""What a model provider says, piece by piece, in Chat Completions and in Responses: also what it should not say."""

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.end_to_end.model_server import chunk

DONE: Final = b"data: [DONE]\n\n"


def line(value: object) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(value)}\n\n".encode()


def called(*calls: Mapping[str, Any]) -> bytes:
    """A chunk with pieces of tool calls, just as they are given."""
    return chunk({"tool_calls": list(calls)})


def response(kind: str, output: list[Any] | None = None, **more: Any) -> bytes:
    """An event of the Responses API that carries a whole response."""
    base = {"id": "resp_0", "object": "response", "created_at": 0, "model": "x", "output": output or [], "tools": []}
    status = kind.removeprefix("response.")
    told = {**base, "tool_choice": "auto", "parallel_tool_calls": False, "status": status, **more}
    return line({"type": kind, "sequence_number": 0, "response": told})


def said(text: str, output_index: int = 0) -> bytes:
    """The beginning of a message of the Responses API."""
    place = {"output_index": output_index, "content_index": 0, "item_id": "msg_0", "sequence_number": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    item = {"id": "msg_0", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    return b"".join(
        line(event)
        for event in (
            {"type": "response.output_item.added", "sequence_number": 0, "output_index": output_index, "item": item},
            {"type": "response.content_part.added", **place, "part": part},
            {"type": "response.output_text.delta", **place, "delta": text, "logprobs": []},
        )
    )


def call_made(name: object, arguments: object, call_id: object = "call_0", output_index: int = 0) -> dict[str, Any]:
    """A tool call as an item of the Responses API."""
    item = {"id": f"fc_{output_index}", "type": "function_call", "status": "completed"}
    return {**item, "name": name, "arguments": arguments, "call_id": call_id}


def calls_made(*items: Mapping[str, Any]) -> bytes:
    """A whole response of the Responses API that makes these calls."""
    done = (
        {"type": "response.output_item.done", "sequence_number": 0, "output_index": index, "item": item}
        for index, item in enumerate(items)
    )
    return b"".join([*map(line, done), response("response.completed", list(items))])
