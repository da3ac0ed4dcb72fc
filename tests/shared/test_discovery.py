"""Asking an issuer about itself: which documents are read, and what stops a service at its start."""

import asyncio
import json
from typing import Any, Final

import httpx2
import pytest

from shared.tokens import IssuerProfile, Undiscoverable, discover, with_known_keys
from tests.web import web

pytestmark = pytest.mark.anyio

ISSUER: Final = "https://login.example.test/tenant"
OPENID: Final = "https://login.example.test/tenant/.well-known/openid-configuration"
OAUTH: Final = "https://login.example.test/.well-known/oauth-authorization-server/tenant"
METADATA: Final = {"issuer": ISSUER, "jwks_uri": "https://login.example.test/keys", "more": [1]}


class Issuer(httpx2.AsyncBaseTransport):
    """Somebody else's service, so it may be played: what it answers at which address."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(str(request.url))
        self.was_asked.set()
        answer = self.answers.get(str(request.url))
        match answer:
            case None:
                return httpx2.Response(404, request=request)
            case int():
                return httpx2.Response(answer, headers={"Location": OPENID}, request=request)
            case bytes():
                return httpx2.Response(200, content=answer, request=request)
            case Exception():
                raise answer
        return httpx2.Response(200, content=json.dumps(answer).encode(), request=request)


@pytest.mark.parametrize("address", [OPENID, OAUTH])
async def test_either_document_will_do(address: str) -> None:
    found = await discover(ISSUER, web(transport=Issuer({address: METADATA})))
    assert found.jwks_uri == "https://login.example.test/keys"


async def test_only_profiles_without_keys_are_asked_about() -> None:
    issuer = Issuer({OPENID: METADATA})
    profiles = [
        IssuerProfile(issuer=ISSUER, default_scopes=("tasks:read",)),
        IssuerProfile(issuer="https://a.example.test", jwks_uri="https://a.example.test/keys"),
        IssuerProfile(issuer="https://b.example.test", jwks={"keys": []}),
    ]
    known = await with_known_keys(profiles, web(transport=issuer))
    assert known[0].jwks_uri == "https://login.example.test/keys"
    assert known[0].default_scopes == ("tasks:read",)
    assert known[1:] == tuple(profiles[1:])
    assert issuer.asked == [OPENID]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "status 404"),
        ({OPENID: 500, OAUTH: 302}, "status 302"),
        ({OPENID: httpx2.ConnectError("refused"), OAUTH: httpx2.ConnectError("refused")}, "no answer"),
        ({OPENID: b"<html>", OAUTH: b"["}, "cannot be read"),
        ({OPENID: {"jwks_uri": 7}, OAUTH: {"issuer": 7}}, "cannot be read"),
        ({OAUTH: b" " * 300_000}, "too large"),
        ({OPENID: METADATA | {"issuer": ISSUER + "/"}}, f"calls itself '{ISSUER}/'"),
        ({OPENID: METADATA | {"issuer": "https://evil.example.test"}}, "calls itself 'https://evil.example.test'"),
        ({OPENID: METADATA | {"jwks_uri": ""}}, "does not say where its keys are"),
    ],
)
async def test_an_issuer_that_cannot_be_used_is_told_in_one_sentence(answers: dict[str, Any], words: str) -> None:
    http = web(transport=Issuer(answers))
    with pytest.raises(Undiscoverable) as caught:
        await with_known_keys([IssuerProfile(issuer=ISSUER)], http, patience_s=0.1)
    assert caught.value.message.startswith(f"the issuer {ISSUER} ")
    assert words in caught.value.message
    assert caught.value.hint
    assert "html" not in str(caught.value)


async def test_plain_http_is_for_this_machine_only() -> None:
    issuer = Issuer({})
    with pytest.raises(Undiscoverable, match="no https address"):
        await discover("http://login.example.test", web(transport=issuer))
    assert issuer.asked == []


async def test_an_issuer_that_starts_at_the_same_moment_is_waited_for() -> None:
    issuer = Issuer({})
    asking = asyncio.ensure_future(discover(ISSUER, web(transport=issuer)))
    await issuer.was_asked.wait()
    issuer.answers[OPENID] = METADATA
    assert (await asking).issuer == ISSUER
