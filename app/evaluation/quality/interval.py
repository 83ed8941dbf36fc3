"""Ratios of sums over cases, such as means, and shares, with confidence intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
OUTSIDE = (2.5, 97.5)  # percentiles
NORMAL = 1.959964  # standard deviations on each side that hold 95% of a normal distribution


@dataclass(frozen=True)
class Interval:
    """A figure and the bounds of its 95% confidence interval."""

    value: float
    low: float
    high: float


def ratio(over: npt.ArrayLike, under: npt.ArrayLike, *, seed: int = 0) -> Interval:
    """Sum of `over` divided by sum of `under`, which have one value per case. The cases are resampled with
    replacement `RESAMPLES` times; the interval is the middle 95% of the resampled ratios (percentile
    bootstrap, Efron 1979). Rules that are compared on the same cases are resampled together (paired), so that
    a case which is hard for both does not widen the interval.
    """
    above, below = np.asarray(over, np.float64), np.asarray(under, np.float64)
    draws = np.random.default_rng(seed).integers(len(above), size=(RESAMPLES, len(above)))
    low, high = np.percentile(above[draws].sum(axis=1) / below[draws].sum(axis=1), OUTSIDE)
    return Interval(float(above.sum() / below.sum()), float(low), float(high))


def wilson(successes: float, of: int) -> Interval:
    """The share of successes, with Wilson's score interval (Wilson 1927), which holds for few and for shares
    near 0 or 1.

    `successes` may be a sum of probabilities; those vary less than ones and zeros do, so that the interval is
    then rather too wide.
    """
    share, spread = successes / of, NORMAL**2 / of
    middle = (share + spread / 2) / (1 + spread)
    reach = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return Interval(share, max(0.0, middle - reach), min(1.0, middle + reach))
