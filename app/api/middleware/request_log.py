"""Middleware that logs and counts each request, and gives it a request id (X-Request-Id)."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.error_handlers import beside_a_reply
from app.api.metrics import Metrics
from app.logs import REQUEST_ID

log = logging.getLogger(__name__)

NAME = b"x-request-id"
SANE = re.compile(rb"[ -~]{1,64}")
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
CLIENT_LEFT = 499  # the client disconnected before the response; nginx's status for that


def install(app: FastAPI, metrics: Metrics) -> None:
    """Adds the middleware around all that `app` has so far."""
    app.add_middleware(_Journal, metrics=metrics)


class _Journal:
    """Responses get an X-Request-Id: the client's own if it is short and printable, else a new one.

    The log and the metrics name the route's pattern, not the path, which contains names.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == NAME), b"")
        request_id = given if SANE.fullmatch(given) else uuid.uuid4().hex.encode()
        REQUEST_ID.set(request_id.decode())
        started = time.perf_counter()
        status, steered = CLIENT_LEFT, False

        async def marked(message: Message) -> None:
            nonlocal status, steered
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                steered = any(name == b"x-costeer-steered" and value != b"false" for name, value in headers)
                message = {**message, "headers": [*headers, (NAME, request_id)]}
            await send(message)

        try:
            await self._app(scope, receive, marked)
        finally:
            seconds = time.perf_counter() - started
            with beside_a_reply():
                self._tell(scope, status, seconds, steered=steered)

    def _tell(self, scope: Scope, status: int, seconds: float, *, steered: bool) -> None:
        route = getattr(scope.get("route"), "path", None) or "none"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.answered(route, method, status)
        level = logging.WARNING if status >= 500 else logging.INFO
        if log.isEnabledFor(level):
            fields: dict[str, Any] = {
                "method": method,
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "steered": steered,
            }
            said = "steered" if steered else "not steered"
            log.log(
                level,
                "%s %s: %d in %.1f ms, %s",
                method,
                route,
                status,
                seconds * 1000,
                said,
                extra={"fields": fields},
            )
