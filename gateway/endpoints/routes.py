"""Every route of the gateway."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway import composer
from gateway.assets import Assets
from gateway.attachments import Attachments, attachment_routes
from gateway.endpoints.api import Api
from gateway.endpoints.chatkit import ChatKitEndpoint
from gateway.endpoints.refusals import answering
from gateway.login import SignIn
from gateway.models import Models
from gateway.words import language_of
from shared.errors import Problem


class Endpoints:
    """What the gateway answers over HTTP."""

    def __init__(
        self,
        chatkit: ChatKitEndpoint,
        api: Api,
        sign_in: SignIn,
        assets: Assets,
        published: Mapping[str, Mapping[str, Any]],
        models: Models,
        features: Mapping[str, bool],
        attachments: Attachments | None,
    ) -> None:
        self._chatkit = chatkit
        self._api = api
        self._sign_in = sign_in
        self._assets = assets
        self._published = dict(published)
        self._models = models
        self._features = dict(features)
        self._attachments = attachments

    def routes(self) -> list[BaseRoute]:
        """Every route, each with its problems turned into answers."""
        to_the_issuer = [
            Route("/auth/login", answering(self._sign_in.begin), methods=["GET"]),
            Route("/auth/callback", answering(self._sign_in.finish), methods=["GET"]),
        ]
        files = self._attachments
        return [
            *(to_the_issuer if self._sign_in.has_issuer else ()),
            *(attachment_routes(files, self._sign_in.caller, answering) if files is not None else ()),
            Route("/", answering(self._assets.start_page), methods=["GET"]),
            Route("/page/{name}", answering(self._assets.file), methods=["GET"]),
            Route("/chatkit", answering(self._chatkit.answer), methods=["POST"]),
            Route("/api/stop", answering(self._api.stop), methods=["POST"]),
            Route("/api/turn", answering(self._api.running), methods=["GET"]),
            Route("/api/entities", answering(self._api.entities), methods=["GET"]),
            Route("/api/entities/{id}", answering(self._api.entity), methods=["GET"]),
            Route("/api/me/export", answering(self._api.export), methods=["GET"]),
            Route("/auth/me", answering(self._me), methods=["GET"]),
            Route("/auth/session", answering(self._sign_in.start_session), methods=["POST"]),
            Route("/auth/logout", answering(self._sign_in.end_session), methods=["POST"]),
            Route("/.well-known/{name}", answering(self._known), methods=["GET"]),
        ]

    async def _me(self, request: Request) -> Response:
        """Who is signed in, and what may be chosen beside a message."""
        language = language_of(request.headers.get("accept-language"))
        return await self._sign_in.me(
            request,
            {
                "model": self._models.default.label,
                "models": [
                    {"id": choice.id, "label": choice.label, "description": choice.description}
                    for choice in self._models.listed()
                ],
                "tools": composer.listed(language),
                "features": self._features,
                "language": language,
            },
        )

    async def _known(self, request: Request) -> Response:
        """What the tool server may read of the issuer that we are for it."""
        found = self._published.get(request.path_params["name"])
        if found is None:
            raise Problem("not_found", "there is no such document", "see the documentation")
        return JSONResponse(found, headers={"Cache-Control": "max-age=60"})
