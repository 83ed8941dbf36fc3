"""A clock that sleeping moves, and nothing else."""

from __future__ import annotations

import asyncio


class SleptTime:
    """Seconds that have been slept."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)
