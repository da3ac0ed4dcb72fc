"""`taskgate dev` as a person or a script runs it: real processes, real ports, and nothing left behind."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from shared import __version__
from tests.end_to_end.clients import Kept, python_client
from tests.end_to_end.processes import FREE, PATIENCE_S, Dev, running, started, taskgate
from tests.engines import PostgresDatabase
from tests.issuer import approve
from tests.living import MODERN
from tests.web import web


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Generator[Dev]:
    """One set-up for the tests that only look at it."""
    with running(tmp_path_factory.mktemp("dev") / "data", ports=("--gateway-port", "0", "--mcp-port", "0")) as found:
        yield found


def status(url: str, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.get(url, headers=headers, timeout=30).status_code


def call_status(mcp_url: str, token: str) -> int:
    """How the tool server answers a request with this token."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {}}
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    return httpx2.post(mcp_url, json=body, headers=headers, timeout=30).status_code


def test_the_one_line_says_where_everything_is(dev: Dev) -> None:
    assert sorted(dev.facts) == ["chat_url", "chatkit_url", "issuer_url", "mcp_url", "pids", "subject", "token"]
    assert dev.facts["subject"] == "ada"
    assert sorted(dev.facts["pids"]) == ["gateway", "issuer", "mcp"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#token=[\w.-]+", dev.facts["chat_url"])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/chatkit", dev.facts["chatkit_url"])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/mcp", dev.facts["mcp_url"])
    assert re.fullmatch(r"http://127\.0\.0\.1:80\d\d", dev.facts["issuer_url"])


def test_everything_is_ready_when_the_line_is_there(dev: Dev) -> None:
    for url in (dev.gateway_url, dev.mcp_url.removesuffix("/mcp"), dev.issuer_url):
        assert status(f"{url}/readyz") == 200


@pytest.mark.anyio
async def test_a_client_finds_out_by_itself_how_to_sign_in_and_sees_the_same_tasks(dev: Dev) -> None:
    async with dev.tools(dev.facts["token"]) as ada:
        await ada.add("Water the plants")
    async with python_client(dev.mcp_url, MODERN, approve) as client:
        assert "Water the plants" in (await client.call("tasks_find")).text
        await client.call("tasks_complete", refs=["#1"])
    async with dev.tools(dev.facts["token"]) as ada:
        assert await ada.titles("is:open") == []


@pytest.mark.anyio
async def test_a_browser_signs_in_to_the_chat_at_the_issuer(dev: Dev) -> None:
    async with web(base_url=dev.gateway_url) as browser:
        begun = await browser.get("/auth/login")
        assert begun.headers["location"].startswith(f"{dev.issuer_url}/authorize?")
        back = await approve(begun.headers["location"], "bob")
        assert back.startswith(f"{dev.gateway_url}/auth/callback?")
        assert (await browser.get(back)).is_redirect
        assert (await browser.get("/auth/me")).json()["subject"] == "bob"


def test_the_token_opens_both_services_and_the_one_in_the_chat_address_only_the_chat(dev: Dev) -> None:
    both = dev.facts["token"]
    chat = urlsplit(dev.facts["chat_url"]).fragment.removeprefix("token=")
    assert status(f"{dev.gateway_url}/auth/me", both) == 200
    assert status(f"{dev.gateway_url}/auth/me", chat) == 200
    assert call_status(dev.mcp_url, both) != 401
    assert call_status(dev.mcp_url, chat) == 401


def test_a_token_minted_meanwhile_opens_the_services_it_is_for(dev: Dev) -> None:
    for arguments, opens in (
        ((), (True, True)),
        (("--for", "gateway"), (True, False)),
        (("--for", "mcp"), (False, True)),
    ):
        token = dev.mint("--subject", "bob", *arguments)
        gateway, mcp = status(f"{dev.gateway_url}/auth/me", token) != 401, call_status(dev.mcp_url, token) != 401
        assert (gateway, mcp) == opens


def test_only_its_owner_can_read_what_was_set_up(dev: Dev) -> None:
    assert dev.data.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in dev.data.iterdir()}
    assert {"dev.json", "keys.json", "gateway.db", "mcp.db"} <= set(modes)
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("flag", ["--gateway-port", "--mcp-port", "--issuer-port"])
def test_a_port_in_use_is_named_with_its_flag_and_nothing_is_written(flag: str, dev: Dev, tmp_path: Path) -> None:
    port = str(urlsplit(dev.mcp_url).port)
    done = taskgate("dev", *FREE, flag, port, "--data", str(tmp_path / "new"), cwd=tmp_path)
    assert done.returncode == 2
    assert f"port {port} cannot be used" in done.stderr
    assert flag in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_directory_in_use_is_left_alone(dev: Dev, tmp_path: Path) -> None:
    before = (dev.data / "keys.json").read_bytes()
    done = taskgate("dev", *FREE, "--data", str(dev.data), "--reset", cwd=tmp_path)
    assert done.returncode == 1
    assert f"another taskgate dev is using {dev.data}" in done.stderr
    assert (dev.data / "keys.json").read_bytes() == before


@pytest.mark.parametrize("flags", [(), ("--reset",)])
def test_a_directory_with_other_files_is_refused_and_untouched(flags: tuple[str, ...], tmp_path: Path) -> None:
    data = tmp_path / "photos"
    data.mkdir(mode=0o755)
    (data / "mcp.db").write_text("not ours")
    (data / "holiday.jpg").write_text("not ours either")
    done = taskgate("dev", *FREE, "--data", str(data), *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert str(data) in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_text() for path in data.iterdir()} == {
        "mcp.db": "not ours",
        "holiday.jpg": "not ours either",
    }
    assert data.stat().st_mode & 0o777 == 0o755


