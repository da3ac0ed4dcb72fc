"""Signing in with a browser at the real development issuer: the way in, every wrong way in, and the way out."""

import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.login import SignIn
from gateway.oidc import LoginIssuer
from gateway.sealing import Sealing
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from shared.settings import SettingsFault, load
from shared.tokens import SCOPES, IssuerMetadata, IssuerProfile, Revocation, SigningKey, build_verifier
from tests.issuer import approve
from tests.living import SESSION_KEY, Living
from tests.signing_in import CLIENT_ID, COOKIE, LOGIN_COOKIE, House, Visitor, open_house
from tests.web import web

pytestmark = pytest.mark.anyio

# What an answer has to be is decided before the database is asked.
on_one_engine = pytest.mark.parametrize("house", ["sqlite"], indirect=True)
LINK: Final = '<a class="primary" href="/auth/login">'


@pytest.fixture(scope="module")
async def opened(house: Living) -> AsyncGenerator[House]:
    async with open_house(house.databases) as found:
        yield found


@pytest.fixture
def home(opened: House) -> House:
    opened.begin_test()
    return opened


def changed(address: str, **query: str | None) -> str:
    """The address with other values in its query; None takes one away."""
    url = httpx2.URL(address)
    values = {name: value for name, value in {**dict(url.params), **query}.items() if value is not None}
    return str(url.copy_with(params=values))


async def assert_turned_away(visitor: Visitor, answer: httpx2.Response, status: int, why: str) -> None:
    """A page that a person can read and go on from, and no session."""
    assert answer.status_code == status, answer.text
    assert why in answer.text
    assert LINK in answer.text
    assert "<script" not in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert answer.headers["cache-control"] == "no-store"
    assert f"{COOKIE}=" not in answer.headers.get("set-cookie", "")
    assert await visitor.status() == 401


# The way in ---------------------------------------------------------------------------------------------------------


async def test_a_browser_signs_in_at_the_issuer_and_comes_back_to_where_it_was(home: House) -> None:
    async with home.visitor() as ada:
        asked = await ada.http.get("/auth/me")
        assert asked.json()["login"] == "/auth/login"
        assert asked.headers["www-authenticate"] == "Bearer"

        address = await ada.begin("/?thread=thr_1")
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{home.issuer.url}/authorize?")
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        assert query["redirect_uri"] == f"{home.living.gateway_url}/auth/callback"
        assert set(query["scope"].split()) == {"openid", *SCOPES}
        assert query["resource"] == home.living.gateway_url
        assert query["code_challenge_method"] == "S256"
        assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
        assert all(len(query[name]) == 43 for name in ("state", "nonce", "code_challenge"))

        landed = await ada.http.get(await approve(address, home.living.subject("ada")))
        assert (landed.status_code, landed.headers["location"]) == (303, "/?thread=thr_1")
        me = await ada.me()
        assert me["subject"] == me["name"] == home.living.subject("ada")
        assert (await ada.chat.say("Add buy milk")).text.startswith("Added")


async def test_what_a_session_may_and_whose_it_is_comes_from_the_issuer(home: House) -> None:
    async with home.visitor("ada"):
        row = await home.row()
        assert (row.issuer, row.client_id) == (home.issuer.url, CLIENT_ID)
        assert set(row.scopes.split()) == set(SCOPES)
        assert row.session_id
        assert row.expires_us - row.created_us == 12 * 3600 * 1_000_000
        assert row.verified_until_us - row.issued_us == 900 * 1_000_000


async def test_the_cookies_are_for_this_site_alone_and_hold_no_token(home: House) -> None:
    async with home.visitor() as ada:
        begun = await ada.http.get("/auth/login")
        landed = await ada.http.get(await approve(begun.headers["location"], home.living.subject("ada")))
        cookies = [begun.headers["set-cookie"], *landed.headers.get_list("set-cookie")]
        assert [cookie.partition("=")[0] for cookie in cookies] == [LOGIN_COOKIE, COOKIE, LOGIN_COOKIE]
        for cookie in cookies:
            parts = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert {"httponly", "path=/", "samesite=lax"} <= parts
            assert not [part for part in parts if part.startswith("domain")]
            assert "eyJ" not in cookie
        assert "Max-Age=600" in cookies[0]
        assert "Max-Age=43200" in cookies[1]
        assert "Max-Age=0" in cookies[2]
        assert begun.headers["cache-control"] == landed.headers["cache-control"] == "no-store"
        assert ada.session not in str(await home.row())


