"""The only code that makes tokens: the delegated token of each tool call, and tokens for development and tests."""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import jwt

from shared.tokens.caller import Caller
from shared.tokens.keys import SigningKey, public_jwks

DELEGATED_S: Final = 60


class Signer:
    """Signs as one issuer with the first of its keys, and publishes all of them."""

    def __init__(self, issuer: str, keys: Sequence[SigningKey], *, now: Callable[[], float] = time.time) -> None:
        if not keys:
            raise ValueError("a signer needs a key")
        self.issuer = issuer
        self._keys = tuple(keys)
        self._now = now

    @property
    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys, for whoever verifies."""
        return public_jwks(self._keys)

    def metadata(self, jwks_uri: str) -> dict[str, Any]:
        """What an issuer says about itself (RFC 8414) that gives tokens to nobody who asks, only to its own calls."""
        return {
            "issuer": self.issuer,
            "jwks_uri": jwks_uri,
            "response_types_supported": [],
            "grant_types_supported": [],
            "token_endpoint_auth_methods_supported": [],
        }

    def delegate(self, caller: Caller, audience: str, scopes: Iterable[str], *, request_id: str | None = None) -> str:
        """A token for one call to another service as this caller: short, for one audience, never outliving the
        caller's own token, and saying that we act for him."""
        now = int(self._now())
        claims = {
            "sub": caller.subject,
            "sub_iss": caller.issuer,
            "act": {"sub": self.issuer},
            "client_id": "taskgate-gateway",
            "scope": " ".join(sorted(scopes)),
            "exp": min(now + DELEGATED_S, caller.expires_at),
        }
        if caller.session_id:
            claims["sid"] = caller.session_id
        if request_id:
            claims["rid"] = request_id
        return self._sign(audience, now, claims)

    def issue(
        self,
        subject: str,
        audience: str | Sequence[str],
        scopes: Iterable[str],
        *,
        lifetime_s: int,
        client_id: str,
        session_id: str | None = None,
    ) -> str:
        """An access token of our own issuer for a person."""
        now = int(self._now())
        claims = {
            "sub": subject,
            "client_id": client_id,
            "scope": " ".join(sorted(scopes)),
            "exp": now + lifetime_s,
        }
        if session_id:
            claims["sid"] = session_id
        return self._sign(audience, now, claims)

    def identify(
        self, subject: str, client_id: str, *, nonce: str | None, session_id: str, lifetime_s: int = 300
    ) -> str:
        """An ID token: it tells one client who has signed in, and opens nothing."""
        now = int(self._now())
        claims = {"sub": subject, "name": subject, "sid": session_id, "auth_time": now, "exp": now + lifetime_s}
        if nonce is not None:
            claims["nonce"] = nonce
        return self._sign(client_id, now, claims, kind="JWT")

    def _sign(self, audience: str | Sequence[str], now: int, claims: dict[str, Any], kind: str = "at+jwt") -> str:
        key = self._keys[0]
        stamped = {"iss": self.issuer, "aud": audience, "iat": now, "jti": secrets.token_urlsafe(16), **claims}
        return jwt.encode(stamped, key.private, algorithm="EdDSA", headers={"kid": key.kid, "typ": kind})
