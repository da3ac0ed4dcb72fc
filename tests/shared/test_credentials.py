"""What the command line tells about a token, and that what it withdraws is withdrawn at both services."""

import asyncio
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import jwt
import pytest

from gateway.service import SERVICE as GATEWAY
from mcp_server.service import SERVICE as MCP
from shared.cli import main
from shared.commands.credentials import KEPT_S
from shared.migrate import upgrade
from shared.tokens import SCOPES, Signer, SigningKey
from shared.tokens.verifier import LEEWAY_S

GATEWAY_URL, MCP_URL = "http://127.0.0.1:8000", "http://127.0.0.1:8001/mcp"
ISSUER: Final = "http://127.0.0.1:8002"
KEY, OTHER_KEY, GATEWAY_KEY = SigningKey.generate(), SigningKey.generate(), SigningKey.generate()
NOWHERE: Final = "http://127.0.0.1:1/jwks.json"
NOTHING: Final = MappingProxyType[str, str]({})


@dataclass(frozen=True, slots=True)
class Home:
    """A directory as `taskgate dev` leaves it, with its databases, and somebody who types commands."""

    data: Path
    capsys: pytest.CaptureFixture[str] = field(repr=False)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code of a command about this directory, and what it printed on both streams."""
        self.capsys.readouterr()
        try:
            code = main([*arguments, "--data", str(self.data)])
        except SystemExit as exit_wanted:
            code = exit_wanted.code if isinstance(exit_wanted.code, int) else 1
        return (code, *self.capsys.readouterr())

    def done(self, *arguments: str) -> str:
        """What a command printed that had to succeed."""
        code, said, errors = self.run(*arguments)
        assert (code, errors) == (0, "")
        return said

    def inspect(self, token: str) -> dict[str, Any]:
        """What the services say to a token."""
        found: dict[str, Any] = json.loads(self.run("token", "inspect", "--json", token)[1])["services"]
        return found

    def accepting(self, token: str) -> set[str]:
        """The services that accept a token."""
        return {name for name, said in self.inspect(token).items() if said["accepted"]}

    def rows(self, name: str) -> list[dict[str, Any]]:
        """What a service was told."""
        with closing(sqlite3.connect(self.data / f"{name}.db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(f"SELECT * FROM {name}_revocations")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set-up to copy."""
    data = tmp_path_factory.mktemp("made")
    (data / "keys.json").write_text(
        json.dumps({"issuer": KEY.pem, "gateway": GATEWAY_KEY.pem, "state": "s" * 44, "session": "s" * 44})
    )
    (data / "dev.json").write_text(json.dumps({"gateway_url": GATEWAY_URL, "mcp_url": MCP_URL, "issuer_url": ISSUER}))
    for one in (GATEWAY, MCP):
        asyncio.run(upgrade(one.schema, f"sqlite:///{data}/{one.name}.db"))
    return data


@pytest.fixture
def home(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(shutil.copytree(made, tmp_path / "data"), capsys)


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str] = NOTHING, given: str = ""
) -> "subprocess.CompletedProcess[str]":
    """The program as a person starts it, with no settings but these, who types or pipes this into it."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [Path(sys.executable).with_name("taskgate"), *arguments],
        cwd=cwd,
        env=plain | dict(env),
        input=given,
        text=True,
        capture_output=True,
        check=False,
    )


def configured(data: Path) -> dict[str, str]:
    """The settings of the same services as an operator writes them down, without a single private key."""
    people = {"issuer": ISSUER, "jwks": Signer(ISSUER, [KEY]).jwks}
    gateway = {"issuer": GATEWAY_URL, "jwks": Signer(GATEWAY_URL, [GATEWAY_KEY]).jwks, "delegates_for": [ISSUER]}
    return {
        "TASKGATE_MCP_URL": MCP_URL,
        "TASKGATE_GATEWAY_URL": GATEWAY_URL,
        "TASKGATE_MCP_ISSUERS": json.dumps([people, gateway]),
        "TASKGATE_GATEWAY_ISSUERS": json.dumps([people]),
        "TASKGATE_MCP_DATABASE_URL": f"sqlite:///{data}/mcp.db",
        "TASKGATE_GATEWAY_DATABASE_URL": f"sqlite:///{data}/gateway.db",
    }


def token(subject: str = "ada", audience: str = "", *, lifetime_s: int = 600, **more: Any) -> str:
    """A good token; for both services unless one is named."""
    audiences = audience or (GATEWAY_URL, MCP_URL)
    return Signer(ISSUER, [KEY]).issue(subject, audiences, SCOPES, lifetime_s=lifetime_s, client_id="x", **more)


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token, changed; None leaves one out."""
    now = int(time.time())
    good = {"iss": ISSUER, "sub": "ada", "aud": MCP_URL, "iat": now, "exp": now + 600, "jti": "one", **changes}
    return {name: value for name, value in good.items() if value is not None}


