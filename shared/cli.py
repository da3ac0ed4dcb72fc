"""The command line `taskgate`: what can be said, and the exit code that tells how it went.

Nothing but the standard library is imported until a command needs more, and the services are found by their entry
points, so that `--help` is quick and an image that holds one service needs no other. What is run for each command
stands in `shared/commands`.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shared.service import Service

DATA: Final = ".taskgate"
LONGEST_TTL_S: Final = 30 * 86_400
SECONDS: Final = MappingProxyType({"s": 1, "m": 60, "h": 3_600, "d": 86_400})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a wrong command line exits with 2."""
    _require_this_shared()
    arguments = _parser().parse_args(argv)
    return _spoken(lambda: arguments.run(arguments))


def serve(service: "Service", argv: Sequence[str] | None = None) -> int:
    """`taskgate-mcp` and `taskgate-gateway`: serve until told to stop, and return the exit code."""
    _require_this_shared()
    parser = argparse.ArgumentParser(prog=f"taskgate-{service.name}", description="Serve until told to stop.")
    _add_serving_options(parser)
    arguments = parser.parse_args(argv)
    from shared.commands import running

    return _spoken(lambda: running.serve(service, arguments))


def _require_this_shared() -> None:
    """The name `shared` is a common one: say so plainly when Python found another package of that name first."""
    import shared

    found = Path(shared.__file__).resolve().parent if shared.__file__ else None
    if found != Path(__file__).resolve().parent:
        sys.exit(
            f"taskgate: Python found another package named shared ({found or 'a directory without __init__.py'}).\n"
            "  Run it from another directory, take that one off PYTHONPATH, or install taskgate in an environment of "
            "its own."
        )


def _spoken(command: Callable[[], int]) -> int:
    """The exit code of a command, whose refusals become sentences on standard error."""
    from shared.commands.outcome import INTERRUPTED, USAGE, exit_code, say
    from shared.errors import Problem

    try:
        return command()
    except Problem as problem:
        say(f"taskgate: {problem.message}." + (f"\n  Fix: {problem.hint}." if problem.hint else ""))
        return exit_code(problem)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough, as `head` does; what is still buffered must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except Exception as error:
        from shared.settings import SettingsFault  # here, because it takes time that not every command has to spend

        if not isinstance(error, SettingsFault):
            raise
        say(str(error))
        return USAGE


# What can be said


