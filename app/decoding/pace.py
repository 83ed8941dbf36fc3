"""How fast the remote drafts, and so how many draft tokens to ask it for."""

from __future__ import annotations

import math

# The share of a reply's time that may be lost to drafts that end before they are rejected.
WORTH = 0.002
# The same share where drafts are kept short, since what is drafted in vain takes from the local model.
DEAR = 0.05
FEWEST = 4  # draft tokens of a request; each request has a cost of its own for the remote


class Pace:
    """Mean seconds from a request to its first draft token, and from one draft token to the next."""

    def __init__(self) -> None:
        self._waits, self._waited = 0, 0.0
        self._gaps, self._passed = 0, 0.0
        self._least = math.inf

    @property
    def again(self) -> float:
        """The least to the first draft token of a request but the first one, for which the remote reads the
        whole prompt in any case; 0 before there is one."""
        return self._least if self._waits > 1 else 0.0

    @property
    def wait(self) -> float:
        """To the first draft token; 0 before any has arrived."""
        return self._waited / max(self._waits, 1)

    @property
    def gap(self) -> float | None:
        """Between draft tokens; None before two have arrived."""
        return self._passed / self._gaps if self._gaps else None

    def began(self, seconds: float) -> None:
        """The first draft token of a request took so long."""
        self._least = min(self._least, seconds) if self._waits else math.inf
        self._waits, self._waited = self._waits + 1, self._waited + seconds

    def went_on(self, seconds: float) -> None:
        """The next one took so long."""
        self._gaps, self._passed = self._gaps + 1, self._passed + seconds


def draft_length(longest: int, acceptance: float, wait: float, run: float) -> int:
    """How many draft tokens to ask a remote for that drafts faster than they are scored, at most `longest`.

    What it drafts after a rejected token is in vain, and others may share it. A draft of n tokens is used up
    with a probability of `acceptance` ** n, and then costs one more `wait`; a request and its draft up to the
    rejected token take `run` seconds. The draft is as short as that costs hardly any time.
    """
    if not 0.0 < acceptance < 1.0 or wait <= 0.0 or run <= 0.0:
        return longest
    enough = math.log(WORTH * run / wait) / math.log(acceptance)
    return min(longest, max(FEWEST, math.ceil(enough)))


def long_enough(short: int, longest: int, acceptance: float, wait: float, run: float) -> int:
    """How many draft tokens to ask a remote for whose drafts are kept `short`: more, at most `longest`, where
    asking again is so dear that drafts which end before they are rejected would cost more than DEAR of the
    time. See draft_length; but `wait` is what a first draft token takes longer than any other."""
    if not 0.0 < acceptance < 1.0 or wait <= 0.0 or run <= 0.0:
        return short
    enough = math.log(min(1.0, DEAR * run / wait)) / math.log(acceptance)
    return max(short, min(longest, math.ceil(enough)))
