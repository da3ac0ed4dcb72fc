"""Codes that let somebody into a list: made for its owner to pass on, good once and for a week, kept only as a hash."""

from base64 import b32encode
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from mcp_server.tasks.cursors import Cursors
from shared.errors import Problem

LIFETIME_US: Final = round(timedelta(days=7) / timedelta(microseconds=1))
_SECRET_BYTES: Final = 16
_KEY_LENGTH: Final = 26
# No filter makes a question like this one, so a cursor is never taken for a code, nor a code for a cursor.
_QUESTION: Final = "who may come in"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a code says: which list of which space, and the secret that proves it."""

    space_id: str
    list_no: int
    secret: str

    @property
    def key(self) -> str:
        """What stands for the invited person until he comes; nobody finds the secret from it."""
        return "i" + b32encode(sha256(self.secret.encode()).digest()).decode().lower()[:_KEY_LENGTH]


def new_invitation(space_id: str, list_no: int) -> Invitation:
    """An invitation that nobody can guess."""
    return Invitation(space_id, list_no, token_urlsafe(_SECRET_BYTES))


def seal_code(invitation: Invitation, cursors: Cursors) -> str:
    """The code to pass on."""
    return cursors.seal(_QUESTION, [invitation.space_id, invitation.list_no, invitation.secret])


def open_code(code: str, cursors: Cursors) -> Invitation:
    """What a code says. Whether it is still good is known only where the invitation is kept."""
    try:
        space_id, list_no, secret = cursors.open(_QUESTION, "".join(code.split()))
    except Problem:
        raise bad_code() from None
    return Invitation(space_id, list_no, secret)


def bad_code() -> Problem:
    """The one refusal of every code that does not let the caller in, whatever is wrong with it."""
    what = "this code lets you into no list: it was used, taken back, older than 7 days, or never given"
    return Problem("bad_code", what, "ask for a new one")
