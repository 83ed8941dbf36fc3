"""A remote that is played back from a recording, at a distance and a pace of one's choice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager

from app.decoding.stats import Clock
from app.errors import InvalidRequest, RemoteError, RemoteUnavailable, Unsupported
from app.evaluation.speed.recording import Question, Recording, chat_question, text_question
from app.prompts.message import Message, Tool
from app.remote.interface import (
    DraftToken,
    Forward,
    Forwarded,
    Handover,
    ModelCard,
    RemoteModel,
    RemoteVocabulary,
    Said,
)
from app.remote.simulated import Pace, Sleep
from app.steering.sampling import SamplingParams

# Tokens that are recorded at once. A draft is read on past a rejection for as long as the local model takes
# to find it, and which positions these are depends on the pace.
AHEAD = 16
GREEDY = SamplingParams(temperature=0.0)


class ReplayRemote:
    """Takes the time of a vLLM that is `rtt` away and takes `pace` for a token, both in seconds; none of it
    is processor time.

    An answer takes one `rtt`, the first token of a draft `rtt` and `pace`, each later one another `pace`: as
    with FarTransport, on connections that are open already and with the prompt in the prefix cache. What the
    recording does not hold is asked of `remote`, which takes time of its own, and counted in
    `recording.missed`; with everything recorded `remote` need not be there.
    """

    def __init__(
        self,
        remote: RemoteModel,
        recording: Recording,
        *,
        top_logprobs: int,
        rtt: float,
        pace: float,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._remote = remote
        self._recording = recording
        self._top_logprobs = top_logprobs
        self._rtt = rtt
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._asking = asyncio.Lock()
        self._recordings: set[asyncio.Task[None]] = set()

    passes_on = False

    async def card(self) -> ModelCard:
        """The recorded model. Raises InvalidRequest where `remote` has come to serve another one."""
        async with self._asking:
            if self._recording.card is None:
                with self._missing():
                    self._recording.begin(await self._remote.card(), self._top_logprobs)
        assert self._recording.card is not None  # noqa: S101  # it has begun
        return self._recording.card

    async def cards(self, *, fresh: bool = True) -> list[ModelCard]:
        """That model alone."""
        return [await self.card()]

    async def tokenize(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        opens: bool = True,
    ) -> list[int]:
        """See RemoteModel."""
        return await self._tokens(
            chat_question(messages, continue_final=continue_final, tools=tools, opens=opens),
            lambda: self._remote.tokenize(messages, continue_final=continue_final, tools=tools, opens=opens),
        )

    async def tokenize_text(self, text: str) -> list[int]:
        """See RemoteModel."""
        return await self._tokens(text_question(text), lambda: self._remote.tokenize_text(text))

    async def vocabulary(self) -> RemoteVocabulary:
        """See RemoteModel; by its tokens' bytes, whatever `remote` has."""
        await self.card()
        async with self._asking:
            if self._recording.vocabulary is None:
                with self._missing():
                    await self._check()
                    self._recording.add_vocabulary(await self._remote.vocabulary())
        assert self._recording.vocabulary is not None  # noqa: S101  # it was added
        return self._recording.vocabulary

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        """The recorded draft tokens, each when it is due; closing the iterator ends it at once.

        Raises InvalidRequest for sampling that is not greedy: the draft token is not determined then.
        """
        if not sampling.greedy or top_logprobs != self._top_logprobs:
            raise InvalidRequest(
                f"{self._recording.path} holds greedy drafts of {self._top_logprobs} candidates, and others "
                "are asked for. Leave out --temperature, or name another file with --replay."
            )
        asked = self._clock()
        await self.card()
        pace = Pace(self._pace, asked + self._rtt, self._clock, self._sleep)
        before, place = list(prompt), self._recording.position(prompt)
        for _ in range(max_tokens):
            await pace.wait()
            if place.drafted is None:
                await self._record(before)
                pace = Pace(self._pace, self._clock(), self._clock, self._sleep)
            drafted = place.drafted
            assert drafted is not None  # noqa: S101  # it was recorded
            yield drafted
            if drafted.ends:
                return
            before.append(drafted.token_id)
            place = place.after(drafted.token_id)

    def take_over(self, handover: Handover) -> AsyncGenerator[Said, None]:
        """Raise Unsupported: a recording holds drafts, and nothing else."""
        raise Unsupported("tools are not supported by a recording. Leave them out.", param="tools")

    async def forward(self, request: Forward) -> Forwarded:
        """Raise Unsupported: a recording holds drafts, and nothing else."""
        raise Unsupported(f"{request.what} is not supported by a recording. Leave it out.")

    async def _tokens(self, question: Question, ask: Callable[[], Awaitable[list[int]]]) -> list[int]:
        await self.card()
        async with self._asking:
            if (found := self._recording.tokens(question)) is None:
                with self._missing():
                    await self._check()
                    found = await ask()
                self._recording.add_tokens(question, found)
                return found
        if self._rtt:
            await self._sleep(self._rtt)
        return found

    async def _record(self, before: Sequence[int]) -> None:
        """Record the draft after these token ids, at most AHEAD tokens of it.

        It goes on when its reply does not want it any more: written again, the reply may come this far again.
        Until it has ended all other requests wait, so that it takes no time from a reply that lacks nothing.
        """
        recording = asyncio.create_task(self._recorded(tuple(before)))
        self._recordings.add(recording)
        recording.add_done_callback(self._recordings.discard)
        await asyncio.shield(recording)

    async def _recorded(self, before: Sequence[int]) -> None:
        place = self._recording.position(before)
        async with self._asking:
            with self._missing():
                card = await self._check()
                if place.drafted is not None:  # another reply has asked for it meanwhile
                    return
                room = card.max_model_len - len(before) if card.max_model_len else AHEAD
                stream = self._remote.draft(
                    before,
                    sampling=GREEDY,
                    top_logprobs=self._top_logprobs,
                    max_tokens=max(1, min(AHEAD, room)),
                )
                drafted: list[DraftToken] = []
                try:
                    async with aclosing(stream) as positions:
                        async for position in positions:
                            drafted.append(position)  # noqa: PERF401  # see below
                finally:  # what has arrived is kept, also when the benchmark is broken off
                    self._recording.add_draft(before, drafted)
        if place.drafted is None:
            raise RemoteError("The remote ended its reply without drafting a token.")

    async def _check(self) -> ModelCard:
        """The card of `remote`, which must be the recorded model's: the file holds one model's answers."""
        card = await self._remote.card()
        self._recording.check(model=card.id, top_logprobs=self._top_logprobs)
        return card

    @contextmanager
    def _missing(self) -> Iterator[None]:
        """Count an answer as missing, and say in the error of a remote that is not there why it is asked."""
        self._recording.missed += 1
        try:
            yield
        except RemoteUnavailable as error:
            raise RemoteUnavailable(
                f"{self._recording.path} does not hold all that is asked for here, so the remote is needed. "
                f"{error.message}"
            ) from error
