"""Steering rules, vectorised over positions: each makes scores from the distributions of both models.

All are natural-log probabilities over the remote's vocabulary, or over some of its tokens: the remote's
[..., V], and the local model's [m, 2, ..., V] in m contrasts, context-aware and context-agnostic. A rule's
scores [..., V] are log-probabilities up to a constant per position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.evaluation.quality.strengths import AS_THE_PRODUCT, Tried
from app.profiles.disclosure import Disclosure
from app.steering.formula import FTRL, PAPER, FloatArray, local_delta, log_softmax, smoothed_delta, strength
from app.steering.strength import AUTO_SMOOTHING, AUTO_STRENGTH

REMOTE_ALONE = "remote alone"
SHOWN = "remote shown the profile"
LOCAL_ALONE = "local with context"
PAPER_STRENGTH = "paper's strength"
PAPER_LOOP = "paper's loop"
PAPERS = Tried("strength", strength(), PAPER_STRENGTH)
BEST_CONSTANT = 0.5  # the best of the constant strengths compared
TOPS = (5, 20, 50)  # how many tokens the remote lists

# From the remote's, the local model's, and the weights of the contrasts.
Score = Callable[[FloatArray, FloatArray, Sequence[float]], FloatArray]


@dataclass(frozen=True)
class Rule:
    """A steering rule, and its name in reports.

    `among`: it chooses among so many tokens that the remote lists, as a vLLM does, and with `unlisted` among
    a few of the local model's as well (see steering/candidates.py); None: among the whole vocabulary. With a
    `margin`, in nats, what it changes by little among them is left to the remote (see steering/margin.py).
    With a `disclosure` it helps no candidate to say what that guards (see steering/guard.py).
    """

    name: str
    score: Score
    among: int | None = None
    unlisted: bool = False
    margin: float = 0.0
    disclosure: Disclosure | None = None


def local_alone() -> Rule:
    """The local model alone, with the private context."""
    return Rule(LOCAL_ALONE, lambda remote, local, weights: local[0, 0])


def delta(local: FloatArray, weights: Sequence[float]) -> FloatArray:
    """The contrasts' local_delta [..., V], added up, each times its weight."""
    deltas = [weight * local_delta(pair) for weight, pair in zip(weights, local, strict=True)]
    summed: FloatArray = np.sum(deltas, axis=0)
    return summed


def constant(strength: float, name: str = "") -> Rule:
    """The same strength at every position: log p_R + c * local_delta (arXiv 2507.04756, closed form)."""
    return Rule(
        name or f"strength {strength:g}",
        lambda remote, local, weights: remote + strength * delta(local, weights),
    )


def trusted(strength: float) -> Rule:
    """The strength times the overlap of the remote's and the local distribution: w = sum_v min(p_R, p_S).

    Where the local model would say something else anyway, its local_delta is not to be trusted.
    """

    def score(remote: FloatArray, local: FloatArray, weights: Sequence[float]) -> FloatArray:
        shared: FloatArray = np.exp(np.minimum(remote, local[0, 1])).sum(axis=-1, keepdims=True)
        return remote + strength * np.minimum(shared, 1.0) * delta(local, weights)

    return Rule(f"trust {strength:g}", score)


def mixed(strength: float, share: float) -> Rule:
    """The same strength at every position, then mixed with a `share` of the context-aware distribution."""

    def score(remote: FloatArray, local: FloatArray, weights: Sequence[float]) -> FloatArray:
        steered = log_softmax(remote + strength * delta(local, weights))
        both: FloatArray = np.logaddexp(np.log1p(-share) + steered, np.log(share) + local[0, 0])
        return both

    return Rule(f"strength {strength:g}, {share:.0%} local", score)


def smoothed(strength: float, share: float) -> Rule:
    """The same strength at every position, between smoothed local distributions (see steering/formula.py)."""

    def score(remote: FloatArray, local: FloatArray, weights: Sequence[float]) -> FloatArray:
        deltas = (smoothed_delta(remote, pair, share) for pair in local)
        return remote + strength * sum(one * each for one, each in zip(weights, deltas, strict=True))

    return Rule(f"strength {strength:g}, smoothed {share:g}", score)


def paper_loop(ftrl: FTRL = PAPER) -> Rule:
    """The paper's own iteration over the whole vocabulary."""
    return Rule(PAPER_LOOP, lambda remote, local, weights: iterate(remote, delta(local, weights), ftrl))


def iterate(remote: FloatArray, added: FloatArray, ftrl: FTRL = PAPER) -> FloatArray:
    """The paper's update step by step, over the last axis (arXiv 2507.04756, section 3). steering/formula.py
    has its closed form."""
    player, cumulative = remote, np.zeros_like(remote)
    for step in range(1, ftrl.steps + 1):
        cumulative += ftrl.alpha * (player - remote) + ftrl.beta * added
        pulled = step * ftrl.lambda_ * remote + cumulative + player / ftrl.eta
        player = log_softmax(pulled / (step * ftrl.lambda_ + 1 / ftrl.eta))
    return player


def among(rule: Rule, top: int) -> Rule:
    """The rule restricted to the `top` likeliest tokens of the remote."""
    return replace(rule, name=f"{rule.name}, top {top}", among=top)


def auto(top: int, tried: Tried = AS_THE_PRODUCT) -> Rule:
    """The rule that AUTO stands for, when the remote lists its `top` likeliest tokens, or the same at another
    strength, margin or disclosure."""
    score = smoothed(tried.value, AUTO_SMOOTHING).score
    name = f"{tried.name}, top {top}"
    return Rule(name, score, top, unlisted=True, margin=tried.nats, disclosure=tried.disclosure)


def listed(tried: Tried, top: int) -> Rule:
    """The rule by which replies are steered at this strength, when the remote lists its `top` likeliest
    tokens."""
    if tried.kind == "auto":
        return auto(top, tried)
    return among(constant(tried.value, tried.label), top)


def rules(tried: Sequence[Tried], top: int, *, one_vocabulary: bool) -> list[Rule]:
    """The rules that are compared, in each form of prompts; `top` is how many tokens the remote lists for
    replies. Where the models do not share a vocabulary, the local logprobs of the remote's tokens are not a
    distribution, and the rules that need one are left out."""
    best = constant(BEST_CONSTANT)
    tops = sorted({*TOPS, top})
    found = [
        *([local_alone()] if one_vocabulary else []),
        *(constant(one.value, one.label) for one in (*tried, PAPERS) if one.kind == "strength"),
        *(
            [trusted(1.0), mixed(BEST_CONSTANT, 0.05), smoothed(AUTO_STRENGTH, AUTO_SMOOTHING)]
            if one_vocabulary
            else []
        ),
        *(among(best, one) for one in tops),
        *(auto(one) for one in tops),
        *(listed(one, top) for one in (*tried, PAPERS)),
    ]
    return list({rule.name: rule for rule in found}.values())
