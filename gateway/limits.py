"""How much of everything one person may ask for, and how long things may take; each number can be changed by name."""

import re
from dataclasses import dataclass, field, fields, replace
from typing import Final, Self

MOST: Final = 1_000_000_000


def _limit(default: int, meaning: str) -> int:
    number: int = field(default=default, metadata={"meaning": meaning})
    return number


@dataclass(frozen=True, slots=True)
class ChatLimits:
    """The limits of the gateway. Sizes are characters where people write text, and bytes where programs send JSON."""

    text: int = _limit(16_000, "characters of a message")
    parts: int = _limit(50, "parts of a message")
    tags: int = _limit(20, "mentions in a message")
    quote: int = _limit(2_000, "characters of a quote")
    title: int = _limit(200, "characters of a title")
    metadata: int = _limit(4_096, "bytes of `metadata`, and of the data of a mention")
    payload: int = _limit(16_384, "bytes that an action carries")
    answers: int = _limit(20, "answers in one form")
    values: int = _limit(10, "values of one answer in a form")
    value: int = _limit(2_000, "characters of such a value")
    votes: int = _limit(50, "messages that one vote is about")
    client_result: int = _limit(16_384, "bytes that a tool of the page answers")

    threads: int = _limit(5_000, "conversations of one person")
    items: int = _limit(5_000, "entries of one conversation")

    streams: int = _limit(3, "answers that one person has written at the same time")
    steps: int = _limit(12, "times that the model is asked for one answer")
    calls: int = _limit(30, "tool calls of one answer")
    turn_s: int = _limit(180, "seconds for one answer")
    model_first_s: int = _limit(50, "seconds until the model begins, repeats included")
    model_silence_s: int = _limit(45, "seconds between two signs of life of the model")

    history: int = _limit(12_000, "tokens of the conversation that the model reads")
    output: int = _limit(8_192, "characters of a tool's result that are remembered")

    turns: int = _limit(20, "answers for one person in a minute")
    tokens: int = _limit(500_000, "tokens of models for one person in a day, in UTC")

    @classmethod
    def read(cls, text: str) -> Self:
        """The defaults, changed by `name=number` pairs. Raises `ValueError` for what is not one."""
        limits = cls()
        known = {limit.name for limit in fields(cls)}
        for part in re.split(r"[\s,]+", text.strip()):
            if not part:
                continue
            name, _, number = part.partition("=")
            if name not in known or not re.fullmatch(r"[0-9]{1,10}", number) or not 1 <= int(number) <= MOST:
                names = ", ".join(sorted(known))
                raise ValueError(f"has to be name=number pairs, each number at least 1; the names are {names}")
            limits = replace(limits, **{name: int(number)})
        return limits
