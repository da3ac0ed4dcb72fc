"""What people may choose beside their message: a few ways to ask, each with words for the model and some of the tools.

The list is ours. An id that is not on it changes nothing.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final

from chatkit.icons import IconName

from gateway.words import Sentence, translated

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ComposerTool:
    """One choice: what people see of it, what the model is told, and which tools it may call then."""

    id: str
    label: Sentence
    short_label: Sentence
    placeholder: Sentence
    icon: IconName
    instruction: str
    tools: frozenset[str]


TOOLS: Final = (
    ComposerTool(
        "plan",
        Sentence("Plan my day"),
        Sentence("Plan"),
        Sentence("What is this day for?"),
        "calendar",
        "The user wants to plan a day, today unless they say otherwise. Look at what is overdue, due, and urgent "
        "without a date. Propose a short list in an order that one person can do in a day, and say what should wait. "
        "Change dates or priorities only after the user agreed.",
        frozenset({"overview", "tasks_find", "tasks_edit", "tasks_complete", "undo"}),
    ),
    ComposerTool(
        "capture",
        Sentence("Add many tasks"),
        Sentence("Add"),
        Sentence("Paste notes, an email or a list"),
        "plus",
        "The message is raw material. Turn everything in it that somebody has to do into tasks, with one call of "
        "tasks_add if they fit, keeping people, dates and amounts as they are written. Invent nothing. Say afterwards "
        "what was added and what was left out as no task.",
        frozenset({"overview", "tasks_find", "tasks_add", "undo"}),
    ),
    ComposerTool(
        "chart",
        Sentence("Show a chart"),
        Sentence("Chart"),
        Sentence("What do you want to see?"),
        "chart",
        "Answer with data_query and its chart argument: few points, in a sensible order, with a title. Say in one or "
        "two sentences what the figures show.",
        frozenset({"overview", "data_query"}),
    ),
)
_BY_ID: Final = {tool.id: tool for tool in TOOLS}


def chosen(tool_id: str | None) -> ComposerTool | None:
    """The choice of that id; none when nothing was chosen or nothing of that name is offered."""
    if tool_id is None:
        return None
    tool = _BY_ID.get(tool_id)
    if tool is None:
        log.info("an unknown composer tool was asked for", extra={"tool": tool_id[:40]})
    return tool


def listed(language: str) -> list[dict[str, Any]]:
    """All choices in this language, in the form in which ChatKit's `composer.tools` takes them."""
    return [
        {
            "id": tool.id,
            "label": translated(language, tool.label),
            "shortLabel": translated(language, tool.short_label),
            "placeholderOverride": translated(language, tool.placeholder),
            "icon": tool.icon,
        }
        for tool in TOOLS
    ]
