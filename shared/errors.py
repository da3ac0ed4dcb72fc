"""The one exception that people and models may read, and the codes it may carry.

A `Problem` says what is wrong and what to do next. It never holds SQL, paths, stack text or another system's words:
those go to the log under the request id. Each border maps a code once, here.
"""

from types import MappingProxyType
from typing import Final

# code -> HTTP status where a Problem leaves through plain HTTP. Codes are public and are never renamed.
STATUS: Final = MappingProxyType(
    {
        "ambiguous_date": 400,
        "ambiguous_ref": 400,
        "archived": 409,
        "bad_argument": 400,
        "bad_code": 400,
        "bad_content": 400,
        "bad_cursor": 400,
        "bad_date": 400,
        "bad_estimate": 400,
        "bad_filter": 400,
        "bad_name": 400,
        "bad_reminder": 400,
        "bad_repeat": 400,
        "bad_request": 400,
        "busy": 409,
        "conflict": 409,
        "cycle": 409,
        "disabled": 501,
        "forbidden": 403,
        "in_trash": 409,
        "internal": 500,
        "missing_argument": 400,
        "mixed_spaces": 400,
        "name_taken": 409,
        "no_due": 400,
        "not_found": 404,
        "nothing_to_undo": 409,
        "quota": 429,
        "read_only": 403,
        "request_reused": 409,
        "sign_in": 401,
        "sql": 400,
        "sql_limit": 400,
        "sql_now": 400,
        "sql_unavailable": 503,
        "timeout": 504,
        "too_big": 413,
        "too_deep": 400,
        "too_long": 400,
        "too_many": 400,
        "unavailable": 503,
        "undo_expired": 409,
        "unknown_argument": 400,
        "unknown_field": 404,
        "unknown_list": 404,
        "unknown_op": 404,
        "unknown_outcome": 504,
        "unknown_person": 404,
        "unknown_ref": 404,
        "unknown_section": 404,
        "unknown_tag": 404,
        "unknown_tool": 400,
        "unknown_view": 404,
        "wrong_host": 421,
        "wrong_type": 415,
    }
)


class Problem(Exception):
    """What went wrong, in words made for the person or model that caused it."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        if code not in STATUS:
            raise KeyError(f"{code!r} is no problem code; add it to shared/errors.py")
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint

    @property
    def status(self) -> int:
        """The HTTP status this problem leaves with."""
        return STATUS[self.code]

    def __str__(self) -> str:
        """One line: `code: what. Fix: how.`"""
        text = f"{self.code}: {self.message}"
        if not self.hint:
            return text
        return f"{text}{'' if text.endswith(('.', '?', '!')) else '.'} Fix: {self.hint}"
