"""Conversations as text: what ChatKit hands over becomes JSON to the letter, and what can be read becomes its models.

A row that an older or newer release wrote may be unreadable. It is logged without its content and left out, so that it
takes nothing else with it.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from chatkit.types import AssistantMessageItem, Attachment, ThreadItem, ThreadMetadata, ThreadStatus
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Row

from shared.db import microseconds

log = logging.getLogger(__name__)

Model = TypeVar("Model")

_ITEM: Final[TypeAdapter[ThreadItem]] = TypeAdapter(ThreadItem)
_MESSAGE: Final = TypeAdapter(AssistantMessageItem)
_ATTACHMENT: Final[TypeAdapter[Attachment]] = TypeAdapter(Attachment)
_STATUS: Final[TypeAdapter[ThreadStatus]] = TypeAdapter(ThreadStatus)
_THREAD: Final = TypeAdapter(ThreadMetadata)


def instant(moment: datetime) -> int:
    """A time of ChatKit's in microseconds since 1970. One without a zone is local time."""
    return microseconds(moment.astimezone(UTC))


def moment(us: int) -> datetime:
    """The time that `instant` counted."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def write_thread(thread: ThreadMetadata) -> str:
    """A thread without what stands in columns or rows of its own: title, status and items."""
    return thread.model_dump_json(exclude={"title", "status", "items"})


def write_status(status: ThreadStatus) -> str:
    """A status with its reason."""
    return _STATUS.dump_json(status).decode()


def read_thread(row: Row[Any]) -> ThreadMetadata | None:
    """A thread; None when it cannot be read."""
    thread = _read(_THREAD, row.data, "thread", row.id)
    status = _read(_STATUS, row.status, "status of thread", row.id)
    if thread is None or status is None:
        return None
    thread.title, thread.status = row.title, status
    return thread


def read_item(row: Row[Any]) -> ThreadItem | None:
    """An item; None when it cannot be read."""
    return _read(_ITEM, row.data, "item", row.id)


def read_message(data: str, thread_id: str) -> AssistantMessageItem | None:
    """What an answer left of its message; None when there is nothing in it, or it cannot be read."""
    message = _read(_MESSAGE, data, "message begun in thread", thread_id)
    return message if message is not None and any(part.text.strip() for part in message.content) else None


def read_attachment(row: Row[Any]) -> Attachment | None:
    """An attachment; None when it cannot be read."""
    return _read(_ATTACHMENT, row.data, "attachment", row.id)


def _read(adapter: TypeAdapter[Model], data: str, kind: str, key: str) -> Model | None:
    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        # Only the kinds of fault: the message of the error quotes the conversation.
        faults = sorted({fault["type"] for fault in error.errors(include_url=False, include_input=False)})
        log.warning("the %s %s cannot be read and is left out: %s", kind, key, faults)
        return None
