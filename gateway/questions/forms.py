"""All that a tool asks at once, as questions of ChatKit; and the answers, as the tool wants them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chatkit.types import StructuredInput, StructuredInputMultipleChoice
from mcp_types import ElicitResult

from gateway.questions.fields import Field, Say, Unaskable, Unfit, Value, read_field

MOST_FIELDS: Final = 20

Content = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Form:
    """One question of a tool's, with its fields; `key` is the tool's own name for it."""

    key: str
    message: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What has been answered so far, and why the rest of it has to be asked again: by form and field."""

    content: Mapping[str, Content] = field(default_factory=dict)
    complaints: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    declined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """What answers came to: results for the tool, or what has to be asked again."""

    results: Mapping[str, ElicitResult]
    known: Known

    @property
    def fits(self) -> bool:
        """Whether nothing has to be asked again."""
        return not self.known.complaints


def read_forms(requests: Mapping[str, Mapping[str, Any]]) -> tuple[Form, ...]:
    """The forms in what a tool sent with its questions. Raises `Unaskable`."""
    forms = tuple(_read_form(key, request) for key, request in requests.items())
    if sum(len(form.fields) for form in forms) > MOST_FIELDS:
        raise Unaskable("more is asked at once than a person would answer")
    return forms


def questions(forms: Sequence[Form], known: Known, first: int, say: Say) -> list[StructuredInput]:
    """What a person is asked, numbered from `first`: everything, or only what did not fit."""
    asked: list[StructuredInput] = []
    for form, one in _open(forms, known):
        # What the tool says goes before the first field of its form.
        before = form.message if one is form.fields[0] else ""
        complaint = known.complaints.get(form.key, {}).get(one.name, "")
        asked.append(one.question(f"q{first + len(asked)}", say, before, complaint))
    return asked


def read_answers(forms: Sequence[Form], known: Known, answered: Sequence[StructuredInput], say: Say) -> Read:
    """What the person answered to exactly these questions. A form of which a required field was skipped is declined."""
    contents: dict[str, Content] = {form.key: dict(known.content.get(form.key, {})) for form in forms}
    complaints: dict[str, dict[str, str]] = {}
    declined = set(known.declined)
    for (form, one), question in zip(_open(forms, known), answered, strict=True):
        answer = question.answer
        given = [] if answer is None or answer.skipped else [text for text in answer.values if text.strip()]
        if not given:
            if one.required:
                declined.add(form.key)
            continue
        try:
            contents[form.key][one.name] = one.read(given, _labels(question), say)
        except Unfit as unfit:
            complaints.setdefault(form.key, {})[one.name] = str(unfit)
    # Whoever does not want to answer is not asked again.
    complaints = {key: reasons for key, reasons in complaints.items() if key not in declined}
    results = {
        key: ElicitResult(action="decline") if key in declined else ElicitResult(action="accept", content=content)
        for key, content in contents.items()
    }
    return Read(results, Known(contents, complaints, tuple(sorted(declined))))


def _open(forms: Sequence[Form], known: Known) -> list[tuple[Form, Field]]:
    """The fields that are asked for: all, or after complaints only those complained about."""
    return [
        (form, one)
        for form in forms
        for one in form.fields
        if not known.complaints or one.name in known.complaints.get(form.key, {})
    ]


def _labels(question: StructuredInput) -> list[str]:
    if isinstance(question, StructuredInputMultipleChoice):
        return [option.value for option in question.options]
    return []


def _read_form(key: str, request: Mapping[str, Any]) -> Form:
    schema, message = request.get("requestedSchema"), request.get("message")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(properties, Mapping) or not properties:
        raise Unaskable("there is nothing to be answered")
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    fields = tuple(read_field(name, one, required=name in names) for name, one in properties.items())
    return Form(key, message if isinstance(message, str) else "", fields)
