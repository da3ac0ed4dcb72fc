"""The card that asks a person to visit a page: where it leads stands there in plain words before anybody follows it."""

from typing import Final
from urllib.parse import quote, urlsplit

from gateway.questions.fields import shown
from gateway.widgets import Card, Say
from gateway.widgets.parts import action, button, card, fact, row, text

MESSAGE_LENGTH: Final = 1_000
# What is left as it is in a link: nothing that could end it.
PLAIN: Final = ":/?#@!$&'*+,;=%~"


def page_card(entry_id: str, title: str, message: str, url: str, say: Say) -> Card:
    """A link, and the two answers. The tool goes on when the person says that he is done there."""
    said, host = shown(message, MESSAGE_LENGTH), urlsplit(url).hostname or ""
    where = say("A page of {host} wants a visit.", host=host)
    link = {"type": "Markdown", "value": f"[{host}](<{quote(url, safe=PLAIN)}>)"}
    widget = card(
        f"page {entry_id}",
        text(where, strong=True),
        text(title, quiet=True),
        *([text(said)] if said else []),
        link,
        fact(say("Address"), url),
        row(
            button(say("Cancel"), _answer(entry_id, "reject")),
            button(say("Continue"), _answer(entry_id, "approve")),
        ),
    )
    return Card("page", widget, "\n".join(filter(None, [where, said, url])))


def _answer(entry_id: str, answer: str) -> dict[str, object]:
    return action("approval", {"id": entry_id, "answer": answer}, streaming=True)
