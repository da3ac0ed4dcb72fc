"""Tokens in, `Caller` out: each issuer has a profile, and whatever the profile does not allow is refused."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import httpx2
import jwt
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.tokens.caller import SCOPES, Caller
from shared.tokens.keys import ASYMMETRIC, FetchedKeys, FixedKeys, Keys, KeysUnavailable

log = logging.getLogger(__name__)

TOKEN_LIMIT: Final = 8_192
LEEWAY_S: Final = 10
CLAIMS: Final = ("exp", "iat", "sub", "aud", "iss")


class Refused(Exception):
    """A token that is not accepted. `rule` is for our log; the sender learns only that it was refused."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class IssuerProfile(BaseModel):
    """One issuer whose tokens a service accepts, and the rules that hold for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1, description="exact value of `iss`")
    audience: str = Field(default="", description="exact value of `aud`; empty: the public URL of the service")
    jwks_uri: str = Field(default="", description="where the issuer publishes its keys")
    jwks: dict[str, Any] | None = Field(default=None, description="the keys themselves, instead of their address")
    algorithms: tuple[str, ...] = ("EdDSA", "Ed25519", "ES256", "RS256")
    types: tuple[str, ...] | None = Field(
        default=("at+jwt", "application/at+jwt"), description="accepted `typ`; null for issuers that set none"
    )
    default_scopes: tuple[str, ...] = Field(default=(), description="for tokens that name no scope")
    max_lifetime_s: int | None = Field(default=None, gt=0)
    delegates_for: frozenset[str] = Field(
        default=frozenset(), description="issuers in whose name this one may act; for the gateway only"
    )
    interactive: bool = Field(default=True, description="whether people can sign in there from an MCP client")

    @field_validator("issuer")
    @classmethod
    def _splittable(cls, value: str) -> str:
        if "|" in value:
            raise ValueError("an issuer may not contain |")
        return value

    @field_validator("algorithms")
    @classmethod
    def _asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not ASYMMETRIC.issuperset(value):
            raise ValueError(f"algorithms must be among {', '.join(sorted(ASYMMETRIC))}")
        return value

    @field_validator("types")
    @classmethod
    def _lower(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(name.lower() for name in value)

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> "IssuerProfile":
        if bool(self.jwks_uri) == (self.jwks is not None):
            raise ValueError("give jwks_uri or jwks, and only one of them")
        return self


class Verifier:
    """Checks tokens against the profiles of one service. Raises `Refused`, or `KeysUnavailable` when it cannot know."""

    def __init__(
        self, profiles: Mapping[str, tuple[IssuerProfile, Keys]], *, now: Callable[[], float] = time.time
    ) -> None:
        self._profiles = dict(profiles)
        self._now = now

    async def load_keys(self) -> None:
        """Have every issuer's keys at hand; raises `KeysUnavailable` naming the first that has none."""
        for _, keys in self._profiles.values():
            await keys.load()

    async def verify(self, token: str) -> Caller:
        """The caller this token proves."""
        try:
            return await self._verify(token)
        except (Refused, KeysUnavailable):
            raise
        except Exception as error:  # hostile input must never be more than a refusal
            log.info("a token broke the verifier", extra={"error_class": type(error).__name__})
            raise Refused("unreadable") from error

    async def _verify(self, token: str) -> Caller:
        if len(token) > TOKEN_LIMIT or not token.isascii() or token.count(".") != 2:
            raise Refused("form")
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})  # only to learn whose keys to ask
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or issuer not in self._profiles:
            raise Refused("issuer")
        profile, keys = self._profiles[issuer]
        key = await self._key(header, profile, keys)
        return self._caller(self._proven(token, header["alg"], key, profile), profile)

    async def _key(self, header: Mapping[str, Any], profile: IssuerProfile, keys: Keys) -> jwt.PyJWK:
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in profile.algorithms:
            raise Refused("algorithm")
        if "crit" in header or "b64" in header:
            raise Refused("header")
        if profile.types is not None and (not isinstance(kind, str) or kind.lower() not in profile.types):
            raise Refused("type")
        if not isinstance(kid, str):
            raise Refused("kid")
        key = await keys.find(kid, algorithm)
        if key is None:
            raise Refused("key")
        return key

    def _proven(self, token: str, algorithm: str, key: jwt.PyJWK, profile: IssuerProfile) -> dict[str, Any]:
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                # Our own clock below decides about times; the library has no way to be given one.
                options={
                    "require": list(CLAIMS),
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "strict_aud": bool(profile.delegates_for),
                },
                issuer=profile.issuer,
                audience=profile.audience,
            )
        except jwt.PyJWTError as error:
            raise Refused(type(error).__name__) from error
        now = self._now()
        moments = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in moments.values()):
            raise Refused("time")
        if not now - LEEWAY_S < moments["exp"] < float("inf"):
            raise Refused("expired")
        if moments["iat"] > now + LEEWAY_S or moments.get("nbf", 0) > now + LEEWAY_S:
            raise Refused("future")
        if profile.max_lifetime_s is not None and moments["exp"] - moments["iat"] > profile.max_lifetime_s:
            raise Refused("lifetime")
        return claims

    def _caller(self, claims: Mapping[str, Any], profile: IssuerProfile) -> Caller:
        subject = claims["sub"]
        if not _is_name(subject):
            raise Refused("subject")
        issuer: Any = profile.issuer
        actor = None
        token_id = claims.get("jti")
        if profile.delegates_for:
            act, issuer = claims.get("act"), claims.get("sub_iss")
            actor = act.get("sub") if isinstance(act, Mapping) else None
            if not _is_name(actor) or issuer not in profile.delegates_for or not _is_name(token_id):
                raise Refused("delegation")
        elif "act" in claims or "sub_iss" in claims:
            raise Refused("delegation")
        client_id = claims.get("client_id", claims.get("azp", ""))
        session_id = claims.get("sid")
        return Caller(
            subject=subject,
            issuer=issuer,
            scopes=_scopes(claims, profile.default_scopes),
            expires_at=int(claims["exp"]),
            client_id=client_id if _is_name(client_id) else "unknown",
            actor=actor,
            session_id=session_id if _is_name(session_id) else None,
            token_id=token_id if _is_name(token_id) else None,
        )


def build_verifier(
    profiles: Sequence[IssuerProfile],
    audience: str,
    http: httpx2.AsyncClient,
    *,
    now: Callable[[], float] = time.time,
) -> Verifier:
    """The verifier of a service whose public URL is `audience`."""
    by_issuer: dict[str, tuple[IssuerProfile, Keys]] = {}
    for profile in profiles:
        if profile.issuer in by_issuer:
            raise ValueError(f"two profiles have the issuer {profile.issuer}")
        known = profile if profile.audience else profile.model_copy(update={"audience": audience})
        keys = FixedKeys(profile.jwks) if profile.jwks is not None else FetchedKeys(profile.jwks_uri, http)
        by_issuer[profile.issuer] = (known, keys)
    return Verifier(by_issuer, now=now)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and bool(value.strip()) and value.isprintable()


def _scopes(claims: Mapping[str, Any], default: Iterable[str]) -> frozenset[str]:
    given = claims.get("scope", claims.get("scp"))
    if given is None:
        names = list(default)
    elif isinstance(given, str):
        names = given.split()
    elif isinstance(given, list) and all(isinstance(name, str) for name in given):
        names = given
    else:
        raise Refused("scope")
    return frozenset(names) & SCOPES.keys()
