"""What people see of the issuer: who asks for what, and why something cannot be. There is no script in it."""

from html import escape
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

from shared.asgi import SECURITY_HEADERS
from shared.development.issuer.clients import OAuthClient
from shared.tokens import SCOPES

FOLDER: Final = Path(__file__).parent
STYLE: Final = FOLDER / "style.css"


def sign_in(
    name: str,
    *,
    client: OAuthClient,
    redirect_uri: str,
    scopes: tuple[str, ...],
    resource: str,
    people: tuple[str, ...],
) -> HTMLResponse:
    """Who wants what from whom, and the buttons to say yes or no; `name` is the question's."""
    wanted = [SCOPES[scope] for scope in scopes if scope in SCOPES] or ["know your name and nothing else"]
    main = Template((FOLDER / "sign_in.html").read_text(encoding="utf-8")).substitute(
        name=escape(name),
        client=escape(client.name),
        wishes="".join(f"<li>{escape(wish)}</li>" for wish in wanted),
        resource=escape(resource),
        place=escape(urlsplit(redirect_uri).netloc or redirect_uri),
        people="".join(
            f'<button class="primary" name="person" value="{escape(person)}">Continue as {escape(person)}</button>'
            for person in people
        ),
    )
    return _page("Sign in", main, form_action=f"'self' {_origin(redirect_uri)}")


def message(title: str, text: str, *, status: int) -> HTMLResponse:
    """A page that only tells something."""
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>", status=status)


def _page(title: str, main: str, *, form_action: str = "'none'", status: int = 200) -> HTMLResponse:
    page = Template((FOLDER / "page.html").read_text(encoding="utf-8")).substitute(title=escape(title), main=main)
    policy = (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
        f"form-action {form_action}; frame-ancestors 'none'"
    )
    headers = {
        **SECURITY_HEADERS,
        "Content-Security-Policy": policy,
        # Not `no-referrer`: with it browsers hide the origin of our own form from us too.
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(page, status, headers)


def _origin(uri: str) -> str:
    """Where the form's answer leads, as a source: browsers hold redirects of a form to `form-action` too."""
    at = urlsplit(uri)
    # A policy cannot name an IPv6 address, nor more of a program's own scheme than its name.
    is_nameable = at.scheme in {"http", "https"} and "[" not in at.netloc
    return f"{at.scheme}://{at.netloc}" if is_nameable else f"{at.scheme}:"
