"""From the conversation to the next step: a tool to call, or the answer made from what the tools have said.

Nothing is kept between steps. Each wish is a plan that asks for tool calls; replayed over the outputs that stand after
the person's words, it leads to the next call or to the answer. A plan that ended with a question to the person goes on
with his next message, if that answers it, as it does with the form.
"""

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Final

from agents import TResponseInputItem

from gateway.offline.asking import KEPT, Ask, Call, Ended, answered
from gateway.offline.hearing import Exchange, Heard, hear
from gateway.offline.manners import is_consent, is_dismissal
from gateway.offline.naming import Listed
from gateway.offline.plans import NO_FILE, plan_of
from gateway.offline.replies import UNAVAILABLE, UNEXPLAINED, Refused, tasks_in
from gateway.offline.speech import understand
from gateway.offline.wishes import Topic

REMEMBERED: Final = 5  # messages that together answer one question

EXAMPLES: Final = """\
- `add buy milk tomorrow` (several at once: one on each line), `add milk to Groceries`
- `what is open?`, `what is due today?`, `find milk`, `show Groceries`, `plan my day`, `overview`
- `done with milk`, `cancel T3`, `reopen T3`, `delete T3`, `delete all done tasks`, `undo`
- `move T3 to friday 5pm`, `postpone T3 by a week`, `move T3 to Work`, `make T3 urgent`, `rename T3 to buy oat milk`
- `new list Work`, `chart of tasks per list`, `how many tasks did I finish each day?`
- with a file attached: `import this`"""
SOME: Final = (
    "`add buy milk tomorrow`, `what is due today?`, `done with milk`, `move T3 to friday`, `delete T3`, `undo`"
)
INTRODUCTION: Final = "I am the offline assistant: a few rules, not a language model."
ABOUT_MODELS: Final = "A real model can be configured with `TASKGATE_GATEWAY_MODEL`."
OTHER_TOOLS: Final = (
    "That cannot be done in the way of working that was chosen for this message. Ask again without choosing one."
)
BY_THE_BUTTON: Final = (
    "I only do that when the button of the card is pressed, and the card is closed now. Nothing was changed: say once "
    "more what shall be done, and press the button then."
)
TALK: Final = {
    Topic.HELLO: f"Hello! {INTRODUCTION} Try:\n\n{EXAMPLES}",
    Topic.THANKS: "You are welcome!",
    Topic.HELP: f"{INTRODUCTION} I understand:\n\n{EXAMPLES}\n\n{ABOUT_MODELS}",
    Topic.WHAT_TO_ADD: "What shall I add? Say it in one go, for example `add buy milk tomorrow`.",
    Topic.WHICH_TASK: "Which task? Say its words or its id, for example `done with milk` or `cancel T3`.",
    Topic.WHICH_LIST: "Which list? Say its name, for example `new list Work` or `rename list Work to Office`.",
    Topic.WHICH_CHART: "What shall I count? For example `open tasks per list` or `finished tasks per week`.",
    Topic.NO_FILE: NO_FILE,
    Topic.A_FILE: "I have the file. Say `import this`, and I look which tasks are in it.",
    Topic.KEPT: KEPT,
    Topic.UNKNOWN: f"I did not understand that. {INTRODUCTION} I understand: {SOME}. More: `help`. {ABOUT_MODELS}",
}


def next_step(conversation: str | list[TResponseInputItem], tools: Set[str]) -> Call | str:
    """What to do now: a call of one of these tools, or the answer."""
    heard = hear(conversation)
    first = max(0, len(heard.exchanges) - REMEMBERED)
    place, exchange = first, heard.exchanges[first]
    step = _step(heard, place, exchange)
    *_, asked, newest = (Exchange(""), *heard.exchanges)
    if asked.waits and not newest.mode:
        if is_dismissal(newest.text):
            return KEPT
        if is_consent(newest.text):
            return BY_THE_BUTTON
    for number, following in enumerate(heard.exchanges[first + 1 :], start=first + 1):
        if isinstance(step, Ask) and not following.mode and step.takes(following.text):
            exchange = replace(exchange, outputs=[*exchange.outputs, answered(following.text), *following.outputs])
        else:
            place, exchange = number, following
        step = _step(heard, place, exchange)
    if isinstance(step, Ask) and step.tool not in tools:
        return step.saying
    if isinstance(step, Call) and step.tool not in tools:
        return OTHER_TOOLS if exchange.mode else UNAVAILABLE
    return step


def _step(heard: Heard, place: int, exchange: Exchange) -> Call | str:
    """Where the plan of this exchange stands."""
    wish = understand(exchange.text, _shown(heard.exchanges[:place]), exchange.mode)
    files = next((one.files for one in (exchange, *reversed(heard.exchanges[:place])) if one.files), ())
    plan = plan_of(wish, files, heard.operations)
    if plan is None:
        assert isinstance(wish, Topic)
        return TALK[Topic.A_FILE if wish is Topic.UNKNOWN and exchange.files else wish]
    try:
        step = next(plan)
        for output in exchange.outputs:
            step = plan.send(output)
    except StopIteration as end:
        return str(end.value) or UNEXPLAINED
    except Ended as end:
        return end.words
    except Refused as refused:
        return refused.sentence
    return step


def _shown(before: Sequence[Exchange]) -> Sequence[Listed]:
    """The tasks of the last answer."""
    outputs = before[-1].outputs if before else ()
    return next((tasks for output in reversed(outputs) if (tasks := tasks_in(output))), ())
