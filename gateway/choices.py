"""A further model that people may choose in the composer, as the operator names it."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

DEFAULT: Final = "default"  # the id of the configured model, which always stands first


class ModelChoice(BaseModel):
    """One entry of the list; `model` is written like TASKGATE_GATEWAY_MODEL and is of the same provider."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    model: Annotated[str, Field(min_length=1, max_length=200)]
    label: Annotated[str, Field(min_length=1, max_length=60)]
    description: Annotated[str, Field(max_length=200)] = ""


def _distinct(choices: tuple[ModelChoice, ...]) -> tuple[ModelChoice, ...]:
    ids = [DEFAULT, *(choice.id for choice in choices)]
    if len(set(ids)) < len(ids):
        raise ValueError(f"each id has to be another one, and none may be {DEFAULT!r}")
    return choices


ModelChoices = Annotated[tuple[ModelChoice, ...], AfterValidator(_distinct)]
