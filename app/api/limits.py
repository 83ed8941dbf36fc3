"""How large a request's body may be; one that is larger is answered before it fills the memory."""

from __future__ import annotations

import re

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InvalidRequest

MIB = 2**20
BODY = 32 * MIB
# Histories are uploaded in one piece, so that nothing half written stays.
UPLOAD = 128 * MIB
UPLOADS = re.compile("/v1/profiles/(import|[^/]+/history)")


def install(app: FastAPI) -> None:
    """Put the limits before every route of `app`."""
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
        size = 0

        async def counted() -> Message:
            nonlocal size
            part = await receive()
            size += len(part.get("body", b""))
            if size > limit:  # a body that did not say how large it is
                raise HTTPException(413, message)
            return part

        await self._app(scope, counted, send)
