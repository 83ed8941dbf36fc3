"""Draft and verify: the remote drafts a stream, the device steers each position and keeps what agrees.

One remote request per token would cost a round trip each. Instead a request drafts many; a drafted token is
emitted while the steered choice agrees with it, and at the first disagreement the choice is emitted, the
stream is closed and the next request goes on from everything accepted. Only the public prompt's token ids
and the accepted ones are ever handed to the remote.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from app.chooser import Chooser, Request, Token
from app.draft import Draft, RemoteModel
from app.errors import RemoteError
from app.prompts import PrivatePrompt
from app.stats import Stats


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
    chooser = Chooser(request, stats)
    stats.remote_requests += 1
    stream = remote.draft(
        request.prompt,
        sampling=request.sampling,
        top_logprobs=request.top_logprobs,
        max_tokens=request.max_tokens,
    )
    async with aclosing(stream) as positions:
        while True:
            with stats.spending("remote"):
                drafted = await anext(positions, None)
            if drafted is None:
                return
            stats.drafted += 1
            token = chooser.keep(drafted)
            yield token
            if token.finish_reason:
                return


async def _steered(
    request: Request, remote: RemoteModel, session: LocalSession, stats: Stats
) -> AsyncGenerator[Token, None]:
    chooser = Chooser(request, stats)
    rows = np.empty((2, 0, 0), np.float32)  # local logprobs of positions first, first + 1, ...
    first = 0
    while True:
        stats.remote_requests += 1
        draft = Draft(
            remote.draft(
                [*request.prompt, *chooser.generated],
                sampling=replace(chooser.draft_sampling(), seed=chooser.request_seed()),
                top_logprobs=request.top_logprobs,
                max_tokens=min(request.draft_length, request.max_tokens - len(chooser.generated)),
            )
        )
        try:
            agreed = True
            while agreed:
                position = len(chooser.generated)
                # A thought is not steered. The prompt is read all the same, while the remote reads it too.
                unscored = position >= first + rows.shape[1] and (not chooser.thinking or position == 0)
                if unscored:
                    if request.verify_batch and position:
                        with stats.spending("remote"):
                            await draft.gather(request.verify_batch)
                    speculative = [d.token_id for d in draft.pending]
                    with stats.spending("local"):
                        rows = await session.score([*chooser.generated, *speculative], position)
                    first = position
                    stats.local_passes += 1
                    continue
                with stats.spending("remote"):
                    pending = await draft.gather(1)
                if not pending:
                    break
                drafted = draft.pending.popleft()
                with stats.spending("steering"):
                    local = None if chooser.thinking else rows[:, position - first]
                    token = chooser.choose(drafted, local)
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
            with stats.spending("remote"):
                await draft.close()
