"""The addresses of what can be read: one canonical form for each thing, and what any form of it names."""

from dataclasses import dataclass
from typing import Final, Literal, cast, get_args
from urllib.parse import quote, unquote

from mcp_server.tasks.names import INBOX_NAME

Fixed = Literal["today", "inbox", "overview"]

SCHEME: Final = "tasks://"
TODAY: Final = f"{SCHEME}today"
INBOX: Final = f"{SCHEME}inbox"
OVERVIEW: Final = f"{SCHEME}overview"


@dataclass(frozen=True, slots=True)
class Address:
    """What an address names: the reference of a task or the path of a list, as it was written there."""

    kind: Fixed | Literal["task", "list"]
    name: str = ""


def task_uri(ref: str) -> str:
    """The address of a task, by the reference that its reader writes: `T12`, or `ann:T12` in somebody else's list."""
    return f"{SCHEME}task/{quote(ref, safe='')}"


def list_uri(path: str) -> str:
    """The address of a list or section, by the path that its reader writes: `Work`, `Work/Design`, `ann:Work`."""
    return INBOX if path == INBOX_NAME else f"{SCHEME}list/{quote(path, safe='')}"


def read_address(uri: str) -> Address | None:
    """What an address names, whoever reads it and whether it exists or not; None if it is no address of this kind."""
    if not uri.startswith(SCHEME):
        return None
    first, slash, rest = uri.removeprefix(SCHEME).partition("/")
    if not slash:
        return Address(cast(Fixed, first)) if first in get_args(Fixed) else _named("task", first)
    match first:
        case "task" | "list":
            return _named(first, rest)
    return None


def _named(kind: Literal["task", "list"], quoted: str) -> Address | None:
    return Address(kind, unquote(quoted)) if quoted else None
