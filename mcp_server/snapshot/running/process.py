"""One worker as the server sees it: a process that is asked, distrusted, and killed when it is late."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcp_server.snapshot.running.frames import LARGEST, LENGTH_BYTES, length, packed
from mcp_server.snapshot.running.worker import NAME_LENGTH, TOO_BIG, TOO_LATE

SOFT_S: Final = 1.2  # the statement is interrupted
HARD_S: Final = 1.5  # the worker ends itself
LATE_S: Final = 1.8  # it is killed
START_S: Final = 5.0
END_S: Final = 0.5  # from its last word to its end
LOAD_S: Final = 5.0

# The package alone is put at the end of a path that otherwise holds the standard library only.
_START: Final = "import sys; sys.path.append(sys.argv[1]); from mcp_server.snapshot.running.worker import main; main()"
_ROOT: Final = str(Path(__file__).resolve().parents[3])
MOST_COLUMNS: Final = 100
PIECE: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Locks:
    """Which of its locks a worker could close."""

    landlock: int  # the kernel's version of it; 0 is none
    held: frozenset[str]

    @property
    def missing(self) -> tuple[str, ...]:
        """What a worker has to have where people cannot be trusted, and does not."""
        return tuple(name for name in ("memory", "files", "writes", "processes", "clock") if name not in self.held)

    @property
    def is_shut(self) -> bool:
        """Whether files and connections are out of reach, without which no worker is used at all."""
        return {"files", "clock"} <= self.held

    def __str__(self) -> str:
        landlock = [f"landlock {self.landlock}"] if self.landlock else []
        return ", ".join([*landlock, *sorted(self.held)]) or "none"


@dataclass(frozen=True, slots=True)
class Size:
    """How large an answer may be: so many rows, so many bytes in all, so many characters of one text."""

    rows: int
    all: int
    cell: int


@dataclass(frozen=True, slots=True)
class Question:
    """One query, how much of an answer is wanted, and the clock of the person."""

    sql: str
    size: Size
    now: str
    now_us: int


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a query. `cut` says by which limits something was left out: rows, bytes, cells."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]
    cut: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there are no rows: `sql` with SQLite's own words, `time`, `memory`, `size`, or a worker that is `broken`."""

    kind: str
    text: str = ""
    killed: bool = False  # it could not be stopped otherwise


class Broken(Exception):
    """The worker is of no use any more. `kind` says what it was asked too much of, if that is why: time or memory."""

    def __init__(self, kind: str = "broken") -> None:
        super().__init__(kind)
        self.kind = kind


