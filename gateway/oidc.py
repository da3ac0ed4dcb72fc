"""The issuer where browsers sign in, as its client: OpenID Connect with PKCE, renewal, and the way to its sign-out.

It checks every answer and keeps nothing; cookies and sessions are not its business.
"""

import asyncio
import base64
import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256
from secrets import compare_digest
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import QueryParams

from gateway.words import Sentence
from shared.errors import Problem
from shared.tokens import (
    SCOPES,
    IssuerMetadata,
    KeysUnavailable,
    Refused,
    SignedIn,
    Undiscoverable,
    Verifier,
    discover,
)

log = logging.getLogger(__name__)

ANSWER_LIMIT_S: Final = 5.0
ANSWER_LIMIT_BYTES: Final = 64 * 1024
# For issuers that give a refresh token and do not say how long what came with it lasts.
USUAL_LIFETIME_S: Final = 300


class SignInOver(Exception):
    """The issuer will never renew this sign-in again; the person has to come back."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in on its way: what the browser brings back has to fit."""

    state: str
    nonce: str
    verifier: str

    def is_meant_by(self, query: QueryParams) -> bool:
        """Whether what a browser brings back belongs to this attempt, and not to one that somebody else began."""
        states = query.getlist("state")
        return len(states) == 1 and compare_digest(states[0].encode(), self.state.encode())


@dataclass(frozen=True, slots=True)
class Grant:
    """What the issuer grants, at a sign-in or a renewal; no scopes mean those granted before."""

    scopes: frozenset[str] | None
    lifetime_s: int
    refresh_token: str | None


