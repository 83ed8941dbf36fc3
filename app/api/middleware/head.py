"""HEAD, wherever GET is: the same headers, and no body."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def install(app: FastAPI) -> None:
    """For every route of `app`, those that are passed on among them."""
    app.add_middleware(_Head)


class _Head:
    """Asks for GET. With the headers the answer is complete, upon which the work for a body ends as when a
    client has left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}

        async def headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        try:
            await self._app(asked, receive, headers)
        finally:
            scope.update({name: asked[name] for name in ("route",) if name in asked})  # for the journal
