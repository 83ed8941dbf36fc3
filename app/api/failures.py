"""The one place where an exception becomes an HTTP answer, always with OpenAI's error object."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.errors import CoSteerError, InvalidRequest, NotFound

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Register the handlers on `app`."""
    app.add_exception_handler(CoSteerError, _costeer_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)


def _answer(error: CoSteerError) -> JSONResponse:
    return JSONResponse(error.body(), error.status)


async def _costeer_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CoSteerError)  # noqa: S101
    return _answer(error)


async def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = error.errors()
    param = _path(problems[0])
    message = "; ".join(dict.fromkeys(_sentence(problem) for problem in problems[:5]))
    return _answer(InvalidRequest(message, param=param))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == NotFound.status:
        return _answer(NotFound(f"There is no {request.method} {request.url.path} here.", code="not_found"))
    return _answer(InvalidRequest(str(error.detail), status=error.status_code))


async def _unforeseen(_request: Request, error: Exception) -> JSONResponse:
    # The text of an unforeseen error may quote anything, so neither log nor client gets it.
    log.error("a request failed with %s", type(error).__name__)
    return _answer(CoSteerError("The request failed inside the proxy."))


def _path(problem: dict[str, Any]) -> str | None:
    """Where the mistake is, as a client would write it: messages[0].content."""
    path = ""
    for step in problem["loc"][1:]:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step.isidentifier() and step[0].islower() and step not in {"str", "list"}:
            path += f".{step}" if path else step
    return path or None


def _sentence(problem: dict[str, Any]) -> str:
    if problem["type"] == "json_invalid":
        return f"The body is not valid JSON: {problem.get('ctx', {}).get('error', 'syntax error')}."
    path = _path(problem)
    if problem["type"] == "extra_forbidden":
        return f"{path}: this field is not supported here; remove it."
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{path}: {text}." if path else f"{text}."
