"""Tokens that no service may accept: each good but for one thing, and signed with the real key wherever it can be."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives import serialization

from shared.tokens import SCOPES, SigningKey
from tests.living import ISSUER, Living

STRANGER: Final = "https://evil.example.test"
STRANGERS_KEY: Final = SigningKey.generate()
LEFT_OUT: Final = object()


@dataclass(frozen=True, slots=True)
class Forge:
    """Whoever makes tokens for one person at one service, with every key there is and one of his own."""

    here: str  # the service that is attacked
    elsewhere: str  # the other one
    gateway: str
    subject: str
    key: SigningKey
    gateway_key: SigningKey

    @classmethod
    def against_mcp(cls, living: Living) -> Self:
        return cls._with_keys_of(living, living.mcp_url, living.gateway_url)

    @classmethod
    def against_gateway(cls, living: Living) -> Self:
        return cls._with_keys_of(living, living.gateway_url, living.mcp_url)

    @classmethod
    def _with_keys_of(cls, living: Living, here: str, elsewhere: str) -> Self:
        [key] = living.issuer._keys
        return cls(here, elsewhere, living.gateway_url, living.subject("ada"), key, living.gateway_key)

    def claims(self, **changes: object) -> dict[str, Any]:
        """What a good token of the people's issuer says, changed."""
        now = int(time.time())
        good = {
            "iss": ISSUER,
            "sub": self.subject,
            "aud": self.here,
            "iat": now,
            "exp": now + 300,
            "jti": "one",
            "client_id": "a client of the tests",
            "scope": " ".join(SCOPES),
        }
        return _changed(good, changes)

    def delegated_claims(self, **changes: object) -> dict[str, Any]:
        """What a good token for one tool call says, changed."""
        acting = {"iss": self.gateway, "sub_iss": ISSUER, "act": {"sub": self.gateway}, "exp": int(time.time()) + 60}
        return self.claims(**{**acting, **changes})

    def token(self, **changes: object) -> str:
        """A token of the people's issuer with these claims changed."""
        return self.signed(self.claims(**changes), self.key)

    def delegated(self, **changes: object) -> str:
        """A token of the gateway with these claims changed."""
        return self.signed(self.delegated_claims(**changes), self.gateway_key)

    def headed(self, **changes: object) -> str:
        """A token with good claims under a changed header."""
        return self.signed(self.claims(), self.key, **changes)

    def signed(self, claims: object, key: SigningKey, **header: object) -> str:
        """Whatever is to be signed, under a good header with these changes."""
        good = {"alg": "EdDSA", "kid": key.kid, "typ": "at+jwt"}
        return compact(_changed(good, header), claims, key.private.sign)

    def unsigned(self, algorithm: object, signature: Callable[[bytes], bytes] = lambda _: b"") -> str:
        """Good claims under another algorithm."""
        return compact({"alg": algorithm, "kid": self.key.kid, "typ": "at+jwt"}, self.claims(), signature)

    def with_public_key(self, *, pem: bool) -> str:
        """The claims under a shared-secret algorithm, the secret being the key that everybody can read."""
        public = self.key.private.public_key()
        form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        secret = public.public_bytes(*form) if pem else public.public_bytes_raw()
        return self.unsigned("HS256", lambda text: hmac.digest(secret, text, "sha256"))

    def spliced(self) -> str:
        """One token's signature under another's claims."""
        header, _, signature = self.token(scope="tasks:read").split(".")
        return f"{header}.{self.token().split('.')[1]}.{signature}"


def compact(header: object, claims: object, sign: Callable[[bytes], bytes]) -> str:
    """Header and claims of any shape in the form of a token; text is taken for JSON as it stands."""
    texts = (part if isinstance(part, str) else json.dumps(part) for part in (header, claims))
    text = ".".join(_encoded(part.encode()) for part in texts)
    return f"{text}.{_encoded(sign(text.encode()))}"


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _changed(good: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in {**good, **changes}.items() if value is not LEFT_OUT}


