"""Calls that wait for a person: which ones do, and what is kept of them until the answer comes.

A call waits because a person has to agree to it, or because its tool wants to know something. Either way it has done
nothing yet, and all that is kept is the call itself, its idempotency key and the tool's own words. No token, no name of
the person and nothing of the model's is among it: whoever answers, whenever and in whichever process, makes the call
as the person he then is.

Our own tools are not asked about here: they ask by themselves, in the transaction that knows what a call would change
and only where that surprises. Trying each call out before making it would cost a request more, mostly for nothing, and
could show something else than is then done. A tool's question is good for minutes and a person may take a day: then
the call is made again, and the same words get the same answer, while other words are shown first.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from mcp_types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
    InputResponses,
    Tool,
)

from gateway.questions.fields import Unaskable
from gateway.questions.forms import Known, read_forms

ASK_PERSON: Final = "ask_person"
MOST_ROUNDS: Final = 3
WAITING: Final = "waiting: nothing was done yet; the person is asked first. The conversation goes on with the answer."
REFUSED: Final = "declined: the person said no; nothing was changed. Do not try again unless they ask for it."
TOO_OFTEN: Final = "unanswered: the answers did not fit, several times over; nothing was changed. Fix: talk about it."
CONSENT: Final = "forbidden: this needs the person's consent; nothing was changed. Fix: ask for it in the chat."
UNASKABLE: Final = "unavailable: this tool asks for something that cannot be asked for here. Fix: tell the user."

# A name and a port, without a password before it; and no address in letters that look like others.
SERVER: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
ADDRESS: Final = re.compile(r"[!-~]{1,2000}")

Why = Literal["approval", "link", "question"]


@dataclass(frozen=True, slots=True)
class Held:
    """One call that waits, and what for: agreement, a visit to a page, or answers."""

    why: Why
    tool: str
    title: str
    arguments: dict[str, Any]
    key: str  # the idempotency key of the call, the same however often it is made
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)  # what the tool asks; empty if only we do
    state: str | None = None  # the tool's own, sealed by it
    round: int = 1
    known: Known = field(default_factory=Known)

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """From JSON."""
        known = {**kept["known"], "declined": tuple(kept["known"]["declined"])}
        return cls(**{**kept, "known": Known(**known)})

    @property
    def effect(self) -> str:
        """What the call would do, in the words of the tool server; nothing when it does not say."""
        return "\n".join(str(request.get("message", "")) for request in self.requests.values())

    @property
    def url(self) -> str:
        """The page that has to be visited."""
        [request] = self.requests.values()
        return str(request["url"])

    def agreed(self) -> InputResponses:
        """The answers of a person who agrees to it."""
        return {
            key: ElicitResult(action="accept", content=_agreement(request)) for key, request in self.requests.items()
        }

    def refused(self) -> InputResponses:
        """The answers of a person who does not want to answer."""
        return {key: ElicitResult(action="decline") for key in self.requests}


def needs_approval(tool: Tool) -> bool:
    """Whether a person has to agree before each call of a tool.

    Ours are undoable, or ask by themselves, once they know how much a call would change. Those of others count as
    destructive unless they say that they are not.
    """
    if "taskgate/view" in (tool.meta or {}):
        return False
    hints = tool.annotations
    return hints is None or not (hints.read_only_hint or hints.destructive_hint is False)


def held_for_approval(tool: Tool, arguments: Mapping[str, Any], key: str) -> Held:
    """A call that we ask about before it is made."""
    return Held("approval", tool.name, tool.title or tool.name, dict(arguments), key)


def held_by_tool(
    tool: Tool, arguments: Mapping[str, Any], key: str, asked: InputRequiredResult, *, round_: int = 1
) -> Held:
    """A call whose tool asks something before it goes on. Raises `Unaskable` for what cannot be put to a person."""
    requests, params = _requests(asked), []
    for request in (asked.input_requests or {}).values():
        if not isinstance(request, ElicitRequest):
            raise Unaskable("the tool asks for something that is no question to a person")
        params.append(request.params)
    why, title = _why(tool, params), tool.title or tool.name
    return Held(why, tool.name, title, dict(arguments), key, requests, asked.request_state, round_)


def same_questions(held: Held, asked: InputRequiredResult) -> bool:
    """Whether a tool asks again to the letter what the person has just answered."""
    return _requests(asked) == held.requests


def _requests(asked: InputRequiredResult) -> dict[str, dict[str, Any]]:
    """What a tool asks, as it came over the wire."""
    return {
        name: request.model_dump(by_alias=True, mode="json", exclude_none=True).get("params", {})
        for name, request in (asked.input_requests or {}).items()
    }


def _why(tool: Tool, params: Sequence[ElicitRequestFormParams | ElicitRequestURLParams]) -> Why:
    match params:
        case [ElicitRequestURLParams() as page]:
            _require_safe(page.url)
            return "link"
        case [ElicitRequestFormParams() as form] if not form.requested_schema.get("properties"):
            return "approval"
        case [ElicitRequestFormParams() as form] if (tool.meta or {}).get("taskgate/confirms") and _yes_or_no(form):
            return "approval"
    if not params:
        raise Unaskable("the tool asks nothing")
    read_forms({str(number): one.model_dump(by_alias=True, mode="json") for number, one in enumerate(params)})
    return "question"


def _yes_or_no(form: ElicitRequestFormParams) -> bool:
    match form.requested_schema.get("properties"):
        case {**fields} if len(fields) == 1:
            [field] = fields.values()
            return isinstance(field, Mapping) and field.get("type") == "boolean"
    return False


def _agreement(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The yes in the form that the tool wants it in; a page is only visited."""
    schema = request.get("requestedSchema")
    return None if schema is None else dict.fromkeys(schema.get("properties") or {}, True)


def _require_safe(url: str) -> None:
    """A page that may be shown to a person: over https, of a host that can be read, and without a disguise."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Unaskable("the address of the page cannot be read") from None
    if parts.scheme != "https" or not SERVER.fullmatch(parts.netloc) or not ADDRESS.fullmatch(url):
        raise Unaskable("the page is not one that can be shown")
