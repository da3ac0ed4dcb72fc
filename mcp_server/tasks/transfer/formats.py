"""The formats by name: which one a text is in, and the way from a text to a document and back."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from mcp_server.tasks.transfer import as_csv, as_ics, as_json, as_markdown, as_todoist
from mcp_server.tasks.transfer.columns import columns_of
from mcp_server.tasks.transfer.document import Document
from mcp_server.tasks.transfer.table import read_header
from shared.errors import Problem

SIZE_LIMIT: Final = 900_000  # bytes
TASK_LIMIT: Final = 10_000
READERS: Final[Mapping[str, Callable[[str], Document]]] = {
    "json": as_json.read,
    "csv": as_csv.read,
    "ics": as_ics.read,
    "markdown": as_markdown.read,
    "todoist": as_todoist.read,
}
WRITERS: Final[Mapping[str, Callable[[Document], str]]] = {
    "json": as_json.write,
    "csv": as_csv.write,
    "ics": as_ics.write,
    "markdown": as_markdown.write,
}
_JSON: Final = re.compile(r'\s*(?:\{|\[\s*["{])')
_CALENDAR: Final = re.compile(r"\s*BEGIN:(?:VCALENDAR|VTODO)", re.IGNORECASE)
_CHECKLIST: Final = re.compile(r"^(?:#{1,6} .|[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S|[ \t]*\[[ xX-]\] )", re.MULTILINE)


def read(text: str, format_name: str = "auto") -> Document:
    """What a text says. Raises `bad_content` if it is not in that format, and `too_big` or `too_many`."""
    text = text.removeprefix("\ufeff")
    _require_text(text)
    if format_name == "auto":
        format_name = detect(text)
    elif format_name == "csv" and as_todoist.is_template(read_header(text)):
        format_name = "todoist"  # it is a table as well, and whoever says so is not wrong
    document = READERS[format_name](text)
    if len(document.tasks) > TASK_LIMIT:
        message = f"there are {len(document.tasks):,} tasks in it"
        raise Problem("too_many", message, f"send at most {TASK_LIMIT:,} at once, e.g. list by list")
    return document


def write(document: Document, format_name: str) -> str:
    """A document in that format, which forgets what it has no place for; only JSON keeps everything."""
    return WRITERS[format_name](document)


def detect(text: str) -> str:
    """The format of a text; raises `bad_content` if it looks like none."""
    text = text.removeprefix("\ufeff")
    if _JSON.match(text):
        return "json"
    if _CALENDAR.match(text):
        return "ics"
    header = read_header(text)
    if as_todoist.is_template(header):
        return "todoist"
    is_table = "title" in columns_of(header)
    # The notes in a table may hold a list, but above a list may stand the one word that is also a header.
    if _CHECKLIST.search(text) and not (is_table and len(header) > 1):
        return "markdown"
    if is_table:
        return "csv"
    raise Problem("bad_content", "this looks like no format we know", "give format, and for csv name the columns")


def _require_text(text: str) -> None:
    size = len(text.encode("utf-8", "replace"))
    if size > SIZE_LIMIT:
        raise Problem("too_big", f"the content has {size:,} bytes", f"send at most {SIZE_LIMIT:,} at once")
    bad = re.search("[\0\ud800-\udfff]", text)
    if bad:
        line, code = text.count("\n", 0, bad.start()) + 1, ord(bad[0])
        raise Problem("bad_content", f"line {line} holds U+{code:04X}, which is no text", "save the file as UTF-8")
