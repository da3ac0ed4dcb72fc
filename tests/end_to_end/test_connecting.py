"""The page about clients tells the truth: its words are what the command prints, and its programs work."""

import asyncio
import json
import os
import re
import shlex
import sys
import tomllib
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest

from shared.cli import main
from shared.commands.clients import CLIENTS, VARIABLE
from tests.javascript import Node
from tests.living import Living

PAGE: Final = Path(__file__).parents[2] / "docs" / "clients.md"
EXAMPLE: Final = "https://tasks.example.com/mcp"
BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND: Final = ("taskgate", "connect")
NPX: Final = "npx @modelcontextprotocol/inspector"
INSPECTOR: Final = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
PATIENCE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the page."""

    language: str
    text: str

    @property
    def command(self) -> tuple[str, ...]:
        """What follows `taskgate connect`, if it is that."""
        words = tuple(shlex.split(self.text)) if self.language == "sh" else ()
        return words[2:] if words[:2] == COMMAND else ()


def blocks() -> list[Block]:
    return [Block(language, text) for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]


def shown() -> Iterator[tuple[tuple[str, ...], Block]]:
    """Each command of the page, and the block that follows it."""
    for block, following in pairwise(blocks()):
        if block.command:
            yield block.command, following


def program(language: str) -> str:
    """The one program in this language."""
    [text] = [block.text for block in blocks() if block.language == language]
    return text


READERS: Final = MappingProxyType[str, Callable[[str], Any]](
    {
        "sh": shlex.split,
        "json": json.loads,
        "toml": tomllib.loads,
        "text": str.split,
        "python": lambda text: compile(text, "clients.md", "exec"),
        "js": str.split,  # Node.js reads it below
    }
)


def test_every_block_is_something_that_its_readers_understand() -> None:
    for block in blocks():
        assert READERS[block.language](block.text), block.text
    # What stands in files for a client is shown as what it is.
    forms = {
        following.language for words, following in shown() if "--write" in words or words[0] in ("cursor", "vscode")
    }
    assert forms == {"json"}
    assert [following.language for words, following in shown() if words[0] == "codex"] == ["toml", "toml"]


def test_the_page_shows_every_client_in_each_of_its_ways() -> None:
    told = {words for words, _ in shown() if "--write" not in words}
    ways = {(name,) for name in CLIENTS} | {(name, "--token") for name, client in CLIENTS.items() if client.otherwise}
    assert told == ways


@pytest.mark.parametrize(("words", "following"), [pytest.param(*each, id=" ".join(each[0])) for each in shown()])
def test_what_the_page_shows_is_what_the_command_says(
    words: tuple[str, ...],
    following: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TASKGATE_MCP_URL", EXAMPLE)
    assert main(["connect", *words]) == 0
    printed = capsys.readouterr().out
    written = [path.read_text() for path in tmp_path.iterdir()]
    assert [following.text] == (written if "--write" in words else [printed])


async def ended(*command: str | Path, token: str, cwd: Path) -> str:
    """What a program prints that finds its token in the environment and ends well."""
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), VARIABLE: token}
    process = await create_subprocess_exec(*command, cwd=cwd, env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(PATIENCE_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return output.decode()


@pytest.mark.anyio
async def test_the_program_in_python_works(living: Living, tmp_path: Path) -> None:
    text = program("python").replace(EXAMPLE, living.mcp_url)
    said = await ended(sys.executable, "-W", "error", "-c", text, token=living.token("ada"), cwd=tmp_path)
    assert said.splitlines()[-1] == "T1 Buy milk"
    async with living.client("ada") as ada, living.client("bob") as bob:
        assert await ada.titles() == ["Buy milk"]
        assert await bob.titles() == []


@pytest.mark.node
@pytest.mark.anyio
async def test_the_program_in_javascript_works(living: Living, node: Node) -> None:
    text = program("js").replace(EXAMPLE, living.mcp_url)
    file = node.folder / "documented.mjs"
    file.write_text(text, encoding="utf-8")
    said = await ended(node.program, file.name, token=living.token("ada"), cwd=node.folder)
    assert said.splitlines()[-1] == "T1 Buy milk"
    async with living.client("ada") as ada, living.client("bob") as bob:
        assert await ada.titles() == ["Buy milk"]
        assert await bob.titles() == []


@pytest.mark.node
@pytest.mark.anyio
async def test_the_command_for_the_inspector_works(
    living: Living, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", "inspector", "--token", "--url", living.mcp_url]) == 0
    command = capsys.readouterr().out
    assert command.startswith(NPX)
    here = command.replace(NPX, shlex.join([str(node.program), INSPECTOR]))
    said = await ended("/bin/sh", "-c", here, token=living.token("ada"), cwd=node.folder)
    async with living.client("ada") as ada:
        tools = (await ada.client.list_tools()).tools
    assert [tool["name"] for tool in json.loads(said)["tools"]] == [tool.name for tool in tools]
