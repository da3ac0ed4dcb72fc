"""From what an operator writes to a place that works."""

from pathlib import Path

import httpx2

from gateway.attachments.disk import Disk
from gateway.attachments.keeping import Keeping
from gateway.attachments.s3 import S3
from gateway.attachments.signing import Credentials
from gateway.places import place


def open_keeping(where: str, http: httpx2.AsyncClient, key: str = "") -> Keeping | None:
    """Where attachments are kept; None when nowhere is. The key, for S3 alone, is `ID:SECRET`.

    Raises `Problem` for a directory that cannot be used.
    """
    if not where:
        return None
    found = place(where)
    if isinstance(found, Path):
        return Disk(found)
    key_id, _, secret = key.partition(":")
    return S3(http, found, Credentials(key_id, secret, found.region))
