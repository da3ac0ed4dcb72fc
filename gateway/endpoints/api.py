"""What the page asks besides ChatKit: stop an answer from another tab, see whether one is being written, find tasks."""

from typing import Final

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.endpoints.chatkit import ChatKitEndpoint
from gateway.entities import Entities
from gateway.people import export_own
from gateway.store import Leases
from shared.db import Database
from shared.errors import Problem

ID_LENGTH: Final = 64


class Api:
    """GET and POST under /api."""

    def __init__(self, chatkit: ChatKitEndpoint, leases: Leases, entities: Entities, database: Database) -> None:
        self._turn = chatkit.turn
        self._leases = leases
        self._entities = entities
        self._database = database

    async def stop(self, request: Request) -> Response:
        """Stop the answer of a conversation, whichever tab or process it belongs to."""
        turn = await self._turn(request)
        sent = await json_object(request)
        stopped = await self._leases.stop(thread_id_of(sent.get("thread_id")), turn)
        return JSONResponse({"stopped": stopped})

    async def running(self, request: Request) -> Response:
        """Whether an answer is being written in a conversation, and what there is of it."""
        turn = await self._turn(request)
        partial = await self._leases.running(thread_id_of(request.query_params.get("thread_id")), turn)
        return JSONResponse({"running": partial is not None, "partial": partial or ""})

    async def entities(self, request: Request) -> Response:
        """Tasks and lists for what was typed behind an @."""
        turn = await self._turn(request)
        return JSONResponse({"entities": await self._entities.search(request.query_params.get("q", ""), turn)})

    async def export(self, request: Request) -> Response:
        """Everything that is kept of whoever asks, as JSON Lines."""
        return await export_own(self._database, await self._turn(request))

    async def entity(self, request: Request) -> Response:
        """A small card of one task or list."""
        turn = await self._turn(request)
        preview = await self._entities.preview(request.path_params["id"], turn)
        if preview is None:
            raise Problem("not_found", "there is no such task or list", "search again")
        return JSONResponse({"preview": preview})


async def json_object(request: Request) -> dict[str, object]:
    """The body, which has to be a JSON object."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem("wrong_type", "the body is not JSON", "send Content-Type: application/json")
    try:
        sent = from_json(await request.body())  # unlike Python's own, it takes no half characters
    except ValueError:
        raise Problem("bad_request", "the body is not JSON", "send a JSON object") from None
    if not isinstance(sent, dict):
        raise Problem("bad_request", "the body is no JSON object", "send a JSON object")
    return sent


def thread_id_of(sent: object) -> str:
    """The id of a conversation in a request."""
    if not isinstance(sent, str) or not 1 <= len(sent) <= ID_LENGTH:
        raise Problem("bad_request", "this needs a thread_id", "send the id of a conversation")
    return sent
