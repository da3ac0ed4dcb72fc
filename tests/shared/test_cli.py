"""What the command line promises: quick help, exit codes, sentences instead of tracebacks, tokens that are accepted."""

import json
import os
import socket
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from shared import __version__
from shared.cli import main
from shared.development import issue
from shared.development.directory import ISSUER
from shared.errors import Problem
from shared.tokens import SCOPES, IssuerProfile, Refused, Signer, SigningKey, Verifier, build_verifier
from tests.web import web

GATEWAY_URL, MCP_URL = "http://127.0.0.1:8000", "http://127.0.0.1:8001/mcp"
DEV: Final = ("dev", "--gateway-port", "0", "--mcp-port", "0", "--json")


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, program: str = "taskgate"
) -> "subprocess.CompletedProcess[str]":
    """One of the programs as a person starts it, with no settings but these."""
    installed = Path(sys.executable).with_name(program)
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [installed, *arguments], cwd=cwd, env=plain | dict(env or {}), text=True, capture_output=True, check=False
    )


@pytest.fixture
def configured(tmp_path: Path) -> dict[str, str]:
    """Settings of both services, with databases that do not exist yet."""
    people = {"issuer": ISSUER, "jwks": Signer(ISSUER, [SigningKey.generate()]).jwks}
    return {
        "TASKGATE_MCP_URL": MCP_URL,
        "TASKGATE_GATEWAY_URL": GATEWAY_URL,
        "TASKGATE_MCP_ISSUERS": json.dumps([people]),
        "TASKGATE_GATEWAY_ISSUERS": json.dumps([people]),
        "TASKGATE_MCP_STATE_KEYS": "0123456789abcdef0123456789abcdef",
        "TASKGATE_GATEWAY_SIGNING_KEYS": json.dumps([SigningKey.generate().pem]),
        "TASKGATE_MCP_DATABASE_URL": f"sqlite:///{tmp_path}/tasks.db",
        "TASKGATE_GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path}/talks.db",
    }


@pytest.fixture
def set_up(tmp_path: Path) -> Path:
    """A directory as `taskgate dev` leaves it."""
    data = tmp_path / "data"
    data.mkdir()
    keys = {"issuer": SigningKey.generate().pem, "gateway": SigningKey.generate().pem, "state": "s" * 44}
    (data / "keys.json").write_text(json.dumps(keys))
    (data / "dev.json").write_text(json.dumps({"gateway_url": GATEWAY_URL, "mcp_url": MCP_URL}))
    return data


def kept_by(data: Path, port: int) -> None:
    """From now on people's tasks there belong to the issuer on this port."""
    urls = {"gateway_url": GATEWAY_URL, "mcp_url": MCP_URL, "issuer_url": f"http://127.0.0.1:{port}"}
    (data / "dev.json").write_text(json.dumps(urls))


def verifier(data: Path, audience: str) -> Verifier:
    """The verifier of the service at this URL."""
    key = SigningKey.from_pem(json.loads((data / "keys.json").read_text())["issuer"])
    return build_verifier([IssuerProfile(issuer=ISSUER, jwks=Signer(ISSUER, [key]).jwks)], audience, web())


def minted(capsys: pytest.CaptureFixture[str], data: Path, *arguments: str) -> str:
    """The one line that `token mint` prints."""
    assert main(["token", "mint", "--data", str(data), *arguments]) == 0
    [token] = capsys.readouterr().out.splitlines()
    return token


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a wrong command line is told."""
    try:
        code = main(arguments)
    except SystemExit as exit_wanted:
        code = exit_wanted.code if isinstance(exit_wanted.code, int) else 1
    assert code == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "dev --help",
        "serve --help",
        "db upgrade --help",
        "token mint --help",
        "token inspect --help",
        "token revoke --help",
        "user revoke --help",
        "user delete --help",
        "prune --help",
        "keys promote --help",
        "keys list --help",
        "connect --help",
    ],
)
def test_help_loads_nothing_but_the_standard_library_and_the_command_line(words: str, tmp_path: Path) -> None:
    program = f"""
