"""From the conversation to the next step: a tool to call, or the answer made from what the tools have said.

Nothing is kept between steps. Each wish is a plan that asks for tool calls; replayed over the outputs that stand after
the person's last words, it leads to the next call or to the answer.
"""

import re
from collections.abc import Generator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from agents import TResponseInputItem

from gateway.offline.speech import Add, Close, Find, Listed, Outcome, Show, Spoken, Topic, search_terms, understand

CHOICES: Final = 10

EXAMPLES: Final = """\
- `add buy milk tomorrow` (several at once: one on each line)
- `what is open?`, `what is due today?`, `find milk`
- `done with milk`, `cancel T3`, `reopen T3`"""
INTRODUCTION: Final = "I am the offline assistant: a few rules, not a language model."
ABOUT_MODELS: Final = "A real model can be configured with `TASKGATE_GATEWAY_MODEL`."
UNAVAILABLE: Final = "Tasks are unavailable at the moment. Please try again a little later."
TALK: Final = {
    Topic.HELLO: f"Hello! {INTRODUCTION} Try:\n\n{EXAMPLES}",
    Topic.THANKS: "You are welcome!",
    Topic.HELP: f"{INTRODUCTION} I add, list, find, finish, cancel and reopen tasks:\n\n{EXAMPLES}\n\n{ABOUT_MODELS}",
    Topic.WHAT_TO_ADD: "What shall I add? Say it in one go, for example `add buy milk tomorrow`.",
    Topic.WHICH_TASK: "Which task? Say its words or its id, for example `done with milk` or `cancel T3`.",
    Topic.KEPT: "All right, nothing was changed.",
    Topic.UNKNOWN: f"I did not understand that. {INTRODUCTION} What I can do:\n\n{EXAMPLES}\n\n{ABOUT_MODELS}",
}
# How people hear of an outcome, and what asks the tool for it.
OUTCOMES: Final[Mapping[Outcome, tuple[str, Mapping[str, bool]]]] = {
    Outcome.DONE: ("Well done! Finished:", {}),
    Outcome.CANCELLED: ("Cancelled:", {"cancelled": True}),
    Outcome.OPEN: ("Open again:", {"done": False}),
}
NO_DATE: Final = ("bad_date", "ambiguous_date")
# Errors whose sentence is meant for a model; any other sentence is fit for people as it is.
IN_PLAIN_WORDS: Final = {
    "unavailable": f"{UNAVAILABLE} Nothing was changed.",
    "unknown_outcome": "I got no answer: it may have been done. Ask `what is open?` before you repeat it.",
    "unknown_tool": UNAVAILABLE,
    "forbidden": "Your sign-in does not permit that.",
    "bad_filter": "I cannot search for that.",
}
UNEXPLAINED: Final = "That did not work, and I was not told why."

_NOTES: Final = re.compile(r"(?:<(PAGE_CONTEXT|QUOTE|NOTE|SHOWN)>[^<]*</\1>\s*)+")
_REF: Final = r"(?:[^\s:|*]+:)?T\d+"  # in somebody else's list with the person's name for him
_LISTED: Final = re.compile(rf"^(?:-|\d+\.) \*\*({_REF})\*\* (.*)$", re.MULTILINE)
_SUCCESS: Final = re.compile(r"op (?:\S+:)?\d+: |replayed: |nothing to change|[\d,]+ (?:of [\d,]+ |tasks?\b)")
_TOTAL: Final = re.compile(r"[\d,]+ of ([\d,]+) ")
_ERROR: Final = re.compile(r"(?P<code>[a-z_]+): (?P<what>.+?)(?: Fix: .*)?", re.DOTALL)
_PLACE: Final = re.compile(r"tasks\[(?P<index>\d{1,3})\](?:: )?")
_LINE: Final = re.compile(rf"(?P<ref>{_REF})(?P<facts>(?: [^ |]\S*)*)(?: \| (?P<title>.*))?")
_FACT: Final = re.compile(r"done|cancelled|trash|p[1-4]")
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>&~|$]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to call, and with what."""

    tool: str
    arguments: Mapping[str, object]


Plan = Generator[Call, str, str]


class _Refused(Exception):
    """A tool's refusal: its code, a sentence for the person, and which of several tasks it is about."""

    def __init__(self, code: str, sentence: str, index: int | None) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence
        self.index = index


