"""Steering rules, vectorised over positions: each makes scores from three distributions.

All arrays are [..., V]: natural-log probabilities over the remote's vocabulary, or over some of its tokens:
the remote's, the local model's context-aware ones, and its context-agnostic ones. A rule's scores are
log-probabilities up to a constant per position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.steering.formula import FTRL, PAPER, FloatArray, log_softmax, smoothed_delta, strength
from app.steering.strength import AUTO, AUTO_SMOOTHING, AUTO_STRENGTH

REMOTE_ALONE = "remote alone"
SHOWN = "remote shown the profile"
LOCAL_ALONE = "local with context"
PAPER_STRENGTH = "paper's strength"
PAPER_LOOP = "paper's loop"
BEST_CONSTANT = 0.5  # the best of the constant strengths compared

Score = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Rule:
    """A steering rule, and its name in reports.

    `among`: it chooses among so many tokens that the remote lists, as a vLLM does, and with `unlisted` among
    a few of the local model's as well (see steering/candidates.py); None: among the whole vocabulary.
    """

    name: str
    score: Score
    among: int | None = None
    unlisted: bool = False


def remote_alone() -> Rule:
    """The remote alone, unsteered."""
    return Rule(REMOTE_ALONE, lambda remote, aware, agnostic: remote)


def local_alone() -> Rule:
    """The local model alone, with the private context."""
    return Rule(LOCAL_ALONE, lambda remote, aware, agnostic: aware)


def constant(strength: float, name: str = "") -> Rule:
    """The same strength at every position: log p_R + c * local_delta (arXiv 2507.04756, closed form)."""
    return Rule(
        name or f"strength {strength:g}",
        lambda remote, aware, agnostic: remote + strength * (aware - agnostic),
    )


def trusted(strength: float) -> Rule:
    """The strength times the overlap of the remote's and the local distribution: w = sum_v min(p_R, p_S).

    Where the local model would say something else anyway, its local_delta is not to be trusted.
    """

    def score(remote: FloatArray, aware: FloatArray, agnostic: FloatArray) -> FloatArray:
        shared: FloatArray = np.exp(np.minimum(remote, agnostic)).sum(axis=-1, keepdims=True)
        return remote + strength * np.minimum(shared, 1.0) * (aware - agnostic)

    return Rule(f"trust {strength:g}", score)


def mixed(strength: float, share: float) -> Rule:
    """The same strength at every position, then mixed with a `share` of the context-aware distribution."""

    def score(remote: FloatArray, aware: FloatArray, agnostic: FloatArray) -> FloatArray:
        steered = log_softmax(remote + strength * (aware - agnostic))
        both: FloatArray = np.logaddexp(np.log1p(-share) + steered, np.log(share) + aware)
        return both

    return Rule(f"strength {strength:g}, {share:.0%} local", score)


def smoothed(strength: float, share: float) -> Rule:
    """The same strength at every position, between smoothed local distributions (see steering/formula.py)."""

    def score(remote: FloatArray, aware: FloatArray, agnostic: FloatArray) -> FloatArray:
        return remote + strength * smoothed_delta(remote, np.stack((aware, agnostic)), share)

    return Rule(f"strength {strength:g}, smoothed {share:g}", score)


def paper_loop(ftrl: FTRL = PAPER) -> Rule:
    """The paper's own iteration over the whole vocabulary."""
    return Rule(PAPER_LOOP, lambda remote, aware, agnostic: iterate(remote, aware - agnostic, ftrl))


def iterate(remote: FloatArray, delta: FloatArray, ftrl: FTRL = PAPER) -> FloatArray:
    """The paper's update step by step, over the last axis (arXiv 2507.04756, section 3). steering/formula.py
    has its closed form."""
    player, cumulative = remote, np.zeros_like(remote)
    for step in range(1, ftrl.steps + 1):
        cumulative += ftrl.alpha * (player - remote) + ftrl.beta * delta
        pulled = step * ftrl.lambda_ * remote + cumulative + player / ftrl.eta
        player = log_softmax(pulled / (step * ftrl.lambda_ + 1 / ftrl.eta))
    return player


def among(rule: Rule, top: int) -> Rule:
    """The rule restricted to the `top` likeliest tokens of the remote."""
    return replace(rule, name=f"{rule.name}, top {top}", among=top)


def auto(top: int) -> Rule:
    """The rule that AUTO stands for, when the remote lists its `top` likeliest tokens."""
    return Rule(f"{AUTO}, top {top}", smoothed(AUTO_STRENGTH, AUTO_SMOOTHING).score, top, unlisted=True)


def rules(strengths: Sequence[float], tops: Sequence[int], *, one_vocabulary: bool) -> list[Rule]:
    """The rules that are compared. Where the models do not share a vocabulary, the local logprobs of the
    remote's tokens are not a distribution, and the rules that need one are left out."""
    best = constant(BEST_CONSTANT)
    return [
        remote_alone(),
        *([local_alone()] if one_vocabulary else []),
        *map(constant, dict.fromkeys(strengths)),
        constant(strength(), PAPER_STRENGTH),
        *(
            [trusted(1.0), mixed(BEST_CONSTANT, 0.05), smoothed(AUTO_STRENGTH, AUTO_SMOOTHING)]
            if one_vocabulary
            else []
        ),
        *(among(best, top) for top in tops),
        *(auto(top) for top in tops),
    ]
