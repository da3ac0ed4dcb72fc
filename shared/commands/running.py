"""What is run for `dev`, `serve` and `version`."""

import os
import re
import signal
import sys
from typing import TYPE_CHECKING

from shared.commands.installed import every_service, named_service

if TYPE_CHECKING:
    import argparse

    from shared.service import Service


def dev(arguments: "argparse.Namespace") -> int:
    from shared import __version__

    # Before the imports that take their time, so that nobody wonders whether anything happens.
    words = sys.stderr if arguments.json else sys.stdout
    print(f"taskgate {__version__}  dev mode, data in {arguments.data}", file=words, flush=True)
    from shared.development import develop

    return develop(
        {name: named_service(name) for name in ("gateway", "mcp")},
        arguments.data,
        gateway_port=arguments.gateway_port,
        mcp_port=arguments.mcp_port,
        issuer_port=arguments.issuer_port,
        as_json=arguments.json,
        reset=arguments.reset,
    )


def dev_issuer(arguments: "argparse.Namespace") -> int:
    from shared.development import issue

    stop_when_closed(arguments.until_closed)
    issue(arguments.data, arguments.fd, arguments.log_level)
    return 0


def serve_named(arguments: "argparse.Namespace") -> int:
    return serve(named_service(arguments.service), arguments)


def serve(service: "Service", arguments: "argparse.Namespace") -> int:
    import asyncio

    from shared.settings import load

    if arguments.until_closed is not None:
        stop_when_closed(arguments.until_closed)
    settings = load(service.settings).settings

    async def run() -> None:
        await service.run(settings, arguments.fd)

    asyncio.run(run())
    return 0


def stop_when_closed(pipe: int) -> None:
    """Whoever holds the other end may be killed without a chance to stop us; the closing of the pipe tells as well."""
    from threading import Thread

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, name="until-closed", daemon=True).start()


def version(_: "argparse.Namespace") -> int:
    from importlib.metadata import PackageNotFoundError, requires, version
    from platform import python_version

    from shared import __version__

    print(f"taskgate {__version__}")
    print(f"python {python_version()}")
    for service in every_service():
        print(f"schema of {service.name} {service.schema.head}")
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requires("taskgate") or ()]
    for name in sorted({*names} - {"taskgate"}):
        try:
            print(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue  # belongs to an extra that is not installed
    return 0
