"""The local model as decoding sees it: sessions over all prompts, which give logprobs of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from app.errors import Unsupported
from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import FloatArray, IntArray, Rows


@dataclass(frozen=True, slots=True)
class Wanted:
    """What will be asked of some positions. `candidates`: the remote's, at each from the first on, as far as
    the remote has drafted them. `own`: how many of the local model's own, of each contrast."""

    candidates: Sequence[IntArray] = ()
    own: int = 0


class LocalSession(Protocol):
    """One reply on the device, under the prompts of all contrasts."""

    @property
    def ahead(self) -> bool:
        """Whether it scores positions whose candidates are not known yet: it has the whole vocabulary's."""
        ...

    @property
    def cost(self) -> PassCost:
        """What a forward pass costs; scoring a position adds a token to it for each prompt."""
        ...

    @property
    def prompts(self) -> int:
        """Number of different prompts."""
        ...

    @property
    def prompt_tokens(self) -> int:
        """Number of tokens of all prompts together."""
        ...

    @property
    def found(self) -> int:
        """How many prompt tokens the prefix cache held when the session first scored; 0 before."""
        ...

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        """Logprobs at positions `first`..`len(generated)` of a reply in the remote's token ids; unless it
        scores `ahead`, of those alone whose candidates are `wanted`, and of nothing else.

        The prefix of `generated` that earlier calls have computed stays in the KV cache and is reused; cached
        tokens that are no longer in `generated` are rolled back.
        """
        ...


class RowSession(LocalSession, Protocol):
    """A reply in the local model's own tokens, with branches: tokens that might replace some of them."""

    @property
    def pairs(self) -> IntArray:
        """[m, 2]: for each contrast the places of its aware and its agnostic prompt among the rows."""
        ...

    async def rows(self, generated: Sequence[int], keep: int, branches: Sequence[Branch] = ()) -> Rows:
        """Logprobs [prompts, keep + n, V]: before and after each of the last `keep` - 1 tokens of
        `generated`, then after each of the n tokens of the `branches`."""
        ...


class LocalLogprobs(Protocol):
    """Logprobs at one position of a reply, in each of m contrasts."""

    def logprobs(self, candidates: IntArray) -> FloatArray:
        """[m, 2, K]: log-probabilities of the remote's tokens `candidates` [K], context-aware and
        context-agnostic. Partly matched: the matched part's log-probabilities; not matched at all: 0 for
        both."""
        ...

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        """At most `count` of the remote's tokens for each contrast: the likeliest context-aware, except those
        in `without`."""
        ...


class LocalModel(Protocol):
    """A local model that is given replies in the remote's tokens."""

    def session(self, contrasts: Sequence[Contrast]) -> AbstractAsyncContextManager[LocalSession]:
        """A session over the contrasts' prompts; afterwards its KV caches are kept for reuse by prefix."""
        ...

    async def warm(self, prefix: PrivatePrompt) -> None:
        """Prefill the shared prefix of later prompts, in the background."""
        ...


class OwnedModel(LocalModel, Protocol):
    """A local model whose KV caches are kept for owners."""

    def kept_for(self, owner: Owner | None) -> OwnedModel:
        """The same model, with KV caches that only this owner can reuse."""
        ...


class RowModel(OwnedModel, Protocol):
    """A local model that is given its own tokens, and has rows over its whole vocabulary."""

    def kept_for(self, owner: Owner | None) -> RowModel:
        """See OwnedModel."""
        ...

    def session(self, contrasts: Sequence[Contrast]) -> AbstractAsyncContextManager[RowSession]:
        """See LocalModel."""
        ...


@runtime_checkable
class Elsewhere(Protocol):
    """A local model that a server computes, which may fail. It has no rows."""

    async def check(self) -> None:
        """Raises TrustedError where the server cannot be used now."""
        ...

    async def try_out(self) -> None:
        """Have it score a text that is nobody's. Raises TrustedError."""
        ...

    async def longest(self, wanted: int) -> int | None:
        """The most tokens of a prompt and its reply, as the server told last; None if it told none, or
        nothing yet. Before that is less than `wanted`, it is asked again."""
        ...


def with_rows(model: OwnedModel) -> RowModel:
    """The model as one with rows. Raises Unsupported where a server computes it."""
    if isinstance(model, Elsewhere):
        raise Unsupported(
            "This takes a small model in this process, and this one is on a server. Unset "
            "COSTEER_LOCAL_BASE_URL for it."
        )
    return cast(RowModel, model)
