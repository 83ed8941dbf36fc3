"""Reads one draft, a streamed remote request, in the background while the local model works."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio

from app.decoding.pace import Pace
from app.decoding.stats import Clock
from app.remote.interface import DraftToken


class DraftStream:
    """One streamed remote request, buffered in the background so that the local model can work meanwhile."""

    def __init__(
        self, stream: AsyncGenerator[DraftToken, None], news: asyncio.Event, pace: Pace, clock: Clock
    ) -> None:
        """`news` is set whenever a draft token arrives, and when the request ends. `pace` learns how long
        that takes by the `clock`."""
        self.pending: deque[DraftToken] = deque()
        self.read = 0
        self.ended = False
        self._error: Exception | None = None
        self._news = news
        self._pace = pace
        self._clock = clock
        # anyio's cancellation and not the task's own: httpx shields its clean-up from the former only, and a
        # connection whose clean-up is interrupted stays in the pool for good.
        self._scope = anyio.CancelScope()
        self._task = asyncio.create_task(self._run(stream))

    async def _run(self, stream: AsyncGenerator[DraftToken, None]) -> None:
        last = self._clock()
        try:
            with self._scope:
                async with aclosing(stream) as positions:
                    async for position in positions:
                        last, before = self._clock(), last
                        (self._pace.went_on if self.read else self._pace.began)(last - before)
                        self.pending.append(position)
                        self.read += 1
                        self._news.set()
        except Exception as error:  # raised by check(), after the draft tokens that came before it
            self._error = error
        finally:
            self.ended = True
            self._news.set()

    def check(self) -> None:
        """Raise the error that ended the request, once all draft tokens before it have been consumed."""
        if not self.pending and self._error is not None:
            raise self._error

    async def close(self) -> None:
        """End the request; returns once its connection is closed, even when the caller is being cancelled."""
        self._scope.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])
