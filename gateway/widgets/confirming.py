"""The card that asks before something is done that cannot simply be taken back, and the card of the answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from gateway.widgets.card import Card, Component, Say
from gateway.widgets.parts import action, as_many_as_fit, button, card, column, row, text
from gateway.widgets.plain import CELL, copied, paragraphs, plain

CALLS: Final = 10
ARGUMENT_LINES: Final = 40
EFFECT_LINES: Final = 12

Verdict = Literal["approved", "rejected", "superseded", "expired", "failed"]


@dataclass(frozen=True, slots=True)
class AskedCall:
    """A call that waits for the person: what it is called, what with, and what it would do as far as that is known."""

    title: str
    arguments: Mapping[str, Any]
    effect: str


def confirm_card(entry_id: str, calls: Sequence[AskedCall], expires_at: datetime, say: Say) -> Card:
    """What is about to happen, with a button for yes and one for no. Neither is the one that a hasty Enter presses."""
    title = plain(calls[0].title, 60) if calls else ""
    question = say("May this be done?")
    yes = say("Approve: {title}", title=title) if len(calls) == 1 else say("Approve all {count}", count=len(calls))
    until = say("The question stands until {time}.", time=_moment(expires_at))
    children = [
        text(question, strong=True),
        *_listed(calls, say),
        row(button(say("Reject"), _answer(entry_id, "reject")), button(yes, _answer(entry_id, "approve"))),
        text(until, quiet=True),
    ]
    lines = [question, say("It waits for the answer; nothing has been done."), until, *_spoken(calls)]
    return Card("approval", card(f"approval {entry_id}", *children), copied(lines, "…"))


def verdict_card(calls: Sequence[AskedCall], verdict: Verdict, at: datetime, say: Say) -> Card:
    """What was decided and when. Nothing can be pressed any more."""
    decided = _decided(verdict, _moment(at), say)
    widget = card(f"approval {verdict}", text(decided, strong=True), *_listed(calls, say))
    return Card("approval", widget, copied([decided, *_spoken(calls)], "…"))


def _answer(entry_id: str, answer: str) -> Component:
    return action("approval", {"id": entry_id, "answer": answer}, streaming=True)


def _decided(verdict: Verdict, time: str, say: Say) -> str:
    match verdict:
        case "approved":
            return say("Approved at {time}.", time=time)
        case "rejected":
            return say("Rejected at {time}. It was not done.", time=time)
        case "superseded":
            return say("Not answered. It was not done.")
        case "expired":
            return say("The time to answer is over. It was not done.")
        case "failed":
            return say("Approved at {time}, but it failed.", time=time)


def _listed(calls: Sequence[AskedCall], say: Say) -> list[Component]:
    shown = as_many_as_fit((_one(call, say) for call in calls), CALLS)
    hidden = len(calls) - len(shown)
    return [*shown, *([text(say("and {more} more", more=hidden), quiet=True)] if hidden else [])]


def _one(call: AskedCall, say: Say) -> Component:
    effect, effect_is_cut = paragraphs(call.effect, EFFECT_LINES)
    arguments, arguments_are_cut = paragraphs(_arguments(call), ARGUMENT_LINES)
    more = [text(say("There is more of this."), quiet=True)] if effect_is_cut or arguments_are_cut else []
    return column(text(call.title, strong=True), *map(text, arguments), *map(text, effect), *more)


def _spoken(calls: Sequence[AskedCall]) -> list[str]:
    lines = []
    for call in calls:
        lines.append(plain(call.title))
        lines += paragraphs(_arguments(call), ARGUMENT_LINES)[0]
        lines += paragraphs(call.effect, EFFECT_LINES)[0]
    return lines


def _arguments(call: AskedCall) -> str:
    """Everything the call carries: nobody should agree to what is not shown."""
    return "\n".join(_argument(name, value) for name, value in call.arguments.items())


def _argument(name: str, value: Any) -> str:
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(part, list | dict) for part in value)):
        return f"{name}:\n{json.dumps(value, ensure_ascii=False, indent=1, default=str)}"
    if not isinstance(value, str):
        return f"{name}: {plain(value)}"
    # A long text on lines that are shown whole.
    return f"{name}: " + "\n".join(
        line[start : start + CELL - 1] for line in value.splitlines() for start in range(0, len(line), CELL - 1)
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M %Z}".strip()
