"""What a process tells its log: one line per event, with the request it belongs to and without anybody's secrets."""

import hashlib
import hmac
import json
import logging
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from secrets import token_hex
from types import MappingProxyType
from typing import Any, Final, TextIO
from urllib.parse import quote

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")

# Below WARNING these print addresses with their queries, headers, statements and whole messages.
QUIET: Final = (
    "aiosqlite", "asyncio", "chatkit", "fastmcp", "httpcore", "httpcore2", "httpx", "httpx2", "mcp", "openai",
    "sqlalchemy", "uvicorn",
)  # fmt: skip
REMOVED: Final = "***"
# Shorter values are no secrets, and removing them would tear ordinary words apart.
SHORTEST_SECRET: Final = 4

# Each of these takes all it can at once: what is logged may be long and hostile. The first is a JSON object in
# base64url, whole or cut short.
_TOKEN: Final = re.compile(r"(?:eyJ|eyA[gi]|ewo[giJ]|ewki|ew0K)[\w.-]{16,}", re.ASCII)
_CREDENTIALS: Final = re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"://(\S+)")
_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "color_message", "message", "taskName"}
# Line breaks would forge lines, escape sequences and direction marks would change what a terminal shows.
_INVISIBLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_COLOURS: Final = MappingProxyType({"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "31"})


def new_request_id() -> str:
    """A fresh id for one request: 16 characters that need no escaping anywhere."""
    return token_hex(8)


def caller_mark(issuer: str, subject: str) -> str:
    """Twelve hex digits that stand for one person in every log, the same in both services and after every restart.

    It keeps names out of logs. It is derived without a secret, since the services share none: whoever already knows
    an issuer and a subject can find that person's lines.
    """
    # A key of constant length: HMAC pads shorter ones, so that two issuers could share one.
    key = hashlib.sha256(issuer.encode(errors="surrogatepass")).digest()
    return hmac.digest(key, subject.encode(errors="surrogatepass"), "sha256").hex()[:12]


def configure_logs(service: str, level: str, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send everything that is logged to one stream: coloured text on a terminal, otherwise one JSON object per line.

    Each of the secrets is removed wherever it appears. Libraries that bring handlers of their own lose them here, so
    call this after importing them; calling it again replaces what an earlier call set up.
    """
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redaction(secrets))
    handler.setFormatter(_Text() if handler.stream.isatty() else _JsonLines(service))
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # It prints the query, and with it whatever clients put there.
    logging.getLogger("uvicorn.access").disabled = True
    logging.root.handlers = [handler]
    logging.root.setLevel(level.upper())
    logging.captureWarnings(capture=True)


class Redaction(logging.Filter):
    """Takes tokens, passwords in addresses and the given secrets out of a record: message, fields and tracebacks."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        known = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
        forms = [form for secret in known for form in ("".join(map(_spelled, secret)), re.escape(quote(secret, "")))]
        self._secrets = re.compile("|".join(forms)) if forms else None

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place, so that nothing behind this filter ever sees the original."""
        message = str(record.msg)
        # A faulty call must neither break what it tells about nor print its arguments.
        with suppress(Exception):
            message = record.getMessage()
        record.msg, record.args = self.clean(message), None
        if record.exc_info and record.exc_info[0]:
            record.exc_text = self.clean(logging.Formatter().formatException(record.exc_info))
        for name, value in _fields(record):
            setattr(record, name, self._plain(value))
        return True

    def clean(self, text: str) -> str:
        """The text without secrets."""
        if self._secrets is not None:
            text = self._secrets.sub(REMOVED, text)
        text = _CREDENTIALS.sub(rf"\1 {REMOVED}", _TOKEN.sub(REMOVED, text))
        return _ADDRESS.sub(_without_password, text)

    def _plain(self, value: Any) -> str | float | None:
        if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        return self.clean(str(value))


class _JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "service": self._service,
            "request_id": REQUEST_ID.get(),
        }
        for name, value in (*_fields(record), *_error(record)):
            line.setdefault(name, value)
        return json.dumps(line)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        words = [self.formatTime(record, "%H:%M:%S"), f"{record.levelname.lower():<8}", _visible(record.getMessage())]
        words += [f"{name}={_visible(str(value))}" for name, value in _fields(record) if value is not None]
        if REQUEST_ID.get():
            words.append(f"request_id={REQUEST_ID.get()}")
        first = " ".join(words)
        colour = _COLOURS.get(record.levelname)
        if colour:
            first = f"\x1b[{colour}m{first}\x1b[0m"
        return "\n".join([first, *map(_visible, (record.exc_text or "").splitlines())])


def _spelled(character: str) -> str:
    """A pattern for one character as it is, and as it looks in the repr or JSON of a text, and in the repr of that."""
    if character == "\\":
        return r"\\+"
    if character in "\"'":
        return r"\\*" + character
    escaped = {json.dumps(character)[1:-1], repr(character)[1:-1]} - {character}
    return "(?:" + "|".join([re.escape(character), *(r"\\+" + form[1:] for form in sorted(escaped))]) + ")"


def _without_password(address: re.Match[str]) -> str:
    # Up to the last @, because passwords are often written into addresses without escaping theirs.
    user, at, rest = address[1].rpartition("@")
    name, colon, _ = user.partition(":")
    return f"://{name}:{REMOVED}@{rest}" if at and colon else address[0]


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    """What the caller passed as `extra`."""
    return ((name, value) for name, value in list(vars(record).items()) if name not in _PLAIN)


def _error(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    if record.exc_info and record.exc_info[0]:
        yield "error_class", record.exc_info[0].__name__
    if record.exc_text:
        yield "exception", record.exc_text


def _visible(text: str) -> str:
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