async def test_over_https_the_cookies_are_bound_to_the_host_and_to_https(home: House) -> None:
    origin = "https://chat.example.test"
    profile = IssuerProfile(issuer=home.issuer.url, jwks=home.issuer.jwks)
    async with web() as outside:
        verifier = build_verifier([profile], origin, outside)
        metadata = IssuerMetadata(issuer=profile.issuer, authorization_endpoint=f"{profile.issuer}/authorize")
        issuer = LoginIssuer(
            metadata, outside, verifier, client_id="us", client_secret="", scopes=tuple(SCOPES), gateway_url=origin
        )
        sessions = Sessions(home.database, Sealing([SESSION_KEY], "refresh tokens"), issuer)
        sign_in = SignIn(
            verifier, sessions, issuer, Sealing([SESSION_KEY], "sign-in"), origin, lambda: datetime.now(UTC)
        )
        app = Starlette(
            routes=[
                Route("/login", sign_in.begin),
                Route("/session", sign_in.start_session, methods=["POST"]),
                Route("/logout", sign_in.end_session, methods=["POST"]),
            ]
        )
        token = home.issuer.signer.issue("ada", origin, SCOPES, lifetime_s=60, client_id="x")
        async with web(transport=httpx2.ASGITransport(app), base_url=origin) as browser:
            begun = await browser.get("/login")
            started = await browser.post("/session", headers={"Authorization": f"Bearer {token}"})
            ended = await browser.post("/logout", headers={"Origin": origin})
    names = []
    for answer in (begun, started, ended):
        cookie = answer.headers["set-cookie"]
        names.append(cookie.partition("=")[0])
        assert {"secure", "httponly", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert names == ["__Host-taskgate-login", "__Host-taskgate", "__Host-taskgate"]


async def test_each_sign_in_has_an_id_of_its_own_and_ends_the_one_before(home: House) -> None:
    async with home.visitor() as ada:
        ada.carry(COOKIE, "chosen-by-somebody-else")
        await ada.sign_in(home.living.subject("ada"))
        first = ada.session
        assert first != "chosen-by-somebody-else"
        await ada.sign_in(home.living.subject("ada"))
        second = ada.session
        assert second != first
        assert await ada.status() == 200
        ada.carry(COOKIE, first)
        assert await ada.status() == 401
        assert len(await home.rows()) == 1


async def test_bobs_cookie_never_opens_adas_conversations(home: House) -> None:
    async with home.visitor("ada") as ada, home.visitor("bob") as bob:
        thread = (await ada.chat.say("a secret of mine")).thread_id
        assert (await bob.me())["subject"] == home.living.subject("bob")
        assert (await bob.chat.reply("threads.list"))["data"] == []
        for kind in ("threads.get_by_id", "threads.delete"):
            await bob.chat.post(kind, thread_id=thread)
        assert (await bob.chat.post("threads.get_by_id", thread_id=thread)).status_code == 404
        assert [found["id"] for found in (await ada.chat.reply("threads.list"))["data"]] == [thread]


@on_one_engine
@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("/?thread=thr_1&x=é", "/?thread=thr_1&x=%C3%A9"),
        ("/a/b?c=d", "/a/b?c=d"),
        ("", "/"),
        ("https://evil.example.test/", "/"),
        ("//evil.example.test", "/"),
        ("/\\evil.example.test", "/"),
        ("/a//evil.example.test", "/"),
        ("/\t/evil.example.test", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example.test", "/"),
        ("\\/evil.example.test", "/"),
        (" /a", "/"),
        ("/" + "a" * 600, "/"),
    ],
)
async def test_the_way_back_never_leads_to_another_site(home: House, sent: str, taken: str) -> None:
    async with home.visitor() as ada:
        landed = await ada.sign_in("ada", sent)
        assert landed.headers["location"] == taken
        assert landed.headers.get_list("set-cookie")[0].startswith(f"{COOKIE}=")


