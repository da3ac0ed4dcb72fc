"""Tokens in, `Caller` out: each issuer has a profile, and whatever the profile does not allow is refused."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import httpx2
import jwt

from shared.tokens.caller import SCOPES, Caller
from shared.tokens.keys import FetchedKeys, FixedKeys, Keys, KeysUnavailable, SharedSecret
from shared.tokens.profiles import IssuerProfile, require_distinct
from shared.tokens.revoked import Revocations
from shared.tokens.verified import VerifiedTokens

log = logging.getLogger(__name__)

TOKEN_LIMIT: Final = 8_192
LEEWAY_S: Final = 10
CLAIMS: Final = ("exp", "iat", "sub", "aud", "iss")
ACCESS_TOKEN: Final = frozenset({"at+jwt", "application/at+jwt"})


class Refused(Exception):
    """A token that is not accepted. `rule` is for our log; the sender learns only that it was refused."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in at an issuer, as its ID token says; proof of a sign-in, never of a permission."""

    subject: str
    name: str
    session_id: str | None


class Verifier:
    """Checks tokens against the profiles of one service. Raises `Refused`, or `KeysUnavailable` when it cannot know."""

    def __init__(
        self,
        profiles: Mapping[str, tuple[IssuerProfile, Keys]],
        revocations: Revocations | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._profiles = dict(profiles)
        self._revocations = revocations or Revocations()
        self._now = now
        self._verified = VerifiedTokens()
        self.proofs = 0  # signatures checked, for those who count

    async def load_keys(self) -> None:
        """Have every issuer's keys at hand; raises `KeysUnavailable` naming the first that has none."""
        for _, keys in self._profiles.values():
            await keys.load()

    async def verify(self, token: str) -> Caller:
        """The caller this token proves."""
        try:
            caller = self._verified.find(token, self._now()) or await self._proven(token)
        except (Refused, KeysUnavailable):
            raise
        except Exception as error:  # hostile input must never be more than a refusal
            log.info("a token broke the verifier", extra={"error_class": type(error).__name__})
            raise Refused("unreadable") from error
        self.require_current(caller)
        return caller

    def require_current(self, caller: Caller) -> None:
        """Raises `Refused` if what proved this caller has expired or been revoked since."""
        if self._now() >= caller.expires_at + LEEWAY_S:
            raise Refused("expired")
        if self._revocations.cover(caller):
            raise Refused("revoked")

    async def identify(self, token: str, *, issuer: str, client_id: str, nonce: str) -> SignedIn:
        """Who an ID token says has just signed in at this issuer, for this client and this one attempt."""
        try:
            profile, keys = self._profiles[issuer]
            header = _header(token)
            if str(header.get("typ", "JWT")).lower() in ACCESS_TOKEN:
                raise Refused("type")
            key = await self._key(header, profile, keys)
            claims = self._claims(token, header["alg"], key, issuer, client_id)
            several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
            if claims.get("azp", None if several else client_id) != client_id:
                raise Refused("azp")
            if claims.get("nonce") != nonce:
                raise Refused("nonce")
        except (Refused, KeysUnavailable):
            raise
        except Exception as error:
            log.info("an ID token broke the verifier", extra={"error_class": type(error).__name__})
            raise Refused("unreadable") from error
        name, session_id = claims.get("name"), claims.get("sid")
        return SignedIn(
            subject=claims["sub"],
            name=name if _is_name(name) else claims["sub"],
            session_id=session_id if _is_name(session_id) else None,
        )

    async def _proven(self, token: str) -> Caller:
        header = _header(token)
        claims = jwt.decode(token, options={"verify_signature": False})  # only to learn whose keys to ask
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or issuer not in self._profiles:
            raise Refused("issuer")
        profile, keys = self._profiles[issuer]
        kind = header.get("typ")
        if profile.types is not None and (not isinstance(kind, str) or kind.lower() not in profile.types):
            raise Refused("type")
        key = await self._key(header, profile, keys)
        acts = bool(profile.delegates_for)
        claims = self._claims(token, header["alg"], key, issuer, profile.audience, strict=acts)
        if profile.max_lifetime_s is not None and claims["exp"] - claims["iat"] > profile.max_lifetime_s:
            raise Refused("lifetime")
        caller = _caller(claims, profile)
        # The token of a tool call comes only once.
        if not acts:
            self._verified.remember(token, caller, keys, self._now())
        return caller

    async def _key(self, header: Mapping[str, Any], profile: IssuerProfile, keys: Keys) -> jwt.PyJWK:
        algorithm, kid = header.get("alg"), header.get("kid")
        allowed = profile.algorithms if profile.secret is None else ("HS256",)
        if not isinstance(algorithm, str) or algorithm not in allowed:
            raise Refused("algorithm")
        if "crit" in header or "b64" in header:
            raise Refused("header")
        if profile.secret is None and not (isinstance(kid, str) and kid):
            raise Refused("kid")
        key = await keys.find(str(kid), algorithm)
        if key is None:
            raise Refused("key")
        return key

    def _claims(
        self, token: str, algorithm: str, key: jwt.PyJWK, issuer: str, audience: str, *, strict: bool = False
    ) -> dict[str, Any]:
        """What a token says once its signature, issuer, audience, times and subject have been found good."""
        self.proofs += 1
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
                    "strict_aud": strict,
                },
                issuer=issuer,
                audience=audience,
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
        if not _is_name(claims["sub"]):
            raise Refused("subject")
        return claims


def build_verifier(
    profiles: Sequence[IssuerProfile],
    audience: str,
    http: httpx2.AsyncClient,
    revocations: Revocations | None = None,
    *,
    now: Callable[[], float] = time.time,
) -> Verifier:
    """The verifier of a service whose public URL is `audience`. Every profile has keys, or their address, by now."""
    require_distinct(profiles)
    by_issuer: dict[str, tuple[IssuerProfile, Keys]] = {}
    for profile in profiles:
        known = profile if profile.audience else profile.model_copy(update={"audience": audience})
        by_issuer[profile.issuer] = (known, _keys_of(profile, http))
    return Verifier(by_issuer, revocations, now=now)


def _keys_of(profile: IssuerProfile, http: httpx2.AsyncClient) -> Keys:
    if profile.secret is not None:
        return SharedSecret(profile.secret.get_secret_value())
    if profile.jwks is not None:
        return FixedKeys(profile.jwks)
    if profile.needs_discovery:
        raise ValueError(f"the issuer {profile.issuer} was not discovered")
    return FetchedKeys(profile.jwks_uri, http)


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > TOKEN_LIMIT or not token.isascii() or token.count(".") != 2:
        raise Refused("form")
    return jwt.get_unverified_header(token)


def _caller(claims: Mapping[str, Any], profile: IssuerProfile) -> Caller:
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
        subject=claims["sub"],
        issuer=issuer,
        scopes=_scopes(claims, profile.default_scopes),
        expires_at=int(claims["exp"]),
        client_id=client_id if _is_name(client_id) else "unknown",
        issued_at=int(claims["iat"]),
        actor=actor,
        session_id=session_id if _is_name(session_id) else None,
        token_id=token_id if _is_name(token_id) else None,
    )


def _is_name(value: object) -> TypeGuard[str]:
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
