"""From log-probabilities to a token: penalties, temperature, truncation, speculative acceptance.

Every function takes and returns arrays over one position's candidates, and knows nothing of models. The
order is vLLM's: penalties and bias, temperature, min_p, top_k, top_p.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from app.steering.formula import FloatArray, IntArray, log_softmax


@dataclass(frozen=True)
class SamplingParams:
    """How a token is sampled, in OpenAI's and vLLM's request fields. The defaults are neutral: without
    `allowed_token_ids` all are."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    allowed_token_ids: tuple[int, ...] = ()
    seed: int | None = None

    @property
    def greedy(self) -> bool:
        return self.temperature == 0.0


@dataclass
class TokenCounts:
    """The tokens that a reply's penalties count: those of the prompt, and how often each was generated."""

    prompt: frozenset[int] = frozenset()
    counts: dict[int, int] = field(default_factory=dict)

    def add(self, token_id: int) -> None:
        self.counts[token_id] = self.counts.get(token_id, 0) + 1


def penalise(logprobs: FloatArray, ids: IntArray, sampling: SamplingParams, seen: TokenCounts) -> FloatArray:
    """Apply repetition, frequency and presence penalties, logit_bias and allowed_token_ids to candidates
    `ids` [K].

    Frequency and presence count generated tokens only, repetition the prompt's too, as vLLM has it. The
    scores here are log-probabilities, all below zero, so the repetition penalty always multiplies
    (arXiv 1909.05858, section 4.1, divides positive scores).
    """
    if sampling.repetition_penalty != 1.0:
        repeated = np.fromiter((i in seen.counts or i in seen.prompt for i in ids.tolist()), bool, len(ids))
        logprobs = np.where(repeated, logprobs * sampling.repetition_penalty, logprobs)
    if sampling.frequency_penalty != 0.0 or sampling.presence_penalty != 0.0:
        counts = np.fromiter((seen.counts.get(i, 0) for i in ids.tolist()), np.float64, len(ids))
        logprobs = logprobs - sampling.frequency_penalty * counts - sampling.presence_penalty * (counts > 0)
    if sampling.logit_bias:
        logprobs = logprobs + np.fromiter(
            (sampling.logit_bias.get(i, 0.0) for i in ids.tolist()), np.float64, len(ids)
        )
    if sampling.allowed_token_ids:
        logprobs = np.where(np.isin(ids, sampling.allowed_token_ids), logprobs, -np.inf)
    return logprobs


def keep_min_p(logprobs: FloatArray, min_p: float) -> FloatArray:
    """Drop candidates less than `min_p` times as likely as the likeliest (arXiv 2407.01082)."""
    if min_p <= 0.0:
        return logprobs
    return np.where(logprobs >= logprobs.max() + np.log(min_p), logprobs, -np.inf)


def keep_top_k(logprobs: FloatArray, top_k: int) -> FloatArray:
    """Drop all but the `top_k` likeliest candidates and those tied with the last; 0 keeps all."""
    if top_k <= 0 or top_k >= len(logprobs):
        return logprobs
    return np.where(logprobs >= np.partition(logprobs, -top_k)[-top_k], logprobs, -np.inf)


def keep_top_p(logprobs: FloatArray, top_p: float) -> FloatArray:
    """Keep the smallest set of likeliest candidates that holds `top_p` of the mass (arXiv 1904.09751)."""
    if top_p >= 1.0:
        return logprobs
    order = np.argsort(-logprobs, kind="stable")
    mass = np.cumsum(np.exp(log_softmax(logprobs))[order])
    kept = order[: int(np.searchsorted(mass, top_p)) + 1]
    result = np.full_like(logprobs, -np.inf)
    result[kept] = logprobs[kept]
    return result


def distribution(logprobs: FloatArray, sampling: SamplingParams) -> FloatArray:
    """Probabilities [K] to sample a token from: one-hot when greedy, ties to the first candidate."""
    if sampling.greedy:
        chosen = np.zeros_like(logprobs)
        chosen[np.argmax(logprobs)] = 1.0
        return chosen
    scaled = logprobs / sampling.temperature
    scaled = keep_min_p(scaled, sampling.min_p)
    scaled = keep_top_k(scaled, sampling.top_k)
    scaled = keep_top_p(scaled, sampling.top_p)
    return np.exp(log_softmax(scaled))


def draw(probs: FloatArray, rng: np.random.Generator) -> int:
    """An index sampled from `probs` [K], which need not sum to exactly one."""
    cumulative = np.cumsum(probs)
    index = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
    # Rounding can push the draw onto the end; the last candidate that has mass is the right one then.
    return min(index, int(np.flatnonzero(probs)[-1]))


def accept_or_resample(drafted: int | None, p: FloatArray, q: FloatArray, rng: np.random.Generator) -> int:
    """Speculative acceptance: the index to emit, distributed as `q` when `drafted` was drawn from `p`.

    Keeps the draft with probability min(1, q/p), else draws from (q - p)+ (arXiv 2211.17192, section 2.3).
    `p`, `q`: [K] probabilities of the draft and of the target over the same candidates. None: what was
    drafted is no candidate, and p has the rest of the draft's probability alone.
    """
    if drafted is not None and rng.random() * p[drafted] < q[drafted]:
        return drafted
    residual = np.maximum(q - p, 0.0)
    # A draft outside q while q equals p elsewhere leaves no residual but rounding; q itself is the target.
    return draw(residual if residual.sum() > 1e-12 else q, rng)
