"""What a remote drafts: its positions, the remote's interface, and a reader that works in the background."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import anyio

from app.forward import Forward, Forwarded
from app.owner import Owner
from app.prompts import Message
from app.sampling import Sampling
from app.steering import FloatArray, IntArray

# vLLM draws as if the temperature were no lower than this unless it is zero (vllm 0.32, SamplingParams).
MIN_TEMPERATURE = 0.01


@dataclass(frozen=True, slots=True)
class Drafted:
    """One position of the remote's draft.

    `candidates` [K] are token ids and `logprobs` [K] their raw log-probabilities in nats, before any
    temperature; the drafted token is among them. `ends` marks the remote's own end of the reply.
    """

    token_id: int
    candidates: IntArray
    logprobs: FloatArray
    ends: bool = False


@dataclass(frozen=True)
class RemoteCard:
    """A model as the remote lists it; `max_model_len` is prompt plus reply in tokens, None if unsaid, and
    `created` is in Unix time, 0 if unsaid."""

    id: str
    max_model_len: int | None
    created: int = 0
    owned_by: str = "remote"


class RemoteModel(Protocol):
    """A model that drafts. It is handed the public conversation, accepted tokens, what a client asks to be
    passed on, and nothing else."""

    @property
    def passes_on(self) -> bool:
        """Whether there is a server behind it that takes a client's own requests; see `forward`."""
        ...

    async def card(self) -> RemoteCard:
        """The model in use: the one that is steered."""
        ...

    async def cards(self, *, fresh: bool = True) -> list[RemoteCard]:
        """All models that the remote lists; not `fresh`, as it listed them when it was last asked."""
        ...

    async def tokenize(self, messages: Sequence[Message], *, continue_final: bool = False) -> list[int]:
        """Prompt ids of the public conversation, open for the assistant's reply; with `continue_final` its
        last message is open instead, to be continued."""
        ...

    async def tokenize_text(self, text: str) -> list[int]:
        """Token ids of plain text, with no special tokens."""
        ...

    def draft(
        self, prompt: Sequence[int], *, sampling: Sampling, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[Drafted, None]:
        """Drafted positions as they arrive, at most `max_tokens`; closing the iterator ends the request."""
        ...

    async def forward(self, request: Forward) -> Forwarded:
        """The answer to a client's own request; raises Unsupported when the remote takes none."""
        ...


@runtime_checkable
class KeepsPrompts(Protocol):
    """A remote in this process, which keeps what it computes of prompts. A server of its own is not told for
    whom it drafts."""

    def kept_for(self, owner: Owner | None) -> RemoteModel:
        """The same model, which finds what it keeps for this owner alone."""
        ...


def kept_for(remote: RemoteModel, owner: Owner | None) -> RemoteModel:
    """The remote, with what it keeps of prompts kept for this owner, if it keeps any."""
    return remote.kept_for(owner) if isinstance(remote, KeepsPrompts) else remote


class Draft:
    """One remote request, read in the background so that the local model can work meanwhile."""

    def __init__(self, stream: AsyncGenerator[Drafted, None], news: asyncio.Event) -> None:
        """`news` is set whenever a position has arrived, and when the request has ended."""
        self.pending: deque[Drafted] = deque()
        self.read = 0
        self.ended = False
        self._error: Exception | None = None
        self._news = news
        # anyio's cancellation and not the task's own: httpx shields its clean-up from the former only, and
        # a connection whose clean-up is cut short stays in the pool for good.
        self._scope = anyio.CancelScope()
        self._task = asyncio.create_task(self._run(stream))

    async def _run(self, stream: AsyncGenerator[Drafted, None]) -> None:
        try:
            with self._scope:
                async with aclosing(stream) as positions:
                    async for position in positions:
                        self.pending.append(position)
                        self.read += 1
                        self._news.set()
        except Exception as error:  # raised by check(), in its place in the stream
            self._error = error
        finally:
            self.ended = True
            self._news.set()

    def check(self) -> None:
        """Raise the error that ended the request, once everything that came before it has been used."""
        if not self.pending and self._error is not None:
            raise self._error

    async def close(self) -> None:
        """End the request; returns once its connection is closed, even when the caller is being cancelled."""
        self._scope.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])
