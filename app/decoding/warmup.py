"""Warms profiles up: the prefix of their prompts is in the KV cache before the first request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from app.profiles.profile import Profile

AT_START = 8  # profiles; each takes seconds on a slow CPU, and memory


class Warmer:
    """Warms one profile after the other in the background. It only saves time, so failures are ignored."""

    def __init__(self, read: Callable[[str], Profile], warm: Callable[[Profile], Awaitable[None]]) -> None:
        """`read` gets a profile by its id and may block; `warm` prefills the prefix of its prompts."""
        self._read = read
        self._warm = warm
        self._waiting: asyncio.Queue[str] = asyncio.Queue()

    def soon(self, profile_id: str) -> None:
        """Queue this profile to be warmed: it is new, or has changed."""
        self._waiting.put_nowait(profile_id)

    @asynccontextmanager
    async def running(self, profiles: Iterable[Profile]) -> AsyncIterator[None]:
        """Warm queued profiles within this block: first the default one of `profiles`, then some more."""
        for profile in sorted(profiles, key=lambda profile: not profile.is_default)[:AT_START]:
            self.soon(profile.id)
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            profile_id = await self._waiting.get()
            with suppress(Exception):  # deleted since, or too long to steer by; the next one is warmed
                await self._warm(await asyncio.to_thread(self._read, profile_id))
            self._waiting.task_done()

    async def idle(self) -> None:
        """Wait until nothing is left to warm."""
        await self._waiting.join()
