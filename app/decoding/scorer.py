"""Scores draft tokens with the local model, in the background while the remote drafts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.decoding.stats import Stats
from app.local.interface import LocalLogprobs, LocalSession, Wanted


class LocalScorer:
    """The local model's log-probabilities at a reply's next positions, and the pass that computes more."""

    def __init__(self, session: LocalSession, stats: Stats, news: asyncio.Event) -> None:
        """`news` is set whenever a pass has ended."""
        self._session = session
        self._stats = stats
        self._news = news
        self._scored: list[LocalLogprobs] = []
        self._first = 0
        self._pass: asyncio.Task[list[LocalLogprobs]] | None = None
        self._pass_first = 0
        self._began = 0.0
        self.started = False  # a first pass, which reads the prompts
        self.ended = 0  # passes that have ended well

    @property
    def running(self) -> bool:
        """Whether a pass is under way."""
        return self._pass is not None

    def at(self, position: int) -> LocalLogprobs | None:
        """The log-probabilities at a position, None if not computed yet. Raises what the pass raised."""
        if self._pass is not None and self._pass.done():
            self._collect(self._pass)
        index = position - self._first
        return self._scored[index] if 0 <= index < len(self._scored) else None

    def start(self, generated: Sequence[int], drafted: Sequence[int], wanted: Wanted) -> None:
        """Start a pass that scores the position after `generated` and those after each `drafted` token, as
        far as the session scores them by what is `wanted` of them."""
        self._pass_first = len(generated)
        self._began = self._stats.clock()
        self.started = True
        self._pass = asyncio.create_task(self._session.score([*generated, *drafted], len(generated), wanted))
        self._pass.add_done_callback(self._ended)
        self._stats.local_passes += 1

    def diverged(self, position: int) -> None:
        """The token emitted at `position` is not the one assumed: discard what was scored after it."""
        del self._scored[max(0, position - self._first + 1) :]
        if self._pass is not None:
            self.stop()

    def stop(self) -> None:
        """Cancel the pass that is under way, if any, and discard its result."""
        if self._pass is not None:
            self._pass.cancel()
            self._pass = None

    def _ended(self, ended: asyncio.Task[list[LocalLogprobs]]) -> None:
        if not ended.cancelled():
            ended.exception()  # marked as seen, for asyncio; at() raises it if the pass is still wanted
        self._news.set()

    def _collect(self, ended: asyncio.Task[list[LocalLogprobs]]) -> None:
        self._pass = None
        self._scored, self._first = ended.result(), self._pass_first
        self.ended += 1
        self._stats.local_seconds += self._stats.clock() - self._began
        self._stats.found = self._session.found
        self._stats.prefilled = self._session.prompt_tokens - self._session.found
