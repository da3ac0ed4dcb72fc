"""A web client for addresses of this machine."""

from typing import Any

import httpx2


def web(**options: Any) -> httpx2.AsyncClient:
    """An HTTP client without certificates: nothing here is encrypted, and loading them takes longer than most tests."""
    return httpx2.AsyncClient(verify=False, **options)
