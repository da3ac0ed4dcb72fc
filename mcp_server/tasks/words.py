"""Text as people compare it: without case, accents and extra spaces; and the border that keeps bad text out."""

import difflib
import unicodedata
from collections.abc import Iterable

from shared.errors import Problem

TITLE_LIMIT = 500
NOTES_LIMIT = 20_000
COMMENT_LIMIT = 5_000
NAME_LIMIT = 60
_NOT_IN_NAMES = '"|,/'


def fold(text: str) -> str:
    """Text for comparing. Only the marks U+0300-036F go: without the others Thai and Hindi would be destroyed."""
    flat = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(character for character in flat if not "\u0300" <= character <= "\u036f")
    return " ".join(unicodedata.normalize("NFC", bare).split())


def search_text(title: str, notes: str) -> str:
    """What a search looks through. The title stands first and ends with a line feed, which sorts below every printable
    character, so the order of this text is the order of the titles."""
    return f" {fold(title)} \n {fold(notes)}"


def title_pattern(title: str) -> str:
    """The LIKE pattern of every task whose whole title folds to the same text."""
    return f" {escape(fold(title))} \n %"


def escape(text: str) -> str:
    """Text inside a LIKE pattern that uses a backslash to escape."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def checked_title(title: str, where: str) -> str:
    """A title that can be stored and shown on one line."""
    clean = title.strip()
    if not clean:
        raise Problem("missing_argument", f"{where} has no title", "add title")
    if len(clean) > TITLE_LIMIT:
        raise Problem("too_long", f"{where} has a title of {len(clean):,} characters", f"at most {TITLE_LIMIT}")
    _require_text(clean, f"the title of {where}", allowed="")
    return clean


def checked_notes(notes: str, where: str) -> str:
    """Notes that can be stored; line breaks and tabs are welcome."""
    if len(notes) > NOTES_LIMIT:
        raise Problem("too_long", f"{where} has notes of {len(notes):,} characters", f"at most {NOTES_LIMIT:,}")
    _require_text(notes, f"the notes of {where}", allowed="\n\t\r")
    return notes.replace("\r\n", "\n").replace("\r", "\n")


def checked_comment(body: str, where: str) -> str:
    """A comment that can be stored."""
    if not body.strip():
        raise Problem("missing_argument", f"{where} is empty", "write something, or leave it out")
    if len(body) > COMMENT_LIMIT:
        raise Problem("too_long", f"{where} has {len(body):,} characters", f"at most {COMMENT_LIMIT:,}")
    _require_text(body, where, allowed="\n\t\r")
    return body.replace("\r\n", "\n").replace("\r", "\n").strip()


def checked_name(name: str, what: str) -> str:
    """A name of a list, section, tag, view or field that can stand in a line and in a filter."""
    _require_text(name.strip(), f"the name of the {what}", allowed="")
    clean = " ".join(name.split())
    if not fold(clean):
        raise Problem("bad_name", f"a {what} needs a name", "1 to 60 characters")
    if len(clean) > NAME_LIMIT:
        raise Problem("bad_name", f"the name of a {what} has {len(clean):,} characters", f"at most {NAME_LIMIT}")
    if found := next((character for character in clean if character in _NOT_IN_NAMES), ""):
        raise Problem("bad_name", f"the name of a {what} cannot hold {found}", "leave it out")
    return clean


def closest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names nearest to a word, best first."""
    folded = {fold(name): name for name in known}
    return [folded[name] for name in difflib.get_close_matches(fold(word), list(folded), n=most, cutoff=0.5)]


def _require_text(text: str, what: str, allowed: str) -> None:
    for character in text:
        kind = unicodedata.category(character)
        # PostgreSQL cannot hold U+0000 and no database can hold half of a surrogate pair: refused alike everywhere.
        if kind == "Cs" or (kind in {"Cc", "Zl", "Zp"} and character not in allowed):
            raise Problem("bad_argument", f"{what} holds a control character (U+{ord(character):04X})", "remove it")
