"""The issuer over HTTP: OAuth 2.1 with PKCE for programs without a secret, and as much OpenID as a sign-in needs."""

import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.asgi import Drain, Probes, protected
from shared.development.issuer import pages
from shared.development.issuer.clients import OAuthClient, is_here, register
from shared.development.issuer.grants import ASKED_S, Asked, Granted, Grants
from shared.development.issuer.parameters import Parameters, form
from shared.development.issuer.refusals import OAuthRefusal
from shared.errors import Problem
from shared.serve import serve
from shared.tokens import SCOPES, Signer

OPENID: Final = "openid"
PEOPLE: Final = ("ada", "bob")
ACCESS_S: Final = 3_600
BODY_LIMIT: Final = 65_536
LONGEST_NAME: Final = 255
UNASKABLE: Final = "This cannot be asked"
STALE: Final = "This question was answered before, or it is too old. Go back to the program and begin again."

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class Issuer:
    """Signs tokens for the people who say yes; `resources` are the services they may be for, the usual one first."""

    def __init__(
        self,
        signer: Signer,
        resources: Sequence[str],
        grants: Grants,
        *,
        people: Sequence[str] = PEOPLE,
        lifetime_s: int = ACCESS_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._signer = signer
        self._resources = tuple(resources)
        self._grants = grants
        self._people = tuple(people)
        self._lifetime_s = lifetime_s
        self._now = now

    def app(self, drain: Drain) -> ASGIApp:
        """Everything it answers to."""
        described = JSONResponse(self._metadata())
        keys = JSONResponse(self._signer.jwks)
        style = FileResponse(pages.STYLE)

        async def describe(_: Request) -> Response:
            return described

        async def publish(_: Request) -> Response:
            return keys

        async def dress(_: Request) -> Response:
            return style

        app = Starlette(
            routes=[
                Route("/.well-known/oauth-authorization-server", describe),
                Route("/.well-known/openid-configuration", describe),
                Route("/jwks.json", publish),
                Route("/style.css", dress),
                Route("/register", self._register, methods=["POST"]),
                Route("/authorize", self._authorize),
                Route("/login", self._log_in, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/revoke", self._revoke, methods=["POST"]),
                Route("/end-session", self._end_session),
            ],
            exception_handlers={OAuthRefusal: _refused},
        )
        guarded = protected(
            app,
            public_url=self._signer.issuer,
            hosts=(),
            origins=(),
            headers=(),
            body_limit=BODY_LIMIT,
            trusted_proxies=(),
        )
        return Probes(guarded, (), drain)

    def _metadata(self) -> dict[str, Any]:
        url = self._signer.issuer
        return {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "registration_endpoint": f"{url}/register",
            "revocation_endpoint": f"{url}/revoke",
            "end_session_endpoint": f"{url}/end-session",
            "jwks_uri": f"{url}/jwks.json",
            "scopes_supported": [*SCOPES, OPENID],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "protected_resources": self._resources,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
        }

    async def _register(self, request: Request) -> Response:
        client = register(await request.body())
        self._grants.add_client(client)
        said = {
            "client_id": client.id,
            "client_id_issued_at": int(self._now()),
            "client_name": client.name,
            "redirect_uris": client.redirect_uris,
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        }
        return JSONResponse(said, 201)

    async def _authorize(self, request: Request) -> Response:
        try:
            sent = Parameters(request.url.query)
            client = self._grants.client(sent.one("client_id"))
            redirect_uri, state = sent.one("redirect_uri"), sent.one("state")
        except OAuthRefusal as refusal:
            return pages.message(UNASKABLE, f"The program made a mistake: {refusal.description}.", status=400)
        # Until both are known to belong together, nobody is sent anywhere.
        if client is None:
            return pages.message(UNASKABLE, "This program is not registered here. Let it register again.", status=400)
        if not client.may_return_to(redirect_uri):
            return pages.message(UNASKABLE, "It wants you to return to an address it did not register.", status=400)
        try:
            asked = self._asked(sent, client, redirect_uri, state)
        except OAuthRefusal as refusal:
            return self._back(redirect_uri, state, error=refusal.code, error_description=refusal.description)
        return self._question(asked)

    def _asked(self, sent: Parameters, client: OAuthClient, redirect_uri: str, state: str) -> Asked:
        if sent.one("response_type") != "code":
            raise OAuthRefusal("unsupported_response_type", "response_type has to be code")
        challenge = sent.one("code_challenge")
        if sent.one("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
            raise OAuthRefusal("invalid_request", "code_challenge is needed, with code_challenge_method S256")
        resource = sent.one("resource") or self._resources[0]
        if resource not in self._resources:
            raise OAuthRefusal("invalid_target", "no such service is known here")
        wanted = sent.one("scope").split() or SCOPES
        # What a client registered for is no limit: people decide each time, and programs learn later what they need.
        scopes = tuple(scope for scope in (*SCOPES, OPENID) if scope in wanted)
        if not scopes:
            raise OAuthRefusal("invalid_scope", f"choose from {', '.join(SCOPES)}")
        return Asked(
            client=client,
            redirect_uri=redirect_uri,
            state=state,
            scopes=scopes,
            resource=resource,
            challenge=challenge,
            nonce=sent.one("nonce"),
            until=self._now() + ASKED_S,
        )

    def _question(self, asked: Asked) -> Response:
        return pages.sign_in(
            self._grants.ask(asked),
            client=asked.client,
            redirect_uri=asked.redirect_uri,
            scopes=asked.scopes,
            resource=asked.resource,
            people=self._people,
        )

    async def _log_in(self, request: Request) -> Response:
        sent = await form(request)
        asked = self._grants.answered(sent.one("request"))
        if asked is None:
            return pages.message("This is over", STALE, status=400)
        if sent.one("deny"):
            return self._back(asked.redirect_uri, asked.state, error="access_denied")
        person = sent.one("person").strip()
        if not 0 < len(person) <= LONGEST_NAME or not person.isprintable():
            return self._question(asked)
        return self._back(asked.redirect_uri, asked.state, code=self._grants.grant(asked, person))

    def _back(self, redirect_uri: str, state: str, **said: str) -> Response:
        """Send the person back to the program, with who sends them (RFC 9207)."""
        return _redirect(redirect_uri, {**said, "state": state, "iss": self._signer.issuer})

    async def _token(self, request: Request) -> Response:
        sent = await form(request)
        client = self._known(sent)
        kind, resource = sent.one("grant_type"), sent.one("resource")
        if kind == "authorization_code":
            granted = self._grants.redeem(
                sent.one("code"),
                client=client,
                redirect_uri=sent.one("redirect_uri"),
                verifier=sent.one("code_verifier"),
                resource=resource,
            )
            said = self._tokens(granted) | self._identity(granted)
        elif kind == "refresh_token":
            granted = self._grants.refresh(
                sent.one("refresh_token"), client=client, resource=resource, scopes=sent.one("scope").split()
            )
            said = self._tokens(granted)
        else:
            raise OAuthRefusal("unsupported_grant_type", "grant_type is authorization_code or refresh_token")
        return JSONResponse(said)

    def _known(self, sent: Parameters) -> OAuthClient:
        client = self._grants.client(sent.one("client_id"))
        if client is None:
            raise OAuthRefusal("invalid_client", "this client is not registered here")
        return client

    def _tokens(self, granted: Granted) -> dict[str, Any]:
        family = granted.family
        access = self._signer.issue(
            family.subject,
            family.resource,
            set(granted.scopes) & SCOPES.keys(),
            lifetime_s=self._lifetime_s,
            client_id=family.client_id,
            session_id=family.session_id,
        )
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self._lifetime_s,
            "refresh_token": granted.refresh_token,
            "scope": " ".join(granted.scopes),
        }

    def _identity(self, granted: Granted) -> dict[str, str]:
        if OPENID not in granted.scopes:
            return {}
        family = granted.family
        token = self._signer.identify(
            family.subject, family.client_id, nonce=granted.nonce or None, session_id=family.session_id
        )
        return {"id_token": token}

    async def _revoke(self, request: Request) -> Response:
        sent = await form(request)
        self._grants.revoke(sent.one("token"), client=self._known(sent))
        return Response()

    async def _end_session(self, request: Request) -> Response:
        """Nothing is remembered about browsers here, so signing out is only the way back."""
        sent = Parameters(request.url.query)
        target, state = sent.one("post_logout_redirect_uri"), sent.one("state")
        if not is_here(target):
            return pages.message("You are signed out", "You can close this page.", status=200)
        return _redirect(target, {"state": state})


def _redirect(uri: str, told: Mapping[str, str]) -> Response:
    query = urlencode({name: value for name, value in told.items() if value})
    between = "" if not query else "&" if "?" in uri else "?"
    return RedirectResponse(f"{uri}{between}{query}", 303)


async def _refused(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, OAuthRefusal)
    status = 401 if refusal.code == "invalid_client" else 400
    return JSONResponse({"error": refusal.code, "error_description": refusal.description}, status)


async def run(app: ASGIApp, fd: int, drain: Drain, on_started: Callable[[str], None] | None = None) -> None:
    """Answer on an inherited socket until the drain begins. Raises a Problem unless only this machine can reach it."""
    with socket.socket(fileno=os.dup(fd)) as listener:
        host = listener.getsockname()[0]
    if not ip_address(host).is_loopback:
        raise Problem("forbidden", f"the development issuer does not listen on {host}", "give it a loopback address")
    await serve(app, fd=fd, drain=drain, drain_s=0, notice_s=0, on_started=on_started)
