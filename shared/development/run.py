"""`taskgate dev`: the services and their issuer as child processes, what they are told, and tokens they accept.

Nothing here is for production: it listens on loopback only, and the keys of its issuer lie in a file.
"""

import asyncio
import json
import shlex
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from shared.development.children import Part, supervise
from shared.development.directory import (
    GRANTS,
    Addresses,
    Keys,
    addresses_in,
    forget,
    held,
    keys_in,
    remember,
    set_up_in,
    unreadable,
)
from shared.errors import Problem
from shared.service import Service
from shared.settings import DEFAULT, PREFIX, Loaded, environment, load
from shared.tokens import SCOPES, Signer

ISSUER_PORTS: Final = range(8002, 8102)
PERSON: Final = "ada"
PERSON_S: Final = 12 * 3600
# The token of a tool call lives for one minute.
DELEGATED_LIMIT_S: Final = 120

# Beyond the time that running turns and calls are given.
STOP_GRACE_S: Final = 15.0

MODEL: Final = ("TASKGATE_GATEWAY_MODEL", "TASKGATE_GATEWAY_MODEL_URL", "TASKGATE_GATEWAY_MODEL_KEY")


def develop(
    services: Mapping[str, Service],
    data: Path,
    *,
    gateway_port: int,
    mcp_port: int,
    issuer_port: int | None,
    as_json: bool,
    reset: bool,
) -> int:
    """Run the services `gateway` and `mcp` and their issuer until told to stop, and return the exit code."""
    with ExitStack() as stack:
        stack.enter_context(held(data, reset=reset))
        known = None if reset else addresses_in(data)
        # Before anything is written or deleted, and before the children start: nobody can take the ports in between.
        listeners = {
            "gateway": stack.enter_context(_listener(gateway_port, _other("--gateway-port"))),
            "mcp": stack.enter_context(_listener(mcp_port, _other("--mcp-port"))),
            "issuer": stack.enter_context(_issuer_listener(issuer_port, known)),
        }
        urls = {name: "http://{}:{}".format(*listener.getsockname()) for name, listener in listeners.items()}
        addresses = Addresses(urls["gateway"], f"{urls['mcp']}/mcp", urls["issuer"])
        if reset:
            forget(data)
        remember(data, addresses)
        keys = keys_in(data)

        given = _given(keys, addresses)
        loaded = {name: load(service.settings, given=given[name]) for name, service in services.items()}
        for name, found in loaded.items():
            given[name] |= _database(data, name, found)
        issuing = ("dev-issuer", "--data", str(data), "--log-level", loaded["gateway"].settings.log_level)
        parts = {"issuer": Part(listeners["issuer"], urls["issuer"], issuing, _plain())} | {
            name: Part(listeners[name], urls[name], ("serve", name), _variables(given[name])) for name in services
        }
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
    keys, addresses = set_up_in(data)
    wanted = set(SCOPES if scopes is None else scopes)
    if unknown := sorted(wanted - SCOPES.keys()):
        raise Problem("bad_argument", f"there is no scope {unknown[0]}", f"choose from {', '.join(SCOPES)}")
    known = {"gateway": addresses.gateway, "mcp": addresses.mcp}
    audiences = list(known.values()) if audience is None else known[audience]
    return _token(keys, addresses, subject, audiences, wanted, lifetime_s)


def issue(data: Path, fd: int, log_level: str) -> None:
    """Run the issuer of the set-up in `data` on an inherited socket until told to stop."""
    from shared.asgi import Drain
    from shared.development.issuer import Grants, Issuer, run
    from shared.telemetry import configure_logs

    keys, addresses = set_up_in(data)
    try:
        grants = Grants(data / GRANTS)
    except (OSError, ValueError) as error:
        raise unreadable(data / GRANTS) from error
    configure_logs("issuer", log_level, [keys.issuer.pem])
    issuer = Issuer(Signer(addresses.issuer, [keys.issuer]), [addresses.mcp, addresses.gateway], grants)
    drain = Drain()
    asyncio.run(run(issuer.app(drain), fd, drain))


def settings_of(data: Path, services: Iterable[Service]) -> dict[str, dict[str, str]]:
    """The variables that the set-up in `data` gives to these services, for commands that work on the same data."""
    given = _given(*set_up_in(data))
    return {
        service.name: given[service.name]
        | _database(data, service.name, load(service.settings, given=given[service.name]))
        for service in services
    }


