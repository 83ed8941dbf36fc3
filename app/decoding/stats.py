"""What replies cost: counts and seconds, filled in while they are decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

# Seconds from any beginning; never runs backwards.
Clock = Callable[[], float]
Part = Literal["remote", "local", "steering"]
PARTS: tuple[Part, ...] = ("remote", "local", "steering")


@dataclass
class Stats:
    """What one reply cost, or several together.

    `seconds` were spent waiting for the remote, waiting for the local model, and choosing tokens. Local
    passes took `local_seconds`, also where the remote took longer and nobody waited for them. Of the tokens
    of both local prompts, so many were `found` in the KV cache and the others `prefilled`. `resumed` counts
    the remote requests that went on after a failure. `unassisted` tokens were to be steered and were not,
    since the local model failed or lagged behind: `mishap` says which.
    """

    clock: Clock = time.perf_counter
    tokens: int = 0
    changed: int = 0
    remote_requests: int = 0
    resumed: int = 0
    drafted: int = 0
    local_passes: int = 0
    unassisted: int = 0
    mishap: str | None = None
    local_seconds: float = 0.0
    found: int = 0
    prefilled: int = 0
    seconds: dict[Part, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))

    @property
    def acceptance(self) -> float:
        """The share of emitted tokens that were the remote's own draft."""
        return 1.0 - self.changed / self.tokens if self.tokens else 1.0

    @property
    def expected_acceptance(self) -> float:
        """What the share is likely to be: nine in ten, as is usual, until the reply itself tells."""
        return (self.tokens - self.changed + 9.0) / (self.tokens + 10.0)

    @contextmanager
    def spending(self, part: Part) -> Iterator[None]:
        """Counts the time within as spent on `part`, also when it ends in an error."""
        started = self.clock()
        try:
            yield
        finally:
            self.seconds[part] += self.clock() - started


def together(several: Iterable[Stats]) -> Stats:
    """The sums. Replies that are written at the same time wait at the same time, so their seconds overlap."""
    total = Stats()
    for stats in several:
        total.tokens += stats.tokens
        total.changed += stats.changed
        total.remote_requests += stats.remote_requests
        total.resumed += stats.resumed
        total.drafted += stats.drafted
        total.local_passes += stats.local_passes
        total.unassisted += stats.unassisted
        total.mishap = total.mishap or stats.mishap
        total.local_seconds += stats.local_seconds
        total.found += stats.found
        total.prefilled += stats.prefilled
        for part in PARTS:
            total.seconds[part] += stats.seconds[part]
    return total
