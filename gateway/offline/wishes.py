"""What a message can come to: a wish, with everything that was said about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal


class Outcome(Enum):
    """What can become of a task."""

    DONE = "done"
    CANCELLED = "cancelled"
    OPEN = "open"


class Topic(Enum):
    """What is answered without looking at any task."""

    HELLO = "hello"
    THANKS = "thanks"
    HELP = "help"
    WHAT_TO_ADD = "what to add"
    WHICH_TASK = "which task"
    WHICH_LIST = "which list"
    WHICH_CHART = "which chart"
    NO_FILE = "no file"
    A_FILE = "a file"
    KEPT = "kept"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A task as it was said; `whole` is its title if the words for its day and list turn out to be none, and `place`
    are those for the list."""

    title: str
    due: str
    priority: str
    whole: str
    list: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """The tasks that are meant: these, the one that the words find (in a list, if that was said), or all that a filter
    finds, which are `about`."""

    refs: tuple[str, ...] = ()
    words: str = ""
    list: str = ""
    filter: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """How far a date moves, in days, months, years, hours or minutes."""

    count: int
    unit: str

    @property
    def is_short(self) -> bool:
        """Whether it is shorter than days are."""
        return self.unit in ("hours", "minutes")


@dataclass(frozen=True, slots=True)
class Add:
    """Add these tasks."""

    tasks: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True)
class Find:
    """Show the tasks that match a filter; `about` completes "two tasks are". `words` are searched for if the filter
    names a list that does not exist."""

    filter: str
    about: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Show:
    """Show exactly these tasks."""

    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """Finish, cancel or reopen."""

    outcome: Outcome
    target: Target


@dataclass(frozen=True, slots=True)
class Delete:
    """Move to the trash."""

    target: Target


@dataclass(frozen=True, slots=True)
class Restore:
    """Bring back from the trash."""

    target: Target


@dataclass(frozen=True, slots=True)
class Edit:
    """Set or clear these fields, or move the date by a span. What the request lacks is asked for."""

    target: Target
    fields: Mapping[str, object] = field(default_factory=dict)
    span: Span | None = None
    lacks: Literal["", "when", "title"] = ""


@dataclass(frozen=True, slots=True)
class Arrange:
    """Create, rename or delete a list."""

    action: Literal["create", "rename", "delete"]
    name: str
    to: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back an operation: the newest one of the conversation, unless one is named."""

    op: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """Show how much there is, and which lists."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Propose what to do on a day, today unless it is named."""

    day: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Draw what a statement finds; `about` is what it counts."""

    sql: str
    kind: str
    about: str


@dataclass(frozen=True, slots=True)
class Import:
    """Read tasks from the file that was attached, into a list if one is named."""

    list: str = ""


Wish = (
    Add | Find | Show | Close | Delete | Restore | Edit | Arrange | Undo | Overview | Plan | Chart | Import | Topic
)  # fmt: skip
