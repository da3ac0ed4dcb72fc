"""Tokens in, `Caller` out: what is accepted, and everything that is refused."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Final

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from shared.tokens import (
    Caller,
    IssuerProfile,
    KeysUnavailable,
    Refused,
    Revocation,
    Revocations,
    Signer,
    SigningKey,
    Verifier,
    build_verifier,
    restored,
)
from shared.tokens.keys import FRESH_S, KEPT_S, PAUSE_S, FetchedKeys, FixedKeys
from shared.tokens.verified import KEPT_S as KEPT_S_OF_PROOFS
from shared.tokens.verified import VerifiedTokens
from tests.web import web

pytestmark = pytest.mark.anyio

HERE: Final = "https://tasks.example.test/mcp"
PEOPLE: Final = "https://login.example.test"
GATEWAY: Final = "https://chat.example.test"
KEY, OTHER_KEY, GATEWAY_KEY = SigningKey.generate(), SigningKey.generate(), SigningKey.generate()


def verifier(now: Callable[[], float] = time.time, **rules: Any) -> Verifier:
    profiles = [
        IssuerProfile(issuer=PEOPLE, jwks=Signer(PEOPLE, [KEY]).jwks, **rules),
        IssuerProfile(
            issuer=GATEWAY,
            jwks=Signer(GATEWAY, [GATEWAY_KEY]).jwks,
            delegates_for=frozenset({PEOPLE}),
            max_lifetime_s=120,
        ),
    ]
    return build_verifier(profiles, HERE, web(), now=now)


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token, changed; None leaves one out."""
    now = int(time.time())
    good = {"iss": PEOPLE, "sub": "ada", "aud": HERE, "iat": now, "exp": now + 300, "scope": "tasks:read", **changes}
    return {name: value for name, value in good.items() if value is not None}


