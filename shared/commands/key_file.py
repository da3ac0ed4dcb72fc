"""The file that TASKGATE_GATEWAY_SIGNING_KEYS_FILE names: changed at once or not at all, and shown without its keys."""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, TypeAdapter

from shared.errors import Problem
from shared.tokens import KeptKey, signing_keys
from shared.tokens.rotation import KeyList

_ENTRIES: Final = TypeAdapter(tuple[KeptKey | SecretStr, ...])


def change(path: Path, step: Callable[[KeyList, datetime], KeyList], now: datetime, *, create: bool = False) -> KeyList:
    """Take one step with the keys of a file and return them; a file that is to be created has none yet."""
    place = path.resolve()  # a link stays one
    try:
        with _alone(place.parent):
            keys = step(() if create and not place.exists() else read(place), now)
            _write(place, keys)
    except OSError as error:
        raise Problem(
            "bad_argument", f"{path} cannot be written: {error.strerror}", "name a file in a directory that is yours"
        ) from error
    return keys


def read(path: Path) -> KeyList:
    """The keys of a file; raises `Problem` if there is none or it cannot be read."""
    try:
        return _keys(path)
    except FileNotFoundError as error:
        raise Problem("not_found", f"{path} does not exist", f"`taskgate keys add {path}` creates it") from error
    except OSError as error:
        raise Problem("bad_argument", f"{path} cannot be read: {error.strerror}") from error


def describe(keys: KeyList, now: datetime) -> list[dict[str, Any]]:
    """What becomes of each key, and in how many seconds its next step is allowed; nothing secret."""
    return [_description(key, now, signs=key is keys[0]) for key in keys]


def _description(key: KeptKey, now: datetime, *, signs: bool) -> dict[str, Any]:
    state, since, then = "waits", key.added_at, key.may_sign_at
    if signs:
        state, since, then = "signs", key.signs_since or key.added_at, now
    elif key.retired_at is not None and key.may_go_at is not None:
        state, since, then = "retired", key.retired_at, key.may_go_at
    left_s = max(0, round((then - now).total_seconds()))
    return {"kid": key.kid, "state": state, "since": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "left_s": left_s}


def _keys(path: Path) -> KeyList:
    """The keys of a file. One without a past was added when the file was last changed, or earlier."""
    text = path.read_text(encoding="utf-8", errors="replace")
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    try:
        entries = _ENTRIES.validate_python(json.loads(text))
        signing_keys(entries)
    except (ValueError, RecursionError):
        entries = ()
    if not entries:
        # The reason would quote what was found, and that may be a key.
        raise Problem(
            "bad_argument",
            f"{path} is no list of keys",
            "it has to be a JSON list of Ed25519 private keys as PEM, as `taskgate keys add` makes it",
        )
    return tuple(entry if isinstance(entry, KeptKey) else KeptKey(pem=entry, added_at=changed) for entry in entries)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Two changes at the same time would lose the key of one."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, keys: KeyList) -> None:
    """For the same eyes as before; a new file for its owner's alone."""
    entries = [
        {"pem": key.pem.get_secret_value()} | key.model_dump(mode="json", exclude={"pem"}, exclude_none=True)
        for key in keys
    ]
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if path.exists():
                before = path.stat()
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), before.st_mode & 0o777)
            file.write(json.dumps(entries, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
