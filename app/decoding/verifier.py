"""Chooses the token at a position from both models' logprobs: steer, penalise, accept or resample."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from app.decoding.request import DecodeRequest, Token
from app.decoding.stats import Stats
from app.local.interface import LocalLogprobs
from app.remote.interface import MIN_TEMPERATURE, DraftToken
from app.steering.candidates import UNLISTED, estimate
from app.steering.formula import FloatArray, IntArray, log_softmax, steered_logprobs
from app.steering.margin import with_margin
from app.steering.sampling import SamplingParams, TokenCounts, accept_or_resample, distribution, penalise
from app.steering.strength import AUTO, resolve_margin


class Verifier:
    """Chooses the tokens of one reply, one position after the other, and keeps the state for it."""

    def __init__(self, request: DecodeRequest, stats: Stats) -> None:
        self.generated: list[int] = []
        self.thinking = request.thinking
        self._request = request
        self._stats = stats
        self._margin = resolve_margin(request.config.margin, request.strength)
        self._rng = _rng(request.sampling.seed, 0)
        self._seen = TokenCounts(prompt=frozenset(request.prompt))

    def draft_sampling(self) -> SamplingParams:
        """The remote's sampling for drafts: all parameters that can be recomputed exactly from its logprobs.

        With penalties or bias it could draw tokens beyond the candidates, so these act on the device alone.
        """
        sampling = self._request.sampling
        top_k = self._request.config.top_logprobs
        temperature = sampling.temperature
        return SamplingParams(
            temperature=temperature if sampling.greedy else max(temperature, MIN_TEMPERATURE),
            top_p=sampling.top_p,
            top_k=min(sampling.top_k, top_k) if sampling.top_k > 0 else top_k,
            min_p=sampling.min_p,
        )

    def request_seed(self) -> int | None:
        """The client's seed for the first request; later ones differ, so that their draws are independent."""
        seed = self._request.sampling.seed
        if seed is None or not self.generated:
            return seed
        return int(_rng(seed, len(self.generated)).integers(2**32))

    def unsteered(self, drafted: DraftToken) -> bool:
        """Whether this position is left to the remote: it is reasoning, or passes the confidence gate."""
        gate = self._request.config.confidence_gate
        return self.thinking or (gate is not None and bool(drafted.logprobs.max() >= math.log(gate)))

    def choose(self, drafted: DraftToken, local: LocalLogprobs | None) -> Token:
        """Steer a position by the local model's logprobs, and choose its token. None leaves it unsteered."""
        request, listed = self._request, len(drafted.candidates)
        if local is not None and request.strength == AUTO:
            drafted = widened(drafted, local)
        remote, ids = drafted.logprobs, drafted.candidates
        if local is None:
            steered, delta = log_softmax(remote), None
        else:
            steered, delta = steered_logprobs(
                remote,
                local.logprobs(ids),
                request.strength,
                [one.weight for one in request.contrasts],
                auto_strength=request.config.auto_strength,
                auto_smoothing=request.config.auto_smoothing,
            )
        scores = penalise(steered, ids, request.sampling, self._seen)
        own = self._own(remote, ids, listed) if local is not None else scores
        target = with_margin(own, scores, request.sampling, self._margin)
        if request.sampling.greedy:
            chosen = int(np.argmax(target))
        else:
            index = int(np.flatnonzero(ids == drafted.token_id)[0])
            draft = np.zeros(len(ids))  # the remote drafts no token that it does not list
            draft[:listed] = distribution(remote[:listed], self.draft_sampling())
            chosen = accept_or_resample(index, draft, target, self._rng)
        return self._emit(int(ids[chosen]), drafted, log_softmax(scores), delta)

    def _own(self, remote: FloatArray, ids: IntArray, listed: int) -> FloatArray:
        """[K]: the scores of the candidates without steering; -inf for those that the remote did not list."""
        scores = np.full_like(remote, -np.inf)
        scores[:listed] = log_softmax(remote[:listed])
        return penalise(scores, ids, self._request.sampling, self._seen)

    def keep(self, drafted: DraftToken) -> Token:
        """Emit the draft token itself, as an unsteered reply does."""
        return self._emit(drafted.token_id, drafted, drafted.logprobs, None)

    def _emit(
        self, token_id: int, drafted: DraftToken, logprobs: FloatArray, delta: FloatArray | None
    ) -> Token:
        request = self._request
        self.generated.append(token_id)
        self._seen.add(token_id)
        self._stats.tokens += 1
        self._stats.changed += token_id != drafted.token_id
        if request.think_ids is not None and token_id in request.think_ids:
            self.thinking = token_id == request.think_ids[0]
        finish_reason = None
        if token_id in request.eos_ids or (drafted.ends and token_id == drafted.token_id):
            finish_reason = "stop"
        elif len(self.generated) >= request.max_tokens:
            finish_reason = "length"
        return Token(token_id, drafted, logprobs, delta, finish_reason)


def widened(drafted: DraftToken, local: LocalLogprobs) -> DraftToken:
    """The draft token with the local model's own candidates after those that the remote listed."""
    listed = drafted.candidates
    more = local.likeliest(UNLISTED, listed)
    if not len(more):
        return drafted
    agnostic = local.logprobs(np.concatenate((listed, more)))[0, 1]
    estimated = estimate(drafted.logprobs, agnostic[: len(listed)], agnostic[len(listed) :])
    return replace(
        drafted,
        candidates=np.concatenate((listed, more)),
        logprobs=np.concatenate((drafted.logprobs, estimated)),
    )


def _rng(seed: int | None, purpose: int) -> np.random.Generator:
    """A random generator for one `purpose` of a seed, independent of the others and of the remote's own.

    If acceptance reused the random numbers that a draft was sampled with, it would depend on the draft.
    """
    if seed is None:
        return np.random.default_rng()
    return np.random.default_rng(np.random.SeedSequence(seed % 2**64, spawn_key=(purpose,)))