# The wrong ways in --------------------------------------------------------------------------------------------------


@on_one_engine
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": None}, "not the sign-in that was begun here"),
        ({"state": "x" * 43}, "not the sign-in that was begun here"),
        ({"state": "é"}, "not the sign-in that was begun here"),
        ({"iss": None}, "came from another sign-in service"),
        ({"iss": "https://evil.example.test"}, "came from another sign-in service"),
        ({"code": None}, "was not clear"),
        ({"code": "x" * 43}, "used already"),
        ({"code": None, "error": "access_denied"}, "it was declined"),
        ({"code": None, "error": "invalid_scope", "error_description": "<b>"}, "the sign-in service refused it"),
    ],
)
async def test_an_answer_that_does_not_fit_signs_nobody_in(home: House, change: dict[str, Any], why: str) -> None:
    async with home.visitor() as ada:
        callback = await approve(await ada.begin())
        await assert_turned_away(ada, await ada.http.get(changed(callback, **change)), 400, why)
        # Only an answer to this very attempt ends it: the right one is still welcome after somebody else's.
        again = await ada.http.get(callback)
        assert again.status_code == (303 if "state" in change else 400)


async def test_an_answer_that_says_two_things_is_not_believed(home: House) -> None:
    async with home.visitor() as ada:
        callback = await approve(await ada.begin())
        for name in ("code", "iss"):
            twice = f"{callback}&{name}={dict(httpx2.URL(callback).params)[name]}"
            assert (await ada.http.get(twice)).status_code == 400
        assert await ada.status() == 401


async def test_a_declined_sign_in_says_so(home: House) -> None:
    async with home.visitor() as ada:
        declined = await approve(await ada.begin(), deny=True)
        await assert_turned_away(ada, await ada.http.get(declined), 400, "it was declined")


async def test_why_a_sign_in_did_not_work_is_said_in_the_language_of_the_browser(home: House) -> None:
    async with home.visitor() as ada:
        declined = await approve(await ada.begin(), deny=True)
        page = (await ada.http.get(declined, headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})).text
        assert '<html lang="de">' in page
        assert "Du bist nicht angemeldet" in page
        assert "Diese Anmeldung hat nicht geklappt: sie wurde abgelehnt." in page


async def test_a_sign_in_that_another_browser_began_is_not_finished_here(home: House) -> None:
    async with home.visitor() as bob, home.visitor() as ada:
        planted = await approve(await bob.begin(), "bob")
        await assert_turned_away(ada, await ada.http.get(planted), 400, "not the sign-in that was begun here")
        await ada.begin()
        await assert_turned_away(ada, await ada.http.get(planted), 400, "not the sign-in that was begun here")


async def test_an_answer_is_taken_once(home: House) -> None:
    async with home.visitor() as ada:
        address = await ada.begin()
        carried = ada.cookie(LOGIN_COOKIE)
        callback = await approve(address)
        assert (await ada.http.get(callback)).status_code == 303
        assert ada.cookie(LOGIN_COOKIE) == ""
        ada.http.cookies.delete(COOKIE)
        await assert_turned_away(ada, await ada.http.get(callback), 400, "not the sign-in that was begun here")
        # Somebody who kept the cookie finds that the code is used up.
        ada.carry(LOGIN_COOKIE, carried)
        await assert_turned_away(ada, await ada.http.get(callback), 400, "used already")


def sealed_anew(**changes: Any) -> Callable[[str], str]:
    def change(cookie: str) -> str:
        sealing = Sealing([SESSION_KEY], "sign-in")
        opened = sealing.open(cookie)
        assert opened is not None
        return sealing.seal(json.dumps({**json.loads(opened), **changes}))

    return change


