"""What tools say, as people read it: short, because cards show the rest, and never more than the tool has said."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.offline.naming import Listed

MOST_LINES: Final = 7
FIRST_LINES: Final = 5

UNAVAILABLE: Final = "Tasks are unavailable at the moment. Please try again a little later."
# Errors whose sentence is meant for a model; any other sentence is fit for people as it is.
IN_PLAIN_WORDS: Final = {
    "unavailable": f"{UNAVAILABLE} Nothing was changed.",
    "unknown_outcome": "I got no answer: it may have been done. Ask `what is open?` before you repeat it.",
    "unknown_tool": UNAVAILABLE,
    "forbidden": "Your sign-in does not permit that.",
    "bad_filter": "I cannot search for that.",
    "sql": "I cannot count that.",
    "declined": "All right, nothing was changed.",
    "unanswered": "The answers did not fit, so nothing was changed.",
    "stopped": "That was stopped before anything was changed.",
    "sign_in": "Your sign-in has ended, and nothing was changed. Please sign in again.",
    "busy": "That was too much at once. Please wait a moment and try again.",
    "nothing_to_undo": "There is nothing left to undo.",
}
UNEXPLAINED: Final = "That did not work, and I was not told why."

_REF: Final = r"(?:[^\s:|*]+:)?(?:T|new)\d+"  # in somebody else's list with the person's name for him
_SUCCESS: Final = re.compile(
    r"op (?:\S+:)?\d+: |replayed: |nothing to change|dry run, nothing written: |[\d,]+ (?:of [\d,]+ |(?:task|row)s?\b)"
    r"|\w{3} \d{4}-\d\d-\d\d \d\d:\d\d \S+, rev \d"
)
_RECEIPT: Final = re.compile(r"(?:replayed: )?op (?:\S+:)?\d+(?: was already done at \S+)?: (.*)")
_TRIED: Final = "dry run"
_TOTAL: Final = re.compile(r"[\d,]+ of ([\d,]+) ")
_ERROR: Final = re.compile(r"(?P<code>[a-z_]+): (?P<what>.+?)(?: Fix: .*)?", re.DOTALL)
_PLACE: Final = re.compile(r"(?:tasks|changes)\[(?P<index>\d{1,3})\](?:: )?")
_LINE: Final = re.compile(rf"(?P<ref>{_REF})(?P<facts>(?: [^ |]\S*)*)(?: \| (?P<title>.*))?")
# What has changed: old and new words stand in quotes, which may hold anything.
_CHANGED: Final = re.compile(rf'(?P<ref>{_REF}):(?P<facts>(?:"(?:[^"\\]|\\.)*"|[^"|])*)(?: \| (?P<title>.*))?')
_FACT: Final = re.compile(r"done|cancelled|trash|p[1-4]")
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>&~|$]|:(?=//)|(?<=www)\.", re.IGNORECASE)


class Refused(Exception):
    """A tool's refusal: its code, a sentence for the person, and which of several tasks it is about."""

    def __init__(self, code: str, sentence: str, index: int | None) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence
        self.index = index


