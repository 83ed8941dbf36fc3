"""The remote as the rest of the code sees it: drafts, tokens, and requests that are passed on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from app.local.engine.owner import Owner
from app.prompts.message import Message
from app.steering.formula import FloatArray, IntArray
from app.steering.sampling import SamplingParams
from app.tokenization.vocabulary import Vocabulary

# vLLM raises any lower temperature to this, except zero (vllm 0.32, SamplingParams).
MIN_TEMPERATURE = 0.01


@dataclass(frozen=True, slots=True)
class DraftToken:
    """One position of the remote's draft.

    `candidates` [K] are token ids and `logprobs` [K] their raw log-probabilities in nats, before any
    temperature; the draft token is among them. `ends`: with this token the remote ends the reply.
    """

    token_id: int
    candidates: IntArray
    logprobs: FloatArray
    ends: bool = False


@dataclass(frozen=True)
class ModelCard:
    """A model as the remote lists it; `max_model_len` is prompt plus reply in tokens, None if not given, and
    `created` is in Unix time, 0 if not given."""

    id: str
    max_model_len: int | None
    created: int = 0
    owned_by: str = "remote"


@dataclass(frozen=True)
class RemoteVocabulary:
    """The remote's vocabulary; `source` says in words where it is known from."""

    vocabulary: Vocabulary
    source: str


class RemoteModel(Protocol):
    """A model that drafts. It is sent the public conversation, emitted tokens, what a client asks to be
    passed on, and nothing else."""

    @property
    def passes_on(self) -> bool:
        """Whether clients' own requests can be passed on to a server behind it; see `forward`."""
        ...

    async def card(self) -> ModelCard:
        """The model in use: the one that is steered."""
        ...

    async def cards(self, *, fresh: bool = True) -> list[ModelCard]:
        """All models that the remote lists; unless `fresh`, the list may be the one it last sent."""
        ...

    async def tokenize(self, messages: Sequence[Message], *, continue_final: bool = False) -> list[int]:
        """Prompt ids of the public conversation, open for the assistant's reply; with `continue_final` its
        last message is open instead, to be continued."""
        ...

    async def tokenize_text(self, text: str) -> list[int]:
        """Token ids of plain text, with no special tokens."""
        ...

    async def vocabulary(self) -> RemoteVocabulary:
        """What its token ids spell. May take seconds. Raises TokenizerMismatch where it does not tell."""
        ...

    def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        """Draft tokens as they arrive, at most `max_tokens`; closing the iterator ends the request."""
        ...

    async def forward(self, request: Forward) -> Forwarded:
        """The response to a client's own request; raises Unsupported when the remote takes none."""
        ...


@dataclass(frozen=True, repr=False)
class Forward:
    """A client's request to pass on. `path` is relative to /v1, like "embeddings", and percent-encoded, as
    `query` is; of the client's headers only the two here are sent. `what` names the request in the error of a
    remote that cannot do it."""

    method: str
    path: str
    what: str
    query: str = ""
    body: bytes = b""
    content_type: str | None = None
    accept: str | None = None


class Forwarded(Protocol):
    """The remote's response, as it arrives; to be closed, and closing it ends the remote's work."""

    status: int
    headers: Mapping[str, str]

    def body(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class KeepsPrompts(Protocol):
    """A remote in this process, which keeps the KV cache of its prompts. A server of its own is not told for
    whom it drafts."""

    def kept_for(self, owner: Owner | None) -> RemoteModel:
        """The same model, with KV caches that this owner alone finds again."""
        ...


def kept_for(remote: RemoteModel, owner: Owner | None) -> RemoteModel:
    """The remote with its KV caches, if it keeps any, kept for this owner."""
    return remote.kept_for(owner) if isinstance(remote, KeepsPrompts) else remote
