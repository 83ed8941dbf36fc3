"""What an attacker makes of a reply: how likely it is to be one candidate's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.steering.formula import FloatArray

# An attack may have seen no more than so many tokens of a reply.
LENGTHS = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, repr=False)
class Scored:
    """A system's reply to a case, of `tokens` tokens, as if it had been written for the `candidate`.

    `black` and `white` are its log-likelihoods, in nats, by what the two attackers know; each after those of
    LENGTHS that are fewer than its tokens, and at its end. `nats` is the divergence of the distributions that
    it was written by from the remote's, over all positions; None for other candidates than its own, and for
    replies that were not steered.
    """

    case: str
    system: str
    candidate: str
    tokens: int
    black: list[float]
    white: list[float]
    nats: float | None = None

    @property
    def key(self) -> tuple[str, ...]:
        return self.case, self.system, self.candidate


def cumulative(logprobs: FloatArray) -> list[float]:
    """The log-likelihood of a reply whose tokens have these log-probabilities [n], at its lengths: see
    Scored."""
    ends = [one for one in LENGTHS if one < len(logprobs)]
    return [float(logprobs[:end].sum()) for end in (*ends, len(logprobs))]


def after(scores: Sequence[float], length: int) -> float:
    """The log-likelihood after so many tokens, one of LENGTHS, or at the end of a shorter reply."""
    return scores[min(LENGTHS.index(length), len(scores) - 1)]
