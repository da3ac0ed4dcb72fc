"""What the tool server says about the locks of its SQL workers at start, and that it does not start without them."""

import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from pydantic import SecretStr

from mcp_server.app import _locked_workers, require_locks
from mcp_server.settings import McpSettings
from mcp_server.snapshot.running.jail import MEMORY_BYTES
from mcp_server.snapshot.running.process import Locks
from mcp_server.snapshot.running.workers import usual_size
from shared.errors import Problem
from shared.tokens import IssuerProfile, Signer, SigningKey

pytestmark = pytest.mark.anyio

ROOT: Final = Path(__file__).parents[3]
SIGNER: Final = Signer("https://login.example.test", [SigningKey.generate()])
EVERYTHING: Final = Locks(7, frozenset({"clock", "dumps", "files", "memory", "processes", "writes"}))
NO_LANDLOCK: Final = Locks(0, EVERYTHING.held)
MACOS: Final = Locks(0, EVERYTHING.held - {"memory"})
NOTHING: Final = Locks(0, frozenset())

Demand = Literal["needed", "full", "any"]


def settings(env: Literal["production", "dev"] = "production", **more: Any) -> McpSettings:
    return McpSettings(
        env=env,
        mcp_url="https://tasks.example.test/mcp",
        gateway_url="https://chat.example.test",
        database_url=SecretStr("postgresql://x@127.0.0.1/x"),
        issuers=(IssuerProfile(issuer=SIGNER.issuer, jwks=SIGNER.jwks),),
        state_keys=(SecretStr("k" * 32),),
        **more,
    )


@pytest.mark.parametrize(
    ("env", "demand", "locks", "lacking"),
    [
        ("production", "needed", EVERYTHING, ""),
        ("production", "needed", NO_LANDLOCK, ""),
        ("production", "needed", MACOS, "memory, landlock"),
        ("production", "needed", NOTHING, "memory, files, writes, processes, clock, landlock"),
        ("production", "full", EVERYTHING, ""),
        ("production", "full", NO_LANDLOCK, "landlock"),
        ("production", "any", NOTHING, ""),
        ("dev", "needed", MACOS, ""),
        ("dev", "needed", NOTHING, ""),
        ("dev", "full", NO_LANDLOCK, "landlock"),
        ("dev", "full", MACOS, "memory, landlock"),
    ],
)
def test_a_server_starts_only_with_the_locks_it_is_told_to_have(
    env: Literal["production", "dev"], demand: Demand, locks: Locks, lacking: str
) -> None:
    if not lacking:
        require_locks(settings(env, sql_locks=demand), locks)
        return
    with pytest.raises(Problem) as refused:
        require_locks(settings(env, sql_locks=demand), locks)
    assert refused.value.code == "unavailable"
    assert f"which lacks: {lacking}." in str(refused.value)
    assert "TASKGATE_MCP_SQL_LOCKS=any" in refused.value.hint
    assert "TASKGATE_MCP_SQL_WORKERS=0" in refused.value.hint


async def test_the_log_says_which_locks_hold_and_which_are_missing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mcp_server.app")
    async with AsyncExitStack() as stack:
        workers = await _locked_workers(settings(sql_locks="any", sql_workers=1), stack)
        assert workers is not None
        assert f"sql workers are locked by: {workers.locks}" in caplog.text
    require_locks(settings(sql_locks="any"), MACOS)
    assert "sql workers lack: memory, landlock" in caplog.text


async def test_without_workers_there_are_none() -> None:
    async with AsyncExitStack() as stack:
        assert await _locked_workers(settings(sql_workers=0), stack) is None


def test_there_is_a_worker_for_each_core_and_always_a_second_one() -> None:
    assert 2 <= usual_size() <= 8


def test_a_process_whose_files_are_in_reach_is_never_used() -> None:
    assert EVERYTHING.is_shut
    assert MACOS.is_shut
    assert not Locks(7, frozenset({"clock", "memory"})).is_shut
    assert not Locks(7, EVERYTHING.held - {"clock"}).is_shut
    assert not NOTHING.is_shut


def test_the_memory_a_process_may_have_is_what_operators_are_told() -> None:
    said = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert f"{MEMORY_BYTES // 1024 // 1024} MB" in said
