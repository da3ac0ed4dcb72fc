"""The gateway's door: who is let in, what is turned away, and that nothing is stored of what was refused."""

import json
from typing import Any, Final

import httpx2
import pytest

from gateway.assets import POLICY
from shared.tokens import SCOPES, Signer, SigningKey, discover
from tests.living import ISSUER, Living, message
from tests.web import web

pytestmark = pytest.mark.anyio

CREATE: Final = {"type": "threads.create", "params": {"input": message("planted")}}


async def post(living: Living, content: Any, **headers: str) -> httpx2.Response:
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    async with web(base_url=living.gateway_url) as http:
        return await http.post("/chatkit", content=text, headers={"Content-Type": "application/json", **headers})


def bearer(living: Living, **changes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {living.token('ada', living.gateway_url, **changes)}"}


async def assert_nothing_stored(living: Living) -> None:
    async with living.chat("ada") as ada:
        assert (await ada.reply("threads.list"))["data"] == []


@pytest.mark.parametrize(
    "case", ["none", "empty", "garbage", "expired", "for the tool server", "of a stranger", "basic"]
)
async def test_without_a_good_token_nothing_is_stored(living: Living, case: str) -> None:
    stranger = Signer(ISSUER, [SigningKey.generate()])
    headers = {
        "none": {},
        "empty": {"Authorization": "Bearer"},
        "garbage": {"Authorization": "Bearer garbage"},
        "expired": bearer(living, lifetime_s=-60),
        "for the tool server": {"Authorization": f"Bearer {living.token('ada')}"},
        "of a stranger": {
            "Authorization": "Bearer " + stranger.issue("ada", living.gateway_url, SCOPES, lifetime_s=60, client_id="x")
        },
        "basic": {"Authorization": "Basic YWRhOmFkYQ=="},
    }[case]
    response = await post(living, CREATE, **headers)
    assert response.status_code == 401
    # Without a token there is nothing that could be invalid.
    was_sent = case not in {"none", "empty", "basic"}
    assert response.headers["www-authenticate"] == ('Bearer error="invalid_token"' if was_sent else "Bearer")
    assert response.json()["code"] == "sign_in"
    assert "login" not in response.json()  # browsers cannot sign in here
    await assert_nothing_stored(living)


async def test_two_credentials_are_one_too_many(living: Living) -> None:
    one = bearer(living)["Authorization"]
    headers = [("Authorization", one), ("Authorization", one), ("Content-Type", "application/json")]
    async with web(base_url=living.gateway_url) as http:
        response = await http.post("/chatkit", content=json.dumps(CREATE), headers=headers)
    assert response.status_code == 400
    await assert_nothing_stored(living)


async def test_a_foreign_host_or_origin_is_turned_away(living: Living) -> None:
    assert (await post(living, CREATE, **bearer(living), Host="evil.example.test")).status_code == 421
    assert (await post(living, CREATE, **bearer(living), Origin="https://evil.example.test")).status_code == 403
    await assert_nothing_stored(living)


async def test_the_public_keys_are_published_and_nothing_else_of_them(living: Living) -> None:
    async with web(base_url=living.gateway_url) as http:
        response = await http.get("/.well-known/jwks.json")
    [key] = response.json()["keys"]
    assert key["kid"] == living.gateway_key.kid
    assert "d" not in key


async def test_the_gateway_can_be_discovered_as_the_issuer_of_its_calls(living: Living) -> None:
    async with web(base_url=living.gateway_url) as http:
        found = await discover(living.gateway_url, http)
        assert (await http.get(found.jwks_uri)).json() == Signer(living.gateway_url, [living.gateway_key]).jwks
        assert (await http.get("/.well-known/openid-configuration")).status_code == 404
    assert not found.authorization_endpoint
    assert not found.token_endpoint


async def test_the_page_is_served_with_a_strict_policy_and_may_be_kept(living: Living) -> None:
    async with web(base_url=living.gateway_url) as http:
        page = await http.get("/")
        assert page.status_code == 200
        assert page.headers["content-security-policy"] == POLICY
        assert page.headers["content-type"].startswith("text/html")
        script = await http.get("/page/app.js")
        assert script.headers["content-type"].startswith("text/javascript")
        again = await http.get("/page/app.js", headers={"If-None-Match": script.headers["etag"]})
        assert again.status_code == 304
        for absent in ("/page/nothing.js", "/page/..%2fapp.py", "/page/../app.py", "/nothing"):
            assert (await http.get(absent)).status_code == 404


async def test_probes_need_no_token_and_no_known_host(living: Living) -> None:
    async with web(base_url=living.gateway_url, headers={"Host": "10.0.0.7"}) as http:
        assert (await http.get("/healthz")).status_code == 200
        ready = await http.get("/readyz")
    assert ready.status_code == 200
    assert all(set(check) == {"name", "ok"} for check in ready.json()["checks"])


async def test_a_browser_signs_in_once_and_keeps_no_token(living: Living) -> None:
    async with web(base_url=living.gateway_url) as browser:
        assert (await browser.get("/auth/me")).status_code == 401
        started = await browser.post("/auth/session", headers=bearer(living))
        assert started.status_code == 204
        cookie = started.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "eyJ" not in cookie
        me = (await browser.get("/auth/me")).json()
        assert me["subject"] == me["name"] == living.subject("ada")
        same = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
        listing = json.dumps({"type": "threads.list", "params": {}})
        assert (await browser.post("/chatkit", content=listing, headers=same)).status_code == 200
        ended = await browser.post("/auth/logout", headers=same)
        assert ended.json() == {"end_session": ""}
        browser.cookies.update({"taskgate": cookie.partition("=")[2].partition(";")[0]})
        assert (await browser.get("/auth/me")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
)
async def test_another_site_cannot_use_the_cookie(living: Living, headers: dict[str, str]) -> None:
    async with web(base_url=living.gateway_url) as browser:
        await browser.post("/auth/session", headers=bearer(living))
        sent = {"Content-Type": "application/json", **headers}
        response = await browser.post("/chatkit", content=json.dumps(CREATE), headers=sent)
        assert response.status_code == 403
    await assert_nothing_stored(living)


async def test_a_session_does_not_outlive_its_token(living: Living) -> None:
    async with web(base_url=living.gateway_url) as browser:
        started = await browser.post("/auth/session", headers=bearer(living, lifetime_s=100))
        assert "Max-Age=100" in started.headers["set-cookie"] or "Max-Age=99" in started.headers["set-cookie"]


async def test_a_cookie_that_was_guessed_is_nobody(living: Living) -> None:
    async with web(base_url=living.gateway_url, cookies={"taskgate": "x" * 43}) as browser:
        assert (await browser.get("/auth/me")).status_code == 401


async def test_a_token_without_the_permission_to_look_is_refused(living: Living) -> None:
    response = await post(living, CREATE, **bearer(living, scopes=[]))
    assert response.status_code == 403
    await assert_nothing_stored(living)
