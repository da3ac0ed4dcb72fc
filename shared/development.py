"""`taskgate dev`: a directory with keys and databases, both services as child processes, and tokens they accept.

What is generated is generated once and kept, so that people find their tasks again. Nothing here is for production: it
listens on loopback only, and the keys of its issuer lie in a file.
"""

import asyncio
import fcntl
import json
import os
import shlex
import socket
from base64 import b64encode
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from shared.children import Part, supervise
from shared.errors import Problem
from shared.service import Service
from shared.settings import DEFAULT, environment, load
from shared.tokens import SCOPES, Signer, SigningKey

# Tasks belong to issuer and subject, so its name stays the same whatever ports are used.
ISSUER: Final = "http://127.0.0.1:8002"
PERSON: Final = "ada"
PERSON_S: Final = 12 * 3600
# The token of a tool call lives for one minute.
DELEGATED_LIMIT_S: Final = 120

# Beyond the time that running turns and calls are given.
STOP_GRACE_S: Final = 15.0

MARK: Final = "dev.json"
KEYS: Final = "keys.json"
GENERATED: Final = frozenset(
    [KEYS, "keys.new", "dev.new"]
    + [f"{name}.db{journal}" for name in ("gateway", "mcp") for journal in ("", "-wal", "-shm", "-journal")]
)
MODEL: Final = ("TASKGATE_GATEWAY_MODEL", "TASKGATE_GATEWAY_MODEL_URL", "TASKGATE_GATEWAY_MODEL_KEY")


@dataclass(frozen=True, slots=True)
class Keys:
    """What is generated once: who signs for people, who signs for the gateway, what seals cursors."""

    issuer: SigningKey
    gateway: SigningKey
    state: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """The public URLs of the two services, which are the audiences of their tokens."""

    gateway: str
    mcp: str


def develop(
    services: Mapping[str, Service], data: Path, *, gateway_port: int, mcp_port: int, as_json: bool, reset: bool
) -> int:
    """Run the services `gateway` and `mcp` until told to stop, and return the exit code."""
    with ExitStack() as stack:
        # Before anything is written or deleted, and before the children start: nobody can take the ports in between.
        listeners = {
            "gateway": stack.enter_context(_listener(gateway_port, "--gateway-port")),
            "mcp": stack.enter_context(_listener(mcp_port, "--mcp-port")),
        }
        urls = {name: "http://{}:{}".format(*listener.getsockname()) for name, listener in listeners.items()}
        addresses = Addresses(urls["gateway"], f"{urls['mcp']}/mcp")
        stack.enter_context(_held(data, reset=reset))
        _write(data / MARK, {"gateway_url": addresses.gateway, "mcp_url": addresses.mcp})
        keys = _keys(data)

        given = _given(keys, addresses)
        loaded = {name: load(service.settings, given=given[name]) for name, service in services.items()}
        for name, found in loaded.items():
            variable = f"TASKGATE_{name.upper()}_DATABASE_URL"
            if found.sources[variable] == DEFAULT:
                given[name][variable] = f"sqlite:///{quote(str(data.resolve() / name))}.db"
        parts = {name: Part(listeners[name], urls[name], _variables(given[name])) for name in services}
        offline = all(loaded["gateway"].sources[variable] == DEFAULT for variable in MODEL)
        patience_s = max(found.settings.drain_s for found in loaded.values()) + STOP_GRACE_S

        def announce(pids: Mapping[str, int]) -> None:
            facts = _facts(keys, addresses, pids)
            print(json.dumps(facts) if as_json else _sentences(facts, data, offline=offline), flush=True)

        return asyncio.run(supervise(parts, announce, patience_s))


def mint(
    data: Path, subject: str, *, audience: str | None = None, scopes: Iterable[str] | None = None, lifetime_s: int
) -> str:
    """A token for a person that the set-up in `data` accepts: at the service named `gateway` or `mcp`, or at both."""
    mark = _read(data / MARK, ("gateway_url", "mcp_url"))
    if mark is None or not (data / KEYS).exists():
        raise Problem("not_found", f"{data} was never set up", f"run `taskgate dev --data {data}` first")
    wanted = set(SCOPES if scopes is None else scopes)
    if unknown := sorted(wanted - SCOPES.keys()):
        raise Problem("bad_argument", f"there is no scope {unknown[0]}", f"choose from {', '.join(SCOPES)}")
    known = {"gateway": mark["gateway_url"], "mcp": mark["mcp_url"]}
    audiences = list(known.values()) if audience is None else known[audience]
    return _issue(_keys(data), subject, audiences, wanted, lifetime_s)


def _issue(keys: Keys, subject: str, audience: str | Sequence[str], scopes: Iterable[str], lifetime_s: int) -> str:
    signer = Signer(ISSUER, [keys.issuer])
    return signer.issue(subject, audience, scopes, lifetime_s=lifetime_s, client_id="taskgate-cli")


# The directory


@contextmanager
def _held(data: Path, *, reset: bool) -> Generator[None]:
    """Hold the directory for this process alone, private, and freed of what was generated if so wished."""
    with ExitStack() as stack:
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _require_ours(data, reset=reset)
            data.chmod(0o700)
            for name in GENERATED if reset else ():
                (data / name).unlink(missing_ok=True)
        except BlockingIOError as error:
            raise Problem(
                "busy", f"another taskgate dev is using {data}", "stop it, or choose another --data"
            ) from error
        except OSError as error:
            raise Problem(
                "bad_argument", f"{data} cannot be used: {error.strerror}", "choose another --data"
            ) from error
        yield


