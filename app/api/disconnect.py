"""Work that is done for a client, and ends when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import anyio
from fastapi import Request

from app.errors import CoSteerError

T = TypeVar("T")


async def while_present(request: Request, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the client of `request` leaves.

    For requests whose body has been read: what comes after it is only that the client has left.
    """
    scope = anyio.CancelScope()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
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