def _token(
    keys: Keys,
    addresses: Addresses,
    subject: str,
    audience: str | Sequence[str],
    scopes: Iterable[str],
    lifetime_s: int,
) -> str:
    signer = Signer(addresses.issuer, [keys.issuer])
    return signer.issue(subject, audience, scopes, lifetime_s=lifetime_s, client_id="taskgate-cli")


# What the services are told


def _given(keys: Keys, addresses: Addresses) -> dict[str, dict[str, str]]:
    people = {"issuer": addresses.issuer, "jwks": Signer(addresses.issuer, [keys.issuer]).jwks}
    gateway = {
        "issuer": addresses.gateway,
        "jwks": Signer(addresses.gateway, [keys.gateway]).jwks,
        "interactive": False,
        "delegates_for": [addresses.issuer],
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
            "TASKGATE_GATEWAY_SESSION_KEYS": json.dumps([keys.session]),
            "TASKGATE_GATEWAY_OIDC_ISSUER": addresses.issuer,
            "TASKGATE_GATEWAY_OIDC_CLIENT_ID": "taskgate-gateway",
            "TASKGATE_GATEWAY_MCP_ADDRESS": addresses.mcp,
        },
        "mcp": both
        | {
            "TASKGATE_MCP_BIND": urlsplit(addresses.mcp).netloc,
            "TASKGATE_MCP_ISSUERS": json.dumps([issuer | {"audience": addresses.mcp} for issuer in (people, gateway)]),
            "TASKGATE_MCP_STATE_KEYS": json.dumps([keys.state]),
        },
    }


def _database(data: Path, name: str, loaded: Loaded[Any]) -> dict[str, str]:
    """Where a service keeps its data unless the settings name another place."""
    variable = f"TASKGATE_{name.upper()}_DATABASE_URL"
    if loaded.sources[variable] != DEFAULT:
        return {}
    return {variable: f"sqlite:///{quote(str(data.resolve() / name))}.db"}


def _variables(given: Mapping[str, str]) -> dict[str, str]:
    """Our own environment with these values instead of whatever it says about them, in a file or not."""
    replaced = {f"{name}_FILE" for name in given}
    return {name: value for name, value in environment().items() if name not in replaced} | dict(given)


def _plain() -> dict[str, str]:
    """Our own environment without what it says to the services: the issuer is told by its arguments."""
    return {name: value for name, value in environment().items() if not name.startswith(PREFIX)}


def _issuer_listener(port: int | None, known: Addresses | None) -> socket.socket:
    """Where the issuer of people's tasks listens from the first run on; a free port if this is the first."""
    if known is not None:
        kept = urlsplit(known.issuer).port or 0
        if port not in (None, 0, kept):
            raise Problem(
                "bad_argument",
                f"the tasks in that directory belong to people of the issuer on port {kept}",
                "leave out --issuer-port, choose another --data, or begin anew with --reset",
            )
        return _listener(kept, "stop what uses it, as the tasks belong to people of that issuer; or use another --data")
    if port is not None:
        return _listener(port, _other("--issuer-port"))
    for candidate in ISSUER_PORTS:
        with suppress(Problem):
            return _listener(candidate, "")
    return _listener(0, "")


def _other(flag: str) -> str:
    return f"stop what uses it, or choose another with {flag} (0 takes a free one)"


def _listener(port: int, hint: str) -> socket.socket:
    listener = socket.socket()
    try:
        # Connections of a run that has just ended do not keep the port; somebody who listens on it does.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise Problem("bad_argument", f"port {port} cannot be used: {error.strerror}", hint) from error
    return listener


# What people read


def _facts(keys: Keys, addresses: Addresses, pids: Mapping[str, int]) -> dict[str, Any]:
    sign_in = _token(keys, addresses, PERSON, addresses.gateway, SCOPES, PERSON_S)
    return {
        "chat_url": f"{addresses.gateway}/#token={sign_in}",
        "chatkit_url": f"{addresses.gateway}/chatkit",
        "mcp_url": addresses.mcp,
        "issuer_url": addresses.issuer,
        "token": _token(keys, addresses, PERSON, [addresses.gateway, addresses.mcp], SCOPES, PERSON_S),
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
  Client  claude mcp add --transport http taskgate {facts["mcp_url"]}
          signs in by itself, with your browser at {facts["issuer_url"]}
  Token   {facts["token"]}
          is {facts["subject"]}'s for 12 hours; for somebody else: taskgate token mint{place} --subject bob
  Model   {model}
  Stop    Ctrl-C; data stays. Start again from nothing: taskgate dev{place} --reset
"""
