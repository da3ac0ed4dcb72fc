"""Everything that clients are offered: tools, and what can be read, asked with and completed besides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fastmcp.prompts import Prompt
from fastmcp.resources import Resource, ResourceTemplate
from fastmcp.server.completions import CompletionHandler

from mcp_server.board.board import board
from mcp_server.completions import completing
from mcp_server.prompts.menu import task_prompts
from mcp_server.resources import task_resources, task_templates
from mcp_server.tools.offered import offered_tools
from mcp_server.tools.surface import TaskTool, scope_of
from mcp_server.tools.transfer import export_template


@dataclass(frozen=True, slots=True)
class Offer:
    """What one deployment offers, in the order in which clients see it; the same for everybody."""

    tools: Sequence[TaskTool]
    resources: Sequence[Resource] = ()
    templates: Sequence[ResourceTemplate] = ()
    prompts: Sequence[Prompt] = ()
    complete: CompletionHandler | None = None

    @property
    def scopes(self) -> dict[str, str]:
        """The one scope that each tool needs."""
        return {tool.name: scope_of(tool) for tool in self.tools}

    @property
    def writing(self) -> set[str]:
        """The tools that change something, if only for show in a dry run."""
        return {tool.name for tool in self.tools if tool.annotations is None or not tool.annotations.read_only_hint}


def offered(profile: Literal["full", "core"] = "full", *, queries: bool = True) -> Offer:
    """All of it, or with the few tools without which nobody can work."""
    tools = offered_tools(profile, queries=queries)
    exports = any(tool.name == "data_export" for tool in tools)
    prompts = task_prompts()
    return Offer(
        tools,
        resources=[*task_resources(), board()],
        templates=[*task_templates(), *([export_template()] if exports else [])],
        prompts=prompts,
        complete=completing(prompts),
    )
