"""What replies cost: counts and seconds, filled in while they are decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

# Seconds since an arbitrary moment; monotonic.
Clock = Callable[[], float]
Part = Literal["remote", "local", "steering"]
# Why a reply, or the rest of one, is not steered.
SPENT = "the budget is spent"
CALLED = "the remote calls a tool"
PARTS: tuple[Part, ...] = ("remote", "local", "steering")


@dataclass
class Stats:
    """What one reply cost, or several together.

    `seconds` were spent waiting for the remote, waiting for the local model, and choosing tokens.
    `local_seconds` is the duration of all local passes, also where the remote took longer and nobody waited
    for them. Of the tokens of all local prompts, `found` were in the KV cache and `prefilled` were computed.
    `resumed` counts remote requests that were retries after a failure. `unassisted` counts tokens that were
    to be steered and were not, because the local model failed or lagged behind: `mishap` says which.

    What the reply told: `nats` are the sum over positions of KL(steered || remote) over the candidates, what
    an observer who knows the remote and the rule learns on average. At `held` positions the guard kept back
    what steering would have chosen; `filled` values were written in on the device; `said` words of the
    private context were said first by the reply. `spent_at`: how many tokens there were when the budget ended
    the steering, the fewest of several replies; None where it did not.

    `called`: the remote called a tool, and wrote the rest by itself: `alone` of the tokens.
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
    nats: float = 0.0
    held: int = 0
    filled: int = 0
    said: int = 0
    spent_at: int | None = None
    called: bool = False
    alone: int = 0
    seconds: dict[Part, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))

    @property
    def spent(self) -> bool:
        """Whether the budget has ended the steering."""
        return self.spent_at is not None

    @property
    def acceptance(self) -> float:
        """The share of emitted tokens that are the remote's draft tokens."""
        return 1.0 - self.changed / self.tokens if self.tokens else 1.0

    @contextmanager
    def spending(self, part: Part) -> Iterator[None]:
        """Count the time within this block as spent on `part`, also when it raises."""
        started = self.clock()
        try:
            yield
        finally:
            self.seconds[part] += self.clock() - started


def together(several: Iterable[Stats]) -> Stats:
    """The sums over replies. Concurrent replies wait at the same time, so their seconds overlap."""
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
        total.nats += stats.nats
        total.held += stats.held
        total.filled += stats.filled
        total.said += stats.said
        ends = (one.spent_at for one in (total, stats) if one.spent_at is not None)
        total.spent_at = min(ends, default=None)
        total.called = total.called or stats.called
        total.alone += stats.alone
        for part in PARTS:
            total.seconds[part] += stats.seconds[part]
    return total
