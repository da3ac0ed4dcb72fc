"""One field of a flat schema: how a person is asked for it, and what is made of the answer.

The schema comes from a tool server and the answer from a browser, so neither is believed: what cannot be asked raises
`Unaskable`, and what does not fit raises `Unfit` with a reason for the person.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from chatkit.types import (
    StructuredInput,
    StructuredInputFreeform,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
)

Say = Callable[..., str]
Value = str | int | float | bool | list[str] | None

QUESTION_LENGTH: Final = 1_000
LABEL_LENGTH: Final = 200
MOST_OPTIONS: Final = 50
NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}([.,][0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")
# A person reads the text in one line of one direction: no controls, and nothing that turns the direction round.
UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

Kind = Literal["boolean", "choice", "choices", "number", "integer", "text"]


class Unaskable(ValueError):
    """This cannot be put to a person."""


class Unfit(ValueError):
    """The answer does not fit; the text says why, to the person."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to be known."""

    name: str
    kind: Kind
    title: str
    description: str
    required: bool
    schema: Mapping[str, Any]
    values: tuple[str, ...] = ()  # of a choice, in the order of the labels
    labels: tuple[str, ...] = ()

    def question(self, number: str, say: Say, before: str = "", complaint: str = "") -> StructuredInput:
        """The question as ChatKit shows it, after what has to be said before it."""
        text = shown("\n".join(filter(None, [complaint, before, self.title])), QUESTION_LENGTH)
        labels = (say("Yes"), say("No")) if self.kind == "boolean" else self.labels
        if not labels:
            about = " ".join(filter(None, [self.description, self._expected(say)]))
            return StructuredInputFreeform(id=number, question=text, description=about or None)
        if self.description:
            text = shown(f"{text}\n{self.description}", QUESTION_LENGTH)
        options = [StructuredInputMultipleChoiceOption(value=label) for label in labels]
        return StructuredInputMultipleChoice(id=number, question=text, options=options, multiple=self.kind == "choices")

    def read(self, given: Sequence[str], labels: Sequence[str], say: Say) -> Value:
        """The value behind an answer; `labels` are those the person chose from. Raises `Unfit`."""
        match self.kind:
            case "boolean":
                return self._boolean(given[0], labels, say)
            case "choice":
                return self._chosen(given[0], labels, say)
            case "choices":
                return self._several(given, labels, say)
            case "number" | "integer":
                return self._number(given[0], say)
        return self._text(given[0], labels, say)

    def _expected(self, say: Say) -> str:
        """What an answer in free text should look like."""
        match self.schema.get("format"):
            case "date":
                return say("A date, like 2026-03-31.")
            case "date-time":
                return say("A date and a time with its zone, like 2026-03-31T09:30+02:00.")
            case "email":
                return say("An email address.")
            case "uri":
                return say("An address, like https://example.com/.")
        return ""

    def _boolean(self, text: str, labels: Sequence[str], say: Say) -> bool:
        place = _place(text, [*labels, "true", "false"])
        if place is None:
            raise Unfit(say("Answer yes or no."))
        return place % 2 == 0

    def _chosen(self, text: str, labels: Sequence[str], say: Say) -> str:
        place = _place(text, labels)
        if place is None:
            place = _place(text, self.values)
        if place is None or place >= len(self.values):
            raise Unfit(say("Choose one of the answers."))
        return self.values[place]

    def _several(self, given: Sequence[str], labels: Sequence[str], say: Say) -> list[str]:
        chosen = list(dict.fromkeys(self._chosen(text, labels, say) for text in given))
        least, most = _limit(self.schema, "minItems"), _limit(self.schema, "maxItems")
        if least is not None and len(chosen) < least:
            raise Unfit(say("Choose at least {count}.", count=_plain(least)))
        if most is not None and len(chosen) > most:
            raise Unfit(say("Choose at most {count}.", count=_plain(most)))
        return chosen

    def _number(self, text: str, say: Say) -> int | float:
        text = text.strip()
        if not NUMBER.fullmatch(text):
            raise Unfit(say("Write a number."))
        text = text.replace(",", ".")
        number = int(text) if text.lstrip("+-").isdigit() else float(text)
        if self.kind == "integer":
            if isinstance(number, float) and not number.is_integer():
                raise Unfit(say("Write a whole number."))
            number = int(number)
        elif number in (float("inf"), float("-inf")):
            raise Unfit(say("Write a number."))
        least, most = _limit(self.schema, "minimum"), _limit(self.schema, "maximum")
        if least is not None and number < least:
            raise Unfit(say("Write a number of at least {least}.", least=_plain(least)))
        if most is not None and number > most:
            raise Unfit(say("Write a number of at most {most}.", most=_plain(most)))
        return number

    def _text(self, text: str, labels: Sequence[str], say: Say) -> str:
        if self.values and (place := _place(text, labels)) is not None and place < len(self.values):
            text = self.values[place]
        fits = _FORMATS.get(str(self.schema.get("format")))
        if fits is not None:
            text = text.strip()
            if not fits(text):
                raise Unfit(self._expected(say))
        least, most = _limit(self.schema, "minLength"), _limit(self.schema, "maxLength")
        if least is not None and len(text) < least:
            raise Unfit(say("Write at least {count} characters.", count=_plain(least)))
        if most is not None and len(text) > most:
            raise Unfit(say("Write at most {count} characters.", count=_plain(most)))
        return text