def _parser() -> argparse.ArgumentParser:
    # Not before it is known that this is our `shared`.
    from shared.commands import connect, databases, keys, people, pruning, running, tokens

    parser = argparse.ArgumentParser(prog="taskgate", description="Tasks for people and for the models they work with.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    dev = _add(commands, "dev", running.dev, "run both services on this machine, ready to try")
    dev.add_argument("--gateway-port", type=_port, default=8000, metavar="PORT", help="8000; 0 takes a free one")
    dev.add_argument("--mcp-port", type=_port, default=8001, metavar="PORT", help="8001; 0 takes a free one")
    dev.add_argument(
        "--issuer-port", type=_port, metavar="PORT", help="8002 or the next free one; then always the same"
    )
    _add_data(dev)
    dev.add_argument("--json", action="store_true", help="one line of JSON on standard output when all are ready")
    dev.add_argument("--reset", action="store_true", help="begin with new keys and empty databases in that directory")

    # Without help it is not listed: only the command above starts it.
    issuer = commands.add_parser("dev-issuer")
    issuer.set_defaults(run=running.dev_issuer)
    issuer.add_argument("--log-level", required=True)
    issuer.add_argument("--fd", type=int, required=True)
    issuer.add_argument("--until-closed", type=int, required=True)
    _add_data(issuer)

    one = _add(commands, "serve", running.serve_named, "run one service; it never changes its schema")
    one.add_argument("service", metavar="SERVICE", help="mcp or gateway")
    _add_serving_options(one)

    db = commands.add_parser("db", help="prepare and inspect the databases").add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    upgrade = _add(db, "upgrade", databases.upgrade, "bring the schema to what this program needs")
    upgrade.add_argument(
        "service", metavar="SERVICE", nargs="?", help="mcp or gateway; every installed one if left out"
    )
    upgrade.add_argument("--json", action="store_true", help="the revisions as one line of JSON")
    _add(db, "status", databases.status, "compare the schema with what this program needs; exit code 1 if it is older")

    prune = _add(commands, "prune", pruning.prune, "delete what has been kept for long enough, beside running services")
    prune.add_argument("--dry-run", action="store_true", help="change nothing and count what would go")
    prune.add_argument("--json", action="store_true", help="the counts as one line of JSON")
    _add_reach(prune)

    access = commands.add_parser("token", help="make, examine and withdraw access tokens").add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    mint = _add(access, "mint", tokens.mint, "print a token that the services of `taskgate dev` accept")
    mint.add_argument("--subject", type=_name, required=True, metavar="NAME", help="the person it stands for")
    mint.add_argument("--for", dest="audience", choices=("gateway", "mcp"), help="the one service that accepts it")
    mint.add_argument("--scopes", type=str.split, metavar='"SCOPE ..."', help="what it permits; everything if left out")
    mint.add_argument("--ttl", type=_ttl, default="12h", metavar="TIME", help="90s, 15m, 12h (the default) or 1d")
    _add_data(mint)
    inspect = _add(access, "inspect", tokens.inspect, "tell what a token says, which service accepts it, and why not")
    _add_token(inspect)
    _add_reach(inspect)
    inspect.add_argument("--json", action="store_true", help="the same as one line of JSON")
    revoke = _add(access, "revoke", tokens.revoke, "withdraw a token, or all tokens of one sign-in, at every service")
    _add_token(revoke)
    revoke.add_argument("--session", type=_name, metavar="SID", help="instead: the sign-in of this sid")
    _add_issuer(revoke)
    _add_reach(revoke)

    user = commands.add_parser("user", help="people").add_subparsers(title="commands", metavar="COMMAND", required=True)
    withdraw = _add(
        user, "revoke", tokens.revoke_person, "withdraw everything a person was given until now, at every service"
    )
    withdraw.add_argument("--subject", type=_name, required=True, metavar="NAME", help="the person: the sub of tokens")
    _add_issuer(withdraw)
    _add_reach(withdraw)
    export = _add(user, "export", people.export, "write everything that is kept of a person, as lines of JSON")
    erase = _add(user, "delete", people.delete, "withdraw a person's access and erase everything that is kept of them")
    for step in (export, erase):
        step.add_argument("--subject", type=_name, required=True, metavar="NAME", help="the person: the sub of tokens")
        _add_issuer(step)
        _add_reach(step)
    export.add_argument("--out", type=Path, metavar="FILE", help="a file that only its owner can read")
    erase.add_argument("--yes", metavar="NAME", help="the subject again, for programs that cannot be asked")

    key = commands.add_parser("keys", help="the gateway's signing keys, and how they are replaced").add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    for name, run, meaning in (
        ("add", keys.add, "add a key, which is published but does not sign; create the file if there is none"),
        ("promote", keys.promote, "let the newest key sign, once it has been published for long enough"),
        ("drop", keys.drop, "remove retired keys, once nothing that they signed is good any more"),
        ("list", keys.show, "show which key signs and what becomes of the others"),
    ):
        step = _add(key, name, run, meaning)
        step.add_argument("file", type=Path, metavar="FILE", help="what TASKGATE_GATEWAY_SIGNING_KEYS_FILE names")
    step.add_argument("--json", action="store_true", help="the same as one line of JSON")

    client = _add(
        commands, "connect", connect.connect, "print what connects a client, or put it into the client's file"
    )
    client.add_argument("client", metavar="CLIENT", nargs="?", help="which client; left out, they are listed")
    client.add_argument("--url", metavar="URL", help="the tool server's address with its /mcp, if not that of here")
    _add_reach(client)
    client.add_argument(
        "--token", action="store_true", help="for a client that cannot sign in: it reads a token that you export"
    )
    client.add_argument("--write", action="store_true", help="put it into the client's file; a .bak keeps the old one")
    client.add_argument("--json", action="store_true", help="the same as one line of JSON")

    _add(commands, "version", running.version, "print the versions of this program and of what it stands on")
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    meaning: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")
    parser.set_defaults(run=run)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path(DATA), metavar="DIR", help=f"the set-up's directory: {DATA}")


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "token",
        metavar="TOKEN",
        nargs="?",
        help="the token; left out or - it is read from standard input, which is better: process lists show arguments",
    )


def _add_issuer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--issuer", metavar="URL", help="may be left out where the services know only one")


def _add_reach(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(usual=Path(DATA))
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help=f"a directory of `taskgate dev`: its services instead of those of the settings; {DATA} if there are none",
    )


def _add_serving_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fd", type=int, metavar="N", help="listen on this inherited socket")
    parser.add_argument("--until-closed", type=int, metavar="N", help="stop when this inherited pipe is closed")


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _ttl(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,7})([smhd])", text)
    seconds = int(found[1]) * SECONDS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_TTL_S:
        raise argparse.ArgumentTypeError("write 90s, 15m, 12h or 1d, and at most 30d")
    return seconds


def _name(text: str) -> str:
    if not 0 < len(text) <= 255 or not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("a name has 1 to 255 printable characters")
    return text


if __name__ == "__main__":
    sys.exit(main())
