"""Exception handlers: the one place where exceptions become HTTP responses, with OpenAI's error object."""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.schemas.base import Failure
from app.api.validation_errors import refusal
from app.errors import CoSteerError, InvalidRequest, NotFound, Unauthorized

log = logging.getLogger(__name__)

# For /docs: error responses that every route may give.
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Failure, "description": "The request has to change; the message says how."},
    "5XX": {"model": Failure, "description": "The proxy or the remote failed."},
}


def install(app: FastAPI) -> None:
    """Register the handlers on `app`."""
    app.add_exception_handler(CoSteerError, _costeer_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_middleware(_LastResort)


def unforeseen(error: Exception) -> CoSteerError:
    """The error that a client gets for a bug. Logs its type and place, but not its text, which may quote
    anything."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    log.error("a request failed with %s at %s", type(error).__name__, place)
    return CoSteerError("The request failed inside the proxy; its log says where.")


@contextmanager
def beside_a_reply() -> Iterator[None]:
    """Logs any exception of the block instead of raising it, so that it cannot break the response."""
    try:
        yield
    except Exception as bug:
        unforeseen(bug)


def shutting_down() -> CoSteerError:
    return CoSteerError("The proxy is shutting down. Ask again once it is back.", status=503)


class _LastResort:
    """Middleware that answers unhandled exceptions. Starlette would re-raise them, and the server would log
    their text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
            return
        except asyncio.CancelledError:  # only by the server, when its grace period for open requests ends
            error = shutting_down()
        except Exception as bug:
            error = unforeseen(bug)
        if not started:
            await _answer(error)(scope, receive, send)


def _answer(error: CoSteerError) -> JSONResponse:
    # RFC 9110 section 15.5.2 requires this header with every 401.
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    return JSONResponse(error.body(), error.status, headers)


async def _costeer_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CoSteerError)  # noqa: S101
    return _answer(error)


async def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # FastAPI leaves a body without a JSON Content-Type as bytes.
    if isinstance(error.body, bytes):
        message = "The body must be sent as JSON, with the header Content-Type: application/json."
        return _answer(InvalidRequest(message, status=415))
    return _answer(refusal(error.errors(), error.body))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    path = request.url.path
    if error.status_code == NotFound.status:
        cause = ' Its path holds "//": a base_url ends without a slash.' if "//" in path else ""
        return _answer(NotFound(f"There is no {request.method} {path} here.{cause}", code="not_found"))
    if error.status_code == 405:
        allowed = ", ".join(_methods(request))
        message = f"{path} does not take {request.method}; use {allowed}."
        answer = _answer(InvalidRequest(message, code="method_not_allowed", status=error.status_code))
        answer.headers["Allow"] = allowed
        return answer
    if error.status_code == InvalidRequest.status:  # FastAPI's, for a body that is not valid JSON
        return _answer(
            InvalidRequest("The body is not valid JSON: send UTF-8, without huge numbers or deep nesting.")
        )
    code = "request_too_large" if error.status_code == 413 else None
    answer = _answer(InvalidRequest(str(error.detail), status=error.status_code, code=code))
    if error.status_code == 408:  # or the server would wait for the rest of the body
        answer.headers["Connection"] = "close"
    return answer


def _methods(request: Request) -> list[str]:
    """The methods of all routes with this path; Starlette's Allow header has the first route's only."""
    routes = request.app.router.routes
    scope = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    allowed = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(_takes(route, {**scope, "method": method}) for route in routes)
    ]
    return ["GET", "HEAD", *allowed[1:]] if "GET" in allowed else allowed


def _takes(route: BaseRoute, scope: Scope) -> bool:
    # What is mounted are files.
    return route.matches(scope)[0] is Match.FULL and not (
        isinstance(route, Mount) and scope["method"] != "GET"
    )