def delegated(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    acting = {"iss": GATEWAY_URL, "sub_iss": ISSUER, "act": {"sub": GATEWAY_URL}, "iat": now, "exp": now + 60}
    return claims(**acting | changes)


def signed(payload: Mapping[str, Any], key: SigningKey = KEY, **header: Any) -> str:
    named = {name: value for name, value in {"kid": key.kid, "typ": "at+jwt", **header}.items() if value is not None}
    return jwt.encode(dict(payload), key.private, algorithm="EdDSA", headers=named)


def unsigned(header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    parts = [urlsafe_b64encode(part).decode().rstrip("=") for part in (dumped(header), dumped(payload), b"x")]
    return ".".join(parts)


def dumped(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode()


# Looking at a token


def test_a_token_is_told_in_words(home: Home) -> None:
    made = token("ada", MCP_URL, lifetime_s=3 * 3_600 + 30, session_id="evening")
    lines = dict(line.split(maxsplit=1) for line in home.done("token", "inspect", made).splitlines() if line)
    found = claims_of(made)
    assert lines["sub"] == "ada"
    assert lines["sid"] == "evening"
    assert lines["jti"] == found["jti"]
    assert lines["kid"] == KEY.kid
    assert lines["exp"] == f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(found['exp']))} UTC, in 3 h"
    assert lines["iat"].endswith(" s ago")
    assert lines["mcp"] == f"accepted: as ada of {ISSUER}, permitting {' '.join(sorted(SCOPES))}"
    assert lines["gateway"] == f"refused: it is made out to another audience than {GATEWAY_URL}"
    assert made.rpartition(".")[2] not in str(lines)


def claims_of(made: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(made, options={"verify_signature": False})
    return found


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-100, r"1[01]\d s ago"), (-250, "4 min ago"), (3_050, "in 50 min"), (-9_000, "2 h ago"), (200_000, "in 2 d")],
)
def test_times_are_told_by_their_distance(seconds: int, words: str, home: Home) -> None:
    said = home.run("token", "inspect", signed(claims(auth_time=int(time.time()) + seconds)))[1]
    assert re.search(rf"^auth_time .* UTC, {words}$", said, re.MULTILINE)


def test_programs_get_the_claims_as_they_are(home: Home) -> None:
    made = token("ada", GATEWAY_URL)
    found = json.loads(home.done("token", "inspect", "--json", made))
    assert found["claims"] == claims_of(made)
    assert found["header"] == {"alg": "EdDSA", "kid": KEY.kid, "typ": "at+jwt"}
    assert {name: said["accepted"] for name, said in found["services"].items()} == {"gateway": True, "mcp": False}


