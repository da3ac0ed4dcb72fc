"""The ordered list of keys that a gateway signs with: the first signs, all are published, and changing it takes time.

A verifier may have fetched the published keys a moment before they changed. So a new key is published for as long as
anybody keeps what was fetched before it may sign, and an old one stays until its last token has expired there.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr

from shared.errors import Problem
from shared.tokens.keys import FRESH_S, PAUSE_S, SigningKey

PUBLISHED_S: Final = FRESH_S + PAUSE_S
RETIRED_S: Final = PUBLISHED_S + 120


class KeptKey(BaseModel):
    """One key of the list, and when it took which step."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    pem: SecretStr
    added_at: AwareDatetime
    signs_since: AwareDatetime | None = None
    retired_at: AwareDatetime | None = None

    @property
    def kid(self) -> str:
        """The name under which it is published."""
        return SigningKey.from_pem(self.pem.get_secret_value()).kid

    @property
    def may_sign_at(self) -> datetime:
        """When everybody who verifies has had time to fetch it."""
        return self.added_at + timedelta(seconds=PUBLISHED_S)

    @property
    def may_go_at(self) -> datetime | None:
        """When nothing that it signed is good any more; None while it is not retired."""
        return None if self.retired_at is None else self.retired_at + timedelta(seconds=RETIRED_S)


KeyList = tuple[KeptKey, ...]


def pems(entries: Iterable[KeptKey | SecretStr]) -> tuple[str, ...]:
    """The private keys of a list whose entries may have a past or not: secrets."""
    return tuple((entry.pem if isinstance(entry, KeptKey) else entry).get_secret_value() for entry in entries)


def signing_keys(entries: Iterable[KeptKey | SecretStr]) -> tuple[SigningKey, ...]:
    """The keys of such a list, the one that signs first. Raises ValueError for what is no Ed25519 key."""
    return tuple(map(SigningKey.from_pem, pems(entries)))


def add(keys: KeyList, now: datetime) -> KeyList:
    """With one more key at the end; the very first signs at once, because nobody knows another."""
    fresh = KeptKey(pem=SecretStr(SigningKey.generate().pem), added_at=now, signs_since=None if keys else now)
    return (*keys, fresh)


def promote(keys: KeyList, now: datetime) -> KeyList:
    """With the newest key in front, and the one that signed until now retired. Raises `Problem` if it is too early."""
    waiting = [key for key in keys[1:] if key.retired_at is None]
    if not waiting:
        raise Problem("conflict", "no key is waiting to sign", "run `taskgate keys add` first")
    chosen = max(waiting, key=lambda key: key.added_at)
    if now < chosen.may_sign_at:
        raise Problem(
            "conflict",
            f"the new key has to be published for {_seconds(chosen.may_sign_at - now)} s more before it may sign",
            "restart every gateway that has not been since the key was added, then wait and repeat this",
        )
    retired = keys[0].model_copy(update={"retired_at": now})
    others = tuple(key for key in keys[1:] if key is not chosen)
    return (chosen.model_copy(update={"signs_since": now}), retired, *others)


def drop(keys: KeyList, now: datetime) -> KeyList:
    """Without the keys that were retired long enough ago. Raises `Problem` when there is none."""
    retired = [key.may_go_at for key in keys[1:] if key.may_go_at is not None]
    if not retired:
        raise Problem("conflict", "no key is retired", "run `taskgate keys promote` first")
    if now < min(retired):
        raise Problem(
            "conflict",
            f"the retired key has to stay published for {_seconds(min(retired) - now)} s more",
            "restart every gateway that has not been since the new key was promoted, then wait and repeat this",
        )
    return (keys[0], *(key for key in keys[1:] if key.may_go_at is None or now < key.may_go_at))


def _seconds(left: timedelta) -> int:
    return ceil(left.total_seconds())
