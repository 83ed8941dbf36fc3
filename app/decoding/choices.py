"""The choices of one answer: replies to the same request, written at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from app.decoding.reply import Piece, Reply
from app.decoding.stats import Clock, Stats, together
from app.steering.strength import Strength
from app.tokenization.vocabulary import Vocabulary


class Choices:
    """`replies` to the same request. The prompt is theirs together; everything else is each one's own."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies = tuple(replies)
        self.first_token: float | None = None  # when it came, by the clock

    @property
    def vocabulary(self) -> Vocabulary:
        return self.replies[0].vocabulary

    @property
    def clock(self) -> Clock:
        return self.replies[0].stats.clock

    @property
    def strength(self) -> Strength:
        """What steers them: 0 when nothing does."""
        request = self.replies[0].request
        return request.strength if request.steered else 0.0

    @property
    def unsteered(self) -> str | None:
        """Why nothing steers them; None when something does."""
        return self.replies[0].unsteered

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the public prompt, once."""
        return self.replies[0].prompt_tokens

    @property
    def stats(self) -> Stats:
        """What all of them cost so far."""
        return together(reply.stats for reply in self.replies)

    def _came(self) -> None:
        if self.first_token is None:
            self.first_token = self.clock()

    async def pieces(self) -> AsyncGenerator[tuple[int, Piece], None]:
        """Every reply's pieces as they come, each with the reply's index. The first error ends all.

        Closing the iterator frees the remote and the local model.
        """
        # anyio cancels a task that waits. One that is woken each time before it looks, by others in step with
        # it, would never be seen waiting: hence the checkpoints.
        if len(self.replies) == 1:
            async with aclosing(self.replies[0].pieces()) as pieces:
                async for piece in pieces:
                    await checkpoint_if_cancelled()
                    self._came()
                    yield 0, piece
            return
        # Of one place, so that a client that reads slowly holds back the writing, as it does with one reply.
        arrived: asyncio.Queue[tuple[int, Piece] | Exception] = asyncio.Queue(1)
        writing = [_Writing(index, reply, arrived) for index, reply in enumerate(self.replies)]
        try:
            unfinished = len(writing)
            while unfinished:
                arrival = await arrived.get()
                await checkpoint_if_cancelled()
                if isinstance(arrival, Exception):
                    raise arrival
                self._came()
                unfinished -= arrival[1].finish_reason is not None
                yield arrival
        finally:
            for one in writing:
                one.scope.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([one.task for one in writing])


class _Writing:
    """One of several replies, written in the background."""

    def __init__(
        self, index: int, reply: Reply, arrived: asyncio.Queue[tuple[int, Piece] | Exception]
    ) -> None:
        # anyio's cancellation and not the task's own, for the reason that draft.py gives.
        self.scope = anyio.CancelScope()
        self.task = asyncio.create_task(self._run(index, reply, arrived))

    async def _run(
        self, index: int, reply: Reply, arrived: asyncio.Queue[tuple[int, Piece] | Exception]
    ) -> None:
        with self.scope:
            try:
                async with aclosing(reply.pieces()) as pieces:
                    async for piece in pieces:
                        await checkpoint_if_cancelled()
                        await arrived.put((index, piece))
            except Exception as error:  # handed on by Choices.pieces(), in its place
                await arrived.put(error)
