"""`Card`: a tool's result as a widget, the same in plain words, and the call that reads it again."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from chatkit.types import WidgetItem
from chatkit.widgets import DynamicWidgetRoot

# Puts an English sentence of ours into the person's language.
Say = Callable[..., str]
Component = dict[str, Any]

SOURCE_SIZE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Call:
    """A tool and what it is called with."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Card:
    """A widget at its place in a turn: a later card of the same place takes the place of the earlier one."""

    view: str
    widget: Component
    # The same for those who cannot see it, and for the model.
    copy_text: str
    # What shows the same again, as it is then; None where there is no such read.
    source: Call | None = None


def widget_item(card: Card, item_id: str, thread_id: str, created_at: datetime) -> WidgetItem:
    """The card as an item of a conversation."""
    return WidgetItem(
        id=item_id,
        thread_id=thread_id,
        created_at=created_at,
        widget=DynamicWidgetRoot.model_validate(card.widget),
        copy_text=card.copy_text,
    )


def is_older(one: WidgetItem, other: WidgetItem) -> bool:
    """Whether a card shows an earlier state of the tasks than another; the key of each ends with its revision."""
    return _revision(one) < _revision(other)


def _revision(item: WidgetItem) -> int:
    number = str(getattr(item.widget, "key", "") or "").rpartition("@")[2]
    return int(number) if number.isdecimal() else 0


def repeatable(tool: str, arguments: Mapping[str, Any]) -> Call | None:
    """The read as it can stand in every button of a card; None when it is too long for that."""
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        size = len(json.dumps(given, ensure_ascii=False).encode())
    except UnicodeEncodeError:  # half a character: it cannot be stored
        return None
    return Call(tool, given) if size <= SOURCE_SIZE else None
