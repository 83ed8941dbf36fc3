"""What the server did in each minute of the last hour: numbers, of nobody by name."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from app.decoding.stats import Stats

MINUTES = 60
SECONDS = 60  # of a minute
# Replies of a minute whose first tokens are remembered, the last ones.
TIMED = 256


@dataclass
class Minute:
    """The numbers of a minute, or of several together. A reply counts where it ends.

    Of the tokens of `steered` replies `kept` are the remote's own and `changed` are not. `writing` are the
    seconds from the first tokens of replies to their ends, and `written` the tokens behind those first ones.
    """

    replies: int = 0
    steered: int = 0
    tokens: int = 0
    kept: int = 0
    changed: int = 0
    drafted: int = 0
    errors: int = 0
    written: int = 0
    writing: float = 0.0
    first_tokens: deque[float] = field(default_factory=lambda: deque(maxlen=TIMED))

    @property
    def acceptance(self) -> float | None:
        """The share of the tokens of steered replies that are the remote's own."""
        emitted = self.kept + self.changed
        return self.kept / emitted if emitted else None

    @property
    def tokens_per_second(self) -> float | None:
        """Of one reply, after its first token: the mean over the tokens."""
        return self.written / self.writing if self.written and self.writing else None

    @property
    def first_token(self) -> float | None:
        """The median of the seconds from requests to first tokens."""
        return statistics.median(self.first_tokens) if self.first_tokens else None


class Activity:
    """The numbers of the last MINUTES minutes. `clock` is monotonic and places them, so that setting the time
    moves nothing; `wall` gives Unix seconds, and names them."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall = wall
        # Minutes begin where those of the wall clock do.
        self._origin = clock() - wall() % SECONDS
        self._minutes: deque[tuple[int, Minute]] = deque([(0, Minute())], maxlen=MINUTES)

    def replied(self, stats: Stats, first_token: float | None, seconds: float, *, steered: bool) -> None:
        """Counts a reply of so many `seconds`, of which the first token took `first_token`."""
        minute = self._now()
        minute.replies += 1
        minute.tokens += stats.tokens
        if steered:
            minute.steered += 1
            minute.kept += max(0, stats.tokens - stats.changed)
            minute.changed += stats.changed
            minute.drafted += stats.drafted
        if first_token is not None:
            minute.first_tokens.append(first_token)
            minute.written += max(0, stats.tokens - 1)
            minute.writing += max(0.0, seconds - first_token)

    def failed(self) -> None:
        """Counts a reply or a request that failed."""
        self._now().errors += 1

    def minutes(self) -> list[tuple[int, Minute]]:
        """The minutes, the oldest first, each with when it began, in Unix seconds."""
        self._now()
        last, into = divmod(self._clock() - self._origin, SECONDS)
        began = self._wall() - into
        return [(round(began - SECONDS * (last - number)), minute) for number, minute in self._minutes]

    def _now(self) -> Minute:
        """The current minute; those that passed without a word are there too."""
        number = math.floor((self._clock() - self._origin) / SECONDS)
        newest = self._minutes[-1][0]
        for passed in range(max(newest, number - MINUTES) + 1, number + 1):
            self._minutes.append((passed, Minute()))
        return self._minutes[-1][1]


def together(minutes: Iterable[Minute]) -> Minute:
    """The sums over minutes, and the medians over all their replies."""
    total = Minute(first_tokens=deque(maxlen=TIMED * MINUTES))
    for minute in minutes:
        total.replies += minute.replies
        total.steered += minute.steered
        total.tokens += minute.tokens
        total.kept += minute.kept
        total.changed += minute.changed
        total.drafted += minute.drafted
        total.errors += minute.errors
        total.written += minute.written
        total.writing += minute.writing
        total.first_tokens.extend(minute.first_tokens)
    return total
