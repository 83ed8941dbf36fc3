"""Middleware that limits the size of a request body and the time it may take: 413 or 408 beyond a limit."""

from __future__ import annotations

import asyncio
import re

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InvalidRequest

MIB = 2**20
BODY = 32 * MIB
# Histories are uploaded in one request, so that no partial upload is stored.
UPLOAD = 128 * MIB
# The timeout of a body: these seconds, plus one for each SLOWEST bytes received.
PATIENCE_SECONDS = 20.0
SLOWEST = 16 * 1024
SLOW = "The body came too slowly. Send it at once, or in parts."
UPLOADS = re.compile("/v1/profiles/(import|[^/]+/history(/files)?)")


def install(app: FastAPI) -> None:
    """Adds the limits to `app`."""
    app.add_middleware(_BodyLimit)


class _BodyLimit:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = UPLOAD if UPLOADS.fullmatch(scope["path"]) else BODY
        message = (
            f"The body is larger than {limit // MIB} MiB. Send it in parts; files of any size are read by "
            "`costeer history add` and `costeer profiles import`."
        )
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            answer = JSONResponse(InvalidRequest(message, code="request_too_large").body(), 413)
            await answer(scope, receive, send)
            return
        size, whole = 0, False
        clock = asyncio.get_running_loop().time
        started = clock()

        async def counted() -> Message:
            nonlocal size, whole
            if whole:  # the next message is http.disconnect
                return await receive()
            try:
                async with asyncio.timeout_at(started + PATIENCE_SECONDS + size / SLOWEST):
                    part = await receive()
            except TimeoutError:
                raise HTTPException(408, SLOW) from None
            whole = not part.get("more_body", False)
            size += len(part.get("body", b""))
            if size > limit:  # a body without Content-Length
                raise HTTPException(413, message)
            return part

        await self._app(scope, counted, send)