class Worker:
    """A process that holds the rows of at most one person in its whole life."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._burial: asyncio.Task[None] | None = None
        self.locks = Locks(0, frozenset())
        self.scope = ""  # what of whose it has seen; empty while nobody's
        self.key = ""  # the image it holds
        self.asked = 0

    @classmethod
    async def start(cls) -> "Worker":
        """A new one, locked up and waiting. Raises `Broken` where none can be started."""
        try:
            process = await create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", _START, _ROOT,
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
                env={"MALLOC_ARENA_MAX": "1"}, cwd="/", close_fds=True, start_new_session=True,
            )  # fmt: skip
        except OSError:
            raise Broken from None
        worker = cls(process)
        try:
            async with asyncio.timeout(START_S):
                worker.locks = _locks(await _message(process))
        except (Broken, TimeoutError, asyncio.IncompleteReadError):
            await worker.bury()
            raise Broken from None
        except asyncio.CancelledError:
            _kill(process)
            raise
        return worker

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.returncode is None

    async def load(self, scope: str, key: str, image: bytes) -> None:
        """Give it the rows. They have to be of the person whose rows it had before, if any."""
        if self.scope not in ("", scope):
            raise ValueError("this worker has seen something else")
        self.scope, self.key = scope, ""
        message = await self._asked(LOAD_S, packed({"image": len(image)}), *_pieces(image))
        if message != {"loaded": len(image)}:
            raise Broken
        self.key = key

    async def ask(self, question: Question) -> Found | Fault:
        """Run one query. After `Broken`, and after being cancelled here, the worker has to be buried."""
        self.asked += 1
        clock = {"soft_s": SOFT_S, "hard_s": HARD_S, "now": question.now, "now_us": question.now_us}
        sizes = {"rows": question.size.rows, "size": question.size.all, "cell": question.size.cell}
        message = await self._asked(LATE_S, packed({"id": self.asked, "sql": question.sql, **sizes, **clock}))
        return _read_answer(message, self.asked, question)

    async def bury(self) -> None:
        """Kill it and wait until nothing is left of it, however many want that and whoever of them stops waiting."""
        if self._burial is None:
            self._burial = asyncio.get_running_loop().create_task(self._bury())
        await asyncio.shield(self._burial)

    async def _bury(self) -> None:
        _kill(self._process)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        # What it wrote last stands in the way of the end of the pipe.
        await self._process.stdout.read()
        await self._process.wait()

    async def _asked(self, limit_s: float, *parts: bytes | memoryview) -> dict[str, Any]:
        """What it answers to this in time."""
        assert self._process.stdin is not None
        try:
            async with asyncio.timeout(limit_s):
                for part in parts:
                    self._process.stdin.write(part)
                    await self._process.stdin.drain()
                return await _message(self._process)
        except TimeoutError:
            raise Broken("time") from None
        except (ConnectionError, asyncio.IncompleteReadError):
            with suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await self._process.wait()
            raise Broken({TOO_LATE: "time", TOO_BIG: "memory"}.get(self._process.returncode or 0, "broken")) from None


def _pieces(image: bytes) -> Iterator[memoryview]:
    """An image as it can be sent without keeping everybody else waiting."""
    whole = memoryview(image)
    for start in range(0, len(image), PIECE):
        yield whole[start : start + PIECE]


def _kill(process: Process) -> None:
    """Kill it if it lives. Its own method looks first whether it does, and so takes the exit code from asyncio."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


async def _message(process: Process) -> dict[str, Any]:
    """The next thing a worker says; `Broken` if it is nothing that a worker would say."""
    assert process.stdout is not None
    size = length(await process.stdout.readexactly(LENGTH_BYTES))
    if size > LARGEST:
        raise Broken
    try:
        message = json.loads(await process.stdout.readexactly(size))
    except (ValueError, RecursionError):
        raise Broken from None
    if not isinstance(message, dict):
        raise Broken
    return message


def _locks(ready: Mapping[str, Any]) -> Locks:
    match ready:
        case {"ready": {"landlock": int(landlock), **others}}:
            return Locks(landlock, frozenset(str(name) for name, holds in others.items() if holds is True))
    raise Broken


def _read_answer(message: Mapping[str, Any], number: int, question: Question) -> Found | Fault:
    """An answer that has the announced form; anything else is a worker that somebody else has taken over."""
    if message.get("id") != number:
        raise Broken
    match message:
        case {"error": str(text), "kind": "sql" | "time" | "memory" | "size" as kind}:
            return Fault(kind, text)
        case {"columns": list() as columns, "rows": list() as rows, "cut": list() as cut} if (
            len(columns) <= MOST_COLUMNS
            and len(rows) <= question.size.rows
            and all(isinstance(name, str) for name in columns)
            and all(_is_row(row, len(columns)) for row in rows)
            and all(limit in ("rows", "bytes", "cells") for limit in cut)
        ):
            return Found([_shown(name) for name in columns], rows, frozenset(cut))
    raise Broken


def _is_row(row: object, size: int) -> bool:
    return (
        isinstance(row, list)
        and len(row) == size
        and all(value is None or type(value) in (str, int, float) for value in row)
    )


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in name[:NAME_LENGTH])
