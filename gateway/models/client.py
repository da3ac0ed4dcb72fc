"""The HTTP client of one model provider: with our time limits, and with nothing it was not told in our settings."""

from typing import Any, Final

from openai import AsyncOpenAI, Timeout

VENDOR_URL: Final = "https://api.openai.com/v1"
CONNECT_S: Final = 5.0
POOL_S: Final = 5.0
WRITE_S: Final = 30.0


class _Client(AsyncOpenAI):
    """Without what the environment would add to each request: an organization, a project, headers, another key."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.organization = self.project = self.admin_api_key = self.webhook_secret = None
        self._custom_headers = {}


def client_of(url: str, key: str, *, read_s: float) -> AsyncOpenAI:
    """A client of the server at this URL, else of the vendor.

    It repeats nothing by itself: it would wait for as long as a provider's `Retry-After` says, up to two minutes, or
    for a guess of its own, and count neither against our time limit. `Patience` repeats instead.
    """
    return _Client(
        api_key=key or "none",
        base_url=url or VENDOR_URL,
        timeout=Timeout(read_s, connect=CONNECT_S, pool=POOL_S, write=WRITE_S),
        max_retries=0,
    )
