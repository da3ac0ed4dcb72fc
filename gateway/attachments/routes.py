"""Attachments over HTTP: their bytes come and go here, and not through ChatKit."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from chatkit.types import Attachment
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.attachments.handling import Attachments
from gateway.attachments.kinds import IMAGE_BYTES, KINDS
from gateway.attachments.proofs import PATH
from shared.tokens import Caller

Handler = Callable[[Request], Awaitable[Response]]

# What may be larger than everything else that is sent to us.
UPLOADS: Final[Mapping[tuple[str, str], int]] = MappingProxyType({("PUT", PATH): IMAGE_BYTES})
# Whatever a file holds, a browser that opens it does nothing with it.
INERT: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"


def attachment_routes(
    attachments: Attachments,
    signed_in: Callable[[Request], Awaitable[Caller]],
    answering: Callable[[Handler], Handler],
) -> list[BaseRoute]:
    """The routes; `signed_in` says who asks, and `answering` turns problems into answers."""

    async def receive(request: Request) -> Response:
        key, proof = _asked(request)
        caller = attachments.uploader(key, proof)
        await attachments.receive(key, request.stream(), caller)
        return Response(status_code=204)

    async def send(request: Request) -> Response:
        key, proof = _asked(request)
        caller = attachments.reader(key, proof) or await signed_in(request)
        attachment, data = await attachments.read(key, caller)
        return Response(data, media_type=_media_type(attachment), headers=_headers(attachment))

    path = PATH + "{key}"
    return [Route(path, answering(receive), methods=["PUT"]), Route(path, answering(send), methods=["GET"])]


def _asked(request: Request) -> tuple[str, str]:
    return request.path_params["key"], request.query_params.get("proof", "")


def _media_type(attachment: Attachment) -> str:
    is_image = KINDS[attachment.mime_type].is_image
    return attachment.mime_type if is_image else f"{attachment.mime_type}; charset=utf-8"


def _headers(attachment: Attachment) -> dict[str, str]:
    shown = "inline" if KINDS[attachment.mime_type].is_image else "attachment"
    return {
        "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(attachment.name, safe='')}",
        "Content-Security-Policy": INERT,
        "Cache-Control": "private, max-age=300",
    }