class _Answer(BaseModel):
    """What a token endpoint says. The access token is not among it: nothing here ever uses one."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id_token: str = ""
    refresh_token: str | None = None
    scope: str | None = None
    expires_in: int = USUAL_LIFETIME_S


async def find_issuer(issuer: str, http: httpx2.AsyncClient) -> IssuerMetadata:
    """What the issuer says about itself, once it is known to suit. Raises `Undiscoverable`."""
    found = await discover(issuer, http)
    if "S256" not in found.code_challenge_methods_supported:
        raise Undiscoverable(issuer, "does not offer PKCE with S256", "use an issuer that does")
    scheme = urlsplit(issuer).scheme
    needed = (found.authorization_endpoint, found.token_endpoint)
    if any(urlsplit(endpoint).scheme != scheme for endpoint in (*needed, found.end_session_endpoint or issuer)):
        raise Undiscoverable(issuer, f"does not name its endpoints as {scheme} addresses", "use an issuer that does")
    return found


class LoginIssuer:
    """The issuer where browsers sign in, and this gateway as its client."""

    def __init__(
        self,
        about: IssuerMetadata,
        http: httpx2.AsyncClient,
        verifier: Verifier,
        *,
        client_id: str,
        client_secret: str,
        scopes: Sequence[str],
        gateway_url: str,
    ) -> None:
        self.issuer = about.issuer
        self.client_id = client_id
        self._about = about
        self._http = http
        self._verifier = verifier
        self._client_secret = client_secret
        self._scopes = frozenset(scopes)
        self._gateway_url = gateway_url
        known = frozenset(about.scopes_supported)
        # An issuer that lists its scopes and none of ours refuses them: it signs people in and permits nothing.
        knows_ours = not known or bool(known & SCOPES.keys())
        self._asked = self._scopes & (known or SCOPES.keys()) if knows_ours else frozenset[str]()
        self._also = ("openid", *(name for name in ("profile", "offline_access") if name in known))

    def begin(self) -> tuple[str, Attempt]:
        """The address that a browser is sent to, and what to remember until it comes back."""
        attempt = Attempt(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join((*self._also, *sorted(self._asked))),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": _challenge(attempt.verifier),
            "code_challenge_method": "S256",
        }
        # Issuers that know no resources may refuse the parameter, so it is for those that list us as one.
        if self._gateway_url in self._about.protected_resources:
            query["resource"] = self._gateway_url
        return _with_query(self._about.authorization_endpoint, query), attempt

    async def finish(self, attempt: Attempt, query: QueryParams) -> tuple[SignedIn, Grant]:
        """Who has signed in, and what for. Raises `Problem` for every way in which that can go wrong."""
        form = {
            "grant_type": "authorization_code",
            "code": self._code(query),
            "redirect_uri": self._redirect_uri,
            "code_verifier": attempt.verifier,
        }
        try:
            answer = await self._ask(form)
        except SignInOver:
            raise _failed(Sentence("it had been used already, or took too long")) from None
        try:
            person = await self._verifier.identify(
                answer.id_token, issuer=self.issuer, client_id=self.client_id, nonce=attempt.nonce
            )
        except Refused as error:
            log.warning("an ID token was refused", extra={"rule": error.rule})
            raise _failed(Sentence("the sign-in service did not prove who you are")) from None
        except KeysUnavailable:
            raise _away() from None
        grant = _grant(answer)
        granted = (
            self._scopes if not self._asked else self._asked if grant.scopes is None else self._asked & grant.scopes
        )
        if not granted:
            raise Problem("forbidden", "you have signed in, but permitted nothing", "sign in again and permit it")
        return person, Grant(granted, grant.lifetime_s, grant.refresh_token)

    async def renew(self, refresh_token: str) -> Grant:
        """A sign-in proven anew. Raises `SignInOver`, or `Problem` while the issuer cannot say."""
        return _grant(await self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token}))

    @property
    def sign_out_address(self) -> str:
        """Where a browser ends its sign-in at the issuer too and comes back from; empty if there is no such place."""
        if not self._about.end_session_endpoint:
            return ""
        query = {"client_id": self.client_id, "post_logout_redirect_uri": f"{self._gateway_url}/"}
        return _with_query(self._about.end_session_endpoint, query)

    @property
    def _redirect_uri(self) -> str:
        return f"{self._gateway_url}/auth/callback"

    def _code(self, query: QueryParams) -> str:
        """The code, if this is one answer, from this issuer, that says yes."""
        if len(query.multi_items()) != len(query):
            raise _failed(Sentence("the answer of the sign-in service was not clear"))
        # RFC 9207: the answer of another issuer would make us send its code to this one.
        if query.get("iss", "" if self._about.names_itself else self.issuer) != self.issuer:
            raise _failed(Sentence("the answer came from another sign-in service"))
        match query.get("error", ""):
            case "":
                if code := query.get("code", ""):
                    return code
                raise _failed(Sentence("the answer of the sign-in service was not clear"))
            case "access_denied":
                raise _failed(Sentence("it was declined"))
            case "temporarily_unavailable" | "server_error":
                raise _away()
            case other:
                log.warning("the issuer refused a sign-in", extra={"reason": other[:80]})
                raise _failed(Sentence("the sign-in service refused it"))

    async def _ask(self, form: Mapping[str, str]) -> _Answer:
        """One question to the token endpoint. Raises `SignInOver` for a clear no, `Problem` for everything unclear."""
        try:
            status, document = await self._post(form)
            if status == 200:
                return _Answer.model_validate(document)
            reason = str(document["error"])[:80] if isinstance(document, dict) and "error" in document else ""
        except (httpx2.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            status, reason = 0, type(error).__name__
        if 400 <= status < 500 and reason == "invalid_grant":
            raise SignInOver
        log.warning("the issuer gave no tokens", extra={"status": status, "reason": reason})
        raise _away()

    async def _post(self, form: Mapping[str, str]) -> tuple[int, Any]:
        """The status and the document. A redirect is not followed: it would carry the code or the token along."""
        headers, own = self._credentials()
        request = self._http.build_request(
            "POST",
            self._about.token_endpoint,
            data={**form, **own},
            headers={"Accept": "application/json", **headers},
        )
        # The client keeps cookies, and those it has came with somebody else's answer.
        request.headers.pop("Cookie", None)
        body = bytearray()
        async with asyncio.timeout(ANSWER_LIMIT_S):
            response = await self._http.send(request, stream=True, follow_redirects=False)
            async with aclosing(response):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > ANSWER_LIMIT_BYTES:
                        raise ValueError("the answer is too large")
        return response.status_code, json.loads(bytes(body))

    def _credentials(self) -> tuple[dict[str, str], dict[str, str]]:
        """Who we are, as headers and as form fields."""
        ways = self._about.token_endpoint_auth_methods_supported
        # An issuer whose clients keep no secrets looks for our name among the fields.
        if not self._client_secret or set(ways) == {"none"}:
            return {}, {"client_id": self.client_id}
        if "client_secret_basic" not in ways and "client_secret_post" in ways:
            return {}, {"client_id": self.client_id, "client_secret": self._client_secret}
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self._client_secret)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, {}


def _grant(answer: _Answer) -> Grant:
    scopes = None if answer.scope is None else frozenset(answer.scope.split()) & SCOPES.keys()
    return Grant(scopes, max(answer.expires_in, 0), answer.refresh_token or None)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"


def _failed(why: Sentence) -> Problem:
    return Problem("bad_request", Sentence("this sign-in did not work: {why}", why=why), "try it again")


def _away() -> Problem:
    return Problem("unavailable", "the sign-in service is away", "try again in a moment")