def delegated(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return claims(iss=GATEWAY, sub_iss=PEOPLE, act={"sub": GATEWAY}, jti="one", iat=now, exp=now + 60, **changes)


def token(payload: dict[str, Any], key: SigningKey = KEY, **header: Any) -> str:
    named = {"kid": key.kid, "typ": "at+jwt", **header}
    named = {name: value for name, value in named.items() if value is not None}
    return jwt.encode(payload, key.private, algorithm="EdDSA", headers=named)


def raw(header: object, payload: object, signature: bytes = b"x") -> str:
    """A token of any shape, with no good signature."""
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def public_pem() -> bytes:
    return KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


async def test_a_good_token_proves_its_caller() -> None:
    exp = int(time.time()) + 300
    found = await verifier().verify(token(claims(exp=exp, scope="tasks:read nonsense", client_id="inspector")))
    assert found == Caller("ada", PEOPLE, frozenset({"tasks:read"}), exp, "inspector", issued_at=found.issued_at)
    assert found.key == f"{PEOPLE}|ada"


async def test_a_delegated_token_proves_the_person_and_names_who_acts() -> None:
    found = await verifier().verify(token(delegated(sid="s1"), GATEWAY_KEY))
    assert (found.issuer, found.subject, found.actor, found.session_id) == (PEOPLE, "ada", GATEWAY, "s1")


async def test_what_a_signer_delegates_a_verifier_accepts_and_it_never_outlives_the_caller() -> None:
    exp = int(time.time()) + 20
    ada = await verifier().verify(token(claims(exp=exp, scope="tasks:read tasks:write")))
    minted = Signer(GATEWAY, [GATEWAY_KEY]).delegate(ada, HERE, ["tasks:read"], request_id="r1")
    found = await verifier().verify(minted)
    assert (found.key, found.scopes, found.expires_at) == (ada.key, frozenset({"tasks:read"}), exp)


def test_every_permission_includes_looking_and_nothing_else() -> None:
    writer = Caller("ada", PEOPLE, frozenset({"tasks:write"}), 0, "x")
    nobody = Caller("ada", PEOPLE, frozenset(), 0, "x")
    assert writer.may("tasks:read")
    assert not writer.may("tasks:delete")
    assert not nobody.may("tasks:read")


NOW: Final = int(time.time())
BAD: Final[dict[str, str]] = {
    "empty": "",
    "no token at all": "hello",
    "four parts": "a.b.c.d",
    "not ascii": "é.b.c",
    "too long": "a." * 5_000 + ".b",
    "expired": token(claims(exp=NOW - 60)),
    "no expiry": token(claims(exp=None)),
    "expiry as text": token(claims(exp=str(NOW + 60))),
    "expiry true": token(claims(exp=True)),
    "expiry infinite": token(claims(exp=float("inf"))),
    "issued in the future": token(claims(iat=NOW + 120)),
    "not valid yet": token(claims(nbf=NOW + 120)),
    "no issue time": token(claims(iat=None)),
    "no subject": token(claims(sub=None)),
    "empty subject": token(claims(sub="")),
    "blank subject": token(claims(sub="  ")),
    "subject with a line feed": token(claims(sub="ada\nbob")),
    "subject of 256 characters": token(claims(sub="a" * 256)),
    "wrong audience": token(claims(aud=GATEWAY)),
    "no audience": token(claims(aud=None)),
    "audience with a slash more": token(claims(aud=HERE + "/")),
    "unknown issuer": token(claims(iss="https://evil.example.test")),
    "issuer with a slash more": token(claims(iss=PEOPLE + "/")),
    "another type": token(claims(), typ="JWT"),
    "no type": token(claims(), typ=None),
    "id-jag": token(claims(), typ="oauth-id-jag+jwt"),
    "another key under a known name": token(claims(), OTHER_KEY, kid=KEY.kid),
    "unknown key": token(claims(), OTHER_KEY),
    "key of another issuer": token(claims(), GATEWAY_KEY),
    "no key named": token(claims(), kid=None),
    "critical header": token(claims(), crit=["b64"], b64=True),
    "no algorithm": raw({"alg": "none", "kid": KEY.kid, "typ": "at+jwt"}, claims(), b""),
    "algorithm of a wrong type": raw({"alg": 7, "kid": KEY.kid, "typ": "at+jwt"}, claims()),
    "header is a list": raw([], claims()),
    "payload is a list": raw({"alg": "EdDSA", "kid": KEY.kid, "typ": "at+jwt"}, []),
    "deep header": f"{urlsafe_b64encode(b'[' * 3_000).decode()}.e30.eA",
    "scope is a number": token(claims(scope=7)),
    "scope holds a number": token(claims(scope=["tasks:read", 7])),
    "a person's issuer that claims to delegate": token(claims(act={"sub": GATEWAY}, sub_iss=PEOPLE)),
    "a person's issuer with sub_iss": token(claims(sub_iss=PEOPLE)),
    "delegated without act": token({**delegated(), "act": None}, GATEWAY_KEY),
    "delegated with act as text": token(delegated() | {"act": GATEWAY}, GATEWAY_KEY),
    "delegated for an unknown issuer": token(delegated() | {"sub_iss": "https://evil.example.test"}, GATEWAY_KEY),
    "delegated without jti": token(delegated() | {"jti": None}, GATEWAY_KEY),
    "delegated for two audiences": token(delegated() | {"aud": [HERE, GATEWAY]}, GATEWAY_KEY),
    "delegated for too long": token(delegated() | {"exp": NOW + 300}, GATEWAY_KEY),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_token_is_refused(case: str) -> None:
    with pytest.raises(Refused):
        await verifier(now=lambda: NOW).verify(BAD[case])


async def test_the_public_key_is_no_shared_secret() -> None:
    header = {"alg": "HS256", "kid": KEY.kid, "typ": "at+jwt"}
    unsigned = raw(header, claims()).rpartition(".")[0]
    digest = __import__("hmac").digest(public_pem(), unsigned.encode(), "sha256")
    with pytest.raises(Refused):
        await verifier().verify(f"{unsigned}.{urlsafe_b64encode(digest).decode().rstrip('=')}")


async def test_a_token_for_several_audiences_is_good_at_each() -> None:
    assert (await verifier().verify(token(claims(aud=[GATEWAY, HERE])))).subject == "ada"


async def test_ten_seconds_of_clock_skew_are_forgiven_and_no_more() -> None:
    late = token(claims(exp=NOW, iat=NOW - 60))
    assert await verifier(now=lambda: NOW + 9).verify(late)
    with pytest.raises(Refused):
        await verifier(now=lambda: NOW + 10).verify(late)


async def test_an_issuer_without_scopes_gets_its_default() -> None:
    found = await verifier(default_scopes=("tasks:read",)).verify(token(claims(scope=None)))
    assert found.scopes == {"tasks:read"}


async def test_an_issuer_that_sets_no_type_can_be_allowed_to() -> None:
    assert await verifier(types=None).verify(token(claims(), typ=None))


@pytest.mark.parametrize(
    "profile",
    [
        {"issuer": "a|b", "jwks": {"keys": []}},
        {"issuer": PEOPLE, "secret": "s" * 31},
        {"issuer": PEOPLE, "secret": "s" * 32, "jwks": {"keys": []}},
        {"issuer": PEOPLE, "secret": "s" * 32, "delegates_for": ["https://other.example.test"]},
        {"issuer": PEOPLE, "jwks": {"keys": []}, "jwks_uri": "https://x.test"},
        {"issuer": PEOPLE, "jwks": {"keys": []}, "algorithms": ["HS256"]},
        {"issuer": PEOPLE, "jwks": {"keys": []}, "algorithms": ["none"]},
        {"issuer": PEOPLE, "jwks": {"keys": []}, "audiance": "x"},
    ],
)
def test_a_profile_that_cannot_be_right_is_refused(profile: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        IssuerProfile.model_validate(profile)


def test_two_profiles_of_one_issuer_are_refused() -> None:
    profile = IssuerProfile(issuer=PEOPLE, jwks=Signer(PEOPLE, [KEY]).jwks)
    with pytest.raises(ValueError, match="two profiles"):
        build_verifier([profile, profile], HERE, web())


def test_a_key_has_the_same_name_everywhere() -> None:
    assert SigningKey.from_pem(KEY.pem).kid == KEY.kid
    assert KEY.kid != OTHER_KEY.kid
    for bad in ("", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"):
        with pytest.raises(ValueError, match=r".+"):
            SigningKey.from_pem(bad)


class Issuer(httpx2.AsyncBaseTransport):
    """An issuer's JWKS address that can be switched; it is somebody else's service, so it may be played."""

    def __init__(self) -> None:
        self.keys = [KEY]
        self.status = 200
        self.fetched = 0
        self.body: bytes | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.fetched += 1
        await asyncio.sleep(0)
        body = self.body if self.body is not None else json.dumps(Signer(PEOPLE, self.keys).jwks).encode()
        return httpx2.Response(self.status, content=body, request=request)


class Clock:
    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> FetchedKeys:
    return FetchedKeys("https://login.example.test/jwks", web(transport=issuer), now=clock)


async def test_keys_are_fetched_once_for_many_callers(keys: FetchedKeys, issuer: Issuer) -> None:
    found = await asyncio.gather(*(keys.find(KEY.kid, "EdDSA") for _ in range(50)))
    assert all(found)
    assert issuer.fetched == 1


async def test_a_flood_of_unknown_key_names_makes_one_fetch(keys: FetchedKeys, issuer: Issuer) -> None:
    await keys.load()
    assert not any(await asyncio.gather(*(keys.find(f"bogus {n}", "EdDSA") for n in range(200))))
    assert issuer.fetched == 1


async def test_a_new_key_is_found_after_a_pause_and_an_old_one_goes_when_the_list_is_old(
    keys: FetchedKeys, issuer: Issuer, clock: Clock
) -> None:
    await keys.load()
    issuer.keys = [OTHER_KEY]
    assert await keys.find(OTHER_KEY.kid, "EdDSA") is None
    clock.time += PAUSE_S
    assert await keys.find(OTHER_KEY.kid, "EdDSA")
    clock.time += FRESH_S + 1
    assert await keys.find(KEY.kid, "EdDSA") is None


async def test_known_keys_outlive_an_outage_but_not_for_ever(keys: FetchedKeys, issuer: Issuer, clock: Clock) -> None:
    await keys.load()
    issuer.status = 500
    clock.time += KEPT_S - 1
    assert await keys.find(KEY.kid, "EdDSA")
    clock.time += 2
    with pytest.raises(KeysUnavailable):
        await keys.find(KEY.kid, "EdDSA")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[" * 100_000, b'{"keys": 7}', b" " * 300_000, b"\xff"])
async def test_a_broken_answer_is_an_outage_and_is_over_at_once_when_it_is_mended(
    keys: FetchedKeys, issuer: Issuer, clock: Clock, body: bytes
) -> None:
    issuer.body = body
    with pytest.raises(KeysUnavailable):
        await keys.find(KEY.kid, "EdDSA")
    issuer.body = None
    clock.time += 0.5
    assert await keys.find(KEY.kid, "EdDSA")


async def test_a_redirect_is_not_followed(keys: FetchedKeys, issuer: Issuer) -> None:
    issuer.status = 302
    with pytest.raises(KeysUnavailable):
        await keys.load()
    assert issuer.fetched == 1


async def test_a_shared_secret_in_a_jwks_is_left_out(keys: FetchedKeys, issuer: Issuer) -> None:
    secret = {"kty": "oct", "kid": "s", "k": "c2VjcmV0"}
    broken = {"kty": "OKP", "kid": "b", "crv": "Ed25519", "x": "??"}
    for_encryption = {**KEY.public_jwk, "kid": "e", "use": "enc"}
    named_anew = {**KEY.public_jwk, "alg": "Ed25519", "kid": "n"}
    issuer.body = json.dumps({"keys": [secret, broken, for_encryption, named_anew, "x", None]}).encode()
    assert await keys.find("n", "Ed25519")
    assert await keys.find("n", "EdDSA")
    assert await keys.find("n", "ES256") is None
    for absent in ("s", "b", "e"):
        assert await keys.find(absent, "EdDSA") is None


async def test_a_token_is_proven_once_and_then_remembered(clock: Clock) -> None:
    clock.time = time.time()
    found = verifier(now=clock)
    ada = token(claims())
    callers = [await found.verify(ada) for _ in range(5)]
    assert len(set(map(id, callers))) == 1
    assert found.proofs == 1
    clock.time += KEPT_S_OF_PROOFS
    await found.verify(ada)
    assert found.proofs == 2
    with pytest.raises(Refused):
        await found.verify(ada[:-4] + "AAAA")


async def test_a_remembered_token_expires_on_time(clock: Clock) -> None:
    clock.time = time.time()
    found = verifier(now=clock)
    ada = token(claims(exp=int(clock.time) + 5))
    await found.verify(ada)
    clock.time += 16
    with pytest.raises(Refused, match="expired"):
        await found.verify(ada)


async def test_what_is_remembered_is_bounded_and_the_token_of_a_call_is_not_kept() -> None:
    known = VerifiedTokens(most=3)
    ada = restored(PEOPLE, "ada", [], 0, "x")
    keys = FixedKeys(Signer(PEOPLE, [KEY]).jwks)
    for number in range(5):
        known.remember(f"token {number}", ada, keys, 0)
        assert known.find("token 2", 0) is ada or number < 2
    assert len(known) == 3
    assert known.find("token 2", 0) is ada
    assert known.find("token 0", 0) is None
    found = verifier()
    once = token(delegated(), GATEWAY_KEY)
    await found.verify(once)
    await found.verify(once)
    assert found.proofs == 2


async def test_a_remembered_token_is_proven_again_when_the_keys_change(issuer: Issuer, clock: Clock) -> None:
    clock.time = time.time()
    keys = FetchedKeys("https://login.example.test/jwks", web(transport=issuer), now=clock)
    profile = IssuerProfile(issuer=PEOPLE, audience=HERE, jwks_uri="https://login.example.test/jwks")
    found = Verifier({PEOPLE: (profile, keys)}, now=clock)
    ada = token(claims())
    await found.verify(ada)
    issuer.keys = [OTHER_KEY]
    clock.time += PAUSE_S
    await found.verify(token(claims(), OTHER_KEY))
    with pytest.raises(Refused, match="key"):
        await found.verify(ada)


@pytest.mark.parametrize(
    ("revoked", "words"),
    [
        (Revocation(PEOPLE, 2**40, token_id="one"), "this token"),
        (Revocation(PEOPLE, 2**40, session_id="s1"), "this session"),
        (Revocation(PEOPLE, 2**40, subject="ada", not_before=NOW + 1), "what was issued before"),
    ],
)
async def test_a_revoked_token_is_refused_although_it_is_remembered(revoked: Revocation, words: str) -> None:
    revocations = Revocations()
    profile = IssuerProfile(issuer=PEOPLE, jwks=Signer(PEOPLE, [KEY]).jwks)
    found = build_verifier([profile], HERE, web(), revocations)
    ada = token(claims(iat=NOW, jti="one", sid="s1"))
    others = [
        token(claims(iat=NOW, jti="two", sid="s2", sub="bob")),
        token(claims(iat=NOW + 5, jti="three", sid="s3")),
    ]
    for known in (ada, *others):
        await found.verify(known)
    revocations.replace([revoked, Revocation("https://other.example.test", 2**40, subject="bob", not_before=2**40)])
    with pytest.raises(Refused, match="revoked"):
        await found.verify(ada)
    for known in others:
        await found.verify(known)
    revocations.replace([])
    assert await found.verify(ada), words


SECRET: Final = "a secret for development that is long enough for every algorithm"


def shared(**header: Any) -> str:
    named = {"typ": "at+jwt", **header}
    return jwt.encode(claims(), SECRET, algorithm=named.pop("alg", "HS256"), headers=named)


async def test_a_shared_secret_proves_what_it_signed_and_nothing_else() -> None:
    profile = IssuerProfile.model_validate({"issuer": PEOPLE, "secret": SECRET})
    found = build_verifier([profile], HERE, web())
    assert (await found.verify(shared())).subject == "ada"
    assert SECRET not in repr(profile)
    for bad in (shared(alg="HS512"), token(claims()), jwt.encode(claims(), SECRET + "!", headers={"typ": "at+jwt"})):
        with pytest.raises(Refused):
            await found.verify(bad)


def identity(**changes: Any) -> str:
    kind = changes.pop("typ", "JWT")
    key = changes.pop("key", KEY)
    return token(claims(aud="the client", nonce="n1", scope=None, **changes), key, typ=kind)


async def test_an_id_token_says_who_has_signed_in() -> None:
    found = await verifier().identify(identity(name="Ada", sid="s1"), issuer=PEOPLE, client_id="the client", nonce="n1")
    assert (found.subject, found.name, found.session_id) == ("ada", "Ada", "s1")
    signed = Signer(PEOPLE, [KEY]).identify("ada", "the client", nonce="n1", session_id="s2")
    found = await verifier().identify(signed, issuer=PEOPLE, client_id="the client", nonce="n1")
    assert (found.subject, found.session_id) == ("ada", "s2")
    with pytest.raises(Refused):
        await verifier().verify(signed)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another client"},
        {"aud": ["the client", "another"]},
        {"azp": "another client"},
        {"nonce": "n2"},
        {"nonce": None},
        {"typ": "at+jwt"},
        {"iss": GATEWAY},
        {"exp": NOW - 60},
        {"exp": None},
        {"iat": NOW + 600},
        {"sub": " "},
        {"key": OTHER_KEY},
    ],
)
async def test_an_id_token_for_something_else_is_refused(changes: dict[str, Any]) -> None:
    changed = dict(changes)
    key, kind = changed.pop("key", KEY), changed.pop("typ", "JWT")
    wrong = token(claims(**{"aud": "the client", "nonce": "n1", "scope": None, **changed}), key, typ=kind)
    with pytest.raises(Refused):
        await verifier().identify(wrong, issuer=PEOPLE, client_id="the client", nonce="n1")
