"""The command line `taskgate`: what can be said, what is run for it, and the exit code that tells how it went.

Nothing but the standard library is imported until a command needs more, and the services are found by their entry
points, so that `--help` is quick and an image that holds one service needs no other.
"""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from pydantic import SecretStr

    from shared.errors import Problem
    from shared.service import Service, ServiceSettings

GROUP: Final = "taskgate.services"
DATA: Final = ".taskgate"
CHECK_FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
# The status a Problem would leave with through HTTP -> the exit code it leaves with here; everything else is a 1.
EXIT: Final = MappingProxyType({400: USAGE, 404: USAGE, 401: 3, 403: 3, 501: USAGE, 503: 4, 504: 4})
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
    return _spoken(lambda: _serve(service, arguments))


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
    from shared.errors import Problem

    try:
        return command()
    except Problem as problem:
        _say(f"taskgate: {problem.message}." + (f"\n  Fix: {problem.hint}." if problem.hint else ""))
        return EXIT.get(problem.status, CHECK_FAILED)
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
        _say(str(error))
        return USAGE


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# What can be said


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskgate", description="Tasks for people and for the models they work with.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    dev = _add(commands, "dev", _dev, "run both services on this machine, ready to try")
    dev.add_argument("--gateway-port", type=_port, default=8000, metavar="PORT", help="8000; 0 takes a free one")
    dev.add_argument("--mcp-port", type=_port, default=8001, metavar="PORT", help="8001; 0 takes a free one")
    _add_data(dev)
    dev.add_argument("--json", action="store_true", help="one line of JSON on standard output when both are ready")
    dev.add_argument("--reset", action="store_true", help="begin with new keys and empty databases in that directory")

    one = _add(commands, "serve", _serve_named, "run one service; it never changes its schema")
    one.add_argument("service", metavar="SERVICE", help="mcp or gateway")
    _add_serving_options(one)

    db = commands.add_parser("db", help="prepare and inspect the databases").add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    upgrade = _add(db, "upgrade", _db_upgrade, "bring the schema to what this program needs")
    upgrade.add_argument(
        "service", metavar="SERVICE", nargs="?", help="mcp or gateway; every installed one if left out"
    )
    upgrade.add_argument("--json", action="store_true", help="the revisions as one line of JSON")
    _add(db, "status", _db_status, "compare the schema with what this program needs; exit code 1 if it is older")

    token = commands.add_parser("token", help="access tokens for development").add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    mint = _add(token, "mint", _token_mint, "print a token that the services of `taskgate dev` accept")
    mint.add_argument("--subject", type=_subject, required=True, metavar="NAME", help="the person it stands for")
    mint.add_argument("--for", dest="audience", choices=("gateway", "mcp"), help="the one service that accepts it")
    mint.add_argument("--scopes", type=str.split, metavar='"SCOPE ..."', help="what it permits; everything if left out")
    mint.add_argument("--ttl", type=_ttl, default="12h", metavar="TIME", help="90s, 15m, 12h (the default) or 1d")
    _add_data(mint)

    _add(commands, "version", _version, "print the versions of this program and of what it stands on")
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


def _subject(text: str) -> str:
    if not 0 < len(text) <= 255 or not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("a name has 1 to 255 printable characters")
    return text


# What is run


def _dev(arguments: argparse.Namespace) -> int:
    from shared import __version__

    # Before the imports that take their time, so that nobody wonders whether anything happens.
    words = sys.stderr if arguments.json else sys.stdout
    print(f"taskgate {__version__}  dev mode, data in {arguments.data}", file=words, flush=True)
    from shared.development import develop

    return develop(
        {name: _service(name) for name in ("gateway", "mcp")},
        arguments.data,
        gateway_port=arguments.gateway_port,
        mcp_port=arguments.mcp_port,
        as_json=arguments.json,
        reset=arguments.reset,
    )


def _serve_named(arguments: argparse.Namespace) -> int:
    return _serve(_service(arguments.service), arguments)


