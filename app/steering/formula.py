"""The steered distribution: CoSteer's online learning update in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.steering.strength import AUTO, AUTO_SMOOTHING, AUTO_STRENGTH, Strength, constant

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
# [n, ...]: one for each of n prompts; natural-log probabilities, each over the whole vocabulary.
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FTRL:
    """The five numbers of the paper's follow-the-regularised-leader update (arXiv 2507.04756).

    `steps` is T, `lambda_` the pull towards the remote, `eta` the learning rate; `alpha` and `beta` weigh
    the two halves of the utility. The defaults are the paper's.
    """

    steps: int = 20
    alpha: float = 2.0
    beta: float = 1.0
    lambda_: float = 2.0
    eta: float = 10.0


PAPER = FTRL()


def strength(ftrl: FTRL = PAPER) -> float:
    """The coefficient c that the five numbers amount to; 1.7832568430850784 for the paper's.

    Every iterate of the update is `log p_R + c * local_delta + const`, so the T steps over a vocabulary
    are one scalar recursion (arXiv 2507.04756, the update of section 3):

        c_0 = 0,  c_s = (sum_{i<s} (alpha c_i + beta) + c_{s-1} / eta) / (s lambda + 1 / eta)
    """
    c = 0.0
    utilities = 0.0
    for step in range(1, ftrl.steps + 1):
        utilities += ftrl.alpha * c + ftrl.beta
        c = (utilities + c / ftrl.eta) / (step * ftrl.lambda_ + 1 / ftrl.eta)
    return c


def log_softmax(logits: FloatArray) -> FloatArray:
    """Natural-log probabilities over the last axis; `-inf` stays `-inf`."""
    shifted: FloatArray = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    shifted -= np.log(np.add.reduce(np.exp(shifted), axis=-1, keepdims=True))
    return shifted


def local_delta(logprobs: FloatArray) -> FloatArray:
    """log p_S(v | u, x, y<t) - log p_S(v | x, y<t) of some tokens [K] (arXiv 2507.04756), from [2, K]."""
    delta: FloatArray = logprobs[0] - logprobs[1]
    return delta


def smoothed_delta(logprobs: FloatArray, local: FloatArray, share: float) -> FloatArray:
    """local_delta between two smoothed distributions: to each, `share` times the remote's is added.

    `logprobs` [..., V] are the remote's, `local` [2, ..., V] the local model's, context-aware and
    context-agnostic, of the same tokens. A token that the remote finds likelier than the local model does is
    moved less: the small model knows little about it, and the ratio of two small probabilities is noise.
    (Interpolation with a background distribution, Jelinek and Mercer 1980.)
    """
    aware, agnostic = np.logaddexp(local, logprobs + math.log(share))
    delta: FloatArray = aware - agnostic
    return delta


def steer(logprobs: FloatArray, local_delta: FloatArray, c: float) -> FloatArray:
    """The remote's candidates, steered: log pi = log_softmax(log p_R + c * local_delta).

    `logprobs` [K]: the remote's raw log-probabilities of its candidates, in nats. `local_delta` [K]:
    log p_S(v | u, x, y<t) - log p_S(v | x, y<t) of the same tokens, each from a log-softmax over the local
    model's whole vocabulary. Returns [K], normalised over the candidates (arXiv 2507.04756, closed form).
    """
    # In place, and math.log of a plain number: for K = 20 the numpy calls cost, not the arithmetic.
    scores = c * local_delta
    scores += logprobs
    scores -= np.maximum.reduce(scores)
    scores -= math.log(np.add.reduce(np.exp(scores)))
    return scores


def steered_logprobs(
    remote: FloatArray,
    local: FloatArray,
    strength: Strength,
    weights: Sequence[float] = (1.0,),
    *,
    auto_strength: float = AUTO_STRENGTH,
    auto_smoothing: float = AUTO_SMOOTHING,
) -> tuple[FloatArray, FloatArray]:
    """Steered log-probabilities of some candidates, and the local_delta behind them; each [K], in nats.

    `remote` [K] are the remote's raw log-probabilities, `local` [m, 2, K] the local model's of the same
    tokens in m contrasts, context-aware and context-agnostic. The deltas of the contrasts are added up, each
    times its weight (as for attributes in Drift, arXiv 2502.14289). With "auto" the remote's smooth all local
    distributions first, by `auto_smoothing`, and `auto_strength` is the strength.
    """
    delta = np.zeros_like(remote)
    for weight, pair in zip(weights, local, strict=True):
        one = smoothed_delta(remote, pair, auto_smoothing) if strength == AUTO else local_delta(pair)
        delta += weight * one
    return steer(remote, delta, constant(strength, auto_strength)), delta


def divergence(steered: FloatArray, remote: FloatArray) -> float:
    """KL(steered || remote) in nats, of two distributions over the same candidates: log-probabilities [K],
    which need not be normalised. Where `steered` is -inf nothing is added."""
    q, p = log_softmax(steered), log_softmax(remote)
    there = q > -np.inf
    return max(0.0, float(np.exp(q[there]) @ (q[there] - p[there])))


def likeliest(row: npt.NDArray[np.floating[Any]], count: int) -> IntArray:
    """Indices of the `count` greatest values of `row` [V], the greatest first."""
    count = min(count, len(row))
    best = np.argpartition(row, len(row) - count)[len(row) - count :]
    return best[np.argsort(-row[best], kind="stable")]


def of_each(searches: Iterable[Callable[[IntArray], IntArray]], without: IntArray) -> IntArray:
    """The ids that each search finds, one search after the other; each is told what to leave out: `without`,
    and what those before it have found."""
    found: IntArray = np.empty(0, np.int64)
    for search in searches:
        found = np.concatenate((found, search(np.concatenate((without, found)))))
    return found


def unlike(ids: IntArray, without: IntArray) -> IntArray:
    """The `ids` that are not in `without`, in the same order."""
    return ids[~np.isin(ids, without)]
