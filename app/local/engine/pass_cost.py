"""A cost model of forward passes, fitted to those run so far: seconds by number of tokens."""

from __future__ import annotations

DECAY = 0.97  # what a pass's weight is multiplied by with each later pass: about the last 30 count


class PassCost:
    """Seconds of a pass over n tokens as `base + per_token * n`, by least squares over recent passes.

    Neither is ever negative. Before the first pass, they are a guess for a small model on a laptop's CPU.
    """

    def __init__(self, base: float = 0.03, per_token: float = 0.002) -> None:
        self.base, self.per_token = base, per_token
        self._w = self._n = self._t = self._nn = self._nt = 0.0

    def seconds(self, tokens: int) -> float:
        """Predicted seconds of a pass over so many tokens."""
        return self.base + self.per_token * tokens

    def tokens_within(self, seconds: float) -> int:
        """How many tokens a pass can have to take no more than so many seconds; at least one."""
        return max(1, int((seconds - self.base) / max(self.per_token, 1e-9)))

    def observe(self, tokens: int, seconds: float) -> None:
        """Update the fit with one pass."""
        self._w = DECAY * self._w + 1
        self._n = DECAY * self._n + tokens
        self._t = DECAY * self._t + seconds
        self._nn = DECAY * self._nn + tokens * tokens
        self._nt = DECAY * self._nt + tokens * seconds
        spread = self._nn - self._n * self._n / self._w
        # Passes of the same number of tokens do not determine the slope: it stays as it was.
        if spread > 0.5 * self._w:
            self.per_token = max(0.0, (self._nt - self._n * self._t / self._w) / spread)
        self.base = max(0.0, (self._t - self.per_token * self._n) / self._w)


def worth_scoring(pending: int, acceptance: float, cost: PassCost, rows: int = 2) -> int:
    """How many of `pending` draft tokens to score in one pass, for the most tokens emitted per second.

    A draft token is accepted with probability `acceptance`, and only if all before it were, so a pass over m
    of them emits 1 + a + ... + a^m on average (arXiv 2211.17192, equation 1); each costs `rows` tokens.
    """
    best, best_rate, emitted, likelihood = 0, 0.0, 0.0, 1.0
    for scored in range(pending + 1):
        emitted += likelihood
        likelihood *= acceptance
        rate = emitted / max(cost.seconds(rows * (scored + 1)), 1e-9)
        if rate > best_rate:
            best, best_rate = scored, rate
    return best