def next_step(conversation: str | list[TResponseInputItem], tools: Set[str]) -> Call | str:
    """What to do now: a call of one of these tools, or the answer."""
    heard = _hear(conversation)
    before = [Listed(ref, _ESCAPED.sub(r"\1", line)) for ref, line in _LISTED.findall(heard.before)]
    asked = next((outcome for outcome in Outcome if heard.before.startswith(outcome.value)), None)
    wish = understand(heard.text, before, asked)
    if isinstance(wish, Topic):
        return TALK[wish]
    plan = _plan(wish)
    try:
        call = next(plan)
        for output in heard.outputs:
            call = plan.send(output)
    except StopIteration as end:
        return str(end.value)
    except _Refused as refused:
        return refused.sentence
    return call if call.tool in tools else UNAVAILABLE


def _plan(wish: Add | Find | Show | Close) -> Plan:
    match wish:
        case Add():
            return _add(wish)
        case Find():
            return _find(wish)
        case Show():
            return _show(wish)
        case Close():
            return _close(wish)


def _add(wish: Add) -> Plan:
    """Tasks whose due words are no date keep them in the title: first the one refused, then all."""
    refused: list[_Refused] = []
    kept: set[int] = set()
    while True:
        tasks = [_new_task(task, keep_words=index in kept) for index, task in enumerate(wish.tasks)]
        output = yield Call("tasks_add", {"tasks": tasks})
        try:
            reply = _Reply.read(output)
        except _Refused as refusal:
            if refusal.code not in NO_DATE or len(kept) == len(tasks):
                raise
            everything = set(range(len(tasks)))
            kept = everything if refused or refusal.index is None else everything & {refusal.index}
            refused.append(refusal)
            continue
        head = "Added:" if len(reply.lines) == 1 else f"Added {len(reply.lines)} tasks:"
        why = [f"{refusal.sentence} I kept those words in the title and set no date." for refusal in refused]
        return reply.shown(head, *why)


def _new_task(task: Spoken, *, keep_words: bool) -> dict[str, str]:
    new = {"title": task.whole if keep_words else task.title, "due": "" if keep_words else task.due}
    return {name: value for name, value in {**new, "priority": task.priority}.items() if value}


def _find(wish: Find) -> Plan:
    reply = _Reply.read((yield Call("tasks_find", {"filter": wish.filter} if wish.filter else {})))
    return reply.counted(_plain(wish.about))


def _show(wish: Show) -> Plan:
    reply = _Reply.read((yield Call("tasks_find", {"refs": list(wish.refs)})))
    return reply.shown("Here it is:" if len(reply.lines) == 1 else "Here they are:")


def _close(wish: Close) -> Plan:
    refs: Sequence[str] = wish.refs
    if not refs:
        scope, state = ("is:closed ", "finished") if wish.outcome is Outcome.OPEN else ("", "open")
        found = _Reply.read((yield Call("tasks_find", {"filter": scope + search_terms(wish.words), "limit": CHOICES})))
        if not found.lines:
            others = _Reply.read((yield Call("tasks_find", {"filter": scope.strip() or "is:open", "limit": CHOICES})))
            return f'No task is {state} and about "{_plain(wish.words)}". {others.counted(state)}'
        if len(found.lines) > 1:
            return found.question(wish.outcome)
        refs = found.refs
    head, arguments = OUTCOMES[wish.outcome]
    return _Reply.read((yield Call("tasks_complete", {"refs": list(refs), **arguments}))).shown(head)


# ---- what tools say, as people read it ----


