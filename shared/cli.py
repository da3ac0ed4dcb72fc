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
    from shared.commands import databases, running, tokens

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

    access = commands.add_parser("token", help="access tokens for development").add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    mint = _add(access, "mint", tokens.mint, "print a token that the services of `taskgate dev` accept")
    mint.add_argument("--subject", type=_name, required=True, metavar="NAME", help="the person it stands for")
    mint.add_argument("--for", dest="audience", choices=("gateway", "mcp"), help="the one service that accepts it")
    mint.add_argument("--scopes", type=str.split, metavar='"SCOPE ..."', help="what it permits; everything if left out")
    mint.add_argument("--ttl", type=_ttl, default="12h", metavar="TIME", help="90s, 15m, 12h (the default) or 1d")
    _add_data(mint)

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