def _serve(service: "Service", arguments: argparse.Namespace) -> int:
    import asyncio

    from shared.settings import load

    if arguments.until_closed is not None:
        _stop_when_closed(arguments.until_closed)
    settings = load(service.settings).settings

    async def run() -> None:
        await service.run(settings, arguments.fd)

    asyncio.run(run())
    return 0


def _stop_when_closed(pipe: int) -> None:
    """Whoever holds the other end may be killed without a chance to stop us; the closing of the pipe tells as well."""
    from threading import Thread

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, name="until-closed", daemon=True).start()


def _db_upgrade(arguments: argparse.Namespace) -> int:
    import asyncio
    import json

    from shared.migrate import upgrade

    chosen = [_service(arguments.service)] if arguments.service else _services()
    done = {}
    for service, url in _databases(chosen):
        before, after = asyncio.run(upgrade(service.schema, url))
        done[service.name] = {"before": before, "after": after}
        if not arguments.json:
            print(f"{service.name}: {after}" + (", as it was" if before == after else f", was {before or 'empty'}"))
    if arguments.json:
        print(json.dumps(done))
    return 0


def _db_status(_: argparse.Namespace) -> int:
    import asyncio

    from shared.migrate import status

    worst = 0
    for service, url in _databases(_services()):
        found = asyncio.run(status(service.schema, url))
        needed = service.schema.head
        old = found is None or found < needed
        worst = CHECK_FAILED if old else worst
        advice = f"; run: taskgate db upgrade {service.name}" if old else ""
        print(f"{service.name}: {found or 'empty'}, this program needs {needed}{advice}")
    return worst


def _token_mint(arguments: argparse.Namespace) -> int:
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


def _version(_: argparse.Namespace) -> int:
    from importlib.metadata import PackageNotFoundError, requires, version
    from platform import python_version

    from shared import __version__

    print(f"taskgate {__version__}")
    print(f"python {python_version()}")
    for service in _services():
        print(f"schema of {service.name} {service.schema.head}")
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requires("taskgate") or ()]
    for name in sorted({*names} - {"taskgate"}):
        try:
            print(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue  # belongs to an extra that is not installed
    return 0


# What is installed


def _services() -> list["Service"]:
    """Every service whose package is here: an image lists both and holds one."""
    installed = _installed()
    if not installed:
        raise _missing("service")
    return [point.load() for _, point in sorted(installed.items())]


def _service(name: str) -> "Service":
    """One service, without loading any other."""
    installed = _installed()
    if name not in installed:
        raise _missing(f"service named {name}")
    service: Service = installed[name].load()
    return service


def _installed() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    points = {point.name: point for point in entry_points(group=GROUP)}
    return {name: point for name, point in points.items() if find_spec(point.module.partition(".")[0])}


def _missing(what: str) -> "Problem":
    from shared.errors import Problem

    return Problem("disabled", f"no {what} is installed here", "install taskgate with its extra `all`")


@runtime_checkable
class _KeepsData(Protocol):
    """The settings of a service with a database of its own."""

    @property
    def database_url(self) -> "SecretStr": ...
    @property
    def database_direct_url(self) -> "SecretStr | None": ...


def _databases(services: Iterable["Service"]) -> list[tuple["Service", str]]:
    """Where each service's schema is changed: past any pooler. Raises every fault in the settings of all of them."""
    from shared.settings import SettingsFault, load

    found: list[tuple[Service, str]] = []
    faults: dict[str, None] = {}
    for service in services:
        try:
            found.append((service, _direct_url(load(service.settings).settings)))
        except SettingsFault as fault:
            faults |= dict.fromkeys(fault.faults)
    if faults:
        raise SettingsFault(tuple(faults))
    return found


def _direct_url(settings: "ServiceSettings") -> str:
    assert isinstance(settings, _KeepsData)
    return (settings.database_direct_url or settings.database_url).get_secret_value()


if __name__ == "__main__":
    sys.exit(main())
