"""Where bytes are kept: both places behave the same, and each has its own dangers."""

import asyncio
import json
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.attachments import Keeping, open_keeping
from gateway.attachments.disk import Disk
from gateway.attachments.s3 import S3
from gateway.attachments.signing import Credentials
from gateway.places import Bucket, place
from gateway.settings import GatewaySettings
from shared.errors import Problem
from shared.settings import SettingsFault, load
from shared.tokens import SigningKey
from tests.gateway.attachments.files import listening
from tests.javascript import Node
from tests.web import web

pytestmark = pytest.mark.anyio

KEY = "atc_0123456789abcdef0123456789abcdef"
ALL_BYTES = bytes(range(256)) * 40


def needed() -> dict[str, str]:
    """What a gateway has to be told in any case."""
    return {
        "TASKGATE_MCP_URL": "https://tools.example.test/mcp",
        "TASKGATE_GATEWAY_URL": "https://chat.example.test",
        "TASKGATE_GATEWAY_ISSUERS": '[{"issuer": "https://login.example.test"}]',
        "TASKGATE_GATEWAY_SIGNING_KEYS": json.dumps([SigningKey.generate().pem]),
        "TASKGATE_GATEWAY_SESSION_KEYS": "a key for the sessions of the tests",
    }


def modes(folder: Path) -> tuple[int, dict[str, int]]:
    """Who may enter a directory, and who may read what is in it."""
    return folder.stat().st_mode & 0o777, {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


@pytest.fixture
async def http() -> AsyncGenerator[httpx2.AsyncClient]:
    async with web() as client:
        yield client


@pytest.fixture(params=["disk", pytest.param("s3", marks=pytest.mark.node)])
async def keeping(
    request: pytest.FixtureRequest, http: httpx2.AsyncClient, tmp_path: Path
) -> AsyncGenerator[Keeping | None]:
    if request.param == "disk":
        yield open_keeping(str(tmp_path / "kept"), http)
        return
    node: Node = request.getfixturevalue("node")
    async with node.running("s3.mjs") as storage:
        endpoint = f"http://127.0.0.1:{(await storage.hear())['port']}"
        yield open_keeping(f"s3://files/of/tasks/?endpoint={endpoint}", http, "S3RVER:S3RVER")


async def test_what_was_put_is_read_until_it_is_removed(keeping: Keeping) -> None:
    await keeping.put(KEY, b"first")
    await keeping.put(KEY, ALL_BYTES)
    assert await keeping.get(KEY) == ALL_BYTES
    for _ in range(2):
        await keeping.remove(KEY)
        with pytest.raises(Problem) as missing:
            await keeping.get(KEY)
        assert missing.value.code == "not_found"


async def test_files_on_disk_can_be_read_by_nobody_else_and_nothing_else_is_left_there(folder: Path) -> None:
    disk = Disk(folder)
    await asyncio.gather(*(disk.put(KEY, bytes([number]) * 50_000) for number in range(8)))
    assert len(set(await disk.get(KEY))) == 1
    assert modes(folder) == (0o700, {KEY: 0o600})


async def test_a_directory_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Problem) as unusable:
        Disk(tmp_path / "file" / "below")
    assert unusable.value.code == "unavailable"


async def test_a_directory_that_is_away_later_is_a_passing_fault(folder: Path) -> None:
    disk = Disk(folder)
    (folder / KEY).mkdir()
    for work in (partial(disk.put, KEY, b"x"), partial(disk.get, KEY), partial(disk.remove, KEY)):
        with pytest.raises(Problem) as away:
            await work()
        assert away.value.code == "unavailable"
        assert str(folder) not in str(away.value)


@pytest.mark.node
async def test_storage_refuses_what_is_signed_with_another_secret(node: Node, http: httpx2.AsyncClient) -> None:
    async with node.running("s3.mjs") as storage:
        endpoint = f"http://127.0.0.1:{(await storage.hear())['port']}"
        stranger = S3(http, Bucket("files", endpoint=endpoint), Credentials("S3RVER", "guessed", "us-east-1"))
        for work in (partial(stranger.put, KEY, b"x"), partial(stranger.get, KEY), partial(stranger.remove, KEY)):
            with pytest.raises(Problem) as refused:
                await work()
            assert refused.value.code == "unavailable"
            assert "Signature" not in str(refused.value)
        ours = S3(http, Bucket("files", endpoint=endpoint), Credentials("S3RVER", "S3RVER", "us-east-1"))
        with pytest.raises(Problem) as missing:
            await ours.get(KEY)
        assert missing.value.code == "not_found"


