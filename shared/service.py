"""What the command line may know of a service without loading it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from shared.migrate import Schema
from shared.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class Service:
    """One of the services, as its package publishes it under the entry point group `taskgate.services`."""

    name: str
    settings: type[ServiceSettings]
    schema: Schema
    # Runs the service until it is told to stop; the second argument is an inherited listening socket, if there is one.
    run: Callable[[Any, int | None], Awaitable[None]]
