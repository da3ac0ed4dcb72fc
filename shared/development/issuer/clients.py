"""The programs that ask for tokens: how they register, and where they may have people sent back to."""

import re
import secrets
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.development.issuer.refusals import OAuthRefusal

LOOPBACK: Final = ("127.0.0.1", "[::1]", "localhost")
LONGEST_ADDRESS: Final = 2_000

# Narrower than an address may be: it is shown to people, and it becomes part of headers.
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[::1\])(?P<port>:[0-9]{1,5})?"
    r"(?P<rest>(?:[/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?)"
)
# The scheme that a program on this machine has taken for itself, as editors do (RFC 8252, 7.1).
_OWN_SCHEME: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*):/[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*")
TAKEN: Final = frozenset(
    {"about", "blob", "data", "file", "filesystem", "ftp", "http", "https", "javascript", "vbscript", "ws", "wss"}
)


class OAuthClient(BaseModel):
    """A registered program. It keeps no secret, as programs on people's machines cannot."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    redirect_uris: tuple[str, ...]

    def may_return_to(self, uri: str) -> bool:
        """Whether people may be sent there; programs on this machine choose their port anew each time (RFC 8252)."""
        return is_address(uri) and _without_port(uri) in map(_without_port, self.redirect_uris)


# The gateway is known without registering, so that its configuration needs no step by hand.
GATEWAY: Final = OAuthClient(
    id="taskgate-gateway",
    name="Taskgate chat",
    redirect_uris=tuple(f"http://{host}/auth/callback" for host in LOOPBACK),
)


class _Registration(BaseModel):
    """What a program says about itself (RFC 7591), as far as it matters here."""

    model_config = ConfigDict(extra="ignore")

    client_name: str = Field(default="A program without a name", max_length=200)
    redirect_uris: tuple[str, ...] = Field(min_length=1, max_length=10)

    @field_validator("client_name")
    @classmethod
    def _is_readable(cls, value: str) -> str:
        if not value.strip() or not value.isprintable():
            raise ValueError("cannot be shown")
        return value


def register(body: bytes) -> OAuthClient:
    """A new client as it describes itself. Raises `OAuthRefusal`."""
    try:
        wanted = _Registration.model_validate_json(body)
    except ValidationError as error:
        raise OAuthRefusal("invalid_client_metadata", "client_name or redirect_uris cannot be used") from error
    if not all(map(is_address, wanted.redirect_uris)):
        raise OAuthRefusal(
            "invalid_redirect_uri",
            f"use https, http on {', '.join(LOOPBACK)}, or a scheme of your own; no fragment",
        )
    return OAuthClient(id=secrets.token_urlsafe(16), name=wanted.client_name, redirect_uris=wanted.redirect_uris)


def is_address(uri: str) -> bool:
    """Whether people may be sent there at all: over https, or to a program on this machine."""
    if len(uri) > LONGEST_ADDRESS:
        return False
    if at := _ADDRESS.fullmatch(uri):
        return at["scheme"] == "https" or at["host"] in LOOPBACK
    own = _OWN_SCHEME.fullmatch(uri)
    return own is not None and own["scheme"] not in TAKEN


def is_here(uri: str) -> bool:
    """Whether an address is one of a program on this machine."""
    return is_address(uri) and uri.startswith("http://")


def _without_port(uri: str) -> str:
    """The same address at any port, if it is on this machine."""
    at = _ADDRESS.fullmatch(uri)
    return uri if at is None or at["scheme"] == "https" else f"http://{at['host']}{at['rest']}"
