"""A cost model of forward passes, fitted to those run so far: seconds by number of tokens."""

from __future__ import annotations

from collections.abc import Sequence

DECAY = 0.97  # what a pass's weight is multiplied by with each later pass: about the last 30 count
GUESSED_AT = (4, 64)  # tokens of two passes that the first guess stands for, until real ones outweigh them
BASE_TOKENS = 16  # how many tokens cost as much as the base, roughly, on a CPU
# A draft token is waited for when it comes within that share of a pass, and when that finds so much more in
# the same time: it is later for certain, and finds more on average only.
SOON, MORE = 1 / 3, 1.1


class PassCost:
    """Seconds of a pass over n tokens as `base + per_token * n`, by least squares over recent passes.

    Longer passes vary more, and so weigh less: a prompt's pass says what a token costs, those that score a
    draft say what a pass costs at least. Neither number is ever negative. Before the first pass, they are a
    guess for a small model on a laptop's CPU, which a single pass of a prompt does not yet overturn.
    """

    def __init__(self, base: float = 0.03, per_token: float = 0.002) -> None:
        self.base, self.per_token = base, per_token
        self._w = self._n = self._t = self._nn = self._nt = 0.0
        for tokens in GUESSED_AT:
            self._add(tokens, self.seconds(tokens))

    def seconds(self, tokens: int) -> float:
        """Predicted seconds of a pass over so many tokens."""
        return self.base + self.per_token * tokens

    def tokens_within(self, seconds: float) -> int:
        """How many tokens a pass can have to take no more than so many seconds; at least one."""
        return max(1, int((seconds - self.base) / max(self.per_token, 1e-9)))

    def observe(self, tokens: int, seconds: float) -> None:
        """Update the fit with one pass."""
        self._add(tokens, seconds)
        spread = self._nn - self._n * self._n / self._w
        # Passes of nearly the same number of tokens do not determine the slope: it stays as it was.
        if spread > 0.5 * self._w:
            self.per_token = max(0.0, (self._nt - self._n * self._t / self._w) / spread)
        self.base = max(0.0, (self._t - self.per_token * self._n) / self._w)

    def _add(self, tokens: int, seconds: float) -> None:
        weight = 1.0 / (tokens + BASE_TOKENS)
        self._w = DECAY * self._w + weight
        self._n = DECAY * self._n + weight * tokens
        self._t = DECAY * self._t + weight * seconds
        self._nn = DECAY * self._nn + weight * tokens * tokens
        self._nt = DECAY * self._nt + weight * tokens * seconds


def worth_scoring(chances: Sequence[float], cost: PassCost, rows: int = 2) -> int:
    """How many draft tokens to score in one pass, for the most tokens emitted per second.

    `chances` are the probabilities that each is accepted if all before it are. A pass over m of them emits
    1 + c1 + c1 c2 + ... tokens on average (arXiv 2211.17192, equation 1, where all are alike), and each costs
    `rows` tokens. It is also how many find the next rejection soonest, while draft tokens wait.
    """
    best, best_rate, emitted, likelihood = 0, 0.0, 0.0, 1.0
    for scored, chance in enumerate([*chances, 0.0]):
        emitted += likelihood
        likelihood *= chance
        rate = emitted / max(cost.seconds(rows * (scored + 1)), 1e-9)
        if rate > best_rate:
            best, best_rate = scored, rate
    return best


def worth_waiting(wait: float, acceptance: float, cost: PassCost, rows: int = 2) -> bool:
    """Whether to wait for the first draft token, which comes `wait` seconds after its request (0: unknown).

    A pass over the position before it can start at once, and says no more than whether that one token is
    kept. Where a pass takes much longer than the wait, one that scores the position after it as well finds
    more tokens a second.
    """
    alone, both = cost.seconds(rows), cost.seconds(2 * rows)
    return 0.0 < wait < SOON * alone and (1.0 + acceptance) * alone > MORE * (wait + both)
