"""`ModelFailed`: what went wrong with a model, in one word of ours and without any of the provider's."""

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

from agents.items import TResponseStreamEvent
from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError
from openai.types.responses import ResponseErrorEvent, ResponseFailedEvent, ResponseIncompleteEvent

Kind = Literal["limited", "away", "silent", "refused", "broken", "too_long", "cut", "withheld", "empty"]

# Before the first word these pass by themselves.
PASSING: Final = frozenset({"limited", "away"})

_TOO_LONG: Final = re.compile(
    r"context_length|context_size|context (?:length|window|size)|maximum context|too many (?:input )?tokens"
    r"|(?:prompt|input) is too long|string_above_max_length",
    re.IGNORECASE,
)
# No credit left: waiting does not help.
_UNPAID: Final = "insufficient_quota"
_LONGEST_WAIT_S: Final = 86_400


class ModelFailed(Exception):
    """The model gave no answer, or not the whole of it.

    limited: too many requests; away: not reached, or it failed by itself; silent: not in time; refused: our settings
    are wrong for it; broken: what it sent made no sense or stopped in the middle; too_long: the conversation is;
    cut: the answer reached the model's length limit; withheld: by a content filter; empty: it said and called nothing.
    """

    # The SDK delivers what came before an error only if the error says so.
    _agents_drain_queued_stream_events = True

    def __init__(self, kind: Kind, retry_after_s: int | None = None, *, passing: bool | None = None) -> None:
        super().__init__(kind, retry_after_s)
        self.kind = kind
        self.retry_after_s = retry_after_s
        # Whether the same request may be answered soon.
        self.passing = kind in PASSING if passing is None else passing


def failure_of(error: Exception) -> ModelFailed:
    """What an exception of the client or the SDK means."""
    match error:
        case ModelFailed():
            return error
        case APITimeoutError():
            # Only a timeout of reading says that somebody was there.
            return ModelFailed("silent" if "ReadTimeout" in type(error.__cause__).__name__ else "away")
        case TimeoutError():
            return ModelFailed("silent")
        case APIConnectionError():
            return ModelFailed("away")
        case APIStatusError():
            return _of_status(error)
        case APIError():
            return _of_code(f"{error.code} {error.type}", str(error.message))
    return ModelFailed("broken")


def failure_in(event: TResponseStreamEvent) -> ModelFailed | None:
    """What an event says of a response that ended badly; None for any other event."""
    match event:
        case ResponseIncompleteEvent():
            details = event.response.incomplete_details
            withheld = details is not None and details.reason == "content_filter"
            return ModelFailed("withheld" if withheld else "cut")
        case ResponseFailedEvent():
            found = event.response.error
            return ModelFailed("broken") if found is None else _of_code(str(found.code), str(found.message))
        case ResponseErrorEvent():
            return _of_code(str(event.code), str(event.message))
    return None


def _of_status(error: APIStatusError) -> ModelFailed:
    told = f"{error.code} {error.type} {json.dumps(error.body, default=str)[:2_000]}"
    again = error.response.headers.get("x-should-retry") != "false"
    wait_s = retry_after_s(error.response.headers)
    match error.status_code:
        case 429 if _UNPAID in told:
            return ModelFailed("refused")
        case 429:
            return ModelFailed("limited", wait_s, passing=again)
        case 408 | 409:
            return ModelFailed("away", wait_s, passing=again)
        case 400 | 413 | 422 if _TOO_LONG.search(told):
            return ModelFailed("too_long")
        case status if status >= 500:
            return ModelFailed("away", wait_s, passing=again)
    return ModelFailed("refused")


def _of_code(code: str, message: str) -> ModelFailed:
    """An error inside a stream has no status, only words."""
    if _UNPAID in code:
        return ModelFailed("refused")
    if "rate_limit" in code:
        return ModelFailed("limited")
    if _TOO_LONG.search(f"{code} {message}"):
        return ModelFailed("too_long")
    if "server_error" in code or "overloaded" in code:
        return ModelFailed("away")
    return ModelFailed("broken")


def retry_after_s(headers: Mapping[str, Any]) -> int | None:
    """How long a provider asks us to wait, in whole seconds; None where it says nothing that makes sense."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = str(headers.get(name, "")).strip()
        if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text):
            return min(math.ceil(float(text) * unit_s), _LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(str(headers.get("retry-after", ""))).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(math.ceil(moment - time.time()), 0), _LONGEST_WAIT_S)
