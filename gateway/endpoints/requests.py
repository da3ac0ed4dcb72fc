"""ChatKit requests as they come in: parsed without repeating what was sent, measured before anything is looked up."""

import json
from typing import Any, Final

from chatkit.types import (
    ItemsFeedbackReq,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsCustomActionReq,
    ThreadsSyncCustomActionReq,
    ThreadsUpdateReq,
    UserMessageInput,
    UserMessageTagContent,
)
from pydantic import ValidationError

from gateway.chat import REQUEST
from gateway.limits import ChatLimits
from gateway.words import Sentence
from shared.errors import Problem

NAME_LENGTH: Final = 64
TAG_LENGTH: Final = 300  # a tag may name a list with whom it is shared


def parsed(body: bytes) -> Any:
    """The request. Raises `Problem` for what is none."""
    try:
        return REQUEST.validate_json(body)
    except ValidationError as error:
        broken = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if broken["type"] == "json_invalid":
            raise Problem("bad_request", "the body is not JSON", "send a ChatKit request") from None
        place = ".".join(str(step) for step in broken["loc"][1:])[:80]
        raise Problem(
            "bad_request", "this is no ChatKit request we know", Sentence("check {place}", place=place or "type")
        ) from None


def measured(asked: Any, limits: ChatLimits) -> None:
    """Refuse what is too large or empty. Raises `Problem`."""
    if _size(asked.metadata) > limits.metadata:
        raise Problem("too_long", "the metadata is too large", "send less of the page")
    match asked:
        case ThreadsCreateReq() | ThreadsAddUserMessageReq():
            _message(asked.params.input, limits)
        case ThreadsUpdateReq():
            if not 1 <= len(" ".join(asked.params.title.split())) <= limits.title:
                raise Problem(
                    "bad_argument", Sentence("a title has 1 to {most} characters", most=limits.title), "choose another"
                )
        case ThreadsCustomActionReq() | ThreadsSyncCustomActionReq():
            if asked.params.item_id is None:
                raise Problem("bad_request", "an action belongs to a card", "send its item_id")
            if _size(asked.params.action.payload) > limits.payload:
                raise Problem("too_long", "what the action carries is too large", "shorten it")
        case ThreadsAddClientToolOutputReq():
            if _size(asked.params.result) > limits.client_result:
                raise Problem("too_long", "what the page answered is too large", "send less")
        case ThreadsAddStructuredInputReq():
            answers = asked.params.input.answers
            if len(answers) > limits.answers or any(
                len(name) > TAG_LENGTH
                or len(answer.values) > limits.values
                or any(len(value) > limits.value for value in answer.values)
                for name, answer in answers.items()
            ):
                raise Problem("too_long", "these are too many answers, or too long ones", "shorten them")
        case ItemsFeedbackReq():
            if not 1 <= len(asked.params.item_ids) <= limits.votes:
                raise Problem("bad_argument", "feedback is about 1 to 50 messages", "send fewer at a time")


def _message(message: UserMessageInput, limits: ChatLimits) -> None:
    text = "".join(part.text for part in message.content)
    if not text.strip() and not message.attachments:
        raise Problem("missing_argument", "the message is empty", "write something")
    if len(text) > limits.text:
        raise Problem(
            "too_long",
            Sentence("the message has {size:,} characters", size=len(text)),
            Sentence("at most {most:,}", most=limits.text),
        )
    options, mode = message.inference_options, message.inference_options.tool_choice
    tags = [part for part in message.content if isinstance(part, UserMessageTagContent)]
    if (
        len(message.content) > limits.parts
        or len(tags) > limits.tags
        or any(_size(tag.data) > limits.metadata for tag in tags)
        or any(len(name) > TAG_LENGTH for tag in tags for name in (tag.id, tag.group or ""))
        or any(len(name) > NAME_LENGTH for name in (options.model or "", mode.id if mode is not None else ""))
        or len(message.quoted_text or "") > limits.quote
    ):
        raise Problem("too_long", "the message has too many parts or too long a quote", "shorten it")


def _size(value: Any) -> int:
    """How large something is that came as JSON."""
    return len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace"))
