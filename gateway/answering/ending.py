"""How an answer ends that did not end by itself: what it leaves in the thread, and what the person is told."""

import logging
from collections.abc import Sequence
from typing import Final

from agents import MaxTurnsExceeded
from chatkit.errors import CustomStreamError
from chatkit.types import CustomSummary, ErrorEvent, NoticeEvent, ThreadItem

from gateway.answering.answer import LATE, LEFT, LOST, RESTART, STOPPED, Answer
from gateway.answering.context import AnswerContext
from gateway.answering.steps import Steps
from gateway.history import run_item
from gateway.models import ModelFailed
from gateway.toolbox import UNKNOWN_OUTCOME, SignInNeeded
from gateway.turn import Turn
from shared.errors import Problem

log = logging.getLogger(__name__)

# What the model is told of it in the next turn.
NOTES: Final = {
    LEFT: "The user stopped this answer.",
    STOPPED: "The user stopped this answer.",
    LATE: "This answer took too long and was ended.",
    RESTART: "This answer was interrupted by a restart.",
}
FAILED: Final = "This answer failed before its end."


def left_over(
    context: AnswerContext, answer: Answer, steps: Steps | None, output_limit: int, *, failed: bool
) -> Sequence[ThreadItem]:
    """The steps begun, the text seen, the tools that were cut, and why. Nothing of an answer that ended by itself."""
    items: list[ThreadItem] = []
    if answer.reason == LOST:
        return items  # it is no longer ours to write into
    if (workflow := context.workflow_item) is not None:
        # Left open, it would be continued by the next answer.
        context.workflow_item = None
        for task in workflow.workflow.tasks:
            if task.status_indicator == "loading":
                task.status_indicator = "none"
        count = len(workflow.workflow.tasks)
        summary = context.turn.say(("{count} step", "{count} steps"), count=count)
        workflow.workflow.summary = workflow.workflow.summary or CustomSummary(title=summary)
        items.append(workflow)
    if answer.seen is not None:
        items.append(answer.seen)
    if steps is not None:
        records = (run_item(*call, UNKNOWN_OUTCOME, output_limit) for call in steps.unfinished)
        items += [context.hidden(record) for record in records]
    if answer.reason in NOTES:
        items.append(context.hidden(NOTES[answer.reason]))
    elif failed:
        items.append(context.hidden(FAILED))
    return items


def in_words(event: ErrorEvent, turn: Turn) -> ErrorEvent:
    """An error of the SDK's own with words."""
    said = last_words(turn.answer, None, turn) if turn.answer is not None else None
    if isinstance(said, CustomStreamError):
        return ErrorEvent(message=said.message, allow_retry=said.allow_retry)
    words = turn.say("Something went wrong. ({reference})", reference=turn.request_id)
    return ErrorEvent(message=words, allow_retry=event.allow_retry)


def last_words(answer: Answer, failure: Exception | None, turn: Turn) -> NoticeEvent | CustomStreamError | None:
    """What the person reads at the end of an answer that was cut; None when it ended by itself."""
    match answer.reason:
        case None:
            return None if failure is None else told(failure, turn)
        case "left":
            return None  # nobody is there to read it
        case "stopped":
            return NoticeEvent(level="info", message=turn.say("This answer was stopped."))
        case "late":
            return CustomStreamError(turn.say("This took too long. Ask for a part of it."), allow_retry=True)
        case "lost":
            return CustomStreamError(
                turn.say("This conversation was deleted or goes on elsewhere. Reload it."), allow_retry=False
            )
        case _:
            return CustomStreamError(
                turn.say("The service is restarting. Please try again in a moment."), allow_retry=True
            )


def told(failure: BaseException, turn: Turn) -> CustomStreamError:
    """A failure in words for the person. The SDK wraps what tools raise, so the cause is looked for."""
    cause: BaseException | None = failure
    while cause is not None:
        match cause:
            case SignInNeeded():
                return CustomStreamError(turn.say("Your sign-in has ended. Sign in again."), allow_retry=True)
            case ModelFailed():
                log.warning("the model failed", extra={"kind": cause.kind})
                return CustomStreamError(_model_failed(cause, turn), allow_retry=True)
            case Problem():
                return CustomStreamError(turn.told(cause), allow_retry=True)
            case MaxTurnsExceeded():
                return CustomStreamError(turn.say("This took too many steps. Ask for a part of it."), allow_retry=True)
        cause = cause.__cause__
    log.error("an answer failed", exc_info=failure)
    return CustomStreamError(
        turn.say("The assistant could not finish its answer. ({reference})", reference=turn.request_id),
        allow_retry=True,
    )


def _model_failed(failure: ModelFailed, turn: Turn) -> str:
    match failure.kind:
        case "limited" if failure.retry_after_s:
            return turn.say(
                ("The model is busy. Try again in {count} second.", "The model is busy. Try again in {count} seconds."),
                count=failure.retry_after_s,
            )
        case "limited":
            return turn.say("The model is busy. Try again in a moment.")
        case "away":
            return turn.say("The model cannot be reached. Your tasks work as usual. Try again in a moment.")
        case "silent":
            return turn.say("The model did not answer in time. Try again.")
        case "refused":
            return turn.say(
                "The model is not set up correctly. Tell the operator. ({reference})", reference=turn.request_id
            )
        case "too_long":
            return turn.say("This conversation is too long for the model. Begin a new one.")
        case "cut":
            return turn.say("The answer became too long for the model and was cut off. Ask for a part of it.")
        case "withheld":
            return turn.say("The provider's content filter stopped this answer.")
        case "empty":
            return turn.say("The model gave no answer. Try again.")
        case _:
            return turn.say("The model broke off. Try again.")
