"""The server in this process, asked without a port: an httpx transport that calls the application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from app.api.auth import Caller, caller_of
from app.assembly import open_parts
from app.cli.chat.client import Client
from app.cli.progress import RichProgress
from app.main import create_app
from app.settings.settings import Settings

URL = "http://localhost"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Client]:
    """A client of the application over the models of the settings. Raises what open_parts raises.

    It needs no key: whoever runs this process can read the database anyway, and nobody else reaches it.
    """
    async with AsyncExitStack() as stack:
        with RichProgress() as progress:
            parts = await stack.enter_async_context(open_parts(settings, progress))
        app = create_app(settings, parts)
        app.dependency_overrides[caller_of] = Caller
        await stack.enter_async_context(app.router.lifespan_context(app))
        client = Client(URL, "", InProcess(app))
        stack.push_async_callback(client.aclose)
        yield client


class InProcess(httpx.AsyncBaseTransport):
    """Calls an ASGI application, and gives its answer while that is written.

    (httpx.ASGITransport waits for the end of it, and a port would let every user of the machine in.)
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(self._app, _scope(request), await request.aread())
        try:
            start = await exchange.next()
        except BaseException:  # such as a client that has left already
            await exchange.aclose()
            raise
        return httpx.Response(start["status"], headers=start["headers"], stream=exchange)


class _Exchange(httpx.AsyncByteStream):
    """One request and its answer. Closing it tells the application that the client has left."""

    def __init__(self, app: FastAPI, scope: dict[str, Any], body: bytes) -> None:
        self._sent: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._left = asyncio.Event()
        self._body: bytes | None = body
        self._task = asyncio.create_task(app(scope, self._receive, self._send))
        self._task.add_done_callback(self._ended)

    async def next(self) -> dict[str, Any]:
        """The application's next message. Raises httpx.RemoteProtocolError if it ends without one."""
        if (message := await self._sent.get()) is None:
            raise httpx.RemoteProtocolError("The application ended before its answer did.")
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self.next()
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def aclose(self) -> None:
        self._left.set()
        await asyncio.wait([self._task])

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self._sent.put_nowait(message)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # marked as seen, for asyncio; the application has logged it
        self._sent.put_nowait(None)


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": (request.url.host, 80),
        "client": ("127.0.0.1", 0),
    }