def _deep(document: Mapping[str, object], name: str) -> str:
    """The document with one value nested deeper than a parser likes."""
    without = {other: value for other, value in document.items() if other != name}
    return f'{json.dumps(without)[:-1]}, "{name}": {"[" * 2_000}{"]" * 2_000}}}'


def _soon() -> int:
    return int(time.time()) + 120


def _past() -> int:
    return int(time.time()) - 11


# For either service. A value that has to be read at the time of the attack stands behind a function.
HOSTILE: Final[Mapping[str, Callable[[Forge], str]]] = {
    "no token at all": lambda _: "garbage",
    "two parts": lambda forge: forge.token().rpartition(".")[0],
    "four parts": lambda forge: f"{forge.token()}.x",
    "empty parts": lambda _: "..",
    "not ascii": lambda forge: f"{forge.token()}é",
    "longer than any token": lambda forge: forge.token(padding="x" * 8_192),
    "two tokens in one": lambda forge: f"{forge.token()}, Bearer {forge.token()}",
    "no signature": lambda forge: forge.token().rpartition(".")[0] + ".",
    "signature of other claims": lambda forge: forge.spliced(),
    "expired beyond the leeway": lambda forge: forge.token(exp=_past()),
    "no expiry": lambda forge: forge.token(exp=LEFT_OUT),
    "expiry as text": lambda forge: forge.token(exp=str(_soon())),
    "expiry infinite": lambda forge: forge.token(exp=float("inf")),
    "expiry of another type": lambda forge: forge.token(exp=[_soon()]),
    "issued in the future": lambda forge: forge.token(iat=_soon()),
    "issue time as text": lambda forge: forge.token(iat="0"),
    "issue time true": lambda forge: forge.token(iat=True),
    "no issue time": lambda forge: forge.token(iat=LEFT_OUT),
    "not valid yet": lambda forge: forge.token(nbf=_soon()),
    "validity as text": lambda forge: forge.token(nbf="0"),
    "no subject": lambda forge: forge.token(sub=LEFT_OUT),
    "empty subject": lambda forge: forge.token(sub=""),
    "blank subject": lambda forge: forge.token(sub="  "),
    "subject with a line feed": lambda forge: forge.token(sub=f"{forge.subject}\n"),
    "subject of 256 characters": lambda forge: forge.token(sub="a" * 256),
    "subject of another type": lambda forge: forge.token(sub=7),
    "for the other service": lambda forge: forge.token(aud=forge.elsewhere),
    "for others only": lambda forge: forge.token(aud=[forge.elsewhere, STRANGER]),
    "for nobody": lambda forge: forge.token(aud=LEFT_OUT),
    "for us with a slash more": lambda forge: forge.token(aud=f"{forge.here}/"),
    "audience of another type": lambda forge: forge.token(aud={"url": forge.here}),
    "by nobody": lambda forge: forge.token(iss=LEFT_OUT),
    "by a stranger": lambda forge: forge.signed(forge.claims(iss=STRANGER), STRANGERS_KEY),
    "by a stranger with a known key": lambda forge: forge.token(iss=STRANGER),
    "issuer with a slash more": lambda forge: forge.token(iss=f"{ISSUER}/"),
    "issuer of another type": lambda forge: forge.token(iss=[ISSUER]),
    "typ of an ID token": lambda forge: forge.headed(typ="JWT"),
    "typ of an identity assertion": lambda forge: forge.headed(typ="oauth-id-jag+jwt"),
    "typ of another type": lambda forge: forge.headed(typ=["at+jwt"]),
    "no typ": lambda forge: forge.headed(typ=LEFT_OUT),
    "key of a stranger": lambda forge: forge.signed(forge.claims(), STRANGERS_KEY),
    "key of another issuer": lambda forge: forge.signed(forge.claims(), forge.gateway_key),
    "known key name, other key": lambda forge: forge.signed(forge.claims(), STRANGERS_KEY, kid=forge.key.kid),
    "key brought along": lambda forge: forge.signed(forge.claims(), STRANGERS_KEY, jwk=STRANGERS_KEY.public_jwk),
    "key found elsewhere": lambda forge: forge.signed(forge.claims(), STRANGERS_KEY, jku=f"{STRANGER}/jwks"),
    "no key name": lambda forge: forge.headed(kid=LEFT_OUT),
    "empty key name": lambda forge: forge.headed(kid=""),
    "key name of another type": lambda forge: forge.headed(kid=[forge.key.kid]),
    "key name is a path": lambda forge: forge.headed(kid="../../dev/null"),
    "alg none": lambda forge: forge.unsigned("none"),
    "alg None": lambda forge: forge.unsigned("None"),
    "alg missing": lambda forge: forge.headed(alg=LEFT_OUT),
    "alg of another type": lambda forge: forge.headed(alg=["EdDSA"]),
    "alg is a number": lambda forge: forge.headed(alg=7),
    "alg of another family": lambda forge: forge.headed(alg="ES256"),
    "public key as secret": lambda forge: forge.with_public_key(pem=True),
    "public bytes as secret": lambda forge: forge.with_public_key(pem=False),
    "critical extension": lambda forge: forge.headed(crit=["exp"]),
    "critical extension with a value": lambda forge: forge.headed(crit=["b64"], b64=True),
    "unencoded payload": lambda forge: forge.headed(b64=False),
    "encoded payload, said aloud": lambda forge: forge.headed(b64=True),
    "header is a list": lambda forge: compact(["EdDSA"], forge.claims(), forge.key.private.sign),
    "claims are a list": lambda forge: forge.signed([forge.claims()], forge.key),
    "claims are no JSON": lambda forge: forge.signed("{", forge.key),
    "deep header": lambda forge: compact(
        _deep({"alg": "EdDSA", "typ": "at+jwt"}, "kid"), forge.claims(), forge.key.private.sign
    ),
    "deep issuer": lambda forge: forge.signed(_deep(forge.claims(), "iss"), forge.key),
    "deep subject": lambda forge: forge.signed(_deep(forge.claims(), "sub"), forge.key),
    "scope is a number": lambda forge: forge.token(scope=7),
    "scope holds a number": lambda forge: forge.token(scope=["tasks:write", 7]),
    "a person's issuer names an actor": lambda forge: forge.token(act={"sub": forge.gateway}),
    "a person's issuer speaks for another": lambda forge: forge.token(sub_iss=ISSUER),
}

