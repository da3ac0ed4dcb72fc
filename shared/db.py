"""The door to a database, and `Tx`, without which no statement runs.

A `Tx` exists only for a `Caller`, lives as long as one transaction and carries its one clock. Whatever SQLite and
PostgreSQL want differently is settled here and in `engines.py`, so that nobody else has to know.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from anyio import CancelScope
from anyio.lowlevel import checkpoint_if_cancelled
from sqlalchemy import (
    CursorResult,
    Executable,
    Row,
    Text,
    bindparam,
    column,
    func,
    select,
    table,
    text,
    true,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.engines import WRITER_WAIT_S, async_url, service_engine
from shared.errors import Problem
from shared.tokens import Caller

T = TypeVar("T")

# A row of whatever columns were asked for.
AnyRow = Row[*tuple[Any, ...]]

# What a transaction tells PostgreSQL's row policies; nothing for databases or services without them.
Scope = Callable[[Caller], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Tx:
    """One transaction of one caller with one clock: the only way to a table."""

    connection: AsyncConnection
    caller: Caller
    now: datetime
    written: set[str] = field(default_factory=set)

    @property
    def now_us(self) -> int:
        """The clock of this transaction in microseconds since 1970, the unit in which instants are stored."""
        return microseconds(self.now)

    @property
    def on_sqlite(self) -> bool:
        """Whether this transaction runs on SQLite, for the few statements that have to differ."""
        return self.connection.dialect.name == "sqlite"

    def wrote(self, what: str) -> None:
        """Say what this transaction writes; who wants to hear of it does so once that is committed."""
        self.written.add(what)

    async def rollback(self) -> None:
        """Take everything back and end: for dry runs and repeats, whose answer is known but must not be written."""
        self.written.clear()
        transaction = self.connection.get_transaction()
        if transaction is not None:
            undoing = transaction.rollback()
            await (_whole(undoing) if self.on_sqlite else undoing)

    async def widen(self, scope: Mapping[str, str]) -> None:
        """Tell the row policies of PostgreSQL about more rows that this caller may see, to the end of the transaction.

        Only for what was itself read under the policies, such as the lists that others share with the caller, or for
        what a code of ours names that somebody who may see it has passed on.
        """
        if not self.on_sqlite:
            await self.execute(_tell(tuple(scope)), scope)

    async def execute(
        self, statement: Executable, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run one statement; a sequence of values runs it once for each."""
        if not self.on_sqlite:
            return await self.connection.execute(statement, values)
        await checkpoint_if_cancelled()
        return await _whole(self.connection.execute(statement, values))

    async def one(self, statement: Executable, values: Mapping[str, Any] | None = None) -> AnyRow | None:
        """The first row, or None."""
        return (await self.execute(statement, values)).first()

    async def all(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[AnyRow]:
        """Every row."""
        return (await self.execute(statement, values)).all()


def microseconds(moment: datetime) -> int:
    """A moment as microseconds since 1970, exactly (a float has not enough digits)."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def clock() -> datetime:
    """The clock of the process, in UTC."""
    return datetime.now(UTC)


class Database:
    """The connections of one process to one database."""

    def __init__(
        self, url: str, *, pool_size: int = 10, scope: Scope | None = None, now: Callable[[], datetime] = clock
    ) -> None:
        self._url = async_url(url)
        self._scope = scope
        self._now = now
        self._on_sqlite = self._url.get_backend_name() == "sqlite"
        self._writer = asyncio.Lock()
        self._hearers: list[Callable[[AbstractSet[str]], None]] = []
        # One is enough of a file; a server is asked for all of them.
        self._opened_at_start = 1 if self._on_sqlite else pool_size
        self._engine = service_engine(self._url, pool_size)

    @property
    def on_sqlite(self) -> bool:
        """Whether this is SQLite: one host, one writer."""
        return self._on_sqlite

    @property
    def engine(self) -> AsyncEngine:
        """The engine itself, for those who listen to it: telemetry, and tests that count statements."""
        return self._engine

    async def open(self) -> None:
        """Open every connection now, so that no request pays for it and a wrong address shows at start."""
        opened: list[AsyncConnection] = []
        try:
            for _ in range(self._opened_at_start):
                connection = await self._engine.connect()
                opened.append(connection)
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError) as error:
            raise Problem(
                "unavailable", f"the database {self._url.render_as_string()} cannot be reached", "check its address"
            ) from error
        finally:
            for connection in opened:
                await connection.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._on_sqlite:
            with suppress(SQLAlchemyError):
                async with self._engine.connect() as connection:
                    await connection.exec_driver_sql("PRAGMA optimize")
        await self._engine.dispose()

    async def ping(self) -> None:
        """Raise unless the database answers."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def schema_version(self, version_table: str) -> str | None:
        """The revision a migration left in its version table; None when the schema was never created."""
        try:
            async with self._engine.connect() as connection:
                found = await connection.execute(select(column("version_num", Text)).select_from(table(version_table)))
                return found.scalar()
        except DBAPIError:
            return None

    async def bypasses_row_security(self) -> bool:
        """Whether the role we run as is one that PostgreSQL never applies row policies to."""
        if self._on_sqlite:
            return False
        async with self._engine.connect() as connection:
            found = await connection.execute(
                text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
            )
            return bool(found.scalar())

    @contextmanager
    def heard_by(self, hear: Callable[[AbstractSet[str]], None]) -> Iterator[None]:
        """Meanwhile `hear` is told what each transaction of this process wrote, right after its commit.

        It must not raise: what it would spoil has been saved.
        """
        self._hearers.append(hear)
        try:
            yield
        finally:
            self._hearers.remove(hear)

    @asynccontextmanager
    async def begin(self, caller: Caller, *, write: bool = False, steady: bool = False) -> AsyncGenerator[Tx]:
        """One transaction as this caller: committed at the end of the block, rolled back when the block raises.

        Say `write` when the block will write. On SQLite such blocks queue here, because a transaction that reads first
        and writes later fails at once when another one has written in between, whatever the busy timeout says.
        Say `steady` when all statements of a block that only reads must see the same moment.
        """
        if not (write and self._on_sqlite):
            async with self._transaction(caller, write, steady) as tx:
                yield tx
            return
        try:
            async with asyncio.timeout(WRITER_WAIT_S):
                await self._writer.acquire()
        except TimeoutError:
            raise Problem("busy", "other writes are still running", "retry in 2 s") from None
        try:
            async with self._transaction(caller, write) as tx:
                yield tx
        finally:
            self._writer.release()

    @asynccontextmanager
    async def _transaction(self, caller: Caller, write: bool, steady: bool = False) -> AsyncGenerator[Tx]:
        saving = False
        try:
            async with self._connection() as connection:
                if write and self._on_sqlite:
                    await connection.execution_options(taskgate_write=True)
                if steady and not self._on_sqlite:  # a file's readers see one moment anyway
                    await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with _to_the_end(connection.begin(), whole=self._on_sqlite):
                    if self._scope is not None and not self._on_sqlite:
                        scope = self._scope(caller)
                        await connection.execute(_tell(tuple(scope)), scope)
                    tx = Tx(connection, caller, self._now())
                    yield tx
                    saving = True
                if tx.written:
                    for hear in tuple(self._hearers):
                        hear(tx.written)
        except DBAPIError as error:
            if saving and error.connection_invalidated:
                raise Problem(
                    "unknown_outcome", "the connection broke while this was being saved", "look before repeating it"
                ) from error
            problem = _problem_of(error)
            if problem is None:
                raise
            raise problem from error

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(_to_the_end(self._engine.connect(), whole=self._on_sqlite))
            except PoolTimeoutError as error:
                raise Problem("unavailable", "the database has no free connection", "try again in 2 s") from error
            except (DBAPIError, OSError, TimeoutError) as error:
                raise Problem("unavailable", "the database is away", "try again in a moment") from error
            yield connection


@asynccontextmanager
async def _to_the_end(context: AbstractAsyncContextManager[T], *, whole: bool) -> AsyncGenerator[T]:
    """The same context, whose exit is not cut short when the caller leaves; nor, if it shall be whole, its entry.

    A cancelled scope cancels every wait in it, again and again: a rollback would be left half done, and the connection
    thrown away with a task that nobody waits for. How long an exit may take is bounded by the limits of the driver.
    """
    value = await (_entered(context) if whole else context.__aenter__())
    try:
        yield value
    except BaseException as error:
        with CancelScope(shield=True):
            exiting = context.__aexit__(type(error), error, error.__traceback__)
            handled = await (_whole(exiting) if whole else exiting)
        if not handled:
            raise
    else:
        with CancelScope(shield=True):
            exiting = context.__aexit__(None, None, None)
            await (_whole(exiting) if whole else exiting)


async def _entered(context: AbstractAsyncContextManager[T]) -> T:
    await checkpoint_if_cancelled()
    entering = asyncio.ensure_future(context.__aenter__())
    try:
        return await _whole(entering)
    except asyncio.CancelledError:
        if entering.exception() is None:
            await _whole(context.__aexit__(None, None, None))
        raise


async def _whole(work: Awaitable[T]) -> T:
    """What comes of some work of SQLite's driver, which nobody can interrupt: who is cancelled hears of it afterwards.

    Left halfway, a statement would keep its connection, and with it the lock on the file, until it is collected.
    """
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        while not working.done():
            with CancelScope(shield=True), suppress(asyncio.CancelledError):
                await asyncio.wait({working})
        if not working.cancelled():
            working.exception()  # it is nobody's any more, and would be complained about
        raise


@cache
def _tell(names: tuple[str, ...]) -> Executable:
    """Set these for the transaction only: through a pooler a setting of the session would reach other people."""
    return select(*(func.set_config(name, bindparam(name), true()) for name in names))


def _problem_of(error: DBAPIError) -> Problem | None:
    """What a person may hear of a database error that is nobody's mistake; None for a bug of ours."""
    if error.connection_invalidated:
        return Problem("unavailable", "the database went away; nothing was changed", "try again in a moment")
    match getattr(error.orig, "sqlstate", None):
        case "57014":
            return Problem("timeout", "the database needed too long; nothing was changed", "ask for less at once")
        case "55P03" | "53300" | "40001" | "40P01":
            return Problem("busy", "another write is running; nothing was changed", "retry in 2 s")
    if "database is locked" in str(error.orig):
        return Problem("busy", "another write is running; nothing was changed", "retry in 2 s")
    return None
