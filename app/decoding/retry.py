"""Retries a remote that fails in the middle of a reply, from the tokens that it has drafted so far."""

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
    """How long a failing remote is retried: for `seconds` without a new token; 0 means no retry.

    Exponential backoff: it waits `first_wait` seconds before the first retry, then twice as long each time,
    up to `longest_wait`; longer where the remote's Retry-After says so.
    """

    seconds: float = 0.0
    first_wait: float = 0.2
    longest_wait: float = 4.0


class RetryingRemote:
    """Drafts for one reply. Once the remote has drafted anything, a failed request is retried from there: at
    once where another remote can go on.

    Before that the failure is raised: the client has seen nothing yet, and knows best whether to wait.
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
        """See RemoteModel. A retry sends the prompt followed by the tokens that the remote has drafted.

        Raises what the remote raises, once the retry policy's time is up or where a retry cannot help.
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
                    return  # all is drafted; only the end of the response is missing
                failing_since = failing_since if failures else self._stats.clock()
                wait = 0.0 if error.elsewhere else self._wait(error, failures)
                over = self._stats.clock() + wait - failing_since > self._patience.seconds
                over = over and not error.elsewhere
                if over or not self._may_resume(error, sampling, drafted):
                    raise
            failures += 1
            self._stats.resumed += 1
            self._stats.remote_requests += 1
            if wait:
                await self._sleep(wait)

    def _may_resume(self, error: RemoteError, sampling: SamplingParams, drafted: Sequence[int]) -> bool:
        # These two penalties count generated tokens only, and in a retry those are part of the prompt.
        counting = bool(sampling.presence_penalty or sampling.frequency_penalty) and bool(drafted)
        passing = isinstance(error, RateLimited | RemoteUnavailable | RemoteTimeout)
        return self._begun and not counting and (passing or error.code == RemoteError.code)

    def _wait(self, error: RemoteError, failures: int) -> float:
        patience = self._patience
        wait = min(patience.first_wait * 2.0**failures, patience.longest_wait)
        # Jitter: many replies that were cut off at once do not retry at the same moment.
        return max(wait * random.uniform(0.5, 1.0), error.retry_after or 0.0)


def _going_on(sampling: SamplingParams, count: int) -> SamplingParams:
    """Another seed after `count` tokens: with the same one the remote would repeat its random numbers."""
    if sampling.seed is None or count == 0:
        return sampling
    return replace(sampling, seed=(sampling.seed + count * 0x9E3779B97F4A7C15) % 2**63)
