"""A client's own settings file with our entries in it: what people wrote stays, and a copy is kept beside the file.

A file that cannot be edited in place is left alone: an edit is read again, and counts only if it says what it has to.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from shared.commands.in_place import put_json, put_toml
from shared.errors import Problem

# What says where a server is and how to get in is ours; every other key of an entry is the person's.
OURS: Final = frozenset(
    {"type", "url", "headers", "bearer_token_env_var", "command", "args", "env", "env_vars", "envFile", "cwd"}
)


class _Unfit(Exception):
    """Why the text cannot be edited."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a file."""

    outcome: Literal["added", "replaced", "unchanged"]
    # Where the entry led before, if it was somewhere else.
    former_url: str | None = None
    # What the file said before, if there was one.
    backup: Path | None = None


def merge(path: Path, document: Mapping[str, Any]) -> Merged:
    """Put the entries of every section into the file. Raises `Problem`, and then the file is as it was."""
    is_toml = path.suffix == ".toml"
    try:
        # Not resolve(), which knows two ways to speak of a circle of links.
        place = Path(os.path.realpath(path))
        if place.is_symlink():
            raise _Unfit("its links lead in a circle")
        before = place.read_bytes() if place.exists() else None
        old = "" if before is None else before.decode()
        found = _read(old, is_toml=is_toml)
        wanted = _wanted(found, document)
        if wanted == found:
            return Merged("unchanged")
        new = _edited(old, found, wanted, document, is_toml=is_toml)
        backup = None
        if before is not None:
            backup = place.with_name(f"{place.name}.bak")
            _replace(backup, before, like=place)
        _replace(place, new.encode(), like=place)
    except _Unfit as reason:
        raise _untouched(path, str(reason)) from reason
    except (ValueError, RecursionError) as error:
        raise _untouched(path, f"it is no plain {'TOML' if is_toml else 'JSON'}") from error
    except OSError as error:
        raise Problem(
            "bad_argument", f"{path} cannot be used: {error.strerror}", "put the lines above into it yourself"
        ) from error
    former, now = _address(found, document), _address(wanted, document)
    changed = former is not None and former != now
    return Merged("added" if former is None else "replaced", former if changed else None, backup)


def _untouched(path: Path, why: str) -> Problem:
    return Problem("bad_content", f"{path} is left as it is: {why}", "put the lines above into it yourself")


def _replace(path: Path, content: bytes, *, like: Path) -> None:
    """Replace a file at once or not at all; who may read it is as before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        known = like.exists()
        new.touch(mode=0o600 if known else 0o666, exist_ok=False)
        new.write_bytes(content)
        if known:
            new.chmod(like.stat().st_mode & 0o7777)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


# What the file says, and what it has to say


def _read(text: str, *, is_toml: bool) -> dict[str, Any]:
    found = tomllib.loads(text) if is_toml else json.loads(text) if text.strip() else {}
    if not isinstance(found, dict):
        raise _Unfit("there is something else in it")
    return found


def _wanted(found: dict[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    wanted = deepcopy(found)
    for section, members in document.items():
        there = wanted.setdefault(section, type(members)())
        if not isinstance(there, type(members)):
            raise _Unfit(f"its {section} is something else")
        for name, entry in _named(members):
            former = dict(_named(there)).get(name)
            if isinstance(there, dict):
                there[name] = _beside(former, entry)
            elif former is None:
                there.append(entry)
            else:
                there[there.index(former)] = _beside(former, entry)
    return wanted


def _named(members: Any) -> Iterator[tuple[str, Any]]:
    """The entries of a section by name; those of a list carry theirs as `id`."""
    if isinstance(members, dict):
        yield from members.items()
    else:
        yield from (
            (member["id"], member)
            for member in members
            if isinstance(member, dict) and isinstance(member.get("id"), str)
        )


def _beside(former: Any, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Our entry, with what a person added to the former one."""
    theirs = former.items() if isinstance(former, dict) else ()
    return {**entry, **{key: value for key, value in theirs if key not in OURS | entry.keys()}}


def _edited(
    text: str, found: dict[str, Any], wanted: dict[str, Any], document: Mapping[str, Any], *, is_toml: bool
) -> str:
    for section, members in document.items():
        for name, entry in _named(members):
            whole = dict(_named(wanted[section]))[name]
            if is_toml:
                text = put_toml(text, section, name, entry, OURS)
            elif not text.strip():
                text = json.dumps({section: members}, indent=2) + "\n"
            elif dict(_named(found.get(section, {}))).get(name) != whole:
                text = put_json(text, section, name, whole)
    with suppress(ValueError):
        if _read(text, is_toml=is_toml) == wanted:
            return text
    raise _Unfit("the entry finds no place in it")


def _address(found: Mapping[str, Any], document: Mapping[str, Any]) -> str | None:
    """Where the entry of the server leads; that is the one with an address."""
    for section, members in document.items():
        for name, entry in _named(members):
            if "url" in entry and isinstance(found.get(section), dict) and name in found[section]:
                there = found[section][name]
                return str(there.get("url", "")) if isinstance(there, dict) else ""
    return None
