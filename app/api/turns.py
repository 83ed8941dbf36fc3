"""Turns of reading what was sent: each profile's come one after another, and wait for no other profile's."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from app.locks import FileTurn
from app.threads import in_thread

T = TypeVar("T")


class Turns:
    """The turns of all profiles."""

    def __init__(self, folder: Path | None = None) -> None:
        """With a `folder` they are those of all processes that have their turns in it."""
        self._folder = folder
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, profile_id: str) -> AsyncIterator[Turn]:
        """The profile's next turn, which ends with the block, or with what still runs in it."""
        lock = self._locks.setdefault(profile_id, asyncio.Lock())
        await lock.acquire()
        turn, release = Turn(), lock.release
        try:
            release = await self._among_processes(profile_id, lock.release)
            yield turn
        finally:
            turn.end(release)

    async def _among_processes(self, profile_id: str, release: Callable[[], None]) -> Callable[[], None]:
        """Waits for the profile's turn among processes; what then ends it, `release` included."""
        if self._folder is None:
            return release
        # An id is no name of a file everywhere.
        turn = FileTurn(self._folder / f"{hashlib.sha256(profile_id.encode()).hexdigest()}.turn")
        await turn.acquire()

        def both() -> None:
            turn.release()
            release()

        return both


class Turn:
    """One turn."""

    def __init__(self) -> None:
        self._running: asyncio.Future[Any] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Runs `work` in a thread that delays neither a client that leaves nor the server's exit. No thread
        can be stopped: what runs on has the turn until it ends, so that a profile has one thread at most."""
        running = asyncio.ensure_future(in_thread(work))
        self._running = running
        return await asyncio.shield(running)

    def end(self, release: Callable[[], None]) -> None:
        if self._running is None or self._running.done():
            release()
        else:
            self._running.add_done_callback(lambda _: release())
