"""What the two services have in common: their settings, and what the command line may know of one unloaded."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from shared.migrate import Schema
from shared.retention import Retention
from shared.settings import Settings, setting
from shared.tokens import Caller, IssuerProfile, require_distinct

if TYPE_CHECKING:
    from shared.db import Database

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>(?:/[A-Za-z0-9._~-]+)*)"
)


def _bind(address: str, info: ValidationInfo) -> str:
    if info.data.get("env") == "dev" and not _is_loopback(address.rpartition(":")[0]):
        raise ValueError("must be a loopback address while TASKGATE_ENV=dev, e.g. 127.0.0.1:8000")
    return address


def _issuers(profiles: tuple[IssuerProfile, ...], info: ValidationInfo) -> tuple[IssuerProfile, ...]:
    if not profiles:
        raise ValueError("at least one issuer is needed, or nobody can call")
    require_distinct(profiles)
    if info.data.get("env") != "dev" and any(profile.secret is not None for profile in profiles):
        raise ValueError("a shared secret is for TASKGATE_ENV=dev only; give jwks_uri, jwks or nothing instead")
    return profiles


# Whose tokens a service accepts.
Issuers = Annotated[tuple[IssuerProfile, ...], AfterValidator(_issuers)]

# Where a service listens. What is generated for development is not for anybody else on the network.
Bind = Annotated[str, AfterValidator(_bind)]


class ServiceSettings(Settings):
    """What both services have."""

    env: Literal["production", "dev"] = setting(
        "TASKGATE_ENV",
        "`dev` allows generated keys, the development issuer and plain http, on loopback only.",
        default="production",
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "TASKGATE_LOG_LEVEL", "The least important kind of log line that is written.", default="info"
    )
    trusted_proxies: tuple[str, ...] = setting(
        "TASKGATE_TRUSTED_PROXIES",
        "Addresses and networks of the proxies whose `X-Forwarded-*` headers count.",
        default=(),
        example="10.0.0.7,10.1.0.0/16",
    )
    pool_size: Annotated[int, Field(ge=1, le=100)] = setting(
        "TASKGATE_POOL_SIZE", "Database connections of one process, all opened at start.", default=10
    )
    drain_s: Annotated[int, Field(ge=0, le=600)] = setting(
        "TASKGATE_DRAIN_S", "Seconds that running turns and calls may take after SIGTERM.", default=25
    )
    retention: str = setting(
        "TASKGATE_RETENTION",
        "Days for which data is kept that nobody uses any more; what is not named keeps its default, 0 is for ever.",
        default="threads=365,deleted=30",
    )
    mcp_url: str = setting(
        "TASKGATE_MCP_URL",
        "Public URL of the tool server with its /mcp, byte-equal to the audience of its tokens.",
        example="https://tools.example.com/mcp",
    )
    gateway_url: str = setting(
        "TASKGATE_GATEWAY_URL",
        "Public URL of the gateway, byte-equal to the audience of its tokens.",
        example="https://chat.example.com",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            try:
                ip_network(item) if "/" in item else ip_address(item)
            except ValueError as error:
                raise ValueError("must list IP addresses or networks whose host bits are zero") from error
        return value

    @field_validator("retention")
    @classmethod
    def _is_retention(cls, value: str) -> str:
        Retention.read(value)
        return value

    @field_validator("mcp_url")
    @classmethod
    def _is_tool_server(cls, value: str, info: ValidationInfo) -> str:
        if not _public_path(value, info).endswith("/mcp"):
            raise ValueError("must end in /mcp")
        return value

    @field_validator("gateway_url")
    @classmethod
    def _is_gateway(cls, value: str, info: ValidationInfo) -> str:
        if _public_path(value, info):
            raise ValueError("must have no path")
        return value

    @property
    def kept(self) -> Retention:
        """For how many days which data is kept."""
        return Retention.read(self.retention)


class Records(Protocol):
    """What a service keeps of people, as the command line handles it: in its database, beside services that run.

    Each counts rows by the name of their table, works in short transactions, and may be interrupted and repeated.
    """

    # The fields of the service's own settings that this needs.
    needs: tuple[str, ...]

    async def prune(self, database: "Database", settings: Any, *, dry_run: bool) -> Mapping[str, int]:
        """Delete what has been kept for long enough; in a dry run, count it only."""
        ...

    def export(self, database: "Database", person: Caller) -> AsyncIterator[Mapping[str, Any]]:
        """Everything that is kept of a person, one thing at a time, each with its `kind`."""
        ...

    async def erase(self, database: "Database", settings: Any, person: Caller) -> Mapping[str, int]:
        """Delete everything that is kept of a person, whom no service lets in any more."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """One of the services, as its package publishes it under the entry point group `taskgate.services`."""

    name: str
    settings: type[ServiceSettings]
    schema: Schema
    # Runs the service until it is told to stop; the second argument is an inherited listening socket, if there is one.
    run: Callable[[Any, int | None], Awaitable[None]]
    # What it keeps of people, if there is anything to be done about it from outside.
    records: Records | None = None


def _public_path(url: str, info: ValidationInfo) -> str:
    """The path of a public URL in the one spelling that clients send back as audience, Host and Origin."""
    found = _URL.fullmatch(url)
    if not found or int(found["port"] or 0) > 65535:
        raise ValueError(
            "must be an absolute http or https URL: lower-case host, no user, no trailing slash, no query, no fragment"
        )
    if (found["scheme"], found["port"]) in (("http", "80"), ("https", "443")):
        raise ValueError("must leave out the port, as clients do: it is the usual one")
    if found["scheme"] == "http" and info.data.get("env") == "production" and not _is_loopback(found["host"]):
        raise ValueError("must be https unless its host is loopback or TASKGATE_ENV=dev")
    return found["path"]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
