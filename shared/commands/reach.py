"""The services as a command sees them that works beside them: whose tokens they accept, and where their data lies."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import SecretStr, create_model
from sqlalchemy import MetaData, Table

from shared.db import Database
from shared.development import settings_of
from shared.development.directory import MARK
from shared.engines import async_url
from shared.errors import Problem
from shared.migrate import require_schema
from shared.revocations import own_rows, revocations_table
from shared.service import Service, ServiceSettings
from shared.settings import DEFAULT, Settings, SettingsFault, load, setting
from shared.tokens import IssuerProfile


@runtime_checkable
class _Believing(Protocol):
    """The part of a service's settings that says whom it believes and where it writes down whom it does not."""

    @property
    def issuers(self) -> tuple[IssuerProfile, ...]: ...
    @property
    def database_url(self) -> SecretStr: ...


@dataclass(frozen=True, slots=True)
class Reached:
    """A service whose settings are known here."""

    service: Service
    # Those that both services have, and what the commands need of its own.
    settings: ServiceSettings = field(repr=False)
    audience: str
    issuers: tuple[IssuerProfile, ...]
    database_url: str = field(repr=False)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.service.name

    @property
    def revocations(self) -> Table:
        """Its table."""
        return revocations_table(self.name, MetaData())

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Database]:
        """Its database; raises `Problem` if that cannot be reached or is older than this program."""
        self._require_file()
        database = Database(self.database_url, pool_size=1, scope=own_rows)
        try:
            await database.open()
            await require_schema(database, self.service.schema)
            yield database
        finally:
            await database.close()

    def _require_file(self) -> None:
        """Raise `Problem` where connecting would create a file."""
        address = async_url(self.database_url)
        if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
            raise Problem(
                "unavailable",
                f"the database of the {self.name} service does not exist yet",
                f"run `taskgate db upgrade {self.name}`",
            )


def reach(services: Sequence[Service], data: Path | None, usual: Path) -> list[Reached]:
    """The services as their settings describe them: those of the environment, or of a `taskgate dev` in `data`.

    Where neither a directory nor a public URL is given, the set-up in the usual directory is meant, if there is one. A
    service whose issuers are not set is not run from here and left out. Raises `SettingsFault` with every fault.
    """
    if data is None and (usual / MARK).is_file() and not _are_set("TASKGATE_MCP_URL", "TASKGATE_GATEWAY_URL"):
        data = usual
    given = {} if data is None else settings_of(data, services)
    meant = [known for known in services if known.name in given or _are_set(f"TASKGATE_{known.name.upper()}_ISSUERS")]
    found, faults = [], dict[str, None]()
    for known in meant or services:
        try:
            found.append(_reached(known, given.get(known.name, {})))
        except SettingsFault as fault:
            faults |= dict.fromkeys(fault.faults)
    if faults:
        raise SettingsFault(tuple(faults))
    return found


def _reached(known: Service, given: Mapping[str, str]) -> Reached:
    needed = ("issuers", "database_url", *(known.records.needs if known.records is not None else ()))
    fields = {name: known.settings.model_fields[name] for name in needed}
    parts: dict[str, Any] = {name: (field.annotation, field) for name, field in fields.items()}
    settings = load(create_model("Believing", __base__=ServiceSettings, **parts), given=given).settings
    assert isinstance(settings, _Believing)
    audience = {"gateway": settings.gateway_url, "mcp": settings.mcp_url}[known.name]
    return Reached(known, settings, audience, settings.issuers, settings.database_url.get_secret_value())


def _are_set(*variables: str) -> bool:
    """Whether any source of settings has a value for one of these."""
    fields: dict[str, Any] = {name.lower(): (Any, setting(name, "", default="")) for name in variables}
    loaded = load(create_model("AreSet", __base__=Settings, **fields))
    return any(source != DEFAULT for source in loaded.sources.values())
