"""What is run for `keys`: one step of a key's life, and what comes next."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from shared.tokens.rotation import KeyList


def add(arguments: "argparse.Namespace") -> int:
    from shared.tokens.rotation import PUBLISHED_S, add

    *others, key = _changed(arguments.file, add, create=True)
    if others:
        print(f"{key.kid} was added. It does not sign yet.")
        _next(arguments.file, "promote", PUBLISHED_S)
    else:
        print(f"{key.kid} was created and signs. Name the file in TASKGATE_GATEWAY_SIGNING_KEYS_FILE.")
    return 0


def promote(arguments: "argparse.Namespace") -> int:
    from shared.tokens.rotation import RETIRED_S, promote

    key, retired, *_ = _changed(arguments.file, promote)
    print(f"{key.kid} signs from the next start of each gateway. {retired.kid} is retired.")
    _next(arguments.file, "drop", RETIRED_S)
    return 0


def drop(arguments: "argparse.Namespace") -> int:
    from shared.tokens.rotation import drop

    left = _changed(arguments.file, drop)
    print(f"{len(left)} {'key is' if len(left) == 1 else 'keys are'} left. {left[0].kid} signs.")
    return 0


def show(arguments: "argparse.Namespace") -> int:
    import json
    from datetime import UTC, datetime

    from shared.commands.key_file import describe, read

    described = describe(read(arguments.file), datetime.now(UTC))
    if arguments.json:
        print(json.dumps(described))
        return 0
    for key in described:
        then = {"signs": "", "waits": "may sign ", "retired": "may be dropped "}[key["state"]]
        when = f", {then}{'in ' + str(key['left_s']) + ' s' if key['left_s'] else 'now'}" if then else ""
        print(f"{key['kid']}  {key['state']} since {key['since']}{when}")
    return 0


def _changed(file: Path, step: "Callable[[KeyList, datetime], KeyList]", *, create: bool = False) -> "KeyList":
    from datetime import UTC, datetime

    from shared.commands.key_file import change

    return change(file, step, datetime.now(UTC), create=create)


def _next(file: Path, step: str, wait_s: float) -> None:
    print(f"Next: restart every gateway, wait {wait_s:.0f} s after the last, then run: taskgate keys {step} {file}")
