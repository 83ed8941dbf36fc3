"""One examination at a time for all who ask: they share its findings, and those of the one just before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext

from app.doctor.check import Check, Finding
from app.doctor.examination import examine

# Seconds for which the findings of an examination are given again.
KEPT_SECONDS = 5.0
# Makes the checks of an examination; what they use is closed with the stack.
Checks = Callable[[AsyncExitStack], Sequence[Check]]


class SharedExamination:
    """Findings for any number of callers. An examination runs to its end, whoever leaves: one that stopped
    would leave threads behind, and asking and leaving would start more and more of them."""

    def __init__(
        self,
        checks: Checks,
        clock: Callable[[], float] = time.monotonic,
        turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        """`turn` is what an examination waits for: one of several servers examines at a time."""
        self._checks = checks
        self._clock = clock
        self._turn = turn
        self._last: _Examination | None = None

    async def findings(self) -> AsyncGenerator[Finding, None]:
        """The findings of the examination that runs, or has ended less than KEPT_SECONDS ago, else of a new
        one; each as soon as it is there."""
        last = self._last
        if last is None or (last.ended is not None and self._clock() - last.ended > KEPT_SECONDS):
            last = self._last = _Examination(self._checks, self._clock, self._turn)
        async for finding in last.findings():
            yield finding

    async def aclose(self) -> None:
        """Ends the examination that runs."""
        if self._last is not None:
            await self._last.cancel()


class _Examination:
    """One examination, as a background task. `ended`: when, by the clock; None while it runs."""

    def __init__(
        self,
        checks: Checks,
        clock: Callable[[], float],
        turn: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        self.ended: float | None = None
        self._clock = clock
        self._found: list[Finding] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._run(checks, turn))

    async def findings(self) -> AsyncGenerator[Finding, None]:
        given = 0
        while True:
            news = self._news
            while given < len(self._found):
                yield self._found[given]
                given += 1
            if self.ended is not None:
                break
            await news.wait()
        await asyncio.wait([self._task])
        self._task.result()  # raises what stopped it

    async def cancel(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, checks: Checks, turn: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        try:
            async with turn(), AsyncExitStack() as stack:
                async for finding in examine(checks(stack)):
                    self._found.append(finding)
                    self._tell()
        finally:
            self.ended = self._clock()
            self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
