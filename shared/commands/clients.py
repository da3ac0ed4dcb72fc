"""The clients people use, and what each has to be told about a tool server: in its own form, and never with a token.

Where a client takes a token instead of signing in by itself, it is told where to find one: in `VARIABLE`, or by asking.
"""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from shared.commands.in_place import toml_table

NAME: Final = "taskgate"
# Not TASKGATE_...: the services refuse to start beside a variable of theirs that they do not know.
VARIABLE: Final = "MCP_TASKGATE_TOKEN"
INPUT: Final = "taskgate-token"
EXPORTED: Final = f"Export the token as {VARIABLE} where it is started."

# Section -> name -> entry, which is how all of their files are made.
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file in which a client keeps its servers."""

    place: Callable[[], Path]
    # What stands in it for an address, with a token or without, and how that is written.
    document: Callable[[str, bool], Document]
    form: Callable[[Document], str]

    def text(self, url: str, with_token: bool) -> str:
        """All of it, if nothing else stands in it."""
        return self.form(self.document(url, with_token))


@dataclass(frozen=True, slots=True)
class KnownClient:
    """One client: the words it is told by, and how a person goes on from there."""

    about: str
    sign_in: str
    file: SettingsFile | None = None
    # What is run or pasted, where that is something else than what stands in the file.
    words: Callable[[str, bool], str] | None = None
    # How somebody goes on who brings a token; empty where nobody can.
    otherwise: str = EXPORTED
    # It runs somewhere else, where addresses of this machine mean nothing.
    is_far: bool = False

    def text(self, url: str, with_token: bool) -> str:
        """What is run or pasted."""
        if self.words is not None:
            return self.words(url, with_token)
        assert self.file is not None
        return self.file.text(url, with_token)


def _claude_code(url: str, with_token: bool) -> str:
    command = f"claude mcp add --transport http {NAME} {shlex.quote(url)}"
    # In single quotes, so that it is Claude Code that looks the variable up, each time it starts.
    return f"{command} --header 'Authorization: Bearer ${{{VARIABLE}}}'" if with_token else command


def _claude_code_file(url: str, with_token: bool) -> Document:
    return {"mcpServers": {NAME: {"type": "http", "url": url} | _header(f"${{{VARIABLE}}}", with_token)}}


def _vscode(url: str, with_token: bool) -> Document:
    servers = {NAME: {"type": "http", "url": url} | _header(f"${{input:{INPUT}}}", with_token)}
    asked = {"id": INPUT, "type": "promptString", "description": "Token for taskgate", "password": True}
    return {"inputs": [asked], "servers": servers} if with_token else {"servers": servers}


def _cursor(url: str, with_token: bool) -> Document:
    return {"mcpServers": {NAME: {"url": url} | _header(f"${{env:{VARIABLE}}}", with_token)}}


def _codex(url: str, with_token: bool) -> Document:
    return {"mcp_servers": {NAME: {"url": url} | ({"bearer_token_env_var": VARIABLE} if with_token else {})}}


def _codex_place() -> Path:
    from shared.settings import environment

    return Path(environment().get("CODEX_HOME") or Path.home() / ".codex") / "config.toml"


def _inspector(url: str, with_token: bool) -> str:
    command = f"npx @modelcontextprotocol/inspector --cli {shlex.quote(url)} --transport http"
    header = f' --header "Authorization: Bearer ${VARIABLE}"' if with_token else ""
    return f"{command}{header} --method tools/list"


def _header(reference: str, with_token: bool) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {reference}"}} if with_token else {}


def _json(document: Document) -> str:
    return json.dumps(document, indent=2)


def _toml(document: Document) -> str:
    tables = (
        toml_table(section, name, entry) for section, entries in document.items() for name, entry in entries.items()
    )
    return "\n".join(tables).rstrip()


CLIENTS: Final = MappingProxyType(
    {
        "claude-code": KnownClient(
            "Claude Code, in a terminal or an editor",
            "Run `claude mcp login taskgate`, or type /mcp in Claude Code, and sign in with your browser.",
            SettingsFile(lambda: Path(".mcp.json"), _claude_code_file, _json),
            words=_claude_code,
        ),
        "claude-desktop": KnownClient(
            "Claude on the desktop, in the browser and on the phone",
            "In Claude open Settings > Connectors > Add custom connector, paste this address, choose Connect, sign in.",
            words=lambda url, _: url,
            otherwise="",
            is_far=True,
        ),
        "vscode": KnownClient(
            "Visual Studio Code",
            "Choose Start above the entry in that file, and sign in with your browser.",
            SettingsFile(lambda: Path(".vscode/mcp.json"), _vscode, _json),
            otherwise="Choose Start above the entry in that file; the editor asks for the token, and keeps it.",
        ),
        "cursor": KnownClient(
            "Cursor",
            "In Cursor's settings find taskgate among the MCP servers, choose Connect, and sign in.",
            SettingsFile(lambda: Path.home() / ".cursor" / "mcp.json", _cursor, _json),
        ),
        "codex": KnownClient(
            "Codex, in a terminal or an editor",
            "Run `codex mcp login taskgate`, and sign in with your browser.",
            SettingsFile(_codex_place, _codex, _toml),
        ),
        "inspector": KnownClient(
            "the MCP Inspector, which shows what the server offers (Node.js 22.19 or newer)",
            "It opens your browser to sign you in.",
            words=_inspector,
            otherwise=f"{EXPORTED} Lists of processes show the token while the command runs.",
        ),
    }
)
