"""The tool that lets other people into a list, and out again."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

from fastmcp.tools.base import ToolResult
from mcp_types import TextContent

from mcp_server.access import CallMeta, Resources, TheResources, ThisCall, WriteTx
from mcp_server.tasks.sharing import sharing
from mcp_server.tasks.sharing.invitations import open_code, seal_code
from mcp_server.tasks.sharing.sharing import Member, Pair
from mcp_server.tasks.sight import Role, Sight, read_sight
from mcp_server.tasks.writing.journal import Answer, Op
from mcp_server.tools.confirming import Question, write_confirmed
from mcp_server.tools.receipts import result_of, write_call
from mcp_server.tools.render import Reading, in_quotes
from mcp_server.tools.surface import TaskTool, make_tool, reaches_others
from shared.db import Tx
from shared.errors import Problem

# What each action has to be told, and what it may be told besides.
_NEEDED: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "show": (),
        "invite": ("list", "who"),
        "accept": ("code",),
        "role": ("list", "who", "role"),
        "revoke": ("list", "who"),
        "leave": ("list",),
    }
)
_WELCOME: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {"show": ("list",), "invite": ("role",), "accept": ("who",)}
)


async def share(
    list: str = "",  # noqa: A002 (the name on the wire)
    action: Literal["show", "invite", "accept", "role", "revoke", "leave"] = "show",
    who: str = "",
    role: Literal["", "view", "edit"] = "",
    code: str = "",
    dry_run: bool = False,
    request_id: str = "",
    tx: Tx = WriteTx,
    call: CallMeta = ThisCall,
    resources: Resources = TheResources,
) -> ToolResult:
    """See or change who can access a list."""
    said = {"list": list, "who": who, "role": role, "code": code}
    _require_fitting(action, [name for name, value in said.items() if value])
    if action == "show":
        return await _show(tx, await read_sight(tx, call.tz), list)
    invitation = open_code(code, resources.cursors) if action == "accept" else None

    async def work(op: Op) -> Answer:
        nonlocal invitation
        match action:
            case "invite":
                invitation, pairs = await sharing.invite(op, list, who, Role(role or "view"))
                return _answer(op, "invited", pairs)
            case "role":
                return _answer(op, "changed", await sharing.set_role(op, list, who, Role(role)))
            case "revoke":
                return _answer(op, "revoked", await sharing.revoke(op, list, who))
            case "leave":
                name = await sharing.leave(op, list)
                return Answer({"left": 1}, refs=[name])
        assert invitation is not None
        name, member = await sharing.accept(op, invitation)
        return Answer({"joined": 1}, [f"{name}: you may {member.role.value}"], [name])

    asked = write_call("share", {"action": action, **said}, call, dry_run, request_id, places=[list])
    queue = sharing.at_the_owner(invitation, who) if invitation is not None else None

    def question(answer: Answer) -> Question:
        name, person = in_quotes(answer.refs[0] if action == "accept" else list), in_quotes(who)
        match action:
            case "invite":
                return Question(f"Let {person} {role or 'view'} all tasks of {name}, earlier ones too?", "Invite")
            case "role":
                return Question(f"Let {person} {role} the tasks of {name} from now on?", "Change the role")
            case "revoke":
                return Question(f"Take {name} away from {person}?", "Take it away")
            case "leave":
                return Question(f"Leave {name}? Only a new invitation leads back.", "Leave")
        return Question(f"Join {name}? Whoever shares it sees what you do there.", "Join")

    receipt = await write_confirmed(tx, asked, work, question, queue)
    result = result_of(tx, receipt)
    if action != "invite" or receipt.call.dry_run:
        return result
    if receipt.replayed:
        return _with_line(result, "note: the code was shown then and is kept nowhere; invite again for another one")
    assert invitation is not None
    sealed = seal_code(invitation, resources.cursors)
    return _with_line(result, f"code: {sealed}\nnote: pass the code on, it is shown only now", code=sealed)


def sharing_tools() -> list[TaskTool]:
    """The tool of this file."""
    return [make_tool(share, hints=reaches_others, scope="tasks:share", view="receipt", repeatable=True, confirms=True)]


def _require_fitting(action: str, given: Sequence[str]) -> None:
    for name in _NEEDED[action]:
        if name not in given:
            raise Problem("missing_argument", f"{action} needs {name}", f"give {', '.join(_NEEDED[action])}")
    for name in given:
        if name not in (*_NEEDED[action], *_WELCOME.get(action, ())):
            raise Problem("bad_argument", f"{action} takes no {name}", "leave it out, or use another action")


async def _show(tx: Tx, sight: Sight, path: str) -> ToolResult:
    """Whom the caller shares his lists with, and what is shared with him: everything, or one list."""
    reading = Reading(sight, tx.now)
    members = await sharing.read_members(tx, sight)
    there = [(sight.own, number) for number in dict.fromkeys(one.list_no for one in members)]
    there += [(area, number) for area in sight.shared for number in area.roles]
    if path:
        area, number = sight.place(path)
        there = [one for one in there if one == (area, area.names.list_of(number))]
    lines, values = [], []
    for area, number in there:
        name = area.label(area.names.path(number))
        if area.is_own:
            with_whom = [one for one in members if one.list_no == number]
            lines.append(f"{name}: {'; '.join(_shown(one, reading) for one in with_whom)}")
            values.append({"list": name, "members": [_values(one, reading) for one in with_whom]})
        else:
            lines.append(f"{name}: you may {area.roles[number].value}")
            values.append({"list": name, "of": area.alias, "role": area.roles[number].value})
    text = "\n".join([f"{len(there)} shared. {reading.moment}", *lines])
    return ToolResult(
        content=[TextContent(type="text", text=text)], structured_content={**reading.values(), "lists": values}
    )


def _answer(op: Op, what: str, pairs: Sequence[Pair]) -> Answer:
    """What became of the members of a list, under the caller's names for them."""
    reading = Reading(op.sight, op.tx.now)
    lines, changes = [], []
    for before, now in pairs:
        one = now or before
        assert one is not None
        name = op.area.names.path(one.list_no)
        if before is not None and now is not None:
            lines.append(f"{name}: {_name(one, reading)} {before.role.value} -> {now.role.value}")
        elif now is not None:
            lines.append(f"{name}: {_shown(now, reading)}")
        else:
            lines.append(f"{name}: {_name(one, reading)}{' is no longer invited' if one.is_invited else ' is out'}")
        was, is_now = ({"role": each.role.value} if each else None for each in (before, now))
        changes.append({"ref": name, "who": _name(one, reading), "before": was, "after": is_now})
    return Answer({what: len(pairs)}, lines, changes=changes)


def _name(one: Member, reading: Reading) -> str:
    return one.name if one.is_invited else reading.sight.name_of(one.key)


def _shown(one: Member, reading: Reading) -> str:
    """A member and since when, or an invitation and until when."""
    if one.is_invited:
        return f"{one.name} invited to {one.role.value} until {reading.local(one.until_us):%Y-%m-%d %H:%M}"
    return f"{_name(one, reading)} may {one.role.value} since {reading.local(one.since_us):%Y-%m-%d}"


def _values(one: Member, reading: Reading) -> dict[str, Any]:
    values = {"who": _name(one, reading), "role": one.role.value}
    if one.is_invited:
        return {**values, "invited_until": f"{reading.local(one.until_us):%Y-%m-%dT%H:%M}"}
    return {**values, "since": f"{reading.local(one.since_us):%Y-%m-%d}"}


def _with_line(result: ToolResult, line: str, **values: str) -> ToolResult:
    """The result with more at its end that is not part of the answer kept for a repeat."""
    [block] = result.content
    assert isinstance(block, TextContent)
    return ToolResult(
        content=[TextContent(type="text", text=f"{block.text}\n{line}")],
        structured_content={**(result.structured_content or {}), **values},
    )
