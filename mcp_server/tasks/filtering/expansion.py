"""Saved views put in place of the `view:` terms that name them, views in views too."""

from dataclasses import replace
from typing import Final

from mcp_server.tasks.filtering.grammar import parse
from mcp_server.tasks.filtering.tree import And, Not, Or, Term, Tree, fault, leaves
from mcp_server.tasks.names import Kind, Names
from shared.errors import Problem

DEPTH_LIMIT: Final = 5
TERM_LIMIT: Final = 200  # of a filter with everything that its views bring along


def with_views(tree: Tree, names: Names) -> tuple[Tree, list[str]]:
    """The tree without `view:` terms, and notes about views that are gone.

    Each term that comes from a view carries its name. A view that nobody has is an error where a person asks for it;
    inside a saved view it matches nothing.
    """
    expanding = _Expanding(names)
    expanded = expanding.tree(tree, ())
    return expanded, expanding.notes


class _Expanding:
    """`path` is the way into the current view: the names of the views around it, the outermost first."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._terms = 0
        self.notes: list[str] = []

    def tree(self, tree: Tree, path: tuple[str, ...]) -> Tree:
        match tree:
            case Not(inner):
                return Not(self.tree(inner, path))
            case And(parts):
                return And(tuple(self.tree(part, path) for part in parts))
            case Or(parts):
                return Or(tuple(self.tree(part, path) for part in parts))
            case Term("view", values):
                return Or(tuple(self._saved(value.text, tree, path) for value in values))
            case Term() if path:
                return replace(tree, view=path[-1])
        return tree

    def _saved(self, name: str, term: Term, path: tuple[str, ...]) -> Tree:
        try:
            view = self._names.require(Kind.VIEW, name)
        except Problem as problem:
            if not path:
                raise
            self.notes.append(f'view "{path[-1]}": {problem.message}; it matches nothing there')
            return Or(())
        where = f'in the view "{path[-1]}", ' if path else ""
        if view.name in path:
            raise fault(f'{where}the view "{view.name}" contains itself', term.position, "change one of them")
        if len(path) == DEPTH_LIMIT:
            raise fault(f"{where}one view too many inside another", term.position, f"at most {DEPTH_LIMIT} deep")
        try:
            saved = parse(view.filter)
        except Problem as problem:
            raise Problem(problem.code, f'in the view "{view.name}", {problem.message}', problem.hint) from None
        self._terms += len(list(leaves(saved)))
        if self._terms > TERM_LIMIT:
            raise fault(f"{where}too many terms", term.position, f"at most {TERM_LIMIT} with those of all views")
        return self.tree(saved, (*path, view.name))
