"""Ratios of sums over cases, means among them, with confidence intervals by the bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
OUTSIDE = (2.5, 97.5)  # percentiles


@dataclass(frozen=True)
class Interval:
    """A figure, and the bounds between which it lies at 95%."""

    value: float
    low: float
    high: float


def ratio(over: npt.ArrayLike, under: npt.ArrayLike, *, seed: int = 0) -> Interval:
    """Sum of `over` by sum of `under`, one of each a case. Of the cases so many are drawn with replacement,
    `RESAMPLES` times; the interval is where the middle 95% of these ratios lie (percentile bootstrap, Efron
    1979). Two rules that are compared on the same cases are drawn together, so that what makes a case hard
    for both does not count.
    """
    above, below = np.asarray(over, np.float64), np.asarray(under, np.float64)
    draws = np.random.default_rng(seed).integers(len(above), size=(RESAMPLES, len(above)))
    low, high = np.percentile(above[draws].sum(axis=1) / below[draws].sum(axis=1), OUTSIDE)
    return Interval(float(above.sum() / below.sum()), float(low), float(high))
