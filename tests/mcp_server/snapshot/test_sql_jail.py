"""The lock of the process in which people's SQL runs, tried from inside by ordinary Python."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_server.snapshot.running.worker import TOO_BIG

ROOT: Final = Path(__file__).parents[3]
NOBODY: Final = 65534

# Locks itself up as a worker does, then tries to get out; what did not fail is a way out.
PRISONER: Final = """
import json, os, socket, subprocess, sys, threading, time
sys.path.append(sys.argv[1])
from mcp_server.snapshot.running import jail

if len(sys.argv) > 2:
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
stop = threading.Event()
watch = threading.Thread(target=stop.wait, daemon=True)

def starts():
    watch.start()
    return watch.is_alive()

held = jail.lock_up(starts)

def tcp(): socket.socket(socket.AF_INET, socket.SOCK_STREAM)
def udp(): socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def unix(): socket.socketpair()
def read(): open("/etc/passwd").read()
def listing(): os.listdir("/")
def write(): open("/tmp/taskgate-way-out", "w").write("x")
def move(): os.rename("/tmp", "/tmp2")
def execute(): os.execv("/bin/true", ["true"])
def spawn(): subprocess.run(["/bin/true"], check=True)
def pipe(): os.pipe()
def duplicate(): os.dup(1)
def memory(): bytearray(400 * 1024 * 1024)
def module(): import xmlrpc.client
def loosen(): import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); open("/etc/passwd")
def fork():
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
def thread():
    other = threading.Thread(target=int)
    other.start()
    other.join()

ways = [tcp, udp, unix, read, listing, write, move, execute, spawn, pipe, duplicate, memory, module, loosen, fork,
        thread]
out = []
for way in ways:
    try:
        way()
    except BaseException as error:
        pass
    else:
        out.append(way.__name__)
sys.stdout.write(json.dumps({"held": held, "out": out, "environment": sorted(os.environ)}))
"""


def tried(*arguments: str) -> dict[str, Any]:
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PRISONER, str(ROOT), *arguments],
        env={"MALLOC_ARENA_MAX": "1"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr.decode()
    values: dict[str, Any] = json.loads(found.stdout)
    return values


def test_nothing_leads_out_of_a_locked_process() -> None:
    found = tried()
    held = found["held"]
    assert held["clock"]
    if sys.platform == "darwin":
        assert held["files"]
        assert not {"tcp", "udp", "unix", "read", "listing", "write", "pipe"} & set(found["out"])
        return
    assert all(held[name] for name in ("memory", "files", "writes", "dumps", "processes"))
    # The number of processes is no limit for root, and a process without files, memory and network can do no harm.
    allowed = {"fork", "thread"} if os.getuid() == 0 else set()
    assert set(found["out"]) <= allowed
    assert set(found["environment"]) <= {"MALLOC_ARENA_MAX", "LC_CTYPE"}  # the interpreter adds the second


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_cannot_even_start_a_thread() -> None:
    found = tried(str(NOBODY))
    assert found["held"]["processes"]
    assert found["out"] == []


GREEDY: Final = """
import sqlite3, sys
sys.path.append(sys.argv[1])
from mcp_server.snapshot.running.jail import MEMORY_BYTES, resident_bytes
from mcp_server.snapshot.running.worker import Watch
watch = Watch()
watch.begins()
watch.most_bytes = resident_bytes() + MEMORY_BYTES
watch.begin(sqlite3.connect(":memory:", check_same_thread=False), 50, 60)
kept = [bytearray(b"x" * 10_000_000) for _ in range(int(sys.argv[2]))]
watch.end()
"""


@pytest.mark.parametrize(("pieces", "code"), [(5, 0), (150, TOO_BIG)])
def test_where_memory_cannot_be_limited_the_watch_ends_a_process_that_takes_too_much(pieces: int, code: int) -> None:
    command = [sys.executable, "-I", "-S", "-c", GREEDY, str(ROOT), str(pieces)]
    assert subprocess.run(command, check=False, timeout=60).returncode == code
