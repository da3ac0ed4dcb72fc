"""The services and their issuer as child processes: started together, announced when ready, and never left behind."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import httpx2

from shared.errors import Problem

READY_S: Final = 60.0
ANSWER_S: Final = 5.0
ASK_AGAIN_S: Final = 0.05
COMMAND: Final = Path(__file__).parents[1] / "cli.py"
TITLES: Final = MappingProxyType({"issuer": "issuer", "gateway": "gateway", "mcp": "tool server"})


@dataclass(frozen=True, slots=True)
class Part:
    """One child process: where it listens, what it is told to do, and its whole environment."""

    listener: socket.socket
    url: str
    command: tuple[str, ...]
    variables: dict[str, str]


async def supervise(parts: Mapping[str, Part], announce: Callable[[Mapping[str, int]], None], patience_s: float) -> int:
    """Prepare the databases, run the services until told to stop, and leave nothing running, however this ends."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    code = await _upgrade({name: value for part in parts.values() for name, value in part.variables.items()}, stop)
    if code != 0 or stop.is_set():
        return code

    async def announce_when_ready() -> None:
        await _ready({name: part.url for name, part in parts.items()})
        announce({name: child.pid for name, child in children.items()})
        await stop.wait()

    children: dict[str, Process] = {}
    # The children watch the reading end. Only this process has the other one, so that even its death by SIGKILL tells.
    lifeline, held = os.pipe()
    try:
        for name, part in parts.items():
            fd = part.listener.fileno()
            arguments = (*part.command, "--fd", str(fd), "--until-closed", str(lifeline))
            children[name] = await _start(arguments, part.variables, (fd, lifeline))
            # A copy kept here would go on accepting connections when the child is gone.
            part.listener.close()
        await _first(stop.wait(), announce_when_ready(), *(child.wait() for child in children.values()))
        if stop.is_set():
            return 0
        ended = {name: child.returncode for name, child in children.items() if child.returncode is not None}
        _say(*(f"The {TITLES[name]} ended by itself, {_how(code)}; so this ends too." for name, code in ended.items()))
        return 1
    finally:
        stop.clear()
        await _end(children.values(), stop, patience_s)
        os.close(held)
        os.close(lifeline)


async def _upgrade(variables: dict[str, str], stop: asyncio.Event) -> int:
    """The exit code of the command that production runs too; here nobody else has to load what migrations need."""
    upgrade = await _start(("db", "upgrade"), variables)
    await _first(stop.wait(), upgrade.wait())
    if stop.is_set():
        if upgrade.returncode is None:
            # It is one transaction for each service, so nothing is left half done.
            upgrade.kill()
            await upgrade.wait()
        return 0
    code = upgrade.returncode or 0
    if code < 0:
        _say(f"The databases could not be prepared: the upgrade ended {_how(code)}.")
        return 1
    return code


async def _start(arguments: Sequence[str], variables: dict[str, str], inherited: Sequence[int] = ()) -> Process:
    # The file itself rather than a name that has to be found: it notices when another `shared` comes first.
    return await create_subprocess_exec(
        sys.executable,
        "-P",
        COMMAND,
        *arguments,
        env=variables,
        pass_fds=inherited,
        stdin=DEVNULL,
        stdout=sys.stderr,
        # Ctrl-C reaches this process alone, which then stops the others in good order.
        start_new_session=True,
    )


async def _ready(urls: Mapping[str, str]) -> None:
    """Return when every service is ready; raise when that takes too long, with the last that was heard."""
    last = dict.fromkeys(urls, "it does not answer")

    async def ask(name: str, url: str) -> None:
        while True:
            with suppress(httpx2.TransportError):
                response = await http.get(f"{url}/readyz")
                if response.status_code == 200:
                    del last[name]
                    return
                last[name] = f"it answers {response.text}"
            await asyncio.sleep(ASK_AGAIN_S)

    # Proxies of the environment are for the outside world.
    async with httpx2.AsyncClient(trust_env=False, timeout=ANSWER_S) as http:
        try:
            async with asyncio.timeout(READY_S):
                await asyncio.gather(*(ask(name, url) for name, url in urls.items()))
        except TimeoutError as error:
            name, words = next(iter(last.items()))
            message = f"the {TITLES[name]} was not ready within {READY_S:.0f} s: {words}"
            raise Problem("timeout", message, "read its log above") from error


async def _end(children: Iterable[Process], again: asyncio.Event, patience_s: float) -> None:
    """Ask every child to stop, and wait; make them stop when that takes too long or somebody asks again."""
    alive = [child for child in children if child.returncode is None]
    for child in alive:
        with suppress(ProcessLookupError):
            child.terminate()

    async def everyone() -> None:
        for child in alive:
            await child.wait()

    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await _first(again.wait(), everyone())
    for child in alive:
        if child.returncode is None:
            child.kill()
    await everyone()


async def _first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Return when one of these is done, or raise what it raised; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _how(code: int) -> str:
    return f"with exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr, flush=True)
