"""Where the right candidate stands among all by their scores, and how often it would win among fewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb


@dataclass(frozen=True)
class Place:
    """How many other candidates have a greater score than the right one, the same, and a smaller one."""

    above: int
    equal: int
    below: int

    @property
    def rank(self) -> float:
        """From 1; among candidates with the same score their mean one."""
        return 1 + self.above + self.equal / 2

    def first_among(self, count: int) -> float:
        """The probability that the right one is taken for the best of `count` candidates: of itself and of
        others that are drawn without replacement. Of equally good ones each is taken as often.

        It is exact: the number of winning draws, of those that have no candidate above it, divided by that of
        all draws (hypergeometric).
        """
        others = count - 1
        won = sum(
            comb(self.equal, ties) * comb(self.below, others - ties) / (ties + 1)
            for ties in range(min(self.equal, others) + 1)
        )
        return won / comb(self.above + self.equal + self.below, others)


def place(right: float, others: Sequence[float]) -> Place:
    """Where a score stands among the `others`."""
    above, below = (sum(sign * (one - right) > 0 for one in others) for sign in (1, -1))
    return Place(above, len(others) - above - below, below)