@dataclass(frozen=True, slots=True)
class Reply:
    """A tool's success: its first line, its tasks, its notes, and its other lines."""

    head: str
    tasks: Sequence[Listed]
    facts: Sequence[str]  # what stands between the id and the title of each
    lines: Sequence[str]  # the tasks as markdown
    notes: Sequence[str]
    others: Sequence[str]

    @classmethod
    def read(cls, output: str) -> "Reply":
        """Raises `Refused` if the tool did not do it."""
        head, *rest = output.strip().split("\n")  # not at every line break: a title may hold strange ones
        if not _SUCCESS.match(head):
            raise _refusal(output.strip())
        tasks, facts, lines, notes, others = [], [], [], [], []
        for line in rest:
            as_is = _LINE.fullmatch(line)
            if task := as_is or _CHANGED.fullmatch(line):
                tasks.append(Listed(task["ref"], task["title"] or ""))
                facts.append(task["facts"])
                lines.append(_markdown(task, _facts(task["facts"]) if as_is else _change(task["facts"])))
            elif line.startswith("note: "):
                notes.append(line.removeprefix("note: "))
            elif not line.startswith(("more: ", " ")):
                others.append(line)
        return cls(head, tasks, facts, lines, notes, others)

    @property
    def refs(self) -> tuple[str, ...]:
        """The tasks by their ids."""
        return tuple(task.ref for task in self.tasks)

    @property
    def total(self) -> int:
        """How many tasks there are, also of those that are not listed."""
        found = _TOTAL.match(self.head)
        return int(found[1].replace(",", "")) if found else len(self.tasks)

    @property
    def receipt(self) -> str:
        """What a write did, in the tool's words: "2 added"."""
        found = _RECEIPT.match(self.head)
        return plain(found[1]) if found else ""

    def shown(self, head: str, *remarks: str) -> str:
        """The tasks under this head, then the remarks and the tool's own notes."""
        if self.head.startswith("nothing to change"):
            head = "Nothing to change, it is so already:" if self.lines else "There was nothing to change."
        elif self.head.startswith("replayed: "):
            head = "That was done before:"
        return "\n\n".join(filter(None, (head, self.listed(), *remarks, *map(sentence, self.notes))))

    def counted(self, about: str) -> str:
        """How many tasks are `about`, and which."""
        if not self.lines:
            return f"No task is {about}."
        claim = f"1 task is {about}" if self.total == 1 else f"{self.total:,} tasks are {about}"
        shown = len(_first(self.lines))
        head = f"{claim}:" if self.total == shown else f"{claim}. The first {shown}:"
        tasks = "\n".join(f"- {line}" for line in _first(self.lines))
        return "\n\n".join((head, tasks, *map(sentence, self.notes)))

    def listed(self) -> str:
        """The tasks or the first of them; the card has them all."""
        shown = [f"- {line}" for line in _first(self.lines)]
        more = len(self.lines) - len(shown)
        return "\n".join([*shown, f"- and {more} more"] if more else shown)


def tasks_in(output: str) -> Sequence[Listed]:
    """The tasks that a tool has shown, if it has done what it was asked for."""
    try:
        reply = Reply.read(output)
    except Refused:
        return ()
    return () if reply.head.startswith(_TRIED) else reply.tasks


def rows_in(output: str) -> list[tuple[str, str]]:
    """The rows of a statement that selects two columns. Raises `Refused`."""
    _, *rest = output.strip().split("\n")
    Reply.read(output)
    rows = [line.rpartition(" | ") for line in rest if not line.startswith(("note: ", "more: "))]
    return [(first, second) for first, _, second in rows[1:]]


def sentence(text: str) -> str:
    """A tool's words as a sentence."""
    words = _PLACE.sub(lambda place: "" if place[0].endswith(": ") else "the task", text).strip()
    ended = words if words.endswith((".", "!", "?")) else f"{words}."
    return plain(ended[:1].upper() + ended[1:])


def plain(text: str) -> str:
    """Text that markdown shows as it is."""
    return _MARKUP.sub(r"\\\g<0>", text)


def _first(lines: Sequence[str]) -> Sequence[str]:
    return lines if len(lines) <= MOST_LINES else lines[:FIRST_LINES]


def _refusal(output: str) -> Refused:
    error = _ERROR.fullmatch(output)
    if error is None:
        return Refused("", UNEXPLAINED, None)
    place = _PLACE.match(error["what"])
    words = IN_PLAIN_WORDS.get(error["code"]) or sentence(error["what"])
    if error["code"] == "unknown_list":
        words = f"{sentence('there is ' + _PLACE.sub('', error['what']))} Say `new list` and its name to make one."
    return Refused(error["code"], words, int(place["index"]) if place else None)


def _markdown(task: re.Match[str], facts: str) -> str:
    return f"**{task['ref']}** {plain(task['title'] or '')}{f' ({plain(facts)})' if facts else ''}"


def _facts(facts: str) -> str:
    """What a task is, its states first."""
    words = facts.split()
    states = [word for word in words if _FACT.fullmatch(word)]
    others = " ".join(word for word in words if not _FACT.fullmatch(word)).removesuffix(":")
    return ", ".join([*states, others] if others else states)


def _change(facts: str) -> str:
    """What has become of a task."""
    words = facts.strip().replace(" -> ", " → ")
    return "" if words == "unchanged" else words
