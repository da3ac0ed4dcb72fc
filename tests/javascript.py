"""Programs in JavaScript: their packages are installed once per machine, and tests talk to them in lines of JSON."""

import asyncio
import json
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.engines import EngineMissing

INSTALL: Final = "apt-get install --no-install-recommends npm"
PROGRAMS: Final = Path(__file__).parent / "node"
LISTS: Final = ("package.json", "package-lock.json")
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taskgate-tests"
# No package may run anything while it is installed, and npm cannot reconcile the peers that some of them name.
INSTALL_PACKAGES: Final = ("ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--loglevel=error")
# How long a program may be silent before the test gives up on it.
PATIENCE_S: Final = 60
LONGEST_LINE: Final = 2**20


@dataclass(frozen=True, slots=True)
class Conversation:
    """A running program that says JSON, and may be told some."""

    process: Process

    async def hear(self) -> dict[str, Any]:
        """The next thing it says."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await self.process.stdout.readline()
        assert line, "the program has ended"
        said = json.loads(line)
        assert isinstance(said, dict)
        return said

    def say(self, value: Any) -> None:
        """Tell it something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value).encode() + b"\n")


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a program that ends by itself."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Node:
    """Node.js, and a folder with our programs and the packages they use."""

    program: Path
    folder: Path

    @asynccontextmanager
    async def running(self, program: str, *arguments: str) -> AsyncGenerator[Conversation]:
        """One of our programs, until it is no longer needed."""
        process = await self._started(program, *arguments)
        try:
            yield Conversation(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def ended(self, program: str, *arguments: str) -> Ended:
        """What a program prints that ends by itself."""
        process = await self._started(program, *arguments, stderr=PIPE)
        try:
            async with asyncio.timeout(PATIENCE_S):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return Ended(process.returncode, output.decode(), errors.decode())

    async def _started(self, program: str, *arguments: str, stderr: int | None = None) -> Process:
        return await create_subprocess_exec(
            self.program,
            program,
            *arguments,
            cwd=self.folder,
            # Some keep settings at home; theirs begin and end with the tests.
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
            stdin=PIPE,
            stdout=PIPE,
            stderr=stderr,
            limit=LONGEST_LINE,
        )


def install_node(folder: Path) -> Node:
    """Put our programs and their packages into an empty folder; raises `EngineMissing` where they cannot be had."""
    packages = _packages()
    for program in PROGRAMS.glob("*.mjs"):
        shutil.copy(program, folder)
    (folder / "node_modules").symlink_to(packages)
    # Node.js itself is one of the packages, so that its version is ours; where it does not exist, there is another.
    found = next(packages.glob("node-*/bin/node"), None) or shutil.which("node")
    if found is None:
        raise EngineMissing(INSTALL)
    return Node(Path(found), folder)


def _packages() -> Path:
    contents = b"".join((PROGRAMS / name).read_bytes() for name in LISTS)
    place = CACHE / f"node-{sha256(contents).hexdigest()[:16]}"
    if not place.exists():
        _install(place)
    return place / "node_modules"


def _install(place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise EngineMissing(INSTALL)
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent) as name:
        made = Path(name) / "made"
        made.mkdir()
        for listed in LISTS:
            shutil.copy(PROGRAMS / listed, made)
        done = subprocess.run([npm, *INSTALL_PACKAGES], cwd=made, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            why = " ".join(done.stderr.split())
            raise EngineMissing(f"npm {' '.join(INSTALL_PACKAGES)}, which said: {why}")
        try:
            made.rename(place)
        except OSError:
            # Another run of the tests was quicker.
            if not place.exists():
                raise