def test_databases_that_no_set_up_left_are_not_reset(tmp_path: Path) -> None:
    (tmp_path / "mcp.db").write_text("somebody's tasks")
    done = taskgate("dev", *FREE, "--data", str(tmp_path), "--reset", cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing in it is deleted" in done.stderr
    assert (tmp_path / "mcp.db").read_text() == "somebody's tasks"


def test_a_wrong_setting_is_named_before_anything_starts(tmp_path: Path) -> None:
    done = taskgate("dev", *FREE, "--json", cwd=tmp_path, settings={"TASKGATE_LOG_LEVEL": "loud"})
    assert done.returncode == 2
    assert "TASKGATE_LOG_LEVEL" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.anyio
async def test_tasks_and_sign_ins_stay_over_a_restart_on_other_ports(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", Kept()
    with running(data) as first:
        async with first.tools(first.facts["token"]) as ada:
            await ada.add("Water the plants")
        async with python_client(first.mcp_url, MODERN, approve, kept) as client:
            await client.call("tasks_find")
        assert (data / "issuer.json").stat().st_mode & 0o777 == 0o600
        first.process.terminate()
        assert first.process.wait(PATIENCE_S) == 0
        assert all(map(first.has_ended, first.handles))
        assert first.rest() == ""
    with occupied(first), running(data) as second:
        assert second.mcp_url != first.mcp_url
        assert second.issuer_url == first.issuer_url
        assert kept.client is not None
        assert kept.tokens is not None
        form = {
            "grant_type": "refresh_token",
            "client_id": kept.client.client_id,
            "refresh_token": kept.tokens.refresh_token,
        }
        renewed = httpx2.post(f"{second.issuer_url}/token", data=form, timeout=30)
        assert renewed.json()["scope"] == "tasks:read"
        async with second.tools(second.facts["token"]) as ada:
            assert await ada.titles() == ["Water the plants"]
        async with second.tools(second.mint("--subject", "bob")) as bob:
            assert await bob.titles() == []
        # Killed like this, it has no chance to stop the others.
        second.process.kill()
        assert all(map(second.has_ended, second.handles))


@pytest.mark.postgres
@pytest.mark.anyio
async def test_databases_that_are_configured_take_the_place_of_files(
    postgres_database: PostgresDatabase, tmp_path: Path
) -> None:
    urls = {"DATABASE_URL": postgres_database.app_url, "DATABASE_DIRECT_URL": postgres_database.owner_url}
    settings = {f"TASKGATE_{name}_{kind}": url for name in ("MCP", "GATEWAY") for kind, url in urls.items()}
    with running(tmp_path / "data", settings=settings) as dev:
        async with dev.tools(dev.facts["token"]) as ada:
            await ada.add("Water the plants")
            assert await ada.titles() == ["Water the plants"]
        assert status(f"{dev.gateway_url}/auth/me", dev.facts["token"]) == 200
    assert list(dev.data.glob("*.db")) == []


def test_when_one_of_them_dies_the_others_are_stopped_and_that_is_said(tmp_path: Path) -> None:
    with running(tmp_path / "data", errors=subprocess.PIPE) as dev:
        os.kill(dev.facts["pids"]["issuer"], signal.SIGKILL)
        assert all(map(dev.has_ended, dev.handles))
        _, said = dev.process.communicate(timeout=PATIENCE_S)
        assert dev.process.returncode == 1
        assert "The issuer ended by itself, killed by SIGKILL" in said


def test_a_reset_begins_anew_and_people_are_told_in_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "dev.json").write_text('{"gateway_url": "http://127.0.0.1:8000", "mcp_url": "http://127.0.0.1:8001/mcp"}')
    for name in ("keys.json", "mcp.db", "mcp.db-wal", "gateway.db", "notes.txt"):
        (data / name).write_text("from before")
    with started(data, "--reset") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"taskgate {__version__}  dev mode, data in {data}\n"
        words = "".join(takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
        gateway_url = re.search(r"Chat +(http://127\.0\.0\.1:\d+)/#token=[\w.-]+\n", words)
        client = re.search(r"Client +claude mcp add --transport http taskgate (http://127\.0\.0\.1:\d+/mcp)\n", words)
        issuer = re.search(r"your browser at http://127\.0\.0\.1:\d+\n", words)
        token = re.search(r"Token +([\w.-]+)\n", words)
        assert gateway_url
        assert client
        assert token
        assert "offline" in words
        assert issuer
        assert status(f"{gateway_url[1]}/auth/me", token[1]) == 200
        assert call_status(client[1], token[1]) != 401
        assert (data / "notes.txt").read_text() == "from before"
        assert not (data / "mcp.db").read_bytes().startswith(b"from before")
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
        assert process.wait(PATIENCE_S) == 0


@contextmanager
def occupied(dev: Dev) -> Iterator[None]:
    """Take the ports of a set-up that has ended, so that the next one gets others."""
    with ExitStack() as stack:
        for url in (dev.gateway_url, dev.mcp_url):
            stack.enter_context(socket.create_server(("127.0.0.1", urlsplit(url).port or 0)))
        yield
