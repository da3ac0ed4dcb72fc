"""What may be attached: by what it says it is, and by what it is."""

import pytest

from gateway.attachments.kinds import ENDINGS, KINDS, TEXT_BYTES, kind_of, recognised, require_size, shown_name
from shared.errors import Problem
from tests.gateway.attachments.files import CSV, PNG

GIF = b"GIF89a\x01\x00"
JPEG = b"\xff\xd8\xff\xe0"
WEBP = b"RIFF\x0a\x00\x00\x00WEBPVP8 "
CALENDAR = b"\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"


@pytest.mark.parametrize(
    ("name", "declared", "is_"),
    [
        ("notes.txt", "text/plain", "text/plain"),
        ("tasks.csv", "text/csv; charset=utf-8", "text/csv"),
        ("tasks.csv", "application/vnd.ms-excel", "text/csv"),
        ("TASKS.CSV", "", "text/csv"),
        ("plan.md", "application/octet-stream", "text/markdown"),
        ("plan.md", "Text/X-Markdown", "text/markdown"),
        ("export.json", "application/json", "application/json"),
        ("team.ics", "text/calendar", "text/calendar"),
        ("cat.jpg", "image/jpg", "image/jpeg"),
        ("no ending", "text/plain", "text/plain"),
    ],
)
def test_a_file_is_taken_for_what_it_is_declared_as_or_else_for_what_its_name_says(
    name: str, declared: str, is_: str
) -> None:
    assert kind_of(name, declared).mime_type == is_


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("logo.svg", "image/svg+xml"),
        ("logo.svg", ""),
        ("page.html", "text/html"),
        ("page.html", "application/octet-stream"),
        ("script.js", "text/javascript"),
        ("archive.zip", "application/zip"),
        ("paper.pdf", "application/pdf"),
        ("sheet.xlsx", "application/vnd.ms-excel"),
        ("csv", "image/svg+xml; text/csv"),
        ("", ""),
    ],
)
def test_every_other_type_is_refused(name: str, declared: str) -> None:
    with pytest.raises(Problem) as refused:
        kind_of(name, declared)
    assert refused.value.code == "wrong_type"


@pytest.mark.parametrize(
    ("mime_type", "data"),
    [
        ("text/csv", CSV),
        ("text/plain", b"< 5 minutes"),
        ("text/plain", b"a line with a colour: \x1b[0m"),
        ("application/json", b' [{"title": "x"}]'),
        ("text/calendar", CALENDAR),
        ("image/png", PNG),
        ("image/gif", GIF),
        ("image/jpeg", JPEG),
        ("image/webp", WEBP),
    ],
)
def test_a_file_that_is_what_it_says_is_kept_as_it_is(mime_type: str, data: bytes) -> None:
    assert recognised(KINDS[mime_type], data) == data


def test_no_file_passes_for_one_of_another_kind() -> None:
    images = {"image/png": PNG, "image/gif": GIF, "image/jpeg": JPEG, "image/webp": WEBP}
    for mime_type, kind in KINDS.items():
        for of, data in images.items():
            if kind.mime_type == of:
                continue
            with pytest.raises(Problem) as refused:
                recognised(kind, data)
            assert refused.value.code == "bad_content", (mime_type, of)
        if kind.is_image:
            for text in (CSV, CALENDAR, b"<svg/>", b" " + PNG, b"<!-- -->" + PNG):
                with pytest.raises(Problem):
                    recognised(kind, text)


@pytest.mark.parametrize(
    ("mime_type", "data"),
    [
        ("text/plain", b"<!DOCTYPE html><p>"),
        ("text/plain", b"\n\t<HTML lang=en>"),
        ("text/csv", b"\xef\xbb\xbf<script>alert(1)</script>"),
        ("text/markdown", "<svg onload=alert(1)>".encode("utf-16")),
        ("text/plain", b'<?xml version="1.0"?><svg/>'),
        ("text/plain", b"PK\x03\x04zip"),
        ("text/plain", b"a\x00b"),
        ("text/plain", b"caf\xe9"),
        ("text/plain", b"\xff\xfea"),
        ("text/plain", b"\xed\xa0\x80"),
        ("application/json", b"title: x"),
        ("text/calendar", b"title,due\n"),
    ],
)
def test_a_text_that_is_none_or_that_a_browser_would_run_is_refused(mime_type: str, data: bytes) -> None:
    with pytest.raises(Problem) as refused:
        recognised(KINDS[mime_type], data)
    assert refused.value.code == "bad_content"
    assert repr(data)[2:-1] not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_texts_with_a_mark_of_their_encoding_are_kept_as_plain_utf_8(encoding: str) -> None:
    assert recognised(KINDS["text/csv"], "título;größe\r\n日本;1".encode(encoding)) == "título;größe\r\n日本;1".encode()


def test_sizes_are_limited_by_kind_and_nothing_is_empty() -> None:
    for kind in ENDINGS.values():
        require_size(kind, kind.most_bytes)
        for size, code in ((kind.most_bytes + 1, "too_big"), (0, "bad_content"), (-1, "bad_content")):
            with pytest.raises(Problem) as refused:
                require_size(kind, size)
            assert refused.value.code == code
    assert {kind.most_bytes for kind in KINDS.values() if not kind.is_image} == {TEXT_BYTES}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("tasks.csv", "tasks.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\tasks.csv", "tasks.csv"),
        ("/", "file"),
        ("", "file"),
        ("a\0b\r\nc.csv", "abc.csv"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u200b\u2028", "file"),
        ("Größe 日本 🙂.md", "Größe 日本 🙂.md"),
        ("x" * 10_000, "x" * 200),
        ("\ud800", "file"),
    ],
)
def test_a_name_is_shown_without_folders_and_without_what_cannot_be_seen(name: str, shown: str) -> None:
    assert shown_name(name) == shown
