"""The tool with which the model itself asks the person for what it has to know and nobody has said."""

from typing import Any, Final

from agents import FunctionTool, Tool
from agents.tool_context import ToolContext
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.answering.context import AnswerContext
from gateway.approvals import ASK_PERSON, WAITING, Held

MOST_QUESTIONS: Final = 3
FORM: Final = "answers"


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=300, description="One short question.")
    options: list[str] = Field(
        default_factory=list, max_length=8, description="Likely answers; any other may be written too."
    )


class _Questions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    questions: list[_Question] = Field(min_length=1, max_length=MOST_QUESTIONS)


def ask_person() -> Tool:
    """Ends the run with at most three questions; it goes on with the answers."""
    return FunctionTool(
        name=ASK_PERSON,
        description=(
            "Ask the person for what you must know before you can act and cannot find out, such as a date. "
            "Not for consent: tools ask for that themselves. Call it alone; the answers come back as its result."
        ),
        params_json_schema=_Questions.model_json_schema(),
        on_invoke_tool=_ask,
        strict_json_schema=False,
    )


async def _ask(context: ToolContext[AnswerContext], arguments: str) -> str:
    try:
        asked = _Questions.model_validate_json(arguments)
    except ValidationError:
        return f"bad_argument: give 1 to {MOST_QUESTIONS} questions, each with at most 8 options."
    held = context.context.toolbox.held
    if any(one.tool == ASK_PERSON for one in held):
        return "bad_argument: ask everything in one call."
    requests = {FORM: {"message": "", "requestedSchema": _form(asked)}}
    held.append(Held("question", ASK_PERSON, "", asked.model_dump(), "", requests))
    return WAITING


def _form(asked: _Questions) -> dict[str, Any]:
    """The questions as a tool would ask them; an option is an example, because anything else may be answered."""
    fields: dict[str, Any] = {}
    for number, one in enumerate(asked.questions, start=1):
        options = [option for option in dict.fromkeys(one.options) if option.strip()]
        fields[f"{number}"] = {"type": "string", "title": one.question, **({"examples": options} if options else {})}
    return {"type": "object", "properties": fields}