import sys
from shared.cli import main
before = set(sys.modules)
try:
    main({words.split()!r})
finally:
    print(*sorted(set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("usage: taskgate")
    bare = subprocess.run(
        [sys.executable, "-P", "-c", "import sys; print(*sys.modules)"], text=True, capture_output=True, check=True
    )
    loaded = set(done.stderr.split()) - set(bare.stdout.split())
    strangers = {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names}
    light = {"connect", "databases", "installed", "keys", "outcome", "people", "pruning", "running", "tokens"}
    assert strangers <= {"shared", "shared.cli", "shared.commands", *(f"shared.commands.{name}" for name in light)}
    assert "shared.cli" in strangers


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert "usage: taskgate" in refusal(capsys)


def test_the_version_names_the_program_its_schemas_and_what_it_stands_on(tmp_path: Path) -> None:
    done = run("version", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0] == f"taskgate {__version__}"
    assert {"schema of gateway", "schema of mcp"} <= {line.rpartition(" ")[0] for line in lines}
    assert any(line.startswith("sqlalchemy 2.") for line in lines)


# Services


def test_every_missing_setting_of_every_service_is_named_at_once(tmp_path: Path) -> None:
    done = run("db", "status", cwd=tmp_path)
    assert done.returncode == 2
    named = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert sorted(named) == [
        "TASKGATE_GATEWAY_ISSUERS",
        "TASKGATE_GATEWAY_SIGNING_KEYS",
        "TASKGATE_GATEWAY_URL",
        "TASKGATE_MCP_ISSUERS",
        "TASKGATE_MCP_STATE_KEYS",
        "TASKGATE_MCP_URL",
    ]


def test_serving_with_a_misspelled_setting_ends_with_a_sentence(configured: dict[str, str], tmp_path: Path) -> None:
    done = run("serve", "mcp", cwd=tmp_path, env=configured | {"TASKGATE_POOLSIZE": "3"})
    assert done.returncode == 2
    assert done.stderr == "TASKGATE_POOLSIZE (environment): is no setting; the nearest name is TASKGATE_POOL_SIZE.\n"


def test_a_service_refuses_a_database_without_its_schema(configured: dict[str, str], tmp_path: Path) -> None:
    done = run(cwd=tmp_path, env=configured, program="taskgate-mcp")
    assert done.returncode == 4
    assert "Fix: run `taskgate db upgrade mcp`." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_that_is_not_installed_is_a_sentence(tmp_path: Path) -> None:
    done = run("serve", "mail", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("taskgate: no service named mail is installed here.\n")


def test_a_published_service_whose_package_is_absent_is_skipped(configured: dict[str, str], tmp_path: Path) -> None:
    published = tmp_path / "mail-1.0.dist-info"
    published.mkdir()
    (published / "METADATA").write_text("Metadata-Version: 2.1\nName: mail\nVersion: 1.0\n")
    (published / "entry_points.txt").write_text("[taskgate.services]\nmail = mail_service.service:SERVICE\n")
    env = configured | {"PYTHONPATH": str(tmp_path)}
    assert run("serve", "mail", cwd=tmp_path, env=env).returncode == 2
    done = run("db", "upgrade", "--json", cwd=tmp_path, env=env)
    assert sorted(json.loads(done.stdout)) == ["gateway", "mcp"]


def test_another_package_named_shared_is_noticed_and_named(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-P", main.__code__.co_filename, "--help"],
        env={"PYTHONPATH": str(tmp_path)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"taskgate: Python found another package named shared ({tmp_path}/shared).\n")


# Databases


def test_an_upgrade_creates_each_schema_and_the_next_one_changes_nothing(
    configured: dict[str, str], tmp_path: Path
) -> None:
    before = run("db", "status", cwd=tmp_path, env=configured)
    assert before.returncode == 1
    assert "mcp: empty" in before.stdout
    assert "taskgate db upgrade gateway" in before.stdout

    first = json.loads(run("db", "upgrade", "--json", cwd=tmp_path, env=configured).stdout)
    assert sorted(first) == ["gateway", "mcp"]
    assert all(change["before"] is None and change["after"] for change in first.values())
    again = json.loads(run("db", "upgrade", "--json", cwd=tmp_path, env=configured).stdout)
    assert again == {name: {"before": change["after"], "after": change["after"]} for name, change in first.items()}

    after = run("db", "status", cwd=tmp_path, env=configured)
    assert after.returncode == 0
    assert "taskgate db upgrade" not in after.stdout


def test_an_upgrade_of_one_service_needs_and_touches_nothing_of_the_other(
    configured: dict[str, str], tmp_path: Path
) -> None:
    own = {name: value for name, value in configured.items() if not name.startswith("TASKGATE_GATEWAY_")}
    done = run("db", "upgrade", "mcp", cwd=tmp_path, env=own | {"TASKGATE_GATEWAY_URL": GATEWAY_URL})
    assert done.returncode == 0
    assert done.stdout.endswith(", was empty\n")
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["tasks.db"]


def test_schemas_are_changed_past_the_pooler(configured: dict[str, str], tmp_path: Path) -> None:
    direct = {"TASKGATE_MCP_DATABASE_DIRECT_URL": f"sqlite:///{tmp_path}/direct.db"}
    assert run("db", "upgrade", "mcp", cwd=tmp_path, env=configured | direct).returncode == 0
    assert [path.name for path in tmp_path.glob("*.db")] == ["direct.db"]


def test_a_database_that_cannot_be_reached_is_a_sentence_without_its_password(
    configured: dict[str, str], tmp_path: Path
) -> None:
    away = {"TASKGATE_MCP_DATABASE_URL": "postgresql://taskgate:hunter2@127.0.0.1:1/taskgate"}
    done = run("db", "upgrade", "mcp", cwd=tmp_path, env=configured | away)
    assert done.returncode == 4
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


# Tokens


@pytest.mark.anyio
async def test_a_minted_token_is_accepted_by_both_services(set_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = minted(capsys, set_up, "--subject", "ada")
    for audience in (GATEWAY_URL, MCP_URL):
        caller = await verifier(set_up, audience).verify(token)
        assert caller.subject == "ada"
        assert caller.issuer == ISSUER
        assert caller.scopes == set(SCOPES)


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "own", "other"), [("gateway", GATEWAY_URL, MCP_URL), ("mcp", MCP_URL, GATEWAY_URL)])
async def test_a_token_for_one_service_is_refused_by_the_other(
    name: str, own: str, other: str, set_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = minted(capsys, set_up, "--subject", "bob", "--for", name)
    assert (await verifier(set_up, own).verify(token)).subject == "bob"
    with pytest.raises(Refused):
        await verifier(set_up, other).verify(token)


@pytest.mark.anyio
async def test_a_token_permits_only_the_scopes_it_was_asked_for(
    set_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = minted(capsys, set_up, "--subject", "ada", "--scopes", "tasks:read tasks:write")
    assert (await verifier(set_up, MCP_URL).verify(token)).scopes == {"tasks:read", "tasks:write"}


@pytest.mark.parametrize(
    ("ttl", "seconds"), [("90s", 90), ("15m", 900), ("12h", 43_200), ("1d", 86_400), ("30d", 2_592_000)]
)
def test_a_token_lives_as_long_as_was_asked(
    ttl: str, seconds: int, set_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = claims(minted(capsys, set_up, "--subject", "ada", "--ttl", ttl))
    assert found["exp"] - found["iat"] == seconds


@pytest.mark.parametrize("ttl", ["", "0s", "15", "m", "1w", "-1m", "1.5h", "31d", "721h", "99999999s", "1 d", "١d"])
def test_other_lifetimes_are_refused_with_the_forms_that_work(
    ttl: str, set_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(capsys, "token", "mint", "--data", str(set_up), "--subject", "ada", f"--ttl={ttl}")
    assert "write 90s, 15m, 12h or 1d, and at most 30d" in said


@pytest.mark.parametrize("name", ["ada", "a" * 255, "Åsa Öberg", "🦊" * 255])
@pytest.mark.anyio
async def test_any_printable_name_can_sign_in(name: str, set_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = minted(capsys, set_up, f"--subject={name}")
    assert (await verifier(set_up, MCP_URL).verify(token)).subject == name


@pytest.mark.parametrize("name", ["", " ", "a" * 256, "a\nb", "a\x00b", "\u202eada"])
def test_a_name_that_no_service_accepts_is_refused(name: str, set_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "token", "mint", "--data", str(set_up), f"--subject={name}")
    assert "a name has 1 to 255 printable characters" in said


def test_an_unknown_scope_is_refused_with_those_that_exist(set_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "token", "mint", "--data", str(set_up), "--subject", "ada", "--scopes", "tasks:raed")
    assert "there is no scope tasks:raed" in said
    assert all(scope in said for scope in SCOPES)


def test_minting_where_nothing_was_set_up_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "nowhere"
    said = refusal(capsys, "token", "mint", "--data", str(nowhere), "--subject", "ada")
    assert f"{nowhere} was never set up" in said
    assert f"taskgate dev --data {nowhere}" in said
    assert not nowhere.exists()


@pytest.mark.parametrize("file", ["dev.json", "keys.json"])
@pytest.mark.parametrize("content", ["", "[]", "{", '{"issuer": "x", "gateway": "x", "state": "x"}'])
def test_minting_with_a_broken_file_names_the_file(
    file: str, content: str, set_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (set_up / file).write_text(content)
    said = refusal(capsys, "token", "mint", "--data", str(set_up), "--subject", "ada")
    assert f"{set_up / file} cannot be read" in said
    assert (set_up / file).read_text() == content


# The development set-up


def test_a_minted_token_is_of_the_issuer_that_the_directory_keeps(
    set_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert claims(minted(capsys, set_up, "--subject", "ada"))["iss"] == ISSUER
    kept_by(set_up, 8077)
    assert claims(minted(capsys, set_up, "--subject", "ada"))["iss"] == "http://127.0.0.1:8077"


def test_the_keys_of_an_older_directory_stay_and_get_what_they_lack(
    set_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((set_up / "keys.json").read_text())
    minted(capsys, set_up, "--subject", "ada")
    after = json.loads((set_up / "keys.json").read_text())
    assert after == before | {"session": after["session"]}
    assert len(after["session"]) == 44
    minted(capsys, set_up, "--subject", "ada")
    assert json.loads((set_up / "keys.json").read_text()) == after


@pytest.mark.parametrize("port", [8002, 8077])
def test_the_issuer_of_a_directory_cannot_move(port: int, set_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if port != 8002:  # what an older directory does not say
        kept_by(set_up, port)
    said = refusal(capsys, *DEV, "--data", str(set_up), "--issuer-port", "8003")
    assert f"the issuer on port {port}" in said
    assert "--issuer-port" in said


def test_an_issuer_whose_port_is_taken_does_not_move_either(set_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        kept_by(set_up, port)
        said = refusal(capsys, *DEV, "--data", str(set_up))
    assert f"port {port} cannot be used" in said
    assert "another --data" in said


def test_what_an_issuer_kept_and_cannot_read_is_named(set_up: Path) -> None:
    """Below the command, which only `taskgate dev` gives."""
    (set_up / "issuer.json").write_text('{"clients": 1}')
    with pytest.raises(Problem, match="cannot be read") as told:
        issue(set_up, -1, "info")
    assert str(set_up / "issuer.json") in told.value.message
    assert (set_up / "issuer.json").read_text() == '{"clients": 1}'


def test_the_command_of_the_issuer_is_not_for_people() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "shared.cli", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "serve" in shown
    assert "dev-issuer" not in shown


@pytest.mark.parametrize("port", ["-1", "65536", "http", "", "8000.0"])
def test_a_port_that_does_not_exist_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a port is a number from 0 to 65535" in refusal(capsys, "dev", f"--mcp-port={port}")


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = f"{sys.executable} -u -m shared.cli version | head -n 1"
    shown = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("taskgate ")
    assert shown.stderr == ""
