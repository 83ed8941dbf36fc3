"""How likely draft tokens are to be accepted: as seldom rejected as the remote is sure of them."""

from __future__ import annotations

import math

from app.remote.interface import DraftToken

# The share of rejections per doubt before a reply has shown its own, and the doubts that this counts for.
# Measured with remotes of 135M and 0.5B parameters, steered by one of 135M, greedy and sampled: 0.37 to 0.52.
PRIOR, PRIOR_DOUBTS = 0.45, 3.0
# A remote is never quite sure, whatever it says, and no draft token is sure to be rejected.
LEAST_DOUBT, LEAST = 0.02, 0.05
# Draft tokens, and how many of them were accepted, before there are any.
TOKENS, ACCEPTED = 4.0, 3.6


class Acceptance:
    """Expects a draft token to be rejected in proportion to the remote's doubt: one minus the probability of
    its likeliest token. The factor is learnt from the reply itself."""

    def __init__(self) -> None:
        self._doubts, self._missed = PRIOR_DOUBTS, PRIOR * PRIOR_DOUBTS
        self._tokens, self._accepted = TOKENS, ACCEPTED

    def expected(self, drafted: DraftToken) -> float:
        """The probability that this draft token is accepted, if all before it are."""
        return max(LEAST, 1.0 - self._missed / self._doubts * _doubt(drafted))

    def observe(self, drafted: DraftToken, *, accepted: bool) -> None:
        """Learn from a draft token that was steered, and so could have been rejected."""
        self._doubts += _doubt(drafted)
        self._missed += not accepted
        self._tokens += 1
        self._accepted += accepted

    def share(self, deviations: float) -> float:
        """The share of draft tokens that is accepted, so many standard deviations off what is likeliest."""
        share = self._accepted / self._tokens
        return min(1.0, max(0.0, share + deviations * math.sqrt(share * (1.0 - share) / self._tokens)))


def _doubt(drafted: DraftToken) -> float:
    return max(LEAST_DOUBT, 1.0 - math.exp(min(0.0, drafted.logprobs.max())))
