"""The names a person may change: those of his own space. Other people's are refused with the name of their owner."""

from mcp_server.tasks.names import INBOX_NAME, Kind, Named, Names, unknown_name
from mcp_server.tasks.sight import Sight
from mcp_server.tasks.words import fold
from shared.errors import Problem


def own_name(sight: Sight, kind: Kind, name: str) -> Named:
    """The caller's list, section, tag, view or field of that name; a section as `List/Section`, or alone if that is
    clear."""
    if kind is Kind.LIST and is_inbox(name):
        raise Problem("bad_name", "the Inbox is where tasks without a list lie, and stays as it is", "name a list")
    try:
        return _one_called(sight.own.names, kind, name)
    except Problem as problem:
        if problem.code != "ambiguous_ref" and (owner := _owner_of(sight, kind, name)):
            message = f'{kind.value} "{name[:40]}" is of {owner}'
            raise Problem("read_only", message, f"ask {owner} to change it") from None
        raise


def own_list(sight: Sight, name: str) -> Named:
    """The caller's list of that name, as a place for sections."""
    if is_inbox(name):
        raise Problem("bad_argument", "the Inbox has no sections", "name a list")
    row = own_name(sight, Kind.LIST, name)
    if row.archived_us is not None:
        hint = f"organize(kind=list, action=unarchive, name={row.name})"
        raise Problem("archived", f'list "{row.name}" is archived', hint)
    return row


def is_inbox(name: str) -> bool:
    """Whether this is the name of the place for what lies in no list."""
    return fold(name) == fold(INBOX_NAME)


def _one_called(names: Names, kind: Kind, name: str) -> Named:
    if kind is not Kind.SECTION:
        return names.require(kind, name)
    above, slash, below = (part.strip() for part in name.partition("/"))
    if slash:
        return names.require(kind, below, names.require(Kind.LIST, above).no)
    found = [row for row in names.of(kind) if fold(row.name) == fold(name)]
    if len(found) > 1:
        paths = ", ".join(f'"{names.path(row.no)}"' for row in found)
        raise Problem("ambiguous_ref", f'several lists have a section "{name[:40]}"', f"one of {paths}")
    if not found:
        raise unknown_name(kind, name, (names.path(row.no) for row in names.of(kind)))
    return found[0]


def _owner_of(sight: Sight, kind: Kind, name: str) -> str:
    for area in sight.shared:
        alias, colon, rest = name.partition(":")
        theirs = rest if colon and fold(alias) == fold(area.alias) else name
        try:
            _one_called(area.names, kind, theirs)
        except Problem:
            continue
        return area.alias
    return ""
