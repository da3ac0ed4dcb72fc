"""The product as processes of its own: its commands, `taskgate dev`, and each service as an operator starts it."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections import defaultdict
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from gateway.service import SERVICE as GATEWAY
from mcp_server.service import SERVICE as MCP
from shared.migrate import upgrade
from shared.tokens import SCOPES, Signer, SigningKey
from tests.living import ISSUER, STATE_KEY, ChatClient, Said, ToolClient
from tests.web import web

PROGRAMS: Final = Path(sys.executable).parent
FREE: Final = ("--gateway-port", "0", "--mcp-port", "0", "--issuer-port", "0")
# How long a process may take to do what it was asked for before the test gives up on it.
PATIENCE_S: Final = 60
NOTHING: Final = MappingProxyType[str, str]({})


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """No settings but these."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | dict(settings)


def ended(
    program: str, *arguments: str, cwd: Path, settings: Mapping[str, str] = NOTHING
) -> "subprocess.CompletedProcess[str]":
    """What became of a console script that ends by itself."""
    return subprocess.run(
        [PROGRAMS / program, *arguments],
        cwd=cwd,
        env=environment(settings),
        text=True,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )


def taskgate(*arguments: str, cwd: Path, settings: Mapping[str, str] = NOTHING) -> "subprocess.CompletedProcess[str]":
    """What became of one command."""
    return ended("taskgate", *arguments, cwd=cwd, settings=settings)


@asynccontextmanager
async def chat(gateway_url: str, token: str) -> AsyncGenerator[ChatClient]:
    """A ChatKit client with this token."""
    headers = {"Authorization": f"Bearer {token}"}
    async with web(base_url=gateway_url, headers=headers, timeout=PATIENCE_S) as http:
        yield ChatClient(http)


def pieces(said: Said) -> list[str]:
    """The words of an answer, piece by piece as a person sees them come."""
    updates = [event["update"] for event in said.of("thread.item.updated")]
    return [update["delta"] for update in updates if update["type"].endswith("text_delta")]


# `taskgate dev`


