"""The keys that sign are replaced in three steps, none of them too early, and no command shows a private key."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.settings import GatewaySettings
from shared.cli import main
from shared.commands.key_file import change, describe, read
from shared.errors import Problem
from shared.settings import SettingsFault, load
from shared.tokens import SigningKey
from shared.tokens.rotation import PUBLISHED_S, RETIRED_S, KeyList, add, drop, promote

START: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def added(file: Path, now: datetime) -> KeyList:
    return change(file, add, now, create=True)


def kids(file: Path) -> list[str]:
    return [key.kid for key in read(file)]


def states(keys: KeyList, seconds: float) -> list[tuple[str, int]]:
    return [(key["state"], key["left_s"]) for key in describe(keys, at(seconds))]


def settings(value: str) -> GatewaySettings:
    """The gateway's settings with these signing keys."""
    environ = {
        "TASKGATE_MCP_URL": "https://tools.example.test/mcp",
        "TASKGATE_GATEWAY_URL": "https://chat.example.test",
        "TASKGATE_GATEWAY_ISSUERS": '[{"issuer": "https://login.example.test"}]',
        "TASKGATE_GATEWAY_SIGNING_KEYS": value,
    }
    return load(GatewaySettings, environ=environ).settings


def refusal(file: Path, step: Callable[[KeyList, datetime], KeyList], seconds: float) -> str:
    """Why a step is not taken, and that it was not."""
    before = file.read_bytes()
    with pytest.raises(Problem) as refused:
        change(file, step, at(seconds))
    assert file.read_bytes() == before
    return refused.value.message


def test_a_key_is_published_before_it_signs_and_after_it_has_signed(file: Path) -> None:
    [old] = added(file, at(0))
    assert states((old,), 0) == [("signs", 0)]

    _, new = added(file, at(1_000))
    assert kids(file) == [old.kid, new.kid]
    assert states(read(file), 1_100) == [("signs", 0), ("waits", 210)]
    assert "for 310 s more" in refusal(file, promote, 1_000)
    assert "for 1 s more" in refusal(file, promote, 1_000 + PUBLISHED_S - 0.1)

    change(file, promote, at(1_000 + PUBLISHED_S))
    assert kids(file) == [new.kid, old.kid]
    assert states(read(file), 1_000 + PUBLISHED_S) == [("signs", 0), ("retired", 430)]
    assert "for 430 s more" in refusal(file, drop, 1_000 + PUBLISHED_S)
    assert "for 1 s more" in refusal(file, drop, 1_000 + PUBLISHED_S + RETIRED_S - 0.1)

    change(file, drop, at(1_000 + PUBLISHED_S + RETIRED_S))
    assert kids(file) == [new.kid]


def test_a_step_that_has_nothing_to_do_says_which_comes_first(file: Path) -> None:
    added(file, at(0))
    assert refusal(file, promote, 10_000) == "no key is waiting to sign"
    assert refusal(file, drop, 10_000) == "no key is retired"


def test_the_newest_key_is_promoted_and_the_waiting_one_stays(file: Path) -> None:
    added(file, at(0))
    added(file, at(0))
    old, waiting, new = added(file, at(1))
    assert "for 309 s more" in refusal(file, promote, 2)
    assert [key.kid for key in change(file, promote, at(1_000))] == [new.kid, old.kid, waiting.kid]
    assert [key.kid for key in change(file, drop, at(2_000))] == [new.kid, waiting.kid]


def test_only_what_was_retired_long_enough_ago_goes(file: Path) -> None:
    for seconds in (0, 0, 1):
        added(file, at(seconds))
    change(file, promote, at(1_000))
    last, first_retired, *_ = change(file, promote, at(1_400))
    assert states(read(file), 1_440) == [("signs", 0), ("retired", 390), ("retired", 0)]
    assert [key.kid for key in change(file, drop, at(1_440))] == [last.kid, first_retired.kid]


def test_keys_written_by_hand_are_taken_over_and_wait_from_the_last_change_of_the_file(file: Path) -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    file.write_text(json.dumps([old.pem, new.pem]))
    os.utime(file, (at(0).timestamp(), at(0).timestamp()))
    assert "for 210 s more" in refusal(file, promote, 100)
    change(file, promote, at(400))
    assert kids(file) == [new.kid, old.kid]
    assert states(read(file), 400) == [("signs", 0), ("retired", 430)]


# The file


