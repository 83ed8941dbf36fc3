"""Limits concurrency: more requests queue first in, first out, up to a bound."""

from __future__ import annotations

import asyncio
from collections import deque

from app.errors import TooManyRequests

# Replies take seconds, so that one who comes back then is likely to find a place.
RETRY_AFTER = 5.0


class ConcurrencyLimiter:
    """For one event loop. Whoever takes a place has to leave it."""

    def __init__(self, running: int, waiting: int) -> None:
        self.running = 0
        self._places, self._seats = running, waiting
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def take_free(self) -> bool:
        """Take a place if that needs no waiting; says whether."""
        # Where somebody waits there is no free place: one that is left is handed on at once.
        if self.running >= self._places:
            return False
        self.running += 1
        return True

    async def take(self) -> None:
        """Take a place, in turn. Raises TooManyRequests when too many wait already.

        One that stops waiting (its task is cancelled) loses its turn and holds up nobody.
        """
        if self.take_free():
            return
        if len(self._queue) >= self._seats:
            raise TooManyRequests(
                f"{self.running} requests are being answered and {len(self._queue)} wait, as many as this "
                "proxy takes. Ask again in a while.",
                retry_after=RETRY_AFTER,
            )
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._queue:
                self._queue.remove(turn)
            elif not turn.cancelled():  # its turn came at the same moment
                self.leave()
            raise

    def leave(self) -> None:
        """Hand the place on to the next who waits."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1