@on_one_engine
@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(sealed_anew(until=0), "took too long", id="ten minutes later"),
        pytest.param(sealed_anew(nonce="x" * 43), "did not prove who you are", id="nonce"),
        pytest.param(sealed_anew(verifier="x" * 64), "used already", id="verifier"),
        pytest.param(lambda cookie: cookie[:-4] + "AAAA", "not the sign-in that was begun here", id="tampered"),
        pytest.param(lambda _: "x", "not the sign-in that was begun here", id="garbage"),
        pytest.param(
            lambda cookie: Sealing(["another key, as long as the other"], "sign-in").seal(cookie),
            "not the sign-in that was begun here",
            id="sealed by somebody else",
        ),
        pytest.param(
            lambda cookie: Sealing([SESSION_KEY], "refresh tokens").seal(cookie),
            "not the sign-in that was begun here",
            id="sealed for something else",
        ),
    ],
)
async def test_what_the_browser_carries_has_to_be_what_it_set_out_with(
    home: House, change: Callable[[str], str], why: str
) -> None:
    async with home.visitor() as ada:
        callback = await approve(await ada.begin())
        ada.carry(LOGIN_COOKIE, change(ada.cookie(LOGIN_COOKIE)))
        await assert_turned_away(ada, await ada.http.get(callback), 400, why)


async def test_an_issuer_that_is_away_is_not_the_persons_mistake(home: House) -> None:
    async with home.visitor() as ada:
        callback = await approve(await ada.begin())
        await home.issuer.stop()
        await assert_turned_away(ada, await ada.http.get(callback), 503, "The sign-in service is away")
        await home.issuer.start()
        await ada.sign_in("ada")
        assert await ada.status() == 200


async def test_an_id_token_opens_nothing(home: House) -> None:
    proof = home.issuer.signer.identify("ada", CLIENT_ID, nonce="n", session_id="s")
    for_us = home.issuer.signer.identify("ada", home.living.gateway_url, nonce="n", session_id="s")
    async with home.visitor() as ada:
        for token in (proof, for_us):
            refused = await ada.http.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            refused = await ada.http.post("/auth/session", headers={"Authorization": f"Bearer {token}"})
            assert refused.status_code == 401
        assert await home.rows() == []


async def test_without_a_client_id_there_is_no_way_to_the_issuer(living: Living) -> None:
    async with web(base_url=living.gateway_url) as http:
        for path in ("/auth/login", "/auth/callback?code=x&state=y"):
            assert (await http.get(path)).status_code == 404


# Signed in ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "own"},
        {},
    ],
)
async def test_another_site_can_neither_act_for_a_signed_in_browser_nor_sign_it_out(
    home: House, headers: Mapping[str, str]
) -> None:
    async with home.visitor("ada") as ada:
        sent = {name: value if value != "own" else home.living.gateway_url for name, value in headers.items()}
        async with web(base_url=home.living.gateway_url, cookies=ada.http.cookies) as foreign:
            asked = {"type": "threads.create", "params": {}}
            assert (await foreign.post("/chatkit", json=asked, headers=sent)).status_code == 403
            assert (await foreign.post("/auth/logout", headers=sent)).status_code == 403
        assert await ada.status() == 200


async def test_signing_out_ends_this_browsers_session_and_leads_to_the_issuers_sign_out(home: House) -> None:
    async with home.visitor("ada") as ada, home.visitor("ada") as elsewhere:
        kept = ada.session
        elsewhere_before = await elsewhere.me()
        address = await ada.sign_out()
        assert address.startswith(f"{home.issuer.url}/end-session?")
        async with web() as browser:
            assert (await browser.get(address)).headers["location"] == f"{home.living.gateway_url}/"
        assert ada.session == ""
        ada.carry(COOKIE, kept)
        assert await ada.status() == 401
        assert (await elsewhere.me())["subject"] == elsewhere_before["subject"]
        assert "POST /revoke" not in home.issuer.requests
        ada.http.cookies.delete(COOKIE)
        assert await ada.sign_out() == ""


