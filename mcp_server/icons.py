"""The pictures that clients show beside tools: drawn with lines, sent with the list, loaded from nowhere.

The server has none: its picture would travel with every result, as its name does.
"""

from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mcp_types import Icon

# One colour that shows on light and on dark.
COLOUR: Final = "#1f9e8f"

# On a grid of 24.
_TOOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "overview": "M4 4h7v7H4zM14 4h6v7h-6zM4 14h7v6H4zM14 14h6v6h-6z",
        "tasks_find": "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.2 15.2 20.5 20.5",
        "tasks_add": "M12 5v14M5 12h14",
        "tasks_edit": "M4 20l1-4.5L15.5 5a2.5 2.5 0 0 1 3.5 3.5L8.5 19zM13.5 7l3.5 3.5",
        "tasks_complete": "M4.5 12.5l5 5 10-11",
        "tasks_delete": "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
        "organize": "M3 6h6l2 3h10v10H3z",
        "undo": "M8.5 5 4.5 9l4 4M4.5 9H14a5 5 0 0 1 0 10H9",
        "history": "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3 2",
        "data_query": "M4 20h16M7 20v-7M12 20V5M17 20v-10",
        "data_export": "M12 4v11M7.5 10.5 12 15l4.5-4.5M4 20h16",
        "data_import": "M12 15V4M7.5 8.5 12 4l4.5 4.5M4 20h16",
        "share": "M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM3 20a6 6 0 0 1 12 0M19 9v6M16 12h6",
    }
)


def tool_icons(name: str) -> list[Icon] | None:
    """The picture of a tool of ours."""
    return [_drawn(_TOOLS[name])] if name in _TOOLS else None


def _drawn(path: str) -> Icon:
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{COLOUR}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><path d="{path}"/></svg>'
    )
    source = f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}"
    return Icon(src=source, mime_type="image/svg+xml", sizes=["any"])
