"""The settings of the tool server."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

from shared.service import Bind, Issuers, ServiceSettings
from shared.settings import setting

KEY_LENGTH = 32
LIMITS: Final = MappingProxyType({"calls": 240, "writes": 120, "queries": 30, "completions": 120})
MOST = 1_000_000


class McpSettings(ServiceSettings):
    """What the tool server can be told."""

    bind: Bind = setting("TASKGATE_MCP_BIND", "Address and port to listen on.", default="127.0.0.1:8001")
    database_url: SecretStr = setting(
        "TASKGATE_MCP_DATABASE_URL",
        "The database of tasks; may lead to a pooler.",
        default="sqlite:///.taskgate/mcp.db",
        secret=True,
        example="postgresql://taskgate_app:...@db/taskgate",
    )
    database_direct_url: SecretStr | None = setting(
        "TASKGATE_MCP_DATABASE_DIRECT_URL",
        "The same database without a pooler and as the owner of its tables, for migrations.",
        default=None,
        secret=True,
    )
    issuers: Issuers = setting(
        "TASKGATE_MCP_ISSUERS",
        "Whose tokens are accepted: a JSON list of issuer profiles; the gateway's has delegates_for.",
        example='[{"issuer":"https://login.example.com","jwks_uri":"https://login.example.com/jwks"}]',
    )
    state_keys: tuple[SecretStr, ...] = setting(
        "TASKGATE_MCP_STATE_KEYS",
        "Keys that seal cursors and confirmations, the newest first; the same on every replica.",
        secret=True,
        example="the output of: openssl rand -base64 32",
    )
    profile: Literal["full", "core"] = setting(
        "TASKGATE_MCP_PROFILE",
        "Which tools are offered: all, or the core alone, which costs a model a third less.",
        default="full",
    )
    sql_workers: Annotated[int, Field(ge=0, le=64)] | None = setting(
        "TASKGATE_MCP_SQL_WORKERS",
        "Queries that run at once, each in a process of up to 256 MB; one for each core (2 to 8), 0 is no data_query.",
        default=None,
        example="4",
    )
    sql_locks: Literal["needed", "full", "any"] = setting(
        "TASKGATE_MCP_SQL_LOCKS",
        "What must hold these processes or no start: what is needed, Landlock too (full), whatever there is (any).",
        default="needed",
    )
    limits: str = setting(
        "TASKGATE_MCP_LIMITS",
        "What one person may do in a minute; what is not named keeps its default, 0 turns a limit off.",
        default=" ".join(f"{name}={limit}" for name, limit in LIMITS.items()),
    )
    origins: tuple[str, ...] = setting(
        "TASKGATE_MCP_ORIGINS",
        "Other browser origins that may call with a bearer token.",
        default=(),
        example="https://app.example.com",
    )
    hosts: tuple[str, ...] = setting(
        "TASKGATE_MCP_HOSTS",
        "Further values of the Host header, e.g. the name inside the cluster.",
        default=(),
        example="taskgate-mcp:8001",
    )

    @field_validator("state_keys")
    @classmethod
    def _strong(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not value or any(len(key.get_secret_value()) < KEY_LENGTH for key in value):
            # A plain ValueError on a secret is not shown, because libraries quote the value in theirs.
            raise PydanticCustomError("weak", "has to be one key or more, each of at least 32 characters")
        return value

    @field_validator("limits")
    @classmethod
    def _are_limits(cls, value: str) -> str:
        _per_minute(value)
        return value

    @property
    def per_minute(self) -> Mapping[str, int]:
        """The limits by their names."""
        return _per_minute(self.limits)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may show."""
        urls = [url.get_secret_value() for url in (self.database_url, self.database_direct_url) if url is not None]
        return (*urls, *(key.get_secret_value() for key in self.state_keys))


def _per_minute(text: str) -> Mapping[str, int]:
    found = dict(LIMITS)
    for part in re.split(r"[\s,]+", text.strip()):
        name, _, number = part.partition("=")
        if name not in LIMITS or not re.fullmatch(r"[0-9]{1,7}", number) or int(number) > MOST:
            known = ", ".join(LIMITS)
            raise ValueError(f"has to be name=number pairs with numbers up to {MOST:,}; the names are {known}")
        found[name] = int(number)
    return found
