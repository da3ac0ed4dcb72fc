"""The development issuer over HTTP: what it grants, and everything it refuses."""

import json
import socket
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from shared.asgi import Drain
from shared.development.issuer import Grants, Issuer, run
from shared.development.issuer.clients import OAuthClient
from shared.development.issuer.grants import MOST_CLIENTS
from shared.errors import Problem
from shared.tokens import SCOPES, IssuerProfile, Refused, Signer, SigningKey, Verifier, build_verifier, discover
from tests.issuer import Issuing, approve, dev_issuer
from tests.web import web

MCP_URL, GATEWAY_URL = "http://127.0.0.1:8001/mcp", "http://127.0.0.1:8000"
CALLBACK: Final = "http://127.0.0.1:5555/callback"
VERIFIER: Final = "a-verifier-that-is-long-enough-for-the-rule-of-43"


class Clock:
    """A time that moves when told."""

    def __init__(self) -> None:
        self.now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Program:
    """A program that wants tokens, and says what it likes to the issuer."""

    issuing: Issuing
    http: httpx2.AsyncClient
    clock: Clock
    client_id: str = ""

    async def register(self, **said: Any) -> httpx2.Response:
        body = {"client_name": "A program", "redirect_uris": [CALLBACK], **said}
        response = await self.http.post("/register", json=body)
        self.client_id = response.json().get("client_id", self.client_id)
        return response

    def address(self, **changes: str | None) -> str:
        """Where it sends the person; None leaves a parameter out."""
        usual = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "state": "a state & more",
            "scope": "tasks:read",
            "code_challenge": urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("="),
            "code_challenge_method": "S256",
            "resource": MCP_URL,
        }
        query = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        return f"{self.issuing.url}/authorize?{urlencode(query)}"

    async def code(self, person: str = "ada", **changes: str | None) -> str:
        """The code that the person's yes gives."""
        return returned(await approve(self.address(**changes), person))["code"]

    async def redeem(self, code: str, **changes: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **changes,
        }
        return await self.http.post("/token", data=form)

    async def refresh(self, token: str, **changes: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client_id, **changes}
        return await self.http.post("/token", data=form)

    async def sign_in(self, person: str = "ada", **changes: str | None) -> dict[str, str]:
        """What the token endpoint says in the end."""
        response = await self.redeem(await self.code(person, **changes))
        assert response.status_code == 200, response.text
        tokens: dict[str, str] = response.json()
        return tokens

    def verifier(self, audience: str = MCP_URL) -> Verifier:
        """A service that accepts this issuer's tokens."""
        profile = IssuerProfile(issuer=self.issuing.url, jwks=self.issuing.jwks)
        return build_verifier([profile], audience, self.http, now=self.clock)


@pytest.fixture(scope="module")
async def issuing(anyio_backend: str) -> AsyncGenerator[Issuing]:  # noqa: ARG001
    """One issuer for all programs here; its clock is theirs."""
    async with dev_issuer([MCP_URL, GATEWAY_URL], now=Clock()) as found:
        yield found


@pytest.fixture
async def program(issuing: Issuing) -> AsyncGenerator[Program]:
    """A program that has just registered."""
    assert isinstance(issuing.now, Clock)
    async with web(base_url=issuing.url, trust_env=False, follow_redirects=False) as http:
        found = Program(issuing, http, issuing.now)
        await found.register()
        yield found


def returned(address: str) -> dict[str, str]:
    """What the person's browser brings back to the program."""
    return dict(parse_qsl(urlsplit(address).query))


def refused(response: httpx2.Response, code: str) -> bool:
    """Whether a program was told this and got nothing."""
    assert response.headers["cache-control"] == "no-store"
    return response.status_code in {400, 401} and response.json()["error"] == code


def keeps_the_person(response: httpx2.Response) -> bool:
    """Whether a page says what is wrong, and nobody is sent anywhere."""
    return (
        response.status_code == 400
        and "location" not in response.headers
        and response.headers["content-type"].startswith("text/html")
    )


# What it says about itself


