"""What a refusal looks like: short, in JSON, with nothing in it of what was sent."""

from typing import Any, Final

import httpx2

# A word that tests put into what they send, and look for in what comes back.
CANARY: Final = "canary8231"
TELLING: Final = ("pydantic", "validation", "Traceback", "sqlite", "SELECT", '"loc"', "Input should")


def assert_refused(response: httpx2.Response, status: int | set[int] | None = None, code: str = "") -> dict[str, Any]:
    """That this is a refusal as every one of them looks; its body without the id of the request."""
    assert 400 <= response.status_code < 500 or response.status_code in {501, 503}, response.text
    if status is not None:
        assert response.status_code in ({status} if isinstance(status, int) else status), response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, Any] = response.json()
    assert set(body) == {"code", "message", "hint", "request_id"}
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["message"]
    assert len(response.text) < 500
    assert CANARY not in response.text
    assert not any(word in response.text for word in TELLING), response.text
    if code:
        assert body["code"] == code
    return {name: value for name, value in body.items() if name != "request_id"}


def alike(first: httpx2.Response, second: httpx2.Response) -> bool:
    """Whether two answers differ in nothing but the id of the request."""
    sent = [response.content.replace(response.headers["x-request-id"].encode(), b"") for response in (first, second)]
    return first.status_code == second.status_code and sent[0] == sent[1]
