"""What is run for `connect`: the words that connect a client, alone on standard output or in the client's file."""

import re
from typing import TYPE_CHECKING, Final

from shared.commands.outcome import say

if TYPE_CHECKING:
    import argparse

    from shared.commands.clients import KnownClient
    from shared.commands.merging import Merged

USUAL: Final = "http://127.0.0.1:8001/mcp"
# The one spelling of an address that is also the audience of its tokens.
ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?"
    r"(?:/[A-Za-z0-9._~-]+)*/mcp"
)


def connect(arguments: "argparse.Namespace") -> int:
    import json

    from shared.commands.clients import CLIENTS
    from shared.errors import Problem

    if arguments.client is None:
        if arguments.json:
            print(json.dumps({"clients": {name: client.about for name, client in CLIENTS.items()}}))
        else:
            width = max(map(len, CLIENTS))
            print(*(f"{name:{width}}  {client.about}" for name, client in CLIENTS.items()), sep="\n")
        return 0
    client = CLIENTS.get(arguments.client)
    if client is None:
        raise Problem("bad_argument", "there is no such client", f"choose from {', '.join(CLIENTS)}")
    if arguments.token and not client.otherwise:
        raise Problem("bad_argument", f"{arguments.client} takes no token", "leave out --token: it signs you in")
    if arguments.write and client.file is None:
        raise Problem("bad_argument", f"{arguments.client} keeps no file to write to", "leave out --write")
    url = _required(_url(arguments), client)

    merged = _written(client, url, arguments.token) if arguments.write else None
    place = client.file.place() if client.file else None
    text = client.text(url, arguments.token)
    if arguments.json:
        outcome, file = merged.outcome if merged else None, str(place) if place else None
        print(json.dumps({"client": arguments.client, "url": url, "text": text, "file": file, "outcome": outcome}))
        return 0
    if merged is not None:
        _tell(f"{place}", merged)
    else:
        print(text, flush=True)
        if place is not None:
            say(
                f"Run this, or let --write fill {place}." if client.words else f"Put this into {place}, or use --write."
            )
    say(client.otherwise if arguments.token else client.sign_in)
    return 0


def _written(client: "KnownClient", url: str, with_token: bool) -> "Merged":
    from shared.commands.merging import merge
    from shared.errors import Problem

    assert client.file is not None
    try:
        return merge(client.file.place(), client.file.document(url, with_token))
    except Problem:
        print(client.file.text(url, with_token), flush=True)
        raise


def _tell(place: str, merged: "Merged") -> None:
    led = "" if merged.former_url is None else f"; it led to {merged.former_url or 'a program of this machine'}"
    done = {"added": "added", "replaced": f"replaced{led}", "unchanged": "nothing had to be changed"}[merged.outcome]
    kept = f" What the file said before is in {merged.backup}." if merged.backup else ""
    say(f"{place}: {done}.{kept}")


# Which server


def _url(arguments: "argparse.Namespace") -> str:
    """The address that was given, or that of the settings, or of a `taskgate dev` whose directory is here."""
    if arguments.url is not None:
        return str(arguments.url)
    from shared.development.directory import addresses_in
    from shared.errors import Problem

    if arguments.data is not None:
        addresses = addresses_in(arguments.data)
        if addresses is None:
            data = arguments.data
            raise Problem("not_found", f"{data} was never set up", f"run `taskgate dev --data {data}` first")
        return addresses.mcp
    if configured := _configured():
        return configured
    usual = addresses_in(arguments.usual)
    return USUAL if usual is None else usual.mcp


def _configured() -> str:
    from shared.settings import Settings, load, setting

    class Place(Settings):
        mcp_url: str = setting("TASKGATE_MCP_URL", "Public URL of the tool server.", default="")

    return load(Place).settings.mcp_url


def _required(url: str, client: "KnownClient") -> str:
    """The address, if this client can use it; raises `Problem`."""
    from shared.errors import Problem

    found = ADDRESS.fullmatch(url)
    if found is None:
        raise Problem(
            "bad_argument",
            "this is no address of a tool server",
            "write it as the server calls itself, like https://tasks.example.com/mcp",
        )
    is_here = _is_loopback(found["host"])
    if client.is_far and (is_here or found["scheme"] != "https"):
        raise Problem(
            "bad_argument",
            "Claude calls connectors from the internet, so they need a public https address",
            "give one by --url, or use claude-code, which runs on this machine",
        )
    if found["scheme"] != "https" and not is_here:
        raise Problem(
            "bad_argument",
            "plain http would show tokens to everybody on the way",
            "use https; http is for 127.0.0.1, [::1] and localhost",
        )
    return url


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
