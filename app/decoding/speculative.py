"""Speculative decoding: the remote streams a draft, the device steers each position and accepts what agrees.

One remote request per token would cost a round trip each. Instead one request drafts many tokens. A draft
token is accepted while the steered choice agrees with it; at the first rejection the steered choice is
emitted in its place, the stream is closed, and the next request continues from all emitted tokens. Only the
token ids of the public prompt and the emitted ones are ever sent to the remote.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import islice

from app.decoding.acceptance import Acceptance
from app.decoding.draft import DraftStream
from app.decoding.pace import Pace, draft_length, long_enough
from app.decoding.request import DecodeRequest, Token
from app.decoding.retry import RetryingRemote
from app.decoding.scorer import LocalScorer
from app.decoding.stats import Stats
from app.decoding.verifier import Verifier
from app.errors import RemoteError, TrustedError
from app.local.engine.pass_cost import worth_scoring, worth_waiting
from app.local.interface import LocalLogprobs, LocalModel, LocalSession, Wanted
from app.remote.interface import DraftToken, RemoteModel
from app.steering.candidates import UNLISTED
from app.steering.strength import AUTO

# Seconds after which a server of the local model that failed is asked again, in the same reply.
REST_SECONDS = 1.0


async def decode(
    request: DecodeRequest, *, remote: RemoteModel, local: LocalModel | None, stats: Stats
) -> AsyncGenerator[Token, None]:
    """The reply, token by token; the last one carries a finish_reason, unless the remote calls a tool: then
    the stats say so, and the reply ends before the call.

    Steered when the request has contrasts and a strength, else the remote's own text, as far as a grammar
    lets it. Raises what the remote and the local model raise, and InvalidRequest where the grammar takes too
    much work. Closing the iterator releases both models at once.
    """
    if (not request.steered or local is None) and request.grammar is not None:
        async with aclosing(_Steering(request, remote, None, stats).tokens()) as tokens:
            async for token in tokens:
                yield token
        return
    if not request.steered or local is None:
        async with aclosing(_unsteered(request, remote, stats)) as tokens:
            async for token in tokens:
                yield token
        return
    async with (
        local.session(request.contrasts) as session,
        aclosing(_Steering(request, remote, session, stats).tokens()) as tokens,
    ):
        async for token in tokens:
            yield token


async def _unsteered(
    request: DecodeRequest, remote: RemoteModel, stats: Stats
) -> AsyncGenerator[Token, None]:
    """The remote's own text, sampled by the remote with the client's own sampling fields."""
    verifier = Verifier(request, stats)
    stats.remote_requests += 1
    stream = RetryingRemote(remote, request.config.patience, stats).draft(
        request.prompt,
        sampling=request.sampling,
        top_logprobs=request.config.top_logprobs,
        max_tokens=request.max_tokens,
    )
    async with aclosing(stream) as positions:
        while True:
            with stats.spending("remote"):
                drafted = await anext(positions, None)
            if drafted is None:
                return
            stats.drafted += 1
            token = verifier.keep(drafted)
            yield token
            if token.finish_reason:
                return


class _Steering:
    """One steered reply: its draft stream, the local model's scores, and the verifier that uses both."""

    def __init__(
        self, request: DecodeRequest, remote: RemoteModel, session: LocalSession | None, stats: Stats
    ) -> None:
        """Without a `session` nothing steers, and the verifier has the grammar alone."""
        self._request = request
        self._remote = RetryingRemote(remote, request.config.patience, stats)
        self._session = session
        self._stats = stats
        self._verifier = Verifier(request, stats)
        self._news = asyncio.Event()  # a draft token has arrived, or a local pass has ended
        self._scorer = LocalScorer(session, stats, self._news) if session is not None else None
        self._barred: Sequence[int] = ()  # the tokens of which the current draft is one: all that are allowed
        self._ahead = session is not None and session.ahead
        self._behind = self._failed = False  # the local model: lagging for now, failed for good
        self._rests_until, self._ended = 0.0, 0  # when it is asked again, and the passes before it failed
        self._acceptance = Acceptance()
        self._pace = Pace()
        self._began = stats.clock()
        self._draft = self._ask()

    async def tokens(self) -> AsyncGenerator[Token, None]:
        """The reply's tokens. Both models are set to work on what comes next before a token is yielded."""
        try:
            while True:
                self._score()
                drafted = await self._next()
                if self._stats.called:
                    return
                if drafted is None:
                    await self._ask_again()
                    continue
                if not self._barred and (barred := self._verifier.barred(drafted)):
                    await self._ask_for_one(barred)
                    continue
                tokens = self._choose(drafted)
                finished = tokens[-1].finish_reason is not None
                if not finished:
                    rejected = tokens[0].token_id != drafted.token_id or len(tokens) > 1
                    self._score(anew=rejected)
                    if rejected:
                        await self._ask_again()
                for token in tokens:
                    yield token
                if finished:
                    return
        finally:
            if self._scorer is not None:
                self._scorer.stop()
            await self._end_draft()

    async def _next(self) -> DraftToken | None:
        """The next draft token, once it can be verified; None when the draft has ended before it, or when it
        begins a call, as the stats then say."""
        deadline: float | None = None
        while True:
            drafted = self._draft.pending[0] if self._draft.pending else None
            begins = self._verifier.begins_call(self._draft.pending) if drafted is not None else False
            if begins:
                self._stats.called = True
                return None
            if begins is None and self._draft.ended:
                if len(self._draft.pending) < self._draft.read:
                    return None  # what is left is too short to tell: the next draft is longer
                begins = False  # the remote drafts no more than this
            if (
                drafted is not None
                and begins is False
                and (self._barred or self._verifier.unsteered(drafted) or self._heard())
            ):
                return self._draft.pending.popleft()
            if drafted is None and self._draft.ended:
                self._draft.check()
                if self._draft.read == 0:
                    raise RemoteError("The remote ended its reply without drafting a token.")
                return None
            if drafted is not None and deadline is None and self._request.config.local_patience is not None:
                deadline = asyncio.get_running_loop().time() + self._request.config.local_patience
            self._news.clear()
            with self._stats.spending("remote" if drafted is None or begins is None else "local"):
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._news.wait()
                except TimeoutError:
                    self._behind, self._ended = True, self._scorer.ended if self._scorer is not None else 0
                    self._stats.mishap = self._stats.mishap or "the local model lagged behind"
            self._score()

    def _heard(self) -> bool:
        """Whether the local model has scored the current position, or is not waited for."""
        if self._scorer is None:
            return True
        if self._scored() is not None:
            self._behind = False
            return True
        if self._behind and self._scorer.ended > self._ended and not self._ahead:
            # It is back, though not for this position: one that scores nothing ahead would never be again.
            self._behind = False
            self._score()
        return self._behind or self._failed

    def _choose(self, drafted: DraftToken) -> list[Token]:
        """The token of a position, or those of a placeholder."""
        with self._stats.spending("steering"):
            position = len(self._verifier.generated)
            if self._barred:
                return [self._keep(drafted)]
            own = self._verifier.unsteered(drafted)
            local = None if own else self._scored()
            self._stats.unassisted += local is None and not own and self._scorer is not None
            chosen = self._verifier.choose(drafted, local)
            tokens = [chosen] if isinstance(chosen, Token) else self._verifier.place(chosen)
            accepted = tokens[0].token_id == drafted.token_id and len(tokens) == 1
            if local is not None:
                self._acceptance.observe(drafted, accepted=accepted)
            if not accepted:
                self._diverged(position)
            return tokens

    def _keep(self, drafted: DraftToken) -> Token:
        """Emit the one token that was asked for among those that a grammar allows."""
        if drafted.token_id not in self._barred and not drafted.ends:
            raise RemoteError("The remote drafts other tokens than allowed_token_ids has; is it a vLLM?")
        self._barred = ()
        return self._verifier.keep(drafted)

    def _diverged(self, position: int) -> None:
        """The token at `position` is not the drafted one: discard what was drafted and scored after it."""
        if self._scorer is not None:
            self._scorer.diverged(position)
        self._draft.pending.clear()

    def _scored(self) -> LocalLogprobs | None:
        if self._scorer is None:
            return None
        try:
            return self._scorer.at(len(self._verifier.generated))
        except Exception as error:
            if self._request.config.local_patience is None:
                raise
            if isinstance(error, TrustedError):  # its server may come back
                self._behind, self._ended = True, self._scorer.ended
                self._rests_until = asyncio.get_running_loop().time() + REST_SECONDS
            else:
                self._failed = True
            self._stats.mishap = f"the local model failed ({type(error).__name__})"
            return None

    def _score(self, *, anew: bool = False) -> None:
        """Start a local pass over new draft tokens, if one is wanted and none is under way. `anew`: a new
        draft is about to be asked for."""
        pending, position = self._draft.pending, len(self._verifier.generated)
        if self._scorer is None or self._session is None:
            return
        if self._scored() is not None or self._scorer.running or self._failed or self._barred:
            return
        if asyncio.get_running_loop().time() < self._rests_until:
            return
        # Reasoning is not steered. The prompt is prefilled all the same, while the remote prefills its own.
        if position and (self._verifier.thinking or (pending and self._verifier.unsteered(pending[0]))):
            return
        gathered = len(pending) >= self._request.config.verify_batch or (pending and self._draft.ended)
        unread = anew or not self._draft.read
        if position and (not gathered or (unread and self._soon())):
            return
        if not (self._ahead or pending) and self._scorer.started:
            return  # the prompts are read, and nothing is known to score
        following = len(pending) if self._ahead else max(0, len(pending) - 1)
        chances = [self._acceptance.expected(one) for one in islice(pending, following)]
        count = worth_scoring(chances, self._session.cost, self._session.prompts)
        self._scorer.start(
            self._verifier.generated,
            [pending[i].token_id for i in range(count)],
            Wanted(
                [one.candidates for one in islice(pending, count + 1)],
                UNLISTED if self._request.strength == AUTO else 0,
            ),
        )

    def _soon(self) -> bool:
        """Whether to wait for a request's first draft token. A draft of one has no second to judge."""
        if self._request.config.draft_length == 1 or self._session is None:
            return False
        acceptance = self._acceptance.share(-1.0)  # at worst: it must not be slower for it
        return worth_waiting(self._pace.wait, acceptance, self._session.cost, self._session.prompts)

    def _ask(self) -> DraftStream:
        """Request a draft that continues from all emitted tokens."""
        request, generated, barred = self._request, self._verifier.generated, tuple(self._barred)
        least = request.calls.longest if request.calls is not None else 0
        self._stats.remote_requests += 1
        stream = self._remote.draft(
            [*request.prompt, *generated],
            sampling=replace(
                self._verifier.draft_sampling(),
                seed=self._verifier.request_seed(),
                allowed_token_ids=barred,
            ),
            top_logprobs=request.config.top_logprobs,
            max_tokens=1 if barred else min(max(self._wanted(), least), request.max_tokens - len(generated)),
        )
        return DraftStream(stream, self._news, self._pace, self._stats.clock)

    def _wanted(self) -> int:
        """How many draft tokens to ask for. Where they are scored as fast as they arrive, a stream is closed
        in time, and a long draft costs nothing."""
        stats, config, gap = self._stats, self._request.config, self._pace.gap
        if self._request.sampling.seed is not None and not self._request.sampling.greedy:
            # Each request draws by a seed of its own: the same reply is cut at the same places, by no clock.
            return config.draft_length
        longest, run = config.draft_length, (stats.clock() - self._began) / (stats.changed + 1)
        if config.longest_draft is not None:
            share, more = self._acceptance.share(0.0), self._pace.again - (gap or 0.0)
            longest = long_enough(longest, config.longest_draft, share, more, run)
        if self._session is None:
            return longest
        kept_up = gap is None or self._session.cost.seconds(self._session.prompts) <= gap
        if kept_up or self._verifier.thinking:
            return longest
        return draft_length(longest, self._acceptance.share(1.0), self._pace.wait, run)

    async def _ask_for_one(self, barred: Sequence[int]) -> None:
        """Ask for one of these tokens: none that the remote lists is allowed."""
        self._barred = barred
        self._diverged(len(self._verifier.generated))
        await self._ask_again()

    async def _ask_again(self) -> None:
        await self._end_draft()
        self._draft = self._ask()

    async def _end_draft(self) -> None:
        self._stats.drafted += self._draft.read
        with self._stats.spending("remote"):
            await self._draft.close()
