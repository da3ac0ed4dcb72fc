"""Statements that must work, each with the rows it must give by a plain account of the tasks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.mcp_server.snapshot.sql_stage import Line, Stage, first, mean

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Honest:
    """One statement, and the rows it must give, in their order."""

    name: str
    sql: str
    rows: Callable[[Stage], Rows]


def numbers(lines: Sequence[Line]) -> Rows:
    """One row with the number of each task."""
    return [[line.no] for line in sorted(lines, key=lambda line: line.no)]


def average_by(lines: Sequence[Line], key: Callable[[Line], Any], value: Callable[[Line], float | None]) -> Rows:
    """The mean of a value in each group."""
    keys = sorted({key(line) for line in lines}, key=first)
    return [[one, mean([value(line) for line in lines if key(line) == one])] for one in keys]


def ranked(pairs: Rows) -> Rows:
    """By the second value, the greatest first, then by the first."""
    return sorted(pairs, key=lambda pair: (-pair[1], first(pair[0])))


def same(name: str, sql: str, *rows: list[Any]) -> Honest:
    """A statement that says the same whatever the tasks are."""
    return Honest(name, sql, lambda _: rows)
