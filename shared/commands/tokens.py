"""What is run for `token` and `user`."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from shared.commands.installed import every_service, installed
from shared.commands.outcome import REFUSED, UNREACHABLE, exit_code, say

if TYPE_CHECKING:
    import argparse

    from shared.commands.reach import Reached
    from shared.tokens import Revocation

LONGEST_LINE: Final = 65_536


def mint(arguments: "argparse.Namespace") -> int:
    from shared.development import mint

    print(
        mint(
            arguments.data,
            arguments.subject,
            audience=arguments.audience,
            scopes=arguments.scopes,
            lifetime_s=arguments.ttl,
        )
    )
    return 0


def inspect(arguments: "argparse.Namespace") -> int:
    import asyncio
    import json

    from shared.commands.credentials import inspect

    inspection = asyncio.run(inspect(_token(arguments), _reached(arguments)))
    if arguments.json:
        print(json.dumps(inspection.document()))
    else:
        print(*inspection.sentences(), sep="\n")
    verdicts = {verdict.accepted for verdict in inspection.verdicts}
    return 0 if True in verdicts else UNREACHABLE if None in verdicts else REFUSED


def revoke(arguments: "argparse.Namespace") -> int:
    from shared.commands.credentials import whole_session, whole_token
    from shared.errors import Problem

    services = _reached(arguments)
    if arguments.session is None and arguments.issuer is None:
        return _withdraw(whole_token(_token(arguments), services), services)
    if arguments.session is None or arguments.token is not None:
        raise Problem("bad_argument", "a token and --session exclude each other", "--issuer goes with --session")
    return _withdraw(whole_session(arguments.session, arguments.issuer, services), services)


def revoke_person(arguments: "argparse.Namespace") -> int:
    from shared.commands.credentials import whole_person

    services = _reached(arguments)
    return _withdraw(whole_person(arguments.subject, arguments.issuer, services), services)


def _withdraw(entry: "Revocation", services: "Sequence[Reached]") -> int:
    """Write it everywhere and say where; the exit code is that of the first service that could not be told."""
    import asyncio

    from shared.commands.credentials import withdraw
    from shared.revocations import PAUSE_S

    outcome = asyncio.run(withdraw(entry, services))
    for name, problem in outcome.items():
        if problem is None:
            print(f"{name}: revoked; in force within {PAUSE_S:.0f} s")
        else:
            say(f"{name}: NOT revoked, {problem.message}.\n  Fix: {problem.hint}. Then repeat this command.")
    for absent in sorted(installed().keys() - outcome.keys()):
        say(f"{absent}: NOT revoked, its settings are not here. Repeat this command where they are.")
    return next((exit_code(problem) for problem in outcome.values() if problem is not None), 0)


def _token(arguments: "argparse.Namespace") -> str:
    """The token that was given, or that comes on standard input."""
    if arguments.token not in (None, "-"):
        return str(arguments.token)
    if sys.stdin.isatty():
        say("Paste the token and press Enter.")
    return sys.stdin.readline(LONGEST_LINE).strip()


def _reached(arguments: "argparse.Namespace") -> "list[Reached]":
    """The services whose tokens this is about."""
    from shared.commands.reach import reach

    return reach(every_service(), arguments.data, arguments.usual)
