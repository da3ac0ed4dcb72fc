"""What the server and a worker say to each other: a length, a JSON object, and for an image its bytes."""

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

LENGTH_BYTES: Final = 4
LARGEST: Final = 1024 * 1024


def packed(message: Mapping[str, Any]) -> bytes:
    """One message."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def length(head: bytes) -> int:
    """How long the message after these first bytes is."""
    return int.from_bytes(head, "big")


def received(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message; None at the end."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    message: dict[str, Any] = json.loads(stream.read(length(head)))
    return message