@dataclass
class Dev:
    """A running `taskgate dev --json`."""

    process: "subprocess.Popen[str]"
    data: Path
    facts: dict[str, Any]
    # Of the services and the issuer; they become readable when the process has ended, even if nobody waits for it.
    handles: dict[str, int] = field(default_factory=dict)

    @property
    def gateway_url(self) -> str:
        return str(self.facts["chatkit_url"]).removesuffix("/chatkit")

    @property
    def mcp_url(self) -> str:
        return str(self.facts["mcp_url"])

    @property
    def issuer_url(self) -> str:
        return str(self.facts["issuer_url"])

    def mint(self, *arguments: str) -> str:
        """What another process prints that asks for a token."""
        done = taskgate("token", "mint", "--data", str(self.data), *arguments, cwd=self.data)
        assert done.returncode == 0, done.stderr
        return done.stdout.removesuffix("\n")

    def rest(self) -> str:
        """What else it printed on standard output, once it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def has_ended(self, name: str) -> bool:
        """Wait for the process of a service to end."""
        return bool(select.select([self.handles[name]], [], [], PATIENCE_S)[0])

    @asynccontextmanager
    async def tools(self, token: str) -> AsyncGenerator[ToolClient]:
        """An MCP client with this token."""
        async with (
            web(headers={"Authorization": f"Bearer {token}"}) as http,
            Client(streamable_http_client(self.mcp_url, http_client=http), cache=None) as client,
        ):
            yield ToolClient(client)

    @asynccontextmanager
    async def chat(self, token: str) -> AsyncGenerator[ChatClient]:
        """A ChatKit client with this token."""
        async with chat(self.gateway_url, token) as client:
            yield client


@contextmanager
def started(
    data: Path,
    *arguments: str,
    ports: Sequence[str] = FREE,
    errors: int | None = None,
    settings: Mapping[str, str] = NOTHING,
) -> Iterator["subprocess.Popen[str]"]:
    """`taskgate dev`, on free ports unless said otherwise. What it logs is shown when the test fails."""
    command: list[str | Path] = [PROGRAMS / "taskgate", "dev", *ports, "--data", data, *arguments]
    with subprocess.Popen(
        command,
        cwd=data.parent,
        process_group=0,
        env=environment(settings),
        text=True,
        stdout=subprocess.PIPE,
        stderr=errors,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@contextmanager
def running(
    data: Path, *, ports: Sequence[str] = FREE, errors: int | None = None, settings: Mapping[str, str] = NOTHING
) -> Iterator[Dev]:
    """The same, ready and described."""
    with started(data, "--json", ports=ports, errors=errors, settings=settings) as process:
        assert process.stdout is not None
        dev = Dev(process, data, json.loads(process.stdout.readline()))
        dev.handles = {name: os.pidfd_open(pid) for name, pid in dev.facts["pids"].items()}
        try:
            yield dev
        finally:
            for handle in dev.handles.values():
                os.close(handle)


# The services as an operator starts them


class Service:
    """One service by its console script, with these settings and no others; it may end and be started again."""

    def __init__(self, program: str, folder: Path, settings: Mapping[str, str], lifeline: int) -> None:
        self.settings = dict(settings)
        self.log: list[dict[str, Any]] = []
        self._program = program
        self._folder = folder
        self._lifeline = lifeline
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._said: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self, settings: Mapping[str, str] = NOTHING) -> None:
        """Run it, with these settings besides its own, until it answers requests."""
        self.log.clear()
        self._said.clear()
        self._process = await create_subprocess_exec(
            PROGRAMS / self._program,
            "--until-closed",
            str(self._lifeline),
            pass_fds=[self._lifeline],
            cwd=self._folder,
            env=environment({**self.settings, **settings}),
            stdin=DEVNULL,
            stderr=PIPE,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        await self.says("listening")

    async def says(self, event: str) -> None:
        """Wait until it has logged this since it was started."""
        assert self._reading is not None
        said = self._said[event]
        waiting = asyncio.create_task(said.wait())
        await asyncio.wait({waiting, self._reading}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert said.is_set(), f"{self._program} did not say {event!r}"

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        """Wait for its end; a signal that killed it counts negative."""
        assert self._process is not None
        assert self._reading is not None
        async with asyncio.timeout(PATIENCE_S):
            await self._reading
            return await self._process.wait()

    async def stop(self) -> None:
        """End it, if it runs."""
        if self.is_running:
            self.send(signal.SIGTERM)
            await self.exit_code()

    async def _read(self, process: Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            sys.stderr.write(line.decode())  # shown when the test fails
            if line.startswith(b"{"):
                self.log.append(json.loads(line))
                self._said[self.log[-1]["event"]].set()


class Deployment:
    """Both services on SQLite with an issuer of ours: nothing is running yet, and there are no tables."""

    def __init__(self, folder: Path, mcp_port: int, gateway_port: int, lifeline: int) -> None:
        self.mcp_url = f"http://127.0.0.1:{mcp_port}/mcp"
        self.gateway_url = f"http://127.0.0.1:{gateway_port}"
        self.mcp_file, self.gateway_file = folder / "mcp.db", folder / "gateway.db"
        self._issuer = Signer(ISSUER, [SigningKey.generate()])
        key = SigningKey.generate()
        people = {"issuer": ISSUER, "jwks": self._issuer.jwks}
        delegate = {
            "issuer": self.gateway_url,
            "jwks": Signer(self.gateway_url, [key]).jwks,
            "delegates_for": [ISSUER],
            "max_lifetime_s": 120,
            "interactive": False,
        }
        both = {"TASKGATE_ENV": "dev", "TASKGATE_MCP_URL": self.mcp_url, "TASKGATE_GATEWAY_URL": self.gateway_url}
        mcp = {
            "TASKGATE_MCP_BIND": f"127.0.0.1:{mcp_port}",
            "TASKGATE_MCP_DATABASE_URL": f"sqlite:///{self.mcp_file}",
            "TASKGATE_MCP_ISSUERS": json.dumps([people, delegate]),
            "TASKGATE_MCP_STATE_KEYS": STATE_KEY,
        }
        gateway = {
            "TASKGATE_GATEWAY_BIND": f"127.0.0.1:{gateway_port}",
            "TASKGATE_GATEWAY_DATABASE_URL": f"sqlite:///{self.gateway_file}",
            "TASKGATE_GATEWAY_ISSUERS": json.dumps([people]),
            "TASKGATE_GATEWAY_SIGNING_KEYS": json.dumps([key.pem]),
        }
        self.mcp = Service("taskgate-mcp", folder, both | mcp, lifeline)
        self.gateway = Service("taskgate-gateway", folder, both | gateway, lifeline)
        self.secrets = (STATE_KEY, *key.pem.splitlines()[1:-1])

    async def upgrade(self) -> None:
        """Create the tables of both services; one deployment after the other, because Alembic is one to a process."""
        await upgrade(MCP.schema, f"sqlite:///{self.mcp_file}")
        await upgrade(GATEWAY.schema, f"sqlite:///{self.gateway_file}")

    async def start(self) -> None:
        """Start what does not run."""
        await asyncio.gather(*(service.start() for service in (self.mcp, self.gateway) if not service.is_running))

    @asynccontextmanager
    async def chat(self, subject: str) -> AsyncGenerator[ChatClient]:
        """A ChatKit client of this person."""
        token = self._issuer.issue(subject, self.gateway_url, SCOPES, lifetime_s=600, client_id="a client of the tests")
        async with chat(self.gateway_url, token) as client:
            yield client


@asynccontextmanager
async def deployment(folder: Path) -> AsyncGenerator[Deployment]:
    """A deployment whose addresses stay the same however often its services end and start."""
    with reserved_port() as mcp_port, reserved_port() as gateway_port, lifeline() as pipe:
        found = Deployment(folder, mcp_port, gateway_port, pipe)
        try:
            yield found
        finally:
            await asyncio.gather(found.mcp.stop(), found.gateway.stop())


@contextmanager
def lifeline() -> Generator[int]:
    """The reading end of a pipe that closes after this block, or when this process is killed in it."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(writing)
        os.close(reading)


@contextmanager
def reserved_port() -> Generator[int]:
    """A port that a server may listen on, now and again, and that the system gives to nobody else meanwhile."""
    with socket.socket() as holder:
        # Held, but not listened on: until a server does, connections are refused.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        yield port
