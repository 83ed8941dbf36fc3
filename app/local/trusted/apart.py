"""Keeps two kinds of requests apart once that is needed: those of one kind run together, others wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Apart:
    """Turns for kinds of requests. Whoever waits is let in before more of the kind that runs.

    Until it is `needed` all run together; they are counted from the first on, so that those which run by
    then are waited for.
    """

    def __init__(self) -> None:
        self.needed = False
        self._running: Counter[str] = Counter()
        self._waiting = 0
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def turn(self, kind: str) -> AsyncIterator[None]:
        """A turn of this kind; once that is needed, none of another kind runs meanwhile."""
        if self.needed and self._running.total() and (self._waiting or self._others(kind)):
            self._waiting += 1
            try:
                await self._alone(kind)
            finally:
                self._waiting -= 1
        self._running[kind] += 1
        try:
            yield
        finally:
            self._running[kind] -= 1
            if not self._running[kind]:
                self._ended.set()

    def _others(self, kind: str) -> int:
        return self._running.total() - self._running[kind]

    async def _alone(self, kind: str) -> None:
        while True:
            self._ended.clear()
            await self._ended.wait()
            if not self._others(kind):
                return