@pytest.mark.anyio
async def test_it_describes_itself_in_both_places_and_by_its_exact_name(program: Program) -> None:
    url = program.issuing.url
    described = (await program.http.get("/.well-known/oauth-authorization-server")).json()
    assert (await program.http.get("/.well-known/openid-configuration")).json() == described
    assert described["issuer"] == url
    assert described["code_challenge_methods_supported"] == ["S256"]
    assert described["token_endpoint_auth_methods_supported"] == ["none"]
    assert described["authorization_response_iss_parameter_supported"] is True
    assert described["scopes_supported"] == [*SCOPES, "openid"]
    assert described["protected_resources"] == [MCP_URL, GATEWAY_URL]
    assert all(described[name].startswith(f"{url}/") for name in described if name.endswith(("_endpoint", "_uri")))
    found = await discover(url, program.http)
    assert (await program.http.get(found.jwks_uri)).json() == program.issuing.jwks


@pytest.mark.anyio
async def test_it_answers_no_other_name_and_no_other_sites_page(program: Program) -> None:
    other_name = await program.http.get("/jwks.json", headers={"Host": "issuer.example.test"})
    assert other_name.status_code == 421
    other_site = await program.http.post("/login", data={"person": "ada"}, headers={"Origin": "https://evil.test"})
    assert other_site.status_code == 403


@pytest.mark.anyio
async def test_it_does_not_listen_where_others_reach_it(tmp_path: Path) -> None:
    issuer = Issuer(Signer("http://127.0.0.1:1", [SigningKey.generate()]), [MCP_URL], Grants(tmp_path / "issuer.json"))
    drain = Drain()
    with socket.create_server(("0.0.0.0", 0)) as listener, pytest.raises(Problem, match="does not listen on"):
        await run(issuer.app(drain), listener.fileno(), drain, lambda _: drain.begin())


# Signing in


@pytest.mark.anyio
async def test_a_sign_in_ends_in_a_token_of_that_person_for_that_service(program: Program) -> None:
    address = await approve(program.address(scope="tasks:read tasks:write"), "bob")
    assert address.startswith(f"{CALLBACK}?")
    brought = returned(address)
    assert sorted(brought) == ["code", "iss", "state"]
    assert brought["state"] == "a state & more"
    assert brought["iss"] == program.issuing.url
    tokens = (await program.redeem(brought["code"])).json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    assert tokens["scope"] == "tasks:read tasks:write"
    assert "id_token" not in tokens
    caller = await program.verifier().verify(tokens["access_token"])
    assert (caller.subject, caller.issuer, caller.client_id) == ("bob", program.issuing.url, program.client_id)
    assert caller.scopes == {"tasks:read", "tasks:write"}
    assert caller.expires_at == int(program.clock.now) + 900
    with pytest.raises(Refused):
        await program.verifier(GATEWAY_URL).verify(tokens["access_token"])


@pytest.mark.anyio
async def test_an_id_token_comes_for_openid_with_the_nonce_of_the_request(program: Program) -> None:
    tokens = await program.sign_in(scope="openid tasks:read", nonce="once")
    who = {"issuer": program.issuing.url, "client_id": program.client_id}
    signed_in = await program.verifier().identify(tokens["id_token"], nonce="once", **who)
    caller = await program.verifier().verify(tokens["access_token"])
    assert (signed_in.subject, signed_in.session_id) == ("ada", caller.session_id)
    assert caller.scopes == {"tasks:read"}
    with pytest.raises(Refused):
        await program.verifier().identify(tokens["id_token"], nonce="twice", **who)
    with pytest.raises(Refused):
        await program.verifier().verify(tokens["id_token"])


@pytest.mark.anyio
async def test_a_person_who_denies_is_sent_back_without_a_code(program: Program) -> None:
    brought = returned(await approve(program.address(), deny=True))
    assert brought == {"error": "access_denied", "state": "a state & more", "iss": program.issuing.url}


@pytest.mark.anyio
async def test_without_a_resource_the_token_is_for_the_tool_server(program: Program) -> None:
    tokens = await program.sign_in(resource=None)
    await program.verifier(MCP_URL).verify(tokens["access_token"])


@pytest.mark.anyio
async def test_without_a_scope_everything_is_asked_for_and_unknown_ones_are_left_out(program: Program) -> None:
    assert (await program.sign_in(scope=None))["scope"].split() == list(SCOPES)
    assert (await program.sign_in(scope="offline_access tasks:read"))["scope"] == "tasks:read"


@pytest.mark.anyio
async def test_a_program_gets_more_than_it_registered_for_when_the_person_agrees(program: Program) -> None:
    await program.register(scope="tasks:read")
    assert (await program.sign_in(scope="tasks:read"))["scope"] == "tasks:read"
    assert (await program.sign_in(scope="tasks:read tasks:delete"))["scope"] == "tasks:read tasks:delete"


