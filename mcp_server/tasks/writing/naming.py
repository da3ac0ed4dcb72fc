"""Writing names: lists, sections, tags, views and fields are made and changed here, and each change is recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, insert, select, update

from mcp_server.tasks.names import Kind, Named, checked, name_key
from mcp_server.tasks.positions import place_of
from mcp_server.tasks.tables import lists
from mcp_server.tasks.writing.journal import Op, in_portions
from shared.errors import Problem

NAME_LIMIT: Final = 5_000  # names of one space
CONTENT: Final = ("kind", "name", "parent_no", "position", "filter", "options", "archived_us", "deleted_us")

Image = dict[str, Any]


def new_name(op: Op, kind: Kind, name: str, parent_no: int = 0, **more: Any) -> Named:
    """A name that is not yet saved; its number is taken."""
    number = op.number()
    return Named(number, kind, checked(kind, name), parent_no, place_of(number), **more)


async def save_names(op: Op, changed: Sequence[tuple[Named | None, Named]]) -> None:
    """Write and record names, new ones and changed ones."""
    kept = [(before, now) for before, now in changed if before is None or image_of(before) != image_of(now)]
    new = [_row(op, now) for before, now in kept if before is None]
    old = [{f"new_{name}": value for name, value in _row(op, now).items()} for before, now in kept if before]
    if new and op.next_no > NAME_LIMIT:
        await _require_room(op, len(new))
    for some in in_portions(new):
        await op.tx.execute(insert(lists), some)
    for some in in_portions(old):
        await op.tx.execute(_UPDATE, some)
    for before, now in kept:
        if before is None:
            op.record("list", now.no, None, {name: value for name, value in image_of(now).items() if value})
        else:
            was, is_now = image_of(before), image_of(now)
            names = [name for name in CONTENT if was[name] != is_now[name]]
            op.record("list", now.no, {name: was[name] for name in names}, {name: is_now[name] for name in names})
    op.renew(replace(op.area, names=op.area.names.including(now for _, now in changed)))


async def read_names(op: Op, numbers: Sequence[int] | Select[tuple[int]]) -> dict[int, Named]:
    """These names as they are now, deleted ones too."""
    rows = await op.tx.all(
        select(*(lists.c[name] for name in ("no", *CONTENT, "rev"))).where(
            lists.c.space_id == op.space.id, lists.c.no.in_(numbers)
        )
    )
    return {row.no: Named(row[0], Kind(row[1]), *row[2:]) for row in rows}


async def tags_called(op: Op, names: Sequence[str]) -> dict[str, Named]:
    """The tags of these names by `name_key`; those that do not exist yet are made.

    Asked of the whole space, not of what the caller sees there: a guest may use a tag that he has not met yet.
    """
    wanted = {name_key(Kind.TAG, name): name for name in names}
    known = {key: row for key in wanted if (row := op.area.names.find(Kind.TAG, key))}
    unseen = sorted(wanted.keys() - known.keys())
    if unseen and not op.area.is_own:
        rows = await op.tx.all(
            select(lists.c.no, lists.c.name, lists.c.name_key).where(
                lists.c.space_id == op.space.id,
                lists.c.kind == Kind.TAG,
                lists.c.deleted_us.is_(None),
                lists.c.name_key.in_(unseen),
            )
        )
        known |= {row.name_key: Named(row.no, Kind.TAG, row.name) for row in rows}
        op.renew(replace(op.area, names=op.area.names.including(known.values())))
    made = {key: new_name(op, Kind.TAG, wanted[key]) for key in unseen if key not in known}
    await save_names(op, [(None, tag) for tag in made.values()])
    return known | made


def with_image(named: Named, image: Mapping[str, Any]) -> Named:
    """The name with this content in place of its own."""
    content: dict[str, Any] = {key: Kind(value) if key == "kind" else value for key, value in image.items()}
    return replace(named, **content)


def image_of(named: Named) -> Image:
    """All content of a name."""
    return {name: getattr(named, name).value if name == "kind" else _plain(getattr(named, name)) for name in CONTENT}


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _row(op: Op, named: Named) -> dict[str, Any]:
    return {"space_id": op.space.id, "no": named.no, **image_of(named), "name_key": named.key, "rev": op.rev}


async def _require_room(op: Op, more: int) -> None:
    row = await op.tx.one(
        select(func.count()).select_from(lists).where(lists.c.space_id == op.space.id, lists.c.deleted_us.is_(None))
    )
    if row is not None and row[0] + more > NAME_LIMIT:
        raise Problem("quota", f"at most {NAME_LIMIT:,} lists, tags and other names", "delete some first")


_UPDATE: Final = (
    update(lists)
    .where(lists.c.space_id == bindparam("new_space_id"), lists.c.no == bindparam("new_no"))
    .values({name: bindparam(f"new_{name}") for name in (*CONTENT, "name_key", "rev")})
)
