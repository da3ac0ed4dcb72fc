"""Addresses that prove by themselves whose attachment they lead to, for a short while.

The code that uploads a file, and a picture in a page, can send neither a token nor, from another site, a cookie.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal
from urllib.parse import urlencode

from gateway.sealing import Sealing
from shared.tokens import Caller, restored

Purpose = Literal["upload", "read"]
PATH: Final = "/attachments/"
LIFETIME_S: Final = {"upload": 600, "read": 3600}


class Proofs:
    """Makes such addresses and tells whom they prove. No log shows them: it prints paths without what follows."""

    def __init__(self, keys: Sequence[str], origin: str, now: Callable[[], datetime]) -> None:
        self._sealing = Sealing(keys, "attachments")
        self._origin = origin
        self._now = now

    def address(self, key: str) -> str:
        """Where an attachment is, for who proves himself in another way. It may be stored."""
        return f"{self._origin}{PATH}{key}"

    def proving(self, purpose: Purpose, key: str, caller: Caller) -> str:
        """The same with a proof for this purpose. It must not be stored."""
        until = int(self._now().timestamp()) + LIFETIME_S[purpose]
        sealed = self._sealing.seal(json.dumps([caller.issuer, caller.subject, until]), about=f"{purpose} {key}")
        return f"{self.address(key)}?{urlencode({'proof': sealed})}"

    def caller(self, purpose: Purpose, key: str, proof: str) -> Caller | None:
        """The owner, who may do nothing but this; None if the proof is for something else, too old or not ours."""
        opened = self._sealing.open(proof, about=f"{purpose} {key}")
        if opened is None:
            return None
        issuer, subject, until = json.loads(opened)
        if self._now().timestamp() >= until:
            return None
        return restored(issuer, subject, (), until, "taskgate-attachments")