@pytest.mark.anyio
async def test_anybody_may_sign_in_under_a_name_that_tokens_can_carry(program: Program) -> None:
    tokens = await program.sign_in(" Zoë <b> ")
    assert (await program.verifier().verify(tokens["access_token"])).subject == "Zoë <b>"


@pytest.mark.anyio
@pytest.mark.parametrize("person", ["", "   ", "a\nb", "x" * 256])
async def test_a_name_that_no_token_can_carry_is_asked_for_again(program: Program, person: str) -> None:
    page = await program.http.get(program.address())
    answer = await program.http.post("/login", data={"request": question(page), "person": person})
    assert answer.status_code == 200
    assert question(answer) != question(page)


def question(page: httpx2.Response) -> str:
    return page.text.split('name="request" value="')[1].split('"')[0]


@pytest.mark.anyio
async def test_a_question_is_answered_once(program: Program) -> None:
    answer = {"request": question(await program.http.get(program.address())), "person": "ada"}
    assert (await program.http.post("/login", data=answer)).is_redirect
    assert keeps_the_person(await program.http.post("/login", data=answer))
    assert keeps_the_person(await program.http.post("/login", data={"request": "made up", "person": "ada"}))


@pytest.mark.anyio
async def test_a_question_is_not_answered_late(program: Program) -> None:
    answer = {"request": question(await program.http.get(program.address())), "person": "ada"}
    program.clock.now += 600
    assert keeps_the_person(await program.http.post("/login", data=answer))


# What people see


@pytest.mark.anyio
async def test_the_page_says_who_wants_what_and_where_one_returns_to(program: Program) -> None:
    await program.register(client_name="Notes", redirect_uris=["https://notes.example.test/callback"])
    page = await program.http.get(
        program.address(
            redirect_uri="https://notes.example.test/callback", scope="tasks:delete data:read", resource=GATEWAY_URL
        )
    )
    for words in ("Notes", "notes.example.test", "delete tasks", SCOPES["data:read"], GATEWAY_URL, "ada", "bob"):
        assert words in page.text
    assert SCOPES["tasks:write"] not in page.text


@pytest.mark.anyio
async def test_what_a_program_calls_itself_is_text_and_nothing_else(program: Program) -> None:
    await program.register(client_name='<script>alert("1")</script>')
    page = await program.http.get(program.address(state='"><script>'))
    assert "<script" not in page.text
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in page.text


@pytest.mark.anyio
async def test_the_page_is_kept_by_nobody_framed_by_nobody_and_leads_only_to_the_program(program: Program) -> None:
    page = await program.http.get(program.address())
    assert page.headers["cache-control"] == "no-store"
    # Other sites learn nothing from it; our own form keeps its origin, which `no-referrer` would take away.
    assert page.headers["referrer-policy"] == "same-origin"
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self' http://127.0.0.1:5555"
    assert "script-src" not in policy


@pytest.mark.anyio
async def test_a_policy_that_cannot_name_the_programs_address_still_leads_there(program: Program) -> None:
    await program.register(redirect_uris=["http://[::1]:5555/callback"])
    page = await program.http.get(program.address(redirect_uri="http://[::1]:5555/callback"))
    assert "form-action 'self' http:;" in page.headers["content-security-policy"]


# What is refused before anybody is asked


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": VERIFIER}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"resource": "https://elsewhere.example.test/mcp"}, "invalid_target"),
        ({"resource": f"{MCP_URL}/"}, "invalid_target"),
        ({"scope": "calendar:read"}, "invalid_scope"),
    ],
)
async def test_a_faulty_request_goes_back_to_the_program_with_its_fault(
    program: Program, changes: dict[str, str | None], error: str
) -> None:
    brought = returned(await approve(program.address(**changes)))
    assert brought.pop("error_description")
    assert brought == {"error": error, "state": "a state & more", "iss": program.issuing.url}


