"""`Turn`: who asks, from which page, in which request. ChatKit hands it to everything it calls."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from shared.tokens import Caller

if TYPE_CHECKING:
    from gateway.running import Answer

# Whom a credential proves at this moment. Raises `Problem("sign_in", ...)` once it proves nobody any more.
CallerNow = Callable[[], Awaitable[Caller]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One request to the gateway. Whatever the client sent in it is data: mapped or quoted, never obeyed."""

    caller: Caller
    # The same person, asked again: a turn lasts longer than a sign-in may.
    caller_now: CallerNow
    request_id: str
    # Ours alone and never repeated, unlike a request id, which a proxy may choose.
    id: str = field(default_factory=lambda: uuid4().hex)
    page: dict[str, Any] = field(default_factory=dict)
    time_zone: str = ""
    answer: "Answer | None" = None
    # Pages for people leave out what only the model may see; the model's history does not.
    visible_only: bool = False

    def answered_by(self, answer: "Answer") -> "Turn":
        """The same turn with a running answer; its history includes what only the model may see."""
        return replace(self, answer=answer, visible_only=False)
