"""Which models there are, by what the settings say, and that a provider learns nothing else."""

from typing import Final

import pytest
from agents import Agent, RunConfig, Runner
from pydantic import TypeAdapter, ValidationError

from gateway.choices import ModelChoice, ModelChoices
from gateway.models import choose, client_of
from gateway.offline import OfflineModel
from tests.end_to_end.model_server import OFFERED, TITLE
from tests.faults.model_server import FaultyModelServer, refuses
from tests.gateway.models.asking import LONG_S, QUESTION, SPEECHES, ask, asked_of

pytestmark = pytest.mark.anyio

LIMITS: Final = {"first_s": LONG_S, "silence_s": LONG_S}
AMBIENT: Final = {
    "OPENAI_API_KEY": "sk-ambient",
    "OPENAI_ADMIN_KEY": "sk-ambient",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/ambient",
    "OPENAI_ORG_ID": "ambient-org",
    "OPENAI_PROJECT_ID": "ambient-project",
    "OPENAI_CUSTOM_HEADERS": "X-Ambient: yes\nAuthorization: Bearer ambient",
}


def choice(**more: str) -> ModelChoice:
    return ModelChoice(**{"id": "big", "model": "the-big-one", "label": "Big", "description": "Slow"} | more)


@pytest.mark.parametrize("named", [{"name": ""}, {"name": "offline"}, {"name": "offline", "key": "sk-1"}])
async def test_without_a_name_a_url_or_a_key_the_model_is_offline_and_free(named: dict[str, str]) -> None:
    models = await choose(**named, **LIMITS)
    assert isinstance(models.default.model, OfflineModel)
    assert (models.default.label, models.default.is_free) == ("offline model", True)
    assert [found.id for found in models.listed()] == ["default"]


async def test_people_choose_from_the_list_and_get_the_configured_model_for_anything_else(
    server: FaultyModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    choices = [choice(), choice(id="none", model="offline", label="None")]
    models = await choose("first", server.url, choices=choices, **LIMITS)
    assert [(found.id, found.label, found.is_free) for found in models.listed()] == [
        ("default", "first", False),
        ("big", "Big", False),
        ("none", "None", True),
    ]
    assert isinstance(models.choose("none").model, OfflineModel)
    for asked, name in ((None, "first"), ("default", "first"), ("big", "the-big-one"), ("x" * 500, "first")):
        assert (await ask(models.choose(asked).model)).text == QUESTION
        assert server.asked[-1]["model"] == name
    [record] = [record for record in caplog.records if record.name == "gateway.models.choosing"]
    assert vars(record)["asked"] == "x" * 64
    await models.close()


async def test_a_server_without_a_named_model_is_asked_for_its_first(server: FaultyModelServer) -> None:
    async with asked_of(server, "") as chosen:
        assert chosen.label == OFFERED
        await ask(chosen.model)
    assert server.asked[0]["model"] == OFFERED


async def test_a_server_that_does_not_say_what_it_offers_does_not_keep_the_service_from_starting() -> None:
    models = await choose("", "http://127.0.0.1:9/v1", **LIMITS)
    assert models.default.label
    assert (await ask(models.default.model)).kind == "away"
    await models.close()


@pytest.mark.parametrize("name", ["openai:", "", "openai:gpt-5.2", "gpt-5.2"])
async def test_with_a_key_alone_the_vendor_is_asked(name: str) -> None:
    models = await choose(name, key="sk-1", **LIMITS)
    assert models.default.label == "gpt-5.2" or not name.removeprefix("openai:")
    assert not models.default.is_free
    await models.close()
    client = client_of("", "sk-1", read_s=1)
    assert str(client.base_url) == "https://api.openai.com/v1/"
    await client.close()


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize("key", ["", "sk-of-the-settings"])
async def test_nothing_of_the_environment_reaches_a_provider(
    server: FaultyModelServer, monkeypatch: pytest.MonkeyPatch, speech: str, key: str
) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    models = await choose(speech, server.url, key, **LIMITS)
    assert (await ask(models.default.model)).text == QUESTION
    await models.close()
    [received] = server.received
    assert "ambient" not in received.lower()
    assert f"Bearer {key or 'none'}" in received


async def test_the_second_model_is_of_the_same_provider(server: FaultyModelServer) -> None:
    server.will(refuses(503, headers={"x-should-retry": "false"}))
    async with asked_of(server, "x", fallback="openai:y") as chosen:
        assert (await ask(chosen.model)).text == QUESTION
    assert [request["model"] for request in server.asked] == ["x", "y"]


async def test_the_second_model_may_be_the_one_that_needs_nobody() -> None:
    models = await choose("x", "http://127.0.0.1:9/v1", fallback="offline", **LIMITS)
    answer = await ask(models.default.model, "hello")
    assert (answer.kind, bool(answer.text)) == ("", True)
    await models.close()


@pytest.mark.parametrize("speech", SPEECHES)
async def test_a_request_that_does_not_stream_is_answered_as_well(server: FaultyModelServer, speech: str) -> None:
    async with asked_of(server, speech) as chosen:
        agent = Agent(name="title", model=chosen.model)
        found = await Runner.run(agent, QUESTION, run_config=RunConfig(tracing_disabled=True))
    assert found.final_output == TITLE


@pytest.mark.parametrize(
    "entries",
    [
        [{"id": "a", "model": "x", "label": "X"}, {"id": "a", "model": "y", "label": "Y"}],
        [{"id": "default", "model": "x", "label": "X"}],
        [{"id": "a b", "model": "x", "label": "X"}],
        [{"id": "a", "model": "", "label": "X"}],
        [{"id": "a", "model": "x"}],
        [{"id": "a", "model": "x", "label": "X", "key": "sk-1"}],
    ],
)
def test_a_list_of_choices_that_could_not_be_told_apart_or_understood_is_refused(entries: list[dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ModelChoices).validate_python(entries)


def test_a_list_of_choices_is_read_as_it_is_written() -> None:
    assert TypeAdapter(ModelChoices).validate_json('[{"id":"big","model":"the-big-one","label":"Big"}]') == (
        choice(description=""),
    )