@pytest.mark.anyio
async def test_a_parameter_sent_twice_is_a_fault(program: Program) -> None:
    brought = returned(await approve(f"{program.address()}&scope=tasks%3Adelete"))
    assert brought["error"] == "invalid_request"
    for name in ("client_id", "redirect_uri", "state"):
        assert keeps_the_person(await program.http.get(f"{program.address()}&{name}=another"))
    assert keeps_the_person(await program.http.get(f"{program.address()}{'&a=b' * 60}"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:5555/elsewhere",
        "http://127.0.0.1:5555/callback?more=1",
        "http://localhost:5555/callback",
        "https://127.0.0.1:5555/callback",
        "http://127.0.0.1:5555@evil.test/callback",
        "http://ada@127.0.0.1:5555/callback",
        "https://evil.test/callback",
        "",
    ],
)
async def test_nobody_is_sent_to_an_address_that_was_not_registered(program: Program, redirect_uri: str) -> None:
    assert keeps_the_person(await program.http.get(program.address(redirect_uri=redirect_uri)))
    # Not even to hear about another fault.
    assert keeps_the_person(await program.http.get(program.address(redirect_uri=redirect_uri, response_type="token")))


@pytest.mark.anyio
async def test_nobody_is_sent_anywhere_by_an_unknown_program(program: Program) -> None:
    program.client_id = "somebody"
    assert keeps_the_person(await program.http.get(program.address()))


@pytest.mark.anyio
async def test_a_program_on_this_machine_returns_people_to_whatever_port_it_has_now(program: Program) -> None:
    await program.register(redirect_uris=["http://127.0.0.1/callback", "http://[::1]:1/x?y=z", "https://a.test:1/x"])
    for redirect_uri in ("http://127.0.0.1:61234/callback", "http://[::1]:2/x?y=z"):
        address = await approve(program.address(redirect_uri=redirect_uri))
        assert address.startswith(redirect_uri)
        assert returned(address)["code"]
    assert keeps_the_person(await program.http.get(program.address(redirect_uri="https://a.test:2/x")))


@pytest.mark.anyio
async def test_an_editor_gets_people_back_by_the_scheme_it_has_taken(program: Program) -> None:
    callback = "editor://company.editor-mcp/oauth/callback"
    await program.register(redirect_uris=[callback])
    page = await program.http.get(program.address(redirect_uri=callback))
    assert "form-action 'self' editor:;" in page.headers["content-security-policy"]
    code = await program.code(redirect_uri=callback)
    assert (await program.redeem(code, redirect_uri=callback)).status_code == 200
    assert keeps_the_person(await program.http.get(program.address(redirect_uri=f"{callback}/else")))


@pytest.mark.anyio
async def test_the_gateway_is_known_on_every_loopback_port(program: Program) -> None:
    program.client_id = "taskgate-gateway"
    for host in ("127.0.0.1", "localhost", "[::1]"):
        callback = f"http://{host}:8000/auth/callback"
        code = await program.code(redirect_uri=callback, resource=GATEWAY_URL)
        assert (await program.redeem(code, redirect_uri=callback)).status_code == 200
    assert keeps_the_person(await program.http.get(program.address(redirect_uri="http://127.0.0.1:8000/other")))


# Registering


@pytest.mark.anyio
async def test_a_registration_says_what_the_program_got_whatever_it_asked_for(program: Program) -> None:
    response = await program.register(token_endpoint_auth_method="client_secret_basic", grant_types=["implicit"])
    assert response.status_code == 201
    said = response.json()
    assert said["token_endpoint_auth_method"] == "none"
    assert said["grant_types"] == ["authorization_code", "refresh_token"]
    assert said["redirect_uris"] == [CALLBACK]
    assert said["client_name"] == "A program"
    assert "client_secret" not in said


@pytest.mark.anyio
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://example.test/callback",
        "http://127.0.0.1.example.test/callback",
        "http://127.0.0.2/callback",
        "http://localhost:5555/callback#part",
        "https://ada@example.test/callback",
        "https://example.test/a b",
        "https://example.test/\r\nSet-Cookie: a=b",
        "https://example.test;script-src/",
        "https://exämple.test/",
        "https:///callback",
        "javascript:alert(1)",
        "javascript:/alert(1)",
        "JavaScript:/alert(1)",
        "data:/text/html,x",
        "file:///etc/passwd",
        "editor:callback",
        "editor://callback/#part",
        "editor://callback/;script-src *",
        f"https://example.test/{'a' * 2000}",
    ],
)
async def test_people_can_be_returned_only_to_https_or_to_this_machine(program: Program, redirect_uri: str) -> None:
    response = await program.register(redirect_uris=[CALLBACK, redirect_uri])
    assert refused(response, "invalid_redirect_uri")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said",
    [
        {"redirect_uris": []},
        {"redirect_uris": "http://127.0.0.1/callback"},
        {"redirect_uris": [CALLBACK] * 11},
        {"client_name": "x" * 201},
        {"client_name": "ada\u202e"},
        {"client_name": " "},
        {"client_name": 1},
    ],
)
async def test_a_program_that_describes_itself_badly_is_not_registered(program: Program, said: dict[str, Any]) -> None:
    assert refused(await program.register(**said), "invalid_client_metadata")


