"""Chooses the token at a position from both models' logprobs: steer, penalise, accept or resample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from app.decoding.budget import Budget
from app.decoding.position import Position, steered, unsteered
from app.decoding.request import DecodeRequest, Token
from app.decoding.stats import Stats
from app.local.interface import LocalLogprobs
from app.remote.interface import MIN_TEMPERATURE, DraftToken
from app.steering.formula import FloatArray, log_softmax
from app.steering.guard import NOTHING, with_placeholders
from app.steering.margin import with_margin
from app.steering.sampling import SamplingParams, TokenCounts, accept_or_resample, distribution, penalise
from app.steering.strength import resolve_margin


@dataclass(frozen=True, slots=True)
class Placement:
    """A placeholder that stands in the place of a token, with a space in front of it if that has one."""

    text: str
    drafted: DraftToken


class Verifier:
    """Chooses the tokens of one reply, one position after the other, and keeps the state for it."""

    def __init__(self, request: DecodeRequest, stats: Stats) -> None:
        self.generated: list[int] = []
        self.thinking = request.thinking
        self._request = request
        self._stats = stats
        self._budget = Budget(request.budget)
        self._margin = resolve_margin(request.config.margin, request.strength)
        self._rng = _rng(request.sampling.seed, 0)
        self._seen = TokenCounts(prompt=frozenset(request.prompt))
        # The remote's own text needs no guard, and following it would cost each token.
        self._matcher = request.guard.matcher() if request.guard is not None and request.steered else None

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
        """Whether this position is left to the remote: it is reasoning, passes the confidence gate, or
        there is nothing left of the budget."""
        gate = self._request.config.confidence_gate
        return (
            self.thinking
            or self._budget.ended
            or (gate is not None and bool(drafted.logprobs.max() >= math.log(gate)))
        )

    def choose(self, drafted: DraftToken, local: LocalLogprobs | None) -> Token | Placement:
        """Steer a position by the local model's logprobs, and choose its token, or a placeholder in its
        place. None leaves it unsteered."""
        at = unsteered(drafted) if local is None else self._afforded(drafted, local)
        sampling, ids = self._request.sampling, at.drafted.candidates
        scores = penalise(at.steered, ids, sampling, self._seen)
        own = scores if at.local_delta is None else self._own(at)
        target = with_margin(own, scores, sampling, self._margin, at.held)
        written = self._matcher.written if self._matcher is not None and at.fills is not None else ()
        if at.fills is not None and (at.fills != NOTHING).any():
            target = with_placeholders(distribution(own, sampling), target, at.fills, len(written))
        if sampling.greedy:
            chosen = int(np.argmax(target))
        else:
            index = int(np.flatnonzero(ids == drafted.token_id)[0])
            draft = np.zeros(len(target))  # the remote drafts no token that it does not list
            draft[: at.listed] = distribution(at.drafted.logprobs[: at.listed], self.draft_sampling())
            chosen = accept_or_resample(index, draft, target, self._rng)
        if chosen >= len(ids):
            placement = Placement(written[chosen - len(ids)], at.drafted)
            return placement if self._fits(placement) else self.choose(drafted, None)
        return self._emit(int(ids[chosen]), at.drafted, log_softmax(scores), at.local_delta)

    def _fits(self, placement: Placement) -> bool:
        """Whether there is room for all of a placeholder: a part of one would not be filled."""
        assert self._request.guard is not None  # noqa: S101  # it is where placements come from
        needed = len(self._request.guard.spelled[placement.text])
        return len(self.generated) + needed <= self._request.max_tokens

    def place(self, placement: Placement) -> list[Token]:
        """Emit the tokens that write a placeholder."""
        assert self._request.guard is not None  # noqa: S101  # it is where placements come from
        tokens = []
        for token_id in self._request.guard.spelled[placement.text]:
            only = DraftToken(token_id, np.array([token_id]), np.zeros(1))
            tokens.append(self._emit(token_id, only, only.logprobs, None))
        self._stats.changed += 1
        return tokens

    def _afforded(self, drafted: DraftToken, local: LocalLogprobs) -> Position:
        """The position as it is steered, as far as the budget goes."""
        at = steered(self._request, drafted, local, self._matcher)
        if not self._budget.affords(at.nats):
            self._stats.spent_at = len(self.generated)
            return unsteered(drafted)
        self._stats.nats += at.nats
        self._stats.held += at.kept_back
        return at

    def _own(self, at: Position) -> FloatArray:
        """[K]: the scores of the candidates without steering; -inf for those that the remote did not list."""
        remote = at.drafted.logprobs
        scores = np.full_like(remote, -np.inf)
        scores[: at.listed] = log_softmax(remote[: at.listed])
        return penalise(scores, at.drafted.candidates, self._request.sampling, self._seen)

    def keep(self, drafted: DraftToken) -> Token:
        """Emit the draft token itself, as an unsteered reply does."""
        return self._emit(drafted.token_id, drafted, drafted.logprobs, None)

    def _emit(
        self, token_id: int, drafted: DraftToken, logprobs: FloatArray, delta: FloatArray | None
    ) -> Token:
        request = self._request
        self.generated.append(token_id)
        self._seen.add(token_id)
        if self._matcher is not None:
            self._matcher.push(token_id)
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


def _rng(seed: int | None, purpose: int) -> np.random.Generator:
    """A random generator for one `purpose` of a seed, independent of the others and of the remote's own.

    If acceptance reused the random numbers that a draft was sampled with, it would depend on the draft.
    """
    if seed is None:
        return np.random.default_rng()
    return np.random.default_rng(np.random.SeedSequence(seed % 2**64, spawn_key=(purpose,)))