@dataclass(frozen=True, slots=True)
class _Reply:
    """A tool's success: its first line, its tasks as markdown, its notes."""

    head: str
    refs: Sequence[str]
    lines: Sequence[str]
    notes: Sequence[str]

    @classmethod
    def read(cls, output: str) -> "_Reply":
        """Raises `_Refused` if the tool did not do it."""
        head, *rest = output.strip().split("\n")  # not at every line break: a title may hold strange ones
        if not _SUCCESS.match(head):
            raise _refusal(output.strip())
        tasks = [found for line in rest if (found := _LINE.fullmatch(line))]
        notes = [line.removeprefix("note: ") for line in rest if line.startswith("note: ")]
        return cls(head, [task["ref"] for task in tasks], [_markdown(task) for task in tasks], notes)

    def shown(self, head: str, *remarks: str) -> str:
        """The tasks under this head, then the remarks and the tool's own notes."""
        if self.head.startswith("nothing to change"):
            head = "Nothing to change, it is so already:"
        elif self.head.startswith("replayed: "):
            head = "That was done before:"
        tasks = "\n".join(f"- {line}" for line in self.lines)
        return "\n\n".join(filter(None, (head, tasks, *remarks, *map(_sentence, self.notes))))

    def counted(self, about: str) -> str:
        """How many tasks are `about`, and which."""
        shown = len(self.lines)
        total = found[1] if (found := _TOTAL.match(self.head)) else str(shown)
        if not shown:
            return f"No task is {about}."
        claim = f"1 task is {about}" if total == "1" else f"{total} tasks are {about}"
        return self.shown(f"{claim}:" if total == str(shown) else f"{claim}. The first {shown}:")

    def question(self, outcome: Outcome) -> str:
        """Asks which one is meant; the next message is understood by these very lines."""
        numbered = "\n".join(f"{number}. {line}" for number, line in enumerate(self.lines, start=1))
        return f"{outcome.value}\n\n{numbered}\n\nTell me its number or its id."


def _refusal(output: str) -> _Refused:
    error = _ERROR.fullmatch(output)
    if error is None:
        return _Refused("", UNEXPLAINED, None)
    place = _PLACE.match(error["what"])
    sentence = IN_PLAIN_WORDS.get(error["code"]) or _sentence(error["what"])
    return _Refused(error["code"], sentence, int(place["index"]) if place else None)


def _sentence(text: str) -> str:
    words = _PLACE.sub(lambda place: "" if place[0].endswith(": ") else "the task", text).strip()
    ended = words if words.endswith((".", "!", "?")) else f"{words}."
    return _plain(ended[:1].upper() + ended[1:])


def _markdown(task: re.Match[str]) -> str:
    facts = task["facts"].split()
    states = [fact for fact in facts if _FACT.fullmatch(fact)]
    others = " ".join(fact for fact in facts if not _FACT.fullmatch(fact))
    shown = _plain(", ".join([*states, others] if others else states))
    return f"**{task['ref']}** {_plain(task['title'] or '')}{f' ({shown})' if shown else ''}"


def _plain(text: str) -> str:
    """Text that markdown shows as it is."""
    return _MARKUP.sub(r"\\\g<0>", text)


@dataclass(frozen=True, slots=True)
class _Heard:
    """The person's last words, the answer before them, and what tools have said since."""

    text: str
    before: str
    outputs: Sequence[str]


def _hear(heard: str | list[TResponseInputItem]) -> _Heard:
    items: list[dict[str, object]] = [{"role": "user", "content": heard}]
    if not isinstance(heard, str):
        items = [dict(item) for item in heard]
    answered = [index for index, item in enumerate(items) if item.get("role") == "assistant"]
    users = [index for index, item in enumerate(items) if item.get("role") == "user"]
    # What the host adds in the person's name stands around his words: the page, notes, what was shown.
    fresh = [index for index in users if not answered or index > answered[-1]] or users[-1:]
    spoken = [index for index in fresh if _without_notes(_text(items[index].get("content")))]
    last = (spoken or fresh or [-1])[-1]
    return _Heard(
        text=_without_notes(_text(items[last].get("content"))) if fresh else "",
        before=next((_text(items[index].get("content")) for index in reversed(answered) if index < last), ""),
        outputs=[_text(item.get("output")) for item in items[last + 1 :] if item.get("type") == "function_call_output"],
    )


def _without_notes(text: str) -> str:
    notes = _NOTES.match(text)
    return (text[notes.end() :] if notes else text).strip()


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return _text(content.get("text"))
    return "\n".join(_text(part) for part in content) if isinstance(content, list) else ""
