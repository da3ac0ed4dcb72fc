"""The tools of a deployment, in the order in which clients see them."""

from typing import Literal

from mcp_server.tools.database import database_tools
from mcp_server.tools.journal import journal_tools
from mcp_server.tools.organize import organize_tools
from mcp_server.tools.overview import overview_tools
from mcp_server.tools.sharing import sharing_tools
from mcp_server.tools.surface import TaskTool
from mcp_server.tools.tasks import task_tools
from mcp_server.tools.transfer import transfer_tools
from mcp_server.tools.wire import CORE


def offered_tools(profile: Literal["full", "core"] = "full", *, queries: bool = True) -> list[TaskTool]:
    """All tools, or the few without which nobody can work. The list never depends on who asks."""
    tools = [
        *overview_tools(),
        *task_tools(),
        *organize_tools(),
        *journal_tools(),
        *(database_tools() if queries else []),
        *transfer_tools(),
        *sharing_tools(),
    ]
    return [tool for tool in tools if profile == "full" or tool.name in CORE]
