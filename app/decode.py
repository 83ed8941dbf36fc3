"""Draft and verify: the remote drafts a stream, the device steers each position and keeps what agrees.

One remote request per token would cost a round trip each. Instead a request drafts many; a drafted token is
emitted while the steered choice agrees with it, and at the first disagreement the choice is emitted, the
stream is closed and the next request goes on from everything accepted. Only the public prompt's token ids
and the accepted ones are ever handed to the remote.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from app.draft import MIN_TEMPERATURE, Draft, Drafted, RemoteModel
from app.errors import RemoteError
from app.prompts import PrivatePrompt
from app.sampling import Sampling, Seen, accept_or_resample, distribution, penalise
from app.steering import FloatArray, IntArray, log_softmax, steer


class LocalSession(Protocol):
    """One reply's two contexts on the device."""

    async def score(self, generated: Sequence[int], first: int) -> npt.NDArray[np.float32]:
        """Log-probabilities of every token at positions `first`..`len(generated)` of the reply.

        Returns [2, len(generated) - first + 1, V], context-aware then context-agnostic, each normalised over
        the whole vocabulary. What an earlier call has seen of `generated` is not computed again; what it
        saw and is no longer there is rolled back.
        """
        ...


class LocalModel(Protocol):
    def session(
        self, aware: PrivatePrompt, agnostic: Sequence[int]
    ) -> AbstractAsyncContextManager[LocalSession]:
        """A session over the two prompts; its KV cache is kept for the next one that fits."""
        ...


@dataclass(frozen=True)
class Request:
    """One reply to decode: public prompt, the two local prompts, and how to draw and when to stop.

    `aware` and `agnostic` are None for an unsteered reply. `eos_ids` end it; `max_tokens` bounds it.
    `draft_length` bounds one remote request; `verify_batch` is how many drafted tokens to gather before a
    local pass, 0 to score at once whatever has arrived.
    """

    prompt: Sequence[int]
    sampling: Sampling
    max_tokens: int
    eos_ids: frozenset[int] = frozenset()
    aware: PrivatePrompt | None = None
    agnostic: Sequence[int] | None = None
    strength: float = 0.0
    top_logprobs: int = 20
    draft_length: int = 256
    verify_batch: int = 0

    @property
    def steered(self) -> bool:
        return self.strength > 0.0 and self.aware is not None and self.agnostic is not None


@dataclass(frozen=True, slots=True)
class Token:
    """One emitted token. `logprob` is its own under `logprobs` [K], the distribution over `candidates` [K]
    that it was chosen from, before temperature. `finish_reason` is set on the last one."""

    token_id: int
    drafted_id: int
    logprob: float
    candidates: IntArray
    logprobs: FloatArray
    finish_reason: str | None = None


@dataclass
class Stats:
    """What one reply cost: counts, filled in while it is decoded."""

    tokens: int = 0
    changed: int = 0
    remote_requests: int = 0
    drafted: int = 0
    local_passes: int = 0

    @property
    def acceptance(self) -> float:
        """The share of emitted tokens that were the remote's own draft."""
        return 1.0 - self.changed / self.tokens if self.tokens else 1.0


@dataclass
class _Reply:
    """The state of one steered reply while it is decoded."""

    request: Request
    stats: Stats
    rng: np.random.Generator
    generated: list[int] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)

    def draft_sampling(self) -> Sampling:
        """What the remote drafts with: everything that its returned logprobs let us recompute exactly.

        Penalties and bias would draw from beyond the returned candidates, so they act on the device alone.
        """
        sampling = self.request.sampling
        top_k = self.request.top_logprobs
        temperature = sampling.temperature
        return Sampling(
            temperature=temperature if sampling.greedy else max(temperature, MIN_TEMPERATURE),
            top_p=sampling.top_p,
            top_k=min(sampling.top_k, top_k) if sampling.top_k > 0 else top_k,
            min_p=sampling.min_p,
        )

    def request_seed(self) -> int | None:
        """The client's seed for the first request; later ones differ, so that their draws are independent."""
        seed = self.request.sampling.seed
        if seed is None or not self.generated:
            return seed
        return int(_rng(seed, len(self.generated)).integers(2**32))

    def choose(self, drafted: Drafted, local: npt.NDArray[np.float32]) -> Token:
        """Steer one position and choose. `local` [2, V]: context-aware and context-agnostic logprobs."""
        request, ids = self.request, drafted.candidates
        steered = steer(drafted.logprobs, local_delta(local, ids), request.strength)
        scores = penalise(steered, ids, request.sampling, self.seen)
        target = distribution(scores, request.sampling)
        if request.sampling.greedy:
            chosen = int(np.argmax(target))
        else:
            index = int(np.flatnonzero(ids == drafted.token_id)[0])
            draft = distribution(drafted.logprobs, self.draft_sampling())
            chosen = accept_or_resample(index, draft, target, self.rng)
        return self.emit(int(ids[chosen]), drafted, log_softmax(scores), chosen)

    def emit(self, token_id: int, drafted: Drafted, logprobs: FloatArray, index: int) -> Token:
        self.generated.append(token_id)
        self.seen.add(token_id)
        self.stats.tokens += 1
        self.stats.changed += token_id != drafted.token_id
        finish_reason = None
        if token_id in self.request.eos_ids or (drafted.ends and token_id == drafted.token_id):
            finish_reason = "stop"
        elif len(self.generated) >= self.request.max_tokens:
            finish_reason = "length"
        return Token(
            token_id, drafted.token_id, float(logprobs[index]), drafted.candidates, logprobs, finish_reason
        )


