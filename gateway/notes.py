"""Notes for the model's eyes only: hidden items of a conversation."""

from typing import Any

from chatkit.types import HiddenContextItem

from gateway.store import new_id
from shared.db import clock


def note_item(thread_id: str, content: Any) -> HiddenContextItem:
    """A new note, to be stored in that conversation."""
    return HiddenContextItem(id=new_id("message"), thread_id=thread_id, created_at=clock(), content=content)
