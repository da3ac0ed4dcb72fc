"""The gateway as a client of issuers that are not ours: what it tells them, and what it makes of their answers."""

import base64
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

import httpx2
import pytest
from starlette.datastructures import QueryParams

from gateway.oidc import Grant, LoginIssuer, SignInOver, find_issuer
from shared.errors import Problem
from shared.tokens import SCOPES, IssuerMetadata, IssuerProfile, Signer, SigningKey, Undiscoverable, build_verifier
from tests.web import web

pytestmark = pytest.mark.anyio

ISSUER: Final = "https://login.example.test/realms/one"
US: Final = "https://chat.example.test"
SECRET: Final = "s3cret/with:odd+letters"
METADATA: Final[dict[str, Any]] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize?tenant=one",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "code_challenge_methods_supported": ["S256"],
}


@dataclass
class Foreign:
    """An issuer somewhere else: it answers as it is told, and keeps what it was asked."""

    answer: Callable[[httpx2.Request], httpx2.Response]
    seen: list[httpx2.Request] = field(default_factory=list)
    signer: Signer = field(default_factory=lambda: Signer(ISSUER, [SigningKey.generate()]))

    def respond(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        return self.answer(request)

    @property
    def form(self) -> dict[str, str]:
        """What it was sent last."""
        return {name: value for name, [value] in parse_qs(self.seen[-1].content.decode()).items()}

    def client(
        self, http: httpx2.AsyncClient, *, secret: str = "", scopes: Any = tuple(SCOPES), **about: Any
    ) -> LoginIssuer:
        """The gateway as its client."""
        return LoginIssuer(
            IssuerMetadata.model_validate({**METADATA, **about}),
            http,
            build_verifier([IssuerProfile(issuer=ISSUER, jwks=self.signer.jwks)], US, http),
            client_id="the gateway",
            client_secret=secret,
            scopes=scopes,
            gateway_url=US,
        )


def json_of(**document: Any) -> Callable[[httpx2.Request], httpx2.Response]:
    return lambda _: httpx2.Response(200, json=document)


@pytest.fixture
def foreign() -> Foreign:
    return Foreign(json_of())


@pytest.fixture
async def http(foreign: Foreign) -> AsyncGenerator[httpx2.AsyncClient]:
    async with web(transport=httpx2.MockTransport(foreign.respond)) as client:
        yield client


def asked(address: str) -> dict[str, str]:
    """The query of an address, each name once."""
    return {name: value for name, [value] in parse_qs(address.partition("?")[2]).items()}


async def signed_in(foreign: Foreign, client: LoginIssuer, **answer: Any) -> Grant:
    """What ada is granted by an issuer that answers so."""
    _, attempt = client.begin()
    token = foreign.signer.identify("ada", client.client_id, nonce=attempt.nonce, session_id="s")
    foreign.answer = json_of(id_token=token, access_token="opaque", token_type="Bearer", **answer)
    person, grant = await client.finish(attempt, QueryParams({"code": "c", "state": attempt.state}))
    assert person.subject == "ada"
    return grant


async def test_the_address_of_the_issuer_keeps_its_own_query(foreign: Foreign, http: httpx2.AsyncClient) -> None:
    address, attempt = foreign.client(http).begin()
    assert address.startswith(METADATA["authorization_endpoint"])
    assert asked(address)["tenant"] == "one"
    assert asked(address)["state"] == attempt.state
    assert len(attempt.verifier) == 64
    assert attempt.verifier not in address


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"code_challenge_methods_supported": []}, "does not offer PKCE with S256"),
        ({"code_challenge_methods_supported": ["plain"]}, "does not offer PKCE with S256"),
        ({"token_endpoint": "http://login.example.test/token"}, "does not name its endpoints as https addresses"),
        ({"end_session_endpoint": "javascript:alert(1)"}, "does not name its endpoints as https addresses"),
        ({"authorization_endpoint": ""}, "does not name its endpoints as https addresses"),
        ({"issuer": f"{ISSUER}/"}, "calls itself"),
    ],
)
async def test_an_issuer_that_does_not_suit_is_refused_at_the_start(
    foreign: Foreign, http: httpx2.AsyncClient, change: Mapping[str, Any], why: str
) -> None:
    foreign.answer = json_of(**{**METADATA, **change})
    with pytest.raises(Undiscoverable, match=why):
        await find_issuer(ISSUER, http)
    foreign.answer = json_of(**METADATA)
    assert (await find_issuer(ISSUER, http)).token_endpoint == METADATA["token_endpoint"]


@pytest.mark.parametrize(
    ("secret", "ways", "header", "fields"),
    [
        ("", ["none"], "", {"client_id": "the gateway"}),
        (SECRET, ["client_secret_basic", "client_secret_post"], "the+gateway:s3cret%2Fwith%3Aodd%2Bletters", {}),
        (SECRET, ["private_key_jwt"], "the+gateway:s3cret%2Fwith%3Aodd%2Bletters", {}),
        (SECRET, ["client_secret_post"], "", {"client_id": "the gateway", "client_secret": SECRET}),
        (SECRET, ["none"], "", {"client_id": "the gateway"}),
    ],
)
async def test_the_gateway_says_who_it_is_in_the_way_the_issuer_knows(
    foreign: Foreign, http: httpx2.AsyncClient, secret: str, ways: list[str], header: str, fields: dict[str, str]
) -> None:
    client = foreign.client(http, secret=secret, token_endpoint_auth_methods_supported=ways)
    await client.renew("r1")
    assert foreign.form == {"grant_type": "refresh_token", "refresh_token": "r1", **fields}
    sent = foreign.seen[-1].headers.get("authorization", "").removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == header


