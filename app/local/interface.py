"""The local model as decoding sees it: sessions over both prompts, and what they say of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.prompts.private import PrivatePrompt
from app.steering.formula import FloatArray, IntArray, Rows


class LocalSession(Protocol):
    """One reply's two contexts on the device."""

    @property
    def cost(self) -> PassCost:
        """What a pass costs; every position that is scored is two tokens of it."""
        ...

    @property
    def prompt_tokens(self) -> int:
        """Tokens of both prompts together."""
        ...

    @property
    def found(self) -> int:
        """How many of them were in the cache when the session first scored; 0 before."""
        ...

    async def score(self, generated: Sequence[int], first: int) -> list[LocalLogprobs]:
        """What the model says of positions `first`..`len(generated)` of a reply in the remote's token ids.

        What an earlier call has seen of `generated` is not computed again; what it saw and is no longer
        there is rolled back.
        """
        ...


class RowSession(LocalSession, Protocol):
    """A reply in the local model's own tokens, with whatever might be in the place of some of them."""

    async def rows(self, generated: Sequence[int], keep: int, branches: Sequence[Branch] = ()) -> Rows:
        """[2, keep + n, V], after the last `keep` - 1 of `generated` and before them, and after each of the n
        tokens of the `branches`."""
        ...


class RowModel(Protocol):
    """A local model in its own tokens."""

    def kept_for(self, owner: Owner | None) -> RowModel:
        """See LocalModel."""
        ...

    def session(
        self, aware: PrivatePrompt, agnostic: Sequence[int]
    ) -> AbstractAsyncContextManager[RowSession]:
        """See LocalModel."""
        ...

    async def warm(self, prefix: PrivatePrompt) -> None:
        """See LocalModel."""
        ...


class LocalLogprobs(Protocol):
    """One position of a reply, seen in both contexts."""

    def logprobs(self, candidates: IntArray) -> FloatArray:
        """[2, K]: log-probabilities of the remote's tokens `candidates` [K], context-aware and
        context-agnostic. Of a token that is known in part they are those of the part; of one that is not
        known at all, both are 0."""
        ...

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        """At most `count` of the remote's tokens: the likeliest context-aware ones but for `without`."""
        ...


class LocalModel(Protocol):
    def session(
        self, aware: PrivatePrompt, agnostic: Sequence[int]
    ) -> AbstractAsyncContextManager[LocalSession]:
        """A session over the two prompts; its KV cache is kept for the next one that fits."""
        ...

    async def warm(self, prefix: PrivatePrompt) -> None:
        """Compute the beginning of prompts to come, when there is nothing else to do."""
        ...
