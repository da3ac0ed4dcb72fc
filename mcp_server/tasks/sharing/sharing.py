"""Lists shared with other people: the owner invites, and who accepts comes in. Nobody gets a list he did not ask for.

The row of `members` in the owner's space decides who sees a list; the member keeps a row of his own to find it by.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, true

from mcp_server.tasks.names import Kind, Named, Names
from mcp_server.tasks.sharing.invitations import LIFETIME_US, Invitation, bad_code, new_invitation
from mcp_server.tasks.sharing.people import checked_person, free_name, read_people, remember
from mcp_server.tasks.sight import Area, Role, Sight, read_sight, unknown_person
from mcp_server.tasks.spaces import Space, is_space_id, space_of
from mcp_server.tasks.tables import lists, members, memberships, spaces
from mcp_server.tasks.words import fold
from mcp_server.tasks.writing.journal import Call, Op, create_space, next_turn
from shared.db import Tx
from shared.errors import Problem

MEMBER_LIMIT: Final = 100  # of one list, open invitations included


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may see a list, or is invited to."""

    list_no: int
    key: str
    role: Role
    name: str  # what the owner called him in the invitation
    since_us: int

    @property
    def is_invited(self) -> bool:
        """Whether this is an invitation that nobody has accepted yet."""
        return not is_space_id(self.key)

    @property
    def until_us(self) -> int:
        """When an invitation ends."""
        return self.since_us + LIFETIME_US


# A member as he was and as he is; nothing where he was none, or is none any more.
Pair = tuple[Member | None, Member | None]


async def read_members(tx: Tx, sight: Sight) -> Sequence[Member]:
    """Who may see the caller's own lists and who is invited to: by list, in the order in which they came."""
    found = await _read(tx, sight.own.space.id, true())
    return [one for one in found if sight.own.names.get(one.list_no) is not None and _is_good(one, tx)]


async def invite(op: Op, path: str, who: str, role: Role) -> tuple[Invitation, Sequence[Pair]]:
    """A new invitation to one of the caller's lists. One that was still open for the same name ends."""
    row = _own_list(op.sight, path)
    person, name = _known(op.sight.people, who) or ("", checked_person(who))
    there = await _members_of(op, row.no)
    if any(one.key == person for one in there):
        hint = f'share(list="{row.name}", action=role, who={name}) changes what he may do'
        raise Problem("name_taken", f'{name} is a member of "{row.name}" already', hint)
    ended = [one for one in there if one.is_invited and (fold(one.name) == fold(name) or not _is_good(one, op.tx))]
    if len(there) - len(ended) >= MEMBER_LIMIT:
        raise Problem("quota", f'"{row.name}" has {MEMBER_LIMIT} members and invitations', "revoke some first")
    invitation = new_invitation(op.space.id, row.no)
    new = Member(row.no, invitation.key, role, name, op.tx.now_us)
    await _save(op, [*((one, None) for one in ended), (None, new)])
    return invitation, [(None, new)]


async def set_role(op: Op, path: str, who: str, role: Role) -> Sequence[Pair]:
    """Let a member or an invited person of one of the caller's lists do more, or less, than before."""
    called = await _called(op, _own_list(op.sight, path), who)
    return await _save(op, [(one, replace(one, role=role)) for one in called if one.role is not role])


async def revoke(op: Op, path: str, who: str) -> Sequence[Pair]:
    """Close one of the caller's lists to a person, and take the open invitations in his name back."""
    return await _save(op, [(one, None) for one in await _called(op, _own_list(op.sight, path), who)])


async def leave(op: Op, path: str) -> str:
    """Give up a list that somebody else shares with the caller. Returns its name."""
    area, number = op.sight.place(path)
    if area.is_own:
        raise Problem("bad_argument", f'"{path[:40]}" is your own', "revoke closes it to others")
    me, list_no = space_of(op.tx.caller), area.names.list_of(number)
    await _save(op, [(one, None) for one in await _members_of(op, list_no) if one.key == me])
    await _forget_membership(op, list_no)
    return area.label(area.names.path(list_no))


def at_the_owner(invitation: Invitation, who: str) -> Callable[[Tx, Call], Awaitable[Op]]:
    """Where an invitation is accepted: in the space of its owner, of which the caller sees nothing yet."""

    async def queue(tx: Tx, call: Call) -> Op:
        me, owner = space_of(tx.caller), invitation.space_id
        if owner == me:
            raise bad_code()
        await create_space(tx, call.tz)
        await tx.widen({"taskgate.spaces": f"{me},{owner}"})
        # Both give each other a name now. Locked in one order, so that two who accept each other's codes never wait
        # for one another.
        await tx.all(_LOCKED, {"both": [me, owner]})
        sight = await read_sight(tx, call.tz)
        await tx.widen({"taskgate.spaces": ",".join({owner, *(area.space.id for area in sight.areas)})})
        turn = await next_turn(tx, owner)
        if turn is None:
            raise bad_code()
        name = sight.people.get(owner) or _new_name(sight.people, who)
        return Op(tx, sight, Area(Space(owner, turn.rev - 1, call.tz), Names(), name), turn.rev, turn.next_no)

    return queue