def test_a_new_file_is_its_owners_alone_and_a_changed_one_keeps_its_readers(file: Path) -> None:
    before = os.umask(0)
    try:
        added(file, at(0))
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 10_001, 10_002)
    owner = (file.stat().st_uid, file.stat().st_gid)
    added(file, at(0))
    assert file.stat().st_mode & 0o777 == 0o640
    assert (file.stat().st_uid, file.stat().st_gid) == owner
    assert list(file.parent.iterdir()) == [file]


def test_a_link_to_the_file_stays_a_link(file: Path, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    file.symlink_to("secrets/real.json")
    added(file, at(0))
    added(file, at(0))
    assert file.is_symlink()
    assert len(read(tmp_path / "secrets" / "real.json")) == 2


def test_people_who_add_at_the_same_time_lose_no_key(file: Path) -> None:
    with ThreadPoolExecutor(8) as people:
        list(people.map(lambda _: added(file, at(0)), range(16)))
    assert len(set(kids(file))) == 16


def test_a_directory_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be written: No such file or directory"):
        added(tmp_path / "nowhere" / "keys.json", at(0))


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "[7]", "[[", '["hush"]', '[{"pem": "hush"}]', "\x00\xff", "[" * 9_000]
)
def test_what_is_no_list_of_keys_is_named_without_its_content_and_left_alone(
    content: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(content)
    for command in ("add", "promote", "drop", "list"):
        assert main(["keys", command, str(file)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert f"{file} is no list of keys" in said.err
        assert "hush" not in said.err
    assert file.read_text() == content


# The gateway reads what the commands write


def test_the_gateway_takes_the_list_with_its_history_and_without(file: Path) -> None:
    added(file, at(0))
    added(file, at(0))
    change(file, promote, at(400))
    written = settings(file.read_text())
    assert [key.kid for key in written.keys] == kids(file)
    plain = [key.pem.get_secret_value() for key in read(file)]
    assert [key.kid for key in settings(json.dumps(plain)).keys] == kids(file)
    assert set(plain) <= set(written.secrets)
    assert "PRIVATE" not in repr(written)


@pytest.mark.parametrize("change_of", [{"pem": "hush"}, {"retired": True}, {"added_at": "yesterday"}])
def test_the_gateway_refuses_a_broken_list_without_showing_it(change_of: dict[str, Any], file: Path) -> None:
    added(file, at(0))
    [entry] = json.loads(file.read_text())
    with pytest.raises(SettingsFault) as refused:
        settings(json.dumps([entry | change_of]))
    assert "TASKGATE_GATEWAY_SIGNING_KEYS" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "PRIVATE" not in str(refused.value)


# The commands


def test_the_commands_tell_the_next_step_and_never_a_private_key(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "add", str(file)]) == 0
    [old] = kids(file)
    assert f"{old} was created and signs" in capsys.readouterr().out

    assert main(["keys", "add", str(file)]) == 0
    added = capsys.readouterr().out
    new = kids(file)[1]
    assert f"{new} was added" in added
    assert f"restart every gateway, wait 310 s after the last, then run: taskgate keys promote {file}" in added

    assert main(["keys", "promote", str(file)]) == 1
    early = capsys.readouterr()
    assert early.out == ""
    assert " s more before it may sign" in early.err
    assert "restart every gateway" in early.err

    age(file)
    assert main(["keys", "promote", str(file)]) == 0
    promoted = capsys.readouterr().out
    assert f"{new} signs" in promoted
    assert f"wait 430 s after the last, then run: taskgate keys drop {file}" in promoted

    assert main(["keys", "list", str(file)]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[:2] for line in listed.splitlines()] == [[new, "signs"], [old, "retired"]]
    assert main(["keys", "list", "--json", str(file)]) == 0
    as_json = capsys.readouterr().out
    assert [(key["kid"], key["state"]) for key in json.loads(as_json)] == [(new, "signs"), (old, "retired")]

    assert main(["keys", "drop", str(file)]) == 1
    age(file)
    assert main(["keys", "drop", str(file)]) == 0
    dropped = capsys.readouterr().out
    assert kids(file) == [new]
    for shown in (added, promoted, listed, as_json, dropped):
        assert "PRIVATE" not in shown


def age(file: Path) -> None:
    """Let a day pass for the file."""
    entries = json.loads(file.read_text())
    for entry in entries:
        for name in ("added_at", "signs_since", "retired_at"):
            if name in entry:
                entry[name] = (datetime.fromisoformat(entry[name]) - timedelta(days=1)).isoformat()
    file.write_text(json.dumps(entries))


def test_a_file_that_is_not_there_is_created_by_add_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("promote", "drop", "list"):
        assert main(["keys", command, str(file)]) == 2
        assert f"taskgate keys add {file}" in capsys.readouterr().err
    assert not file.exists()
