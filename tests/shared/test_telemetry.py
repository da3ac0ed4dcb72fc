"""Log lines: their shape, the request they belong to, and what must never stand in them."""

import base64
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from shared.telemetry import QUIET, REQUEST_ID, caller_mark, configure_logs, new_request_id

SECRET = 'it\'s "one" \\ secrét\ncanary'
TOKEN = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"RS256","typ":"at+jwt"}', b'{"sub":"ada","iss":"https://id.example"}', bytes(range(64)))
)
LEAKS = {
    "a token": (f"got {TOKEN} back", TOKEN),
    "a token in a query": (f"GET /callback?id_token%3D{TOKEN}&state=1", TOKEN),
    "a token cut short": (f"token {TOKEN[:60]}", TOKEN[:60]),
    "a token without a signature": (f"token {TOKEN.rpartition('.')[0]}.", TOKEN.split(".")[1]),
    "a bearer header": ("Authorization: Bearer opaque-canary-1", "opaque-canary-1"),
    "a bearer header in bytes": (str([(b"authorization", b"bearer opaque-canary-1")]), "opaque-canary-1"),
    "basic credentials": ("authorization: Basic YWRhOmNhbmFyeQ==", "YWRhOmNhbmFyeQ"),
    "a password in an address": ("postgresql://ada:pass-canary@db.example/tasks", "pass-canary"),
    "a password with an @ and a slash": ("redis://:p@ss/canary@cache.example:6379", "canary"),
    "a configured secret": (f"key {SECRET} refused", "canary"),
    "a configured secret in a dict": (str({"key": SECRET}), "canary"),
    "a configured secret in an address": (f"?key={quote(SECRET, safe='')}", "canary"),
    "a configured secret in a document": (json.dumps({"key": SECRET}), "canary"),
}
LOGGERS = ("", "shared.asgi", "gateway.chat", "mcp", "fastmcp", "httpx2", "uvicorn.error", "a.library.with.a.handler")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.root
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)
    logging.getLogger("uvicorn.access").disabled = False


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure_logs("gateway", "debug", [SECRET, ""], stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(text: str) -> None:
    raise ValueError(text)


def fail_over(text: str) -> None:
    try:
        fail(text)
    except ValueError as error:
        raise RuntimeError("while handling it") from error


@pytest.mark.parametrize("name", LOGGERS)
@pytest.mark.parametrize(("text", "leak"), LEAKS.values(), ids=LEAKS)
def test_no_secret_passes_through_any_logger(name: str, text: str, leak: str) -> None:
    stream, terminal, own = io.StringIO(), Terminal(), io.StringIO()
    logger = logging.getLogger(name)
    logger.addHandler(logging.StreamHandler(own))
    logger.propagate = False
    for output in (stream, terminal):
        configure_logs("mcp", "debug", [SECRET], output)
        logger.warning(text)
        logger.warning("with an argument: %s", text)
        logger.warning("in a field", extra={"note": text, "nested": {"note": [text]}})
        logger.warning("with too few arguments %s %s", *[text])
        try:
            fail_over(text)
        except RuntimeError:
            logger.exception("failed")
        printed = output.getvalue()
        assert leak not in printed
        assert "***" in printed
        assert "while handling it" in printed
    assert own.getvalue() == ""


def test_what_surrounds_a_secret_stays_readable(stream: io.StringIO) -> None:
    logging.warning(
        "cannot reach postgresql://ada:pass-canary@db.example:5432/tasks with %s for ada", f"Bearer {TOKEN}"
    )
    (line,) = lines(stream)
    assert line["event"] == "cannot reach postgresql://ada:***@db.example:5432/tasks with Bearer *** for ada"


def test_ordinary_text_is_left_alone(stream: io.StringIO) -> None:
    text = "at 10:30 ada@example.org opened http://localhost:8000/a.b.c?x=1 in starlette.middleware.body_limit"
    logging.warning(text)
    assert lines(stream)[0]["event"] == text


def test_a_line_is_one_json_object_with_time_level_service_request_and_fields(stream: io.StringIO) -> None:
    token = REQUEST_ID.set("0123456789abcdef")
    logging.getLogger("gateway.chat").info(
        "turn\nended", extra={"ms": 12.5, "tool": None, "level": "ours", "left": True}
    )
    REQUEST_ID.reset(token)
    logging.getLogger("gateway.chat").info("outside", extra={"odd": float("nan")})
    first, second = lines(stream)
    moment = first.pop("time")
    assert moment.endswith("Z")
    assert moment[10] == "T"
    assert first == {
        "level": "info",
        "event": "turn\nended",
        "service": "gateway",
        "request_id": "0123456789abcdef",
        "ms": 12.5,
        "tool": None,
        "left": True,
    }
    assert second["request_id"] == ""
    assert second["odd"] == "nan"


def test_an_exception_tells_its_class_and_its_traceback_in_the_same_line(stream: io.StringIO) -> None:
    try:
        fail_over("nothing there")
    except RuntimeError:
        logging.exception("failed")
    (line,) = lines(stream)
    assert line["error_class"] == "RuntimeError"
    assert line["exception"].startswith("Traceback")
    assert "ValueError: nothing there" in line["exception"]
    assert line["exception"].endswith("RuntimeError: while handling it")


def test_a_terminal_gets_coloured_text_that_cannot_be_forged() -> None:
    terminal = Terminal()
    configure_logs("gateway", "info", stream=terminal)
    logging.error("name\n12:00:00 info forged\x1b[2J\u202e\ud800", extra={"path": "/a\r\nb", "status": None})
    (line,) = terminal.getvalue().splitlines()
    assert line.startswith("\x1b[31m")
    assert line.endswith("\x1b[0m")
    assert r"name\n12:00:00 info forged\x1b[2J\u202e\ud800 path=/a\r\nb" in line
    assert "status" not in line


def test_noisy_libraries_speak_up_only_to_warn(stream: io.StringIO) -> None:
    for name in QUIET:
        logging.getLogger(f"{name}.inner").info("chatter")
    logging.getLogger("uvicorn.access").warning("GET /callback?code=1")
    assert lines(stream) == []
    logging.getLogger("fastmcp.inner").warning("trouble")
    assert [line["event"] for line in lines(stream)] == ["trouble"]


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure_logs("mcp", "warning", stream=stream)
    logging.getLogger("mcp_server.app").info("chatter")
    logging.getLogger("mcp_server.app").warning("trouble")
    assert [line["event"] for line in lines(stream)] == ["trouble"]


def test_configuring_twice_writes_each_line_once_and_only_to_the_newer_stream(stream: io.StringIO) -> None:
    newer = io.StringIO()
    configure_logs("mcp", "info", stream=newer)
    logging.warning("once")
    assert lines(stream) == []
    assert [line["service"] for line in lines(newer)] == ["mcp"]


def test_warnings_become_lines_without_secrets(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        configure_logs("gateway", "info", [SECRET], stream)
        warnings.warn(f"Bearer {TOKEN} is weak", stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = lines(stream)
    assert TOKEN not in line["event"]
    assert "Bearer *** is weak" in line["event"]


def test_long_hostile_text_is_cleaned_in_one_pass(stream: io.StringIO) -> None:
    # Each would take hours with a pattern that starts anew at every place where it may begin.
    for part in ("eyJ", "eyJa.", "://", "://a:", "bearer ", "basic\t"):
        logging.warning(part * 100_000)
    assert len(lines(stream)) == 6


def test_request_ids_are_new_each_time_and_need_no_escaping() -> None:
    ids = {new_request_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(name) == 16 and name.isalnum() for name in ids)


def test_a_person_has_the_same_mark_everywhere_and_nobody_else_has_it() -> None:
    mark = caller_mark("https://id.example", "ada")
    assert mark == caller_mark("https://id.example", "ada")
    assert len(mark) == 12
    assert int(mark, 16) >= 0
    people = [
        ("https://id.example", "bob"),
        ("https://id.example", "Ada"),
        ("https://id.example\x00", "ada"),
        ("https://id.example|ada", ""),
        ("", "https://id.exampleada"),
        ("https://id.exampl", "eada"),
        ("https://id.example", "ada\ud800"),
    ]
    assert len({mark, *(caller_mark(issuer, subject) for issuer, subject in people)}) == len(people) + 1


def test_a_mark_survives_a_restart() -> None:
    assert caller_mark("https://id.example", "ada") == "bbacc36eb70b"


def test_the_stream_is_the_standard_error_unless_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("mcp", "info")
    logging.warning("here")
    captured = capsys.readouterr()
    assert json.loads(captured.err)["event"] == "here"
    assert captured.out == ""