OURS: Final = frozenset(SCOPES)
READ: Final = frozenset({"tasks:read"})


@pytest.mark.parametrize(
    ("known", "wanted", "answer", "in_address", "granted"),
    [
        pytest.param([], OURS, {}, OURS, OURS, id="nothing said: what was asked"),
        pytest.param([], OURS, {"scope": "openid tasks:read"}, OURS, READ, id="less than asked"),
        pytest.param([], READ, {"scope": "tasks:read tasks:write"}, READ, READ, id="more than asked"),
        pytest.param([], OURS, {"scope": "openid"}, OURS, None, id="nothing of ours"),
        pytest.param(["openid", "tasks:read"], OURS, {}, READ, READ, id="an issuer that knows one of them"),
        pytest.param(["openid"], OURS, {"scope": "openid"}, frozenset(), OURS, id="an issuer that knows none"),
        pytest.param(["openid"], READ, {}, frozenset(), READ, id="and a gateway that is content with less"),
    ],
)
async def test_a_session_may_what_was_asked_and_granted(
    foreign: Foreign,
    http: httpx2.AsyncClient,
    known: list[str],
    wanted: frozenset[str],
    answer: dict[str, str],
    in_address: frozenset[str],
    granted: frozenset[str] | None,
) -> None:
    client = foreign.client(http, scopes=sorted(wanted), scopes_supported=known)
    assert set(asked(client.begin()[0])["scope"].split()) == {"openid", *in_address}
    if granted is None:
        with pytest.raises(Problem) as refused:
            await signed_in(foreign, client, **answer)
        assert refused.value.code == "forbidden"
    else:
        assert (await signed_in(foreign, client, **answer)).scopes == granted


async def test_what_the_issuer_knows_besides_is_asked_for_where_it_helps(
    foreign: Foreign, http: httpx2.AsyncClient
) -> None:
    known = foreign.client(http, scopes_supported=["openid", "profile", "email", "offline_access", *SCOPES])
    assert asked(known.begin()[0])["scope"].split()[:3] == ["openid", "profile", "offline_access"]
    assert "resource" not in asked(known.begin()[0])
    assert asked(foreign.client(http, protected_resources=[US]).begin()[0])["resource"] == US


@pytest.mark.parametrize(
    ("answer", "lifetime_s", "refresh_token"),
    [
        ({}, 300, None),
        ({"expires_in": 3600, "refresh_token": "r1"}, 3600, "r1"),
        ({"expires_in": "3600", "refresh_token": ""}, 3600, None),
        ({"expires_in": -5}, 0, None),
    ],
)
async def test_how_long_a_sign_in_is_proven(
    foreign: Foreign, http: httpx2.AsyncClient, answer: dict[str, Any], lifetime_s: int, refresh_token: str | None
) -> None:
    grant = await signed_in(foreign, foreign.client(http), **answer)
    assert (grant.lifetime_s, grant.refresh_token) == (lifetime_s, refresh_token)


def broken(_: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadTimeout("a text of somebody else")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(broken, id="silence"),
        pytest.param(lambda _: httpx2.Response(503, text="away"), id="503"),
        pytest.param(lambda _: httpx2.Response(500, json={"error": "invalid_grant"}), id="500"),
        pytest.param(lambda _: httpx2.Response(401, json={"error": "invalid_client"}), id="our own mistake"),
        pytest.param(lambda _: httpx2.Response(429, json={}), id="429"),
        pytest.param(lambda _: httpx2.Response(400, json=["invalid_grant"]), id="another form"),
        pytest.param(lambda _: httpx2.Response(307, headers={"Location": f"{ISSUER}/elsewhere"}), id="redirect"),
        pytest.param(lambda _: httpx2.Response(200, text="<html>"), id="a page"),
        pytest.param(lambda _: httpx2.Response(200, json=["x"]), id="a list"),
        pytest.param(lambda _: httpx2.Response(200, json={"refresh_token": {"a": 1}}), id="wrong types"),
        pytest.param(lambda _: httpx2.Response(200, text="[" * 50_000), id="deep nesting"),
        pytest.param(lambda _: httpx2.Response(200, json={"padding": "x" * 70_000}), id="too much"),
    ],
)
async def test_an_unclear_answer_is_not_a_no(
    foreign: Foreign,
    http: httpx2.AsyncClient,
    answer: Callable[[httpx2.Request], httpx2.Response],
    caplog: pytest.LogCaptureFixture,
) -> None:
    foreign.answer = answer
    with caplog.at_level(logging.DEBUG), pytest.raises(Problem) as away:
        await foreign.client(http, secret=SECRET).renew("r1-never-in-a-log")
    assert away.value.code == "unavailable"
    assert len(foreign.seen) == 1
    written = json.dumps([vars(record) for record in caplog.records], default=str)
    assert not [word for word in ("r1-never-in-a-log", SECRET, "somebody else") if word in written]


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_clear_no_ends_the_sign_in(foreign: Foreign, http: httpx2.AsyncClient, status: int) -> None:
    foreign.answer = lambda _: httpx2.Response(status, json={"error": "invalid_grant"})
    with pytest.raises(SignInOver):
        await foreign.client(http).renew("r1")


async def test_no_cookie_of_one_person_is_sent_with_the_next(foreign: Foreign, http: httpx2.AsyncClient) -> None:
    foreign.answer = lambda _: httpx2.Response(200, json={}, headers={"Set-Cookie": "who=ada; Path=/"})
    client = foreign.client(http)
    await client.renew("r1")
    await client.renew("r2")
    assert "cookie" not in foreign.seen[-1].headers
