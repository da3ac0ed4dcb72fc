"""What may be attached, how large it may be, and how its bytes are recognised. What it is called proves nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from unicodedata import category

from gateway.words import Sentence
from shared.errors import Problem

MEBIBYTE: Final = 1024 * 1024
TEXT_BYTES: Final = MEBIBYTE
IMAGE_BYTES: Final = 5 * MEBIBYTE
NAME_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of file: how it has to begin, after white space in a text; nothing given means anyhow."""

    mime_type: str
    most_bytes: int
    begins: re.Pattern[bytes]
    is_image: bool = False


def _text(mime_type: str, begins: bytes = b"") -> Kind:
    return Kind(mime_type, TEXT_BYTES, re.compile(rb"\s*" + begins, re.IGNORECASE))


def _image(mime_type: str, begins: bytes) -> Kind:
    return Kind(mime_type, IMAGE_BYTES, re.compile(begins, re.DOTALL), is_image=True)


_PLAIN: Final = _text("text/plain")
_CSV: Final = _text("text/csv")
_MARKDOWN: Final = _text("text/markdown")
_JSON: Final = _text("application/json", rb"[\[{]")
_CALENDAR: Final = _text("text/calendar", rb"BEGIN:V")
_PNG: Final = _image("image/png", rb"\x89PNG\r\n\x1a\n")
_JPEG: Final = _image("image/jpeg", rb"\xff\xd8\xff")
_GIF: Final = _image("image/gif", rb"GIF8[79]a")
_WEBP: Final = _image("image/webp", rb"RIFF....WEBP")

# Browsers ask the system what a name ends with, and systems disagree.
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **{kind.mime_type: kind for kind in (_PLAIN, _CSV, _MARKDOWN, _JSON, _CALENDAR, _PNG, _JPEG, _GIF, _WEBP)},
        "text/tab-separated-values": _CSV,
        "application/csv": _CSV,
        "text/x-markdown": _MARKDOWN,
        "text/json": _JSON,
        "image/jpg": _JPEG,
    }
)
# What is declared by who does not know. Where a spreadsheet program is installed, a CSV file is said to be its own.
UNKNOWING: Final = frozenset({"", "application/octet-stream", "application/vnd.ms-excel"})
ENDINGS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "txt": _PLAIN,
        "csv": _CSV,
        "tsv": _CSV,
        "md": _MARKDOWN,
        "markdown": _MARKDOWN,
        "json": _JSON,
        "ics": _CALENDAR,
        "png": _PNG,
        "jpg": _JPEG,
        "jpeg": _JPEG,
        "gif": _GIF,
        "webp": _WEBP,
    }
)

# Texts that a browser would run, whatever they are declared as.
_ACTIVE: Final = re.compile(rb"\s*<(?:!doctype|html|head|body|script|svg|iframe|\?xml)\b", re.IGNORECASE)
# What no text holds: it would be a picture, a program or an archive.
_BINARY: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BOM: Final = b"\xef\xbb\xbf"
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def kind_of(name: str, mime_type: str) -> Kind:
    """What a file is said to be; raises `wrong_type` for what is not accepted."""
    declared = mime_type.partition(";")[0].strip().lower()
    ending = name.rpartition(".")[2].strip().lower()
    kind = ENDINGS.get(ending) if declared in UNKNOWING else KINDS.get(declared)
    if kind is None:
        raise Problem(
            "wrong_type",
            "files of this type are not accepted",
            "attach text, CSV, Markdown, JSON, iCal, PNG, JPEG, GIF or WebP",
        )
    return kind


def require_size(kind: Kind, size_bytes: int) -> None:
    """Refuse an empty file and one that is too large for its kind."""
    if size_bytes < 1:
        raise Problem("bad_content", "the file is empty", "attach another one")
    if size_bytes > kind.most_bytes:
        size = kind.most_bytes // MEBIBYTE
        raise Problem("too_big", Sentence("the file is larger than {size} MiB", size=size), "attach a smaller one")


def recognised(kind: Kind, data: bytes) -> bytes:
    """The bytes to keep of a file that is what it is said to be: texts as UTF-8 without a mark. Else `bad_content`."""
    kept = data if kind.is_image else _as_text(data)
    if not kind.begins.match(kept) or (not kind.is_image and _ACTIVE.match(kept)):
        raise Problem("bad_content", "the file is not what it is said to be", "attach another one")
    return kept


def shown_name(name: str) -> str:
    """A file's name as people see it: without folders, without what cannot be seen, and not too long."""
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(character for character in last if category(character) not in _UNSEEN)
    return " ".join(seen.split())[:NAME_LIMIT].strip() or "file"


def _as_text(data: bytes) -> bytes:
    try:
        # Spreadsheet programs save "Unicode text" in that encoding.
        text = data.decode("utf-16") if data.startswith(_UTF16) else data.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        raise Problem("bad_content", "the file is no text in UTF-8", "save it as UTF-8 and attach it again") from None
    if _BINARY.search(text):
        raise Problem("bad_content", "the file is not what it is said to be", "attach another one")
    return text.encode()
