"""The task list as hosts ask for it: one HTML document with nothing outside of it, the same for everybody, no data."""

from pathlib import Path
from typing import Final

from fastmcp.resources import TextResource

URI: Final = "ui://taskgate/tasks.html"
MIME_TYPE: Final = "text/html;profile=mcp-app"
NOWHERE: Final[dict[str, list[str]]] = {
    "connectDomains": [],
    "resourceDomains": [],
    "frameDomains": [],
    "baseUriDomains": [],
}
# In this order they are one script: a document that may load nothing cannot import either.
SCRIPTS: Final = ("host.js", "rows.js", "board.js", "deeds.js")


def board() -> TextResource:
    """The document and what it may do, which is to talk to the host that shows it and to nobody else."""
    return TextResource(
        uri=URI,
        name="tasks",
        title="Task list",
        description="An interactive task list, for hosts that show MCP Apps.",
        mime_type=MIME_TYPE,
        meta={"ui": {"csp": NOWHERE, "prefersBorder": True}},
        text=document(),
    )


def document() -> str:
    """Markup, style and scripts as one page."""
    script = "\n".join(_part(name) for name in SCRIPTS)
    return _part("board.html").replace("{{style}}", _part("board.css")).replace("{{script}}", script)


def _part(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
