"""The directory of a development set-up: its lock, its keys, and where its services and their issuer were last.

What is generated is generated once and kept, so that people find their tasks again.
"""

import fcntl
import json
import os
from base64 import b64encode
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from shared.errors import Problem
from shared.private import write_privately
from shared.tokens import SigningKey

# Tasks belong to issuer and subject, so a directory keeps its issuer's address. The first ones did not write it down.
ISSUER: Final = "http://127.0.0.1:8002"

MARK: Final = "dev.json"
KEYS: Final = "keys.json"
GRANTS: Final = "issuer.json"
GENERATED: Final = frozenset(
    [KEYS, "keys.new", "dev.new", GRANTS, "issuer.new"]
    + [f"{name}.db{journal}" for name in ("gateway", "mcp") for journal in ("", "-wal", "-shm", "-journal")]
)
NO_DEFAULTS: Final = MappingProxyType[str, str]({})


@dataclass(frozen=True, slots=True)
class Keys:
    """What is generated once: who signs for people, who for the gateway, what seals cursors and browsers' sessions."""

    issuer: SigningKey
    gateway: SigningKey
    state: str
    session: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """The public URLs of the two services, which are the audiences of their tokens, and of the issuer they trust."""

    gateway: str
    mcp: str
    issuer: str


@contextmanager
def held(data: Path, *, reset: bool) -> Generator[None]:
    """Hold the directory for this process alone, private; what somebody else put there must not be reset."""
    with ExitStack() as stack:
        with _usable(data):
            if not data.exists():
                # Nobody shall find that we were here, unless something came of it.
                stack.callback(_remove_if_empty, data)
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _require_ours(data, reset=reset)
            data.chmod(0o700)
        yield


def forget(data: Path) -> None:
    """Delete what was generated."""
    with _usable(data):
        for name in GENERATED:
            (data / name).unlink(missing_ok=True)


@contextmanager
def _usable(data: Path) -> Generator[None]:
    try:
        yield
    except BlockingIOError as error:
        raise Problem("busy", f"another taskgate dev is using {data}", "stop it, or choose another --data") from error
    except OSError as error:
        raise Problem("bad_argument", f"{data} cannot be used: {error.strerror}", "choose another --data") from error


def _remove_if_empty(data: Path) -> None:
    with suppress(OSError):
        data.rmdir()


def _require_ours(data: Path, *, reset: bool) -> None:
    """What lies in a directory that somebody else filled is neither mixed with ours nor deleted."""
    present = {path.name for path in data.iterdir()}
    if not present or addresses_in(data) is not None:
        return
    if reset:
        raise Problem("bad_argument", f"{data} has no {MARK}, so nothing in it is deleted", "leave out --reset")
    if not present <= GENERATED:
        raise Problem(
            "bad_argument", f"{data} holds files that are not ours", "choose a directory of its own by --data"
        )


def set_up_in(data: Path) -> tuple[Keys, Addresses]:
    """What the last run from this directory was about; raises `Problem` if there was none."""
    addresses = addresses_in(data)
    if addresses is None or not (data / KEYS).exists():
        raise Problem("not_found", f"{data} was never set up", f"run `taskgate dev --data {data}` first")
    return keys_in(data), addresses


def remember(data: Path, addresses: Addresses) -> None:
    """From now on the set-up in the directory is at these addresses."""
    _write(
        data / MARK,
        {"gateway_url": addresses.gateway, "mcp_url": addresses.mcp, "issuer_url": addresses.issuer},
    )


def addresses_in(data: Path) -> Addresses | None:
    """Where the set-up in a directory was last; None if there never was one."""
    mark = _read(data / MARK, ("gateway_url", "mcp_url"), {"issuer_url": ISSUER})
    return None if mark is None else Addresses(mark["gateway_url"], mark["mcp_url"], mark["issuer_url"])


def keys_in(data: Path) -> Keys:
    """The keys in a directory, made if they are not there yet; an older one gets what it lacks."""
    path = data / KEYS
    found = _read(path, ("issuer", "gateway", "state"), {"session": ""})
    kept = found or {"issuer": SigningKey.generate().pem, "gateway": SigningKey.generate().pem, "state": _secret()}
    kept = {**kept, "session": kept.get("session") or _secret()}
    try:
        keys = Keys(
            SigningKey.from_pem(kept["issuer"]), SigningKey.from_pem(kept["gateway"]), kept["state"], kept["session"]
        )
    except ValueError as error:
        raise unreadable(path) from error
    if kept != found:
        _write(path, kept)
    return keys


def _secret() -> str:
    return b64encode(os.urandom(32)).decode()


def _read(path: Path, names: Iterable[str], defaults: Mapping[str, str] = NO_DEFAULTS) -> dict[str, str] | None:
    """The values of these names in one of our files, and of those that older ones lack; None if there is no file."""
    try:
        found = {**defaults, **json.loads(path.read_text(encoding="utf-8"))}
        return {name: str(found[name]) for name in (*names, *defaults)}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise unreadable(path) from error


def unreadable(path: Path) -> Problem:
    """What to say of a file of ours that somebody has changed."""
    return Problem("bad_argument", f"{path} cannot be read", "restore it, or delete it to have it made anew")


def _write(path: Path, values: Mapping[str, str]) -> None:
    write_privately(path, json.dumps(values, indent=2) + "\n")
