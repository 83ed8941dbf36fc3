"""One position of a reply: its candidates, as the local model moves them and the guard lets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from app.decoding.request import DecodeRequest
from app.disclosure.matcher import PhraseMatcher
from app.local.interface import LocalLogprobs
from app.remote.interface import DraftToken
from app.steering.candidates import UNLISTED, estimate
from app.steering.formula import FloatArray, IntArray, divergence, log_softmax, steer, steered_logprobs
from app.steering.guard import NOTHING, BoolArray, without_help
from app.steering.strength import AUTO, constant


@dataclass(frozen=True, slots=True)
class Position:
    """The candidates [K] of a draft token, `listed` by the remote and then the local model's own; those alone
    that a grammar allows.

    `steered` [K] are their steered log-probabilities, and `local_delta` [K] what steered them, None if
    nothing did. `held` [K] and `fills` [K] are the guard's, see steering/guard.py; None without one.
    `nats`: what the steering of this position tells the remote. `kept_back`: the guard holds what is best
    without it. `local` [m, 2, K]: the local model's log-probabilities in m contrasts; None if not asked.
    """

    drafted: DraftToken
    listed: int
    steered: FloatArray
    local_delta: FloatArray | None = None
    held: BoolArray | None = None
    fills: IntArray | None = None
    nats: float = 0.0
    kept_back: bool = False
    local: FloatArray | None = None


# Which of the tokens [K] a grammar allows.
Allowed = Callable[[IntArray], BoolArray]


def unsteered(drafted: DraftToken, allowed: Allowed | None = None) -> Position:
    """The position as the remote has it."""
    if allowed is not None:
        drafted = within(drafted, allowed(drafted.candidates))
    return Position(drafted, len(drafted.candidates), log_softmax(drafted.logprobs))


def steered(
    request: DecodeRequest,
    drafted: DraftToken,
    local: LocalLogprobs,
    matcher: PhraseMatcher | None,
    allowed: Allowed | None = None,
) -> Position:
    """The position as the local model steers it."""
    listed, config = len(drafted.candidates), request.config
    if request.strength == AUTO:
        drafted = widened(drafted, local)
    if allowed is not None:
        kept = allowed(drafted.candidates)
        drafted, listed = within(drafted, kept), int(kept[:listed].sum())
    remote, ids = drafted.logprobs, drafted.candidates
    own = local.logprobs(ids)
    scores, delta = steered_logprobs(
        remote,
        own,
        request.strength,
        [one.weight for one in request.contrasts],
        auto_strength=config.auto_strength,
        auto_smoothing=config.auto_smoothing,
    )
    if matcher is None:
        return Position(drafted, listed, scores, delta, nats=divergence(scores, remote), local=own)
    strength = constant(request.strength, config.auto_strength)
    at = guarded(drafted, listed, delta, strength, matcher, filling=request.grammar is None)
    return replace(at, local=own)


def guarded(
    drafted: DraftToken,
    listed: int,
    delta: FloatArray,
    strength: float,
    matcher: PhraseMatcher,
    *,
    filling: bool = True,
) -> Position:
    """The position of candidates [K], `listed` by the remote and then the local model's own, as far as the
    guard lets the local_delta `delta` [K] steer it. Without `filling` a token that begins a value of level
    fill is held like any other."""
    remote, ids = drafted.logprobs, drafted.candidates

    def by(moved: FloatArray) -> FloatArray:
        """The scores by another local_delta; none for a held candidate of the local model's own."""
        again = steer(remote, moved, strength)
        again[listed:][held[listed:]] = -np.inf
        return again

    begun = matcher.fills(ids, delta)
    kept = matcher.held(ids) | (begun != NOTHING)
    fills = begun if filling else np.full_like(begun, NOTHING)
    held = kept & (fills == NOTHING)
    best = int(np.argmax(remote + strength * delta))
    kept_back = bool(held[best]) and best != int(np.argmax(remote[:listed]))
    told = divergence(by(without_help(delta, kept)), remote)
    delta = without_help(delta, held)
    return Position(drafted, listed, by(delta), delta, held, fills, told, kept_back)


def within(drafted: DraftToken, kept: BoolArray) -> DraftToken:
    """The draft token with these of its candidates [K] alone. It may not be among them."""
    return replace(drafted, candidates=drafted.candidates[kept], logprobs=drafted.logprobs[kept])


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
