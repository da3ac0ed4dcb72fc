"""What the settings loader promises: order of sources, every fault at once, and secrets that never print."""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator

from shared.service import ServiceSettings
from shared.settings import (
    ALIASES,
    KNOWN,
    Loaded,
    Settings,
    SettingsFault,
    describe,
    environment,
    load,
    setting,
    show,
)

HUNTER = "hunter2-correct-horse"


@dataclass(frozen=True)
class Issuer:
    name: str
    scopes: tuple[str, ...] = ()


class Model(BaseModel):
    kind: str


class Example(ServiceSettings):
    """One setting of each kind that a service has."""

    database_url: SecretStr | None = setting(
        "TASKGATE_GATEWAY_DATABASE_URL", "Where rows live.", default=None, secret=True
    )
    keys: Annotated[tuple[SecretStr, ...], Field(min_length=1)] = setting(
        "TASKGATE_GATEWAY_SIGNING_KEYS", "Keys, the first signs.", default=(SecretStr("horse-battery"),), secret=True
    )
    issuers: tuple[Issuer, ...] = setting("TASKGATE_GATEWAY_ISSUERS", "Who is believed.", default=())
    model: Model | None = setting("TASKGATE_GATEWAY_MODEL", "Which model answers.", default=None)
    hosts: frozenset[str] = setting("TASKGATE_GATEWAY_HOSTS", "Further hosts.", default=frozenset())
    model_url: str | None = setting("TASKGATE_GATEWAY_MODEL_URL", "Where the model is.", default=None)
    model_key: SecretStr | None = setting("TASKGATE_GATEWAY_MODEL_KEY", "Opens the model.", default=None, secret=True)

    @field_validator("database_url")
    @classmethod
    def _has_a_port(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            int(value.get_secret_value().rpartition(":")[2])  # quotes what it refuses, as libraries do
        return value


URLS = {"TASKGATE_MCP_URL": "https://tools.example.com/mcp", "TASKGATE_GATEWAY_URL": "https://chat.example.com"}


class Place:
    """A directory, a secrets directory and an environment that start empty."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "work"
        self.secrets = root / "secrets"
        self.directory.mkdir()
        self.secrets.mkdir()

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def load(
        self, environ: Mapping[str, str] | None = None, *, given: Mapping[str, str] | None = None, urls: bool = True
    ) -> Loaded[Example]:
        return load(
            Example,
            given=given or {},
            environ={**(URLS if urls else {}), **(environ or {})},
            directory=self.directory,
            secrets=self.secrets,
        )

    def faults(
        self, environ: Mapping[str, str] | None = None, *, given: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        with pytest.raises(SettingsFault) as caught:
            self.load(environ, given=given)
        return caught.value.faults

    def fault(self, environ: Mapping[str, str] | None = None, *, given: Mapping[str, str] | None = None) -> str:
        (fault,) = self.faults(environ, given=given)
        return fault


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# Order


def test_the_first_source_that_has_a_value_wins(place: Place) -> None:
    name = "TASKGATE_POOL_SIZE"
    named = place.write("named", "13\n")
    (place.secrets / name.lower()).write_text("14\n")
    place.write(".env", f"{name}=15\n")
    place.write("taskgate.toml", f"{name} = 16\n")

    def found(environ: Mapping[str, str], **more: Any) -> tuple[int, str]:
        loaded = place.load(environ, **more)
        return loaded.settings.pool_size, loaded.sources[name]

    assert found({name: "12"}, given={name: "11"}) == (11, "command line")
    assert found({f"{name}_FILE": "named"}, given={name: "11"}) == (11, "command line")
    assert found({name: "12"}) == (12, "environment")
    assert found({f"{name}_FILE": str(named)}) == (13, str(named))
    assert found({f"{name}_FILE": "named"}) == (13, str(named))
    assert found({}) == (14, str(place.secrets / name.lower()))
    (place.secrets / name.lower()).unlink()
    assert found({}) == (15, ".env")
    (place.directory / ".env").unlink()
    assert found({}) == (16, "taskgate.toml")
    (place.directory / "taskgate.toml").unlink()
    assert found({}) == (10, "default")


@pytest.mark.parametrize("source", ["command line", "environment", "NAME_FILE", "secrets", ".env", "taskgate.toml"])
def test_an_empty_value_is_not_set_in_any_source(place: Place, source: str) -> None:
    name = "TASKGATE_LOG_LEVEL"
    environ, typed = {}, {}
    match source:
        case "command line":
            typed = {name: ""}
        case "environment":
            environ = {name: "", f"{name}_FILE": ""}
        case "NAME_FILE":
            environ = {f"{name}_FILE": str(place.write("empty", "\n"))}
        case "secrets":
            (place.secrets / name.lower()).write_text("")
        case ".env":
            place.write(".env", f"{name}=\n")
    place.write("taskgate.toml", f'{name} = ""\n' if source == "taskgate.toml" else f'{name} = "debug"\n')
    loaded = place.load(environ, given=typed)
    expected = ("info", "default") if source == "taskgate.toml" else ("debug", "taskgate.toml")
    assert (loaded.settings.log_level, loaded.sources[name]) == expected


def test_an_empty_required_value_is_missing(place: Place) -> None:
    fault = place.fault({"TASKGATE_MCP_URL": ""})
    assert fault.startswith("TASKGATE_MCP_URL: is required. Public URL of the tool server")
    assert fault.endswith("Example: TASKGATE_MCP_URL=https://tools.example.com/mcp")


@pytest.mark.parametrize("source", ["environment", ".env", "taskgate.toml"])
def test_a_name_and_its_file_together_are_a_fault(place: Place, source: str) -> None:
    path = place.write("level", "debug")
    both = {"TASKGATE_LOG_LEVEL": "debug", "TASKGATE_LOG_LEVEL_FILE": str(path)}
    if source != "environment":
        place.write(source, "".join(f"{name}={json.dumps(value)}\n" for name, value in both.items()))
    fault = place.fault(both if source == "environment" else {})
    assert fault.startswith(f"TASKGATE_LOG_LEVEL: stands beside TASKGATE_LOG_LEVEL_FILE in {source}; keep one")


def test_an_empty_name_beside_its_file_is_no_fault(place: Place) -> None:
    path = place.write("level", "debug")
    loaded = place.load({"TASKGATE_LOG_LEVEL": "", "TASKGATE_LOG_LEVEL_FILE": str(path)})
    assert loaded.settings.log_level == "debug"


@pytest.mark.parametrize(
    ("content", "expected"), [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("a", "a")]
)
def test_a_file_loses_one_trailing_newline_and_nothing_else(place: Place, content: str, expected: str) -> None:
    (place.secrets / "taskgate_gateway_model_key").write_bytes(content.encode())
    key = place.load().settings.model_key
    assert key is not None
    assert key.get_secret_value() == expected


def test_names_of_other_programs_count_in_the_environment_alone_and_after_our_own(place: Place) -> None:
    def key(environ: Mapping[str, str]) -> tuple[str | None, str]:
        loaded = place.load(environ)
        secret = loaded.settings.model_key
        return secret.get_secret_value() if secret else None, loaded.sources["TASKGATE_GATEWAY_MODEL_KEY"]

    own = str(place.write("own", "filed"))
    assert key({"OPENAI_API_KEY": "theirs"}) == ("theirs", "environment, OPENAI_API_KEY")
    assert key({"OPENAI_API_KEY": ""}) == (None, "default")
    assert key({"OPENAI_API_KEY": "theirs", "TASKGATE_GATEWAY_MODEL_KEY": "ours"}) == ("ours", "environment")
    assert key({"OPENAI_API_KEY": "theirs", "TASKGATE_GATEWAY_MODEL_KEY_FILE": own}) == ("filed", own)
    place.write(".env", "OPENAI_API_KEY=elsewhere\nTASKGATE_GATEWAY_MODEL_KEY=dotenv\n")
    assert key({"OPENAI_API_KEY": "theirs"}) == ("theirs", "environment, OPENAI_API_KEY")
    assert key({}) == ("dotenv", ".env")
    assert place.load({"OPENAI_BASE_URL": "http://m/v1"}).settings.model_url == "http://m/v1"
    assert set(ALIASES.values()) <= set(KNOWN)


def test_the_process_environment_and_the_working_directory_are_the_defaults(tmp_path: Path) -> None:
    # Both belong to a process, so this asks a process of its own.
    (tmp_path / ".env").write_text("TASKGATE_POOL_SIZE=21\n")
    code = """
from shared.service import ServiceSettings
from shared.settings import environment, load
loaded = load(ServiceSettings)
print(loaded.settings.mcp_url, loaded.settings.pool_size)
copy = environment()
copy["TASKGATE_ENV"] = "dev"
print(load(ServiceSettings).settings.env, copy["TASKGATE_MCP_URL"])
"""
    root = Path(__file__).parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(root), **URLS},
        capture_output=True,
        text=True,
        check=True,
    )
    url = URLS["TASKGATE_MCP_URL"]
    assert answer.stdout.splitlines() == [f"{url} 21", f"production {url}"]


def test_the_environment_is_handed_out_as_a_copy() -> None:
    copy = environment()
    copy["TASKGATE_ENV"] = "dev"
    assert environment() != copy


# Files


def test_dotenv_reads_quotes_comments_and_export(place: Place) -> None:
    place.write(
        ".env",
        "\ufeffTASKGATE_ENV=dev\n"
        '# comment\n\nexport TASKGATE_LOG_LEVEL = debug # why\r\nOTHER=$(is not ours\nTASKGATE_POOL_SIZE="7"\n'
        'TASKGATE_GATEWAY_HOSTS=\'a.example, b#c\' # two\nTASKGATE_GATEWAY_MODEL_KEY="one\\ntwo \\"quoted\\""\n'
        "TASKGATE_GATEWAY_MODEL_URL=http://m/v1#part\nTASKGATE_DRAIN_S= # nothing\n",
    )
    found = place.load().settings
    assert (found.env, found.log_level, found.pool_size, found.drain_s) == ("dev", "debug", 7, 25)
    assert found.hosts == {"a.example", "b#c"}
    assert found.model_key == SecretStr('one\ntwo "quoted"')
    assert found.model_url == "http://m/v1#part"


def test_every_broken_line_of_dotenv_is_counted_and_none_is_quoted(place: Place) -> None:
    place.write(
        ".env", f"TASKGATE_GATEWAY_MODEL_KEY='{HUNTER}\nTASKGATE_ENV=dev\nTASKGATE_GATEWAY_MODEL_KEY {HUNTER}\n"
    )
    fault = place.fault()
    assert fault.startswith(".env: line 1, 3 cannot be read")
    assert HUNTER not in fault


def test_toml_values_keep_their_types(place: Place) -> None:
    place.write(
        "taskgate.toml",
        'TASKGATE_POOL_SIZE = 7\nTASKGATE_GATEWAY_HOSTS = ["a", "b"]\nTASKGATE_TRUSTED_PROXIES = "10.0.0.1, ::1"\n'
        '[[TASKGATE_GATEWAY_ISSUERS]]\nname = "ada"\nscopes = ["read"]\n',
    )
    found = place.load().settings
    assert (found.pool_size, found.hosts, found.trusted_proxies) == (7, frozenset({"a", "b"}), ("10.0.0.1", "::1"))
    assert found.issuers == (Issuer("ada", ("read",)),)


@pytest.mark.parametrize(
    ("content", "position"),
    [(f"TASKGATE_GATEWAY_MODEL_KEY = {HUNTER}", " at line 1, column 30"), ("A = " + "[" * 5000, "")],
)
def test_broken_toml_is_a_fault_that_quotes_nothing(place: Place, content: str, position: str) -> None:
    place.write("taskgate.toml", content)
    assert place.fault() == f"taskgate.toml: is not TOML{position}."


def test_a_file_that_cannot_be_read_is_a_fault_without_its_path(place: Place) -> None:
    # People put the secret itself where the name of its file belongs.
    faults = place.faults(
        {"TASKGATE_GATEWAY_MODEL_KEY_FILE": HUNTER, "TASKGATE_MCP_URL": "", "TASKGATE_MCP_URL_FILE": "."}
    )
    url, key = faults
    assert url == (
        "TASKGATE_MCP_URL: the file named by TASKGATE_MCP_URL_FILE (environment) cannot be read: Is a directory. "
        "Example: TASKGATE_MCP_URL=https://tools.example.com/mcp"
    )
    assert key == (
        "TASKGATE_GATEWAY_MODEL_KEY: the file named by TASKGATE_GATEWAY_MODEL_KEY_FILE (environment) cannot be read: "
        "No such file or directory."
    )


def test_unreadable_files_in_their_usual_places_are_faults(place: Place) -> None:
    (place.directory / ".env").mkdir()
    (place.directory / "taskgate.toml").write_bytes(b"\xff\xfe")
    (place.secrets / "taskgate_log_level").symlink_to(place.secrets / "nowhere")
    dotenv, toml, secret = place.faults()
    assert dotenv == ".env: it cannot be read: Is a directory."
    assert toml == "taskgate.toml: it cannot be read: its name or its content is not UTF-8 text."
    assert secret.startswith(f"TASKGATE_LOG_LEVEL: {place.secrets}/taskgate_log_level cannot be read: No such file")


def test_a_fault_in_one_setting_does_not_blame_another(place: Place) -> None:
    urls = {"TASKGATE_MCP_URL": "http://tools.example.com/mcp", "TASKGATE_ENV_FILE": "nowhere"}
    assert place.fault(urls).startswith("TASKGATE_ENV: ")
    assert place.fault({**urls, "TASKGATE_ENV_FILE": "", "TASKGATE_ENV": "test"}).startswith(
        "TASKGATE_ENV (environment): "
    )


# Names


@pytest.mark.parametrize("source", ["command line", "environment", ".env", "taskgate.toml"])
def test_a_misspelled_name_is_a_fault_with_the_nearest_name(place: Place, source: str) -> None:
    wrong = {"TASKGATE_MCP_STATE_KEY_FILE": HUNTER, "TASKGATE_LOGLEVEL": HUNTER, "taskgate_mcp_hosts": ""}
    if source in (".env", "taskgate.toml"):
        place.write(source, "".join(f"{name}={json.dumps(value)}\n" for name, value in wrong.items()))
    faults = place.faults(wrong if source == "environment" else {}, given=wrong if source == "command line" else {})
    assert faults == (
        f"TASKGATE_MCP_STATE_KEY_FILE ({source}): is no setting; the nearest name is TASKGATE_MCP_STATE_KEYS_FILE.",
        f"TASKGATE_LOGLEVEL ({source}): is no setting; the nearest name is TASKGATE_LOG_LEVEL.",
        f"taskgate_mcp_hosts ({source}): is no setting; the nearest name is TASKGATE_MCP_HOSTS.",
    )


def test_every_key_of_the_toml_file_has_to_be_a_setting(place: Place) -> None:
    place.write("taskgate.toml", "mcp_url = 1\n")
    assert place.fault() == "mcp_url (taskgate.toml): is no setting; the nearest name is TASKGATE_MCP_URL."


def test_settings_of_the_other_service_are_known_and_left_alone(place: Place) -> None:
    place.write(".env", "TASKGATE_MCP_ISSUERS=not json\nTASKGATE_MCP_STATE_KEYS_FILE=nowhere\nPATH=/bin\n")
    loaded = place.load({"TASKGATE_MCP_BIND": "127.0.0.1:1", "HOME": "/root"})
    assert set(loaded.sources) == {row.variable for row in describe(Example)}


def test_known_names_are_unique_and_do_not_look_like_service_links(place: Place) -> None:
    assert len(set(KNOWN)) == len(KNOWN) <= 45
    assert {row.variable for row in describe(ServiceSettings)} == set(KNOWN[:8])
    assert not [name for name in KNOWN if not name.startswith("TASKGATE_") or name.endswith(("_PORT", "_FILE"))]
    place.load({name: "" for name in KNOWN if name not in URLS})


@pytest.mark.parametrize("service", ["MCP", "GATEWAY"])
def test_kubernetes_service_links_are_skipped_in_the_environment_alone(place: Place, service: str) -> None:
    rests = (
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_HTTP",
        "PORT",
        "PORT_8001_TCP",
        "PORT_8001_TCP_ADDR",
        "PORT_8001_TCP_PORT",
        "PORT_8001_TCP_PROTO",
    )
    links = {f"TASKGATE_{service}_{rest}": "tcp://10.0.0.1:8001" for rest in rests}
    place.load(links)
    assert len(place.faults({f"TASKGATE_{service}_PORTS": "1", f"TASKGATE_{service}_SERVICE": "1"})) == 2
    place.write(".env", f"TASKGATE_{service}_PORT=8001\n")
    assert place.fault(links).startswith(f"TASKGATE_{service}_PORT (.env): is no setting")


# Values


def test_all_faults_are_told_at_once_each_with_its_variable_reason_and_example(place: Place) -> None:
    level, size = place.faults({"TASKGATE_POOL_SIZE": "0", "TASKGATE_LOG_LEVEL": "loud"})
    assert level.startswith("TASKGATE_LOG_LEVEL (environment): Input should be 'debug', 'info', 'warning' or 'error'. ")
    assert level.endswith("Example: TASKGATE_LOG_LEVEL=info")
    assert size.startswith("TASKGATE_POOL_SIZE (environment): Input should be greater than or equal to 1. ")
    assert size.endswith("Example: TASKGATE_POOL_SIZE=10")
    with pytest.raises(SettingsFault) as caught:
        place.load({"TASKGATE_POOL_SIZE": "0", "TASKGATE_LOG": "", "TASKGATE_GATEWAY_ISSUERS": "{"}, urls=False)
    assert [fault.split(":")[0].split(" ")[0] for fault in caught.value.faults] == [
        "TASKGATE_LOG",
        "TASKGATE_POOL_SIZE",
        "TASKGATE_MCP_URL",
        "TASKGATE_GATEWAY_URL",
        "TASKGATE_GATEWAY_ISSUERS",
    ]
    assert str(caught.value) == "\n".join(caught.value.faults)


@pytest.mark.parametrize(("name", "bad"), [("POOL_SIZE", "101"), ("DRAIN_S", "601"), ("DRAIN_S", "-1"), ("ENV", "Dev")])
def test_values_outside_their_range_are_faults(place: Place, name: str, bad: str) -> None:
    assert place.fault({f"TASKGATE_{name}": bad}).startswith(f"TASKGATE_{name} (environment): ")


@pytest.mark.parametrize("text", ["a.example,[::1]:8001", " a.example , [::1]:8001,", '["a.example", "[::1]:8001"]'])
def test_lists_are_separated_by_commas_or_written_as_json(place: Place, text: str) -> None:
    assert place.load({"TASKGATE_GATEWAY_HOSTS": text}).settings.hosts == {"a.example", "[::1]:8001"}


def test_a_list_may_begin_with_an_address_in_brackets(place: Place) -> None:
    assert place.load({"TASKGATE_GATEWAY_HOSTS": "[::1]:8001,b"}).settings.hosts == {"[::1]:8001", "b"}
    assert place.load({"TASKGATE_GATEWAY_HOSTS": "[]"}).settings.hosts == frozenset()
    assert place.fault({"TASKGATE_GATEWAY_HOSTS": '["a", b]'}).startswith(
        "TASKGATE_GATEWAY_HOSTS (environment): is not JSON at line 1 column 7."
    )


@pytest.mark.parametrize("text", ["https://login.example.com", "[{]", "[" * 5000, '["\ud800"]'])
def test_structured_values_that_are_not_json_are_faults(place: Place, text: str) -> None:
    assert "is not JSON" in place.fault({"TASKGATE_GATEWAY_ISSUERS": text})


def test_structured_values_are_json_of_the_type_of_the_field(place: Place) -> None:
    found = place.load(
        {
            "TASKGATE_GATEWAY_ISSUERS": '[{"name": "ada", "scopes": ["read"]}, {"name": "bob"}]',
            "TASKGATE_GATEWAY_MODEL": '{"kind": "offline"}',
            "TASKGATE_GATEWAY_SIGNING_KEYS": "one, two",
        }
    ).settings
    assert found.issuers == (Issuer("ada", ("read",)), Issuer("bob"))
    assert found.model == Model(kind="offline")
    assert found.keys == (SecretStr("one"), SecretStr("two"))
    nested = place.fault({"TASKGATE_GATEWAY_ISSUERS": '[{"name": "ada"}, {"scopes": 1}]'})
    assert "1.name: Field required; 1.scopes: Input should be a valid tuple." in nested


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ("production", "https://tools.example.com/mcp"),
        ("production", "https://tools.example.com:8443/a/mcp"),
        ("production", "http://127.0.0.1:8001/mcp"),
        ("production", "http://[::1]:8001/mcp"),
        ("production", "http://localhost/mcp"),
        ("dev", "http://mcp_server:8001/mcp"),
    ],
)
def test_public_urls_that_hold_are_kept_byte_for_byte(place: Place, env: str, url: str) -> None:
    found = place.load({"TASKGATE_ENV": env, "TASKGATE_MCP_URL": url, "TASKGATE_GATEWAY_URL": url[: url.index("/", 8)]})
    assert found.settings.mcp_url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("tools.example.com/mcp", "absolute"),
        ("/mcp", "absolute"),
        ("ftp://tools.example.com/mcp", "absolute"),
        ("https:///mcp", "absolute"),
        ("https://tools.example.com/mcp/", "slash"),
        ("https://tools.example.com/mcp?", "query"),
        ("https://tools.example.com/mcp#top", "fragment"),
        ("https://ada:pw@tools.example.com/mcp", "user"),
        ("https://Tools.example.com/mcp", "lower-case"),
        ("https://tools.example.com:65536/mcp", "absolute"),
        ("https://tools.example.com/mcp\n", "absolute"),
        ("https://tools.example.com", "/mcp"),
        ("https://tools.example.com/xmcp", "/mcp"),
        ("https://tools.example.com:443/mcp", "port"),
        ("http://tools.example.com/mcp", "https"),
        ("http://127.example.com/mcp", "https"),
        ("http://0.0.0.0:8001/mcp", "https"),
    ],
)
def test_public_urls_in_any_other_spelling_are_refused(place: Place, url: str, reason: str) -> None:
    fault = place.fault({"TASKGATE_MCP_URL": url})
    assert reason in fault.partition(": ")[2].partition("Example")[0]


def test_the_gateway_has_no_path(place: Place) -> None:
    assert "no path" in place.fault({"TASKGATE_GATEWAY_URL": "https://chat.example.com/app"})
    assert "no trailing slash" in place.fault({"TASKGATE_GATEWAY_URL": "https://chat.example.com/"})


@pytest.mark.parametrize("proxies", ["*", "proxy", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,null"])
def test_trusted_proxies_are_addresses_and_nothing_else(place: Place, proxies: str) -> None:
    assert "IP addresses or networks" in place.fault({"TASKGATE_TRUSTED_PROXIES": proxies})


# Secrets


def test_secrets_appear_in_nothing_that_is_printed(place: Place) -> None:
    loaded = place.load(
        {
            "TASKGATE_GATEWAY_SIGNING_KEYS": f"{HUNTER},{HUNTER}",
            "TASKGATE_GATEWAY_MODEL_KEY": HUNTER,
            "TASKGATE_GATEWAY_DATABASE_URL": f"postgresql://ada:{HUNTER}@db:5432",
        }
    )
    printed = [
        repr(loaded),
        str(loaded),
        str(loaded.settings),
        repr(loaded.settings),
        loaded.settings.model_dump_json(),
    ]
    printed += [repr(show(loaded)), repr(describe(Example)), json.dumps(Example.model_json_schema(), default=str)]
    assert not [text for text in printed if HUNTER in text or "horse-battery" in text]
    values = {row.variable: row.value for row in show(loaded)}
    assert values["TASKGATE_GATEWAY_SIGNING_KEYS"] == values["TASKGATE_GATEWAY_DATABASE_URL"] == "set"


def test_faults_of_secrets_never_hold_their_value(place: Place) -> None:
    (place.secrets / "taskgate_gateway_model_key").write_bytes(HUNTER.encode() + b"\xff")
    with pytest.raises(SettingsFault) as caught:
        place.load(
            {
                "TASKGATE_GATEWAY_DATABASE_URL": f"postgresql://ada@db:{HUNTER}",
                "TASKGATE_GATEWAY_SIGNING_KEYS": f'[{{"{HUNTER}": "{HUNTER}"}}]'.replace("[{", '["", {'),
                "TASKGATE_KEY": HUNTER,
                "TASKGATE_MCP_URL": f"https://ada:{HUNTER}@db/mcp",
            }
        )
    error = caught.value
    assert len(error.faults) == 5
    # Whoever logs this logs the whole chain.
    text = "".join(traceback.format_exception(error)) + str(error) + repr(error) + repr(error.args)
    assert HUNTER not in text
    assert error.__cause__ is None
    assert error.__context__ is None
    assert any(
        fault.startswith("TASKGATE_GATEWAY_DATABASE_URL (environment): is not acceptable.") for fault in error.faults
    )


def test_the_reason_is_told_where_it_cannot_hold_a_secret(place: Place) -> None:
    assert "at least 1 item" in place.fault({"TASKGATE_GATEWAY_SIGNING_KEYS": ","})
    assert place.fault({"TASKGATE_GATEWAY_SIGNING_KEYS": "[1, 2]"}).count("Input should be a valid string") == 1


def test_building_settings_by_hand_does_not_print_what_it_refuses() -> None:
    with pytest.raises(ValidationError) as caught:
        Example.model_validate({"keys": HUNTER, "mcp_url": "https://a.example/mcp", "gateway_url": "https://b.example"})
    assert HUNTER not in str(caught.value)


def test_a_secret_has_to_have_a_type_that_hides_it() -> None:
    with pytest.raises(TypeError, match=r"Loose\.key is secret"):

        class Loose(Settings):
            key: str = setting("TASKGATE_GATEWAY_MODEL_KEY", "Opens the model.", secret=True)


def test_a_field_has_to_name_its_variable() -> None:
    with pytest.raises(TypeError, match=r"Nameless\.size has to be made by setting"):

        class Nameless(Settings):
            size: int = 3


# What is shown


def test_show_tells_value_and_source_and_hides_passwords_in_urls(place: Place) -> None:
    place.write(".env", "TASKGATE_GATEWAY_MODEL_URL=http://ada:p/w@d@models.example:80/v1\n")
    rows = {
        row.variable: (row.value, row.source)
        for row in show(place.load({"TASKGATE_GATEWAY_ISSUERS": '[{"name": "https://bob:pw@x"}, {"name": "a@b"}]'}))
    }
    assert rows["TASKGATE_GATEWAY_MODEL_URL"] == ("http://ada:***@models.example:80/v1", ".env")
    assert (
        rows["TASKGATE_GATEWAY_ISSUERS"][0] == '[{"name":"https://bob:***@x","scopes":[]},{"name":"a@b","scopes":[]}]'
    )
    assert rows["TASKGATE_MCP_URL"] == ("https://tools.example.com/mcp", "environment")
    assert rows["TASKGATE_GATEWAY_MODEL_KEY"] == ("not set", "default")
    assert rows["TASKGATE_TRUSTED_PROXIES"] == ("none", "default")
    assert rows["TASKGATE_POOL_SIZE"] == ("10", "default")


def test_describe_tells_every_setting_in_order() -> None:
    rows = {row.variable: row for row in describe(Example)}
    assert list(rows)[:2] == ["TASKGATE_ENV", "TASKGATE_LOG_LEVEL"]
    assert rows["TASKGATE_POOL_SIZE"][1:] == ("Database connections of one process, all opened at start.", "10", False)
    assert rows["TASKGATE_MCP_URL"].default == "required"
    assert rows["TASKGATE_GATEWAY_MODEL_KEY"][2:] == ("none", True)
    assert all(row.meaning.endswith(".") for row in rows.values())


def test_settings_and_sources_do_not_change(place: Place) -> None:
    loaded = place.load()
    with pytest.raises(ValidationError):
        loaded.settings.pool_size = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        loaded.sources["TASKGATE_ENV"] = "here"  # type: ignore[index]


# Anything at all

NAMES = st.one_of(
    st.sampled_from([*KNOWN, *(f"{name}_FILE" for name in KNOWN), *ALIASES]),
    st.text(max_size=20).map("TASKGATE_".__add__),
    st.text(max_size=20),
)
VALUES = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=[])),
    st.sampled_from(["", ".", "[", "{}", '["', "[{}]", "10", "dev", "\0", "\ud800", *URLS.values()]),
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ).map(json.dumps),
)
MAPPINGS = st.dictionaries(NAMES, VALUES, max_size=12)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_values=MAPPINGS, environ=MAPPINGS, dotenv=MAPPINGS, toml=st.one_of(st.just(""), st.text(), MAPPINGS.map(str))
)
def test_anything_at_all_loads_or_is_a_fault(
    place: Place, given_values: dict[str, str], environ: dict[str, str], dotenv: dict[str, str], toml: str
) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in dotenv.items())
    (place.directory / ".env").write_bytes(lines.encode("utf-8", "surrogatepass"))
    (place.directory / "taskgate.toml").write_bytes(toml.encode("utf-8", "surrogatepass"))
    try:
        loaded = place.load(environ, given=given_values)
    except SettingsFault as fault:
        told = fault.faults
        str(fault).encode()
    else:
        told = tuple(row.value for row in show(loaded))
    assert told
