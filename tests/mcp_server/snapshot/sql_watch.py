"""What to look at while hostile statements run: the words of answers, the neighbour, the processes."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Final

from mcp_types import CallToolResult

from mcp_server.snapshot.running.workers import Workers
from tests.living import ToolClient, text_of
from tests.mcp_server.snapshot.hostile_sql import Hostile

# It stands in everything of bob's that nobody else may see.
MARK: Final = "quokka"
ECHO: Final = 40
LONGEST: Final = 400
LATEST_S: Final = 4.0  # 2 s are promised; the rest is for a machine that has other things to do
WORKER_BYTES: Final = 256 * 1024 * 1024

# Words of the engine, of Python and of this machine, none of which belong into a refusal.
_RAW: Final = re.compile(
    r"no such \w+: |near \".*\": |unrecognized token|incomplete input|not authorized|is prohibited|misuse of|"
    r"ambiguous column name|circular reference:|stack overflow|Expression tree|malformed JSON|JSON path error|"
    r"integer overflow|interrupted|too many \w+ in|query string is|string or blob|You can only|vtable|"
    r"\w+Error\b|Traceback|sqlite3|sqlite_errorname|site-packages|0x[0-9a-f]{6,}",
)
_PLACES: Final = (str(Path(__file__).parents[3]), sys.prefix, sys.base_prefix, "/proc/", "worker.py", "at_us")
_SHAPE: Final = re.compile(r"(\w+): [^\n]+")


@dataclass(slots=True)
class Watched:
    """What was seen meanwhile."""

    neighbour_s: list[float] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)
    most_bytes: dict[int, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        waits = [wait * 1000 for wait in self.neighbour_s]
        p50, p99 = (quantiles(waits, n=100, method="inclusive")[n] for n in (49, 98)) if len(waits) > 1 else (0.0, 0.0)
        return (
            f"neighbour {len(waits)} queries, p50 {p50:.1f}, p99 {p99:.1f}, longest {max(waits, default=0):.1f} ms; "
            f"hostile {len(self.answers_s)}, longest {max(self.answers_s, default=0):.2f} s; "
            f"worker at most {max(self.most_bytes.values(), default=0) / 2**20:.0f} MB"
        )


def wrong_words(hostile: Hostile, result: CallToolResult, secrets: Sequence[str]) -> str:
    """What is wrong about an answer; nothing if it is right."""
    text = text_of(result)
    everything = f"{text}\n{result.structured_content}"
    if told := [secret for secret in (MARK, *secrets) if secret.lower() in everything.lower()]:
        return f"it tells {told}"
    if not result.is_error:
        assert result.structured_content is not None
        rows = result.structured_content["rows"]
        if not hostile.may_answer:
            return f"it answers {rows[:3]}"
        if hostile.rows is not None and rows != [list(row) for row in hostile.rows]:
            return f"it answers {rows[:3]} instead of {hostile.rows}"
        return ""
    return wrong_refusal(text, hostile.sql, hostile.codes)


def wrong_refusal(text: str, sql: str, codes: Collection[str]) -> str:
    """What is wrong about the words of a refusal; nothing if they are right."""
    shape = _SHAPE.fullmatch(text)
    if shape is None or not text.isprintable() or len(text) > LONGEST:
        return f"no refusal of one line: {text!r}"
    if shape[1] not in codes:
        return f"{text!r} instead of {sorted(codes)}"
    if raw := _RAW.search(text):
        return f"raw words {raw[0]!r} in {text!r}"
    if place := next((place for place in _PLACES if place in text and place not in sql), ""):
        return f"{place!r} in {text!r}"
    if any(text[start : start + ECHO + 1] in sql for start in range(len(text) - ECHO)):
        return f"a long echo in {text!r}"
    return ""


@asynccontextmanager
async def watched(workers: Workers, bob: ToolClient) -> AsyncGenerator[Watched]:
    """Bob asks the same again and again, and somebody looks at the processes."""
    seen = Watched()
    ended = asyncio.Event()

    async def ask() -> None:
        while not ended.is_set():
            begun = perf_counter()
            result = await bob.call("data_query", sql="SELECT title FROM tasks ORDER BY title LIMIT 1")
            seen.neighbour_s.append(perf_counter() - begun)
            if result.is_error or not result.structured_content or MARK not in str(result.structured_content["rows"]):
                seen.faults.append(f"the neighbour: {text_of(result)}")
            await _pause(ended, 0.02)

    async def look() -> None:
        while not ended.is_set():
            for pid in workers.pids:
                seen.most_bytes[pid] = max(seen.most_bytes.get(pid, 0), _most_bytes(pid))
            await _pause(ended, 0.005)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        group.create_task(look())
        try:
            yield seen
        finally:
            ended.set()


async def _pause(ended: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ended.wait()


def _most_bytes(pid: int) -> int:
    """The most memory a process ever had, where that can be seen."""
    return _status(pid, "VmHWM")


def own_bytes() -> int:
    """The memory of this process, where the service runs."""
    return _status(os.getpid(), "VmRSS")


def own_descriptors() -> int:
    """The files and pipes this process has open, where they can be counted."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def _status(pid: int, name: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
