"""Several remotes of one model as one: the first that works is used, and the next one when it fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from app.errors import (
    CoSteerError,
    RateLimited,
    RemoteError,
    RemoteTimeout,
    RemoteUnavailable,
    RemoteUnreachable,
)
from app.local.engine.owner import Owner
from app.prompts.message import Message, Tool
from app.remote.beginning import Begun
from app.remote.interface import (
    DraftToken,
    Forward,
    Forwarded,
    Handover,
    ModelCard,
    RemoteModel,
    RemoteVocabulary,
    Said,
    State,
    counted,
    in_session,
    names_sessions,
)
from app.remote.replica import Replica, fails
from app.remote.replicas import Replicas, Tried, all_failed
from app.steering.sampling import SamplingParams

T = TypeVar("T")


class SeveralRemotes:
    """Implements RemoteModel over `replicas`. A reply stays with the one that it began at as long as that
    works: its prefix cache has the reply so far.

    A request is tried at each remote that works before its error is raised. A draft or a reply that breaks
    off is not begun again here: RetryingRemote goes on from what came.
    """

    def __init__(self, replicas: Replicas, *, keeps: bool = False, session: str | None = None) -> None:
        """`keeps`: whether it stays with the one that answers first. `session`: of which conversation its
        requests are."""
        self.replicas = replicas
        self._keeps = keeps
        self._session = session
        self._kept: Replica | None = None

    passes_on = True

    def kept_for(self, owner: Owner | None) -> RemoteModel:
        """The same for one reply, which stays with one of them. None is told whose reply it is."""
        return SeveralRemotes(self.replicas, keeps=True, session=self._session)

    @property
    def names_sessions(self) -> bool:
        """See NamesSessions."""
        return any(names_sessions(one.remote) for one in self.replicas.all)

    def in_session(self, session: str) -> RemoteModel:
        """See NamesSessions."""
        return SeveralRemotes(self.replicas, keeps=self._keeps, session=session)

    def states(self) -> list[State]:
        """See HasReplicas."""
        return [one.state for one in self.replicas.all]

    async def card(self) -> ModelCard:
        """See RemoteModel; `max_model_len` is the least of theirs."""
        known = self.replicas.card
        if known is None:
            await self._ask(lambda remote: remote.card())
            known = self.replicas.card
        assert known is not None  # noqa: S101  # one has been asked
        return known

    async def cards(self, *, fresh: bool = True) -> list[ModelCard]:
        return await self._ask(lambda remote: remote.cards(fresh=fresh))

    async def tokenize(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        opens: bool = True,
    ) -> list[int]:
        return await self._ask(
            lambda remote: remote.tokenize(messages, continue_final=continue_final, tools=tools, opens=opens)
        )

    async def tokenize_text(self, text: str) -> list[int]:
        return await self._ask(lambda remote: remote.tokenize_text(text))

    async def count(self, public: str | Sequence[Message]) -> int | None:
        """See CountsTokens."""
        return await self._ask(lambda remote: counted(remote, public))

    async def vocabulary(self) -> RemoteVocabulary:
        return await self._ask(lambda remote: remote.vocabulary())

    def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        return self._stream(
            lambda remote: remote.draft(
                prompt, sampling=sampling, top_logprobs=top_logprobs, max_tokens=max_tokens
            )
        )

    def take_over(self, handover: Handover) -> AsyncGenerator[Said, None]:
        return self._stream(lambda remote: remote.take_over(handover))

    async def forward(self, request: Forward) -> Forwarded:
        """See RemoteModel. What has lasting effects is sent again only where nothing of it was sent, and
        nothing is once a part of the answer is out."""
        tried: Tried = {}
        while (replica := await self.replicas.take(tried, self._kept)) is not None:
            try:
                answer = await self._asked(replica).forward(request)
                if request.lasting:
                    return answer
                begun = Begun(answer, request)
                await begun.begin()
            except CoSteerError as error:
                # What a client wrote may fail, or take too long, at every remote: they do not rest for that
                # alone, but one that hangs must not be the first for ever.
                if isinstance(error, RateLimited | RemoteUnavailable):
                    self.replicas.failed(replica, error)
                elif fails(error):
                    self.replicas.doubt(replica)
                tried[replica.number] = error
                again = isinstance(error, RemoteUnreachable) or not request.lasting
                if not again or not fails(error) or isinstance(error, RemoteTimeout):
                    raise
                continue
            if (failure := begun.failure) is None:
                return begun
            self.replicas.doubt(replica)
            tried[replica.number] = failure
            if not self.replicas.free(tried):
                return begun
            await begun.aclose()
        raise all_failed(tried)

    async def _ask(self, request: Callable[[RemoteModel], Awaitable[T]]) -> T:
        tried: Tried = {}
        while (replica := await self.replicas.take(tried, self._kept)) is not None:
            try:
                answer = await request(self._asked(replica))
            except CoSteerError as error:
                self._tried(replica, error, tried)
            else:
                self._works(replica)
                return answer
        raise all_failed(tried)

    async def _stream(
        self, request: Callable[[RemoteModel], AsyncGenerator[T, None]]
    ) -> AsyncGenerator[T, None]:
        tried: Tried = {}
        while (replica := await self.replicas.take(tried, self._kept)) is not None:
            begun = False
            try:
                async with aclosing(request(self._asked(replica))) as pieces:
                    async for piece in pieces:
                        if not begun:
                            begun = True
                            self._works(replica)
                        yield piece
            except CoSteerError as error:
                self._tried(replica, error, tried)
                if begun:
                    if isinstance(error, RemoteError):
                        error.elsewhere = self.replicas.free(tried)
                    raise
            else:
                return
        raise all_failed(tried)

    def _asked(self, replica: Replica) -> RemoteModel:
        return in_session(replica.remote, self._session)

    def _tried(self, replica: Replica, error: CoSteerError, tried: Tried) -> None:
        """Note a failure of the remote's. Raises any other `error`, but for a reply that another one had
        taken: then it is not the request that is wrong, and this one may well take others."""
        if fails(error):
            self.replicas.failed(replica, error)
        elif self._kept is None or self._kept is replica:
            raise error
        tried[replica.number] = error

    def _works(self, replica: Replica) -> None:
        replica.works()
        self._kept = replica if self._keeps else None
