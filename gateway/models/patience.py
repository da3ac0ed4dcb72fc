"""How long a model may take, when a request is repeated, and when a second model is asked instead.

Until the first sign of an answer nobody has seen anything, so a request may be repeated once and then be put to a
second model. After it there is never a repeat: what was seen stays, and the answer ends with `ModelFailed`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, TypeVar

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent
from openai import APIStatusError
from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseOutputItem,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseReasoningItem,
    ResponseTextDeltaEvent,
)
from typing_extensions import override

from gateway.models.failing import ModelFailed, failure_in, failure_of

log = logging.getLogger(__name__)

T = TypeVar("T")
Events = AsyncGenerator[TResponseStreamEvent]

# These only say that the request has arrived.
RECEIVED: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
# What a second model may be able to do better.
REPLACEABLE: Final = frozenset({"limited", "away", "silent"})
LONGEST: Final = 1_000_000  # characters of one response: text, arguments and thoughts
LIMITED_WAIT_S: Final = 1.0  # where the provider does not say how long
AVOIDED_S: Final = 30.0


class Patience(Model):
    """A model, and if there is one a second, of which every request ends in time and every failure is `ModelFailed`."""

    def __init__(
        self,
        first: Model,
        second: Model | None = None,
        *,
        first_s: float,
        silence_s: float,
        repeat_after_s: float = 0.5,
    ) -> None:
        self._first = first
        self._second = second
        self._first_s = first_s
        self._silence_s = silence_s
        self._repeat_after_s = repeat_after_s
        self._avoid_first_until = 0.0

    @override
    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        async def attempt(model: Model, deadline: float) -> ModelResponse:
            return await _within(deadline - _now(), model.get_response(*args, **kwargs))

        return await self._tried(attempt)

    @override
    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        async def attempt(model: Model, deadline: float) -> tuple[list[TResponseStreamEvent], Events]:
            events = model.stream_response(*args, **kwargs)
            assert isinstance(events, AsyncGenerator)  # only such a stream can be closed in time
            return await _begun(events, deadline), events

        begun, events = await self._tried(attempt)
        answer = _Answer()
        async with aclosing(events):
            for event in begun:
                answer.add(event)
                yield event
            while True:
                try:
                    following = await _next(events, self._silence_s)
                except ModelFailed as failed:
                    # Somebody was there, or there would have been no first sign.
                    raise (ModelFailed("broken") if failed.kind == "away" else failed) from None
                if following is None:
                    break
                answer.add(following)
                yield following
        answer.end()

    async def _tried(self, attempt: Callable[[Model, float], Awaitable[T]]) -> T:
        """What comes of it at once, after one repeat, or from the other model. Raises `ModelFailed`."""
        failed = ModelFailed("away")
        for model in self._in_order():
            deadline = _now() + self._first_s
            for repeats_left in (1, 0):
                try:
                    return await attempt(model, deadline)
                except ModelFailed as failure:
                    failed = failure
                wait_s = self._wait_s(failed)
                if not (repeats_left and failed.passing) or _now() + wait_s >= deadline:
                    break
                await asyncio.sleep(wait_s)
            if failed.kind not in REPLACEABLE:
                break
            if self._second is not None and model is self._first:
                log.warning("for a while the second model is asked first", extra={"kind": failed.kind})
                self._avoid_first_until = _now() + AVOIDED_S
        raise failed

    def _in_order(self) -> list[Model]:
        """A first model that has just failed is not waited for again at every step of an answer."""
        if self._second is None:
            return [self._first]
        return [self._second, self._first] if _now() < self._avoid_first_until else [self._first, self._second]

    def _wait_s(self, failed: ModelFailed) -> float:
        if failed.retry_after_s is not None:
            return failed.retry_after_s
        return LIMITED_WAIT_S if failed.kind == "limited" else self._repeat_after_s


class _Answer:
    """What a response amounts to."""

    def __init__(self) -> None:
        self._length = 0
        self._holds_anything = False
        self._completed = False

    def add(self, event: TResponseStreamEvent) -> None:
        """Raises `ModelFailed` when it becomes longer than any answer."""
        if isinstance(delta := getattr(event, "delta", None), str):
            self._length += len(delta)
            if self._length > LONGEST:
                raise ModelFailed("cut")
        match event:
            case ResponseTextDeltaEvent():
                self._holds_anything = self._holds_anything or not event.delta.isspace()
            case ResponseOutputItemDoneEvent():
                self._holds_anything = self._holds_anything or _is_something(event.item)
            case ResponseCompletedEvent():
                self._completed = True

    def end(self) -> None:
        """Raises `ModelFailed` unless there is a whole answer."""
        if not self._completed:
            raise ModelFailed("broken")
        if not self._holds_anything:
            raise ModelFailed("empty")


def _is_something(item: ResponseOutputItem) -> bool:
    match item:
        case ResponseOutputMessage():
            return any(part.type == "output_text" and part.text.strip() for part in item.content)
        case ResponseReasoningItem():
            return False
    return True


async def _begun(events: Events, deadline: float) -> list[TResponseStreamEvent]:
    """The events up to the first sign of an answer. Raises `ModelFailed`, and closes the stream if it does."""
    found: list[TResponseStreamEvent] = []
    try:
        while not found or found[-1].type in RECEIVED:
            event = await _next(events, deadline - _now())
            if event is None:
                raise ModelFailed("broken")
            found.append(event)
    except BaseException:
        await events.aclose()
        raise
    return found


async def _next(events: Events, limit_s: float) -> TResponseStreamEvent | None:
    """The next event, or None at the end. Raises `ModelFailed`."""
    event = await _within(limit_s, anext(events, None))
    if event is not None and (failed := failure_in(event)) is not None:
        _tell(failed, event)
        raise failed
    return event


async def _within(limit_s: float, work: Awaitable[T]) -> T:
    """What comes of it in time. Raises `ModelFailed`, which holds nothing of the error it was made from."""
    try:
        async with asyncio.timeout(limit_s):
            return await work
    except Exception as error:  # noqa: BLE001 (a provider may send anything, and the SDK fail at it in any way)
        failed = failure_of(error)
        _tell(failed, error)
    raise failed


def _tell(failed: ModelFailed, source: object) -> None:
    """Log the failure without any word of the provider's."""
    level = logging.ERROR if failed.kind == "refused" else logging.WARNING
    status = source.status_code if isinstance(source, APIStatusError) else None
    told = {"kind": failed.kind, "error_class": type(source).__name__, "status": status}
    log.log(level, "a request to the model failed", extra=told)


def _now() -> float:
    return asyncio.get_running_loop().time()
