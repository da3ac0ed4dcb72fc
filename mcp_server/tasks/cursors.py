"""Cursors: where a page ended, signed, so that nobody can make one and none works for another question."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from shared.errors import Problem

MAC_BYTES: Final = 12


class Cursors:
    """Seals and opens cursors with the first of the keys all replicas share; the other keys still open old ones."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("cursors need a key")
        # A purpose of its own, so that a cursor is nothing to whatever else the keys are used for.
        self._keys = [hmac.digest(key, b"taskgate cursor", "sha256") for key in keys]

    def seal(self, question: str, position: Sequence[Any]) -> str:
        """The cursor that continues the answer to `question` after `position`."""
        body = json.dumps([_short(question), *position], separators=(",", ":")).encode()
        return urlsafe_b64encode(_mac(self._keys[0], body) + body).decode().rstrip("=")

    def open(self, question: str, cursor: str) -> list[Any]:
        """The position in a cursor, if it belongs to this question; otherwise a `Problem`."""
        try:
            sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            mac, body = sealed[:MAC_BYTES], sealed[MAC_BYTES:]
            if not any(hmac.compare_digest(mac, _mac(key, body)) for key in self._keys):
                raise ValueError("no key of ours made this")
            asked, *position = json.loads(body)
        except ValueError:
            raise Problem("bad_cursor", "this is no cursor of ours", "start again without cursor") from None
        if asked != _short(question):
            raise Problem("bad_cursor", "this cursor belongs to another question", "start again without cursor")
        return list(position)


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:MAC_BYTES]


def _short(question: str) -> str:
    return sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:16]
