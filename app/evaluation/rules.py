"""Rules of steering, over many positions at once: what they make of three distributions.

All arrays are [n, V]: natural-log probabilities over the remote's vocabulary, of the remote, of the local
model with the private context, and of the local model without it. A rule's scores are logarithms of
probabilities up to a constant of each position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.steering import FTRL, PAPER, FloatArray, log_softmax

REMOTE_ALONE = "remote alone"

Score = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Rule:
    """A rule, and what it is called in reports."""

    name: str
    score: Score


def remote_alone() -> Rule:
    """Nothing is steered."""
    return Rule(REMOTE_ALONE, lambda remote, aware, agnostic: remote)


def local_alone() -> Rule:
    """The small model writes by itself, with the private context."""
    return Rule("local with context", lambda remote, aware, agnostic: aware)


def constant(strength: float, name: str = "") -> Rule:
    """The same strength everywhere: log p_R + c * local_delta (arXiv 2507.04756, closed form)."""
    return Rule(
        name or f"strength {strength:g}",
        lambda remote, aware, agnostic: remote + strength * (aware - agnostic),
    )


def trusted(strength: float) -> Rule:
    """The strength times what remote and local model have in common at the position: w = sum_v min(p_R, p_S).

    Where the small model would say something else anyway, it is not to be trusted on the difference.
    """

    def score(remote: FloatArray, aware: FloatArray, agnostic: FloatArray) -> FloatArray:
        shared: FloatArray = np.exp(np.minimum(remote, agnostic)).sum(axis=-1, keepdims=True)
        return remote + strength * np.minimum(shared, 1.0) * (aware - agnostic)

    return Rule(f"trust {strength:g}", score)


def mixed(strength: float, share: float) -> Rule:
    """The same strength everywhere, then a `share` of the local distribution with the private context."""

    def score(remote: FloatArray, aware: FloatArray, agnostic: FloatArray) -> FloatArray:
        steered = log_softmax(remote + strength * (aware - agnostic))
        both: FloatArray = np.logaddexp(np.log1p(-share) + steered, np.log(share) + aware)
        return both

    return Rule(f"strength {strength:g}, {share:.0%} local", score)


def paper_loop(ftrl: FTRL = PAPER) -> Rule:
    """The paper's own iteration over the whole vocabulary, step by step (arXiv 2507.04756, section 3)."""

    def score(remote: FloatArray, aware: FloatArray, agnostic: FloatArray) -> FloatArray:
        delta = aware - agnostic
        player, cumulative = remote, np.zeros_like(remote)
        for step in range(1, ftrl.steps + 1):
            cumulative += ftrl.alpha * (player - remote) + ftrl.beta * delta
            pulled = step * ftrl.lambda_ * remote + cumulative + player / ftrl.eta
            player = log_softmax(pulled / (step * ftrl.lambda_ + 1 / ftrl.eta))
        return player

    return Rule("paper's loop", score)