async def test_a_session_made_of_a_token_ends_here_only(home: House) -> None:
    async with home.visitor() as ada:
        started = await ada.http.post("/auth/session", headers={"Authorization": f"Bearer {home.token('ada')}"})
        assert started.status_code == 204
        assert (await ada.me())["name"] == home.living.subject("ada")
        assert await ada.sign_out() == ""
        assert await ada.status() == 401


@pytest.mark.parametrize("what", ["token", "person", "sign-in at the issuer"])
async def test_a_revocation_reaches_the_session_too(home: House, what: str) -> None:
    async with home.visitor() as ada, home.visitor("bob") as bob:
        if what == "token":
            await ada.http.post("/auth/session", headers={"Authorization": f"Bearer {home.token('ada')}"})
        else:
            await ada.sign_in(home.living.subject("ada"))
        assert await ada.status() == 200
        row = await home.row()
        gone = {
            "token": {"token_id": row.token_id},
            "person": {"subject": row.subject, "not_before": row.issued_us // 1_000_000 + 1},
            "sign-in at the issuer": {"session_id": row.session_id},
        }[what]
        assert None not in gone.values()
        home.living.gateway_revocations.replace([Revocation(home.issuer.url, keep_until=2**40, **gone)])
        assert await ada.status() == 401
        assert await bob.status() == 200


async def test_what_the_pages_of_the_way_in_show_is_text(home: House) -> None:
    async with home.visitor() as ada:
        callback = await approve(await ada.begin())
        answer = await ada.http.get(changed(callback, code=None, error="<script>alert(1)</script>"))
        assert answer.status_code == 400
        assert "alert(1)" not in answer.text
        assert re.findall(r"(?:src|href)=\"([^\"]*)\"", answer.text) == ["data:,", "/page/style.css", "/auth/login"]


# Settings -----------------------------------------------------------------------------------------------------------


def faults(**given: str) -> tuple[str, ...]:
    """What is wrong with a gateway that is told this."""
    needed = {
        "TASKGATE_MCP_URL": "https://tools.example.test/mcp",
        "TASKGATE_GATEWAY_URL": "https://chat.example.test",
        "TASKGATE_GATEWAY_ISSUERS": json.dumps([{"issuer": f"https://{name}.example.test"} for name in ("a", "b")]),
        "TASKGATE_GATEWAY_SIGNING_KEYS": json.dumps([SigningKey.generate().pem]),
    }
    login = {f"TASKGATE_GATEWAY_{name}": value for name, value in given.items()}
    try:
        load(GatewaySettings, given={**needed, **login}, environ={})
    except SettingsFault as fault:
        return fault.faults
    return ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"OIDC_CLIENT_ID": "us"}, "needs TASKGATE_GATEWAY_SESSION_KEYS, which is not set"),
        ({"OIDC_CLIENT_ID": "us", "SESSION_KEYS": "x" * 31}, "at least 32 characters"),
        ({"SESSION_KEYS": json.dumps(["x" * 32, "y" * 31])}, "at least 32 characters"),
        ({"OIDC_ISSUER": "https://c.example.test"}, "has to be one of TASKGATE_GATEWAY_ISSUERS"),
        ({"LOGIN_SCOPES": "tasks:read,tasks:own"}, "has to be one or more of tasks:read"),
    ],
)
def test_a_setting_of_the_sign_in_that_cannot_work_is_one_sentence(given: dict[str, str], words: str) -> None:
    [fault] = faults(**given)
    assert words in fault
    assert "yyy" not in fault
    assert "xxx" not in fault


def test_the_settings_of_the_sign_in_are_few() -> None:
    assert faults() == ()
    assert faults(OIDC_CLIENT_ID="us", SESSION_KEYS="x" * 32) == ()
    assert faults(OIDC_CLIENT_ID="us", SESSION_KEYS="x" * 32, OIDC_ISSUER="https://b.example.test") == ()
