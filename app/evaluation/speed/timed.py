"""A wrapper around a remote that times each draft request to its first token."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from app.decoding.stats import Clock
from app.local.engine.owner import Owner
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
    kept_for,
)
from app.steering.sampling import SamplingParams


class TimedRemote:
    """Delegates everything to `remote`."""

    def __init__(self, remote: RemoteModel, clock: Clock) -> None:
        self._remote = remote
        self._clock = clock
        self._waits: list[float] = []

    def taken(self) -> list[float]:
        """Seconds from request to first draft token, of each draft request since the last call of this.

        A request that was closed before its first draft token is left out.
        """
        waits = self._waits.copy()
        self._waits.clear()
        return waits

    def kept_for(self, owner: Owner | None) -> TimedRemote:
        """Its waits are among this one's."""
        other = TimedRemote(kept_for(self._remote, owner), self._clock)
        other._waits = self._waits
        return other

    @property
    def passes_on(self) -> bool:
        return self._remote.passes_on

    async def card(self) -> ModelCard:
        return await self._remote.card()

    async def cards(self, *, fresh: bool = True) -> list[ModelCard]:
        return await self._remote.cards(fresh=fresh)

    async def tokenize(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        opens: bool = True,
    ) -> list[int]:
        return await self._remote.tokenize(messages, continue_final=continue_final, tools=tools, opens=opens)

    async def tokenize_text(self, text: str) -> list[int]:
        return await self._remote.tokenize_text(text)

    async def vocabulary(self) -> RemoteVocabulary:
        return await self._remote.vocabulary()

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        asked: float | None = self._clock()
        stream = self._remote.draft(
            prompt, sampling=sampling, top_logprobs=top_logprobs, max_tokens=max_tokens
        )
        async with aclosing(stream) as positions:
            async for position in positions:
                if asked is not None:
                    self._waits.append(self._clock() - asked)
                    asked = None
                yield position

    def take_over(self, handover: Handover) -> AsyncGenerator[Said, None]:
        return self._remote.take_over(handover)

    async def forward(self, request: Forward) -> Forwarded:
        return await self._remote.forward(request)
