"""What people can mention with @ in a message: their tasks and lists, asked for as the person who types.

What is typed is text to look for and never a filter, whatever it looks like.
"""

import logging
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.titles import shortened
from gateway.toolbox import SignInNeeded, Toolbox
from gateway.turn import Turn
from shared.errors import Problem

log = logging.getLogger(__name__)

ROWS: Final = 10
LISTS: Final = 3
QUERY_LENGTH: Final = 200
WORDS: Final = 10
TITLE_LENGTH: Final = 100
NOTES_LENGTH: Final = 500
LIST_PREFIX: Final = "list:"

_NUMBER: Final = re.compile(r"[Tt#]?([0-9]{1,15})")
# Whose task or list it is may stand before a colon, in the person's own words for people who share something.
_REF: Final = re.compile(r'(?:[^":|,/\x00-\x1f]{1,60}:)?T[0-9]{1,15}')
_QUOTES: Final = frozenset('"\u201c\u201d\u201e\u201f')


class _Task(BaseModel):
    """What we show of a task."""

    model_config = ConfigDict(frozen=True)

    ref: str
    title: str
    status: str = ""
    list: str = ""
    due: str = ""
    priority: str = ""
    notes: str = ""


class _List(BaseModel):
    """What we show of a list; `of` is whose it is when somebody else shares it."""

    model_config = ConfigDict(frozen=True)

    name: str
    of: str = ""
    open: int = 0
    archived: bool = False

    @property
    def path(self) -> str:
        """How tools are told which list is meant."""
        return f"{self.of}:{self.name}" if self.of else self.name


class _Found(BaseModel):
    """The part of a tool's result that is read here."""

    model_config = ConfigDict(frozen=True)

    tasks: list[_Task] = Field(default_factory=list)
    lists: list[_List] = Field(default_factory=list)


class Entities:
    """Tasks and lists as ChatKit's entities, through the tools and with the permissions of the person who asks."""

    def __init__(self, toolbox_for: Callable[[Turn], Toolbox]) -> None:
        self._toolbox_for = toolbox_for

    async def search(self, query: str, turn: Turn) -> list[dict[str, Any]]:
        """At most ten entities for what was typed after the @, and what is due next when nothing was typed.

        Whoever may not read tasks finds none. Raises `Problem` when the sign-in has ended or the tool server is away.
        """
        words = _words(query)
        toolbox = await self._ready(turn)
        known = await _read(toolbox, "overview", {})
        lists = [one for one in known.lists if not one.archived and _begins(words, one.path)][:LISTS]
        tasks = {task.ref: task for task in await _tasks(toolbox, words)}
        rows = [_list_entity(one, turn) for one in lists] + [_task_entity(task, turn) for task in tasks.values()]
        return rows[:ROWS]

    async def preview(self, entity_id: str, turn: Turn) -> dict[str, Any] | None:
        """A small widget without actions; nothing for what is not there for this person. Raises as `search` does."""
        if entity_id.startswith(LIST_PREFIX):
            path = entity_id.removeprefix(LIST_PREFIX)
            known = await _read(await self._ready(turn), "overview", {})
            return next((_list_card(one, turn) for one in known.lists if one.path == path), None)
        if not _REF.fullmatch(entity_id):
            return None
        found = await _read(await self._ready(turn), "tasks_find", {"refs": [entity_id]})
        return next((_task_card(task, turn) for task in found.tasks if task.ref == entity_id), None)

    async def _ready(self, turn: Turn) -> Toolbox:
        toolbox = self._toolbox_for(turn)
        try:
            await toolbox.tools()
        except SignInNeeded:
            raise _signed_out() from None
        return toolbox


async def _tasks(toolbox: Toolbox, words: list[str]) -> list[_Task]:
    """The task of a number that was typed, then those that hold the words."""
    text = " ".join(f'"{word}"*' for word in words)
    arguments = {"filter": text, "sort": "relevance" if words else "smart", "limit": ROWS}
    found = await _read(toolbox, "tasks_find", arguments)
    number = _NUMBER.fullmatch(words[0]) if len(words) == 1 else None
    if number is None:
        return found.tasks
    named = await _read(toolbox, "tasks_find", {"refs": [f"T{number[1]}"]})
    return [*(task for task in named.tasks if task.status != "trash"), *found.tasks]


async def _read(toolbox: Toolbox, tool: str, arguments: Mapping[str, Any]) -> _Found:
    """What a tool found; nothing when it refused or answered something else."""
    try:
        result = await toolbox.call(tool, arguments)
    except SignInNeeded:
        raise _signed_out() from None
    if result.is_error or result.structured_content is None:
        return _Found()
    try:
        return _Found.model_validate(result.structured_content)
    except ValidationError:
        log.warning("the result of a tool has another form than expected", extra={"tool": tool})
        return _Found()


def _signed_out() -> Problem:
    return Problem("sign_in", "your sign-in has ended", "sign in and try again")


def _words(query: str) -> list[str]:
    """The words of what was typed, without what would mean something in a filter even between quotes."""
    plain = "".join(
        " " if character in _QUOTES or unicodedata.category(character) in {"Cc", "Cs"} else character
        for character in query[:QUERY_LENGTH]
    )
    return plain.split()[:WORDS]


def _begins(words: list[str], name: str) -> bool:
    """Whether each word is the beginning of a word of the name."""
    parts = re.split(r"[\s:]+", _folded(name))
    return all(any(part.startswith(_folded(word)) for part in parts) for word in words)


def _folded(text: str) -> str:
    """For comparing: without case and accents, as the tool server compares."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not "\u0300" <= c <= "\u036f")


def _task_entity(task: _Task, turn: Turn) -> dict[str, Any]:
    data = {"list": task.list, "due": task.due, "status": task.status}
    return {
        "id": task.ref,
        "title": shortened(task.title, TITLE_LENGTH),
        "group": turn.say("Tasks"),
        "icon": "check-circle",
        "interactive": True,
        "data": {name: value for name, value in data.items() if value},
    }


def _list_entity(one: _List, turn: Turn) -> dict[str, Any]:
    return {
        "id": f"{LIST_PREFIX}{one.path}",
        "title": one.path,
        "group": turn.say("Lists"),
        "icon": "notebook",
        "interactive": True,
        "data": {},
    }


def _task_card(task: _Task, turn: Turn) -> dict[str, Any]:
    facts = [
        task.ref,
        _state(task, turn),
        turn.say("due {day}", day=task.due.replace("T", " ")) if task.due else "",
        turn.say("priority {number}", number=task.priority.removeprefix("p")) if task.priority else "",
        turn.say("in {list}", list=task.list) if task.list else "",
        shortened(task.notes, NOTES_LENGTH),
    ]
    return _card(task.title, facts)


def _list_card(one: _List, turn: Turn) -> dict[str, Any]:
    return _card(one.path, [turn.say(("{count} open task", "{count} open tasks"), count=one.open)])


def _state(task: _Task, turn: Turn) -> str:
    match task.status:
        case "done":
            return turn.say("done")
        case "cancelled":
            return turn.say("cancelled")
        case "trash":
            return turn.say("in the trash")
    return turn.say("open")


def _card(title: str, lines: list[str]) -> dict[str, Any]:
    """Text only: a preview is stored nowhere, so none of its actions would be accepted."""
    heading = {"type": "Text", "value": title, "weight": "semibold", "maxLines": 3}
    below = [{"type": "Text", "value": line, "size": "sm", "color": "secondary", "maxLines": 5} for line in lines]
    return {"type": "Basic", "children": [heading, *(line for line in below if line["value"])]}
