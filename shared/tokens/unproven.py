"""What a token says of itself, proven by nothing: for people who look at it, never to let anybody in."""

from dataclasses import dataclass
from typing import Any

import jwt


@dataclass(frozen=True, slots=True)
class Unproven:
    """The two readable parts of a token."""

    header: dict[str, Any]
    claims: dict[str, Any]


def read_unproven(token: str) -> Unproven:
    """Raises ValueError for what is no token at all."""
    try:
        found = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise ValueError("not a token") from error
    return Unproven(found["header"], found["payload"])
