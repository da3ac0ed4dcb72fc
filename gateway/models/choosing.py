"""The models of a deployment: the configured one, a second one for when it fails, and those people may choose."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agents import Model, OpenAIResponsesModel
from agents.models import get_default_model
from openai import AsyncOpenAI, OpenAIError

from gateway.choices import DEFAULT, ModelChoice
from gateway.models.client import client_of
from gateway.models.completions import CompletionsModel
from gateway.models.patience import Patience
from gateway.models.readable import ReadableModel
from gateway.offline import OfflineModel

log = logging.getLogger(__name__)

OFFLINE: Final = "offline"
VENDOR: Final = "openai:"
WORD_DELAY_S: Final = 0.02  # so that people see the offline model's answer grow
CATALOGUE_LIMIT_S: Final = 3.0
NET_S: Final = 5.0  # our limits end a wait before the client's own does


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that people may choose. What is used of one that costs nothing is not counted."""

    id: str
    label: str
    description: str
    model: Model
    is_free: bool = False


class Models:
    """The models that may answer, the configured one first."""

    def __init__(self, choices: Sequence[Choice], client: AsyncOpenAI | None = None) -> None:
        self._choices = {choice.id: choice for choice in choices}
        self._client = client
        self.default = choices[0]

    def choose(self, id: str | None) -> Choice:  # noqa: A002 (the wire's own word)
        """The model of this id; the configured one where none is asked for, or one that is not offered."""
        if id is None:
            return self.default
        found = self._choices.get(id)
        if found is None:
            log.info("a model was asked for that is not offered", extra={"asked": id[:64]})
            return self.default
        return found

    def listed(self) -> list[Choice]:
        """What people may choose from."""
        return list(self._choices.values())

    async def close(self) -> None:
        """Close the connections to the provider."""
        if self._client is not None:
            await self._client.close()


@dataclass(frozen=True, slots=True)
class _Provider:
    """A server of models, and the client that all of them share."""

    url: str
    client: AsyncOpenAI

    def model(self, name: str) -> Model:
        """The model that a setting names: `openai:NAME` speaks Responses, `NAME` Chat Completions at the model URL."""
        if name == OFFLINE:
            return OfflineModel(delay_s=WORD_DELAY_S)
        if name.startswith(VENDOR) or not self.url:
            responses = OpenAIResponsesModel(model=name.removeprefix(VENDOR), openai_client=self.client)
            return ReadableModel(responses)
        return ReadableModel(CompletionsModel(model=name, openai_client=self.client))


async def choose(
    name: str,
    url: str = "",
    key: str = "",
    *,
    first_s: float,
    silence_s: float,
    choices: Sequence[ModelChoice] = (),
    fallback: str = "",
) -> Models:
    """The models as the settings name them: offline unless a key, a URL or a name says otherwise.

    The second model is of the same provider, or the offline one: what people write goes to nobody else.
    """
    if not (name or url or key):
        name = OFFLINE
    if name == OFFLINE and not choices:
        return Models([_offline(DEFAULT, "offline model", "")])
    provider = _Provider(url, client_of(url, key, read_s=max(first_s, silence_s) + NET_S))
    second = provider.model(fallback) if fallback else None

    def choice(id: str, model: str, label: str, description: str) -> Choice:  # noqa: A002
        if model == OFFLINE:
            return _offline(id, label, description)
        patient = Patience(provider.model(model), second, first_s=first_s, silence_s=silence_s)
        return Choice(id, label, description, patient)

    name = await _named(name, provider)
    default = choice(DEFAULT, name, "offline model" if name == OFFLINE else name.removeprefix(VENDOR), "")
    others = (choice(more.id, more.model, more.label, more.description) for more in choices)
    return Models([default, *others], provider.client)


def _offline(id: str, label: str, description: str) -> Choice:  # noqa: A002
    return Choice(id, label, description, OfflineModel(delay_s=WORD_DELAY_S), is_free=True)


async def _named(name: str, provider: _Provider) -> str:
    """The name; without one what a server with one model calls it. People who have several name theirs."""
    if name not in ("", VENDOR):
        return name
    if name == VENDOR or not provider.url:
        return f"{VENDOR}{get_default_model()}"
    try:
        async for model in provider.client.with_options(timeout=CATALOGUE_LIMIT_S).models.list():
            return model.id
    except OpenAIError as error:
        log.warning("the model server did not say what it offers", extra={"error_class": type(error).__name__})
    return get_default_model()