async def accept(op: Op, invitation: Invitation) -> tuple[str, Member]:
    """Make the caller a member of the list that he is invited to. Returns its name and what he may do."""
    tx, me, owner, list_no = op.tx, space_of(op.tx.caller), invitation.space_id, invitation.list_no
    row = await tx.one(_LIVING, {"space": owner, "list": list_no})
    there = {one.key: one for one in await _members_of(op, list_no)}
    invited, was = there.get(invitation.key), there.get(me)
    if row is None or invited is None or not _is_good(invited, tx):
        raise bad_code()
    name = await _introduce(tx, owner, invited.name)
    member = Member(list_no, me, invited.role, name, was.since_us if was else tx.now_us)
    await _save(op, [*([(was, None)] if was else []), (invited, member)])
    await _forget_membership(op, list_no)
    await tx.execute(
        insert(memberships), {"user_key": me, "space_id": owner, "list_no": list_no, "role": member.role.value}
    )
    if owner not in op.sight.people:
        await remember(tx, me, owner, op.area.alias)
    tx.wrote(me)  # besides the owner's space: the caller sees more from now on
    return op.area.label(row.name), member


async def _introduce(tx: Tx, owner: str, name: str) -> str:
    """What the owner calls the caller from now on: he chose it when he made the invitation, so it is his own row.

    Whom he knows already keeps his name; and a name that means somebody else lets nobody in.
    """
    me = space_of(tx.caller)
    await tx.widen({"taskgate.user": owner})
    people = await read_people(tx, owner)
    if (known := _known(people, name)) and known[0] != me:
        raise bad_code()
    if me not in people:
        await remember(tx, owner, me, name)
    await tx.widen({"taskgate.user": me})
    return people.get(me, name)


def _new_name(people: Mapping[str, str], who: str) -> str:
    if not who:
        return free_name(people.values())
    if _known(people, who):
        raise Problem("name_taken", f'you call somebody else "{who.strip()}"', "another name as who")
    return checked_person(who)


def _known(people: Mapping[str, str], who: str) -> tuple[str, str] | None:
    """The person of that name, and how it is spelled."""
    return next(((person, name) for person, name in people.items() if fold(name) == fold(who)), None)


def _own_list(sight: Sight, path: str) -> Named:
    """The caller's own list of that name; others decide about theirs."""
    area, number = sight.place(path)
    if not area.is_own:
        raise Problem("read_only", f'{area.alias} decides who sees "{path[:40]}"', f"ask {area.alias}")
    row = area.names.get(number)
    if row is None or row.kind is not Kind.LIST:
        what = "the Inbox is yours alone" if row is None else "a section is shared with its list"
        raise Problem("bad_argument", what, "name a list")
    return row


async def _called(op: Op, row: Named, who: str) -> Sequence[Member]:
    """The member and the open invitations of a list that the caller knows by that name."""
    person, _ = _known(op.sight.people, who) or ("", "")
    there = [one for one in await _members_of(op, row.no) if _is_good(one, op.tx)]
    found = [one for one in there if one.key == person or (one.is_invited and fold(one.name) == fold(who))]
    if not found:
        raise unknown_person(who, (one.name if one.is_invited else op.sight.name_of(one.key) for one in there))
    return found


def _is_good(one: Member, tx: Tx) -> bool:
    return not one.is_invited or one.until_us > tx.now_us


async def _members_of(op: Op, list_no: int) -> Sequence[Member]:
    return await _read(op.tx, op.space.id, members.c.list_no == list_no)


async def _read(tx: Tx, space_id: str, which: ColumnElement[bool]) -> Sequence[Member]:
    rows = await tx.all(
        select(*_COLUMNS)
        .where(members.c.space_id == space_id, which)
        .order_by(members.c.list_no, members.c.since_us, members.c.user_key)
    )
    return [Member(row.list_no, row.user_key, Role(row.role), row.name, row.since_us) for row in rows]


async def _save(op: Op, pairs: Sequence[Pair]) -> Sequence[Pair]:
    """Write and record who came, who changed and who is gone."""
    for before, now in pairs:
        if before is not None:
            await op.tx.execute(_REMOVE, {"space": op.space.id, "list": before.list_no, "key": before.key})
        if now is not None:
            await op.tx.execute(insert(members), _row(op, now))
        one = now or before
        assert one is not None
        op.record("member", one.list_no, _image(before), _image(now))
    return pairs


def _row(op: Op, one: Member) -> dict[str, Any]:
    return {
        "space_id": op.space.id,
        "list_no": one.list_no,
        "user_key": one.key,
        "role": one.role.value,
        "name": one.name,
        "since_us": one.since_us,
    }


def _image(one: Member | None) -> dict[str, Any] | None:
    """A member as the journal keeps him; an invitation has no person."""
    if one is None:
        return None
    return {"person": None if one.is_invited else one.key, "name": one.name, "role": one.role.value}


async def _forget_membership(op: Op, list_no: int) -> None:
    """Remove the caller's half of a membership; one that has ended by a word of the owner may still be there."""
    await op.tx.execute(
        delete(memberships).where(
            memberships.c.user_key == space_of(op.tx.caller),
            memberships.c.space_id == op.space.id,
            memberships.c.list_no == list_no,
        )
    )


_COLUMNS: Final = (members.c.list_no, members.c.user_key, members.c.role, members.c.name, members.c.since_us)
_REMOVE: Final = delete(members).where(
    members.c.space_id == bindparam("space"),
    members.c.list_no == bindparam("list"),
    members.c.user_key == bindparam("key"),
)
_LIVING: Final = select(lists.c.name).where(
    lists.c.space_id == bindparam("space"),
    lists.c.no == bindparam("list"),
    lists.c.kind == Kind.LIST,
    lists.c.deleted_us.is_(None),
)
_LOCKED: Final = (
    select(spaces.c.id)
    .where(spaces.c.id.in_(bindparam("both", expanding=True)))
    .order_by(spaces.c.id)
    .with_for_update(key_share=True)
)
