"""Work that is done for a client, and ends when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import anyio
from fastapi import Request
from starlette.types import Receive

from app.errors import CoSteerError

T = TypeVar("T")


async def disconnected(receive: Receive) -> None:
    """Returns once the client has left. The body must have been read: nothing else comes after it."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def while_present(request: Request, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the client of `request` leaves; see `disconnected`."""
    scope = anyio.CancelScope()

    async def watch() -> None:
        await disconnected(request.receive)
        scope.cancel()

    watching = asyncio.create_task(watch())
    try:
        with scope:
            return await work
    finally:
        watching.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([watching])
    # Nobody reads it; nginx's status for such requests.
    raise CoSteerError("The client left before the reply was written.", code="client_left", status=499)
