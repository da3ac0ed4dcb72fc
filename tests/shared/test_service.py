"""What the settings of both services refuse: each fault is one sentence that says what to set."""

import json
from typing import Any, Final

import pytest

from gateway.settings import GatewaySettings
from mcp_server.settings import McpSettings
from shared.service import ServiceSettings
from shared.settings import SettingsFault, load
from shared.tokens import SigningKey

PEOPLE: Final = "https://login.example.test"
KEYS: Final[dict[str, Any]] = {"keys": []}
GIVEN: Final = {
    "TASKGATE_MCP_URL": "https://tools.example.test/mcp",
    "TASKGATE_GATEWAY_URL": "https://chat.example.test",
    "TASKGATE_MCP_STATE_KEYS": "k" * 32,
    "TASKGATE_GATEWAY_SIGNING_KEYS": json.dumps([SigningKey.generate().pem]),
}
SECRET: Final = {"issuer": PEOPLE, "secret": "s" * 32}


def faults(model: type[ServiceSettings], issuers: list[dict[str, Any]], **given: str) -> tuple[str, ...]:
    """What is wrong when a service is told of these issuers."""
    name = "TASKGATE_MCP_ISSUERS" if model is McpSettings else "TASKGATE_GATEWAY_ISSUERS"
    known = {variable for field in model.model_fields.values() if (variable := str(field.validation_alias))}
    values = {variable: value for variable, value in GIVEN.items() if variable in known}
    try:
        load(model, given={**values, name: json.dumps(issuers), **given}, environ={})
    except SettingsFault as fault:
        return fault.faults
    return ()


both = pytest.mark.parametrize("model", [McpSettings, GatewaySettings])


@both
def test_an_issuer_may_be_given_with_keys_with_their_address_or_by_name_alone(model: type[ServiceSettings]) -> None:
    for keys in ({"jwks": KEYS}, {"jwks_uri": "https://login.example.test/jwks"}, {}):
        assert faults(model, [{"issuer": PEOPLE, **keys}]) == ()


@both
@pytest.mark.parametrize(
    ("issuers", "words"),
    [
        ([], "at least one issuer is needed"),
        ([{"issuer": PEOPLE}, {"issuer": PEOPLE}], f"two profiles have the issuer {PEOPLE}; keep one"),
        ([SECRET], "a shared secret is for TASKGATE_ENV=dev only"),
        ([{"issuer": PEOPLE, "secret": "s" * 31}], "an HS256 secret has at least 32 bytes"),
        ([{"issuer": PEOPLE, "jwks": KEYS, "jwks_uri": "https://x.test"}], "give one of jwks_uri, jwks and secret"),
        ([{"issuer": "a|b"}], "an issuer may not contain |"),
        ([{"issuer": PEOPLE, "algorithms": ["HS256"]}], "algorithms must be among"),
        ([{"issuer": PEOPLE, "audiance": "x"}], "audiance"),
        ([{"audience": "x"}], "issuer"),
    ],
)
def test_issuers_that_cannot_be_right_are_one_sentence(
    model: type[ServiceSettings], issuers: list[dict[str, Any]], words: str
) -> None:
    found = faults(model, issuers)
    assert len(found) == 1
    assert words in found[0]
    assert "_ISSUERS" in found[0]
    assert "ssss" not in found[0]


@both
def test_a_shared_secret_is_for_development_where_nobody_else_can_connect(model: type[ServiceSettings]) -> None:
    name = "TASKGATE_MCP_BIND" if model is McpSettings else "TASKGATE_GATEWAY_BIND"
    assert faults(model, [SECRET], TASKGATE_ENV="dev") == ()
    [fault] = faults(model, [SECRET], TASKGATE_ENV="dev", **{name: "0.0.0.0:8000"})
    assert "loopback" in fault
