"""A reply's remote that outlives failures: what has been drafted is not lost, the rest is asked for again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from app.decoding.stats import Stats
from app.errors import RateLimited, RemoteError, RemoteTimeout, RemoteUnavailable
from app.remote.interface import DraftToken, RemoteModel
from app.steering.sampling import SamplingParams

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class RetryPolicy:
    """How long a failing remote is asked again: `seconds` without a new token; 0 is not at all.

    Between two requests it waits `first_wait` seconds, then twice as many, up to `longest_wait`; longer where
    the remote says so.
    """

    seconds: float = 0.0
    first_wait: float = 0.2
    longest_wait: float = 4.0


class RetryingRemote:
    """The drafts of one reply. Once the remote has drafted anything, a failure is asked again from there.

    Before that it is raised: the client has seen nothing yet, and knows best whether to wait.
    """

    def __init__(
        self, remote: RemoteModel, patience: RetryPolicy, stats: Stats, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._remote = remote
        self._patience = patience
        self._stats = stats
        self._sleep = sleep
        self._begun = False

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        """As RemoteModel's. What is asked for again is the prompt with the remote's own tokens after it.

        Raises what the remote raises, once it is beyond patience or beyond repair.
        """
        drafted: list[int] = []
        ended = False
        failures, failing_since = 0, 0.0
        while True:
            stream = self._remote.draft(
                [*prompt, *drafted],
                sampling=_going_on(sampling, len(drafted)),
                top_logprobs=top_logprobs,
                max_tokens=max_tokens - len(drafted),
            )
            try:
                async with aclosing(stream) as positions:
                    async for position in positions:
                        self._begun, failures, ended = True, 0, position.ends
                        drafted.append(position.token_id)
                        yield position
                return
            except RemoteError as error:
                if ended or len(drafted) >= max_tokens:
                    return  # nothing is missing but the end of the answer
                failing_since = failing_since if failures else self._stats.clock()
                wait = self._wait(error, failures)
                over = self._stats.clock() + wait - failing_since > self._patience.seconds
                if over or not self._may_resume(error, sampling, drafted):
                    raise
            failures += 1
            self._stats.resumed += 1
            self._stats.remote_requests += 1
            await self._sleep(wait)

    def _may_resume(self, error: RemoteError, sampling: SamplingParams, drafted: Sequence[int]) -> bool:
        # These two count the reply's own tokens, which after a new beginning are the prompt's.
        counting = bool(sampling.presence_penalty or sampling.frequency_penalty) and bool(drafted)
        passing = isinstance(error, RateLimited | RemoteUnavailable | RemoteTimeout)
        return self._begun and not counting and (passing or error.code == RemoteError.code)

    def _wait(self, error: RemoteError, failures: int) -> float:
        patience = self._patience
        wait = min(patience.first_wait * 2.0**failures, patience.longest_wait)
        # Not all at the same moment, when many replies were cut off at once.
        return max(wait * random.uniform(0.5, 1.0), error.retry_after or 0.0)


def _going_on(sampling: SamplingParams, count: int) -> SamplingParams:
    """Other random numbers after `count` tokens: with the same the remote would draw what it drew first."""
    if sampling.seed is None or count == 0:
        return sampling
    return replace(sampling, seed=(sampling.seed + count * 0x9E3779B97F4A7C15) % 2**63)
