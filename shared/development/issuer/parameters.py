"""The parameters of an OAuth request: each at most once, and one without a value was not sent (RFC 6749, 3.1)."""

from urllib.parse import parse_qs

from starlette.requests import Request

from shared.development.issuer.refusals import OAuthRefusal

FORM = "application/x-www-form-urlencoded"
MOST = 50


class Parameters:
    """What was sent, by name."""

    def __init__(self, text: str) -> None:
        try:
            self._found = parse_qs(text, errors="replace", max_num_fields=MOST)
        except ValueError as error:
            raise OAuthRefusal("invalid_request", "there are too many parameters") from error

    def one(self, name: str) -> str:
        """The value, or an empty text. Raises `OAuthRefusal` when there are two."""
        values = self._found.get(name, [""])
        if len(values) > 1:
            raise OAuthRefusal("invalid_request", f"{name} was sent twice")
        return values[0]


async def form(request: Request) -> Parameters:
    """The parameters of a form. Raises `OAuthRefusal` for any other body."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise OAuthRefusal("invalid_request", f"send the parameters as {FORM}")
    return Parameters((await request.body()).decode("utf-8", "replace"))
