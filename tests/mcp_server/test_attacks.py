"""What must be refused although it was made with care: raw HTTP against the tool server, in both eras."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import httpx2
import pytest

from shared.tokens import Revocation
from tests.attacks import DELEGATED, HOSTILE, Forge
from tests.living import ISSUER, MODERN, Living
from tests.mcp_server.wire import (
    ADD,
    ERAS,
    FIND,
    answer,
    ask,
    assert_nothing_changed,
    challenge,
    headers,
    message,
    metadata_url,
    post,
)

pytestmark = pytest.mark.anyio

LEGACY: Final = ERAS[1]
FOR_EVER: Final = 2**40


def assert_refused(living: Living, response: httpx2.Response) -> None:
    assert response.status_code == 401
    found = challenge(response)
    assert found["error"] == "invalid_token"
    assert found["scope"] == "tasks:read"
    assert found["resource_metadata"] == metadata_url(living)
    assert found["error_description"] == "This access token is not accepted. Sign in again."
    assert response.json()["code"] == "sign_in"


@pytest.mark.parametrize("era", ERAS)
async def test_the_tokens_of_the_attacks_are_good_but_for_one_thing(living: Living, era: str) -> None:
    forge = Forge.against_mcp(living)
    for token in (forge.token(), forge.token(aud=[forge.elsewhere, forge.here]), forge.delegated()):
        assert (await ask(living, era, token)).status_code == 200


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_token_is_refused(living: Living, case: str, era: str) -> None:
    assert_refused(living, await ask(living, era, HOSTILE[case](Forge.against_mcp(living))))
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("case", DELEGATED)
async def test_a_hostile_token_in_another_persons_name_is_refused(living: Living, case: str, era: str) -> None:
    assert_refused(living, await ask(living, era, DELEGATED[case](Forge.against_mcp(living))))
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
async def test_an_id_token_opens_nothing(living: Living, era: str) -> None:
    for audience in ("a client of the tests", living.mcp_url):
        token = living.issuer.identify(living.subject("ada"), audience, nonce=None, session_id="s")
        assert_refused(living, await ask(living, era, token))
    await assert_nothing_changed(living)


@pytest.fixture
def revoke(living: Living) -> Iterator[Callable[..., None]]:
    """Revoke what is named, until the end of the test."""

    def only(**named: Any) -> None:
        living.mcp_revocations.replace([Revocation(issuer=ISSUER, keep_until=FOR_EVER, **named)])

    yield only
    living.mcp_revocations.replace([])


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("what", ["token", "session", "person"])
async def test_what_was_revoked_is_refused_at_the_next_request(
    living: Living, revoke: Callable[..., None], what: str, era: str, *, delegated: bool
) -> None:
    forge = Forge.against_mcp(living)
    make = forge.delegated if delegated else forge.token
    good = make(jti="the token", sid="the session")
    other = make(jti="another token", sid="another session")
    assert (await ask(living, era, good, params=FIND)).status_code == 200
    match what:
        case "token":
            revoke(token_id="the token")
        case "session":
            revoke(session_id="the session")
        case "person":
            revoke(subject=forge.subject, not_before=FOR_EVER)
    assert_refused(living, await ask(living, era, good))
    await assert_nothing_changed(living)
    assert (await ask(living, era, other, params=FIND)).status_code == (401 if what == "person" else 200)
    assert (await ask(living, era, living.token("bob"), params=FIND)).status_code == 200


@pytest.mark.parametrize("era", ERAS)
async def test_two_credentials_are_one_too_many(living: Living, era: str) -> None:
    ada = living.token("ada")
    for other in (ada, living.token("bob"), "garbage"):
        response = await post(living.mcp_url, [*headers(ada, era), ("Authorization", f"Bearer {other}")], message(era))
        assert response.status_code == 400
        assert response.json()["code"] == "bad_request"
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("place", ["address", "cookie", "form", "arguments", "meta", "header"])
async def test_a_token_anywhere_else_is_no_credential(living: Living, place: str, era: str) -> None:
    token = living.token("ada")
    url, sent, content = living.mcp_url, headers(None, era), json.dumps(message(era))
    match place:
        case "address":
            url = f"{url}?access_token={token}&token={token}&authorization=Bearer%20{token}"
        case "cookie":
            sent.append(("Cookie", f"token={token}; access_token={token}; taskgate={token}; Authorization={token}"))
        case "form":
            sent[0] = ("Content-Type", "application/x-www-form-urlencoded")
            content = f"access_token={token}"
        case "arguments":
            content = json.dumps(message(era, params={**ADD, "access_token": token}))
        case "meta":
            content = json.dumps(message(era, authorization=f"Bearer {token}", access_token=token))
        case "header":
            sent += [(name, f"Bearer {token}") for name in ("Proxy-Authorization", "X-Authorization", "X-Access-Token")]
    response = await post(url, sent, content)
    assert response.status_code == 401
    assert challenge(response) == {"scope": "tasks:read", "resource_metadata": metadata_url(living)}
    await assert_nothing_changed(living)


# Header names and what they claim; the body calls tasks_add.
LIES: Final[Mapping[str, list[tuple[str, str]]]] = {
    "another method": [("Mcp-Method", "tools/list")],
    "another tool": [("Mcp-Method", "tools/call"), ("Mcp-Name", "tasks_find")],
    "a method without a scope": [("Mcp-Method", "ping"), ("Mcp-Name", "")],
    "another and the right method": [("Mcp-Method", "tools/list"), ("Mcp-Method", "tools/call")],
}


@pytest.mark.parametrize("lie", LIES)
async def test_no_header_talks_the_older_era_out_of_a_scope(living: Living, lie: str) -> None:
    token = living.token("ada", scopes=["tasks:read"])
    response = await post(living.mcp_url, [*headers(token, LEGACY), *LIES[lie]], message(LEGACY))
    assert response.status_code == 403
    assert challenge(response)["scope"] == "tasks:read tasks:write"
    await assert_nothing_changed(living)


def modern(token: str, changed: str, values: list[str]) -> list[tuple[str, str]]:
    """The headers of a call to tasks_add with other values for one of them."""
    return [pair for pair in headers(token) if pair[0] != changed] + [(changed, value) for value in values]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Mcp-Method", ["tools/list"]),
        ("Mcp-Method", []),
        ("Mcp-Method", ["tools/call", "tools/call"]),
        ("Mcp-Method", ["tools/list", "tools/call"]),
        ("Mcp-Name", ["tasks_find"]),
        ("Mcp-Name", []),
        ("Mcp-Name", ["tasks_add", "tasks_add"]),
        ("MCP-Protocol-Version", [MODERN, MODERN]),
    ],
)
async def test_headers_that_differ_from_the_body_are_refused_and_buy_no_scope(
    living: Living, name: str, values: list[str]
) -> None:
    response = await post(living.mcp_url, modern(living.token("ada"), name, values), message())
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020
    short = living.token("ada", scopes=["tasks:read"])
    assert (await post(living.mcp_url, modern(short, name, values), message())).status_code == 403
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
async def test_a_request_of_one_era_under_the_header_of_the_other_buys_no_scope(living: Living, era: str) -> None:
    other = ERAS[era == MODERN]
    short = living.token("ada", scopes=["tasks:read"])
    assert (await post(living.mcp_url, headers(short, other), message(era))).status_code == 403
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
async def test_a_batch_needs_what_all_its_members_need_and_is_never_run(living: Living, era: str) -> None:
    batch = [
        message(era, "tools/list", {}),
        message(era),
        message(era, params=FIND),
        message(era, params={"name": "tasks_destroy"}),
        message(era, "resources/read", {"uri": "tasks://inbox"}),
        [message(era)],
        7,
    ]
    response = await post(living.mcp_url, headers(living.token("ada", scopes=[]), era), batch)
    assert response.status_code == 403
    assert challenge(response)["scope"] == "tasks:read tasks:write"
    assert challenge(response)["error_description"] == "This needs: tasks:read tasks:write"
    permitted = await post(living.mcp_url, headers(living.token("ada"), era), batch)
    assert permitted.status_code == 400
    assert permitted.json()["error"]["code"] == -32600
    await assert_nothing_changed(living)


# Spellings of a call to tasks_add that a parser may read otherwise than its neighbour.
SPELLINGS: Final[Mapping[str, Callable[[str], bytes]]] = {
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "with a byte order mark": lambda text: text.encode("utf-8-sig"),
    "escaped": lambda text: text.replace("tasks_add", "\\u0074asks\\u005fadd").encode(),
    "its method given twice": lambda text: text.replace('"method"', '"method": "tools/list", "method"').encode(),
    "its tool given twice": lambda text: text.replace('"name"', '"name": "tasks_find", "name"').encode(),
    "its parameters given twice": lambda text: text.replace('"params"', '"params": {}, "params"').encode(),
    "with a lone surrogate": lambda text: text.replace("Planted", "\\ud800").encode(),
    "with a bare surrogate": lambda text: text.replace("Planted", "\ud800").encode("utf-8", "surrogatepass"),
    "with what is no number": lambda text: text.replace('"Planted"', "NaN").encode(),
    "with a long number": lambda text: text.replace('"Planted"', "1" * 4_300).encode(),
    "with a deep argument": lambda text: text.replace('"Planted"', "[" * 190 + "]" * 190).encode(),
    "within much space": lambda text: b" \r\n\t" * 1_000 + text.encode() + b"\n" * 1_000,
    "without an id": lambda text: text.replace('"id": 1, ', "").encode(),
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_a_call_buys_a_scope(living: Living, spelling: str, era: str) -> None:
    content = SPELLINGS[spelling](json.dumps(message(era)))
    response = await post(living.mcp_url, headers(living.token("ada", scopes=["tasks:read"]), era), content)
    assert response.status_code == 403
    assert challenge(response)["scope"] == "tasks:read tasks:write"
    await assert_nothing_changed(living)


ODD: Final[Mapping[str, str]] = {
    "null": "null",
    "a number": "7",
    "a text": '"tools/call"',
    "nothing": "",
    "half": '{"jsonrpc": "2.0", "id": 1, "method": "tools/call"',
    "an empty batch": "[]",
    "a batch of odd things": '[null, 7, [], "x", {"method": 7}]',
    "a method of another type": '{"jsonrpc": "2.0", "id": 1, "method": ["tools/call"], "params": {}}',
    "a method that is an object": '{"jsonrpc": "2.0", "id": 1, "method": {}, "params": {"name": "tasks_add"}}',
    "no parameters": '{"jsonrpc": "2.0", "id": 1, "method": "tools/call"}',
    "parameters in a list": '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ["tasks_add"]}',
    "a name of another type": '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": ["tasks_add"]}}',
    "a name that is an object": '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": {}}}',
    "a number too long to read": f'{{"id": {"1" * 5_000}}}',
    "another protocol": '{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}',
    "an id of another type": '{"jsonrpc": "2.0", "id": [1], "method": "tools/list"}',
    "an id that is true": '{"jsonrpc": "2.0", "id": true, "method": "tools/list"}',
    "an answer nobody asked for": '{"jsonrpc": "2.0", "id": 1, "result": {"secret": "words"}}',
    "deep lists": "[" * 100_000,
    "deep lists that end": "[" * 50_000 + "]" * 50_000,
    "deep objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_body_is_refused_and_never_a_fault_of_ours(living: Living, odd: str, era: str) -> None:
    for scopes in ([], ["tasks:read", "tasks:write"]):
        token = living.token("ada", scopes=scopes)
        response = await post(living.mcp_url, headers(token, era), ODD[odd])
        assert response.status_code == 400 or "error" in answer(response)
        assert response.status_code < 500
        assert len(response.text) < 300
        assert "pydantic" not in response.text
    await assert_nothing_changed(living)


ARGUMENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "overview": {},
    "tasks_find": {},
    "tasks_add": {"tasks": [{"title": "Planted"}]},
    "tasks_edit": {"changes": [{"refs": ["T1"], "notes": "planted"}]},
    "tasks_complete": {"refs": ["T1"]},
    "tasks_delete": {"refs": ["T1"]},
    "organize": {"kind": "list", "action": "create", "name": "Planted"},
    "undo": {},
    "history": {},
    "data_export": {},
    "data_import": {"content": "- [ ] Planted", "dry_run": False},
    "share": {},
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("tool", ARGUMENTS)
async def test_no_tool_takes_a_person_or_a_token(living: Living, tool: str, era: str) -> None:
    for argument in ("user_id", "subject", "sub", "owner", "space_id", "caller", "token", "access_token", "_meta"):
        value = living.token("bob") if "token" in argument else living.subject("bob")
        params = {"name": tool, "arguments": {**ARGUMENTS[tool], argument: value}}
        response = await ask(living, era, living.token("ada"), params=params)
        result = answer(response)["result"]
        assert result["isError"] is True
        assert result["content"][0]["text"].startswith(f'unknown_argument: "{argument}"')
        assert value not in response.text
    await assert_nothing_changed(living)
    await assert_nothing_changed(living, "bob")


@pytest.mark.parametrize("era", ERAS)
async def test_nobody_becomes_somebody_else_by_saying_so(living: Living, era: str) -> None:
    bob = living.subject("bob")
    claims: dict[str, Any] = dict.fromkeys(("user_id", "sub", "owner", "taskgate/user", "taskgate/caller"), bob)
    sent = [
        *headers(living.token("ada"), era),
        *((name, bob) for name in ("X-User-Id", "X-Forwarded-User", "Remote-User")),
    ]
    response = await post(living.mcp_url, sent, message(era, **claims))
    assert answer(response)["result"]["structuredContent"]["op"] == 1
    await assert_nothing_changed(living, "bob")


@pytest.mark.parametrize("era", ERAS)
async def test_another_persons_task_and_none_are_told_in_the_same_words(living: Living, era: str) -> None:
    async with living.client("bob") as bob:
        refs = await bob.add("One", "Two", "Three")
        await bob.values("tasks_complete", refs=refs[:1])
    told = {}
    for ref in (*refs, "T999999", "Two", "Nothing of the kind"):
        for call in (
            {"name": "tasks_complete", "arguments": {"refs": [ref]}},
            {"name": "tasks_find", "arguments": {"refs": [ref]}},
        ):
            result = answer(await ask(living, era, living.token("ada"), params=call))["result"]
            assert result["isError"] is True
            told[ref, call["name"]] = json.dumps(result).replace(ref, "?")
    assert len(set(told.values())) == 1
    await assert_nothing_changed(living)
    async with living.client("bob") as bob:
        assert await bob.titles() == ["Two", "Three"]
