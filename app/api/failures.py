"""The one place where an exception becomes an HTTP answer, always with OpenAI's error object."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import CoSteerError, InvalidRequest, NotFound

log = logging.getLogger(__name__)

# What pydantic's types of error ask of the client, as the predicate of a sentence about the field.
PREDICATES: Mapping[str, str] = {
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "extra_forbidden": "is not supported here; remove it",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is missing; add it",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be an object",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be a string",
    "string_unicode": "holds a lone surrogate, half of a character; send whole characters",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} item",
}


def install(app: FastAPI) -> None:
    """Register the handlers on `app`."""
    app.add_exception_handler(CoSteerError, _costeer_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_middleware(_LastResort)


def unforeseen(error: Exception) -> CoSteerError:
    """What a client is told of a bug. The log gets its place, and none its text, which may quote anything."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    log.error("a request failed with %s at %s", type(error).__name__, place)
    return CoSteerError("The request failed inside the proxy; its log says where.")


def shutting_down() -> CoSteerError:
    return CoSteerError("The proxy is shutting down. Ask again once it is back.", status=503)


class _LastResort:
    """Answers what nothing else has. Starlette would raise it again, and the server log its text."""

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
        except asyncio.CancelledError:  # by the server alone, once its grace for open requests is over
            error = shutting_down()
        except Exception as bug:
            error = unforeseen(bug)
        if not started:
            await _answer(error)(scope, receive, send)


def _answer(error: CoSteerError) -> JSONResponse:
    return JSONResponse(error.body(), error.status)


async def _costeer_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CoSteerError)  # noqa: S101
    return _answer(error)


async def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # A body that was not sent as JSON is handed on unread.
    if isinstance(error.body, bytes):
        message = "The body must be sent as JSON, with the header Content-Type: application/json."
        return _answer(InvalidRequest(message, status=415))
    problems = error.errors()
    sentences = dict.fromkeys(_sentence(problem, error.body) for problem in problems[:5])
    return _answer(InvalidRequest(" ".join(sentences), param=_path(problems[0], error.body)))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    path, allowed = request.url.path, (error.headers or {}).get("Allow")
    if error.status_code == NotFound.status:
        return _answer(NotFound(f"There is no {request.method} {path} here.", code="not_found"))
    if allowed:
        message = f"{path} does not take {request.method}; use {allowed}."
        answer = _answer(InvalidRequest(message, code="method_not_allowed", status=error.status_code))
        answer.headers["Allow"] = allowed
        return answer
    if error.status_code == InvalidRequest.status:  # FastAPI's, for a body that no JSON parser takes
        return _answer(
            InvalidRequest("The body is not valid JSON: send UTF-8, without huge numbers or deep nesting.")
        )
    return _answer(InvalidRequest(str(error.detail), status=error.status_code))


def _path(problem: Mapping[str, Any], body: object) -> str | None:
    """Where the mistake is, as a client would write it: messages[0].content. None is the whole body.

    pydantic's location also names the branches of unions; those are no steps into the body.
    """
    path = ""
    for step in problem["loc"][1:]:
        if isinstance(step, int) and isinstance(body, list):
            path += f"[{step}]"
            body = body[step] if step < len(body) else None
        elif isinstance(step, str) and isinstance(body, dict):
            path += f".{step}"
            body = body.get(step)
    return path.removeprefix(".")[:200] or None


def _sentence(problem: Mapping[str, Any], body: object) -> str:
    kind, given = problem["type"], problem.get("ctx", {})
    path = _path(problem, body)
    if kind == "json_invalid":
        return f"The body is not valid JSON: {given['error']} at character {problem['loc'][-1]}."
    if kind == "missing" and path is None:
        return "The body is empty; send a JSON object with model and messages."
    numbers = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in given.items()}
    # What schemas.py words itself comes as it is.
    predicate = PREDICATES[kind].format(**numbers) if kind in PREDICATES else str(problem["msg"])
    return f"{path or 'The body'} {predicate}."
