"""SQL as a row of tokens, the way SQLite cuts it: any text gives tokens, in linear time, and none is ever refused."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What a token is."""

    BLANK = "blank"
    COMMENT = "comment"
    STRING = "string"
    BLOB = "blob"
    NAME = "name"  # in quotes, backticks or brackets
    NUMBER = "number"
    WORD = "word"
    PARAMETER = "parameter"
    SIGN = "sign"


class Token(NamedTuple):
    """A piece of the statement, as it was written."""

    kind: Kind
    text: str

    @property
    def word(self) -> str:
        """A bare word in capitals, and any sign as it is; nothing for what is quoted."""
        return self.text.upper() if self.kind in (Kind.WORD, Kind.SIGN) else ""

    @property
    def name(self) -> str:
        """What it may name, without its quotes."""
        return self.value if self.kind is Kind.NAME else self.text if self.kind is Kind.WORD else ""

    @property
    def value(self) -> str:
        """The text between the quotes; quotes written twice are one."""
        if self.kind not in (Kind.STRING, Kind.NAME):
            return self.text
        inner = self.text[1:-1] if self.is_closed else self.text[1:]
        quote = self.text[0]
        return inner if quote == "[" else inner.replace(quote * 2, quote)

    @property
    def is_closed(self) -> bool:
        """Whether the quote or comment that it begins also ends."""
        match self.kind:
            case Kind.STRING | Kind.NAME if self.text[0] != "[":
                return self.text.count(self.text[0]) % 2 == 0
            case Kind.NAME:
                return self.text.endswith("]")
            case Kind.BLOB:
                return self.text.count("'") == 2
            case Kind.COMMENT:
                return self.text.startswith("--") or (len(self.text) > 3 and self.text.endswith("*/"))
        return True


_FIRST: Final = r"A-Za-z_\x80-\U0010ffff"
_MORE: Final = rf"{_FIRST}0-9$"
_PIECES: Final = re.compile(
    "|".join(
        f"(?P<{kind}>{pattern})"
        for kind, pattern in (
            (Kind.BLANK, r"[ \t\n\f\r\ufeff]++"),
            (Kind.COMMENT, r"--[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?"),
            (Kind.STRING, r"'(?:[^']|'')*+'?"),
            (Kind.BLOB, r"[xX]'[^']*+'?"),
            (Kind.NAME, r'"(?:[^"]|"")*+"?|`(?:[^`]|``)*+`?|\[[^\]]*+\]?'),
            (
                Kind.NUMBER,
                rf"(?:0[xX][0-9a-fA-F]++|(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)[{_MORE}]*+",
            ),
            (Kind.WORD, rf"[{_FIRST}][{_MORE}]*+"),
            (Kind.PARAMETER, rf"\?[0-9]*+|[@$:][{_MORE}]++"),
            (Kind.SIGN, r"->>|->|::|:=|\|\||<<|>>|<=>|<=|>=|<>|!=|==|!~\*?|~\*|@>|<@|&&|#>>?|(?s:.)"),
        )
    )
)


def pieces(sql: str) -> list[Token]:
    """The whole text in tokens; put together again they are the text."""
    found = []
    for match in _PIECES.finditer(sql):
        assert match.lastgroup is not None, "every alternative has a name"
        found.append(Token(Kind(match.lastgroup), match[0]))
    return found


def words(sql: str) -> list[Token]:
    """The tokens that mean something: neither blanks nor comments."""
    return [token for token in pieces(sql) if token.kind not in (Kind.BLANK, Kind.COMMENT)]


def vocabulary(text: str) -> frozenset[str]:
    """Words that are written in one line."""
    return frozenset(text.split())


ECHO_LENGTH: Final = 40


def echo(text: str) -> str:
    """The beginning of somebody's text, fit for the middle of a sentence: short, in one line and without controls."""
    plain = "".join(char if char.isprintable() else " " for char in text[: 4 * ECHO_LENGTH])
    line = " ".join(plain.split())
    return line if len(line) <= ECHO_LENGTH and len(text) <= 4 * ECHO_LENGTH else f"{line[: ECHO_LENGTH - 3]}..."


def depths(tokens: Sequence[Token]) -> list[int]:
    """How many parentheses are open at each token; the opening one counts from the next token on."""
    found = []
    depth = 0
    for token in tokens:
        depth -= token.text == ")"
        found.append(depth)
        depth += token.text == "("
    return found
