"""A person's settings by the names people call them: where he lives, and how his words for dates are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import update

from mcp_server.tasks.calendar.dates import Habits, shown, zone_named
from mcp_server.tasks.calendar.days import WEEKDAYS
from mcp_server.tasks.calendar.times import split_time
from mcp_server.tasks.organizing.floating import refloat
from mcp_server.tasks.spaces import Space
from mcp_server.tasks.tables import spaces
from mcp_server.tasks.words import closest, fold
from mcp_server.tasks.writing.journal import Op
from shared.errors import Problem

ZONE: Final = "tz"
DEFAULT: Final = "default"
_MOVE_INSTANTS: Final = frozenset({ZONE, "day_start"})
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ORDERS: Final = {"dmy": "DMY", "mdy": "MDY", "none": "", "": ""}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its key in the space, how its words are read, and how its value is shown so that it reads back."""

    key: str
    read: Callable[[str, Habits], Any]
    show: Callable[[Any], str]


def _zone(words: str, _: Habits) -> str:
    return zone_named(words.strip()).key


def _weekday(words: str, _: Habits) -> int:
    day = WEEKDAYS.get(fold(words))
    if day is None:
        raise Problem("bad_argument", f'"{shown(words)}" is no day of the week', "e.g. Monday")
    return day


def _order(words: str, _: Habits) -> str:
    order = _ORDERS.get(fold(words))
    if order is None:
        raise Problem("bad_argument", f'"{shown(words)}" is no order of dates', "DMY, MDY or none")
    return order


def _clock(words: str, habits: Habits) -> int:
    try:
        rest, time = split_time(fold(words).split(), habits.parts_of_day)
    except ValueError:
        rest, time = [], None
    if time is None or rest:
        raise Problem("bad_argument", f'"{shown(words)}" is no time of day', "e.g. 09:00")
    return time.minutes


def _clock_shown(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


SETTINGS: Final[Mapping[str, Setting]] = {
    "time zone": Setting(ZONE, _zone, str),
    "week start": Setting("week_start", _weekday, _DAYS.__getitem__),
    "date order": Setting("order", _order, lambda order: order or "none"),
    **{
        name: Setting(name.replace(" ", "_"), _clock, _clock_shown)
        for name in ("day start", "morning", "afternoon", "evening", "tonight")
    },
}


async def change_setting(op: Op, name: str, words: str) -> tuple[str, str, str]:
    """Set a setting; `default` takes it back. Returns its name, and what it was and is in words."""
    name, setting = _setting_called(name)
    if not words and setting.key != "order":  # there it is how "none" arrives, the word for nothing
        hint = f'add to, e.g. to="{setting.show(_value(op.space, setting))}"'
        raise Problem("missing_argument", f"{name} of what?", hint)
    before = _value(op.space, setting)
    value = None if fold(words) == DEFAULT and setting.key != ZONE else setting.read(words, op.space.habits)
    if value is None or value != before:
        await save_settings(op, {setting.key: value})
    return name, setting.show(before), setting.show(_value(op.space, setting))


async def save_settings(op: Op, values: Mapping[str, Any]) -> None:
    """Write and record settings by their keys; None is the default again. What was computed from them is renewed."""
    before = {key: _stored(op.space, key) for key in values}
    changed = [key for key in values if before[key] != values[key]]
    if not changed:
        return
    kept = {**op.space.settings, **values}
    settings = {key: value for key, value in kept.items() if key != ZONE and value is not None}
    space = replace(op.space, tz=values.get(ZONE) or op.space.tz, settings=settings)
    await op.tx.execute(
        update(spaces).where(spaces.c.id == space.id).values(tz=space.tz, settings=dict(space.settings))
    )
    op.record("setting", 0, {key: before[key] for key in changed}, {key: values[key] for key in changed})
    op.renew(replace(op.area, space=space))
    if _MOVE_INSTANTS.intersection(changed):
        await refloat(op)


def settings_shown(space: Space) -> dict[str, str]:
    """All settings as people read them, by name."""
    return {name: setting.show(_value(space, setting)) for name, setting in SETTINGS.items()}


def _setting_called(name: str) -> tuple[str, Setting]:
    plain = fold(name.replace("_", " ").replace("-", " "))
    plain = {"timezone": "time zone", "zone": "time zone", "tz": "time zone"}.get(plain, plain)
    if plain not in SETTINGS:
        near = closest(plain, SETTINGS) or list(SETTINGS)
        raise Problem("bad_argument", f'no setting "{shown(name)}"', f"one of {', '.join(near)}")
    return plain, SETTINGS[plain]


def _stored(space: Space, key: str) -> Any:
    return space.tz if key == ZONE else space.settings.get(key)


def _value(space: Space, setting: Setting) -> Any:
    return space.tz if setting.key == ZONE else getattr(space.habits, setting.key)
