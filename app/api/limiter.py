"""Limits concurrency: more requests queue first in, first out, up to a bound."""

from __future__ import annotations

import asyncio
from collections import deque

from app.errors import TooManyRequests

# Seconds. Replies take that long, so a client that retries then is likely to find a place.
RETRY_AFTER = 5.0


class ConcurrencyLimiter:
    """For one event loop. Every place that is taken must be freed with `leave`."""

    def __init__(self, running: int, waiting: int) -> None:
        self.running = 0
        self._places, self._seats = running, waiting
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def take_free(self) -> bool:
        """Takes a place if one is free; returns whether it did."""
        # While requests wait no place is free: `leave` hands a place on at once.
        if self.running >= self._places:
            return False
        self.running += 1
        return True

    async def take(self) -> None:
        """Takes a place, waiting first in, first out. Raises TooManyRequests if the queue is full.

        A task that is cancelled while it waits leaves the queue.
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
            elif not turn.cancelled():  # it got a place at the same moment
                self.leave()
            raise

    def leave(self) -> None:
        """Frees the place, and hands it on to the next in the queue."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1
