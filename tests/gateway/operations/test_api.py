"""What the page asks besides ChatKit: Stop, what is being written, and mentions; each for one's own alone."""

import json
from typing import Any, Final

import httpx2
import pytest

from tests.gateway.operations.behind import Behind
from tests.gateway.operations.refusals import CANARY, alike, assert_refused
from tests.gateway.operations.table import UNKNOWN, begun
from tests.gateway.test_one_answer_at_a_time import writing
from tests.living import ChatClient, Databases, Living
from tests.models import PatientModel
from tests.web import web

pytestmark = pytest.mark.anyio

WRONG_IDS: Final[tuple[Any, ...]] = (None, 7, True, [], {}, "", [UNKNOWN], {"id": UNKNOWN}, f"{CANARY}" * 7)


async def stop(chat: ChatClient, body: Any) -> httpx2.Response:
    return await chat.http.post("/api/stop", json=body)


async def turn(chat: ChatClient, **params: Any) -> httpx2.Response:
    return await chat.http.get("/api/turn", params=params)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/stop"),
        ("PUT", "/api/stop"),
        ("DELETE", "/api/stop"),
        ("POST", "/api/turn"),
        ("POST", "/api/entities"),
        ("DELETE", "/api/entities/T1"),
        ("GET", "/chatkit"),
        ("PUT", "/chatkit"),
        ("DELETE", "/chatkit"),
    ],
)
async def test_other_methods_are_refused(place: Living, method: str, path: str) -> None:
    async with place.chat("ada") as ada:
        refused = await ada.http.request(method, path)
        assert refused.status_code == 405
        assert "POST" in refused.headers["allow"] or "GET" in refused.headers["allow"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/stop"), ("GET", f"/api/turn?thread_id={UNKNOWN}"), ("GET", "/api/entities"), ("GET", "/auth/me")],
)
async def test_nobody_is_told_anything_without_a_token(place: Living, method: str, path: str) -> None:
    for token in ("", place.token("ada", place.gateway_url, lifetime_s=-60), place.token("ada"), "garbage"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with web(base_url=place.gateway_url, headers=headers) as http:
            assert_refused(await http.request(method, path, json={"thread_id": UNKNOWN}), 401, "sign_in")


async def test_what_is_malformed_is_refused_and_stops_nothing(place: Living) -> None:
    async with place.chat("ada") as ada:
        for wrong in WRONG_IDS:
            assert_refused(await stop(ada, {"thread_id": wrong}), 400, "bad_request")
        for body in ([], 7, CANARY, [UNKNOWN], {}, {"thread": UNKNOWN}):
            assert_refused(await stop(ada, body), 400, "bad_request")
        for text in ("", "null", "{", "[" * 100_000, '{"thread_id": "\\ud800"}'.encode("utf-16"), b"\xff"):
            headers = {"Content-Type": "application/json"}
            assert_refused(await ada.http.post("/api/stop", content=text, headers=headers), 400, "bad_request")
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            content = json.dumps({"thread_id": UNKNOWN})
            refused = await ada.http.post("/api/stop", content=content, headers={"Content-Type": kind})
            assert_refused(refused, 415, "wrong_type")
        assert_refused(await turn(ada), 400, "bad_request")
        assert_refused(await turn(ada, thread_id=""), 400, "bad_request")
        assert_refused(await turn(ada, thread_id=CANARY * 7), 400, "bad_request")


@pytest.mark.parametrize("id_", [UNKNOWN, "\0", "thr_\0", "' OR 1=1 --", "日本", "\ud800", "%"])
async def test_where_nothing_is_written_nothing_is_stopped(place: Living, inside: Behind, id_: str) -> None:
    async with place.chat("ada") as ada:
        await begun(ada)
        before = await inside.rows("ada")
        sent = json.dumps({"thread_id": id_})
        answer = await ada.http.post("/api/stop", content=sent, headers={"Content-Type": "application/json"})
        if answer.status_code != 200:
            assert_refused(answer, 400)
        else:
            assert answer.json() == {"stopped": False}
        if id_ != "\ud800":
            assert (await turn(ada, thread_id=id_)).json() == {"running": False, "partial": ""}
        assert await inside.rows("ada") == before


async def test_ada_sees_and_stops_what_is_written_and_bob_is_told_as_of_the_unknown(databases: Databases) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada, living.chat("bob") as bob:
        async with writing(model, ada) as reader:
            thread = {"thread_id": reader.thread_id}
            assert alike(await turn(bob, **thread), await turn(bob, thread_id=UNKNOWN))
            assert alike(await stop(bob, thread), await stop(bob, {"thread_id": UNKNOWN}))
            seen = await turn(ada, **thread)
            assert seen.headers["cache-control"] == "no-store"
            assert seen.json()["running"] is True
            assert (await stop(ada, {**thread, "more": CANARY})).json() == {"stopped": True}
            await reader.ended.wait()
        assert (await turn(ada, **thread)).json() == {"running": False, "partial": ""}
        assert (await stop(ada, thread)).json() == {"stopped": False}


async def test_what_is_there_of_an_answer_is_what_was_read(databases: Databases) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada, writing(model, ada) as reader:
        partial = ""
        while not partial:  # it is written down within a second
            seen = (await turn(ada, thread_id=reader.thread_id)).json()
            assert seen["running"] is True
            partial = seen["partial"]
        message = json.loads(partial)
        assert message["type"] == "assistant_message"
        assert message["content"][0]["text"] == reader.words


async def test_mentions_are_ones_own(place: Living) -> None:
    async with place.client("ada") as client, place.chat("ada") as ada, place.chat("bob") as bob:
        await client.add("Water the plants")
        for query in ("plants", "T1", ""):
            found = (await ada.http.get("/api/entities", params={"q": query})).json()["entities"]
            assert [one["id"] for one in found if one["id"] == "T1"] == ["T1"]
            assert "plants" not in (await bob.http.get("/api/entities", params={"q": query})).text
        assert (await ada.http.get("/api/entities/T1")).status_code == 200
        stolen = await bob.http.get("/api/entities/T1")
        assert_refused(stolen, 404, "not_found")
        assert alike(stolen, await bob.http.get("/api/entities/T999"))


@pytest.mark.parametrize("query", ["\0", "x" * 5_000, '"', "is:open | all", "%", "日本", "\u202e", "' OR 1=1"])
async def test_whatever_is_typed_finds_or_does_not(place: Living, query: str) -> None:
    async with place.chat("ada") as ada:
        answer = await ada.http.get("/api/entities", params={"q": query})
        assert answer.status_code == 200
        # Nothing that can be looked for is as if nothing had been typed.
        assert [one["id"] for one in answer.json()["entities"]] in ([], ["list:Inbox"])


@pytest.mark.parametrize("path", ["%00", "T1%00", "x" * 2_000, "%ff", "list%3A", "..%2f..%2fauth%2fme"])
async def test_an_entity_of_no_name_is_not_found(place: Living, path: str) -> None:
    async with place.chat("ada") as ada:
        answer = await ada.http.get(f"/api/entities/{path}")
        assert answer.status_code == 404
