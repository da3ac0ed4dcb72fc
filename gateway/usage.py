"""How much one person may use: turns in a minute and tokens in a day, counted for all replicas in one row."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Insert, Update, case, update
from sqlalchemy.dialects.postgresql import insert

from gateway.tables import chat_usage
from gateway.turn import Turn
from shared.db import Database, microseconds
from shared.errors import Problem

MINUTE_S: Final = 60
DAY_S: Final = 86_400
NEAR_PERCENT: Final = 80


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of the day, and whether that is little."""

    tokens_left: int
    near: bool


class Limited(Problem):
    """A person has used up a limit; it is free again after so many seconds."""

    def __init__(self, message: str, hint: str, retry_after_s: int) -> None:
        super().__init__("quota", message, hint)
        self.retry_after_s = retry_after_s


class Usage:
    """Counts what each person uses. Tokens are known afterwards: the turns that run at once may exceed the limit."""

    def __init__(self, database: Database, turns_per_minute: int, tokens_per_day: int) -> None:
        self._database = database
        self._turns_per_minute = turns_per_minute
        self._tokens_per_day = tokens_per_day

    async def before(self, turn: Turn) -> Allowance:
        """Count one turn. Raises `Limited` when it is one too many, or no tokens are left; then it counts as well."""
        async with self._database.begin(turn.caller, write=True) as tx:
            found = await tx.one(_one_more(turn.caller.key, tx.now))
            now = tx.now
        assert found is not None  # an upsert returns its row
        if found.turns > self._turns_per_minute:
            raise Limited(
                "those were too many messages in one minute", "wait a moment and send it again", _left_s(now, MINUTE_S)
            )
        left = self._tokens_per_day - found.tokens
        if left <= 0:
            raise Limited(
                "you have used up the assistant for today",
                "go on tomorrow; your tasks work as usual",
                _left_s(now, DAY_S),
            )
        return Allowance(left, near=found.tokens * 100 >= NEAR_PERCENT * self._tokens_per_day)

    async def after(self, turn: Turn, tokens: int) -> None:
        """Count the tokens of a turn; of somebody who was deleted meanwhile nothing is kept."""
        async with self._database.begin(turn.caller, write=True) as tx:
            await tx.execute(_more_tokens(turn.caller.key, tx.now, tokens))


def _one_more(owner: str, now: datetime) -> Insert:
    """Another turn of this person, and how the row stands then.

    A clock that is behind counts in the minute and the day of the one that is ahead: nobody gains from the difference.
    """
    row = chat_usage.c
    day, minute = _number(now, DAY_S), _number(now, MINUTE_S)
    first = insert(chat_usage).values(owner=owner, day=day, tokens=0, minute=minute, turns=1)
    more = first.on_conflict_do_update(
        index_elements=[row.owner],
        set_={
            "tokens": case((row.day >= day, row.tokens), else_=0),
            "day": case((row.day >= day, row.day), else_=day),
            "turns": case((row.minute >= minute, row.turns + 1), else_=1),
            "minute": case((row.minute >= minute, row.minute), else_=minute),
        },
    )
    return more.returning(row.tokens, row.turns)


def _more_tokens(owner: str, now: datetime, tokens: int) -> Update:
    row = chat_usage.c
    day = _number(now, DAY_S)
    return (
        update(chat_usage)
        .where(row.owner == owner)
        .values(
            tokens=case((row.day >= day, row.tokens + tokens), else_=tokens),
            day=case((row.day >= day, row.day), else_=day),
        )
    )


def _number(now: datetime, unit_s: int) -> int:
    return microseconds(now) // (unit_s * 1_000_000)


def _left_s(now: datetime, unit_s: int) -> int:
    """Whole seconds until the next minute or day, at least one."""
    return unit_s - int(now.timestamp()) % unit_s
