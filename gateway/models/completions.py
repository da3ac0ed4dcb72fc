"""Models behind Chat Completions, as the many servers really speak it."""

import json
from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Any, Final

from agents import OpenAIChatCompletionsModel
from openai import AsyncStream
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall
from typing_extensions import override

from gateway.models.failing import Kind, ModelFailed

# How a completion may end that is not the end of its answer.
ENDINGS: Final[dict[str, Kind]] = {"length": "cut", "content_filter": "withheld"}


class CompletionsModel(OpenAIChatCompletionsModel):
    """A model whose calls are told apart also where the server does not, and whose early end is an error."""

    @override
    async def _fetch_response(self, *args: Any, **kwargs: Any) -> Any:
        found = await super()._fetch_response(*args, **kwargs)
        if isinstance(found, ChatCompletion):
            return found
        response, stream = found
        return response, _Chunks(stream)


class _Chunks:
    """The stream of one completion. It raises `ModelFailed` at its end if the model did not finish its answer."""

    def __init__(self, stream: AsyncStream[ChatCompletionChunk]) -> None:
        self.response = stream.response  # the SDK reads the provider's request id there
        self._stream = stream

    async def close(self) -> None:
        await self._stream.close()

    async def __aiter__(self) -> AsyncIterator[ChatCompletionChunk]:
        calls, ending = _Calls(), ""
        async for chunk in self._stream:
            for choice in chunk.choices or ():
                if choice.index != 0:
                    continue
                ending = choice.finish_reason or ending
                for call in (choice.delta and choice.delta.tool_calls) or ():
                    calls.tell_apart(call)
            yield chunk
        if not ending or ending in ENDINGS:
            raise ModelFailed(ENDINGS.get(ending, "broken"))


class _Calls:
    """The calls of one completion.

    A piece of a call says by its index which one it belongs to. Some servers leave the index out or give every call the
    same one; then a new id means a new call. One without an id gets ours at once, or the SDK would show it only at its
    end, and a long one would look like silence.
    """

    def __init__(self) -> None:
        self._newest: dict[object, int] = {}
        self._ids: dict[int, str] = {}
        self._ours: dict[int, str] = {}

    def tell_apart(self, piece: ChoiceDeltaToolCall) -> None:
        """Give a piece the index of its call alone, an id, and arguments that are text."""
        said = getattr(piece, "index", None)
        place = self._newest.get(said)
        if place is None or (piece.id and self._ids.get(place, piece.id) != piece.id):
            place = self._newest[said] = len(self._ours)
            self._ours[place] = token_hex(16)
        if piece.id:
            self._ids[place] = piece.id
        piece.index, piece.id = place, self._ids.get(place, self._ours[place])
        if piece.function is not None and isinstance(piece.function.arguments, dict):
            piece.function.arguments = json.dumps(piece.function.arguments)
