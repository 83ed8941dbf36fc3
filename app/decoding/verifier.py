"""Chooses the token at a position from both models' logprobs: steer, penalise, accept or resample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.decoding.budget import Budget
from app.decoding.calls import without
from app.decoding.position import Allowed, Position, steered, unsteered
from app.decoding.request import DecodeRequest, Token
from app.decoding.stats import Stats
from app.local.interface import LocalLogprobs
from app.remote.interface import MIN_TEMPERATURE, DraftToken
from app.steering.formula import FloatArray, IntArray, log_softmax
from app.steering.guard import NOTHING, BoolArray, with_placeholders
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
        self._progress = request.grammar.begin() if request.grammar is not None else None

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

    def begins_call(self, drafted: Sequence[DraftToken]) -> bool | None:
        """Whether these draft tokens begin a tool call; None: more are needed to tell."""
        calls, position = self._request.calls, len(self.generated)
        if calls is None or self.thinking:
            return False
        begun = calls.begun(drafted, position)
        # No more can come: what is left of the reply has no room for a call.
        return False if begun is None and position + len(drafted) >= self._request.max_tokens else begun

    def barred(self, drafted: DraftToken) -> Sequence[int]:
        """All tokens that the grammar allows here, where it allows none of those that the remote lists, and
        more than one; else none."""
        if self._progress is None or self.thinking or self._allowed(drafted)(drafted.candidates).any():
            return ()
        allowed = self._progress.all_allowed()
        return () if self._one_is_left(allowed) else allowed

    def _one_is_left(self, allowed: Sequence[int]) -> bool:
        return len(allowed) == 1 or self._request.eos_ids.issuperset(allowed)

    def _allowed(self, drafted: DraftToken) -> Allowed:
        """Which tokens the grammar allows here. A reply may begin with reasoning."""
        progress, think_ids = self._progress, self._request.think_ids
        assert progress is not None  # noqa: S101  # the caller has looked
        opens = think_ids[0] if think_ids is not None and not self.generated else -1

        def allowed(ids: IntArray) -> BoolArray:
            found: BoolArray = progress.allowed(ids) | (ids == opens)
            if drafted.ends:  # by a token that is not known to end replies
                found[ids == drafted.token_id] = progress.complete
            return found

        return allowed

    def choose(self, drafted: DraftToken, local: LocalLogprobs | None) -> Token | Placement:
        """Steer a position by the local model's logprobs, and choose its token, or a placeholder in its
        place. None leaves it unsteered."""
        allowed = self._allowed(drafted) if self._progress is not None and not self.thinking else None
        if allowed is not None and not allowed(drafted.candidates).any():
            return self._only(drafted)
        at = unsteered(drafted, allowed) if local is None else self._afforded(drafted, local, allowed)
        sampling, ids, calls = self._request.sampling, at.drafted.candidates, self._request.calls
        scores = penalise(at.steered, ids, sampling, self._seen)
        own = scores if at.local_delta is None else self._own(at)
        held, beginning = at.held, None
        if calls is not None and not self.thinking:
            # The remote has decided against a call here: its draft token begins none.
            beginning = calls.beginning(ids, len(self.generated))
            own, scores = (np.where(beginning, -np.inf, one) for one in (own, scores))
            held = calls.unhelped(ids, len(self.generated)) | (held if held is not None else False)
        target = with_margin(own, scores, sampling, self._margin, held)
        written = self._matcher.written if self._matcher is not None and at.fills is not None else ()
        if at.fills is not None and (at.fills != NOTHING).any():
            target = with_placeholders(distribution(own, sampling), target, at.fills, len(written))
        if sampling.greedy:
            chosen = int(np.argmax(target))
        else:
            found = np.flatnonzero(ids == drafted.token_id)
            index = int(found[0]) if len(found) else None
            draft = np.zeros(len(target))  # the remote drafts no token that it does not list
            draft[: at.listed] = self._drafts(drafted, ids[: at.listed])
            if beginning is not None:
                draft = without(draft, beginning)
            chosen = accept_or_resample(index, draft, target, self._rng)
        if chosen >= len(ids):
            placement = Placement(written[chosen - len(ids)], at.drafted)
            return placement if self._fits(placement) else self.choose(drafted, None)
        token = self._emit(int(ids[chosen]), at.drafted, log_softmax(scores), at.local_delta)
        return replace(token, local=at.local, held=at.held, kept_back=at.kept_back, listed=at.listed)

    def _drafts(self, drafted: DraftToken, ids: IntArray) -> FloatArray:
        """[K]: how likely the remote was to draft each of these `ids` [K], of all that it listed."""
        drafts = distribution(drafted.logprobs, self.draft_sampling())
        return drafts[np.isin(drafted.candidates, ids)]

    def _only(self, drafted: DraftToken) -> Token:
        """Emit the one token that the grammar allows: nobody needs to be asked for it."""
        assert self._progress is not None  # noqa: S101  # the caller has looked
        token_id = self._progress.all_allowed()[0]
        only = DraftToken(drafted.token_id, np.array([token_id]), np.zeros(1))
        return replace(self._emit(token_id, only, only.logprobs, None), listed=0)

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
            tokens.append(replace(self._emit(token_id, only, only.logprobs, None), listed=0))
        self._stats.changed += 1
        return tokens

    def _afforded(self, drafted: DraftToken, local: LocalLogprobs, allowed: Allowed | None) -> Position:
        """The position as it is steered, as far as the budget goes."""
        at = steered(self._request, drafted, local, self._matcher, allowed)
        if not self._budget.affords(at.nats):
            self._stats.spent_at = len(self.generated)
            return unsteered(drafted, allowed)
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
        marks = request.think_ids is not None and token_id in request.think_ids
        ends = token_id in request.eos_ids or (drafted.ends and token_id == drafted.token_id)
        if self._progress is not None and not (self.thinking or marks or ends):
            self._progress.push(token_id)
        self._stats.tokens += 1
        self._stats.changed += token_id != drafted.token_id
        if request.think_ids is not None and marks:
            self.thinking = token_id == request.think_ids[0]
        finish_reason = None
        if ends:
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
