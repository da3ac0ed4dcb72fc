"""What the page around the chat says about itself: what we want to know of it, cut to size; the rest is dropped."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pydantic_core import from_json
from starlette.requests import Request

from gateway.client_tools import KNOWN

HEADER: Final = "x-taskgate-page"  # for clients that can add headers but nothing to the body
WHOLE_LIMIT: Final = 4_096
TEXT_LIMITS: Final = {"url": 500, "title": 200, "selection": 2_000}
HEADINGS, HEADING_LIMIT = 5, 200
ENTITIES: Final = 50
ENTITY: Final = re.compile(r"T[0-9]{1,15}")


def page_of(request: Request, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The page that the person looks at, from the body or else from the header."""
    sent = metadata.get("page")
    if sent is None and (header := request.headers.get(HEADER)) and len(header) <= 3 * WHOLE_LIMIT:
        try:
            sent = from_json(unquote(header))  # unlike Python's own, it takes no half characters
        except ValueError:
            sent = None
    if not isinstance(sent, Mapping):
        return {}
    page: dict[str, Any] = {}
    for key, limit in TEXT_LIMITS.items():
        if isinstance(text := sent.get(key), str) and text:
            # What follows an address may be a secret of the page.
            page[key] = (re.split(r"[?#]", text, maxsplit=1)[0] if key == "url" else text)[:limit]
    if isinstance(headings := sent.get("headings"), list):
        page["headings"] = [text[:HEADING_LIMIT] for text in headings if isinstance(text, str)][:HEADINGS]
    if isinstance(entities := sent.get("entities"), list):
        page["entities"] = [ref for ref in entities if isinstance(ref, str) and ENTITY.fullmatch(ref)][:ENTITIES]
    while page and len(json.dumps(page, ensure_ascii=False).encode("utf-8", "replace")) > WHOLE_LIMIT:
        page.popitem()
    return {key: value for key, value in page.items() if value}


def zone_of(metadata: Mapping[str, Any]) -> str:
    """The time zone of the person; empty when it was not sent or is none."""
    sent = metadata.get("time_zone")
    if not isinstance(sent, str) or not sent or len(sent) > 64:
        return ""
    try:
        return ZoneInfo(sent).key
    except (ValueError, OSError, KeyError):
        return ""


def client_tools_of(metadata: Mapping[str, Any]) -> frozenset[str]:
    """The tools that this page can run, of those that we know."""
    sent = metadata.get("client_tools")
    return frozenset(name for name in sent if isinstance(name, str)) & KNOWN if isinstance(sent, list) else frozenset()
