"""Asking an issuer about itself: OpenID Connect discovery and RFC 8414, at start and never in a request."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Problem
from shared.tokens.fetch import fetch_json
from shared.tokens.profiles import IssuerProfile

log = logging.getLogger(__name__)

PATIENCE_S: Final = 15.0
PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 2.0
HINT: Final = "correct the issuer in the settings, start it first, or give its jwks_uri"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Undiscoverable(Problem):
    """An issuer that cannot be asked about itself, or whose answer cannot be used. It stops a service at its start."""

    def __init__(self, issuer: str, reason: str, hint: str) -> None:
        super().__init__("unavailable", f"the issuer {issuer} {reason}", hint)


class IssuerMetadata(BaseModel):
    """What an issuer says about itself, as far as it matters here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    jwks_uri: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    end_session_endpoint: str = ""
    scopes_supported: tuple[str, ...] = ()
    protected_resources: tuple[str, ...] = ()
    code_challenge_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    names_itself: bool = Field(default=False, validation_alias="authorization_response_iss_parameter_supported")


async def discover(issuer: str, http: httpx2.AsyncClient, *, patience_s: float = PATIENCE_S) -> IssuerMetadata:
    """The metadata of an issuer. Raises `Undiscoverable`, but not at once: both may be starting at the same time."""
    at = urlsplit(issuer)
    if at.scheme != "https" and not (at.scheme == "http" and at.hostname in LOOPBACK):
        raise Undiscoverable(issuer, "cannot be asked for its keys: it is no https address", HINT)
    base = f"{at.scheme}://{at.netloc}"
    path = at.path.rstrip("/")
    addresses = (
        f"{base}{path}/.well-known/openid-configuration",
        f"{base}/.well-known/oauth-authorization-server{path}",
    )
    reason, pause_s = "no answer", PAUSE_S
    try:
        async with asyncio.timeout(patience_s):
            while True:
                for address in addresses:
                    found, reason = await _asked(address, http)
                    if found is not None:
                        return _itself(issuer, found)
                if pause_s == PAUSE_S:
                    log.info("waiting for an issuer", extra={"issuer": issuer, "reason": reason})
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    except TimeoutError:
        raise Undiscoverable(issuer, f"cannot be asked for its keys: {reason}", HINT) from None


async def _asked(address: str, http: httpx2.AsyncClient) -> tuple[IssuerMetadata | None, str]:
    """What an address answers, or why it is of no use; never the other side's own words."""
    try:
        return IssuerMetadata.model_validate(await fetch_json(http, address)), ""
    except (httpx2.HTTPError, TimeoutError):
        return None, "no answer"
    except (ValueError, RecursionError) as error:
        return None, str(error) if type(error) is ValueError else "its metadata cannot be read"


def _itself(issuer: str, found: IssuerMetadata) -> IssuerMetadata:
    if found.issuer != issuer:
        raise Undiscoverable(issuer, f"calls itself {found.issuer[:200]!r}", "write it in the settings exactly so")
    return found


async def with_known_keys(
    profiles: Iterable[IssuerProfile], http: httpx2.AsyncClient, *, patience_s: float = PATIENCE_S
) -> tuple[IssuerProfile, ...]:
    """The profiles, each with keys or the address of its keys. Raises `Undiscoverable`."""
    known = []
    for profile in profiles:
        if profile.needs_discovery:
            found = await discover(profile.issuer, http, patience_s=patience_s)
            if not found.jwks_uri:
                raise Undiscoverable(profile.issuer, "does not say where its keys are", HINT)
            known.append(profile.model_copy(update={"jwks_uri": found.jwks_uri}))
        else:
            known.append(profile)
    return tuple(known)
