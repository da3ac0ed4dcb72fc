"""Tokens whose signature was checked a moment ago: a client sends the same one with every request."""

from collections import OrderedDict
from hashlib import sha256
from typing import Final

from shared.tokens.caller import Caller
from shared.tokens.keys import Keys

KEPT_S: Final = 60.0
MOST: Final = 10_000


class VerifiedTokens:
    """A bounded memory of proven tokens by their hash. Expiry and revocation are not its business: they are asked of
    every request, whether the token is remembered or not."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[bytes, tuple[Caller, float, Keys, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, token: str, now: float) -> Caller | None:
        """Whom the token proves, if that was found out within the last minute and its issuer's keys are the same."""
        mark = sha256(token.encode()).digest()
        found = self._known.get(mark)
        if found is None:
            return None
        caller, since, keys, version = found
        # A clock that was set back must not make a token stay for longer.
        if not 0 <= now - since < KEPT_S or keys.version != version:
            del self._known[mark]
            return None
        self._known.move_to_end(mark)
        return caller

    def remember(self, token: str, caller: Caller, keys: Keys, now: float) -> None:
        """Keep a token that was just proven with these keys; the one not used for longest gives way."""
        self._known[sha256(token.encode()).digest()] = (caller, now, keys, keys.version)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
