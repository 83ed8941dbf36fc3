"""The median and the quartiles of several figures."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Quartiles:
    """Of `count` figures a quarter is below `q1`, half below `median`, and a quarter above `q3`."""

    q1: float
    median: float
    q3: float
    count: int


def quartiles(figures: Iterable[float | None]) -> Quartiles | None:
    """Quartiles of the figures that are not None; None if there are none. One alone is all three."""
    known = [figure for figure in figures if figure is not None]
    if not known:
        return None
    if len(known) == 1:
        return Quartiles(known[0], known[0], known[0], 1)
    low, middle, high = statistics.quantiles(known, n=4, method="inclusive")
    return Quartiles(low, middle, high, len(known))
