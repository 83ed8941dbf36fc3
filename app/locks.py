"""Turns that processes of this machine take one after another, by a lock file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import FileLock, Timeout

# Seconds between two looks whether the lock is free.
LOOK_SECONDS = 0.05


class FileTurn:
    """A turn that no other process has at the same time; it ends with the process at the latest."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path, timeout=0, mode=0o600)

    async def acquire(self) -> None:
        """Waits for the turn. Raises OSError where the file cannot be made."""
        while True:
            try:
                self._lock.acquire()
            except Timeout:
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return

    def release(self) -> None:
        """Ends the turn; on the thread that has acquired it."""
        self._lock.release()

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """The turn, for a block."""
        await self.acquire()
        try:
            yield
        finally:
            self.release()