# For the tool server, which lets the gateway act for people.
DELEGATED: Final[Mapping[str, Callable[[Forge], str]]] = {
    "no actor": lambda forge: forge.delegated(act=LEFT_OUT),
    "actor as text": lambda forge: forge.delegated(act=forge.gateway),
    "actor without a name": lambda forge: forge.delegated(act={}),
    "for people of a stranger": lambda forge: forge.delegated(sub_iss=STRANGER),
    "for people of the gateway": lambda forge: forge.delegated(sub_iss=forge.gateway),
    "for people of nobody": lambda forge: forge.delegated(sub_iss=LEFT_OUT),
    "people's issuer of another type": lambda forge: forge.delegated(sub_iss=[ISSUER]),
    "no token id": lambda forge: forge.delegated(jti=LEFT_OUT),
    "blank token id": lambda forge: forge.delegated(jti=" "),
    "token id of another type": lambda forge: forge.delegated(jti=1),
    "for two services": lambda forge: forge.delegated(aud=[forge.here, forge.elsewhere]),
    "for us in a list": lambda forge: forge.delegated(aud=[forge.here]),
    "for the other service": lambda forge: forge.delegated(aud=forge.elsewhere),
    "for longer than two minutes": lambda forge: forge.delegated(exp=int(time.time()) + 130),
    "with the key of a person's issuer": lambda forge: forge.signed(forge.delegated_claims(), forge.key),
    "with a stranger's key": lambda forge: forge.signed(forge.delegated_claims(), STRANGERS_KEY),
    "by a person's issuer": lambda forge: forge.token(sub_iss=ISSUER, act={"sub": ISSUER}),
}