def read_field(name: str, schema: object, *, required: bool) -> Field:
    """A property of a flat schema. Raises `Unaskable`."""
    if not isinstance(schema, Mapping):
        raise Unaskable("a field has no schema")
    title, description = (schema.get(key) for key in ("title", "description"))
    title = title if isinstance(title, str) and title.strip() else name
    field = Field(
        name,
        _kind(schema),
        shown(title, LABEL_LENGTH),
        shown(description, QUESTION_LENGTH) if isinstance(description, str) else "",
        required,
        schema,
    )
    if field.kind == "text" and (examples := schema.get("examples")):
        # Suggestions: anything else may be written as well.
        values = _texts(examples)
        return _with_options(field, values, values)
    if field.kind in {"choice", "choices"}:
        items = schema["items"] if field.kind == "choices" else schema
        titled = items.get("oneOf") or items.get("anyOf")
        if titled:
            options = [option for option in titled if isinstance(option, Mapping)]
            values = _texts([option.get("const") for option in options])
            titles = _texts([option.get("title", option.get("const")) for option in options])
        else:
            values = _texts(items["enum"])
            titles = _texts(items.get("enumNames") or items["enum"])
        if len(titles) != len(values):
            raise Unaskable("a choice has more names than values")
        return _with_options(field, values, titles)
    return field


def shown(text: str, length: int) -> str:
    """Text of others as a person may read it: no tricks, no more than fits."""
    text = UNSEEN.sub("", text).strip()
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _kind(schema: Mapping[str, Any]) -> Kind:
    match schema.get("type"):
        case "boolean":
            return "boolean"
        case "number":
            return "number"
        case "integer":
            return "integer"
        case "string" if schema.get("enum") or schema.get("oneOf"):
            return "choice"
        case "string":
            return "text"
        case "array" if isinstance(items := schema.get("items"), Mapping) and (items.get("enum") or items.get("anyOf")):
            return "choices"
    raise Unaskable("a field is of a kind that cannot be asked for")


def _texts(found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or not found or not all(isinstance(text, str) for text in found):
        raise Unaskable("a choice has no values that can be shown")
    if len(found) > MOST_OPTIONS:
        raise Unaskable("a choice has too many values")
    return tuple(found)


def _with_options(field: Field, values: tuple[str, ...], titles: tuple[str, ...]) -> Field:
    labels = tuple(shown(title, LABEL_LENGTH) for title in titles)
    if len({label.casefold() for label in labels}) < len(labels) or not all(labels):
        labels = tuple(f"{number}. {label}".strip() for number, label in enumerate(labels, start=1))
    return Field(field.name, field.kind, field.title, field.description, field.required, field.schema, values, labels)


def _place(text: str, labels: Sequence[str]) -> int | None:
    """Where a text stands in the labels: to the letter, or else however it is written."""
    if text in labels:
        return list(labels).index(text)
    alike = [index for index, label in enumerate(labels) if label.strip().casefold() == text.strip().casefold()]
    return alike[0] if alike else None


def _limit(schema: Mapping[str, Any], name: str) -> float | None:
    found = schema.get(name)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _plain(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    return ADDRESS.fullmatch(text) is not None


def _is_uri(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme) and not re.search(r"\s", text)
    except ValueError:
        return False


_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date": _is_date,
    "date-time": _is_moment,
    "email": _is_address,
    "uri": _is_uri,
}