async def test_storage_that_is_away_redirects_or_sends_without_end_is_a_passing_fault(
    http: httpx2.AsyncClient,
) -> None:
    asked: list[str] = []

    async def odd(request: Request) -> Response:
        asked.append(request.url.path)
        if request.path_params["bucket"] == "moved":
            return Response(status_code=307, headers={"Location": "/files/elsewhere"})
        if request.path_params["bucket"] == "broken":
            return Response("<Error>secret words of another system</Error>", 500)
        return Response(b"x" * (6 * 1024 * 1024))

    credentials = Credentials("id", "secret", "us-east-1")
    with pytest.raises(Problem) as away:
        await S3(http, Bucket("away", endpoint="http://127.0.0.1:1"), credentials).get(KEY)
    assert away.value.code == "unavailable"
    app = Starlette(routes=[Route("/{bucket}/{key}", odd, methods=["GET", "PUT", "DELETE"])])
    async with listening(app) as endpoint:
        for bucket in ("moved", "broken", "endless"):
            with pytest.raises(Problem) as fault:
                await S3(http, Bucket(bucket, endpoint=endpoint), credentials).get(KEY)
            assert (fault.value.code, "secret words" in str(fault.value)) == ("unavailable", False)
    assert asked == [f"/{bucket}/{KEY}" for bucket in ("moved", "broken", "endless")]


async def test_storage_may_stand_below_a_path(http: httpx2.AsyncClient) -> None:
    asked: list[str] = []

    async def taken(request: Request) -> Response:
        asked.append(request.url.path)
        return Response()

    async with listening(Starlette(routes=[Route("/{path:path}", taken, methods=["PUT"])])) as endpoint:
        credentials = Credentials("id", "secret", "us-east-1")
        await S3(http, Bucket("files", "of/", endpoint=f"{endpoint}/storage/v1/"), credentials).put(KEY, b"x")
    assert asked == [f"/storage/v1/files/of/{KEY}"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"TASKGATE_GATEWAY_ATTACHMENTS": "https://files"}, "s3://bucket/prefix"),
        ({"TASKGATE_GATEWAY_ATTACHMENTS": "s3://files"}, "TASKGATE_GATEWAY_S3_KEY"),
        ({"TASKGATE_GATEWAY_ATTACHMENTS": "s3://files", "TASKGATE_GATEWAY_S3_KEY": "id"}, "ID:SECRET"),
        ({"TASKGATE_GATEWAY_ATTACHMENTS": "/files", "TASKGATE_GATEWAY_SESSION_KEYS": "[]"}, "SESSION_KEYS"),
    ],
)
def test_a_place_that_cannot_be_used_is_said_at_the_start(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsFault) as refused:
        load(GatewaySettings, given={**needed(), **given}, environ={})
    [fault] = refused.value.faults
    assert complaint in fault


def test_storage_needs_a_key() -> None:
    key = {"TASKGATE_GATEWAY_S3_KEY": "id:a secret of the storage"}
    given = {**needed(), **key, "TASKGATE_GATEWAY_ATTACHMENTS": "s3://files"}
    settings = load(GatewaySettings, given=given, environ={}).settings
    assert settings.attachments == "s3://files"
    assert "id:a secret of the storage" in settings.secrets


def test_a_place_is_a_directory_or_a_bucket() -> None:
    assert place("/var/lib/taskgate/files") == Path("/var/lib/taskgate/files")
    assert place("s3://files") == place("s3://files/") == Bucket("files")
    assert place("s3://files/of/tasks/") == Bucket("files", "of/tasks/")
    elsewhere = place("s3://files?region=eu-central-1&endpoint=https://storage.example.com/s3")
    assert elsewhere == Bucket("files", "", "eu-central-1", "https://storage.example.com/s3")
    for wrong in (
        "s3://",
        "s3://f",
        "s3://Files",
        "https://files",
        "s3://files/../other",
        "s3://files/a/..",
        "s3://files//a",
        "s3://key:secret@files",
        "s3://files?b",
        "s3://files?Region=x",
        "s3://files?endpoint=storage.example.com",
        "s3://files?endpoint=file:///etc",
        "s3://files?region=",
        "s3://files#x",
    ):
        with pytest.raises(ValueError):
            place(wrong)


async def test_nowhere_is_a_place_too(http: httpx2.AsyncClient) -> None:
    assert open_keeping("", http) is None
