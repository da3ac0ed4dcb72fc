"""Where an operator wants files to be kept: the one setting, read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs, urlsplit

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*/?")
_OPTIONS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {"region": re.compile(r"[a-z0-9-]{1,40}"), "endpoint": re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[\w./-]*)?")}
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place in storage that speaks the protocol of S3; the prefix is empty or ends with a slash."""

    name: str
    prefix: str = ""
    region: str = "us-east-1"
    endpoint: str = ""  # Amazon's own for the region


def place(text: str) -> Path | Bucket:
    """What the path of a directory or `s3://bucket/prefix?region=...&endpoint=...` names. Raises `ValueError`."""
    if "://" not in text:
        return Path(text)
    parts = urlsplit(text)
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    is_known = all(name in _OPTIONS and _OPTIONS[name].fullmatch(value) for name, value in options.items())
    is_place = parts.scheme == "s3" and _NAME.fullmatch(parts.netloc) and _PREFIX.fullmatch(parts.path)
    if not (is_known and is_place) or parts.fragment:
        raise ValueError("has to be the path of a directory or s3://bucket/prefix?region=...&endpoint=https://...")
    prefix = parts.path.strip("/")
    return Bucket(parts.netloc, f"{prefix}/" if prefix else "", **options)
