"""Saved views: their filters are understood before they are saved, and follow what they name to its new name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mcp_server.tasks.filtering.filters import read_filter
from mcp_server.tasks.filtering.grammar import LENGTH_LIMIT, parse, show
from mcp_server.tasks.filtering.tree import And, Not, Or, Term, Tree, Value, Word
from mcp_server.tasks.names import INBOX_NAME, Kind, Named, Names
from mcp_server.tasks.task import INBOX
from mcp_server.tasks.words import fold
from mcp_server.tasks.writing.journal import Op
from shared.errors import Problem


async def require_filter(op: Op, view: Named, written: str) -> None:
    """Refuse a filter that cannot be read, names something unknown or, through other views, the view itself."""
    await read_filter(op.tx, op.sight, written)
    saved = replace(op.area, names=op.area.names.including([view]))
    await read_filter(op.tx, op.sight.including(saved), f'view:"{view.name}"')


def canonical(text: str) -> str:
    """A filter as it is saved."""
    return show(parse(text))


def following(
    names: Names, changed: Sequence[Named], heirs: Mapping[int, int] | None = None
) -> list[tuple[Named, Named]]:
    """The views that have to change because what they name is called otherwise now or has an heir, before and after."""
    follower = _Follower(names, names.including(changed), heirs or {})
    moved = {row.no for row in changed}
    pairs = [(view, follower.view(view)) for view in names.of(Kind.VIEW) if view.no not in moved]
    return [(before, now) for before, now in pairs if before.filter != now.filter]


class _Follower:
    """Puts the names of later in the place of earlier ones. What has neither name nor heir stays as it was written."""

    def __init__(self, names: Names, later: Names, heirs: Mapping[int, int]) -> None:
        self._names = names
        self._later = later
        self._heirs = heirs

    def view(self, view: Named) -> Named:
        try:
            tree = parse(view.filter)
        except Problem:  # saved by an earlier version; it says so when it is used
            return view
        later = self._tree(tree)
        text = show(later)
        return view if later == tree or len(text) > LENGTH_LIMIT else replace(view, filter=text)

    def _tree(self, tree: Tree) -> Tree:
        match tree:
            case Word():
                return tree
            case Term():
                return self._term(tree)
            case Not(inner):
                return Not(self._tree(inner))
            case And(parts):
                return And(tuple(map(self._tree, parts)))
            case Or(parts):
                return Or(tuple(map(self._tree, parts)))

    def _term(self, term: Term) -> Term:
        match term.key:
            case "list":
                return replace(term, values=self._values(term, self._place))
            case "tag":
                return replace(term, values=self._values(term, lambda text: self._name(Kind.TAG, text)))
            case "view":
                return replace(term, values=self._values(term, lambda text: self._name(Kind.VIEW, text)))
            case "field":
                return replace(term, name=self._name(Kind.FIELD, term.name))
        return term

    def _values(self, term: Term, called: Callable[[str], str]) -> tuple[Value, ...]:
        renamed = (value if value.sign else replace(value, text=called(value.text)) for value in term.values)
        return tuple(dict.fromkeys(renamed))

    def _place(self, text: str) -> str:
        try:
            number = self._names.place(text)
        except Problem:
            return text
        heir = self._heirs.get(number, number)
        path = INBOX_NAME if heir == INBOX else self._later.path(heir)
        return path if path and fold(path) != fold(self._names.path(number) or INBOX_NAME) else text

    def _name(self, kind: Kind, text: str) -> str:
        row = self._names.find(kind, text)
        heir = self._later.get(self._heirs.get(row.no, row.no)) if row else None
        return heir.name if row and heir and heir.key != row.key else text
