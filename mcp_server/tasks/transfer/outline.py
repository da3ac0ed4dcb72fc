"""The outline of a Markdown text: list items and what they lie under, the text below them, and the headings above them.

Only what checklists are made of is read. Code blocks and paragraphs are passed over.
"""

import re
from dataclasses import dataclass, field
from typing import Final

_FENCE: Final = re.compile(r"\s*(?:```|~~~)")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)")
_RULE: Final = re.compile(r"[ \t]*([-*_])(?:[ \t]*\1){2,}[ \t]*")
_ITEM: Final = re.compile(
    r"(?P<indent>[ \t]*)(?P<bullet>(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$))?"
    r"(?:\[(?P<box>[^\[\]]?)\](?:[ \t]+|$))?(?P<text>.*)"
)
_QUOTE: Final = re.compile(r"[ \t]*> ?(.*)")
_TAB: Final = 4


@dataclass(slots=True)
class Item:
    """One item. Its box holds a sign or nothing; without a box it is no more than a line of a list."""

    line: int
    box: str | None
    text: str
    above: "Item | None"
    headings: tuple[tuple[int, str], ...]  # level and text, the outermost first
    below: list[str] = field(default_factory=list)  # the lines of text under it


def read_outline(text: str) -> list[Item]:
    """All items in their order."""
    items: list[Item] = []
    open_items: list[tuple[int, Item]] = []
    headings: tuple[tuple[int, str], ...] = ()
    in_code = False
    for line, content in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if _FENCE.match(content):
            in_code = not in_code
        elif in_code or not content.strip() or _RULE.fullmatch(content):
            continue
        elif heading := _HEADING.fullmatch(content):
            level = len(heading[1])
            headings = (*(one for one in headings if one[0] < level), (level, _without_closing(heading[2])))
            open_items = []
        elif open_items and (quote := _QUOTE.fullmatch(content)):
            open_items[-1][1].below.append(quote[1])
        else:
            found = _ITEM.fullmatch(content)
            assert found is not None
            indent = len(found["indent"].expandtabs(_TAB))
            if found["bullet"] is None and found["box"] is None:
                if open_items and indent > open_items[0][0]:
                    open_items[-1][1].below.append(content.strip())
                continue
            open_items = [one for one in open_items if one[0] < indent]
            above = open_items[-1][1] if open_items else None
            item = Item(line, found["box"], found["text"].rstrip(), above, headings)
            open_items.append((indent, item))
            items.append(item)
    return items


def _without_closing(text: str) -> str:
    """A heading without the signs that may close it."""
    text = text.rstrip()
    bare = text.rstrip("#")
    return bare.rstrip() if bare != text and bare[-1:] in (" ", "\t") else text
