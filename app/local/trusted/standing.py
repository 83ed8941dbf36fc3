"""Whether the server of the small model has proved to be the one that is meant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextvars import Context

import anyio

from app.errors import TrustedTimeout

Clock = Callable[[], float]
# Seconds in which no vLLM starts anew. After more of them without an answer it may be another one.
QUIET_SECONDS = 5.0
# Seconds that a reply waits for a server that was silent when it was asked last.
LEASH_SECONDS = 1.0


class Standing:
    """What is known of the server. Its proof holds until it fails or is silent for a while.

    One proof is under way at a time, for all who ask; it goes on where they are cancelled. Close it with
    `aclose`.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._proved = False
        self._heard = 0.0
        self.silent = False  # it took long to fail, and has not proved itself since
        self._proof: asyncio.Task[None] | None = None
        self._scope = anyio.CancelScope()

    async def aclose(self) -> None:
        if self._proof is not None and not self._proof.done():
            self._scope.cancel()  # not task.cancel(): see decoding/draft.py
            await asyncio.wait([self._proof])

    @property
    def proved(self) -> bool:
        """Whether it is the server that was compared."""
        return self._proved and self._clock() - self._heard <= QUIET_SECONDS

    async def prove(self, compare: Callable[[], Coroutine[None, None, None]]) -> None:
        """Returns once it is proved, by `compare` if need be. Raises what that raises, and TrustedTimeout
        where one that was silent does not answer soon: nobody waits long for it again."""
        if self.proved:
            return
        if self._proof is None or self._proof.done():
            self._proof = self._begun(compare)
        proof = self._proof
        done, _ = await asyncio.wait([proof], timeout=LEASH_SECONDS if self.silent else None)
        if not done:
            raise TrustedTimeout("The server of the small model is silent, and is asked again. Restart it.")
        proof.result()

    def answered(self) -> None:
        """It has answered. After a silence that proves nothing: the answer may be another server's."""
        if self.proved:
            self._heard = self._clock()

    def fail(self, began: float, *, slow: bool) -> None:
        """A request that `began` then, by the clock, has failed: what answers next may be another server. It
        was silent where the failure is one that may be `slow`, and was."""
        self._proved = False
        self.silent = self.silent or (slow and self.now() - began > LEASH_SECONDS)

    def now(self) -> float:
        """Seconds, by the clock."""
        return self._clock()

    def _begun(self, compare: Callable[[], Coroutine[None, None, None]]) -> asyncio.Task[None]:
        """In the background, and in no reply's context."""
        scope = self._scope = anyio.CancelScope()

        async def run() -> None:
            with scope:
                await compare()
                self._proved, self._heard, self.silent = True, self._clock(), False
                return
            raise asyncio.CancelledError

        task = asyncio.create_task(run(), context=Context())
        task.add_done_callback(_seen)
        return task


def _seen(task: asyncio.Task[None]) -> None:
    """Its error is those who wait for it to raise; nobody may."""
    if not task.cancelled():
        task.exception()