REFUSED: Final[dict[str, tuple[Callable[[], str], str]]] = {
    "expired": (lambda: signed(claims(exp=int(time.time()) - 60)), "it has expired"),
    "issued in the future": (lambda: signed(claims(iat=int(time.time()) + 900)), "its iat or nbf is still to come"),
    "a time as text": (lambda: signed(claims(exp=str(int(time.time()) + 60))), "one of its times is no number"),
    "no expiry": (lambda: signed(claims(exp=None)), "it lacks one of exp, iat, sub, aud and iss"),
    "subject as a number": (lambda: signed(claims(sub=7)), "its sub is no text"),
    "blank subject": (lambda: signed(claims(sub=" ")), "its sub is not 1 to 255 printable characters"),
    "jti as a number": (lambda: signed(claims(jti=7)), "its jti is no text"),
    "another audience": (
        lambda: signed(claims(aud="https://x.test")),
        f"it is made out to another audience than {MCP_URL}",
    ),
    "another issuer": (lambda: signed(claims(iss="https://x.test")), "its iss is not one of the accepted issuers"),
    "an ID token": (lambda: signed(claims(), typ="JWT"), "its typ is not one that its issuer uses"),
    "another key by that name": (
        lambda: signed(claims(), OTHER_KEY, kid=KEY.kid),
        "its signature does not fit the key it names",
    ),
    "an unknown key": (lambda: signed(claims(), OTHER_KEY), "its issuer has no key of that name for that alg"),
    "no key": (lambda: signed(claims(), kid=None), "it names no key"),
    "no algorithm": (
        lambda: unsigned({"alg": "none", "kid": KEY.kid, "typ": "at+jwt"}, claims()),
        "its alg is not one that its issuer uses",
    ),
    "scope as a number": (lambda: signed(claims(scope=7)), "its scopes are neither a text nor a list of texts"),
    "a person's issuer that delegates": (
        lambda: signed(claims(act={"sub": "x"})),
        "it acts for somebody, which its issuer may not, or it does not say who acts for whom",
    ),
    "delegated for too long": (
        lambda: signed(delegated(exp=int(time.time()) + 300), GATEWAY_KEY),
        "it lives for longer than its issuer's tokens may",
    ),
    "too long": (
        lambda: signed(claims(padding="x" * 9_000)),
        "it is not three parts of ASCII, at most 8192 bytes long",
    ),
    "issuer as a list": (
        lambda: unsigned({"alg": "EdDSA"}, claims(iss=[ISSUER])),
        "its iss is not one of the accepted issuers",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_rule_that_refuses_is_told_in_words(case: str, home: Home) -> None:
    bad, words = REFUSED[case]
    code, said, _ = home.run("token", "inspect", "--json", bad())
    verdict = json.loads(said)["services"]["mcp"]
    assert code == 3
    assert verdict == {"accepted": False, "words": words}


def test_what_is_no_token_is_said_to_be_none(home: Home) -> None:
    for nonsense in ("hello", "a.b.c", "eyJ.eyJ.x", "é.b.c", "." * 70_000):
        code, said, errors = home.run("token", "inspect", nonsense)
        assert (code, said) == (2, "")
        assert "this is no token" in errors


def test_a_token_cannot_write_to_the_terminal(home: Home) -> None:
    hostile = signed(claims(**{"sub": "\x1b[2Jada", "a\x1b]0;b": "\u202eevil", "scope": "x\ny"}))
    _, said, _ = home.run("token", "inspect", hostile)
    assert "\\u001b[2Jada" in said
    assert not {character for character in said if not character.isprintable()} - {"\n"}
    assert "x\\ny" in said


def test_keys_that_cannot_be_fetched_leave_the_question_open(home: Home, tmp_path: Path) -> None:
    issuers = json.dumps([{"issuer": ISSUER, "jwks_uri": NOWHERE}])
    settings = configured(home.data) | {"TASKGATE_MCP_ISSUERS": issuers, "TASKGATE_GATEWAY_ISSUERS": issuers}
    done = run("token", "inspect", cwd=tmp_path, env=settings, given=token())
    assert done.returncode == 4
    assert done.stdout.count("unknown: the keys of its issuer cannot be fetched from here") == 2


def test_a_database_that_does_not_exist_leaves_the_question_open_and_is_not_created(home: Home) -> None:
    (home.data / "mcp.db").unlink()
    assert home.inspect(token()) | {"gateway": None} == {
        "gateway": None,
        "mcp": {"accepted": None, "words": "the database of the mcp service does not exist yet"},
    }
    assert not (home.data / "mcp.db").exists()
    # One service that accepts it is enough for a good end; one that is not known is no refusal.
    assert home.run("token", "inspect", token())[0] == 0
    assert home.run("token", "inspect", token("ada", MCP_URL))[0] == 4


def test_a_token_on_standard_input_is_in_no_process_list(home: Home, tmp_path: Path) -> None:
    for words in (("token", "inspect"), ("token", "inspect", "-")):
        done = run(*words, cwd=tmp_path, env=configured(home.data), given=f"{token()}\n")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("accepted: as ada") == 2
    assert "process lists show arguments" in " ".join(run("token", "inspect", "--help", cwd=tmp_path).stdout.split())


# Withdrawing


def test_one_token_is_withdrawn_at_both_services_for_as_long_as_it_would_be_accepted(home: Home) -> None:
    lost, other = token(), token()
    assert home.accepting(lost) == {"gateway", "mcp"}
    said = home.done("token", "revoke", lost)
    assert said == "gateway: revoked; in force within 5 s\nmcp: revoked; in force within 5 s\n"
    assert home.inspect(lost)["mcp"] == {"accepted": False, "words": "it has been revoked"}
    assert home.accepting(lost) == set()
    assert home.accepting(other) == {"gateway", "mcp"}
    for name in ("gateway", "mcp"):
        [row] = home.rows(name)
        assert row["keep_until_us"] == (claims_of(lost)["exp"] + LEEWAY_S) * 1_000_000
        assert (row["issuer"], row["subject"], row["session_id"]) == (ISSUER, None, None)


def test_a_token_of_the_gateway_is_withdrawn_where_it_counts(home: Home) -> None:
    lost = signed(delegated(), GATEWAY_KEY)
    assert home.accepting(lost) == {"mcp"}
    home.done("token", "revoke", lost)
    assert home.inspect(lost)["mcp"]["words"] == "it has been revoked"


def test_a_sign_in_is_withdrawn_with_all_its_tokens(home: Home) -> None:
    evening, again = token(session_id="evening"), token(session_id="evening")
    morning = token(session_id="morning")
    home.done("token", "revoke", "--session", "evening")
    assert home.accepting(evening) == home.accepting(again) == set()
    assert home.accepting(morning) == {"gateway", "mcp"}


def test_a_person_loses_everything_given_until_now_and_bob_loses_nothing(home: Home) -> None:
    earlier, bobs = token("ada"), token("bob")
    now = int(time.time())
    home.done("user", "revoke", "--subject", "ada", "--issuer", ISSUER)
    # Also what was given within this very second.
    assert home.accepting(earlier) == set()
    assert home.accepting(bobs) == {"gateway", "mcp"}
    [row] = home.rows("mcp")
    assert row["not_before"] in (now + 1, now + 2)
    assert row["keep_until_us"] // 1_000_000 - row["not_before"] == KEPT_S - 1

    later = claims(iat=row["not_before"], aud=[GATEWAY_URL, MCP_URL])
    assert home.accepting(signed(later)) == {"gateway", "mcp"}


def test_a_token_that_cannot_be_told_from_others_is_not_withdrawn_alone(home: Home) -> None:
    for nameless in (signed(claims(jti=None)), signed(claims(jti=""))):
        code, _, errors = home.run("token", "revoke", nameless)
        assert code == 2
        assert "no jti" in errors
        assert "taskgate user revoke" in errors
    assert home.rows("mcp") == home.rows("gateway") == []


@pytest.mark.parametrize("expires", [None, "soon", True, -1, 10**12, float("inf")])
def test_a_token_that_never_ends_is_no_token(expires: object, home: Home) -> None:
    code, _, errors = home.run("token", "revoke", signed(claims(exp=expires)))
    assert code == 2
    assert "never was accepted" in errors
    assert home.rows("mcp") == []


def test_an_issuer_that_nobody_believes_is_refused_because_nothing_would_happen(home: Home) -> None:
    for words in (
        ("user", "revoke", "--subject", "ada", "--issuer", f"{ISSUER}/"),
        ("token", "revoke", "--session", "evening", "--issuer", "https://x.test"),
        ("token", "revoke", signed(claims(iss="https://x.test"))),
        ("user", "revoke", "--subject", "ada", "--issuer", GATEWAY_URL),
    ):
        code, _, errors = home.run(*words)
        assert code == 2
        assert "no service accepts tokens of that issuer" in errors
        assert f"choose from {ISSUER}." in errors
    assert home.rows("mcp") == home.rows("gateway") == []


def test_of_two_issuers_the_person_has_to_say_which(home: Home, tmp_path: Path) -> None:
    settings = configured(home.data)
    other = {"issuer": "https://x.test", "jwks": Signer("https://x.test", [OTHER_KEY]).jwks}
    settings["TASKGATE_GATEWAY_ISSUERS"] = json.dumps([*json.loads(settings["TASKGATE_GATEWAY_ISSUERS"]), other])
    done = run("user", "revoke", "--subject", "ada", cwd=tmp_path, env=settings)
    assert done.returncode == 2
    assert "there is more than one issuer" in done.stderr
    assert f"choose from {ISSUER}, https://x.test" in done.stderr
    named = run("user", "revoke", "--subject", "ada", "--issuer", "https://x.test", cwd=tmp_path, env=settings)
    assert named.returncode == 0
    # Ada of the one is not ada of the other.
    assert home.accepting(token("ada")) == {"gateway", "mcp"}


@pytest.mark.parametrize(
    "words", [("token", "revoke", "a.b.c", "--session", "evening"), ("token", "revoke", "a.b.c", "--issuer", ISSUER)]
)
def test_a_token_and_a_sign_in_exclude_each_other(words: tuple[str, ...], home: Home) -> None:
    code, _, errors = home.run(*words)
    assert code == 2
    assert "exclude each other" in errors


@pytest.mark.parametrize("name", ["", " ", "a" * 256, "a\nb"])
def test_names_that_no_token_has_are_refused(name: str, home: Home) -> None:
    for words in (("user", "revoke", f"--subject={name}"), ("token", "revoke", f"--session={name}")):
        code, _, errors = home.run(*words)
        assert code == 2
        assert "a name has 1 to 255 printable characters" in errors


def test_one_service_that_cannot_be_told_does_not_save_the_token_at_the_other(home: Home) -> None:
    lost = token()
    (home.data / "gateway.db").unlink()
    code, said, errors = home.run("token", "revoke", lost)
    assert code == 4
    assert said == "mcp: revoked; in force within 5 s\n"
    assert "gateway: NOT revoked, the database of the gateway service does not exist yet." in errors
    assert "taskgate db upgrade gateway" in errors
    assert home.inspect(lost)["mcp"]["words"] == "it has been revoked"


# Which services


def test_no_private_key_is_needed_to_look_or_to_withdraw(home: Home, tmp_path: Path) -> None:
    settings = configured(home.data)
    lost = token()
    assert run("token", "revoke", cwd=tmp_path, env=settings, given=lost).returncode == 0
    done = run("token", "inspect", cwd=tmp_path, env=settings, given=lost)
    assert done.returncode == 3
    assert done.stdout.count("it has been revoked") == 2


def test_where_one_service_is_configured_the_other_is_named_as_not_told(home: Home, tmp_path: Path) -> None:
    settings = {name: value for name, value in configured(home.data).items() if "GATEWAY_" not in name}
    settings["TASKGATE_GATEWAY_URL"] = GATEWAY_URL
    done = run("user", "revoke", "--subject", "ada", cwd=tmp_path, env=settings)
    assert done.returncode == 0
    assert done.stdout == "mcp: revoked; in force within 5 s\n"
    assert done.stderr.startswith("gateway: NOT revoked, its settings are not here.")
    assert home.rows("gateway") == []


def test_where_nothing_is_configured_every_missing_setting_is_named(tmp_path: Path) -> None:
    done = run("user", "revoke", "--subject", "ada", cwd=tmp_path)
    assert done.returncode == 2
    named = {line.partition(":")[0] for line in done.stderr.splitlines()}
    assert named == {
        "TASKGATE_MCP_URL",
        "TASKGATE_GATEWAY_URL",
        "TASKGATE_MCP_ISSUERS",
        "TASKGATE_GATEWAY_ISSUERS",
    }


def test_beside_a_development_set_up_its_services_are_meant_unless_the_settings_name_others(
    home: Home, tmp_path: Path
) -> None:
    home.data.rename(tmp_path / ".taskgate")
    shutil.copytree(tmp_path / ".taskgate", tmp_path / "elsewhere")
    here, there = (Home(tmp_path / name, home.capsys) for name in (".taskgate", "elsewhere"))
    others = json.dumps([{"issuer": "https://x.test"}])
    settings = configured(there.data) | {"TASKGATE_MCP_ISSUERS": others, "TASKGATE_GATEWAY_ISSUERS": others}

    assert run("user", "revoke", "--subject", "ada", cwd=tmp_path).returncode == 0
    assert run("user", "revoke", "--subject", "ada", cwd=tmp_path, env=settings).returncode == 0

    for name in ("gateway", "mcp"):
        assert [row["issuer"] for row in here.rows(name)] == [ISSUER]
        assert [row["issuer"] for row in there.rows(name)] == ["https://x.test"]


def test_a_directory_that_was_never_set_up_is_named(home: Home, tmp_path: Path) -> None:
    code, _, errors = Home(tmp_path / "nowhere", home.capsys).run("user", "revoke", "--subject", "ada")
    assert code == 2
    assert "was never set up" in errors
