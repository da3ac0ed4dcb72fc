"""Keys: those we sign with, and those of an issuer, given or fetched from its JWKS address."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Protocol

import httpx2
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from jwt.utils import base64url_encode

from shared.tokens.fetch import fetch_json

log = logging.getLogger(__name__)

# RFC 9864's name of what PyJWT calls EdDSA.
jwt.register_algorithm("Ed25519", OKPAlgorithm())
EDWARDS: Final = frozenset({"EdDSA", "Ed25519"})
ASYMMETRIC: Final = EDWARDS | {f"{kind}{bits}" for kind in ("ES", "PS", "RS") for bits in (256, 384, 512)}

FRESH_S: Final = 300.0
KEPT_S: Final = 86_400.0  # how long keys that are known outlive their issuer's outage
PAUSE_S: Final = 10.0  # between two fetches after a success, whatever asks for one
FIRST_RETRY_S: Final = 0.5


class KeysUnavailable(Exception):
    """An issuer's keys could never be loaded, so its tokens are neither good nor bad."""


class Keys(Protocol):
    """The keys of one issuer."""

    @property
    def version(self) -> int:
        """Another number whenever the keys have changed."""

    async def find(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """The key of that name if it may verify that algorithm; raises `KeysUnavailable` if none was ever loaded."""

    async def load(self) -> None:
        """Make sure that keys are there; raises `KeysUnavailable` if they cannot be had."""


def parse_jwks(document: object) -> dict[str, jwt.PyJWK]:
    """The usable signing keys of a JWKS document by their `kid`; what we cannot use is left out."""
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise ValueError("not a JWKS document: it has no list named keys")
    found: dict[str, jwt.PyJWK] = {}
    for entry in entries:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("kid"), str):
            continue
        if entry.get("kty") == "oct" or entry.get("use", "sig") != "sig":
            continue
        plain = {name: value for name, value in entry.items() if not (name == "alg" and value == "Ed25519")}
        try:
            found[entry["kid"]] = jwt.PyJWK(plain)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            log.warning("a key of a JWKS document was left out: it cannot be read")
    return found


def fits(key: jwt.PyJWK, algorithm: str) -> bool:
    """Whether a key may verify a token that names this algorithm."""
    return key.algorithm_name == algorithm or {key.algorithm_name, algorithm} <= EDWARDS


class FixedKeys:
    """Keys that stand in the configuration."""

    version = 0

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._keys = parse_jwks(document)

    async def find(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        key = self._keys.get(kid)
        return key if key is not None and fits(key, algorithm) else None

    async def load(self) -> None:
        if not self._keys:
            raise KeysUnavailable("the configured JWKS holds no usable key")


class SharedSecret:
    """One HS256 secret that the issuer and we both know."""

    version = 0

    def __init__(self, secret: str) -> None:
        encoded = base64url_encode(secret.encode()).decode()
        self._key = jwt.PyJWK({"kty": "oct", "alg": "HS256", "k": encoded})

    async def find(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        return self._key if algorithm == "HS256" else None

    async def load(self) -> None:
        """It is there."""


class FetchedKeys:
    """Keys behind a JWKS address: fetched once for many callers, kept through an outage, never asked for in a flood."""

    def __init__(self, uri: str, http: httpx2.AsyncClient, *, now: Callable[[], float] = time.monotonic) -> None:
        self._uri = uri
        self._http = http
        self._now = now
        self._keys: dict[str, jwt.PyJWK] = {}
        self._loaded_at: float | None = None
        self._next_try = float("-inf")
        self._failures = 0
        self._document: object = None
        self.version = 0
        self._one_at_a_time = asyncio.Lock()

    async def find(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        if kid not in self._keys or self._age() > FRESH_S:
            await self._refresh(kid)
        if self._loaded_at is None or self._age() > KEPT_S:
            raise KeysUnavailable(self._uri)
        key = self._keys.get(kid)
        return key if key is not None and fits(key, algorithm) else None

    async def load(self) -> None:
        if self._loaded_at is None:
            await self._refresh(None)
        if self._loaded_at is None:
            raise KeysUnavailable(self._uri)

    def _age(self) -> float:
        return float("inf") if self._loaded_at is None else self._now() - self._loaded_at

    async def _refresh(self, kid: str | None) -> None:
        async with self._one_at_a_time:
            fresh = self._age() <= FRESH_S and (kid is None or kid in self._keys)
            if fresh or self._now() < self._next_try:
                return
            try:
                document = await fetch_json(self._http, self._uri)
                found = parse_jwks(document)
            except (httpx2.HTTPError, ValueError, RecursionError, TimeoutError) as error:
                self._next_try = self._now() + min(FIRST_RETRY_S * 2**self._failures, PAUSE_S)
                self._failures += 1
                log.warning("keys could not be fetched", extra={"uri": self._uri, "error_class": type(error).__name__})
                return
            self._keys = found
            self.version += document != self._document
            self._document = document
            self._failures = 0
            self._loaded_at = self._now()
            self._next_try = self._loaded_at + PAUSE_S


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key with its name, the RFC 7638 thumbprint, so that the same key has the same name everywhere."""

    private: Ed25519PrivateKey
    kid: str

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls._named(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: str) -> "SigningKey":
        """Raises ValueError for anything but an Ed25519 private key without a password."""
        try:
            private = serialization.load_pem_private_key(pem.encode(), password=None)
        except (TypeError, ValueError) as error:
            raise ValueError("not a PEM private key without a password") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")
        return cls._named(private)

    @classmethod
    def _named(cls, private: Ed25519PrivateKey) -> "SigningKey":
        members = {"crv": "Ed25519", "kty": "OKP", "x": _public_x(private)}
        digest = sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
        return cls(private, base64url_encode(digest).decode())

    @property
    def pem(self) -> str:
        """The private key as PKCS#8 PEM: a secret."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public half, for a JWKS document."""
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "use": "sig",
            "kid": self.kid,
            "x": _public_x(self.private),
        }


def public_jwks(keys: Sequence[SigningKey]) -> dict[str, list[dict[str, str]]]:
    """The JWKS document of these keys."""
    return {"keys": [key.public_jwk for key in keys]}


def _public_x(private: Ed25519PrivateKey) -> str:
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64url_encode(raw).decode()
