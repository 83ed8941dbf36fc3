"""The remote as the rest of the code sees it: drafts, tokens, and requests that are passed on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from app.local.engine.owner import Owner
from app.prompts.message import Message, Tool
from app.steering.formula import FloatArray, IntArray
from app.steering.sampling import SamplingParams
from app.tokenization.vocabulary import Vocabulary

# These endpoints have lasting effects.
LASTING = ("batches", "files", "responses")
# How one of several remotes does: it is used, has failed, or is not used since it is not the same.
State = Literal["ready", "resting", "another model", "not compared"]
# vLLM raises any lower temperature to this, except zero (vllm 0.32, SamplingParams).
MIN_TEMPERATURE = 0.01
# The code of the error of a remote that tells no token ids.
UNTOLD = "tokens_untold"


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

    async def tokenize(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        opens: bool = True,
    ) -> list[int]:
        """Prompt ids of the public conversation, open for the assistant's reply; with `continue_final` its
        last message is open instead, to be continued; without `opens` nothing is open. `tools` are those that
        the reply may call."""
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

    def take_over(self, handover: Handover) -> AsyncGenerator[Said, None]:
        """The rest of a reply, or all of it, written and parsed by the remote alone, as it comes; closing the
        iterator ends the request. The last one has a finish_reason."""
        ...

    async def forward(self, request: Forward) -> Forwarded:
        """The response to a client's own request; raises Unsupported when the remote takes none."""
        ...


@dataclass(frozen=True, repr=False)
class Handover:
    """A reply that the remote goes on with by itself, since it calls tools.

    `begun` is the reply's text so far, as the remote has it; empty: the reply begins. `choice` is OpenAI's
    tool_choice. `asked` are the client's own fields about sampling, stops and log-probabilities, named as in
    OpenAI's chat API: what a client leaves out is the remote's to choose. With `stream` it comes in pieces.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    choice: str | Tool = "auto"
    parallel: bool | None = None
    begun: str = ""
    max_tokens: int | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of a call: `id` and `name` stand in the first of the call with this index; all `arguments` of
    one index together are its JSON text."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of what the remote said after it took over: text, and pieces of calls. `logprobs` are OpenAI's,
    as the remote gives them. The last has a `finish_reason`, and how many `tokens` the remote wrote."""

    text: str = ""
    calls: tuple[CallPiece, ...] = ()
    logprobs: Mapping[str, Any] | None = None
    finish_reason: str | None = None
    tokens: int = 0


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

    @property
    def lasting(self) -> bool:
        """Whether it has lasting effects, which one request must not have twice."""
        return self.method != "GET" and self.path.split("/")[0] in LASTING


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
    """A remote in this process, which keeps the KV cache of its prompts, or several, of which one does. No
    server is told for whom it drafts."""

    def kept_for(self, owner: Owner | None) -> RemoteModel:
        """The same model for one reply, with KV caches that this owner alone finds again."""
        ...


@runtime_checkable
class HasReplicas(Protocol):
    """Several remotes of one model."""

    def states(self) -> list[State]:
        """How each of them does, in the order of the settings."""
        ...


def kept_for(remote: RemoteModel, owner: Owner | None) -> RemoteModel:
    """The remote with its KV caches, if it keeps any, kept for this owner."""
    return remote.kept_for(owner) if isinstance(remote, KeepsPrompts) else remote


@runtime_checkable
class NamesSessions(Protocol):
    """A remote that may be behind a router."""

    @property
    def names_sessions(self) -> bool:
        """Whether it tells which requests are of one conversation."""
        ...

    def in_session(self, session: str) -> RemoteModel:
        """The same remote, whose requests have this id, which is one of `new_session`."""
        ...


def names_sessions(remote: RemoteModel) -> bool:
    """Whether the remote tells which requests are of one conversation."""
    return isinstance(remote, NamesSessions) and remote.names_sessions


def in_session(remote: RemoteModel, session: str | None) -> RemoteModel:
    """The remote for one conversation; as it is, where it tells of none."""
    if session is None or not isinstance(remote, NamesSessions):
        return remote
    return remote.in_session(session)


@runtime_checkable
class CountsTokens(Protocol):
    """A remote that may be behind a gateway, where it tells no token ids but how many a prompt has."""

    async def count(self, public: str | Sequence[Message]) -> int | None:
        """The tokens of a text, perhaps with one that begins every text, or of a conversation that is open
        for the reply; None where it does not tell."""
        ...


async def counted(remote: RemoteModel, public: str | Sequence[Message]) -> int | None:
    """How many tokens a text or a conversation has; None where the remote does not tell."""
    return await remote.count(public) if isinstance(remote, CountsTokens) else None
