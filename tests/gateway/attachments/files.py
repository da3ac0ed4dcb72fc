"""Files, people and clocks as the tests of attachments write them down."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from chatkit.types import Attachment, AttachmentCreateParams, ThreadMetadata
from sqlalchemy import select
from starlette.types import ASGIApp

from gateway.attachments import Attachments, rows
from gateway.attachments.disk import Disk
from gateway.store import ThreadStore
from gateway.tables import chat_attachments
from gateway.turn import Turn
from shared.asgi import Drain
from shared.db import Database
from shared.errors import Problem
from shared.serve import serve
from shared.tokens import Caller, service

KEYS: Final = ["a key for the attachments of the tests"]
ORIGIN: Final = "https://tasks.example.test"
PNG: Final = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC")
CSV: Final = b"title,due\nBuy milk,2026-12-01\nCall Ada,\n"


@dataclass(slots=True)
class Clock:
    """A clock that a test moves."""

    time: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, by: timedelta) -> None:
        self.time += by


def asked_by(subject: str) -> Turn:
    """A request of a person's."""
    caller = Caller(subject, "https://login.example.test", frozenset({"tasks:read"}), 2**40, "page")

    async def still_there() -> Caller:
        return caller

    return Turn(caller=caller, caller_now=still_there, request_id="r1")


ADA: Final = asked_by("ada")
BOB: Final = asked_by("bob")


def announced(name: str = "tasks.csv", size: int = len(CSV), mime_type: str = "text/csv") -> AttachmentCreateParams:
    return AttachmentCreateParams(name=name, size=size, mime_type=mime_type)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def proof_in(attachment: Attachment) -> str:
    """What the address for the upload proves itself with."""
    assert attachment.upload_descriptor is not None
    [proof] = parse_qs(urlsplit(str(attachment.upload_descriptor.url)).query)["proof"]
    return proof


async def attach(
    attachments: Attachments, turn: Turn, data: bytes = CSV, name: str = "tasks.csv", mime_type: str = "text/csv"
) -> Attachment:
    """A file that is announced and sent."""
    made = await attachments.create(announced(name, len(data), mime_type), turn)
    caller = attachments.uploader(made.id, proof_in(made))
    await attachments.receive(made.id, chunks(data), caller)
    return made


async def send(database: Database, attachment: Attachment, turn: Turn, thread_id: str = "thr_1") -> bool:
    """What happens to a file when the message that brings it is stored in a conversation."""
    thread = ThreadMetadata(id=thread_id, created_at=datetime(2026, 3, 1, tzinfo=UTC))
    await ThreadStore(database).save_thread(thread, turn)
    async with database.begin(turn.caller, write=True) as tx:
        return await rows.bind(tx, attachment.model_copy(update={"thread_id": thread_id}))


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncGenerator[str]:
    """The address at which an application is really served."""
    drain = Drain()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(app, bind="127.0.0.1:0", drain=drain, drain_s=1, notice_s=0, on_started=address.set_result)
    )
    await asyncio.wait({serving, address}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield f"http://{address.result()}"
    finally:
        drain.begin()
        await serving


async def refused(work: Awaitable[Any]) -> tuple[str, str]:
    """The code and the message of a refusal."""
    with pytest.raises(Problem) as problem:
        await work
    return problem.value.code, problem.value.message


async def stored(database: Database) -> dict[str, str]:
    """The state of every row."""
    async with database.begin(service("gateway")) as tx:
        found = await tx.all(select(chat_attachments.c.id, chat_attachments.c.state))
    return {row.id: row.state for row in found}


def kept_in(folder: Path) -> set[str]:
    """The names of what is in a directory."""
    return {path.name for path in folder.iterdir()}


class Gated:
    """A place on disk whose next write waits until a test lets it happen, or fails."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.is_away = False

    async def put(self, key: str, data: bytes) -> None:
        self.reached.set()
        await self.opened.wait()
        if self.is_away:
            raise Problem("unavailable", "away")
        await self.disk.put(key, data)

    async def get(self, key: str) -> bytes:
        return await self.disk.get(key)

    async def remove(self, key: str) -> None:
        if self.is_away:
            raise Problem("unavailable", "away")
        await self.disk.remove(key)