def _require_ours(data: Path, *, reset: bool) -> None:
    """What lies in a directory that somebody else filled is neither mixed with ours nor deleted."""
    present = {path.name for path in data.iterdir()}
    if not present or _read(data / MARK, ("gateway_url", "mcp_url")) is not None:
        return
    if reset:
        raise Problem("bad_argument", f"{data} has no {MARK}, so nothing in it is deleted", "leave out --reset")
    if not present <= GENERATED:
        raise Problem(
            "bad_argument", f"{data} holds files that are not ours", "choose a directory of its own by --data"
        )


def _keys(data: Path) -> Keys:
    path = data / KEYS
    found = _read(path, ("issuer", "gateway", "state"))
    if found is None:
        found = {name: SigningKey.generate().pem for name in ("issuer", "gateway")}
        found["state"] = b64encode(os.urandom(32)).decode()
        _write(path, found)
    try:
        return Keys(SigningKey.from_pem(found["issuer"]), SigningKey.from_pem(found["gateway"]), found["state"])
    except ValueError as error:
        raise _unreadable(path) from error


def _read(path: Path, names: Iterable[str]) -> dict[str, str] | None:
    """The values of these names in one of our files; None if there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(found[name]) for name in names}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> Problem:
    return Problem("bad_argument", f"{path} cannot be read", "restore it, or delete it to have it made anew")


def _write(path: Path, values: Mapping[str, str]) -> None:
    """At once or not at all, and readable by nobody else at any moment."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    new.replace(path)


# What the services are told


def _given(keys: Keys, addresses: Addresses) -> dict[str, dict[str, str]]:
    people = {"issuer": ISSUER, "jwks": Signer(ISSUER, [keys.issuer]).jwks, "interactive": False}
    gateway = {
        "issuer": addresses.gateway,
        "jwks": Signer(addresses.gateway, [keys.gateway]).jwks,
        "interactive": False,
        "delegates_for": [ISSUER],
        "max_lifetime_s": DELEGATED_LIMIT_S,
    }
    both = {
        "TASKGATE_ENV": "dev",
        "TASKGATE_MCP_URL": addresses.mcp,
        "TASKGATE_GATEWAY_URL": addresses.gateway,
    }
    return {
        "gateway": both
        | {
            "TASKGATE_GATEWAY_BIND": urlsplit(addresses.gateway).netloc,
            "TASKGATE_GATEWAY_ISSUERS": json.dumps([people | {"audience": addresses.gateway}]),
            "TASKGATE_GATEWAY_SIGNING_KEYS": json.dumps([keys.gateway.pem]),
            "TASKGATE_GATEWAY_MCP_ADDRESS": addresses.mcp,
        },
        "mcp": both
        | {
            "TASKGATE_MCP_BIND": urlsplit(addresses.mcp).netloc,
            "TASKGATE_MCP_ISSUERS": json.dumps([issuer | {"audience": addresses.mcp} for issuer in (people, gateway)]),
            "TASKGATE_MCP_STATE_KEYS": json.dumps([keys.state]),
        },
    }


def _variables(given: Mapping[str, str]) -> dict[str, str]:
    """Our own environment with these values instead of whatever it says about them, in a file or not."""
    replaced = {f"{name}_FILE" for name in given}
    return {name: value for name, value in environment().items() if name not in replaced} | dict(given)


def _listener(port: int, flag: str) -> socket.socket:
    listener = socket.socket()
    try:
        # Connections of a run that has just ended do not keep the port; somebody who listens on it does.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise Problem(
            "bad_argument",
            f"port {port} cannot be used: {error.strerror}",
            f"stop what uses it, or choose another with {flag} (0 takes a free one)",
        ) from error
    return listener


# What people read


def _facts(keys: Keys, addresses: Addresses, pids: Mapping[str, int]) -> dict[str, Any]:
    sign_in = _issue(keys, PERSON, addresses.gateway, SCOPES, PERSON_S)
    return {
        "chat_url": f"{addresses.gateway}/#token={sign_in}",
        "chatkit_url": f"{addresses.gateway}/chatkit",
        "mcp_url": addresses.mcp,
        "token": _issue(keys, PERSON, [addresses.gateway, addresses.mcp], SCOPES, PERSON_S),
        "subject": PERSON,
        "pids": pids,
    }


def _sentences(facts: Mapping[str, Any], data: Path, *, offline: bool) -> str:
    place = "" if data == Path(".taskgate") else f" --data {shlex.quote(str(data))}"
    model = "offline; set OPENAI_API_KEY or TASKGATE_GATEWAY_MODEL for a real one" if offline else "as the settings say"
    return f"""
  Chat    {facts["chat_url"]}
          opens signed in as {facts["subject"]}
  Tools   {facts["mcp_url"]}
  Client  claude mcp add --transport http taskgate {facts["mcp_url"]} --header "Authorization: Bearer {facts["token"]}"
  Token   {facts["token"]}
          is {facts["subject"]}'s for 12 hours; for somebody else: taskgate token mint{place} --subject bob
  Model   {model}
  Stop    Ctrl-C; data stays. Start again from nothing: taskgate dev{place} --reset
"""
