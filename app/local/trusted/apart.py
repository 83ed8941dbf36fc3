"""Keeps two kinds of requests apart: those of one kind run together, those of the other wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Apart:
    """Turns for kinds of requests. Whoever waits is let in before more of the kind that runs."""

    def __init__(self) -> None:
        self._kind = ""
        self._running = 0
        self._waiting = 0
        self._free = asyncio.Event()

    @asynccontextmanager
    async def turn(self, kind: str) -> AsyncIterator[None]:
        """A turn of this kind: none of another kind runs meanwhile."""
        if self._running and (kind != self._kind or self._waiting):
            self._waiting += 1
            try:
                await self._freed(kind)
            finally:
                self._waiting -= 1
        self._kind = kind
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._free.set()

    async def _freed(self, kind: str) -> None:
        self._free.clear()
        while True:
            await self._free.wait()
            if not self._running or kind == self._kind:
                return
            self._free.clear()
