"""What an operator may do with all that is kept of people: prune it, give it out, erase it."""

import asyncio
import io
import json
import sqlite3
import stat
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.attachments.disk import Disk
from gateway.service import SERVICE as GATEWAY
from mcp_server.service import SERVICE as MCP
from shared.cli import main
from shared.commands.people import MOST_PASSES, erased
from shared.commands.reach import Reached, reach
from shared.db import Database
from shared.errors import Problem
from shared.migrate import upgrade
from shared.tokens import Caller, SigningKey, restored

ISSUER: Final = "http://127.0.0.1:8002"
DAY_US: Final = 86_400_000_000
PERSON: Final = ("--issuer", ISSUER, "--subject", "ada")
ADA: Final = restored(ISSUER, "ada", (), 0, "taskgate")


@dataclass(frozen=True, slots=True)
class Home:
    """A directory as `taskgate dev` leaves it, and somebody who types commands."""

    data: Path
    capsys: pytest.CaptureFixture[str] = field(repr=False)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code of a command about this directory, and what it printed on both streams."""
        self.capsys.readouterr()
        return (main([*arguments, "--data", str(self.data)]), *self.capsys.readouterr())

    def keep_a_conversation(self, subject: str, *, days: float = 0) -> None:
        """One of this person in which nothing has happened for so many days."""
        at_us = int((time.time() - days * 86_400) * 1_000_000)
        row = (f"{ISSUER}|{subject}", "thr_1", 1, at_us, subject, '{"type":"active"}', "{}")
        columns = "owner, id, seq, created_us, title, status, data"
        with closing(sqlite3.connect(self.data / "gateway.db")) as database, database:
            database.execute(f"INSERT INTO chat_threads ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def keep_a_file(self, subject: str, place: Path) -> Path:
        """One of this person, in no message; where its bytes are."""
        name = "atc_" + subject.encode().hex().ljust(32, "0")
        asyncio.run(Disk(place).put(name, b"words"))
        row = (f"{ISSUER}|{subject}", name, "{}", "ready", 5, int(time.time() * 1_000_000))
        columns = "owner, id, data, state, size_bytes, created_us"
        with closing(sqlite3.connect(self.data / "gateway.db")) as database, database:
            database.execute(f"INSERT INTO chat_attachments ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)
        [found] = place.rglob(f"*{name}*")
        return found

    def owners(self) -> list[str]:
        return [row[0] for row in self._rows("gateway", "SELECT owner FROM chat_threads ORDER BY owner")]

    def revoked(self, name: str) -> list[str]:
        """Whose access a service was told to be withdrawn."""
        return [row[0] for row in self._rows(name, f"SELECT subject FROM {name}_revocations")]

    def _rows(self, name: str, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.data / f"{name}.db")) as database:
            return database.execute(query).fetchall()


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    data = tmp_path / "data"
    data.mkdir()
    keys = {"issuer": SigningKey.generate().pem, "gateway": SigningKey.generate().pem}
    (data / "keys.json").write_text(json.dumps({**keys, "state": "s" * 44, "session": "s" * 44}))
    urls = {"gateway_url": "http://127.0.0.1:8000", "mcp_url": "http://127.0.0.1:8001/mcp", "issuer_url": ISSUER}
    (data / "dev.json").write_text(json.dumps(urls))
    for one in (GATEWAY, MCP):
        asyncio.run(upgrade(one.schema, f"sqlite:///{data}/{one.name}.db"))
    return Home(data, capsys)


# Prune


def test_pruning_says_what_went(home: Home) -> None:
    home.keep_a_conversation("ada", days=366)
    home.keep_a_conversation("bob", days=364)
    assert home.run("prune", "--dry-run") == (
        0,
        "gateway: would go\n  conversations: 1\nmcp: nothing to prune\n",
        "",
    )
    assert home.run("prune") == (0, "gateway: gone\n  conversations: 1\nmcp: nothing to prune\n", "")
    assert home.run("prune")[1] == "gateway: nothing to prune\nmcp: nothing to prune\n"


def test_pruning_counts_for_programs(home: Home) -> None:
    home.keep_a_conversation("ada", days=366)
    code, said, errors = home.run("prune", "--json")
    counts = json.loads(said)
    assert (code, errors, counts["gateway"]["conversations"], counts["mcp"]) == (0, "", 1, {})


def test_how_long_is_a_setting(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.keep_a_conversation("ada", days=9)
    monkeypatch.setenv("TASKGATE_RETENTION", "threads=10")
    assert "nothing" in home.run("prune")[1].splitlines()[0]
    monkeypatch.setenv("TASKGATE_RETENTION", "threads=8")
    assert "conversations: 1" in home.run("prune")[1]
    monkeypatch.setenv("TASKGATE_RETENTION", "thread=8")
    code, said, errors = home.run("prune")
    assert (code, said) == (2, "")
    assert "TASKGATE_RETENTION (environment)" in errors
    assert "the names are threads, deleted" in errors


def test_pruning_what_cannot_be_reached_says_so(home: Home) -> None:
    (home.data / "gateway.db").unlink()
    code, said, errors = home.run("prune")
    assert (code, said) == (4, "mcp: nothing to prune\n")
    assert "gateway: NOT pruned, the database of the gateway service does not exist yet." in errors


# Export


def test_an_export_is_lines_of_json_about_one_person(home: Home) -> None:
    home.keep_a_conversation("ada")
    home.keep_a_conversation("bob")
    code, said, errors = home.run("user", "export", *PERSON)
    [record] = [json.loads(line) for line in said.splitlines()]
    assert (record["service"], record["kind"], record["title"]) == ("gateway", "thread", "ada")
    assert errors == "gateway: 1 exported\nmcp: NOT exported, this release of it has no way to.\n"
    assert code == 1  # it is not everything


def test_an_export_can_be_read_by_its_owner_alone(home: Home, tmp_path: Path) -> None:
    home.keep_a_conversation("ada")
    out = tmp_path / "ada.jsonl"
    assert home.run("user", "export", *PERSON, "--out", str(out))[1] == ""
    assert json.loads(out.read_text())["title"] == "ada"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_an_export_that_fails_leaves_no_file_and_the_one_before(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "ada.jsonl"
    out.write_text("before")
    (home.data / "gateway.db").unlink()
    assert home.run("user", "export", *PERSON, "--out", str(out))[0] == 4
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["ada.jsonl"]
    assert out.read_text() == "before"
    code, _, errors = home.run("user", "export", *PERSON, "--out", str(tmp_path / "nowhere" / "ada.jsonl"))
    assert (code, errors.splitlines()[0]) == (2, "taskgate: the file cannot be written: No such file or directory.")


def test_of_somebody_unknown_nothing_is_exported(home: Home) -> None:
    home.keep_a_conversation("ada")
    _, said, errors = home.run("user", "export", "--subject", "carol")
    assert (said, errors.splitlines()[0]) == ("", "gateway: nothing is kept of this person")
    code, said, errors = home.run("user", "export", "--subject", "ada", "--issuer", "https://elsewhere.example.test")
    assert (code, said) == (2, "")
    assert f"choose from {ISSUER}" in errors


# Erase


def test_who_is_erased_is_shut_out_and_gone(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKGATE_GATEWAY_ATTACHMENTS", str(tmp_path / "files"))
    home.keep_a_conversation("ada")
    home.keep_a_conversation("bob")
    adas, bobs = (home.keep_a_file(name, tmp_path / "files") for name in ("ada", "bob"))
    code, said, errors = home.run("user", "delete", *PERSON, "--yes", "ada")
    assert (code, said) == (1, "gateway: erased\n  chat_attachments: 1\n  chat_threads: 1\n")
    assert (adas.exists(), bobs.exists()) == (False, True)
    assert errors.splitlines()[1:] == ["mcp: NOT erased, this release of it has no way to."]
    assert home.owners() == [f"{ISSUER}|bob"]
    assert home.revoked("gateway") == home.revoked("mcp") == ["ada"]


def test_nothing_is_erased_while_nobody_says_where_the_files_are(home: Home, tmp_path: Path) -> None:
    home.keep_a_conversation("ada")
    kept = home.keep_a_file("ada", tmp_path / "files")
    code, said, errors = home.run("user", "delete", *PERSON, "--yes", "ada")
    assert (code, said) == (4, "")
    assert "TASKGATE_GATEWAY_ATTACHMENTS" in errors
    assert kept.exists()
    assert home.owners() == [f"{ISSUER}|ada"]


@pytest.mark.parametrize("typed", ["", "bob\n", "ADA\n", " ada\n"])
def test_nothing_is_erased_unless_the_subject_is_typed_again(
    home: Home, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    home.keep_a_conversation("ada")
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    code, said, errors = home.run("user", "delete", *PERSON)
    assert (code, said) == (2, "")
    assert "nothing was erased" in errors
    assert (home.owners(), home.revoked("gateway")) == ([f"{ISSUER}|ada"], [])


def test_nothing_is_erased_while_somebody_cannot_be_told(home: Home) -> None:
    home.keep_a_conversation("ada")
    (home.data / "mcp.db").unlink()
    code, said, errors = home.run("user", "delete", *PERSON, "--yes", "ada")
    assert (code, said) == (4, "")
    assert errors.startswith("mcp: NOT erased, ")
    assert home.owners() == [f"{ISSUER}|ada"]


@dataclass(slots=True)
class Late:
    """A service in which something is still written so many times."""

    left: int
    needs: tuple[str, ...] = ()

    async def erase(self, _: Database, __: Any, person: Caller) -> Mapping[str, int]:
        assert person == ADA
        self.left -= 1
        return {"rows": 1 if self.left >= 0 else 0}


def late(home: Home, times: int) -> list[Reached]:
    [found] = reach([GATEWAY], home.data, home.data)
    return [replace(found, service=replace(GATEWAY, records=Late(times)))]  # type: ignore[arg-type]


def test_erasing_goes_on_until_nothing_is_written_any_more(home: Home) -> None:
    found = asyncio.run(erased(ADA, late(home, 3), settle_s=0))
    assert found == {"gateway": {"rows": 3}}
    with pytest.raises(Problem, match="still writes"):
        asyncio.run(erased(ADA, late(home, MOST_PASSES + 1), settle_s=0))
