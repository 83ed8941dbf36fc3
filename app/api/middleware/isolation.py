"""Middleware that adds security headers: no other site may embed or frame a response, no cache store it."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A response's own headers take precedence. Pages allowed by COSTEER_CORS_ORIGINS use CORS requests, to which
# Cross-Origin-Resource-Policy does not apply.
HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
NOT_KEPT = {"Cache-Control": "no-store"}
# The same for everybody, so that browsers may keep it; each says itself for how long.
PUBLIC = ("/docs", "/web/")


def install(app: FastAPI) -> None:
    """Adds the middleware around all that `app` has so far."""
    app.add_middleware(_Isolation)


class _Isolation:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = HEADERS if scope["path"] == "/" or scope["path"].startswith(PUBLIC) else HEADERS | NOT_KEPT

        async def isolated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                for name, value in wanted.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            await send(message)

        await self._app(scope, receive, isolated)
