"""How a command went: its exit code, and what it says beside its output."""

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shared.errors import Problem

CHECK_FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
UNREACHABLE: Final = 4
INTERRUPTED: Final = 130
# The status a Problem would leave with through HTTP -> the exit code it leaves with here; everything else is a 1.
EXIT: Final = MappingProxyType(
    {400: USAGE, 404: USAGE, 401: REFUSED, 403: REFUSED, 501: USAGE, 503: UNREACHABLE, 504: UNREACHABLE}
)


def exit_code(problem: "Problem") -> int:
    return EXIT.get(problem.status, CHECK_FAILED)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