@pytest.mark.anyio
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":' * 5_000, b"\xff"])
async def test_a_registration_that_is_no_json_object_is_refused(program: Program, body: bytes) -> None:
    assert refused(await program.http.post("/register", content=body), "invalid_client_metadata")


def test_the_clients_not_used_for_longest_give_way(tmp_path: Path) -> None:
    """Below HTTP, because it takes so many of them."""
    grants = Grants(tmp_path / "issuer.json")
    for number in range(MOST_CLIENTS + 1):
        grants.add_client(OAuthClient(id=f"client {number}", name="A program", redirect_uris=(CALLBACK,)))
    known = Grants(tmp_path / "issuer.json")
    assert known.client("client 0") is None
    assert known.client("client 1") is not None
    assert known.client(f"client {MOST_CLIENTS}") is not None


# Codes


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": VERIFIER[::-1]}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:5556/callback"}, "invalid_grant"),
        ({"redirect_uri": ""}, "invalid_grant"),
        ({"resource": GATEWAY_URL}, "invalid_target"),
    ],
)
async def test_a_code_that_is_brought_wrongly_is_lost(program: Program, changes: dict[str, str], error: str) -> None:
    code = await program.code()
    assert refused(await program.redeem(code, **changes), error)
    assert refused(await program.redeem(code), "invalid_grant")


@pytest.mark.anyio
async def test_a_code_is_good_once_and_a_second_use_ends_what_it_gave(program: Program) -> None:
    code = await program.code()
    tokens = (await program.redeem(code)).json()
    assert refused(await program.redeem(code), "invalid_grant")
    assert refused(await program.refresh(tokens["refresh_token"]), "invalid_grant")


@pytest.mark.anyio
async def test_a_second_use_is_noticed_for_minutes(program: Program) -> None:
    code = await program.code()
    tokens = (await program.redeem(code)).json()
    program.clock.now += 500
    await program.code()
    assert refused(await program.redeem(code), "invalid_grant")
    assert refused(await program.refresh(tokens["refresh_token"]), "invalid_grant")


@pytest.mark.anyio
async def test_a_code_is_good_for_a_minute(program: Program) -> None:
    code, late = await program.code(), await program.code()
    program.clock.now += 59
    assert (await program.redeem(code)).status_code == 200
    program.clock.now += 1
    assert refused(await program.redeem(late), "invalid_grant")


@pytest.mark.anyio
async def test_a_code_is_worth_nothing_to_another_program(program: Program) -> None:
    code, owner = await program.code(), program.client_id
    await program.register()
    assert refused(await program.redeem(code), "invalid_grant")
    assert (await program.redeem(code, client_id=owner)).status_code == 200


