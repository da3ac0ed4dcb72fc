"""What `taskgate connect` promises: words that can be pasted, no token anywhere, and files that lose nothing."""

import json
import stat
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from shared.cli import main
from shared.commands.clients import CLIENTS

URL: Final = "https://tasks.example.com/mcp"
ELSEWHERE: Final = "https://old.example.com/mcp"
FILES: Final = {
    "claude-code": ".mcp.json",
    "vscode": ".vscode/mcp.json",
    "cursor": "home/.cursor/mcp.json",
    "codex": "home/.codex/config.toml",
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of somebody who has just come, and whose home is in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CODEX_HOME", "TASKGATE_MCP_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def connect(*arguments: str) -> int:
    return main(["connect", *arguments])


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What stands on standard output afterwards."""
    assert connect(*arguments) == 0
    return capsys.readouterr().out


def address(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The address that a client is given."""
    found: str = json.loads(printed(capsys, "cursor", "--json", *arguments))["url"]
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What somebody is told who wants what cannot be."""
    assert connect(*arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("taskgate: ")
    assert "Traceback" not in said.err
    return said.err


def entry(client: str) -> Any:
    """What the file of a client says of us."""
    text = Path(FILES[client]).read_bytes().decode()
    found = tomllib.loads(text) if client == "codex" else json.loads(text)
    return found[{"vscode": "servers", "codex": "mcp_servers"}.get(client, "mcpServers")]["taskgate"]


# Which server


def test_without_a_client_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.split()[0] for line in printed(capsys).splitlines()] == list(CLIENTS)
    assert list(json.loads(printed(capsys, "--json"))["clients"]) == list(CLIENTS)


def test_an_unknown_client_is_told_which_ones_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(name in refused(capsys, "telnet") for name in CLIENTS)


def test_the_address_is_the_one_given_or_that_of_the_settings_or_of_the_development_set_up(
    capsys: pytest.CaptureFixture[str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert address(capsys) == "http://127.0.0.1:8001/mcp"
    for name, port in ((".taskgate", 8101), ("other", 8102)):
        (place / name).mkdir()
        urls = {"gateway_url": "http://127.0.0.1:8100", "mcp_url": f"http://127.0.0.1:{port}/mcp"}
        (place / name / "dev.json").write_text(json.dumps(urls))
    assert address(capsys) == "http://127.0.0.1:8101/mcp"
    monkeypatch.setenv("TASKGATE_MCP_URL", URL)
    assert address(capsys) == URL
    assert address(capsys, "--data", "other") == "http://127.0.0.1:8102/mcp"
    assert address(capsys, "--data", "other", "--url", ELSEWHERE) == ELSEWHERE


def test_a_directory_that_was_never_set_up_has_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert "never set up" in refused(capsys, "cursor", "--data", "nowhere")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001/mcp", "http://localhost:1/mcp", "http://[::1]:8001/a/mcp", URL])
def test_an_address_is_taken_as_it_is(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert address(capsys, "--url", url) == url


@pytest.mark.parametrize("client", ["claude-code", "inspector"])
def test_no_shell_takes_an_address_for_a_pattern(capsys: pytest.CaptureFixture[str], client: str) -> None:
    url = "http://[::1]:8001/mcp"
    assert f" '{url}' " in f"{printed(capsys, client, '--url', url).rstrip()} "


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("url", ["http://tasks.example.com/mcp", "http://10.0.0.7:8001/mcp", "http://0.0.0.0:8001/mcp"])
def test_nobody_is_sent_over_an_open_line(capsys: pytest.CaptureFixture[str], client: str, url: str) -> None:
    assert "https" in refused(capsys, client, "--url", url)


@pytest.mark.parametrize(
    "url",
    [
        "tasks.example.com",
        "https://tasks.example.com",
        "https://tasks.example.com/mcp/",
        "https://Tasks.example.com/mcp",
        "https://ada:secret@tasks.example.com/mcp",
        "https://tasks.example.com/mcp?token=secret",
        "https://tasks.example.com/mcp#a",
        "https://tasks.example.com/$(id)/mcp",
        'https://tasks.example.com/"/mcp',
        "https://tasks.example.com/mcp\n",
        "file:///mcp",
    ],
)
def test_what_is_no_address_of_a_tool_server_is_refused(capsys: pytest.CaptureFixture[str], url: str) -> None:
    said = refused(capsys, "codex", "--url", url)
    assert "no address of a tool server" in said
    assert "secret" not in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001/mcp", "https://localhost/mcp"])
def test_claude_cannot_call_an_address_of_this_machine(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert "public https address" in refused(capsys, "claude-desktop", "--url", url)
    assert printed(capsys, "claude-desktop", "--url", URL) == f"{URL}\n"


@pytest.mark.parametrize("client", [name for name in CLIENTS if name not in FILES])
def test_a_client_without_a_file_has_none_written(capsys: pytest.CaptureFixture[str], client: str) -> None:
    assert "no file" in refused(capsys, client, "--url", URL, "--write")


def test_a_client_that_only_signs_in_takes_no_token(capsys: pytest.CaptureFixture[str]) -> None:
    assert "takes no token" in refused(capsys, "claude-desktop", "--url", URL, "--token")


def test_the_variable_of_the_token_disturbs_no_service(capsys: pytest.CaptureFixture[str]) -> None:
    named = printed(capsys, "codex", "--url", URL, "--token")
    assert not tomllib.loads(named)["mcp_servers"]["taskgate"]["bearer_token_env_var"].startswith("TASKGATE_")


# Files


@pytest.mark.parametrize("client", FILES)
@pytest.mark.parametrize("way", [(), ("--token",)])
def test_what_is_written_is_what_is_printed_and_twice_is_once(
    capsys: pytest.CaptureFixture[str], client: str, way: tuple[str, ...]
) -> None:
    told = (client, "--url", URL, *way)
    assert printed(capsys, *told, "--write") == ""
    file = Path(FILES[client])
    once = file.read_bytes()
    if client != "claude-code":
        assert once.decode() == printed(capsys, *told)
    assert json.loads(printed(capsys, *told, "--write", "--json"))["outcome"] == "unchanged"
    assert file.read_bytes() == once
    assert [path.name for path in file.parent.glob("*mcp.json*")] in ([], [file.name])
    assert not Path(f"{file}.bak").exists()


@pytest.mark.parametrize("client", FILES)
def test_no_token_is_ever_looked_at(
    capsys: pytest.CaptureFixture[str], client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_TASKGATE_TOKEN", "a-secret")
    for way in ((), ("--json",), ("--write",)):
        assert connect(client, "--url", URL, "--token", *way) == 0
        said = capsys.readouterr()
        assert "a-secret" not in said.out + said.err
    assert "a-secret" not in Path(FILES[client]).read_text()


def test_programs_are_told_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    told = ("vscode", "--url", URL)
    text = printed(capsys, *told)
    whole = {"client": "vscode", "url": URL, "text": text.rstrip("\n"), "file": ".vscode/mcp.json"}
    assert json.loads(printed(capsys, *told, "--json")) == {**whole, "outcome": None}
    for outcome in ("added", "unchanged"):
        assert json.loads(printed(capsys, *told, "--json", "--write")) == {**whole, "outcome": outcome}
    assert json.loads(printed(capsys, *told, "--json", "--write", "--token"))["outcome"] == "replaced"
    assert json.loads(printed(capsys, "inspector", "--url", URL, "--json"))["file"] is None


@pytest.mark.parametrize("client", FILES)
def test_an_entry_that_led_somewhere_else_is_replaced_and_said(capsys: pytest.CaptureFixture[str], client: str) -> None:
    connect(client, "--url", ELSEWHERE, "--token", "--write")
    former = Path(FILES[client]).read_bytes()
    capsys.readouterr()
    assert connect(client, "--url", URL, "--write") == 0
    assert ELSEWHERE in capsys.readouterr().err
    assert entry(client)["url"] == URL
    assert not {"headers", "bearer_token_env_var"} & entry(client).keys()
    assert Path(f"{FILES[client]}.bak").read_bytes() == former


def test_what_people_added_to_the_entry_stays(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".mcp.json").write_text(
        json.dumps({"mcpServers": {"taskgate": {"command": "npx", "args": ["taskgate"], "timeout": 9}}})
    )
    assert connect("claude-code", "--url", URL, "--write") == 0
    assert entry("claude-code") == {"type": "http", "url": URL, "timeout": 9}
    file = Path(FILES["codex"])
    file.parent.mkdir(parents=True)
    theirs = (
        '# mine\n[mcp_servers.taskgate] # too\nurl = "x" # old\nenabled = true\n\n[mcp_servers.taskgate.a]\nb = 1\n'
    )
    file.write_text(theirs)
    assert connect("codex", "--url", URL, "--token", "--write") == 0
    assert file.read_text() == theirs.replace(
        'url = "x" # old\n', f'url = "{URL}"\nbearer_token_env_var = "MCP_TASKGATE_TOKEN"\n'
    )
    capsys.readouterr()
    assert connect("codex", "--url", URL, "--token", "--write") == 0
    assert "nothing had to be changed" in capsys.readouterr().err


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_everything_else_stays_byte_for_byte(end: str) -> None:
    before = '{\n\t"servers": {\n\t\t"b":   {"url": "x"}\n\t},  "inputs": [ {"id": "é"} ]\n}\n\n'.replace("\n", end)
    file = Path(FILES["vscode"])
    file.parent.mkdir()
    file.write_bytes(before.encode())
    assert connect("vscode", "--url", URL, "--token", "--write") == 0
    after = file.read_bytes().decode()
    servers, inputs = after.split('"inputs"')
    assert servers.startswith(before[: before.index("}") + 1] + f',{end}\t\t"taskgate": {{{end}\t\t\t"type": "http",')
    assert servers.endswith(f"{end}\t}},  ")
    assert inputs.startswith(': [ {"id": "é"},')
    assert inputs.endswith(f"}} ]{end}}}{end}{end}")
    assert ("\r" in after) == (end == "\r\n")
    assert after.count("\n") == after.count(end)
    assert json.loads(after)["servers"]["b"] == {"url": "x"}


@pytest.mark.parametrize("before", ["", "\n", "{}", '{"mcpServers": {}}', '{"other": [1, {"id": 2}]}'])
def test_an_empty_place_is_filled(before: str) -> None:
    Path(".mcp.json").write_text(before)
    assert connect("claude-code", "--url", URL, "--write") == 0
    others = {"other": [1, {"id": 2}]} if "other" in before else {}
    assert json.loads(Path(".mcp.json").read_text()) == {
        **others,
        "mcpServers": {"taskgate": {"type": "http", "url": URL}},
    }
    assert Path(".mcp.json.bak").read_text() == before


@pytest.mark.parametrize(
    ("client", "before"),
    [
        ("vscode", b'{\n  // mine\n  "servers": {}\n}'),
        ("vscode", b'{"servers": {},}'),
        ("vscode", b"[]"),
        ("vscode", b'{"servers": []}'),
        ("vscode", b"\xff\xfe{}"),
        ("vscode", b"[" * 100_000),
        ("codex", b"[mcp_servers\n"),
        ("codex", b'mcp_servers = {taskgate = {url = "x"}}\n'),
        ("codex", b"mcp_servers = {}\n"),
        ("codex", b'[mcp_servers.taskgate]\nargs = [\n"a",\n]\n'),
        ("codex", b'[mcp_servers]\ntaskgate.url = "x"\n'),
        ("codex", b'text = """\n[mcp_servers.taskgate]\n"""\n'),
    ],
)
def test_a_file_that_cannot_be_edited_is_left_alone_and_the_lines_are_printed(
    capsys: pytest.CaptureFixture[str], client: str, before: bytes
) -> None:
    file = Path(FILES[client])
    file.parent.mkdir(parents=True)
    file.write_bytes(before)
    assert connect(client, "--url", URL, "--write") == 2
    said = capsys.readouterr()
    assert "left as it is" in said.err
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    assert said.out == printed(capsys, client, "--url", URL)


def test_a_file_keeps_its_mode_and_a_link_leads_where_it_led(place: Path) -> None:
    real = place / "dotfiles" / "codex.toml"
    real.parent.mkdir()
    real.write_text("model = 'x'\n")
    real.chmod(0o640)
    link = Path(FILES["codex"])
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    assert connect("codex", "--url", URL, "--write") == 0
    assert link.is_symlink()
    assert real.read_text() == f"model = 'x'\n\n[mcp_servers.taskgate]\nurl = \"{URL}\"\n"
    for file in (real, real.with_name("codex.toml.bak")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(path.name for path in real.parent.iterdir()) == ["codex.toml", "codex.toml.bak"]


def test_codex_may_have_another_home(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_HOME", str(place / "elsewhere"))
    assert connect("codex", "--url", URL, "--write") == 0
    assert (place / "elsewhere" / "config.toml").exists()


def test_what_is_no_file_is_refused(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    (place / ".mcp.json").mkdir()
    (place / ".vscode").write_text("")
    (place / "home").mkdir()
    (place / "home" / ".codex").mkdir()
    (place / FILES["codex"]).symlink_to(place / FILES["codex"])
    for client in ("claude-code", "vscode", "codex"):
        assert connect(client, "--url", URL, "--write") == 2
        said = capsys.readouterr()
        assert URL in said.out
        assert "put the lines above into it yourself" in said.err
