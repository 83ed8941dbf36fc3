"""Middleware that answers HEAD wherever GET is allowed: the same headers, and no body (RFC 9110, 9.3.2)."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def install(app: FastAPI) -> None:
    """Adds HEAD to every route of `app`, also to passed-on paths."""
    app.add_middleware(_Head)


class _Head:
    """Runs the route as GET. The response is complete with its headers, so the work for its body ends as on
    a client's disconnect."""

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
            scope.update({name: asked[name] for name in ("route",) if name in asked})  # for request_log