def _rng(seed: int | None, purpose: int) -> np.random.Generator:
    """Random numbers that no other purpose of the same seed draws, the remote's own use of it included.

    Were acceptance to reuse the numbers that a draft was drawn with, it would depend on the draft.
    """
    if seed is None:
        return np.random.default_rng()
    return np.random.default_rng(np.random.SeedSequence(seed % 2**64, spawn_key=(purpose,)))


def local_delta(local: npt.NDArray[np.float32], ids: IntArray) -> FloatArray:
    """log p_S(v | u, x, y<t) - log p_S(v | x, y<t) of candidates `ids` [K], from `local` [2, V].

    Ids past the local vocabulary (a remote's padding) get 0: nothing is known of them.
    """
    known = ids < local.shape[1]
    columns = local[:, np.where(known, ids, 0)].astype(np.float64)
    return np.where(known, columns[0] - columns[1], 0.0)


async def decode(
    request: Request, *, remote: RemoteModel, local: LocalModel | None, stats: Stats
) -> AsyncGenerator[Token, None]:
    """The reply, token by token; the last one carries a finish_reason.

    Steered when the request has both local prompts and a strength, else the remote's own text. Raises what
    the remote and the local model raise. Closing the iterator frees both at once.
    """
    if not request.steered or local is None:
        async with aclosing(_unsteered(request, remote, stats)) as tokens:
            async for token in tokens:
                yield token
        return
    assert request.aware is not None and request.agnostic is not None  # noqa: S101  # what `steered` says
    async with (
        local.session(request.aware, request.agnostic) as session,
        aclosing(_steered(request, remote, session, stats)) as tokens,
    ):
        async for token in tokens:
            yield token


async def _unsteered(request: Request, remote: RemoteModel, stats: Stats) -> AsyncGenerator[Token, None]:
    """The remote's own text, drawn by the remote with the client's own sampling fields."""
    reply = _Reply(request, stats, np.random.default_rng())
    stats.remote_requests += 1
    stream = remote.draft(
        request.prompt,
        sampling=request.sampling,
        top_logprobs=request.top_logprobs,
        max_tokens=request.max_tokens,
    )
    async with aclosing(stream) as positions:
        async for position in positions:
            stats.drafted += 1
            index = int(np.flatnonzero(position.candidates == position.token_id)[0])
            token = reply.emit(position.token_id, position, position.logprobs, index)
            yield token
            if token.finish_reason:
                return


async def _steered(
    request: Request, remote: RemoteModel, session: LocalSession, stats: Stats
) -> AsyncGenerator[Token, None]:
    reply = _Reply(request, stats, _rng(request.sampling.seed, 0))
    reply.seen = Seen(prompt=frozenset(request.prompt))
    rows = np.empty((2, 0, 0), np.float32)  # local logprobs of positions first, first + 1, ...
    first = 0
    while True:
        stats.remote_requests += 1
        draft = Draft(
            remote.draft(
                [*request.prompt, *reply.generated],
                sampling=replace(reply.draft_sampling(), seed=reply.request_seed()),
                top_logprobs=request.top_logprobs,
                max_tokens=min(request.draft_length, request.max_tokens - len(reply.generated)),
            )
        )
        try:
            agreed = True
            while agreed:
                position = len(reply.generated)
                if position >= first + rows.shape[1]:
                    if request.verify_batch and position:
                        await draft.gather(request.verify_batch)
                    speculative = [d.token_id for d in draft.pending]
                    rows = await session.score([*reply.generated, *speculative], position)
                    first = position
                    stats.local_passes += 1
                elif not await draft.gather(1):
                    break
                else:
                    drafted = draft.pending.popleft()
                    token = reply.choose(drafted, rows[:, position - first])
                    agreed = token.token_id == drafted.token_id
                    if not agreed:
                        rows = rows[:, : position - first + 1]
                    yield token
                    if token.finish_reason:
                        return
            if draft.read == 0:
                raise RemoteError("The remote ended its reply without drafting a token.")
        finally:
            stats.drafted += draft.read
            await draft.close()
