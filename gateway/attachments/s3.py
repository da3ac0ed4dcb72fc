"""Attachments in storage that speaks the protocol of S3. Requests are few and simple, so no SDK comes with them."""

import logging
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import httpx2

from gateway.attachments.keeping import away, gone
from gateway.attachments.kinds import IMAGE_BYTES
from gateway.attachments.signing import Credentials, wire_path
from gateway.places import Bucket
from shared.db import clock

log = logging.getLogger(__name__)

# For one step of a request: connecting, or the next bytes.
TIMEOUT_S: Final = 10.0


class S3:
    """A bucket, addressed by its path, which every server understands."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        bucket: Bucket,
        credentials: Credentials,
        *,
        now: Callable[[], datetime] = clock,
    ) -> None:
        server = urlsplit(bucket.endpoint or f"https://s3.{bucket.region}.amazonaws.com")
        self._http = http
        self._origin, self._host, self._base = f"{server.scheme}://{server.netloc}", server.netloc, server.path
        self._bucket = bucket
        self._credentials = credentials
        self._now = now

    async def put(self, key: str, data: bytes) -> None:
        """Keep these bytes."""
        await self._ask("PUT", key, data)

    async def get(self, key: str) -> bytes:
        """The bytes."""
        found = await self._ask("GET", key)
        if found is None:
            raise gone()
        return found

    async def remove(self, key: str) -> None:
        """Keep them no longer."""
        await self._ask("DELETE", key)

    async def _ask(self, method: str, key: str, data: bytes = b"") -> bytes | None:
        """The body of the answer; None when there is no such thing."""
        path = self._base.rstrip("/") + wire_path(self._bucket.name, f"{self._bucket.prefix}{key}")
        digest = sha256(data).hexdigest()
        headers = self._credentials.signed(method, self._host, path, {}, digest, self._now())
        try:
            async with self._http.stream(
                method,
                f"{self._origin}{path}",
                headers=headers,
                content=data if method == "PUT" else None,
                timeout=TIMEOUT_S,
                follow_redirects=False,
            ) as answer:
                if answer.status_code == 404 and method != "PUT":
                    return None
                if answer.is_success:
                    return await _read(answer)
                log.warning("the storage of attachments refused", extra={"status": answer.status_code})
        except httpx2.HTTPError as error:
            log.warning("the storage of attachments failed", extra={"error": type(error).__name__})
        raise away()


async def _read(answer: httpx2.Response) -> bytes:
    """All of it, unless it is more than we ever put there."""
    read = bytearray()
    async for chunk in answer.aiter_bytes():
        read += chunk
        if len(read) > IMAGE_BYTES:
            log.warning("the storage of attachments sent too much")
            raise away()
    return bytes(read)