@pytest.mark.anyio
async def test_the_token_endpoint_names_the_fault(program: Program) -> None:
    unknown = await program.redeem(await program.code(), client_id="somebody")
    assert unknown.status_code == 401
    assert refused(unknown, "invalid_client")
    assert refused(await program.redeem("made up"), "invalid_grant")
    assert refused(await program.redeem("made up", grant_type="password"), "unsupported_grant_type")
    assert refused(await program.http.post("/token", json={"grant_type": "refresh_token"}), "invalid_request")
    twice = await program.http.post(
        "/token", content="client_id=a&client_id=b", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert refused(twice, "invalid_request")


# Refreshing


@pytest.mark.anyio
async def test_a_refresh_gives_the_same_grant_again_and_the_next_refresh_token(program: Program) -> None:
    first = await program.sign_in(scope="openid tasks:read tasks:write", nonce="once")
    program.clock.now += 3_600
    second = (await program.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == first["scope"]
    caller = await program.verifier().verify(second["access_token"])
    assert caller.subject == "ada"
    assert caller.scopes == {"tasks:read", "tasks:write"}
    assert (await program.refresh(second["refresh_token"])).status_code == 200


@pytest.mark.anyio
async def test_a_refresh_token_used_twice_ends_its_sign_in_and_no_other(program: Program) -> None:
    stolen, other = await program.sign_in(), await program.sign_in()
    second = (await program.refresh(stolen["refresh_token"])).json()
    third = (await program.refresh(second["refresh_token"])).json()
    assert refused(await program.refresh(stolen["refresh_token"]), "invalid_grant")
    assert refused(await program.refresh(third["refresh_token"]), "invalid_grant")
    assert (await program.refresh(other["refresh_token"])).status_code == 200


@pytest.mark.anyio
async def test_a_refresh_token_is_worth_nothing_to_another_program(program: Program) -> None:
    tokens, owner = await program.sign_in(), program.client_id
    await program.register()
    assert refused(await program.refresh(tokens["refresh_token"]), "invalid_grant")
    assert (await program.refresh(tokens["refresh_token"], client_id=owner)).status_code == 200


@pytest.mark.anyio
async def test_a_refresh_may_ask_for_less_and_never_for_more(program: Program) -> None:
    tokens = await program.sign_in(scope="tasks:read tasks:write")
    assert refused(await program.refresh(tokens["refresh_token"], scope="tasks:delete"), "invalid_scope")
    assert refused(await program.refresh(tokens["refresh_token"], resource=GATEWAY_URL), "invalid_target")
    less = (await program.refresh(tokens["refresh_token"], scope="tasks:read", resource=MCP_URL)).json()
    assert less["scope"] == "tasks:read"
    assert (await program.verifier().verify(less["access_token"])).scopes == {"tasks:read"}
    assert (await program.refresh(less["refresh_token"])).json()["scope"] == "tasks:read tasks:write"


@pytest.mark.anyio
async def test_a_sign_in_that_is_not_used_for_a_month_ends(program: Program) -> None:
    tokens = await program.sign_in()
    program.clock.now += 29 * 86_400
    tokens = (await program.refresh(tokens["refresh_token"])).json()
    program.clock.now += 30 * 86_400
    assert refused(await program.refresh(tokens["refresh_token"]), "invalid_grant")


@pytest.mark.anyio
async def test_a_program_can_give_its_sign_in_back(program: Program) -> None:
    tokens, owner = await program.sign_in(), program.client_id
    await program.register()
    form = {"token": tokens["refresh_token"], "client_id": program.client_id}
    assert (await program.http.post("/revoke", data=form)).status_code == 200
    assert (await program.refresh(tokens["refresh_token"], client_id=owner)).status_code == 200
    tokens = await program.sign_in()
    form = {"token": tokens["refresh_token"], "client_id": program.client_id}
    assert (await program.http.post("/revoke", data=form)).status_code == 200
    assert (await program.http.post("/revoke", data=form)).status_code == 200
    assert refused(await program.refresh(tokens["refresh_token"]), "invalid_grant")


# Signing out


@pytest.mark.anyio
async def test_signing_out_leads_back_to_this_machine_and_nowhere_else(program: Program) -> None:
    async def end(target: str) -> httpx2.Response:
        return await program.http.get("/end-session", params={"post_logout_redirect_uri": target, "state": "s"})

    assert (await end("http://127.0.0.1:8000/")).headers["location"] == "http://127.0.0.1:8000/?state=s"
    for target in ("https://example.test/", "//example.test", "http://example.test/", ""):
        answer = await end(target)
        assert answer.status_code == 200
        assert "You are signed out" in answer.text


# What stays


@pytest.mark.anyio
async def test_programs_and_sign_ins_outlive_a_restart_and_questions_do_not(program: Program) -> None:
    kept, ended = await program.sign_in(), await program.sign_in()
    await program.http.post("/revoke", data={"token": ended["refresh_token"], "client_id": program.client_id})
    answer = {"request": question(await program.http.get(program.address())), "person": "ada"}
    await program.issuing.stop()
    await program.issuing.start()
    assert (await program.refresh(kept["refresh_token"])).status_code == 200
    assert refused(await program.refresh(ended["refresh_token"]), "invalid_grant")
    assert (await program.sign_in("bob"))["access_token"]
    assert keeps_the_person(await program.http.post("/login", data=answer))


@pytest.mark.anyio
async def test_the_file_is_its_owners_alone_and_holds_no_token(program: Program) -> None:
    tokens = await program.sign_in(scope="openid tasks:read")
    text = program.issuing.file.read_text()
    assert program.issuing.file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in program.issuing.file.parent.iterdir()] == ["issuer.json"]
    assert program.client_id in json.loads(text)["clients"]
    for secret in ("access_token", "id_token", "refresh_token"):
        assert tokens[secret] not in text
    assert tokens["refresh_token"].partition(".")[2] not in text
