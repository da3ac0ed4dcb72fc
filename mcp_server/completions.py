"""What a client may propose while somebody fills in an argument: his own lists and tasks, and the usual days.

A proposal is a convenience: it is given up when it takes long, and what cannot be completed has none.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import anyio
from fastmcp.server.completions import CompletionHandler, CompletionReference
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference
from sqlalchemy import String, case, cast, func, or_, select

from mcp_server.access import BASE_SCOPE, current_call, current_resources, permitted_caller, unknown_prompt
from mcp_server.answering import answered
from mcp_server.prompts.asking import Asking, Kind
from mcp_server.resources import LIST_TEMPLATE, TASK_TEMPLATES
from mcp_server.tasks import names
from mcp_server.tasks.refs import split_alias
from mcp_server.tasks.sight import Sight, read_sight
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import Status
from mcp_server.tasks.words import TITLE_LIMIT, escape, fold
from shared.db import Tx
from shared.tokens import Caller

MOST: Final = 20
BUDGET_S: Final = 0.05
NONE: Final = Completion(values=[], total=0, has_more=False)

_NUMBER: Final = re.compile(r"[t#]?(\d{1,15})", re.ASCII)
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_USUAL: Final[Mapping[Kind, Sequence[str]]] = MappingProxyType(
    {
        "day": ("today", "tomorrow", *_WEEKDAYS),
        "week": ("last 7 days", "this week", "last week"),
        "moment": ("yesterday", "today", "last 3 days", "last 7 days", "last week", "last month", *_WEEKDAYS),
    }
)
_VARIABLES: Final[Mapping[tuple[str, str], Kind]] = MappingProxyType(
    {(LIST_TEMPLATE, "name"): "list", **{(template, "ref"): "task" for template in TASK_TEMPLATES}}
)


def completing(prompts: Sequence[Asking], budget_s: float = BUDGET_S) -> CompletionHandler:
    """The handler for the arguments of these prompts and of the resource templates."""
    by_name = {prompt.name: prompt for prompt in prompts}

    async def complete(
        ref: CompletionReference, argument: CompletionArgument, _: CompletionContext | None
    ) -> Completion:
        caller = permitted_caller(BASE_SCOPE)
        asked = ref.name if isinstance(ref, PromptReference) else ""
        with answered("completion", caller, unknown_prompt(asked)):
            if not isinstance(ref, PromptReference):
                kind = _VARIABLES.get((ref.uri, argument.name))
            elif prompt := by_name.get(ref.name):
                kind = prompt.kind_of(argument.name)
            else:
                raise unknown_prompt(ref.name)
            with anyio.move_on_after(budget_s):
                return await _proposals(caller, kind, argument.value)
        return NONE

    return complete


async def _proposals(caller: Caller, kind: Kind | None, typed: str) -> Completion:
    if kind is None or len(typed) > TITLE_LIMIT or not typed.isprintable():
        return NONE
    if kind not in ("list", "task"):
        return _matching(_USUAL.get(kind, ()), typed)
    async with current_resources().database.begin(caller) as tx:
        sight = await read_sight(tx, current_call().tz)
        return _matching(_paths(sight), typed) if kind == "list" else await _refs(tx, sight, typed)


def _matching(known: Sequence[str], typed: str) -> Completion:
    """What begins with the typed text, and after it what only holds it."""
    beginning = fold(typed)
    holding = [name for name in known if beginning in fold(name)]
    found = sorted(holding, key=lambda name: not fold(name).startswith(beginning))
    return _first(found[:MOST], len(found))


def _first(values: list[str], total: int) -> Completion:
    return Completion(values=values, total=total, has_more=total > len(values))


def _paths(sight: Sight) -> list[str]:
    """All lists and sections as their reader writes them, without those that are archived."""
    return [names.INBOX_NAME] + [
        area.label(area.names.path(row.no))
        for area in sight.areas
        for above in area.names.of(names.Kind.LIST)
        if above.archived_us is None
        for row in (above, *area.names.of(names.Kind.SECTION, above.no))
        if row.archived_us is None
    ]


async def _refs(tx: Tx, sight: Sight, typed: str) -> Completion:
    """Open tasks by the beginning of their number or title, or by words in the title; the latest change first."""
    area, rest = split_alias(sight, typed)
    areas = sight.areas if rest == typed.strip() else (area,)
    text = fold(rest)
    number = _NUMBER.fullmatch(text)
    numbered = cast(tasks.c.no, String).like(f"{int(number[1])}%" if number else "")
    begins = tasks.c.search.like(f" {escape(text)}%", escape="\\")
    # The one line feed in there ends the title.
    holds = tasks.c.search.like(f"%{escape(text)}% \n %", escape="\\")
    rows = await tx.all(
        select(tasks.c.space_id, tasks.c.no, func.count().over())
        .where(or_(*(one.rows() for one in areas)))
        .where(tasks.c.status == Status.OPEN, tasks.c.deleted_us.is_(None), or_(numbered, begins, holds))
        .order_by(case((numbered, 0), (begins, 1), else_=2), tasks.c.updated_us.desc(), tasks.c.space_id, tasks.c.no)
        .limit(MOST)
    )
    return _first([sight.area(row[0]).label(f"T{row[1]}") for row in rows], rows[0][2] if rows else 0)
