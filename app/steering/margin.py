"""The margin: where steering gains little, the token is the remote's own, which saves a round trip.

With p the distribution without steering and q the steered one, a reply with a margin of M nats is drawn
from the e that makes KL(e || q) + M * TV(e, p) least. The first term is what is lost of the steering. The
second is the probability that a draft token drawn from p is replaced, which costs a request to the remote:
the margin is the price of that request. At a temperature T it is M / T, since scores are divided by T.
"""

from __future__ import annotations

import math

import numpy as np

from app.steering.formula import FloatArray
from app.steering.guard import BoolArray, held_probabilities, held_scores
from app.steering.sampling import SamplingParams, distribution

# exp() of more overflows once it is divided by a small probability.
MOST = 600.0  # nats


def with_margin(
    own: FloatArray,
    steered: FloatArray,
    sampling: SamplingParams,
    margin: float,
    held: BoolArray | None = None,
) -> FloatArray:
    """Probabilities [K] to draw a token from: of the `steered` scores [K], but near those of `own` [K].

    `own` are the scores without steering, with the same penalties; -inf where the remote drafts nothing. A
    greedy choice stays the unsteered one unless the best one is better by more than `margin` nats, which is
    the limit of the distribution as the temperature goes to 0. The `held` tokens [K] are no likelier than
    without steering (see guard.py).
    """
    if sampling.greedy:
        if held is not None:
            steered = held_scores(own, steered, held)
        close = margin > 0.0 and steered[np.argmax(own)] >= steered.max() - margin
        return distribution(own if close else steered, sampling)
    q = distribution(steered, sampling)
    if margin == 0.0 and held is None:
        return q
    p = distribution(own, sampling)
    if held is not None:
        q = held_probabilities(p, q, held)
    return nearest(p, q, margin / sampling.temperature) if margin > 0.0 else q


def nearest(p: FloatArray, q: FloatArray, price: float) -> FloatArray:
    """[K]: the e that makes KL(e || q) + price * TV(e, p) least, of the probabilities `p` [K] and `q` [K].

    It is clip(p, k q, k q exp(price)), with the k for which that sums to 1, as setting the derivatives to 0
    gives: a token stays as likely as in p where its ratio to q is between those bounds.
    """
    least = math.exp(-min(price, MOST))
    # The sum is linear in k between the points where a token gets to one of its bounds, so k is exact.
    with np.errstate(over="ignore"):
        ratios = p[q > 0.0] / q[q > 0.0]
    points = np.concatenate((ratios, least * ratios, (least, 1.0)))
    points = np.unique(np.clip(points, least, 1.0))
    low, high = 0, len(points) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _clipped(p, q, points[middle], least).sum() < 1.0 else (low, middle)
    between = points[low], points[high]
    sums = [_clipped(p, q, k, least).sum() for k in between]
    found = _clipped(p, q, float(np.interp(1.0, sums, between)), least)
    found /= found.sum()  # as far as rounding goes
    return found


def _clipped(p: FloatArray, q: FloatArray, k: float, least: float) -> FloatArray:
    clipped: FloatArray = np.clip(p, k * q, k * q / least)
    return clipped
