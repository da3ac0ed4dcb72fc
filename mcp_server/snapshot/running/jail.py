"""How a process locks itself up: no file, no socket, no other program, no more memory. Standard library only.

Each lock holds on its own; together they leave a process that can compute and answer on the pipes it was given.
"""

import ctypes
import os
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

# All imports stand here: behind the first lock no module can be found any more.
if sys.platform != "win32":
    import resource

MEMORY_BYTES: Final = 256 * 1024 * 1024
THREAD_BYTES: Final = 256 * 1024
FILES: Final = 3  # standard input, output and error: all that is open already

_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_RESTRICT_SELF: Final = 446
_LANDLOCK_VERSION: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38


def lock_up(start_watch: Callable[[], bool]) -> dict[str, Any]:
    """Close every lock there is, and say which hold. `start_watch` starts its one other thread."""
    # In this order: once processes are limited, only root can start a thread.
    landlock = deny_files_and_network()
    threading.stack_size(THREAD_BYTES)
    clock = start_watch()
    held = limit_resources()
    if sys.platform != "win32":
        os.nice(10)
    return {"landlock": landlock, "clock": clock, **held}


def deny_files_and_network() -> int:
    """Deny every file and connection for ever, by Landlock. The kernel's version of it, or 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    version = int(libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION))
    if version < 1:
        return 0
    rules = struct.pack(f"{len(_denied(version))}Q", *_denied(version))
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        return 0
    # No rule is ever added to the set, so nothing of what it handles is allowed.
    refused = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return 0 if refused else version


def limit_resources() -> dict[str, bool]:
    """Take from this process what it could still grow by. Which of the limits hold: not every system has them all."""
    if sys.platform == "win32":
        return {}
    wanted = {
        "memory": (resource.RLIMIT_AS, MEMORY_BYTES),
        "files": (resource.RLIMIT_NOFILE, FILES),
        "writes": (resource.RLIMIT_FSIZE, 0),
        "dumps": (resource.RLIMIT_CORE, 0),
        "processes": (getattr(resource, "RLIMIT_NPROC", -1), 0),
    }
    return {name: _limited(kind, value) for name, (kind, value) in wanted.items()}


def resident_bytes() -> int:
    """The most memory this process ever had at once."""
    if sys.platform == "win32":
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _denied(version: int) -> list[int]:
    """What a ruleset of this version handles, hence forbids: files; from 4 on TCP; from 6 on other processes."""
    files = ((1 << 13) - 1) | (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    return [files, *([0b11] if version >= 4 else []), *([0b11] if version >= 6 else [])]


def _limited(kind: int, value: int) -> bool:
    # On macOS the address space can be limited in name only.
    if kind < 0 or (kind == resource.RLIMIT_AS and sys.platform == "darwin"):
        return False
    try:
        resource.setrlimit(kind, (value, value))
    except (ValueError, OSError):
        return False
    return True
