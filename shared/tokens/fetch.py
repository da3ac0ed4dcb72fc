"""A JSON document of an issuer, with an end to waiting and to reading."""

import asyncio
import json
from typing import Final

import httpx2

FETCH_LIMIT_S: Final = 5.0
BODY_LIMIT: Final = 256 * 1024


async def fetch_json(http: httpx2.AsyncClient, uri: str) -> object:
    """The document at an address, which may not send us elsewhere. Raises ValueError, TimeoutError, HTTP errors."""
    async with asyncio.timeout(FETCH_LIMIT_S), http.stream("GET", uri, follow_redirects=False) as response:
        if response.status_code != 200:
            raise ValueError(f"status {response.status_code}")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > BODY_LIMIT:
                raise ValueError("the document is too large")
    return json.loads(bytes(body))
