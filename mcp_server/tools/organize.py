"""The tool for what tasks are kept in: lists, sections, tags, views, custom fields; and for the person's settings."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from fastmcp.tools.base import ToolResult

from mcp_server.access import CallMeta, ThisCall, WriteTx
from mcp_server.tasks.names import Kind, Named, Names
from mcp_server.tasks.organizing import organizing, settings
from mcp_server.tasks.organizing.organizing import TRASHED, Action, Order, Organized
from mcp_server.tasks.writing.journal import Answer, Op
from mcp_server.tools.confirming import ASKED_ABOVE, Question, write_confirmed
from mcp_server.tools.progress import reported
from mcp_server.tools.receipts import UNCHANGED, result_of, write_call
from mcp_server.tools.render import in_quotes, quoted
from mcp_server.tools.surface import TaskTool, changes, make_tool
from shared.db import Tx
from shared.errors import Problem

OUTCOMES: Final[Mapping[Action, str]] = {
    Action.CREATE: "created",
    Action.SET: "changed",
    Action.RENAME: "renamed",
    Action.MOVE: "moved",
    Action.ARCHIVE: "archived",
    Action.UNARCHIVE: "unarchived",
    Action.MERGE: "merged",
    Action.DELETE: "deleted",
}
SHOWN: Final = 60  # characters of a value in a line


async def organize(
    kind: Literal["list", "section", "tag", "view", "field", "setting"],
    action: Literal["create", "set", "rename", "move", "archive", "unarchive", "merge", "delete"],
    name: str,
    to: str = "",
    filter: str = "",  # noqa: A002 (the name on the wire)
    options: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    request_id: str = "",
    tx: Tx = WriteTx,
    call: CallMeta = ThisCall,
) -> ToolResult:
    """Make, change, arrange or delete what has a name, or set a setting."""
    given = dict(options or {})
    arguments = {"kind": kind, "action": action, "name": name, "to": to, "filter": filter, "options": given}
    asked = write_call("organize", arguments, call, dry_run, request_id)

    async def work(op: Op) -> Answer:
        op.progress = progress
        if kind == "setting":
            if action != "set" or filter or given:
                raise Problem("bad_argument", "a setting is only set", "kind, action=set, name and to")
            return _setting_answer(*await settings.change_setting(op, name, to))
        order = Order(Kind(kind), Action(action), name, to, filter, given)
        earlier = op.area.names
        done = await organizing.organize(op, order)
        return _answer(earlier, order, done, dry_run=dry_run)

    def question(answer: Answer) -> Question | None:
        trashed = answer.counts.get(TRASHED, 0)
        if trashed <= ASKED_ABOVE:
            return None
        text = f"Delete the {kind} {in_quotes(name)}, and move its {trashed:,} tasks to the trash for 30 days?"
        return Question(text, f"Delete it with {trashed:,} tasks")

    async with reported() as progress:
        return result_of(tx, await write_confirmed(tx, asked, work, question))


def organize_tools() -> list[TaskTool]:
    """The tool of this file."""
    return [make_tool(organize, hints=changes, scope="tasks:write", view="receipt", repeatable=True, confirms=True)]


def _setting_answer(name: str, before: str, now: str) -> Answer:
    if before == now:
        return Answer({UNCHANGED: 1}, lines=[f"{name}: {now}"])
    change = {"ref": name, "before": {"value": before}, "after": {"value": now}}
    return Answer({OUTCOMES[Action.SET]: 1}, lines=[f"{name}: {before} -> {now}"], changes=[change])


def _answer(names: Names, order: Order, done: Organized, *, dry_run: bool) -> Answer:
    """What was done. Sections are shown with their lists as they were before: afterwards those may be gone."""
    lines, refs, changes = [], [], []
    for before, now in done.names:
        # A dry run's number would belong to something else tomorrow.
        ref = "new1" if before is None and dry_run else f"L{now.no}"
        was, is_now = _changed_values(names, before, now)
        words = "; ".join(_changed_words(before, now, was, is_now)) or UNCHANGED
        lines.append(f"{ref} {now.kind.value}: {words} | {_path(names, now)}")
        refs.append(ref)
        if before != now:
            changes.append({"ref": ref, "before": was, "after": is_now})
    counts = {OUTCOMES[order.action] if changes else UNCHANGED: 1, **done.tasks}
    return Answer(counts, lines=lines, refs=refs, changes=changes)


def _changed_words(
    before: Named | None, now: Named, was: Mapping[str, Any] | None, is_now: Mapping[str, Any]
) -> list[str]:
    words = [] if before else ["new"]
    for name, value in is_now.items():
        old = (was or {}).get(name)
        if isinstance(value, bool) or isinstance(old, bool):
            words.append(name if value else f"no longer {name}")
        elif was is not None:
            words.append(f"{name} {_shown(old)} -> {_shown(value)}")
        elif name not in ("kind", "name"):
            words.append(f"{name} {_shown(value)}")
    if before and before.position != now.position:
        words.append("moved")
    return words


def _changed_values(names: Names, before: Named | None, now: Named) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    new = _values(names, now)
    if before is None:
        return None, new
    old = _values(names, before)
    keys = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return {name: old.get(name) for name in keys}, {name: new.get(name) for name in keys}


def _values(names: Names, named: Named) -> dict[str, Any]:
    above = names.get(named.parent_no)
    flags = {"archived": named.archived_us is not None, "deleted": named.deleted_us is not None}
    return {
        "kind": named.kind.value,
        "name": named.name,
        **({"list": above.name} if above else {}),
        **({"filter": named.filter} if named.filter else {}),
        **dict(sorted(named.options.items())),  # PostgreSQL keeps no order
        **{name: value for name, value in flags.items() if value},
    }


def _path(names: Names, named: Named) -> str:
    above = names.get(named.parent_no)
    return f"{above.name}/{named.name}" if above else named.name


def _shown(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else " ".join(str(value or "none").split())
    return quoted(text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}...")
