"""Opens spare connections before they are needed: draft and verify closes one at each rejected token."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio

from app.errors import CoSteerError
from app.network.outgoing import IDLE_SECONDS, Answer

# One is enough where a draft lasts longer than the handshakes; two where some are rejected at once.
SPARES = 2
# A spare is replaced before it is too old to be used, so that there is one meanwhile.
REPLACED_SECONDS = IDLE_SECONDS - 1
# Backoff after a failure, so that a remote that refuses them is not asked at every token.
PAUSE_SECONDS = 30.0


class Spares:
    """Opens spare connections in the background, only while drafts stream.

    Each is held by a response that has arrived and is not read to its end: until `release` reads it, the pool
    gives the connection to no request. So none is opened twice, and none is busy when it is needed.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[Answer]], count: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`ask` sends a small request; with `count` 0 no spare is kept."""
        self._ask = ask
        self._count = count
        self._clock = clock
        self._held: deque[tuple[float, Answer]] = deque()  # since when, oldest first
        self._opening: dict[asyncio.Task[None], anyio.CancelScope] = {}
        self._not_before = 0.0

    @property
    def ready(self) -> int:
        """How many spares are held."""
        return len(self._held)

    def keep(self) -> None:
        """Call while a draft streams: starts to replace used and ageing spares. Returns at once."""
        now = self._clock()
        if now < self._not_before:
            return
        young = sum(now - since < REPLACED_SECONDS for since, _ in self._held)
        for _ in range(self._count - young - len(self._opening)):
            scope = anyio.CancelScope()
            task = asyncio.create_task(self._open(scope))
            self._opening[task] = scope
            task.add_done_callback(self._opening.pop)

    async def release(self) -> None:
        """Return a spare to the pool for the next request, if one is ready. Waits for nothing."""
        await self._drop_old()
        if self._held:
            _, answer = self._held.popleft()
            with suppress(CoSteerError):  # then the request opens its own
                await answer.read()

    async def aclose(self) -> None:
        self._count = 0
        tasks = list(self._opening)
        for scope in self._opening.values():
            scope.cancel()  # not task.cancel(): see decoding/draft.py
        if tasks:
            await asyncio.wait(tasks)
        while self._held:
            await self._held.popleft()[1].aclose()

    async def _open(self, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                answer = await self._ask()
            except CoSteerError:
                self._not_before = self._clock() + PAUSE_SECONDS
                return
            self._held.append((self._clock(), answer))
            await self._drop_old()

    async def _drop_old(self) -> None:
        while self._held and self._clock() - self._held[0][0] > IDLE_SECONDS:
            await self._held.popleft()[1].aclose()
