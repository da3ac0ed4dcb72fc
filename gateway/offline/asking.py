"""Steps of a plan: a tool to call, perhaps the one that asks the person, and which tasks are meant."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.approvals import ASK_PERSON
from gateway.offline.manners import is_dismissal, without_courtesy
from gateway.offline.naming import Listed, chosen, described, in_list, search_terms, untagged
from gateway.offline.replies import Reply, plain
from gateway.offline.speech import understand
from gateway.offline.wishes import Target, Topic

CHOICES: Final = 8
ROUNDS: Final = 3
MOST: Final = 200
LABEL_LENGTH: Final = 80
KEPT: Final = "All right, nothing was changed."


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to call, and with what."""

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ask(Call):
    """A question to the person, as it reads in the conversation; `takes` says what else answers it than the form."""

    saying: str
    takes: Callable[[str], bool]


Steps = Generator[Call, str, str]
Picking = Generator[Call, str, tuple[str, ...]]


class Ended(Exception):
    """The plan ends here, with these words."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Meaning:
    """What to ask if several tasks fit, and among which tasks to look."""

    question: str
    scope: str = ""
    state: str = "open"


def asked(question: str, options: Sequence[str], saying: str, takes: Callable[[str], bool]) -> Steps:
    """The person's answer. Raises `Ended` if he does not want to give one."""
    questions = [{"question": question, "options": list(options)}]

    def is_answer(text: str) -> bool:
        return is_dismissal(text) or takes(without_courtesy(untagged(text)))

    output = yield Ask(ASK_PERSON, {"questions": questions}, saying, is_answer)
    answer = without_courtesy(untagged(answer_in(output)))
    if not answer or is_dismissal(answer):
        raise Ended(KEPT)
    return answer


def answered(words: str) -> str:
    """Words of the conversation in the form in which the answer to a question arrives."""
    return f"-> {words}"


def answer_in(output: str) -> str:
    """What the person has answered; empty if nothing."""
    answer = " ".join(output.partition("-> ")[2].split())
    return "" if answer == "(not answered)" else answer


def picked(target: Target, meaning: Meaning) -> Picking:
    """The tasks that are meant. Raises `Ended` if there are none, or if the person names none of several."""
    if target.refs:
        return target.refs
    scope = f"{meaning.scope} " if meaning.scope else ""
    if target.list:
        scope += f"{in_list(target.list)} "
    if target.filter:
        terms = meaning.scope if meaning.scope and target.filter == "is:open" else f"{scope}{target.filter}"
        found = Reply.read((yield Call("tasks_find", {"filter": terms, "limit": MOST})))
        if not found.tasks:
            raise Ended(f"No task is {plain(target.about)}.")
        if found.total > len(found.tasks):
            raise Ended(f"{found.total:,} tasks are {plain(target.about)}: too many at once.")
        return found.refs
    named = {"filter": f"{scope}{search_terms(target.words)}", "limit": CHOICES}
    found = Reply.read((yield Call("tasks_find", named)))
    if not found.tasks:
        around = {"filter": meaning.scope or "is:open", "limit": CHOICES}
        others = Reply.read((yield Call("tasks_find", around)))
        raise Ended(f'No task is {meaning.state} and about "{plain(target.words)}". {others.counted(meaning.state)}')
    if len(found.tasks) == 1:
        return found.refs
    return (yield from _one_of(found, meaning.question))


def _one_of(found: Reply, question: str) -> Picking:
    tasks = found.tasks
    numbered = "\n".join(f"{number}. {line}" for number, line in enumerate(found.lines, start=1))
    more = f"\n\n{found.total - len(tasks):,} more fit." if found.total > len(tasks) else ""
    saying = f"{question}\n\n{numbered}{more}\n\nTell me its number or its id."
    options = [_label(task) for task in tasks]
    for _ in range(ROUNDS):
        answer = yield from asked(
            question, options, saying, lambda text: bool(chosen(text, tasks)) or _describes(text, tasks)
        )
        if refs := chosen(answer, tasks):
            return refs
        # What stands in the form begins with the id.
        fitting = tuple(task.ref for task in tasks if answer.startswith(f"{task.ref} ")) or described(answer, tasks)
        if len(fitting) == 1:
            return fitting
    raise Ended("I still do not know which one, so nothing was changed.")


def _describes(text: str, tasks: Sequence[Listed]) -> bool:
    """Whether it is no wish of its own, and has words of a task."""
    return understand(text) is Topic.UNKNOWN and bool(described(text, tasks))


def _label(task: Listed) -> str:
    label = " ".join(f"{task.ref} {task.text}".split())
    return label if len(label) <= LABEL_LENGTH else f"{label[: LABEL_LENGTH - 3].rstrip()}..."
