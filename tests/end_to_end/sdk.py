"""What every SDK can do for a person, in the words of the tests."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# What a person answers to a question of the server: "accept", "decline" or "cancel", and what they filled in.
Answering = Callable[[str], tuple[str, dict[str, Any] | None]]

# What a person's browser does with the address a client sends it to: it returns where it is sent back to.
Browser = Callable[[str], Awaitable[str]]


class Unanswered(Exception):
    """A call that was refused before any tool ran."""

    def __init__(self, code: object, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got back from a tool."""

    text: str
    is_error: bool
    progress: Sequence[float]
    values: Mapping[str, Any]


class SdkClient(Protocol):
    """One SDK, used by one person."""

    async def tools(self) -> list[str]:
        """The names of the tools, in the order in which they come."""

    async def call(self, name: str, **arguments: Any) -> Answer:
        """Call a tool; raises `Unanswered`."""

    async def leave(self, name: str, **arguments: Any) -> None:
        """Call a tool, and go away at its first sign of life."""

    async def resources(self) -> list[str]:
        """The addresses of the resources."""

    async def read(self, uri: str) -> str:
        """The text of a resource; raises `Unanswered`."""

    async def prompts(self) -> list[str]:
        """The names of the prompts."""

    async def prompt(self, name: str, **arguments: str) -> str:
        """The text of a prompt."""

    async def completed(self, prompt: str, argument: str, begun: str) -> list[str]:
        """What may follow what a person has begun to write into an argument of a prompt."""

    async def heard(self, uris: Sequence[str], deed: Callable[[], Awaitable[object]]) -> str:
        """Listen to what becomes of these resources, do something, and return the first of which there is news."""

    async def spoil_access_token(self) -> None:
        """From now on its access token is good for nothing, and it has to use its refresh token."""
