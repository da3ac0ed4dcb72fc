"""Who is at the door: a bearer token, or the session of a browser; and how a browser gets one and gives it back.

No script ever holds a token: the browser carries random ids and sealed text, in cookies that only we can read.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Final, NoReturn

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from gateway.oidc import Attempt, LoginIssuer
from gateway.sealing import Sealing
from gateway.sessions import LONGEST_S, Session, Sessions
from gateway.turn import CallerNow
from gateway.words import language_of, said, translated
from shared.errors import Problem
from shared.telemetry import REQUEST_ID
from shared.tokens import Caller, KeysUnavailable, Refused, Verifier, restored

log = logging.getLogger(__name__)

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOGIN_PATH: Final = "/auth/login"
ATTEMPT_S: Final = 600
LONGEST_RETURN: Final = 500
NOT_SIGNED_IN: Final = Template((Path(__file__).parent / "not_signed_in.html").read_text(encoding="utf-8"))
NOT_SIGNED_IN_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class NotSignedIn(Problem):
    """No credential, or one that is not accepted. It tells programs which of the two, and browsers where to go."""

    def __init__(self, *, was_refused: bool = False, login: str = "") -> None:
        super().__init__("sign_in", "you are not signed in", "sign in and try again")
        self.challenge = 'Bearer error="invalid_token"' if was_refused else "Bearer"
        self.login = login


class SignIn:
    """Checks the credential of each request, signs browsers in and out."""

    def __init__(
        self,
        verifier: Verifier,
        sessions: Sessions,
        issuer: LoginIssuer | None,
        sealing: Sealing,
        origin: str,
        now: Callable[[], datetime],
    ) -> None:
        """Without an issuer, a browser can only exchange a token for a session."""
        self._verifier = verifier
        self._sessions = sessions
        self._issuer = issuer
        self._sealing = sealing
        self._origin = origin
        self._now = now
        self._https = origin.startswith("https://")
        # Browsers refuse the prefix without https, which only a loopback address may do without.
        self._cookie = "__Host-taskgate" if self._https else "taskgate"
        self._login_cookie = f"{self._cookie}-login"

    @property
    def has_issuer(self) -> bool:
        """Whether browsers can sign in here, and not only bring a token."""
        return self._issuer is not None

    # Who it is ------------------------------------------------------------------------------------------------------

    def caller_now(self, request: Request) -> CallerNow:
        """What tells, now and later, whom the credential of this request proves; it raises `NotSignedIn` once it no
        longer proves anybody, and another `Problem` while that cannot be known."""
        bearers = request.headers.getlist("authorization")
        if len(bearers) > 1:
            raise Problem("bad_request", "two Authorization headers were sent", "send one")
        # A bearer request neither needs nor reads cookies, so no other site can lend it one.
        if bearers:
            scheme, _, token = bearers[0].partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                self._refuse()
            return partial(self._by_bearer, token.strip())
        return partial(self._by_session, self._session_id(request))

    async def caller(self, request: Request) -> Caller:
        """Who sent this. Raises `Problem`: not signed in, no permission to look, or nobody can say."""
        return permitted(await self.caller_now(request)())

    async def me(self, request: Request, offered: Mapping[str, Any]) -> Response:
        """Who is signed in, until when, and what the gateway offers."""
        if "authorization" in request.headers:
            caller = await self.caller(request)
            name, until = caller.subject, caller.expires_at
        else:
            session = await self._session(self._session_id(request))
            caller = permitted(session.caller)
            name, until = session.name, session.ends_at
        return JSONResponse({"subject": caller.subject, "name": name, "expires_at": until, **offered})

    async def _by_bearer(self, token: str) -> Caller:
        try:
            return await self._verifier.verify(token)
        except Refused:
            self._refuse(was_refused=True)
        except KeysUnavailable:
            raise Problem("unavailable", "the keys that sign tokens cannot be loaded", "try again in 5 s") from None

    def _session_id(self, request: Request) -> str:
        """The id in the cookie, which only our own page may use."""
        session_id = request.cookies.get(self._cookie)
        if not session_id:
            self._refuse()
        self._require_same_site(request)
        return session_id

    async def _by_session(self, session_id: str) -> Caller:
        return (await self._session(session_id)).caller

    async def _session(self, session_id: str) -> Session:
        session = await self._sessions.current(session_id)
        if session is None:
            self._refuse()
        try:
            self._verifier.require_current(session.caller)
        except Refused:
            self._refuse()
        return session

    def _refuse(self, *, was_refused: bool = False) -> NoReturn:
        raise NotSignedIn(was_refused=was_refused, login=LOGIN_PATH if self._issuer else "") from None

    def _require_same_site(self, request: Request) -> None:
        """Browsers send the cookie along with what other sites start; only our own page may change anything."""
        if request.method in SAFE_METHODS:
            return
        site = request.headers.get("sec-fetch-site")
        same = site == "same-origin" if site is not None else request.headers.get("origin") == self._origin
        if not same:
            raise Problem("forbidden", "this request did not come from our page", "use a bearer token instead")

    # In and out -----------------------------------------------------------------------------------------------------

    async def begin(self, request: Request) -> Response:
        """Send a browser to the issuer; what it has to bring back stays sealed in its cookie."""
        assert self._issuer is not None
        address, attempt = self._issuer.begin()
        carried = {
            **asdict(attempt),
            "return_to": local_path(request.query_params.get("return_to", "")),
            "until": self._now().timestamp() + ATTEMPT_S,
        }
        response = RedirectResponse(address, 302)
        self._set_cookie(
            response, self._login_cookie, self._sealing.seal(json.dumps(carried, ensure_ascii=False)), ATTEMPT_S
        )
        return response

    async def finish(self, request: Request) -> Response:
        """Take a browser back from the issuer: a new session, or a page that says why there is none."""
        found = self._attempt(request)
        if found is None:
            # The cookie stays: another tab's sign-in may be on its way.
            why = Problem(
                "bad_request", "this is not the sign-in that was begun here, or it took too long", "begin again"
            )
            return _not_signed_in(why, request)
        attempt, return_to = found
        try:
            session_id = await self._signed_in(attempt, request)
            response: Response = RedirectResponse(return_to, 303)
            self._set_cookie(response, self._cookie, session_id, LONGEST_S)
        except Problem as problem:
            log.info("a sign-in did not succeed", extra={"code": problem.code})
            response = _not_signed_in(problem, request)
        self._delete_cookie(response, self._login_cookie)
        return response

    async def start_session(self, request: Request) -> Response:
        """Exchange the bearer token of this request for a session cookie that lives no longer than the token."""
        if "authorization" not in request.headers:
            self._refuse()
        caller = await self.caller(request)
        lifetime_s = min(caller.expires_at - int(self._now().timestamp()), LONGEST_S)
        if lifetime_s <= 0:
            self._refuse(was_refused=True)
        session_id = await self._sessions.start(
            caller, caller.subject, lifetime_s, instead_of=request.cookies.get(self._cookie, "")
        )
        response = Response(status_code=204)
        self._set_cookie(response, self._cookie, session_id, lifetime_s)
        return response

    async def end_session(self, request: Request) -> Response:
        """Forget the session and its cookie, and tell the page where the sign-in at the issuer can be ended too."""
        self._require_same_site(request)
        session_id = request.cookies.get(self._cookie)
        began_at_issuer = session_id is not None and await self._sessions.end(session_id)
        elsewhere = self._issuer.sign_out_address if self._issuer and began_at_issuer else ""
        response = JSONResponse({"end_session": elsewhere})
        self._delete_cookie(response, self._cookie)
        return response

    def _attempt(self, request: Request) -> tuple[Attempt, str] | None:
        """What this browser set out with, if it comes back in time and with an answer to exactly that."""
        opened = self._sealing.open(request.cookies.get(self._login_cookie, ""))
        if opened is None:
            return None
        carried = json.loads(opened)
        return_to, until = carried.pop("return_to"), carried.pop("until")
        attempt = Attempt(**carried)
        if self._now().timestamp() >= until or not attempt.is_meant_by(request.query_params):
            return None
        return attempt, return_to

    async def _signed_in(self, attempt: Attempt, request: Request) -> str:
        assert self._issuer is not None
        person, grant = await self._issuer.finish(attempt, request.query_params)
        now = int(self._now().timestamp())
        caller = restored(
            self._issuer.issuer,
            person.subject,
            grant.scopes or (),
            now + grant.lifetime_s,
            self._issuer.client_id,
            issued_at=now,
            session_id=person.session_id,
        )
        return await self._sessions.start(
            caller,
            person.name,
            LONGEST_S,
            refresh_token=grant.refresh_token,
            instead_of=request.cookies.get(self._cookie, ""),
        )

    def _set_cookie(self, response: Response, name: str, value: str, lifetime_s: int) -> None:
        # Lax: a browser that comes back from the issuer has to bring it, although another site sends it here.
        response.set_cookie(name, value, lifetime_s, secure=self._https, httponly=True, samesite="lax")

    def _delete_cookie(self, response: Response, name: str) -> None:
        # Browsers ignore the deletion of a __Host- cookie that is not marked secure.
        response.delete_cookie(name, secure=self._https, httponly=True, samesite="lax")


def permitted(caller: Caller) -> Caller:
    """The caller, who may at least look. Raises `Problem`."""
    if not caller.may("tasks:read"):
        raise Problem("forbidden", "this sign-in does not permit looking at tasks", "sign in again")
    return caller


def local_path(sent: str) -> str:
    """Where to go after signing in: a place on this site, or its start."""
    is_local = sent.startswith("/") and "//" not in sent and "\\" not in sent and sent.isprintable()
    return sent if is_local and len(sent) <= LONGEST_RETURN else "/"


def _not_signed_in(problem: Problem, request: Request) -> Response:
    language = language_of(request.headers.get("accept-language"))
    words = {
        "language": language,
        "title": said(language, "Not signed in"),
        "heading": said(language, "You are not signed in"),
        "message": _sentence(translated(language, problem.message)),
        "hint": _sentence(translated(language, problem.hint)),
        "sign_in": said(language, "Sign in"),
        "reference": said(language, "Reference: {reference}", reference=REQUEST_ID.get()),
        "login": LOGIN_PATH,
    }
    page = NOT_SIGNED_IN.substitute({name: escape(word) for name, word in words.items()})
    return HTMLResponse(page, problem.status, {"Content-Security-Policy": NOT_SIGNED_IN_POLICY})


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
