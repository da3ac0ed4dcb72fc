"""Text that only this gateway and its replicas can read or make: sign-ins on their way, and refresh tokens at rest."""

import base64
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class Sealing:
    """Seals for one purpose with the first of the keys, and opens with any of them.

    What was sealed for another purpose, or about something else, does not open.
    """

    def __init__(self, keys: Sequence[str], purpose: str) -> None:
        self._purpose = purpose
        self._ciphers = [AESGCM(_derived(key, purpose)) for key in keys]

    def seal(self, text: str, *, about: str = "") -> str:
        """The text as characters that a cookie may hold; they differ each time."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, text.encode(), self._bound_to(about))
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, sealed: str, *, about: str = "") -> str | None:
        """The text, or None if no key of ours sealed exactly this for this."""
        try:
            data = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], self._bound_to(about)).decode()
            except (InvalidTag, ValueError):  # the latter: too short to hold a nonce
                continue
        return None

    def _bound_to(self, about: str) -> bytes:
        return f"taskgate {self._purpose}|{about}".encode()


def _derived(key: str, purpose: str) -> bytes:
    """A key of its own for each purpose, so that nothing sealed for one is ever of use for another."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"taskgate {purpose}".encode()).derive(key.encode())
