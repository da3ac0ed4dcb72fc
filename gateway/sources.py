"""Which tasks an answer names: those become its sources, and nothing else does."""

import re
from collections.abc import Mapping
from typing import Final

from chatkit.types import Annotation, EntitySource

from gateway.titles import shortened

TITLE_LENGTH: Final = 100

# A reference inside of code or an address means something else there.
_ELSEWHERE: Final = re.compile(
    r"^ {0,3}(?P<fence>```|~~~)(?s:.*?)(?:^ {0,3}(?P=fence)|\Z)"
    r"|(?<!`)`++[^`\n]++`++"
    r"|\]\([^()\s]*\)"
    r"|\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://\S++"
    r"|\b(?:mailto:|www\.)\S++",
    re.MULTILINE,
)


def cited(text: str, known: Mapping[str, str]) -> list[Annotation]:
    """A source for each known task that the text names by its reference, where it is named first.

    `known` has the titles of the tasks that tools returned in this turn, by reference. The index is the place behind
    the reference, counted as browsers count.
    """
    if not known:
        return []
    prose = _ELSEWHERE.sub(lambda found: " " * len(found[0]), text)
    # The longest first: of `ann:T12` and `T12` the text means the one that it holds in full.
    refs = "|".join(re.escape(ref) for ref in sorted(known, key=len, reverse=True))
    ends: dict[str, int] = {}
    for found in re.finditer(rf"(?<![\w:.])(?:{refs})(?!\w)", prose):
        ends.setdefault(found[0], found.end())
    return [_annotation(ref, known[ref], _utf16_length(text[:end])) for ref, end in ends.items()]


def _annotation(ref: str, title: str, index: int) -> Annotation:
    source = EntitySource(id=ref, title=shortened(title, TITLE_LENGTH), icon="check-circle", interactive=True)
    return Annotation(source=source, index=index)


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
