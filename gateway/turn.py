"""`Turn`: who asks, from which page, in which request. ChatKit hands it to everything it calls."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gateway.words import Template, said, translated
from shared.errors import Problem
from shared.tokens import Caller

if TYPE_CHECKING:
    from gateway.answering.answer import Answer

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
    language: str = "en"
    # The tools that the page itself can run; a call of any other would wait for ever.
    client_tools: frozenset[str] = frozenset()
    # The conversation that this request begins: it has a lease before it exists.
    new_thread_id: str = ""
    answer: "Answer | None" = None
    # Pages for people leave out what only the model may see; the model's history does not.
    visible_only: bool = False

    def answered_by(self, answer: "Answer") -> "Turn":
        """The same turn with a running answer; its history includes what only the model may see."""
        return replace(self, answer=answer, visible_only=False)

    def on_page(self, page: dict[str, Any], time_zone: str, client_tools: frozenset[str]) -> "Turn":
        """The same turn with what the page around the chat says about itself."""
        return replace(self, page=page, time_zone=time_zone, client_tools=client_tools)

    def beginning(self, thread_id: str) -> "Turn":
        """The same turn, which begins a conversation of this id."""
        return replace(self, new_thread_id=thread_id)

    def say(self, english: Template, **values: object) -> str:
        """A sentence of ours in the language of the person."""
        return said(self.language, english, **values)

    def translated(self, text: str) -> str:
        """A finished English sentence of ours in that language."""
        return translated(self.language, text)

    def told(self, problem: Problem) -> str:
        """A problem as one text for the person."""
        words = [self.translated(part).strip(" .") for part in (problem.message, problem.hint) if part]
        return ". ".join(word[:1].upper() + word[1:] for word in words) + "."
