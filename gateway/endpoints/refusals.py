"""A problem becomes an answer: in the language of the person, with what a client needs to know about trying again."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from chatkit.store import NotFoundError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.login import NotSignedIn
from gateway.usage import Limited
from gateway.words import language_of, translated
from shared.asgi import problem_response
from shared.errors import Problem

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]
SOON_S: Final = {"busy": 2, "unavailable": 2}


def answering(handler: Handler) -> Handler:
    """The handler, with its problems turned into answers."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except NotSignedIn as problem:
            where = {"login": problem.login} if problem.login else {}
            return _refused(problem, request, {"WWW-Authenticate": problem.challenge}, where)
        except Problem as problem:
            return _refused(problem, request)
        except NotFoundError:
            # One text for what never existed, what was deleted, and what is somebody else's.
            return _refused(Problem("not_found", "there is no such conversation or message", "reload"), request)
        except ClientDisconnect:
            return Response(status_code=400)

    return answer


def _refused(
    problem: Problem, request: Request, headers: dict[str, str] | None = None, more: dict[str, str] | None = None
) -> Response:
    log.info("refused", extra={"code": problem.code})
    wait_s = problem.retry_after_s if isinstance(problem, Limited) else SOON_S.get(problem.code)
    advice = {"Retry-After": str(wait_s)} if wait_s is not None else {}
    language = language_of(request.headers.get("accept-language"))
    said = Problem(problem.code, translated(language, problem.message), translated(language, problem.hint))
    return problem_response(said, {**advice, **(headers or {})}, more or {})
